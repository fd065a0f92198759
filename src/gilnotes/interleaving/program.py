"""A concurrent program to be studied, in the reader's own functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilnotes.threads import check_whole_number

if TYPE_CHECKING:
    from typing import Callable, Mapping

VERDICTS = ("holds", "broken", "deadlock", "exception", "step limit")
"""How a run of a program can end. Of `replay` alone: "infeasible"."""


@dataclass(frozen=True)
class Program:
    """Threads that share an object, and what has to hold when all of them have ended.

    >>> from gilnotes import Counter
    >>> def increment(counter): counter.increment(1)
    >>> Program(
    ...     setup=Counter,
    ...     threads={"A": increment, "B": increment},
    ...     holds=lambda counter: counter.count == 2,
    ... ).names
    ('A', 'B')

    Each schedule is a new run: `setup()` must put everything that the threads change into its
    first state, module globals included, and the threads must do the same whenever they are
    scheduled in the same way (no clock, no random number, no input). Threads that call the same
    function do the same, too, whichever of them comes first (`twins`); give each a function of its
    own, say a `functools.partial`, where that is not so.

    Raises ValueError for a program without threads or with names that a schedule cannot hold,
    TypeError for what is no function, or no whole number.
    """

    setup: Callable[[], Any]
    """Makes the shared object."""
    threads: Mapping[str, Callable[[Any], object]]
    """What each thread calls with the shared object; the names are used in schedules."""
    times: int = 1
    """How many times each thread calls its function."""
    holds: Callable[[Any], object] | None = None
    """Tells whether the shared object is as it should be, after all threads. None: it always is."""

    def __post_init__(self) -> None:
        check_whole_number("times", self.times, at_least=1)
        if not self.threads:
            raise ValueError("a program needs a thread")
        if len(self.threads) > 26:
            raise ValueError(f"26 threads at most, not {len(self.threads)}")
        for name in self.threads:
            if not name.isidentifier():
                raise ValueError(f"a thread's name must be a word, as in a schedule, not {name!r}")
        for function in (self.setup, *self.threads.values(), self.holds):
            if not callable(function) and function is not None:
                raise TypeError(f"{function!r} cannot be called")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the threads, in their order."""
        return tuple(self.threads)


def same(function: Callable[[Any], object], threads: int) -> dict[str, Callable[[Any], object]]:
    """Name so many threads A, B, C, … that all do the same.

    >>> list(same(print, 3))
    ['A', 'B', 'C']
    """
    check_whole_number("threads", threads, at_least=1)
    return {chr(ord("A") + index): function for index in range(threads)}
