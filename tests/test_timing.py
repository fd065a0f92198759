from __future__ import annotations

import math

from gilnotes import interpreters, timing

FOUND = interpreters.select(["all"], interpreters.find())
CHOSEN = tuple(dict.fromkeys([FOUND[0], FOUND[-1]]))  # the oldest, and the newest


def test_interpreters_time_how_threads_scale() -> None:
    results = timing.scaling_on(CHOSEN, repeat=1)
    assert [python for python, _ in results] == list(CHOSEN)
    for _, measured in results:
        for rows in (measured.cpu_bound, measured.waiting):
            assert [scaled.threads for scaled in rows] == [1, 2, 4]
            assert all(scaled.timing.best > 0 for scaled in rows)


def test_interpreters_time_what_a_lock_costs() -> None:
    results = timing.lock_cost_on(CHOSEN, repeat=1)
    assert [python for python, _ in results] == list(CHOSEN)
    for _, costs in results:
        assert [cost.threads for cost in costs] == [1, 5]
        for cost in costs:
            assert math.isclose(cost.ratio.best, cost.with_lock.best / cost.without.best)
