"""What all tests share."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has none

# These run under every interpreter, this one included: test_subject.py starts them.
collect_ignore = ["subject"]


# Not `--dist loadgroup`: with pytest 9.2 it overlooks the groups (pytest-dev/pytest-xdist#1386).
class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """What is made once for a module, or for the browser, is made by one worker only."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if module in ("tests/test_subject.py", "tests/test_brute_force.py"):
            return nodeid  # each of these has a process of its own, and takes its time
        return "tests/browser" if module.startswith("tests/browser/") else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Share the tests out among the workers of `pytest -n`."""
    return _Scheduling(config, log)


class Alive:
    """A FIFO that processes write to and hold open: it ends when the last of them has ended."""

    def __init__(self, fifo: Path) -> None:
        self.fifo = fifo
        os.mkfifo(fifo)
        self.reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.text = ""

    def wait_for(self, word: str, seconds: float = 60) -> None:
        """Wait until a process has written a word."""
        while word not in self.text:
            chunk = self._read(seconds)
            assert chunk, f"they wrote {self.text!r} and ended"

    def wait_for_the_end(self, seconds: float = 60) -> None:
        """Wait until no process holds the FIFO open. Some process must have written before."""
        assert self.text
        while self._read(seconds):
            pass

    def _read(self, seconds: float) -> str:
        ready, _, _ = select.select([self.reader], [], [], seconds)
        assert ready, f"still running after {seconds} s"
        chunk = os.read(self.reader, 4096).decode()
        self.text += chunk
        return chunk


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Alive]:
    watched = Alive(tmp_path / "alive")
    yield watched
    os.close(watched.reader)
