"""What reaches file descriptors 1 and 2 is what is shown: from whomever, in the order written."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from gilnotes.site.process import Answer
from tests.site.sessions import SPECS, run_named
from tests.support import Project


@dataclass(frozen=True)
class Printer:
    code: str
    output: str


PRINTERS = {
    "nothing": Printer("x = 1", ""),
    "an imported module": Printer(
        "with open('helper.py', 'w') as file:\n    file.write('print(\"imported\")')\n"
        "import helper",
        "imported\n",
    ),
    "dis": Printer(
        "import dis, io\nshown = io.StringIO()\ndis.dis('a += 1', file=shown)\n"
        "assert 'STORE_NAME' in shown.getvalue()\nimport sys\n"
        "dis.dis('a += 1') or print(shown.getvalue() == '')",
        "STORE_NAME",
    ),
    "logging": Printer("import logging\nlogging.warning('logged')", "WARNING:root:logged\n"),
    "warnings": Printer(
        "import warnings\nwarnings.warn('beware')",
        "docs/page.md:82: UserWarning: beware\n  warnings.warn('beware')\n",
    ),
    "a thread": Printer(
        "import threading\nt = threading.Thread(target=print, args=('in a thread',))\n"
        "t.start(); t.join()",
        "in a thread\n",
    ),
    "a child process": Printer(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(\"child\")'])",
        "child\n",
    ),
    "os.write": Printer("import os\n_ = os.write(1, b'written\\n')", "written\n"),
    "C": Printer(
        "import ctypes\n_ = ctypes.CDLL(None).dprintf(1, b'from C\\n')",
        "from C\n",
    ),
    "both streams and a child": Printer(
        "import os, subprocess, sys\n"
        "print('1'); print('2', file=sys.stderr); _ = os.write(1, b'3\\n'); print('4', end='\\n')\n"
        "_ = subprocess.run(['sh', '-c', 'echo 5; echo 6 >&2']); sys.stdout.write('7\\n')\n"
        "_ = os.write(2, b'8\\n')",
        "1\n2\n3\n4\n5\n6\n7\n8\n",
    ),
    "invalid UTF-8": Printer(
        "_ = os.write(1, b'\\xff\\xc3( \\xe2\\x82\\n')", "\\xff\\xc3( \\xe2\\x82\n"
    ),
    "half a surrogate pair": Printer("print('\\udcff', ascii('\\ud800'))", "\\xff '\\ud800'\n"),
    "NULs and carriage returns": Printer("print('a\\0b\\0\\rc')", "a\0b\0\rc\n"),
    "no line end": Printer("print('unfinished', end='')", "unfinished"),
    "too much": Printer("print('x' * 70_000)", "the first 64 KiB; 4465 more bytes are not kept"),
    "a stream of its own": Printer(
        "import io, sys\nown = sys.stdout = io.TextIOWrapper(io.FileIO(1, 'w', closefd=False))\n"
        "print('buffered')",
        "buffered\n",
    ),
    "a wrapper that closes what it wraps": Printer(
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('wrapped')", "wrapped\n"
    ),
    "the block after": Printer("print('still here')", "still here\n"),
    "an exception half a pair long": Printer("raise ValueError('\\udcff')", "ValueError: \\udcff"),
}
EXACT = set(PRINTERS) - {"dis", "too much", "an exception half a pair long"}

RACE = """\
import sys, threading
sys.setswitchinterval(1e-6)
start = threading.Barrier(2)
def say(word):
    start.wait()
    for _ in range(3000):
        print(word)
threads = [threading.Thread(target=say, args=(word,)) for word in ("aaaa", "bbbb")]
for thread in threads: thread.start()
for thread in threads: thread.join()"""
RACES = 10
"""One run may be without a merged line; ten are not."""


@pytest.fixture(scope="module", params=SPECS)
def answers(request: pytest.FixtureRequest) -> dict[str, Answer]:
    codes = {name: printer.code for name, printer in PRINTERS.items()}
    return run_named({**codes, **{f"race {n}": RACE for n in range(RACES)}}, request.param)


@pytest.mark.parametrize("name", PRINTERS)
def test_what_was_written_is_kept(answers: dict[str, Answer], name: str) -> None:
    if name in EXACT:
        assert answers[name].failure is None
        assert answers[name].output == PRINTERS[name].output
    else:
        assert PRINTERS[name].output in answers[name].output


def test_a_message_is_text_that_can_be_written(answers: dict[str, Answer]) -> None:
    failure = answers["an exception half a pair long"].failure
    assert failure is not None
    assert failure.message.encode("utf-8") == b"ValueError: \\udcff"


def test_real_interleaving_stays_visible(answers: dict[str, Answer]) -> None:
    merged = []
    for number in range(RACES):
        output = answers[f"race {number}"].output
        assert output.count("aaaa") == output.count("bbbb") == 3000
        merged += [line for line in output.split("\n") if line not in ("aaaa", "bbbb", "")]
    assert merged


def test_colors_are_shown_where_the_fence_asks_and_as_text_elsewhere(project: Project) -> None:
    code = 'print("\\x1b[31mred\\x1b[0m")\n```\n\n'
    project.page(
        f'```python exec="on" result="ansi"\n{code}```python exec="on" result="text"\n{code}'
    )
    assert project.build().returncode == 0
    html = project.html()
    assert re.search('<span class=" ?-Color -Color-Red">red</span>', html)
    assert "␛[31mred␛[0m" in html
    assert "\x1b" not in html
