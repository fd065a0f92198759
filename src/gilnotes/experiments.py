"""The notes' experiment: five threads count to 500 000 together, and how far they get."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from gilnotes import interpreters
from gilnotes.counters import Counter, LockingCounter
from gilnotes.threads import Increments, check_whole_number, run_threads, worker

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping

    from gilnotes.interpreters import Interpreter


class Counts(Increments, Protocol):
    """What the experiment needs of a counter: `increment(offset)`, and the `count` it leads to."""

    @property
    def count(self) -> int:
        """What was counted."""


COUNTERS: Mapping[str, Callable[[], Counts]] = {"race": Counter, "lock": LockingCounter}
"""The counter of each experiment, by the name of the command that runs it."""


@dataclass(frozen=True)
class Runs:
    """What several runs of the experiment found."""

    expected: int
    """What every run would find if no update were lost."""
    found: tuple[int, ...]
    """The count of each run."""
    seconds: tuple[float, ...]
    """How long each run took."""
    threads: int
    how_many: int
    """The increments of each thread."""
    switch_interval: float
    """In seconds, as `sys.getswitchinterval` gives it. Without a GIL it has no effect."""

    @property
    def lost_in(self) -> int:
        """The number of runs that lost an update."""
        return sum(found != self.expected for found in self.found)

    @property
    def minimum(self) -> int:
        """The smallest count found."""
        return min(self.found)

    @property
    def median(self) -> int:
        """A count that was found: half of the runs found no more (the lower of two middle ones)."""
        return statistics.median_low(self.found)

    @property
    def maximum(self) -> int:
        """The largest count found."""
        return max(self.found)


def race(
    counter_class: Callable[[], Counts],
    runs: int = 1,
    *,
    threads: int = 5,
    how_many: int = 10**5,
    switch_interval: float | None = None,
) -> Runs:
    """Let ``threads`` threads increment one new counter ``how_many`` times each, ``runs`` times.

    >>> from gilnotes import LockingCounter
    >>> race(LockingCounter, runs=2, how_many=100).found
    (500, 500)

    ``switch_interval`` (seconds) holds during the runs only; None leaves it as it is.
    Raises TypeError or ValueError for numbers that make no sense.
    """
    check_whole_number("runs", runs, at_least=1)
    if switch_interval is not None and not switch_interval > 0:
        raise ValueError(f"switch_interval must be more than 0 s, not {switch_interval}")
    before = sys.getswitchinterval()
    found = []
    seconds = []
    try:
        if switch_interval is not None:
            sys.setswitchinterval(switch_interval)
        interval = sys.getswitchinterval()
        for _ in range(runs):
            counter = counter_class()
            start = perf_counter()
            run_threads(worker, how_many, counter, threads=threads)
            seconds.append(perf_counter() - start)
            found.append(counter.count)
    finally:
        sys.setswitchinterval(before)
    return Runs(threads * how_many, tuple(found), tuple(seconds), threads, how_many, interval)


def race_on(
    chosen: Iterable[Interpreter],
    counter_name: str,
    runs: int = 1,
    *,
    threads: int = 5,
    how_many: int = 10**5,
    switch_interval: float | None = None,
    timeout: float | None = None,
) -> list[tuple[Interpreter, Runs]]:
    """Run the experiment on each interpreter, one after another, each in a process of its own.

    ``counter_name`` is "race" or "lock". ``timeout`` (seconds) is for each interpreter.

    >>> race_on(interpreters.find(), "race", runs=20)  # doctest: +SKIP
    [(Interpreter(path=…, version='3.9.18', …), Runs(expected=500000, found=(…), …)), …]

    Raises InterpreterFailed, KeyError for an experiment that there is not.
    """
    COUNTERS[counter_name]
    options = [f"--runs={runs}", f"--threads={threads}", f"--how-many={how_many}"]
    if switch_interval is not None:
        options.append(f"--switch-interval={switch_interval}")
    return [
        (interpreter, runs_from(answer))
        for interpreter, answer in ask(chosen, [counter_name, *options], timeout=timeout)
    ]


def ask(
    chosen: Iterable[Interpreter], command: Iterable[str], *, timeout: float | None = None
) -> Iterable[tuple[Interpreter, dict[str, Any]]]:
    """Run ``gilnotes <command> --json`` on each interpreter and yield what it measured.

    The interpreter is returned as it described itself there, GIL on or off.
    """
    for interpreter in chosen:
        name, *options = command
        args = ["-m", "gilnotes", name, "--json", *options]
        done = interpreters.run(interpreter, args, timeout=timeout)
        (answer,) = json.loads(done.stdout)
        yield dataclasses.replace(interpreter, gil=answer["interpreter"]["gil"]), answer


def runs_from(answer: Mapping[str, Any]) -> Runs:
    """Make the Runs again that were written as JSON."""
    facts = {field.name: answer[field.name] for field in dataclasses.fields(Runs)}
    facts["found"], facts["seconds"] = tuple(facts["found"]), tuple(facts["seconds"])
    return Runs(**facts)
