from __future__ import annotations

from pathlib import Path

import pytest

from gilnotes import interpreters
from gilnotes.interpreters import Interpreter

FOUND = interpreters.find()
SPECS = ["all", *(f"{python.tag}+gil" for python in FOUND if python.free_threaded)]


@pytest.mark.parametrize(
    "interpreter", interpreters.select(SPECS, FOUND), ids=lambda interpreter: interpreter.tag
)
def test_the_subject_passes_its_tests_on(interpreter: Interpreter) -> None:
    folder = Path(__file__).parent / "subject"
    done = interpreters.run(
        interpreter,
        ["-W", "error", "-m", "unittest", "discover", "-s", str(folder)],
        timeout=100,
    )
    assert done.stderr.endswith("OK\n"), done.stderr
    assert "Ran 0 tests" not in done.stderr
