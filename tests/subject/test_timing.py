from __future__ import annotations

import threading
import unittest
from functools import partial

from gilnotes.timing import (
    Timing,
    both_scalings,
    cpu_bound,
    lock_cost,
    repeat,
    scaling,
    threaded,
    wait,
)


class TimingTest(unittest.TestCase):
    def test_best_median_worst_and_spread(self) -> None:
        timing = Timing((3.0, 1.0, 1.5))
        assert (timing.best, timing.median, timing.worst, timing.spread) == (1.0, 1.5, 3.0, 2.0)

    def test_repeat_calls_the_function_so_many_times(self) -> None:
        calls: list[None] = []
        timing = repeat(lambda: calls.append(None), times=3)
        assert len(calls) == len(timing.samples) == 3

    def test_threaded_runs_the_work_in_so_many_threads_at_once(self) -> None:
        barrier = threading.Barrier(4, timeout=60)
        names = set()

        def work() -> None:
            names.add(threading.current_thread().name)
            barrier.wait()

        assert threaded(work, 4) > 0
        assert len(names) == 4, names

    def test_threaded_raises_what_the_work_raised(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            threaded(lambda: 1 / 0, 1)

    def test_scaling_compares_each_number_of_threads_with_the_first(self) -> None:
        calls: list[None] = []
        measured = scaling(lambda: calls.append(None), threads=(1, 2, 4), repeat=3)
        assert len(calls) == (1 + 2 + 4) * 3
        assert [scaled.threads for scaled in measured] == [1, 2, 4]
        assert measured[0].ratio.samples == (1.0, 1.0, 1.0)
        for scaled in measured:
            ones = measured[0].timing.samples
            ratios = tuple(time / one for time, one in zip(scaled.timing.samples, ones))
            assert scaled.ratio.samples == ratios

    def test_the_speed_up_is_the_work_of_all_threads_in_the_time_of_one(self) -> None:
        for scaled in scaling(partial(cpu_bound, 1000), repeat=3):
            pairs = zip(scaled.speed_up.samples, scaled.ratio.samples)
            for speed_up, ratio in pairs:
                self.assertAlmostEqual(speed_up * ratio, scaled.threads)

    def test_both_scalings_take_both_kinds_of_work(self) -> None:
        both = both_scalings(n=100, seconds=0.0, repeat=2)
        for rows in (both.cpu_bound, both.waiting):
            assert [len(scaled.timing.samples) for scaled in rows] == [2, 2, 2]

    def test_the_cost_of_a_lock_is_with_divided_by_without(self) -> None:
        costs = lock_cost(how_many=100, repeat=3)
        assert [cost.threads for cost in costs] == [1, 5]
        for cost in costs:
            pairs = zip(cost.with_lock.samples, cost.without.samples)
            assert cost.ratio.samples == tuple(with_lock / without for with_lock, without in pairs)

    def test_the_kinds_of_work_end(self) -> None:
        cpu_bound(1000)
        cpu_bound(0)
        wait(0.0)

    def test_numbers_that_make_no_sense_are_refused(self) -> None:
        work = partial(cpu_bound, 1)
        with self.assertRaisesRegex(ValueError, "threads must be at least 1, not 0"):
            threaded(work, 0)
        with self.assertRaisesRegex(ValueError, "repeat must be at least 1, not 0"):
            scaling(work, repeat=0)
        with self.assertRaisesRegex(ValueError, "times must be at least 1, not 0"):
            repeat(work, 0)
        with self.assertRaisesRegex(ValueError, "how_many must be at least 1, not 0"):
            lock_cost(how_many=0)
