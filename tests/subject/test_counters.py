from __future__ import annotations

import inspect
import sys
import unittest

from gilnotes import Counter, LockingCounter, run_threads, worker


class CountersTest(unittest.TestCase):
    def test_one_thread_loses_nothing(self) -> None:
        for counter in (Counter(), LockingCounter()):
            worker(0, 1000, counter)
            assert counter.count == 1000, (counter, counter.count)

    def test_the_increment_is_the_one_of_the_notes(self) -> None:
        source = inspect.getsource(Counter.increment)
        assert source.splitlines()[1:] == ["        self.count += offset"], source

    def test_a_lock_keeps_every_update(self) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(5):
                counter = LockingCounter()
                run_threads(worker, 10_000, counter)
                assert counter.count == 50_000, counter.count
        finally:
            sys.setswitchinterval(before)

    def test_an_increment_that_raises_lets_go_of_the_lock(self) -> None:
        counter = LockingCounter()
        with self.assertRaises(TypeError):
            counter.increment("one")  # type: ignore[arg-type]
        assert not counter.lock.locked()
        assert counter.count == 0
