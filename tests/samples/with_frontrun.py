"""What frontrun says of the sample programs, in a process that can import it.

    FRONTRUN_ACTIVE=1 python tests/samples/with_frontrun.py

prints a JSON object: for each program its verdict and the number of executions, with no bound on
preemptions and none of the schedules left out that frontrun knows of. The variable stands for its
own command, `frontrun python …`, which sets it and adds a library to watch I/O: there is none here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import frontrun  # type: ignore[import-not-found]  # never installed beside mypy
from programs import PROGRAMS  # type: ignore[import-not-found]  # a script finds its neighbors

if TYPE_CHECKING:
    from typing import Any, Callable

    from tests.samples.programs import Sample


def worker(function: Callable[[Any], object], times: int) -> Callable[[Any], None]:
    """A thread that calls its function so many times."""

    def work(shared: Any) -> None:
        for _ in range(times):
            function(shared)

    return work


def examine(sample: Sample) -> dict[str, Any]:
    """The verdict, in our words, and how many executions it took."""
    result = frontrun.explore(
        setup=sample.setup,
        workers=[worker(function, sample.times) for function in sample.threads.values()],
        invariant=sample.holds,
        preemption_bound=None,
        stop_on_first=False,
        reproduce_on_failure=0,
        detect_io=False,
        timeout_per_run=2,
        deadlock_timeout=2,
    )
    if result.property_holds is None:
        verdict = f"inconclusive: {result.inconclusive_reason}"
    elif result.property_holds:
        verdict = "holds"
    elif "deadlock" in str(result.explanation).lower():
        verdict = "deadlock"
    else:
        verdict = "broken"
    return {"verdict": verdict, "executions": result.num_explored, "failed": len(result.failures)}


if __name__ == "__main__":
    print(json.dumps({name: examine(sample) for name, sample in PROGRAMS.items()}))
