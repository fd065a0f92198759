from __future__ import annotations

import os
from pathlib import Path

import pytest

import gilnotes
from gilnotes import interpreters
from gilnotes.interpreters import Interpreter

FOUND = interpreters.find()
SOURCES = Path(gilnotes.__file__).parents[1]
SPECS = ["all", *(f"{python.tag}+gil" for python in FOUND if python.free_threaded)]


FOLDER = Path(__file__).parent / "subject"


@pytest.mark.parametrize("module", sorted(path.stem for path in FOLDER.glob("test_*.py")))
@pytest.mark.parametrize(
    "interpreter", interpreters.select(SPECS, FOUND), ids=lambda interpreter: interpreter.tag
)
def test_the_subject_passes_its_tests_on(interpreter: Interpreter, module: str) -> None:
    done = interpreters.run(
        interpreter,
        ["-W", "error", "-m", "unittest", module],
        timeout=100,
        env={"PYTHONPATH": os.pathsep.join(map(str, (FOLDER, SOURCES)))},
    )
    assert done.stderr.endswith("OK\n"), done.stderr
    assert "Ran 0 tests" not in done.stderr
