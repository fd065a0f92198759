"""What is kept between builds, and what makes a block run again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import gilnotes
from gilnotes.site import cache as cache_module
from gilnotes.site.blocks import find_blocks
from gilnotes.site.cache import Cache, Entry, source
from gilnotes.site.checked import check
from gilnotes.site.outcomes import Outcome
from gilnotes.site.progress import Progress
from gilnotes.site.runner import run
from tests.support import Project

FENCE = '```python exec="on"{}\n{}\n```\n\n'
PAGE = "# A page\n\n" + "".join(
    FENCE.format("", code) for code in ("x = 1", "print(x)", "print('last')")
)


def outcomes(text: str, cache: Cache) -> list[Outcome]:
    page = find_blocks(text, "docs/page.md")
    assert not page.problems
    return list(run(page.blocks, (), cache=cache).outcomes)


def cached(text: str, cache: Cache) -> list[bool]:
    found = outcomes(text, cache)
    assert {outcome.status for outcome in found} == {"passed"}
    return [outcome.cached for outcome in found]


def entries(cache: Cache) -> list[Path]:
    return sorted(cache.folder.glob("*/*"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_a_second_run_runs_nothing_and_says_when_the_first_was(
    cache: Cache, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    text = FENCE.format("", f"open({str(witness)!r}, 'a').write('ran ')\nprint('out')")
    (first,), (second,) = outcomes(text, cache), outcomes(text, cache)
    assert (first.cached, second.cached) == (False, True)
    assert witness.read_text() == "ran "
    assert first.output == "out\n"
    assert replace(second, cached=False) == first


def test_a_page_says_that_an_outcome_is_from_the_cache(project: Project) -> None:
    project.page(FENCE.format(' result="text"', "print(1)"))
    day = re.compile(r'<time datetime="(.*?)">')
    assert project.build().returncode == 0
    first = project.html()
    assert "from cache" not in first
    assert project.build().returncode == 0
    assert "from cache" in project.html()
    assert day.findall(project.html()) == day.findall(first)


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("# A page", "# A page\n\nMore prose.", [True, True, True]),
        ("print('last')", "print('changed')", [True, True, False]),
        ("print(x)", "print(x + 1)", [True, False, False]),
        ("x = 1", "x = 2", [False, False, False]),
        ('exec="on"\nprint(x)', 'exec="on" source="above"\nprint(x)', [True, True, True]),
        ('exec="on"\nprint(x)', 'exec="on" timeout="5"\nprint(x)', [True, False, False]),
        ('exec="on"\nprint(x)', 'exec="on" session="b"\nprint(1)', [True, False, False]),
    ],
)
def test_a_block_runs_again_if_it_or_an_earlier_one_of_its_session_changed(
    cache: Cache, before: str, after: str, kept: list[bool]
) -> None:
    assert cached(PAGE, cache) == [False, False, False]
    assert PAGE.count(before) == 1
    assert cached(PAGE.replace(before, after), cache) == kept
    assert cached(PAGE, cache) == [True, True, True]


def test_a_block_whose_output_names_its_lines_runs_again_when_they_move(cache: Cache) -> None:
    text = FENCE.format("", "import warnings\nwarnings.warn('here')")
    assert "docs/page.md:3: UserWarning" in outcomes(text, cache)[0].output
    moved = outcomes(f"\n{text}", cache)[0]
    assert not moved.cached
    assert "docs/page.md:4: UserWarning" in moved.output
    assert cached(f"\n{text}", cache) == [True]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: text[:-1],
        lambda text: bytes([text[0] ^ 1]) + text[1:],
        lambda text: text.replace(b"out", b"lie"),
        lambda text: b"[]\n4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        lambda text: b"\xff" + text,
    ],
    ids=["empty", "half", "a byte less", "a bit", "another output", "wrong JSON", "no UTF-8"],
)
def test_a_damaged_entry_is_a_miss_and_is_mended(
    cache: Cache, damage: Callable[[bytes], bytes]
) -> None:
    text = FENCE.format("", "print('out')")
    outcomes(text, cache)
    (entry,) = entries(cache)
    entry.write_bytes(damage(entry.read_bytes()))
    (outcome,) = outcomes(text, cache)
    assert (outcome.cached, outcome.output) == (False, "out\n")
    (outcome,) = outcomes(text, cache)
    assert (outcome.cached, outcome.output) == (True, "out\n")


def test_two_builds_at_once_share_a_cold_cache(project: Project) -> None:
    project.page("".join(FENCE.format("", f"print({n})") for n in range(30)))
    builds = [
        subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "build", "--site-dir", f"site{number}"],
            cwd=project.root,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    for build in builds:
        printed, _ = build.communicate(timeout=60)
        assert build.returncode == 0, printed
    cache = Cache(project.root / ".cache" / "gilnotes")
    assert len(entries(cache)) == 30
    for path in entries(cache):
        assert cache.get(path.parent.name + path.stem) is not None
    done = project.build()
    assert "30 from the cache" in done.stdout


def test_the_cache_can_be_switched_off(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    page = project.page(FENCE.format("", "print(1)"))

    def kept() -> list[bool]:
        record = check(project.root, [page], Progress(None)).record
        return [outcome.cached for outcome in record.outcomes]

    assert (kept(), kept()) == ([False], [True])
    monkeypatch.setenv("GILNOTES_CACHE", "off")
    assert kept() == [False]


def test_a_fresh_block_always_runs(cache: Cache) -> None:
    text = FENCE.format(' fresh="on"', "print(1)")
    assert (cached(text, cache), cached(text, cache)) == ([False], [False])
    assert entries(cache) == []


def test_a_failing_block_is_not_kept_and_its_session_is(cache: Cache) -> None:
    text = FENCE.format("", "x = 1") + FENCE.format("", "1 / 0") + FENCE.format("", "print(x)")
    outcomes(text, cache)
    again = outcomes(text, cache)
    assert [outcome.cached for outcome in again] == [True, False, True]
    assert [outcome.status for outcome in again] == ["passed", "failed", "passed"]
    assert len(entries(cache)) == 2


def test_pruning_keeps_what_was_used_last_within_its_bound(cache: Cache) -> None:
    keys = [f"{number:02}" + "a" * 62 for number in range(10)]
    for number, key in enumerate(keys):
        cache.put(key, Entry("x" * 1000, 0.0, "", "", ()))
        (path,) = cache.folder.glob(f"{key[:2]}/*")
        os.utime(path, (number, number))
    size = path.stat().st_size
    assert cache.get(keys[0]) is not None  # the oldest, and now the one used last
    cache.prune(limit=3 * size)
    assert [key for key in keys if cache.get(key)] == [keys[0], keys[8], keys[9]]
    cache.prune(limit=3 * size)
    assert len(entries(cache)) == 3
    cache.prune(limit=0)
    assert entries(cache) == []


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("counters.py", True),
        ("site/worker.py", True),
        ("site/scheduler.py", True),
        ("site/render.py", False),
    ],
)
def test_the_source_of_what_a_block_can_import_decides(
    file: str, changes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gilnotes"
    shutil.copytree(Path(gilnotes.__file__).parent, package)
    monkeypatch.setattr(gilnotes, "__file__", str(package / "__init__.py"))
    before, around = source(), cache_module.surroundings()
    with (package / file).open("a") as edited:
        edited.write("# edited\n")
    assert (source() != before) is changes
    assert (cache_module.surroundings() != around) is changes
