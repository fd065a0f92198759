"""`gilnotes switchpoints` and `gilnotes refactorings`, run as a reader runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gilnotes
from gilnotes import interpreters
from gilnotes.interpreters import Interpreter
from gilnotes.refactorings import REFACTORINGS
from gilnotes.switchpoints import listing_from

FOUND = interpreters.find()
SPECS = ["all", *(f"{python.tag}+gil" for python in FOUND if python.free_threaded)]
CHOSEN = interpreters.select(SPECS, FOUND)
WITH_GIL = [python for python in CHOSEN if python.gil]
WITHOUT_GIL = [python for python in CHOSEN if not python.gil]
SOURCES = Path(gilnotes.__file__).parents[1]

TALLY = """
class Tally:
    def __init__(self):
        self.number = 0

    def add(self, by):
        self.number += int(by)

def broken():
    raise OSError("no sensor")
"""


def command(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gilnotes", *args],
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCES),
            "GILNOTES_INTERPRETERS": interpreters.to_json(FOUND),
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def output(*args: str, cwd: Path | None = None) -> str:
    done = command(*args, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def tally(tmp_path: Path) -> Path:
    (tmp_path / "tally.py").write_text(TALLY)
    return tmp_path


@pytest.mark.parametrize("python", WITH_GIL, ids=lambda python: python.tag)
def test_switchpoints_prints_the_notes_increment_on(python: Interpreter) -> None:
    lines = output("switchpoints", "--samples=100", f"--python={python.tag}").splitlines()
    assert lines[0] == python.label
    assert lines[1] == "Counter.increment:"
    assert lines[2].split() == ["line", "source", "opcode", "switches"]
    (read,) = (line for line in lines if line.startswith("┌"))
    (write,) = (line for line in lines if line.startswith("└"))
    assert "LOAD_ATTR (count)" in read
    assert "STORE_ATTR (count)" in write
    if python.tag not in ("3.8", "3.9"):
        assert lines[-1] == "Between the read and the write: no place to switch."


@pytest.mark.parametrize("python", WITHOUT_GIL, ids=lambda python: python.tag)
def test_without_a_gil_one_sentence_says_that_the_question_has_no_meaning(
    python: Interpreter,
) -> None:
    lines = output("switchpoints", f"--python={python.tag}").splitlines()
    assert lines[0] == python.label
    assert lines[1].startswith("The GIL is off: it is never handed over")
    (answer,) = json.loads(output("switchpoints", "--json", f"--python={python.tag}"))
    assert answer["listing"] is None


def test_a_readers_own_method(tally: Path) -> None:
    printed = output("switchpoints", "tally:Tally.add", "--samples=50", cwd=tally)
    assert "Tally.add:" in printed
    assert "self.number += int(by)" in printed


def test_a_readers_own_method_on_another_interpreter_as_json(tally: Path) -> None:
    python = WITH_GIL[0]
    args = ("switchpoints", "tally:Tally.add", "--samples=50", "--json", f"--python={python.tag}")
    (answer,) = json.loads(output(*args, cwd=tally))
    listing = listing_from(answer["listing"])
    assert answer["interpreter"]["version"] == python.version
    assert listing.function == "Tally.add"
    assert sum(place.count for place in listing.places) == listing.samples > 0
    assert all(place.explained for place in listing.parked)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "'nothing' is neither race, lock, a refactoring, nor module:function"),
        ("tally:Tally.sub", "tally:Tally.sub: 'Tally' object has no attribute 'sub'"),
        ("no_such_module:f", "no_such_module:f: No module named 'no_such_module'"),
        ("tally:__name__", "tally:__name__ is no function"),
        ("tally:broken", "tally:broken: OSError: no sensor"),
        ("builtins:len", "is no Python code, so it has no instructions to look at"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line_and_status_2(
    what: str, message: str, tally: Path
) -> None:
    done = command("switchpoints", what, cwd=tally)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_refactorings_make_a_matrix_and_a_table_of_places() -> None:
    specs = [f"--python={python.tag}" for python in (CHOSEN[0], CHOSEN[-1])]
    printed = output("refactorings", "--runs=1", "--how-many=10", *specs)
    matrix, _, places = printed.partition("\n\n")
    lines = matrix.splitlines()
    assert lines[0] == "Runs that lost updates, the switch interval at 1 µs:"
    assert lines[1].split() == ["increment", "written", "as", CHOSEN[0].tag, CHOSEN[-1].tag]
    names = [refactoring.name for refactoring in REFACTORINGS]
    assert [name for name, line in zip(names, lines[2:], strict=True) if name in line] == names
    assert all("/1" in line for line in lines[2:])
    assert places.startswith("Between the read and the write:\n")


def test_refactorings_as_json() -> None:
    (answer,) = json.loads(output("refactorings", "--runs=2", "--how-many=1", "--json"))
    assert len(answer["findings"]) == len(REFACTORINGS)
    assert all(finding["runs"]["expected"] == 5 for finding in answer["findings"])
