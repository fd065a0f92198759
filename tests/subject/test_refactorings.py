from __future__ import annotations

import sys
import unittest

from gilnotes.interpreters import current
from gilnotes.refactorings import REFACTORINGS, measure
from gilnotes.threads import worker

HERE = current()
VERSION = sys.version_info[:2]

# What 3.10 and later do without a place to switch between the read and the write.
KEPT_FROM_3_10 = {
    "self.count += offset",
    "read, add, write on three lines",
    "self.counts[key] += offset",
    "a float",
    "an f-string in between",
    "self.count = abs(offset) + self.count",
    "__iadd__ in Python, in place",
}
# CALL_LEN does not look; the free-threaded 3.13 has no such instruction, with its GIL or without.
KEPT_FROM_3_11 = {"self.count += len(readings)"} if not HERE.free_threaded else set()


def can_lose(name: str) -> bool:
    if name == "list.append, counted with len":
        return False
    if not HERE.gil or VERSION < (3, 10):
        return True
    return name not in KEPT_FROM_3_10 | (KEPT_FROM_3_11 if VERSION >= (3, 11) else set())


class RefactoringsTest(unittest.TestCase):
    def test_one_thread_counts_right_with_each_of_them(self) -> None:
        for refactoring in REFACTORINGS:
            counter = refactoring.counter_class()
            worker(0, 100, counter)
            assert counter.count == 100, refactoring.name
            assert type(counter.count) is int, refactoring.name

    def test_no_two_have_the_same_name(self) -> None:
        assert len({refactoring.name for refactoring in REFACTORINGS}) == len(REFACTORINGS)

    def test_those_that_can_lose_on_this_build_do_and_the_others_do_not(self) -> None:
        for refactoring in REFACTORINGS:
            for _ in range(40):
                finding = measure(refactoring, runs=2, samples=20)
                assert finding.runs.maximum <= finding.runs.expected, finding
                if not can_lose(refactoring.name):
                    assert finding.runs.lost_in == 0, finding
                    assert not finding.places, finding
                    break
                if finding.runs.lost_in:
                    break
            else:
                self.fail(f"80 runs of {refactoring.name}, and not one lost an update")

    def test_what_loses_on_a_gil_has_a_place_to_switch_between_read_and_write(self) -> None:
        for refactoring in REFACTORINGS:
            for _ in range(40):
                places = measure(refactoring, runs=1, how_many=0, samples=50).places
                if places or not can_lose(refactoring.name) or not HERE.gil:
                    break
            else:
                self.fail(f"no place to switch was seen in {refactoring.name}")
            assert (places is None) == (not HERE.gil)

    def test_the_switch_interval_is_put_back(self) -> None:
        before = sys.getswitchinterval()
        measure(REFACTORINGS[0], runs=1, how_many=1, samples=1)
        assert sys.getswitchinterval() == before

    def test_numbers_that_make_no_sense_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "runs must be at least 1, not 0"):
            measure(REFACTORINGS[0], runs=0)
