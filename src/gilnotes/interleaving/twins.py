"""Threads that call the same function: only schedules in which they begin in turn have to be run.

Nothing tells such twins apart, unless they ask which thread they are: then they are none, and all
schedules are run. So every schedule in which B begins before A is one in which A
begins before B, with the names exchanged: it need not be run, but it counts. Source of the idea:
Clarke, Enders, Filkorn and Jha, *Exploiting Symmetry in Temporal Logic Model Checking*, 1996.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Callable, Iterable, Mapping, Tuple

    from gilnotes.interleaving.counting import Order

    Group = Tuple[int, ...]


class Twins(NamedTuple):
    """Which threads of a program are twins, by their indices."""

    groups: tuple[Group, ...]
    """Each in its order."""
    elders: tuple[tuple[int, int], ...]
    """(thread, the twin that has to begin before it)."""


NONE = Twins((), ())
"""For a program, or a way to search it, without twins."""


def twins_of(functions: Iterable[Callable[..., object]]) -> Twins:
    """Find the twins among the functions that the threads call.

    >>> twins_of([print, len, print, print])
    Twins(groups=((0, 2, 3),), elders=((2, 0), (3, 2)))
    """
    found: dict[int, list[int]] = {}
    for index, function in enumerate(functions):
        found.setdefault(id(function), []).append(index)
    groups = tuple(tuple(group) for group in found.values() if len(group) > 1)
    return Twins(groups, tuple(pair for group in groups for pair in zip(group[1:], group)))


def in_turn(order: Order, twins: Twins, first: Mapping[int, int]) -> Order:
    """Let twins wait for each other with their first steps that others may notice.

    ``first`` numbers that step of each thread that has one.

    >>> from gilnotes.interleaving.counting import Order, linear_extensions
    >>> linear_extensions(in_turn(Order((1, 1), ((), ())), twins_of([print, print]), {0: 1, 1: 1}))
    1
    """
    needs = list(order.needs)
    for younger, elder in twins.elders:
        if younger in first:
            needs[younger] = ((first[younger], elder, first[elder]), *needs[younger])
    return order._replace(needs=tuple(needs))


def namings(twins: Twins, began: Iterable[int]) -> int:
    """Count the ways to name the twins of a run. Those that did nothing in it are all alike.

    >>> namings(twins_of([print, print, print]), [0, 1])
    6
    >>> namings(twins_of([print, print, print]), [0])
    3
    """
    ways = 1
    for group in twins.groups:
        idle = len(set(group).difference(began))
        ways *= factorial(len(group)) // factorial(idle)
    return ways
