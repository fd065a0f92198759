"""How many schedules one run stands for.

Steps of different threads that touch nothing in common may change places: what happens stays the
same. So one run stands for a class of schedules, namely all the orders of its steps that keep the
order within each thread and between steps that depend on each other (the linear extensions of a
partial order). They are counted by dynamic programming over how far each thread has come; none of
them has to be run. Source of the idea: Mazurkiewicz, *Trace Theory*, 1987.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, permutations, product
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.interleaving.accesses import dependent

if TYPE_CHECKING:
    from typing import Collection, Iterator, Mapping, Sequence, Tuple

    from gilnotes.interleaving.running import Event

    Needs = Tuple[Tuple[Tuple[int, int, int], ...], ...]
    Position = Tuple[int, ...]


class Order(NamedTuple):
    """The partial order of one run: per thread, what its steps have to wait for."""

    lengths: Position
    """The number of steps of each thread."""
    needs: Needs
    """For each thread: (step, other thread, how many steps the other must have taken before)."""


class Locks(NamedTuple):
    """What the threads did with locks: who is enabled where depends on it."""

    operations: Mapping[object, tuple[tuple[int, int, int], ...]]
    """For each lock: (thread, step, +1 if the step takes it, -1 if it gives it back)."""
    held: frozenset[object]
    """The locks that were held before any thread began."""
    waits: tuple[Mapping[int, object], ...]
    """For each thread: the steps that wait for a lock, and which; also one it never took."""

    def enabled(self, position: Position, thread: int) -> bool:
        """Tell whether a thread that is not at its end can take its next step."""
        lock = self.waits[thread].get(position[thread] + 1)
        if lock is None:
            return True
        changes = (
            change
            for other, step, change in self.operations.get(lock, ())
            if step <= position[other]
        )
        return sum(changes, int(lock in self.held)) == 0


def order_of(
    events: Sequence[Event], lengths: Sequence[int], *, only_events: bool = False
) -> Order:
    """Make the partial order of a run from the events in it.

    With ``only_events`` the other steps, which nobody notices, are left out.
    """
    needs: list[list[tuple[int, int, int]]] = [[] for _ in lengths]
    before: list[list[tuple[int, Event]]] = [[] for _ in lengths]
    for event in events:
        number = len(before[event.thread]) + 1 if only_events else event.steps
        for other, earlier in enumerate(before):
            if other != event.thread:
                for steps, former in reversed(earlier):
                    if dependent(former.locations, event.locations):
                        needs[event.thread].append((number, other, steps))
                        break
        before[event.thread].append((number, event))
    counts = tuple(map(len, before)) if only_events else tuple(lengths)
    return Order(counts, tuple(map(tuple, needs)))


def locks_of(
    events: Sequence[Event],
    waiting: Sequence[object],
    lengths: Sequence[int],
    *,
    only_events: bool = False,
) -> Locks:
    """Make `Locks` from the events of a run, and from what its threads wait for at its end."""
    operations: dict[object, list[tuple[int, int, int]]] = {}
    waits: list[dict[int, object]] = [{} for _ in waiting]
    counts = [0] * len(waiting)
    held = set()
    for event in events:
        thread = event.thread
        counts[thread] += 1
        step = counts[thread] if only_events else event.steps
        lock = event.locations[0][0]
        if event.kind == "release" and not sum(c for _, _, c in operations.get(lock, ())):
            held.add(lock)
        if event.kind in ("acquire", "release"):
            change = 1 if event.kind == "acquire" else -1
            operations.setdefault(lock, []).append((thread, step, change))
        if event.waits:
            waits[thread][step] = lock
    for thread, lock in enumerate(waiting):
        if lock is not None:
            last = counts[thread] if only_events else lengths[thread]
            waits[thread][last + 1] = lock
            if not sum(change for _, _, change in operations.get(lock, ())):
                held.add(lock)
    known = {lock: tuple(changes) for lock, changes in operations.items()}
    return Locks(known, frozenset(held), tuple(waits))


def linear_extensions(order: Order) -> int:
    """Count the orders of all steps that a partial order allows.

    >>> linear_extensions(Order((2, 2), ((), ())))
    6
    >>> linear_extensions(Order((2, 2), ((), ((1, 0, 1),))))  # B begins after A's first step
    3
    """
    return _counted(_by_any_name(order))


def _by_any_name(order: Order) -> Order:
    """The same order whichever of the threads is called A: their number does not depend on it."""
    kept = [thread for thread, length in enumerate(order.lengths) if length]
    if not 2 < len(kept) <= MOST_RENAMED:
        return _renamed(order, kept) if len(kept) < len(order.lengths) else order
    return min(_renamed(order, names) for names in permutations(kept))


MOST_RENAMED = 4
"""Threads of which all permutations are compared."""


def _renamed(order: Order, threads: Sequence[int]) -> Order:
    place = {thread: index for index, thread in enumerate(threads)}
    return Order(
        tuple([order.lengths[thread] for thread in threads]),
        tuple(
            [
                tuple(sorted([(step, place[other], steps) for step, other, steps in needed]))
                for needed in [order.needs[thread] for thread in threads]
            ]
        ),
    )


@lru_cache(maxsize=4096)
def _counted(order: Order) -> int:
    """Row by row: a place is a row's position of all threads but the last, and a column of it."""
    lengths, needs = order
    if len(lengths) < 2:
        return 1
    *outer, inner = lengths
    last = len(outer)
    # lows[t][step - 1][u]: how far thread u has to be when t takes the step; rising along t.
    lows = [_lows(length, needed, len(lengths)) for length, needed in zip(lengths, needs)]
    # highs[u][place]: how far the last thread can be when u is at a place.
    highs = [
        [bisect_right([low[thread] for low in lows[last]], place) for place in range(length + 1)]
        for thread, length in enumerate(outer)
    ]
    rows: dict[Position, list[int]] = {(0,) * last: [1]}
    for position in product(*[range(length + 1) for length in outer]):
        columns = min([high[place] for high, place in zip(highs, position)]) + 1
        row = rows.get(position)
        for thread, steps in enumerate(position):
            if not steps:
                continue
            before = rows.get((*position[:thread], steps - 1, *position[thread + 1 :]))
            if before is None:
                continue
            needed = lows[thread][steps - 1]
            for other, place in enumerate(position):
                if needed[other] > place and other != thread:
                    break
            else:
                low = needed[last]
                added = [0] * low + before[low:columns]
                row = added if row is None else _sum(row, added)
        if row is not None:
            row = row + [0] * (columns - len(row))
            rows[position] = list(accumulate(row))
    final = rows.get(tuple(outer), [])
    return final[inner] if len(final) > inner else 0


def _sum(row: list[int], other: list[int]) -> list[int]:
    if len(row) < len(other):
        row, other = other, row
    return [*map(add, row, other), *row[len(other) :]]


def _lows(length: int, needed: Sequence[tuple[int, int, int]], threads: int) -> list[list[int]]:
    lows = [[0] * threads for _ in range(length)]
    for step, other, steps in needed:
        lows[step - 1][other] = max(lows[step - 1][other], steps)
    for earlier, later in zip(lows, lows[1:]):
        for other, low in enumerate(earlier):
            later[other] = max(later[other], low)
    return lows


# -- minding who is interrupted, and where that is possible


class Walk:
    """Goes through the orders of a class move by move, minding who could go on.

    A move is one step; with ``rests``, which say of each thread after how many of its steps it can
    be made to let go, it is all that a thread does until then, until it waits, or to its end.
    """

    def __init__(
        self, order: Order, locks: Locks, rests: Sequence[Collection[int]] | None = None
    ) -> None:
        self.end = order.lengths
        self.start = (0,) * len(order.lengths)
        self.locks = locks
        self.rests = rests
        self.lows = [
            _lows(length, needed, len(order.lengths))
            for length, needed in zip(order.lengths, order.needs)
        ]
        self._can_go_on: dict[tuple[Position, int], bool] = {}
        pairs = {(other, t) for t, needed in enumerate(order.needs) for _, other, _ in needed}
        self.needs_preemption = not any(locks.waits) and any((t, o) in pairs for o, t in pairs)
        """Whether two threads, which never wait, each need a step of the other before they end."""

    def can_go_on(self, position: Position, thread: int) -> bool:
        """Tell whether the thread is enabled: to run another instead is a preemption."""
        known = self._can_go_on.get((position, thread))
        if known is None:
            waiting = position[thread] + 1 in self.locks.waits[thread]
            at_end = position[thread] == self.end[thread] and not waiting
            known = not at_end and self.locks.enabled(position, thread)
            self._can_go_on[position, thread] = known
        return known

    def moves(self, position: Position) -> Iterator[tuple[int, Position]]:
        """Yield who can move in this class, and where all are then."""
        for thread, length in enumerate(self.end):
            if position[thread] < length:
                following = self._moved(position, thread)
                if following is not None:
                    yield thread, following

    def _moved(self, position: Position, thread: int) -> Position | None:
        moved = False
        while position[thread] < self.end[thread]:
            if moved and not self.can_go_on(position, thread):
                return position  # it waits
            for other, low in enumerate(self.lows[thread][position[thread]]):
                if low > position[other] and other != thread:
                    return None
            position = (*position[:thread], position[thread] + 1, *position[thread + 1 :])
            if self.rests is None or position[thread] in self.rests[thread]:
                return position
            moved = True
        # Could it go on, its next step would be another one here than it is in this class.
        return None if self.can_go_on(position, thread) else position

    def preemptions(self, way: Sequence[int]) -> int:
        """Count the preemptions of an order, given as who moves when."""
        position, last, count = self.start, -1, 0
        for thread in way:
            count += last not in (-1, thread) and self.can_go_on(position, last)
            position = dict(self.moves(position))[thread]
            last = thread
        return count


def schedules(walk: Walk, bound: int | None = None) -> int:
    """Count the orders in which at most ``bound`` times a thread is preempted (None: no bound).

    A *preemption* is a switch away from a thread that is enabled.
    """

    @lru_cache(maxsize=None)
    def ways(position: Position, last: int, left: int) -> int:
        if position == walk.end:
            return 1
        total = 0
        for thread, following in walk.moves(position):
            preempts = last not in (-1, thread) and walk.can_go_on(position, last)
            if bound is None:
                total += ways(following, -1, 0)
            elif left or not preempts:
                total += ways(following, thread, left - preempts)
        return total

    return ways(walk.start, -1, bound or 0)


def fewest_preemptions(walk: Walk, under: int) -> tuple[int, ...] | None:
    """Return an order with the fewest preemptions, as who moves when; None if none has so few.

    So few are fewer than ``under``.
    """
    reached: dict[tuple[Position, int], tuple[tuple[Position, int], int] | None] = {
        (walk.start, -1): None
    }
    level = list(reached)
    for _ in range(under):
        beyond: dict[tuple[Position, int], tuple[tuple[Position, int], int]] = {}
        for state in level:  # grows
            position, last = state
            if position == walk.end:
                return _way_to(state, reached)
            for thread, following in walk.moves(position):
                then = (following, thread)
                if then in reached:
                    continue
                if last not in (-1, thread) and walk.can_go_on(position, last):
                    beyond.setdefault(then, (state, thread))
                else:
                    reached[then] = (state, thread)
                    level.append(then)
        level = [state for state in beyond if state not in reached]
        reached.update((state, beyond[state]) for state in level)
    return None


def _way_to(
    state: tuple[Position, int],
    reached: Mapping[tuple[Position, int], tuple[tuple[Position, int], int] | None],
) -> tuple[int, ...]:
    way = []
    step = reached[state]
    while step is not None:
        state, thread = step
        way.append(thread)
        step = reached[state]
    return tuple(reversed(way))
