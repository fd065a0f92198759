"""What a build says while it runs: a live line on a terminal, plain lines elsewhere, a summary."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.progress import EVERY, Progress
from tests.support import Project

BLOCKS = [Block("docs/page.md", line, "") for line in (1, 5, 9)]
PAGE = '```python exec="on"\nprint(1)\n```\n\n```python exec="on" claim="x"\nassert True\n```\n'
SUMMARY = "1 pages, 2 blocks, 1 claims; 2 runs on 1 interpreters"


def clock(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def narrate(progress: Progress) -> None:
    progress.start(len(BLOCKS))
    for block in BLOCKS:
        progress.running(block, "3.9")
        progress.finished(Outcome(block, "3.9", None, "passed"))
    progress.end(1, Record(()))


def test_a_long_build_says_what_runs_on_what_and_how_many_are_left() -> None:
    stream = io.StringIO()
    narrate(Progress(stream, clock(EVERY).__next__))
    *lines, summary = stream.getvalue().splitlines()
    assert lines == [
        "3 left: docs/page.md:1 on 3.9",
        "2 left: docs/page.md:5 on 3.9",
        "1 left: docs/page.md:9 on 3.9",
    ]
    assert summary.startswith("1 pages, ")


def test_a_short_build_says_its_summary_only() -> None:
    stream = io.StringIO()
    narrate(Progress(stream, clock(EVERY / 1000).__next__))
    assert stream.getvalue().count("\n") == 1


def test_nothing_is_said_where_nobody_listens() -> None:
    narrate(Progress(None))


def test_without_a_terminal_there_are_plain_lines_and_a_summary(project: Project) -> None:
    project.page(PAGE)
    done = project.build()
    assert done.returncode == 0
    assert SUMMARY in done.stdout
    assert not {"\r", "\x1b"} & set(done.stdout)


def test_a_quiet_build_says_nothing(project: Project) -> None:
    project.page(PAGE)
    done = project.build("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_a_terminal_a_live_line_goes_and_the_summary_stays(project: Project) -> None:
    project.page(PAGE)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=project.root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as build:
        os.close(theirs)
        shown = read_to_the_end(ours)
    assert build.returncode == 0
    live, _, rest = shown.rpartition("\r\x1b[K")
    assert "\r2 left: docs/index.md:1 on 3." in live
    assert "\r1 left: docs/index.md:5 on 3." in live
    assert "left:" not in rest
    assert SUMMARY in rest


def read_to_the_end(terminal: int) -> str:
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux says so that nobody holds the other end any more
            chunk = b""
        if not chunk:
            os.close(terminal)
            return shown.decode()
        shown += chunk
