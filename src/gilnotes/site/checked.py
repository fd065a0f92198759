"""The first phase of a build, without MkDocs: find the blocks of some pages, and run them all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gilnotes import interpreters
from gilnotes.site import figures
from gilnotes.site.blocks import Page, Problem, find_blocks
from gilnotes.site.cache import Cache
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.progress import Progress
from gilnotes.site.runner import Remembered, looks_around, run

CACHE = Path(".cache", "gilnotes")
"""Where a project keeps its outcomes, below its root."""


@dataclass(frozen=True)
class Checked:
    """What the blocks of some pages did."""

    pages: Mapping[Path, Page]
    record: Record
    broken: tuple[interpreters.Broken, ...] = ()
    """What is named like an interpreter and is none."""

    @property
    def wrong(self) -> tuple[Problem | Outcome, ...]:
        """All that keeps these pages from being published; each one's `str` has its place."""
        problems = [problem for page in self.pages.values() for problem in page.problems]
        return (*problems, *self.record.failures)


def check(
    root: Path,
    files: Iterable[Path],
    progress: Progress,
    *,
    keep_going: bool = False,
    remembered: Remembered | None = None,
) -> Checked:
    """Run the blocks of these Markdown files; none of them, if any fence has to be mended first.

    `GILNOTES_REQUIRE="3.9 3.13t"` names interpreters that must be here;
    `GILNOTES_CACHE=off` runs blocks whose outcome is known.

    Args:
        root: the project's folder, which messages leave out of file names.
        files: Markdown, in UTF-8.
        progress: is shown what runs.
        keep_going: run the good blocks also where a fence has to be mended.
        remembered: what the last check by this process has left for this one.

    Raises:
        LookupError: an interpreter that `GILNOTES_REQUIRE` names is not here.
        OSError: a file cannot be read.
    """
    pages = {path: _find(path.read_text("utf-8-sig"), name(root, path)) for path in files}
    checked = Checked(pages, Record(()))
    if checked.wrong and not keep_going:
        return checked
    blocks = [block for page in pages.values() for block in page.blocks]
    required = os.environ.get("GILNOTES_REQUIRE", "").split()
    # Asking every interpreter takes longer than the blocks of a few pages do.
    needed = required or any(block.python or looks_around(block) for block in blocks)
    survey = _survey() if needed else interpreters.Survey((), ())
    try:
        interpreters.select(required, survey.found)
    except (LookupError, ValueError) as error:
        raise LookupError(f"GILNOTES_REQUIRE: {error}") from None
    cache = None if os.environ.get("GILNOTES_CACHE") == "off" else Cache(root / CACHE)
    record = run(blocks, survey.found, cache=cache, remembered=remembered, progress=progress)
    record = figures.checked(record)
    progress.end(len(pages), record)
    if cache and not remembered:
        cache.prune()
    return Checked(pages, record, survey.broken)


# Under `mkdocs serve`, all pages but the edited one are the same at each rebuild.
_find = lru_cache(maxsize=1024)(find_blocks)
_survey = lru_cache(interpreters.survey)


def name(root: Path, path: Path) -> str:
    """A file as messages name it: `docs/race.md`."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
