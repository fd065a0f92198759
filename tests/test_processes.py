from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilnotes import processes

if TYPE_CHECKING:
    from tests.conftest import Alive

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shell scripts and FIFOs are POSIX")


def test_a_command_is_run_and_what_it_printed_returned() -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = processes.run([sys.executable, "-c", program])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_command_has_no_input() -> None:
    done = processes.run([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"])
    assert done.stdout == "''\n"


def test_a_command_that_takes_too_long_is_killed_with_its_children(alive: Alive) -> None:
    script = f"exec 3>{alive.fifo}\necho begun >&3\nsleep 600"
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(["sh", "-c", script], timeout=1)
    alive.wait_for("begun")
    alive.wait_for_the_end()


def test_a_command_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.run([str(tmp_path / "nothing")])
