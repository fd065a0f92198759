"""Hold `explore` equal to brute force, on this interpreter: `compare.py FILE` prints JSON.

The file is a module whose `PROGRAMS` are pairs of thread functions of one argument, whose `setup`
makes what they share, and whose `state(shared)` says all that there is to say about it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from typing import Any

from gilnotes.interleaving import Program, explore

AT_MOST, ENOUGH = int(sys.argv[2]), int(sys.argv[3])
"""Programs with more schedules are left out; so many are compared."""


def main() -> None:
    """Print what both ways to count found, for each program that is not too large."""
    spec = importlib.util.spec_from_file_location("programs", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["programs"] = module
    spec.loader.exec_module(module)
    found: list[tuple[int, dict[str, dict[str, int]]]] = []
    for number, (a, b) in enumerate(module.PROGRAMS):
        result = compare(module, a, b) if len(found) < ENOUGH else None
        if result is not None:
            found.append((number, result))
    print(json.dumps(found))


def compare(module: Any, a: Any, b: Any) -> dict[str, dict[str, int]] | None:
    """Count how often the threads end in each state: by classes, and one schedule at a time."""
    states: list[str] = []

    def holds(shared: object) -> bool:
        states.append(module.state(shared))
        return True

    program = Program(module.setup, {"A": a, "B": b}, holds=holds)
    report = explore(program)
    if report.schedules > AT_MOST:
        return None
    # What was found out first, and then run again, comes before.
    ended = iter(states[-sum(each.verdict == "holds" for each in report.classes) or len(states) :])
    by_classes: Counter[str] = Counter()
    for each in report.classes:
        by_classes[next(ended) if each.verdict == "holds" else each.verdict] += each.weight
    states.clear()
    report = explore(program, reduction=False)
    one_by_one = Counter(states)
    for each in report.classes:
        if each.verdict != "holds":
            one_by_one[each.verdict] += each.weight
    return {"by_classes": dict(by_classes), "one_by_one": dict(one_by_one)}


if __name__ == "__main__":
    main()
