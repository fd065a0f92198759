"""A build that is ended leaves nothing behind that runs: no worker, and nothing a block started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import Alive
from tests.support import Project

ENDLESS = """\
```python exec="on" timeout="600"
import subprocess
fifo = open({fifo!r}, "w")
subprocess.Popen(["sleep", "600"], stdout=fifo)
fifo.write("running ")
fifo.flush()
{loop}
```
"""


def build(project: Project) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=project.root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "TMPDIR": str(project.root / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As from a shell: a signal is for the builder, its workers have groups of their own.
        start_new_session=True,
    )


@pytest.mark.parametrize("loop", ["while True: pass", "sum(iter(int, 1))"], ids=["Python", "C"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_build_leaves_no_process_behind(
    project: Project, alive: Alive, number: signal.Signals, loop: str
) -> None:
    (project.root / "tmp").mkdir()
    project.page(ENDLESS.format(fifo=str(alive.fifo), loop=loop))
    with build(project) as builder:
        try:
            alive.wait_for("running")
            builder.send_signal(number)
            alive.wait_for_the_end(20)
            builder.communicate(timeout=20)
        finally:
            builder.kill()
    assert builder.returncode != 0
    if number == signal.SIGINT:
        assert not list((project.root / "tmp").iterdir())
    assert not (project.root / "site").exists()


def test_a_worker_ends_itself_at_its_timeout_whatever_its_builder_does(
    project: Project, alive: Alive
) -> None:
    (project.root / "tmp").mkdir()
    project.page(
        f'```python exec="on" timeout="3"\nfifo = open({str(alive.fifo)!r}, "w")\n'
        'fifo.write("running ")\nfifo.flush()\nsum(iter(int, 1))\n```\n'
    )
    with build(project) as builder:
        try:
            alive.wait_for("running")
            builder.send_signal(signal.SIGSTOP)
            alive.wait_for_the_end(20)
        finally:
            builder.kill()
