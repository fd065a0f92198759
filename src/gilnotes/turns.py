"""Who runs when: the turns that threads take, and how long one waits for its turn.

Seen from inside. A thread that reads the clock again and again finds a gap wherever it did not run:
somebody else had the GIL, or the operating system gave the processor to another program.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError, Event
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.experiments import ask
from gilnotes.threads import Joined, Member, check_whole_number
from gilnotes.timing import Timing

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

    from gilnotes.interpreters import Interpreter

GAP = 50e-6
"""Seconds between two looks at the clock that end a turn; two in a row take a tenth of a µs."""

WARM_UP = 0.1
"""Seconds that pass before the watching begins. The operating system starts threads of one process
on one core, and takes a while to move one to another."""

WINDOWS = 5
"""How often in a row is watched. What counts is the window in which the threads ran most, taken
together: the one that other programs disturbed least."""

HICCUP = 0.5e-3
"""Seconds. A shorter gap in which no other thread had its turn is none: the operating system did
something else for a moment, and the thread had not let go of the GIL."""

PAUSE = 10e-3
"""Seconds that the thread which waits sleeps, again and again."""

SWITCH_INTERVALS = (0.5e-3, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3)
"""In seconds; 5 ms is what every CPython starts with (`Python/ceval_gil.c`)."""


@dataclass(frozen=True)
class Span:
    """From when to when, in seconds since the watching began."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.begin


@dataclass(frozen=True)
class Track:
    """What one thread saw of itself."""

    work: str
    """"counts": it always wants to run. "waits": it sleeps, and wants to run for a moment."""
    turns: tuple[Span, ...]
    """When it ran."""
    waits: tuple[Span, ...]
    """When it wanted to run, and did not."""


@dataclass(frozen=True)
class Turns:
    """What `gilnotes turns` measures on one interpreter."""

    counting: tuple[Track, ...]
    """Two threads that both count."""
    waiting: tuple[Track, ...]
    """One that counts, and one that waits."""


@dataclass(frozen=True)
class Latency:
    """How late a thread ran that had slept, while another kept the processor busy."""

    switch_interval: float
    """In seconds. Without a GIL it has no effect."""
    late: Timing
    """Seconds from when its sleep should have been over to when it ran."""


def take_turns(works: Sequence[str], seconds: float = 0.06) -> tuple[Track, ...]:
    """Let threads run at once, one for each work ("counts" or "waits"), and watch them for a while.

    >>> [track.work for track in take_turns(["counts", "waits"], seconds=0.02)]
    ['counts', 'waits']

    With a GIL, two that count take turns of a switch interval or so. Without, both always run.
    A thread that is kept from running for less than `GAP` does not see it. See also
    `HICCUP` and `WINDOWS`.

    Raises ValueError for a work that there is not.
    """
    for work in works:
        if work not in _WORKS:
            raise ValueError(f"the work of a thread is {' or '.join(_WORKS)}, not {work!r}")
    started: list[float] = []
    barrier = Barrier(len(works), action=lambda: started.append(perf_counter()))
    seen: dict[int, list[Seen]] = {}

    def member(index: int) -> None:
        try:
            barrier.wait()
        except BrokenBarrierError:  # not all could be started; who started them knows
            return
        end = started[0] + WARM_UP + WINDOWS * seconds
        seen[index] = list(_WORKS[works[index]](started[0], end))

    crew = [Member(member, index) for index in range(len(works))]
    with Joined(crew):
        try:
            for thread in crew:
                thread.start()
        except BaseException:
            barrier.abort()
            raise
    every = [turn for turns in seen.values() for turn in turns]
    turns = [(work, _joined(seen[index], every)) for index, work in enumerate(works)]
    begins = [started[0] + WARM_UP + number * seconds for number in range(WINDOWS)]
    windows = [tuple(_track(*each, begin, seconds) for each in turns) for begin in begins]
    return max(windows, key=_ran)


class Seen(NamedTuple):
    """A turn as its thread saw it, in moments of the clock."""

    wanted: float
    """From when on it wanted to run."""
    first: float
    last: float


def _joined(turns: Sequence[Seen], every: Sequence[Seen]) -> list[Seen]:
    """Make one turn of two where the gap between them is a hiccup."""
    joined = [turns[0]]
    for turn in turns[1:]:
        before = joined[-1]
        inside = any(before.last <= each.first and each.last <= turn.first for each in every)
        if turn.wanted == before.last and turn.first - before.last < HICCUP and not inside:
            joined[-1] = Seen(before.wanted, before.first, turn.last)
        else:
            joined.append(turn)
    return joined


def _track(work: str, seen: Sequence[Seen], begin: float, seconds: float) -> Track:
    return Track(
        work,
        tuple(_within(seconds, ((turn.first - begin, turn.last - begin) for turn in seen))),
        tuple(_within(seconds, ((turn.wanted - begin, turn.first - begin) for turn in seen))),
    )


def _ran(tracks: Sequence[Track]) -> float:
    return sum(span.seconds for track in tracks for span in track.turns)


def _within(seconds: float, spans: Iterable[tuple[float, float]]) -> Iterator[Span]:
    """Leave out what comes before the beginning, which is 0, and after the end."""
    for first, last in spans:
        begin, end = max(0.0, first), min(last, seconds)
        if begin < end:
            yield Span(begin, end)


def _count(begin: float, end: float) -> Iterator[Seen]:
    """Do nothing but look at the clock."""
    wanted = begin
    first = last = perf_counter()
    while last < end:
        now = perf_counter()
        if now - last > GAP:
            yield Seen(wanted, first, last)
            wanted, first = last, now
        last = now
    yield Seen(wanted, first, last)


def _wait(_begin: float, end: float) -> Iterator[Seen]:
    """Sleep, look at the clock, and sleep again."""
    now = perf_counter()
    while now < end:
        time.sleep(PAUSE)
        due = now + PAUSE
        first = max(due, perf_counter())
        now = perf_counter()
        yield Seen(due, first, now)


_WORKS: Mapping[str, Callable[[float, float], Iterator[Seen]]] = {"counts": _count, "waits": _wait}


def both_turns(seconds: float = 0.06) -> Turns:
    """Watch two threads that count, then one that counts and one that waits."""
    return Turns(
        take_turns(("counts", "counts"), seconds), take_turns(("counts", "waits"), seconds)
    )


def latency(
    switch_intervals: Sequence[float] = SWITCH_INTERVALS, repeat: int = 15, pause: float = 2e-3
) -> tuple[Latency, ...]:
    """Sleep ``pause`` seconds, ``repeat`` times, beside a thread that counts; time the delay.

    >>> [each.switch_interval for each in latency([0.001, 0.01], repeat=2)]
    [0.001, 0.01]

    The thread that has slept needs the GIL to go on. It asks for it after a switch interval. A
    little of its lateness is the operating system's, with a GIL or without.

    The switch interval is put back afterwards.
    """
    check_whole_number("repeat", repeat, at_least=1)
    before = sys.getswitchinterval()
    enough = Event()

    def count() -> None:
        while not enough.is_set():
            pass

    busy = Member(count)
    with Joined([busy]):
        busy.start()
        try:
            return tuple(_latency(interval, repeat, pause) for interval in switch_intervals)
        finally:
            enough.set()
            sys.setswitchinterval(before)


def _latency(switch_interval: float, repeat: int, pause: float) -> Latency:
    sys.setswitchinterval(switch_interval)
    late = []
    for _ in range(repeat):
        begin = perf_counter()
        time.sleep(pause)
        late.append(max(0.0, perf_counter() - begin - pause))
    return Latency(switch_interval, Timing(tuple(late)))


def turns_on(
    chosen: Iterable[Interpreter], *, timeout: float | None = None
) -> list[tuple[Interpreter, Turns]]:
    """Measure `both_turns` on each interpreter, one after another. Raises InterpreterFailed."""
    return [
        (interpreter, Turns(_tracks_from(answer["counting"]), _tracks_from(answer["waiting"])))
        for interpreter, answer in ask(chosen, ["turns"], timeout=timeout)
    ]


def latency_on(
    chosen: Iterable[Interpreter], *, timeout: float | None = None
) -> list[tuple[Interpreter, tuple[Latency, ...]]]:
    """Measure `latency` on each interpreter, one after another. Raises InterpreterFailed."""
    return [
        (
            interpreter,
            tuple(
                Latency(row["switch_interval"], Timing(tuple(row["late"]["samples"])))
                for row in answer["latencies"]
            ),
        )
        for interpreter, answer in ask(chosen, ["latency"], timeout=timeout)
    ]


def _tracks_from(tracks: Iterable[Mapping[str, Any]]) -> tuple[Track, ...]:
    return tuple(
        Track(
            track["work"],
            tuple(Span(**span) for span in track["turns"]),
            tuple(Span(**span) for span in track["waits"]),
        )
        for track in tracks
    )
