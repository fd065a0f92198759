"""One increment, written the ways people write it: which of them lose updates, and through what.

All of them read, add and write. What differs is what happens between the read and the write.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from gilnotes.counters import Counter
from gilnotes.experiments import Runs, ask, runs_from
from gilnotes.interpreters import current
from gilnotes.switchpoints import SWITCH_INTERVAL, switchpoints
from gilnotes.threads import check_whole_number, worker
from gilnotes.timing import threaded

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping

    from gilnotes.experiments import Counts
    from gilnotes.interpreters import Interpreter

THREADS = 5
"""As many as in the notes' experiment."""


class ThreeLines(Counter):
    """Read, add and write on three lines: the same instructions, in the same order."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        count = self.count
        count = count + offset
        self.count = count


class Item:
    """Count in an item of a dictionary instead of an attribute: one more read before the read."""

    def __init__(self) -> None:
        self.counts = {"all": 0}

    @property
    def count(self) -> int:
        """What was counted."""
        return self.counts["all"]

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.counts["all"] += offset


class Float:
    """Count with a float: adding it is C code, like adding an int."""

    def __init__(self) -> None:
        self.total = 0.0

    @property
    def count(self) -> int:
        """What was counted."""
        return int(self.total)

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.total += offset


class Formatted(Counter):
    """Format a string in between: C code again, called by an instruction that is no call."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        count = self.count
        self.note = f"{count} and {offset}"
        self.count = count + offset


class CallBefore(Counter):
    """Call before the read: a switch at the call comes too early to lose anything."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.count = abs(offset) + self.count


class Expanded(Counter):
    """Spell the three steps out as calls: each call is a place to switch that `+=` has not."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        value = getattr(self, "count")  # noqa: B009
        result = value + offset
        setattr(self, "count", result)  # noqa: B010


class Called(Counter):
    """Call a method in between: a switch can come when it begins."""

    def read(self, offset: int) -> int:
        """Read the sensor."""
        return offset

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.count += self.read(offset)


class Converted(Counter):
    """Call a type in between: `self.count` is read before `int` is called."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.count += int(offset)


class Absolute(Counter):
    """Call a function written in C in between."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.count += abs(offset)


class Measured(Counter):
    """Call `len` in between, which has an instruction of its own from 3.11 on."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = ["one"]

    def increment(self, offset: int) -> None:  # noqa: ARG002
        """Add one."""
        self.count += len(self.readings)


class Property:
    """Write through a property: its setter is a function, and begins before it writes."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def count(self) -> int:
        """What was counted."""
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        self._count = count

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.count += offset


class SetAttr(Counter):
    """Define `__setattr__`: every write is a call of it."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class Total:
    """A number whose `+` is written in Python, and makes a new one."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def __add__(self, offset: int) -> Total:
        return Total(self.number + offset)


class Added:
    """Add objects whose `__add__` is written in Python: `+` calls it, between read and write."""

    def __init__(self) -> None:
        self.total = Total()

    @property
    def count(self) -> int:
        """What was counted."""
        return self.total.number

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.total += offset


class Fractions:
    """Count with `fractions.Fraction`, which is written in Python."""

    def __init__(self) -> None:
        self.total = Fraction(0)

    @property
    def count(self) -> int:
        """What was counted."""
        return int(self.total)

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.total += offset


class Tally:
    """A number that `+=` changes in place."""

    def __init__(self) -> None:
        self.number = 0

    def __iadd__(self, offset: int) -> Tally:
        self.number += offset
        return self


class InPlace:
    """Add in place: what is written back is the object that was read, so only its inside counts."""

    def __init__(self) -> None:
        self.tally = Tally()

    @property
    def count(self) -> int:
        """What was counted."""
        return self.tally.number

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.tally += offset


class Get(Item):
    """Read with `get`: the read is a call, and a switch can come right after it."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        self.counts["all"] = self.counts.get("all", 0) + offset


class Looped(Counter):
    """Loop in between: a switch can come whenever the loop jumps back."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        count = self.count
        for _ in ("one", "two"):
            pass
        self.count = count + offset


class Comprehended(Counter):
    """Write a comprehension in between: a loop, and until 3.11 a function as well."""

    def increment(self, offset: int) -> None:
        """Add the offset."""
        count = self.count
        self.notes = [note for note in ("one", "two")]  # noqa: C416
        self.count = count + offset


class Appended:
    """Append to a list, and count with `len`: no read of ours, no write of ours."""

    def __init__(self) -> None:
        self.readings: list[int] = []

    @property
    def count(self) -> int:
        """What was counted."""
        return len(self.readings)

    def increment(self, offset: int) -> None:
        """Append the offset."""
        self.readings.append(offset)


@dataclass(frozen=True)
class Refactoring:
    """One way to write the increment."""

    name: str
    """Its essence in Python, or in words: "self.count += offset"."""
    counter_class: Callable[[], Counts]
    language_allows_loss: bool = True
    """Whether the language lets a switch come between a read and a write of it."""
    updates: str = "increment"
    """Which method reads and writes what is shared: "increment", "tally.__iadd__"."""

    def update(self) -> Callable[[int], object]:
        """Return that method of a new counter, for `switchpoints`."""
        found: Callable[[int], object] = attrgetter(self.updates)(self.counter_class())
        return found


REFACTORINGS = (
    Refactoring("self.count += offset", Counter),
    Refactoring("read, add, write on three lines", ThreeLines),
    Refactoring("self.counts[key] += offset", Item),
    Refactoring("a float", Float),
    Refactoring("an f-string in between", Formatted),
    Refactoring("self.count = abs(offset) + self.count", CallBefore),
    Refactoring("__iadd__ in Python, in place", InPlace, updates="tally.__iadd__"),
    Refactoring("self.count += len(readings)", Measured),
    Refactoring("getattr(), add, setattr()", Expanded),
    Refactoring("self.count += self.read(offset)", Called),
    Refactoring("self.count += int(offset)", Converted),
    Refactoring("self.count += abs(offset)", Absolute),
    Refactoring("a property", Property),
    Refactoring("__setattr__ in Python", SetAttr),
    Refactoring("__add__ in Python", Added),
    Refactoring("fractions.Fraction", Fractions),
    Refactoring("counts[key] = counts.get(key, 0) + offset", Get),
    Refactoring("a loop in between", Looped),
    Refactoring("a comprehension in between", Comprehended),
    Refactoring("list.append, counted with len", Appended, language_allows_loss=False),
)
"""Every way, those that 3.10 and later keep whole first."""


@dataclass(frozen=True)
class Finding:
    """What one refactoring did on one interpreter."""

    name: str
    runs: Runs
    places: tuple[str, ...] | None
    """Where a switch came between read and write: "after CALL (int)"; None if the GIL is off."""


def measure(
    refactoring: Refactoring, runs: int = 5, *, how_many: int = 10_000, samples: int = 60
) -> Finding:
    """Let five threads increment it ``how_many`` times each, at 1 µs; look where they switch.

    >>> measure(REFACTORINGS[-1], runs=1, how_many=10, samples=1).runs.found
    (50,)
    """
    return Finding(
        refactoring.name,
        _race(refactoring.counter_class, runs, how_many),
        _places(refactoring, samples) if current().gil else None,
    )


def measure_on(
    chosen: Iterable[Interpreter],
    runs: int = 5,
    *,
    how_many: int = 10_000,
    timeout: float | None = None,
) -> list[tuple[Interpreter, tuple[Finding, ...]]]:
    """Measure all of them on each interpreter, one after another. Raises InterpreterFailed."""
    command = ["refactorings", f"--runs={runs}", f"--how-many={how_many}"]
    return [
        (interpreter, tuple(_finding_from(finding) for finding in answer["findings"]))
        for interpreter, answer in ask(chosen, command, timeout=timeout)
    ]


def _race(counter_class: Callable[[], Counts], runs: int, how_many: int) -> Runs:
    """Do what `experiments.race` does, but let all threads begin at the same moment.

    So few increments are done in a millisecond, often before the next thread has been started.
    """
    check_whole_number("runs", runs, at_least=1)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    found = []
    seconds = []
    try:
        for _ in range(runs):
            counter = counter_class()
            seconds.append(threaded(partial(worker, 0, how_many, counter), THREADS))
            found.append(counter.count)
    finally:
        sys.setswitchinterval(before)
    return Runs(
        THREADS * how_many, tuple(found), tuple(seconds), THREADS, how_many, SWITCH_INTERVAL
    )


def _places(refactoring: Refactoring, samples: int) -> tuple[str, ...]:
    listing = switchpoints(refactoring.update(), 1, samples=samples)
    return tuple(dict.fromkeys(map(listing.where, listing.window)))


def _finding_from(answer: Mapping[str, Any]) -> Finding:
    places = answer["places"]
    runs = runs_from(answer["runs"])
    return Finding(answer["name"], runs, None if places is None else tuple(places))
