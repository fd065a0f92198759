"""Real threads to run programs with, which linger a moment for the next one.

To start two threads and to wait for their end takes longer than to explore a small program with
them. So a thread that has nothing to do waits for more, for `LINGER` seconds, and then ends.

Since exactly one of them runs at a time, they all run on one core, where the system lets us say
so: to hand the turn over to a thread on another core means to wake that core up, which takes
several times as long.
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
        self.core: int | None = None
        """The core it is bound to."""
        self.ident = start_new_thread(self._serve, ())

    def bind(self, core: int | None) -> None:
        """Run on this core from now on; called in the thread itself."""
        if core is not None and core != self.core:
            self.core = core
            os.sched_setaffinity(0, (core,))

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


class OneCore:
    """Binds the calling thread to the core that it runs on, until `leave` is called."""

    def __init__(self) -> None:
        self.core: int | None = None
        """Its number; None where the system does not tell, or does not let us choose."""
        core = _core_here()
        if core >= 0:
            self._before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, (core,))
            self.core = core

    def leave(self) -> None:
        """Let the thread run where it could before."""
        if self.core is not None:
            os.sched_setaffinity(0, self._before)


def _find_core_here() -> Callable[[], int]:
    """Look for the C library's `sched_getcpu`; where there is none, nobody knows (-1)."""
    try:
        from ctypes import CDLL

        os.sched_getaffinity(0)
        return CDLL(None).sched_getcpu
    except (ImportError, AttributeError, OSError, TypeError):
        return lambda: -1


_core_here = _find_core_here()


def _nothing() -> None:
    pass


_idle: list[Hand] = []
_lock = allocate_lock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # there, the threads do not exist
