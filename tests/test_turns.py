from __future__ import annotations

from gilnotes import interpreters, turns
from gilnotes.turns import SWITCH_INTERVALS

FOUND = interpreters.select(["all"], interpreters.find())
CHOSEN = tuple(dict.fromkeys([FOUND[0], FOUND[-1]]))  # the oldest, and the newest


def test_interpreters_watch_who_runs_when() -> None:
    results = turns.turns_on(CHOSEN)
    assert [python for python, _ in results] == list(CHOSEN)
    for _, measured in results:
        assert [track.work for track in measured.counting] == ["counts", "counts"]
        assert [track.work for track in measured.waiting] == ["counts", "waits"]
        assert all(track.turns for track in measured.counting)


def test_an_interpreter_times_how_late_a_thread_runs() -> None:
    ((python, measured),) = turns.latency_on([interpreters.current()])
    assert python == interpreters.current()
    assert [each.switch_interval for each in measured] == list(SWITCH_INTERVALS)
