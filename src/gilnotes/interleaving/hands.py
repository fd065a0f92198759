"""Real threads to run programs with, which linger a moment for the next one.

To start two threads and to wait for their end takes longer than to explore a small program with
them. So a thread that has nothing to do waits for more, for `LINGER` seconds, and then ends.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Callable

LINGER = 0.05
"""Seconds that a thread waits for more to do."""


class Hand:
    """A thread that calls `work` whenever it is given a turn.

    (`threading.Thread` would take three times as long to start, and make locks of its own.)
    """

    def __init__(self) -> None:
        self.turn = allocate_lock()
        """Released by whoever hands over the turn, acquired by the thread that takes it."""
        self.turn.acquire()
        self.work: Callable[[], object] = _nothing
        self.traced: object = None
        """Whom the thread's trace function was set for."""
        self.ident = start_new_thread(self._serve, ())

    def _serve(self) -> None:
        while True:
            if self.turn.acquire(timeout=LINGER):
                self.work()
            elif self._leaves():
                return

    def _leaves(self) -> bool:
        with _lock:
            if self in _idle:
                _idle.remove(self)
                return True
        return False


def hire(work: Callable[[], object]) -> Hand:
    """Return a thread that calls a function at each turn: one that lingers, or a new one."""
    with _lock:
        hand = _idle.pop() if _idle else None
    hand = hand or Hand()
    hand.work = work
    return hand


def dismiss(hand: Hand) -> None:
    """Let a thread go, whose last turn has ended or is about to."""
    hand.work = _nothing
    hand.traced = None
    with _lock:
        _idle.append(hand)


def _nothing() -> None:
    pass


_idle: list[Hand] = []
_lock = allocate_lock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # there, the threads do not exist
