"""One explorer, on one program, in this process.

    python benchmarks/exploring.py gilnotes Counter 2 1

prints a JSON object: the seconds that an exploration took, after one to warm up, and what it has
found. Short ones are repeated for half a second, and the median counts. Each explorer is asked
which schedules lose an update, so that it goes on when one does. None is asked to write a report,
to replay what it found or to watch I/O.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import gilnotes
from gilnotes import Counter, LockingCounter

Shared = Counter | LockingCounter
Facts = dict[str, Any]
COUNTERS: dict[str, type[Shared]] = {"Counter": Counter, "LockingCounter": LockingCounter}
ENOUGH = 0.5
"""Seconds after which an exploration is not repeated."""


class Question:
    """Threads that increment a counter, each so many times: is none of it lost?"""

    def __init__(self, counter: str, threads: int, times: int) -> None:
        self.counter = COUNTERS[counter]
        self.threads = threads
        self.times = times

    def setup(self) -> Shared:
        """A new counter. Its module has imported `Lock` by name, which the others overlook."""
        counter = self.counter()
        if isinstance(counter, LockingCounter):
            counter.lock = threading.Lock()
        return counter

    def work(self, counter: Shared) -> None:
        """What each thread does."""
        for _ in range(self.times):
            counter.increment(1)

    def holds(self, counter: Shared) -> bool:
        """Whether every update is there."""
        return counter.count == self.threads * self.times


def ours(question: Question, *, reduction: bool = True) -> Facts:
    """Every schedule."""
    from gilnotes.interleaving import Program, explore

    def increment(counter: Shared) -> None:
        counter.increment(1)

    program = Program(
        setup=question.setup,
        threads={chr(ord("A") + index): increment for index in range(question.threads)},
        times=question.times,
        holds=question.holds,
    )
    report = explore(program, granularity="opcode", preemption_bound=None, reduction=reduction)
    return {
        "schedules": report.schedules,
        "broken": report.broken,
        "executions": report.executions,
        "classes": len(report.classes),
    }


def brute_force(question: Question) -> Facts:
    """Every schedule, each really run."""
    return ours(question, reduction=False)


def frontrun(question: Question, bound: int | None = None) -> Facts:
    """Dynamic partial-order reduction, with no bound on preemptions."""
    import frontrun  # type: ignore[import-not-found]  # it has an environment of its own

    result = frontrun.explore(
        setup=question.setup,
        workers=question.work,
        count=question.threads,
        invariant=question.holds,
        preemption_bound=bound,
        stop_on_first=False,
        reproduce_on_failure=0,
        detect_io=False,
    )
    return {
        "broken": len(result.failures),
        "executions": result.num_explored,
        "inconclusive": result.inconclusive_reason,
    }


def frontrun_2(question: Question) -> Facts:
    """The same with its default bound."""
    return frontrun(question, 2)


def interleave_test(question: Question, preemptions: int = 2) -> Facts:
    """Every schedule with at most two preemptions, at the opcodes of the counter."""
    import interleave_test  # type: ignore[import-not-found]

    broken = 0

    def model() -> None:
        nonlocal broken
        counter = question.setup()
        tasks = [interleave_test.spawn(question.work, counter) for _ in range(question.threads)]
        for task in tasks:
            task.join()
        broken += not question.holds(counter)  # an exception would end the exploration

    result = interleave_test.explore(
        model,
        strategy="dfs",
        max_preemptions=preemptions,
        iterations=sys.maxsize,
        include=[os.path.dirname(gilnotes.__file__)],
        raise_on_failure=False,
    )
    failed = None if result.ok else str(result.failure.exception or result.failure.kind)
    return {"broken": broken, "executions": result.schedules_run, "inconclusive": failed}


EXPLORERS: dict[str, tuple[Callable[[Question], Facts], Callable[[Question], Facts]]] = {
    "gilnotes": (ours, ours),
    "brute-force": (brute_force, ours),
    "frontrun": (frontrun, frontrun),
    "frontrun-2": (frontrun_2, frontrun_2),
    # Two preemptions would take too long for a warm-up.
    "interleave-test": (interleave_test, lambda question: interleave_test(question, 0)),
}
"""How each explores, and how it warms up."""


def memory() -> int:
    """The most that this process has ever held, in KiB."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // 1024 if sys.platform == "darwin" else used


def grown(question: Question, schedules: int) -> Facts:
    """How the memory grows over so many schedules, all really run."""
    done = brute_force(question)["executions"]
    before, run = memory(), 0
    while run < schedules:
        run += done
        assert brute_force(question)["executions"] == done
    return {"executions": run, "before": before, "after": memory()}


def main(explorer: str, counter: str, threads: str, times: str) -> None:
    """Explore and print what came out."""
    question = Question(counter, int(threads), int(times))
    if explorer == "memory":
        print(json.dumps(grown(question, 50_000)))
        return
    explore, warm_up = EXPLORERS[explorer]
    warm_up(question)
    needed: list[float] = []
    while sum(needed) < ENOUGH:
        start = time.perf_counter()
        facts = explore(question)
        needed.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(needed), **facts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
