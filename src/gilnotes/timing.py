"""How long threads take: work for the processor, waiting, and what a lock costs.

Seconds differ from machine to machine and from minute to minute. So every figure is a ratio of two
times of the same round, rounds are repeated, and the spread is shown.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from threading import Barrier, BrokenBarrierError
from time import perf_counter
from typing import TYPE_CHECKING

from gilnotes.counters import Counter, LockingCounter
from gilnotes.experiments import ask
from gilnotes.threads import Joined, Member, check_whole_number, worker

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping, Sequence

    from gilnotes.interpreters import Interpreter
    from gilnotes.threads import Increments


@dataclass(frozen=True)
class Samples:
    """The same thing measured several times."""

    samples: tuple[float, ...]

    @property
    def best(self) -> float:
        """The smallest: the one that other programs disturbed least."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.samples)

    @property
    def worst(self) -> float:
        """The largest."""
        return max(self.samples)

    @property
    def spread(self) -> float:
        """The distance from best to worst."""
        return self.worst - self.best


@dataclass(frozen=True)
class Timing(Samples):
    """Times, in seconds."""


@dataclass(frozen=True)
class Ratio(Samples):
    """Times divided by other times, each pair from the same round."""


@dataclass(frozen=True)
class Scaled:
    """What became of the time when several threads did the work, each the whole of it."""

    threads: int
    timing: Timing
    ratio: Ratio
    """The time with the first number of threads (one) is 1."""

    @property
    def speed_up(self) -> Ratio:
        """How many times as much work they did as one thread would have, in the same time.

        >>> Scaled(4, Timing((2.0,)), Ratio((2.0,))).speed_up.samples
        (2.0,)
        """
        return Ratio(tuple(self.threads / ratio for ratio in self.ratio.samples))


@dataclass(frozen=True)
class Scaling:
    """What `gilnotes scaling` measures on one interpreter."""

    cpu_bound: tuple[Scaled, ...]
    """Work for the processor."""
    waiting: tuple[Scaled, ...]
    """Waiting, as for a disk or a network."""


@dataclass(frozen=True)
class LockCost:
    """What an increment takes without a lock and with one, by so many threads at once."""

    threads: int
    without: Timing
    """Seconds of one increment of `Counter`."""
    with_lock: Timing
    """Seconds of one increment of `LockingCounter`."""
    ratio: Ratio
    """`with_lock` divided by `without`."""


def cpu_bound(n: int) -> None:
    """Keep the processor busy with pure Python: count down from ``n``."""
    while n > 0:
        n -= 1


def wait(seconds: float) -> None:
    """Wait as for a disk or a network; the GIL is let go meanwhile."""
    time.sleep(seconds)


def repeat(function: Callable[[], object], times: int = 5) -> Timing:
    """Time some calls of a function, one after another.

    >>> len(repeat(partial(cpu_bound, 1000), times=3).samples)
    3
    """
    check_whole_number("times", times, at_least=1)
    samples = []
    for _ in range(times):
        start = perf_counter()
        function()
        samples.append(perf_counter() - start)
    return Timing(tuple(samples))


def threaded(work: Callable[[], object], threads: int) -> float:
    """Return the seconds that ``threads`` threads take if each does the work once.

    A Barrier lets them go together; the time runs from there until the last one is done. Starting
    threads is not in it. An exception in a thread is raised here.
    """
    check_whole_number("threads", threads, at_least=1)
    started = []
    ended = []
    barrier = Barrier(threads, action=lambda: started.append(perf_counter()))

    def member() -> None:
        try:
            barrier.wait()
        except BrokenBarrierError:  # not all could be started; who started them knows
            return
        work()
        ended.append(perf_counter())

    crew = [Member(member) for _ in range(threads)]
    with Joined(crew):
        try:
            for thread in crew:
                thread.start()
        except BaseException:
            barrier.abort()
            raise
    return max(ended) - started[0]


def scaling(
    work: Callable[[], object], threads: Sequence[int] = (1, 2, 4), repeat: int = 5
) -> tuple[Scaled, ...]:
    """Time the work done once by one thread, once by each of two, once by each of four.

    >>> [scaled.threads for scaled in scaling(partial(cpu_bound, 1000), repeat=2)]
    [1, 2, 4]

    With a GIL, the time of work for the processor grows with the number of threads. Without one
    it stays, up to the number of cores. Waiting takes the same time either way. In every round each
    number of threads has its turn, so that noise hits all of them.
    """
    check_whole_number("repeat", repeat, at_least=1)
    rounds = [[threaded(work, number) for number in threads] for _ in range(repeat)]
    return tuple(
        Scaled(
            number,
            Timing(tuple(times[index] for times in rounds)),
            Ratio(tuple(times[index] / times[0] for times in rounds)),
        )
        for index, number in enumerate(threads)
    )


def both_scalings(n: int = 600_000, seconds: float = 0.02, repeat: int = 5) -> Scaling:
    """Time work for the processor (`cpu_bound(n)`), and waiting (`wait(seconds)`)."""
    return Scaling(
        scaling(partial(cpu_bound, n), repeat=repeat),
        scaling(partial(wait, seconds), repeat=repeat),
    )


def lock_cost(
    threads: Sequence[int] = (1, 5), how_many: int = 60_000, repeat: int = 5
) -> tuple[LockCost, ...]:
    """Time ``how_many`` increments, shared out among the threads, without a lock and with one.

    >>> [cost.threads for cost in lock_cost(how_many=100, repeat=2)]
    [1, 5]

    One thread never waits for the lock: that is what taking a free lock costs. Several threads
    contend for it.
    """
    check_whole_number("how_many", how_many, at_least=1)
    check_whole_number("repeat", repeat, at_least=1)
    rounds = [
        [
            (
                _increment_time(Counter(), number, how_many),
                _increment_time(LockingCounter(), number, how_many),
            )
            for number in threads
        ]
        for _ in range(repeat)
    ]
    return tuple(
        LockCost(
            number,
            Timing(tuple(times[index][0] for times in rounds)),
            Timing(tuple(times[index][1] for times in rounds)),
            Ratio(tuple(times[index][1] / times[index][0] for times in rounds)),
        )
        for index, number in enumerate(threads)
    )


def _increment_time(counter: Increments, threads: int, how_many: int) -> float:
    each = max(1, how_many // threads)
    return threaded(partial(worker, 0, each, counter), threads) / (each * threads)


def scaling_on(
    chosen: Iterable[Interpreter], repeat: int = 5, *, timeout: float | None = None
) -> list[tuple[Interpreter, Scaling]]:
    """Measure `both_scalings` on each interpreter, one after another. Raises InterpreterFailed."""
    command = ["scaling", f"--repeat={repeat}"]
    return [
        (interpreter, Scaling(_scaled_from(answer["cpu_bound"]), _scaled_from(answer["waiting"])))
        for interpreter, answer in ask(chosen, command, timeout=timeout)
    ]


def lock_cost_on(
    chosen: Iterable[Interpreter], repeat: int = 5, *, timeout: float | None = None
) -> list[tuple[Interpreter, tuple[LockCost, ...]]]:
    """Measure `lock_cost` on each interpreter, one after another. Raises InterpreterFailed."""
    command = ["lock-cost", f"--repeat={repeat}"]
    return [
        (interpreter, tuple(_lock_cost_from(cost) for cost in answer["costs"]))
        for interpreter, answer in ask(chosen, command, timeout=timeout)
    ]


def _scaled_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Scaled, ...]:
    return tuple(
        Scaled(
            row["threads"],
            Timing(tuple(row["timing"]["samples"])),
            Ratio(tuple(row["ratio"]["samples"])),
        )
        for row in rows
    )


def _lock_cost_from(cost: Mapping[str, Any]) -> LockCost:
    return LockCost(
        cost["threads"],
        Timing(tuple(cost["without"]["samples"])),
        Timing(tuple(cost["with_lock"]["samples"])),
        Ratio(tuple(cost["ratio"]["samples"])),
    )
