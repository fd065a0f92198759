"""`gilnotes check` and `gilnotes cache`: a project's blocks and its outcomes, without MkDocs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gilnotes.site.cache import Cache
from gilnotes.site.checked import CACHE, check
from gilnotes.site.outcomes import Outcome
from gilnotes.site.progress import Progress


def check_pages(names: list[str], *, as_json: bool) -> int:
    """Run the blocks of these pages, or of all below `docs/`; return 1 if any has to be mended.

    Raises:
        ValueError: there is no such page, or no project here.
        LookupError: an interpreter that is required is not on this machine.
    """
    files = [Path(name).resolve() for name in names]
    for name, file in zip(names, files, strict=True):
        if not file.is_file():
            raise ValueError(f"no page {name}")
    root = project(files[0].parent if files else Path.cwd())
    if not files:
        files = sorted((root / "docs").rglob("*.md"))
        if not files:
            raise ValueError("no Markdown below docs/; name the pages to check")
    checked = check(root, files, Progress(None if as_json else sys.stdout))
    if as_json:
        print(checked.record.to_json())
    for broken in checked.broken:
        print(f"left out: {broken.path} ({broken.origin}): {broken.reason}", file=sys.stderr)
    for wrong in checked.wrong:
        print(wrong, file=sys.stderr)
        if isinstance(wrong, Outcome):
            print(wrong.output, file=sys.stderr)
    return 1 if checked.wrong else 0


def cache(*, clear: bool, as_json: bool) -> int:
    """Say how much is kept for the project of this folder, or forget it all."""
    kept = Cache(project(Path.cwd()) / CACHE)
    if clear:
        kept.clear()
    entries, size = kept.size()
    if as_json:
        print(json.dumps({"entries": entries, "bytes": size}))
    else:
        print(f"{entries} outcomes kept, {size / 1024:.0f} KiB in {CACHE.as_posix()}")
    return 0


def project(folder: Path) -> Path:
    """The folder of the project that a folder belongs to: the nearest with a `mkdocs.yml`.

    Raises:
        ValueError: there is none.
    """
    for candidate in (folder.resolve(), *folder.resolve().parents):
        if (candidate / "mkdocs.yml").is_file():
            return candidate
    raise ValueError("no mkdocs.yml here or above: this is no project with pages to check")
