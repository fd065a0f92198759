from __future__ import annotations

import sys
import unittest

from gilnotes import Counter, LockingCounter
from gilnotes.experiments import Runs, race
from gilnotes.interpreters import current

# 3.10 stopped looking for other threads between the read and the write (python/cpython#18334).
CAN_LOSE = sys.version_info < (3, 10) or not current().gil


class RaceTest(unittest.TestCase):
    if CAN_LOSE:

        def test_the_counter_loses_updates_on_this_build(self) -> None:
            for _ in range(20):
                runs = race(Counter, switch_interval=1e-6)
                assert runs.maximum <= runs.expected
                if runs.lost_in:
                    return
            self.fail("20 runs, and not one lost an update")

    else:

        def test_the_counter_loses_nothing_on_this_build(self) -> None:
            runs = race(Counter, runs=20, how_many=50_000, switch_interval=1e-6)
            assert runs.lost_in == 0, runs.found

    def test_the_lock_loses_nothing(self) -> None:
        runs = race(LockingCounter, runs=3, how_many=20_000, switch_interval=1e-6)
        assert runs.found == (100_000, 100_000, 100_000), runs.found

    def test_the_switch_interval_holds_during_the_runs_only(self) -> None:
        seen = []

        class Watching(LockingCounter):
            def __init__(self) -> None:
                super().__init__()
                seen.append(sys.getswitchinterval())

        before = sys.getswitchinterval()
        runs = race(Watching, how_many=1, switch_interval=0.25)
        assert seen == [0.25], seen
        assert runs.switch_interval == 0.25
        assert sys.getswitchinterval() == before

    def test_the_switch_interval_is_put_back_when_a_run_fails(self) -> None:
        class Broken(LockingCounter):
            def increment(self, _offset: int) -> None:
                raise OSError("no sensor")

        before = sys.getswitchinterval()
        with self.assertRaises(OSError):
            race(Broken, threads=1, how_many=1, switch_interval=0.25)
        assert sys.getswitchinterval() == before

    def test_each_run_has_its_own_counter_and_its_time(self) -> None:
        runs = race(LockingCounter, runs=4, threads=2, how_many=10)
        assert runs.found == (20, 20, 20, 20), runs.found
        assert (runs.expected, runs.threads, runs.how_many) == (20, 2, 10)
        assert len(runs.seconds) == 4
        assert all(seconds > 0 for seconds in runs.seconds)

    def test_numbers_that_make_no_sense_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "runs must be at least 1, not 0"):
            race(Counter, runs=0)
        with self.assertRaisesRegex(ValueError, "threads must be at least 1, not 0"):
            race(Counter, threads=0)
        with self.assertRaisesRegex(ValueError, "switch_interval must be more than 0 s, not -1"):
            race(Counter, switch_interval=-1)

    def test_the_distribution_of_the_runs(self) -> None:
        runs = Runs(10, (10, 7, 10, 9), (0.1,) * 4, 5, 2, 0.005)
        assert runs.lost_in == 2
        assert (runs.minimum, runs.median, runs.maximum) == (7, 9, 10)
