"""Every schedule of a program: one run for each class of equivalent ones, and their exact number.

The search (which branch next) is a depth-first walk with sleep sets (Godefroid, *Partial-Order
Methods for the Verification of Concurrent Systems*, 1996): a thread whose next step has been tried
first at some point need not be tried again after steps that its own does not depend on. Of threads
that call the same function only the schedules in which they begin in turn are run (`twins`). So
each class is run once. `running` runs; `counting` says how many schedules a run stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gilnotes.evalloop import check_gil
from gilnotes.interleaving import counting
from gilnotes.interleaving.accesses import ALL, dependent
from gilnotes.interleaving.program import VERDICTS
from gilnotes.interleaving.running import Crew
from gilnotes.interleaving.schedules import ran, spell
from gilnotes.interleaving.study import Study
from gilnotes.interleaving.twins import NONE, Twins, in_turn, namings, twins_of
from gilnotes.threads import check_whole_number

if TYPE_CHECKING:
    from typing import Iterable, Sequence

    from gilnotes.interleaving.accesses import Access, Location
    from gilnotes.interleaving.program import Program
    from gilnotes.interleaving.running import Doing, Member

GRANULARITIES = ("shared", "opcode", "switchpoint")


class Node:
    """A point of a run at which a thread was chosen."""

    __slots__ = ("begun", "chosen", "done", "enabled", "sleep")

    def __init__(self, enabled: int, begun: int, sleep: int, chosen: int) -> None:
        self.enabled = enabled
        """The threads that could go on, but for twins; like all of these, a set of bits."""
        self.begun = begun
        """The threads that have been chosen before."""
        self.sleep = sleep
        """The threads that need not be tried."""
        self.done = 0
        """The threads that have been tried."""
        self.chosen = chosen
        """The index of the thread being tried."""


class Search:
    """A depth-first walk through the tree of schedules, of which each run is one path."""

    minds_only_choices = True

    def __init__(self, twins: Twins, *, reduction: bool = True) -> None:
        self.nodes: list[Node] = []
        self.depth = 0
        self.twins = twins
        self.reduction = reduction
        self._pending: list[tuple[Location, ...]] = []
        """What the threads' next steps touched at the last node, in the run that is under way."""
        self._retracted = False

    def choose(self, crew: Crew) -> Member | None:
        """Take the branch that this run is to try; beyond it, the first that is worth trying."""
        members = crew.members
        depth = self.depth
        if depth < len(self.nodes):
            if self._retracted and not self._choose_again(crew):
                return None
            member = members[self.nodes[depth].chosen]
            if not member.enabled:
                raise RuntimeError(_CHANGED.format(member.name))
            self.depth = depth = depth + 1
            if depth == len(self.nodes):
                self._pending = [member.pending for member in members]
            return member
        enabled = 0
        for member in members:
            if member.enabled:
                enabled |= 1 << member.index
        if not enabled:
            crew.deadlocked()
            return None
        begun = self.nodes[-1].begun | 1 << self.nodes[-1].chosen if self.nodes else 0
        if self.twins.elders:
            enabled = self._without_younger_twins(crew, enabled, begun)
        sleep = self._asleep() if self.reduction and self.nodes else 0
        worth = enabled & ~sleep
        if not worth:
            crew.stopped = "redundant"
            return None
        current = crew.current if self.nodes else None  # the one that started last is no choice
        if current is not None and worth >> current.index & 1:
            chosen = current
        else:
            chosen = members[_lowest(worth)]
        self.nodes.append(Node(enabled, begun, sleep, chosen.index))
        self.depth += 1
        self._pending = [member.pending for member in members]
        return chosen

    def _without_younger_twins(self, crew: Crew, enabled: int, begun: int) -> int:
        """Leave out the threads before whose first step a twin has to take its own."""
        members, left = crew.members, enabled
        for younger, elder in self.twins.elders:
            if not (begun >> younger | begun >> elder) & 1 and enabled >> younger & 1:
                left &= ~(1 << younger)
                if members[younger].pending != members[elder].pending or not enabled >> elder & 1:
                    crew.told_apart = True
        return left

    def _choose_again(self, crew: Crew) -> bool:
        """Choose at this node another thread than the one that turned out to wait."""
        self._retracted = False
        node = self.nodes[self.depth]
        rest = node.enabled & ~node.done & ~node.sleep
        if rest:
            node.chosen = _lowest(rest)
        elif node.done:
            crew.stopped = "redundant"
        else:
            crew.deadlocked()
        return bool(rest)

    def _asleep(self) -> int:
        """Who need not be tried next: tried before, and what was done since is independent."""
        node = self.nodes[-1]
        asleep = (node.sleep | node.done) & ~(1 << node.chosen)
        rest = asleep
        while rest:
            index = _lowest(rest)
            rest &= rest - 1
            if dependent(self._pending[index], self._pending[node.chosen]):
                asleep &= ~(1 << index)
        return asleep

    def retract(self, member: Member) -> None:
        """Take the last choice back: the step waits for a lock that is held."""
        self.depth -= 1
        self.nodes[self.depth].enabled &= ~(1 << member.index)
        self._retracted = True

    def took(self, member: Member, doing: Doing) -> None:
        """Nothing to learn from it."""

    def advance(self) -> bool:
        """Turn to the next branch; False when there is none."""
        self.depth = 0
        self._retracted = False
        while self.nodes:
            node = self.nodes[-1]
            node.done |= 1 << node.chosen
            rest = node.enabled & ~node.done & ~node.sleep
            if rest:
                node.chosen = _lowest(rest)
                return True
            self.nodes.pop()
        return False


_CHANGED = (
    "thread {} could go on here in an earlier run and cannot now: setup() must put everything into "
    "its first state, and threads must not depend on clocks, chance or input"
)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


@dataclass(frozen=True)
class Class:
    """Schedules that do the same.

    They differ only in the order of independent steps, or in which of the threads that call the
    same function is called A and which B.
    """

    schedule: str
    """One of them, as it was run; `replay` takes it."""
    weight: int
    """How many they are, at the granularity of the report."""
    verdict: str
    """One of `VERDICTS`."""
    detail: str = ""
    """What was raised, or who waits for what."""


@dataclass(frozen=True)
class Report:
    """What `explore` found. Numbers are exact numbers of schedules."""

    program: Program = field(repr=False)
    granularity: str
    classes: tuple[Class, ...] = field(repr=False)
    executions: int
    """The runs that were really made."""
    minimal: Minimal | None
    """The schedule that goes wrong with the fewest preemptions; None if all end well."""
    preemption_bound: int | None = None
    complete: bool = True
    """Whether all schedules were tried; False if `max_executions` ended the search."""
    files: tuple[str, ...] = ()
    """The files whose instructions are steps."""
    max_steps: int = 2000
    """Of one thread in one run."""

    @property
    def schedules(self) -> int:
        """All schedules."""
        return sum(each.weight for each in self.classes)

    def count(self, verdict: str) -> int:
        """Count the schedules that end in a certain way."""
        return sum(each.weight for each in self.classes if each.verdict == verdict)

    @property
    def broken(self) -> int:
        """The schedules after which the invariant does not hold."""
        return self.count("broken")

    @property
    def deadlocks(self) -> int:
        """The schedules in which threads end up waiting for each other for ever."""
        return self.count("deadlock")

    @property
    def exceptions(self) -> int:
        """The schedules in which a thread raises an exception."""
        return self.count("exception")

    @property
    def verdict(self) -> str:
        """What to say of the program: the worst verdict of any schedule."""
        found = {each.verdict for each in self.classes if each.weight}
        return next((v for v in ("deadlock", "exception", "broken") if v in found), "") or (
            "step limit" if "step limit" in found else "holds"
        )

    def check(self) -> None:
        """Raise `InvariantBroken`, with the trace of the minimal schedule, unless all end well.

        For a test suite: `explore(program).check()`.
        """
        if self.minimal is None:
            return
        from gilnotes.interleaving.replaying import replay

        again = replay(
            self.program, self.minimal.schedule, files=self.files, max_steps=self.max_steps
        )
        raise InvariantBroken(f"{self}\n\n{again}")

    def __str__(self) -> str:
        counts = [f"{self.count(v):,} {v}" for v in VERDICTS if self.count(v)]
        lines = [
            f"{self.schedules:,} schedules ({_STEPS[self.granularity]}): {', '.join(counts)}",
            f"{len(self.classes)} classes, {self.executions} executions",
        ]
        if self.preemption_bound is not None:
            lines[0] = f"at most {self.preemption_bound} preemptions: {lines[0]}"
        if not self.complete:
            lines.append("not all of them: the search was ended")
        if self.minimal is not None:
            lines.append(
                f"fewest preemptions that go wrong: {self.minimal.preemptions}, "
                f"as in {self.minimal.schedule!r}"
            )
            if self.minimal.detail:
                lines.append(self.minimal.detail)
        return "\n".join(lines)


_STEPS = {
    "shared": "a step is a read or write of shared state",
    "opcode": "a step is an opcode",
    "switchpoint": "switches where this build can switch",
}


@dataclass(frozen=True)
class Minimal:
    """A schedule that goes wrong, with as few preemptions as any."""

    schedule: str
    preemptions: int
    verdict: str
    detail: str


class InvariantBroken(AssertionError):
    """Some schedule of a program breaks its invariant, raises, or ends in a deadlock."""


def explore(
    program: Program,
    *,
    granularity: str = "opcode",
    preemption_bound: int | None = None,
    reduction: bool = True,
    files: Iterable[str] | None = None,
    max_steps: int = 2000,
    max_executions: int | None = None,
) -> Report:
    """Try every schedule of a program, and count them.

    >>> from gilnotes import Counter
    >>> from gilnotes.interleaving import Program, same
    >>> def increment(counter): counter.increment(1)
    >>> program = Program(Counter, same(increment, 2), holds=lambda counter: counter.count == 2)
    >>> report = explore(program, granularity="shared")
    >>> report.schedules, report.broken, report.executions
    (6, 4, 4)

    Args:
        program: see `Program`.
        granularity: what counts as a step. "shared": a read or write of state that threads share
            and change, and each operation on a lock. "opcode": an instruction of the code under
            study; this is what the language allows. "switchpoint": what a thread does between
            two places where this interpreter can hand over the GIL.
        preemption_bound: count only schedules with at most so many preemptions.
        reduction: False runs every single schedule, opcode by opcode ("brute force").
        files: the files whose instructions are steps. Left out: those of the class of the shared
            object, and what they call outside the standard library.
        max_steps: of one thread in one run; a loop without end is stopped there.
        max_executions: end the search after so many runs.

    Raises:
        ValueError: for options that make no sense together.
        NoSwitchPoints: for "switchpoint" without a GIL, where a switch can come anywhere.
        RuntimeError: the program does not do the same when it is scheduled in the same way, or
            a thread waits for something real.
    """
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity must be one of {', '.join(GRANULARITIES)}")
    if not reduction and (granularity != "opcode" or preemption_bound is not None):
        raise ValueError("brute force runs opcode by opcode, without a bound")
    if preemption_bound is not None:
        check_whole_number("preemption_bound", preemption_bound, at_least=0)
    if granularity == "switchpoint":
        check_gil()
    study = Study(files)
    search = Search(NONE, reduction=reduction)
    with Crew(program, study, search, fine=not reduction, looks=reduction, limit=max_steps) as crew:
        crew.visible = study.expected()
        twins = twins_of(program.threads.values()) if reduction else NONE
        while True:
            search = crew.chooser = Search(twins, reduction=reduction)
            found = (
                Classes(granularity, preemption_bound, crew, twins) if reduction else Verdicts(crew)
            )
            executions, complete = _walk(crew, search, found, max_executions)
            if crew.told_apart:
                twins = NONE
            if executions:
                break
    return Report(
        program,
        granularity,
        found.classes,
        executions,
        found.minimal,
        preemption_bound,
        complete,
        tuple(sorted(study.files or ())),
        max_steps,
    )


def _walk(
    crew: Crew, search: Search, found: Classes | Verdicts, max_executions: int | None
) -> tuple[int, bool]:
    """Run one schedule after another; (0, False) if it has to be done again with more in view."""
    executions = 0
    while True:
        verdict = crew.run()
        executions += 1
        if search.depth < len(search.nodes) and not crew.stopped:
            raise RuntimeError(_CHANGED.format(crew.program.names[search.nodes[-1].chosen]))
        if crew.told_apart and search.twins.elders:
            return 0, False
        if crew.study.grown:
            crew.study.grown = False
            return 0, False
        if crew.looks and not crew.study.checked:
            crew.study.checked = True
            shared = _conflicts(crew.seen, set())
            if shared != crew.visible:
                crew.visible = shared
                return 0, False
        unseen = _conflicts(crew.seen, crew.visible)
        if unseen:
            crew.visible |= unseen
            return 0, False
        if verdict != "redundant":
            found.add(verdict)
        if not search.advance():
            return executions, True
        if executions == max_executions:
            return executions, False


def _conflicts(seen: Sequence[tuple[int, Access, int]], visible: set[object]) -> set[object]:
    """Find accesses that another thread depends on, among those that have not waited their turn."""
    spots: dict[object, tuple[int, bool]] = {}
    suspicious = False
    for thread, access, _ in seen:
        if access.key in visible and len(access.locations) == 1 and access.name is not ALL:
            continue
        for owner, part, writes in access.locations:
            if part is ALL or owner is None:
                suspicious = True
                break
            threads, written = spots.get((owner, part), (0, False))
            threads |= 1 << thread
            written = written or writes
            spots[owner, part] = (threads, written)
            if written and threads & (threads - 1):
                suspicious = True
    if not suspicious:
        return set()
    found: set[object] = set()
    distinct = {(thread, access.key, access.locations) for thread, access, _ in seen}
    for thread, key, locations in distinct:
        if key not in visible and key not in found:
            for other, _, others in distinct:
                if other != thread and dependent(locations, others):
                    found.add(key)
                    break
    return found


class Classes:
    """Collects what the runs of a search with reduction stand for."""

    def __init__(self, granularity: str, bound: int | None, crew: Crew, twins: Twins) -> None:
        self.granularity = granularity
        self.bound = bound
        self.crew = crew
        self.twins = twins
        self._classes: list[Class] = []
        self.minimal: Minimal | None = None
        self._best = (1 << 30, 0)

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes of which there is at least one schedule."""
        return tuple(each for each in self._classes if each.weight)

    def add(self, verdict: str) -> None:
        """Add the class of the crew's last run."""
        crew = self.crew
        weight = self._weight()
        self._classes.append(Class(ran(crew), weight, verdict, crew.detail))
        if verdict != "holds" and weight:
            self._consider(verdict)

    def _weight(self) -> int:
        shared = self.granularity == "shared"
        ways = namings(self.twins, {event.thread for event in self.crew.events})
        if self.bound is None and self.granularity != "switchpoint":
            return ways * counting.linear_extensions(self._order(shared))
        return ways * counting.schedules(self._way(shared), self.bound)

    def _order(self, shared: bool) -> counting.Order:
        events = self.crew.events
        lengths = [len(member.taken) for member in self.crew.members]
        order = counting.order_of(events, lengths, only_events=shared)
        if not self.twins.elders:
            return order
        first = {event.thread: 1 if shared else event.steps for event in reversed(events)}
        return in_turn(order, self.twins, first)

    def _way(self, shared: bool) -> counting.Walk:
        crew = self.crew
        lengths = [len(member.taken) for member in crew.members]
        waiting = [member.waits_for and member.waits_for.location[0][0] for member in crew.members]
        locks = counting.locks_of(crew.events, waiting, lengths, only_events=shared)
        rests = None
        if self.granularity == "switchpoint":
            rests = [member.switch_points() for member in crew.members]
        return counting.Walk(self._order(shared), locks, rests)

    def _consider(self, verdict: str) -> None:
        """Keep the schedule that goes wrong with the fewest preemptions, then steps."""
        preemptions, steps = self._best
        count = len(self.crew.events)
        shared = self.granularity != "switchpoint"
        walk = self._way(shared)
        if preemptions + (count < steps) == 1 and walk.needs_preemption:
            return  # as most do, and it is soon seen
        way = counting.fewest_preemptions(walk, preemptions + (count < steps))
        if way is not None:
            self._best = (walk.preemptions(way), count)
            spelled = spell(self.crew, walk, way, events=shared)
            self.minimal = Minimal(spelled, self._best[0], verdict, self.crew.detail)


class Verdicts:
    """Counts how the runs of a brute-force search ended."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self._first: dict[str, tuple[str, str]] = {}
        self._counts: dict[str, int] = {}
        self.minimal: Minimal | None = None

    def add(self, verdict: str) -> None:
        """Count the crew's last run."""
        if verdict not in self._first:
            self._first[verdict] = (ran(self.crew), self.crew.detail)
        self._counts[verdict] = self._counts.get(verdict, 0) + 1

    @property
    def classes(self) -> tuple[Class, ...]:
        """One for each verdict, with the first schedule that led to it."""
        return tuple(
            Class(schedule, self._counts[verdict], verdict, detail)
            for verdict, (schedule, detail) in self._first.items()
        )
