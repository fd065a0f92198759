"""Schedules as text: who takes the next steps.

A schedule is a row of turns: `A.read B.read B.add B.write A.add A.write`. In `A.read`, thread A
runs up to and including its next read; `A*3` is its next three steps, whatever they are; `A.end`
is all that it has left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Iterable, Iterator, Sequence

    from gilnotes.interleaving.counting import Walk
    from gilnotes.interleaving.running import Crew

KINDS = ("read", "add", "write", "call", "acquire", "release", "end")
"""What a turn can run up to."""

_TURN = re.compile(r"(\w+?)(?:\.(\w+)|\*(\d+))")


class Turn(NamedTuple):
    """One word of a schedule."""

    thread: str
    kind: str = ""
    """One of `KINDS`; "" where steps are counted."""
    steps: int = 0

    def __str__(self) -> str:
        return f"{self.thread}.{self.kind}" if self.kind else f"{self.thread}*{self.steps}"


def parse(schedule: str, threads: Sequence[str]) -> tuple[Turn, ...]:
    """Read a schedule. ValueError, with the word and what is possible, for what is none.

    >>> parse("A.read B*2", ("A", "B"))
    (Turn(thread='A', kind='read', steps=0), Turn(thread='B', kind='', steps=2))
    """
    turns = []
    for number, word in enumerate(schedule.split(), 1):
        match = _TURN.fullmatch(word)
        if match is None:
            raise ValueError(f"turn {number}, {word!r}: write {threads[0]}.read or {threads[0]}*3")
        thread, kind, steps = match.groups()
        if thread not in threads:
            raise ValueError(f"turn {number}, {word!r}: the threads are {', '.join(threads)}")
        if kind is not None and kind not in KINDS:
            raise ValueError(f"turn {number}, {word!r}: no step of that kind; {', '.join(KINDS)}")
        if steps is not None and not int(steps):
            raise ValueError(f"turn {number}, {word!r}: a turn takes a step at least")
        turns.append(Turn(thread, kind or "", int(steps or 0)))
    return tuple(turns)


def ran(crew: Crew) -> str:
    """Spell the schedule of the last run, by numbers of steps."""
    return " ".join(map(str, _counted(crew, [(e.thread, e.steps) for e in crew.events])))


def _counted(crew: Crew, stops: Iterable[tuple[int, int]], *, rest: bool = True) -> Iterator[Turn]:
    """Turns up to given steps, one after another, and then each thread's rest.

    Without ``rest`` that of threads that do not come to their end is left out: they go on to where
    they wait by themselves.
    """
    taken = [0] * len(crew.members)
    turns: list[list[int]] = []
    for thread, steps in stops:
        if steps <= taken[thread]:
            continue
        if not turns or turns[-1][0] != thread:
            turns.append([thread, 0])
        turns[-1][1] += steps - taken[thread]
        taken[thread] = steps
    for member, done in zip(crew.members, taken):
        left = len(member.taken) - done
        if left and (rest or member.finished):
            if not turns or turns[-1][0] != member.index:
                turns.append([member.index, 0])
            turns[-1][1] += left
            taken[member.index] += left
    last = {thread: index for index, (thread, _) in enumerate(turns)}
    for index, (thread, steps) in enumerate(turns):
        member = crew.members[thread]
        ends = last[thread] == index and member.finished
        yield Turn(member.name, "end") if ends else Turn(member.name, "", steps)


def spell(crew: Crew, walk: Walk, way: Sequence[int], *, events: bool) -> str:
    """Spell an order of the last run's class, given as who moves when, by kinds of steps."""
    position = walk.start
    stops = []
    of_thread: list[list[int]] = [[] for _ in crew.members]
    for event in crew.events:
        of_thread[event.thread].append(event.steps)
    for thread in way:
        position = dict(walk.moves(position))[thread]
        steps = position[thread]
        if events and steps == len(of_thread[thread]) and crew.members[thread].finished:
            steps = len(crew.members[thread].taken)  # with what it does unnoticed after that
        elif events:
            steps = of_thread[thread][steps - 1]
        stops.append((thread, steps))
    kinds = [dict(_kinds(crew, member.index)) for member in crew.members]
    words = []
    done = dict.fromkeys((member.name for member in crew.members), 0)
    indices = {member.name: member.index for member in crew.members}
    for turn in _counted(crew, stops, rest=not events):
        if turn.kind:
            words.append(str(turn))
            continue
        first, last = done[turn.thread] + 1, done[turn.thread] + turn.steps
        done[turn.thread] = last
        of_kind = kinds[indices[turn.thread]]
        kind = of_kind.get(last)
        count = sum(of_kind.get(step) == kind for step in range(first, last + 1))
        words.extend([f"{turn.thread}.{kind}"] * count if kind and count < 4 else [str(turn)])
    return " ".join(words)


def _kinds(crew: Crew, thread: int) -> Iterator[tuple[int, str]]:
    """The steps of a thread that a turn can be spelled with."""
    for index, access, steps in crew.seen:
        if index == thread and access.kind:
            yield steps, access.kind
    for event in crew.events:
        if event.thread == thread and event.kind in ("acquire", "release"):
            yield event.steps, event.kind
