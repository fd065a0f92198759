from __future__ import annotations

import sys
import threading
import unittest
from unittest import mock

from gilnotes import turns
from gilnotes.interpreters import current
from gilnotes.turns import Seen, Span, Track, both_turns, latency, take_turns


def overlap(tracks: tuple[Track, ...]) -> float:
    """For how long two threads ran at the same time, in seconds."""
    one, other = tracks
    return sum(
        max(0.0, min(mine.end, yours.end) - max(mine.begin, yours.begin))
        for mine in one.turns
        for yours in other.turns
    )


class TakeTurnsTest(unittest.TestCase):
    def setUp(self) -> None:
        at_once = mock.patch.multiple(turns, WARM_UP=0.0, WINDOWS=1)
        at_once.start()
        self.addCleanup(at_once.stop)

    def test_spans_lie_within_the_time_and_do_not_touch_each_other(self) -> None:
        tracks = take_turns(("counts", "waits"), seconds=0.05)
        assert any(track.turns for track in tracks), tracks
        for track in tracks:
            spans = sorted((*track.turns, *track.waits), key=lambda span: span.begin)
            assert all(0 <= span.begin < span.end <= 0.05 for span in spans), spans
            assert all(a.end <= b.begin for a, b in zip(spans, spans[1:])), spans

    def test_a_thread_that_counts_runs_or_wants_to_all_the_time(self) -> None:
        for track in take_turns(("counts", "counts"), seconds=0.05):
            spans = sorted((*track.turns, *track.waits), key=lambda span: span.begin)
            assert (spans[0].begin, spans[-1].end) == (0, 0.05), spans
            assert all(a.end == b.begin for a, b in zip(spans, spans[1:])), spans

    if current().gil:

        def test_with_a_gil_the_threads_that_count_take_turns(self) -> None:
            tracks = take_turns(("counts", "counts"), seconds=0.1)
            assert any(track.turns for track in tracks), tracks
            # A gap below GAP is not seen; 0.1 s hold some twenty turns.
            assert overlap(tracks) < 40 * turns.GAP, tracks

    def test_both_kinds_of_pairs_are_watched(self) -> None:
        both = both_turns(seconds=0.01)
        assert [track.work for track in both.counting] == ["counts", "counts"]
        assert [track.work for track in both.waiting] == ["counts", "waits"]

    def test_an_exception_in_a_thread_is_raised_here(self) -> None:
        broken = mock.patch.object(turns, "_WORKS", {"counts": lambda begin, end: iter([1 / 0])})
        with broken, self.assertRaises(ZeroDivisionError):
            take_turns(("counts",))
        assert threading.active_count() == 1

    def test_a_work_that_there_is_not_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "is counts or waits, not 'sings'"):
            take_turns(("counts", "sings"))


class JoinedTest(unittest.TestCase):
    def test_a_short_gap_in_which_nobody_else_ran_is_none(self) -> None:
        mine = [Seen(0.0, 0.0, 1.0), Seen(1.0, 1.0001, 2.0)]
        assert turns._joined(mine, mine) == [Seen(0.0, 0.0, 2.0)]

    def test_a_short_gap_in_which_another_ran_is_one(self) -> None:
        mine = [Seen(0.0, 0.0, 1.0), Seen(1.0, 1.0001, 2.0)]
        assert turns._joined(mine, [*mine, Seen(0.5, 1.00002, 1.00005)]) == mine

    def test_a_long_gap_is_one(self) -> None:
        mine = [Seen(0.0, 0.0, 1.0), Seen(1.0, 1.1, 2.0)]
        assert turns._joined(mine, mine) == mine

    def test_a_pause_that_the_thread_wanted_is_one(self) -> None:
        mine = [Seen(0.0, 0.0, 1.0), Seen(1.0001, 1.0002, 2.0)]
        assert turns._joined(mine, mine) == mine

    def test_what_is_not_within_the_time_is_cut_off(self) -> None:
        spans = [(-2.0, -1.0), (-0.5, 0.5), (1.0, 1.0), (1.5, 3.0), (4.0, 5.0)]
        assert list(turns._within(2.0, spans)) == [Span(0.0, 0.5), Span(1.5, 2.0)]


class LatencyTest(unittest.TestCase):
    def test_each_switch_interval_is_measured_so_often_and_put_back(self) -> None:
        before = sys.getswitchinterval()
        measured = latency([0.001, 0.01], repeat=2, pause=0.001)
        assert [each.switch_interval for each in measured] == [0.001, 0.01]
        assert all(len(each.late.samples) == 2 for each in measured)
        assert all(late >= 0 for each in measured for late in each.late.samples)
        assert sys.getswitchinterval() == before
        assert threading.active_count() == 1

    def test_numbers_that_make_no_sense_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "repeat must be at least 1, not 0"):
            latency(repeat=0)
        before = sys.getswitchinterval()
        with self.assertRaises(ValueError):
            latency([-1.0], repeat=1)
        assert sys.getswitchinterval() == before
        assert threading.active_count() == 1
