"""What a block may do to its worker, each caused for real, on the builder and without a GIL.

All faults stand in one session, so every one but the first also shows that the one before it
did not take the session with it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from gilnotes import interpreters
from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.runner import run


@dataclass(frozen=True)
class Fault:
    code: str
    line: int
    """The line of the code that the message names; 0: the fence's."""
    message: str
    output: str = ""


DEADLOCK = """\
import threading
a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
def work(first, second):
    with first:
        both.wait()
        with second:
            pass
threads = [threading.Thread(target=work, args=pair) for pair in ((a, b), (b, a))]
for thread in threads: thread.start()
for thread in threads: thread.join()"""

FAULTS = {
    "raises": Fault("def f():\n    raise ValueError('no')\nf()", 2, "ValueError: no", ", in f\n"),
    "raises with a note": Fault(
        "e = ValueError('no')\nif hasattr(e, 'add_note'):\n    e.add_note('hint')\nraise e",
        4,
        "ValueError: no",
    ),
    "raises in a thread": Fault(
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T')\n"
        "t.start(); t.join()",
        2,
        "in thread T: ZeroDivisionError: division by zero",
        "ZeroDivisionError",
    ),
    "deadlocks": Fault(DEADLOCK, 10, "still running after 1 s", " in work\n"),
    "loops in Python": Fault("n = 0\nwhile True:\n    n += 1", -1, "still running after 1 s"),
    "loops in C": Fault("sum(iter(int, 1))", 1, "still running after 1 s", "most recent call"),
    "stops the watchdog and loops": Fault(
        "import faulthandler\nfaulthandler.cancel_dump_traceback_later()\nwhile True: pass",
        0,
        "still running after 1 s",
    ),
    "exits": Fault("import sys\nsys.exit(0)", 2, "called sys.exit(0)"),
    "exits at once": Fault("import os\nos._exit(0)", 0, "ended its interpreter with exit status 0"),
    "aborts": Fault("import os\nos.abort()", 2, "ended its interpreter: SIGABRT", "Fatal Python"),
    "crashes": Fault(
        "import ctypes\nctypes.string_at(0)", 2, "ended its interpreter: SIGSEGV", "Fatal Python"
    ),
    "kills its worker": Fault(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 0, "SIGKILL"
    ),
    "leaves a thread": Fault(
        "import threading\ne = threading.Event()\n"
        "threading.Thread(target=e.wait, name='waits', daemon=True).start()",
        0,
        "left running: thread waits",
        'File "threading.py"',
    ),
    "leaves a nameless thread": Fault(
        "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\n"
        "_thread.start_new_thread(lock.acquire, ())",
        0,
        "left running: a thread without a name",
    ),
    "leaves a child": Fault(
        "import subprocess\nsubprocess.Popen(['sleep', '600'])",
        0,
        "left running: process ",
    ),
    "leaves a process of multiprocessing": Fault(
        "import multiprocessing, time\nspawn = multiprocessing.get_context('spawn')\n"
        "spawn.Process(target=time.sleep, args=(600,)).start()",
        0,
        "left running: process ",
    ),
    "leaves a child in another session": Fault(
        "import subprocess\nsubprocess.run(['sh', '-c', 'setsid sleep 600 >/dev/null 2>&1 &'])",
        0,
        "left running: process ",
    ),
    "raises and leaves a child": Fault(
        "import subprocess\nsubprocess.Popen(['sleep', '600'])\nraise KeyError", 3, "KeyError"
    ),
    "prints without end": Fault("while True:\n    print('x' * 999)", -1, "printed without end"),
    "wants 2 GiB": Fault("b = bytearray(2 << 30)", 1, "MemoryError (a block may use 1536 MiB)"),
    "prints into a closed descriptor": Fault(
        "import os\nos.close(1)\nprint('x')", 3, "Bad file descriptor"
    ),
    "closes every descriptor": Fault(
        "import os\nos.closerange(0, 256)", 0, "ended its interpreter"
    ),
    "forks and returns twice": Fault("import os\nos.fork()", 0, "both processes came back"),
    "asks for input": Fault("input()", 1, "EOFError"),
    "is no Python": Fault("x = (", 1, "SyntaxError"),
    "recurses without end": Fault("def f(): f()\nf()", 1, "RecursionError"),
}
PLACE = 40
"""Lines between one fault's fence and the next one's."""


def block(number: int, fault: Fault) -> Block:
    # Long enough for all but the ones that never end.
    timeout = 1.0 if "still running" in fault.message else 20.0
    return Block(
        "docs/page.md", PLACE * number + 3, f"print('before')\n{fault.code}", timeout=timeout
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder in which the workers of this module, and no others, have theirs."""
    folder = str(tmp_path_factory.mktemp("workers"))
    before, tempfile.tempdir = tempfile.tempdir, folder
    yield folder
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def record(home: str) -> Record:
    """Every fault, in one session of the builder and each alone without a GIL."""
    assert home
    blocks = [block(n, fault) for n, fault in enumerate(FAULTS.values())]
    first = Block("docs/page.md", 1, "x = 1")
    last = Block("docs/page.md", PLACE * 1000, "x = globals().get('x')\nprint('after', x)")
    here = [first, *blocks, last]
    alone = [replace(b, file="docs/alone.md", python=("3.13t",)) for b in here]
    return run([*here, *alone], interpreters.find())


@pytest.fixture(scope="module", params=["here", "3.13t"])
def outcomes(request: pytest.FixtureRequest, record: Record) -> dict[str, Outcome]:
    alone = request.param != "here"
    found = [o for o in record.outcomes if bool(o.block.python) == alone]
    if found[0].status == "missing":
        pytest.skip(found[0].output)
    return dict(zip(["first", *FAULTS, "last"], found, strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_own_block_with_its_line(outcomes: dict[str, Outcome], name: str) -> None:
    fault, outcome = FAULTS[name], outcomes[name]
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert fault.message in outcome.failure.message
    if fault.line >= 0:
        # The fence, and the line that prints "before", come first.
        expected = outcome.block.line + (fault.line + 1 if fault.line else 0)
        assert outcome.failure.line == expected
    if name not in ("is no Python",):
        assert outcome.output.startswith("before\n")
    assert fault.output in outcome.output
    assert 'File "/' not in outcome.output


def test_the_session_goes_on_after_every_fault(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["last"].status == "passed"
    assert outcomes["last"].output in ("after 1\n", "after None\n")
    if not outcomes["last"].block.python:
        assert outcomes["last"].output == "after 1\n"


def test_only_the_first_64_kib_are_kept_and_that_is_said(outcomes: dict[str, Outcome]) -> None:
    output = outcomes["prints without end"].output
    assert 64 * 1024 <= len(output) < 65 * 1024
    assert "the first 64 KiB" in output


def test_no_process_is_left_behind(outcomes: dict[str, Outcome], home: str) -> None:
    assert outcomes["last"].status == "passed"
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME", "").startswith(home):
                left.append(process.cmdline())
    assert not left
    assert not list(Path(home).iterdir())
