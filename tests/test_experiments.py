from __future__ import annotations

import pytest

from gilnotes import interpreters
from gilnotes.experiments import race_on
from gilnotes.interpreters import Interpreter, InterpreterFailed

FOUND = interpreters.find()
SPECS = ["all", *(f"{python.tag}+gil" for python in FOUND if python.free_threaded)]


def test_the_lock_keeps_every_update_on_every_interpreter() -> None:
    chosen = interpreters.select(SPECS, FOUND)
    results = race_on(chosen, "lock", runs=2, how_many=1000, switch_interval=1e-6)
    assert [python for python, _ in results] == list(chosen)
    for _, runs in results:
        assert runs.found == (5000, 5000)
        assert runs.switch_interval == 1e-6


def test_the_race_takes_its_numbers_to_the_interpreter() -> None:
    ((_, runs),) = race_on([interpreters.current()], "race", runs=3, threads=1, how_many=7)
    assert (runs.found, runs.expected, runs.threads, runs.how_many) == ((7, 7, 7), 7, 1, 7)


def test_an_interpreter_that_takes_too_long_is_named() -> None:
    with pytest.raises(InterpreterFailed, match="took longer than 1 s"):
        race_on([interpreters.current()], "lock", how_many=10**9, timeout=1)


def test_an_experiment_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError, match="draw"):
        race_on([], "draw")


@pytest.mark.parametrize("python", interpreters.select(SPECS, FOUND), ids=lambda python: python.tag)
def test_the_results_say_whether_the_gil_was_on(python: Interpreter) -> None:
    ((measured, _),) = race_on([python], "lock", how_many=1)
    assert measured.gil == python.gil == (not python.tag.endswith("t"))
