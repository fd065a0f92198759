"""One run of a program under study: real threads, of which exactly one runs at a time.

`tracing` stops each thread before its next step; a chooser says who goes on; the turn is handed
over by one raw lock a thread. Running is all that happens here: which schedule comes next is the
business of `exploring` and `replaying`.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, get_ident
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.evalloop import kind_of_callee, may_switch_after
from gilnotes.interleaving import accesses
from gilnotes.interleaving.cooperative import Lock, Replacement, name_locks, waiting_in
from gilnotes.interleaving.hands import OneCore, dismiss, hire
from gilnotes.interleaving.study import LOCK_STEP, Study
from gilnotes.interleaving.tracing import make_tracing

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, Protocol

    from gilnotes.interleaving.accesses import Access, Location
    from gilnotes.interleaving.planning import Plan, Step, Values
    from gilnotes.interleaving.program import Program

    class Chooser(Protocol):
        """Decides who takes the next step."""

        minds_only_choices: bool
        """Whether it need not be asked any more when only one thread is left."""

        def choose(self, crew: Crew) -> Member | None:
            """Return the thread that goes on, or None to end the run here.

            Every thread that has not ended waits before its next step: `Member.pending` says what
            the step touches, `Member.enabled` whether it can be taken.
            """

        def retract(self, member: Member) -> None:
            """Take back the last choice: the thread's step turned out to wait for a lock."""

        def took(self, member: Member, doing: Doing) -> None:
            """Learn that a thread has taken a step, where every step is a choice."""


PATIENCE = 60.0
"""Seconds that a thread may take from one step to the next before the run is given up."""


class Event(NamedTuple):
    """A step that other threads may notice."""

    thread: int
    """The index of the thread."""
    steps: int
    """How many steps the thread has taken with this one."""
    locations: tuple[Location, ...]
    """What it read and wrote."""
    kind: str
    """"read", "write", "acquire", "fail" (a lock not got), "release" or "look"."""
    waits: bool = False
    """Whether it would have waited for the lock."""


class Inside(NamedTuple):
    """A frame under study that a thread is in."""

    frame: FrameType
    plan: Plan
    values: Values
    """What its instructions have produced."""


class Doing(NamedTuple):
    """A step being executed, for the one who wants to show it."""

    step: Step
    line: int
    access: Access | None = None
    values: Values = {}  # noqa: RUF012 - the frame's own
    lock: Lock | None = None
    kind: str = ""
    """Of an operation on a lock: what it came to."""


@dataclass(frozen=True)
class Waiting:
    """A thread that waits for ever, and what for."""

    thread: str
    called: str
    """"acquire", "Condition.wait", "Queue.get", …"""
    where: str
    """File and line."""
    lock: str
    """Its name in the program, or its number, in the order in which the run made them."""
    holder: str
    """The thread that holds it; "" if none does, and nobody is left to give a signal."""
    since: str
    """Where the holder took it."""

    def __str__(self) -> str:
        if not self.holder or (self.holder == self.thread and not self.called.startswith("Lock.")):
            return (
                f"{self.thread} waits in {self.called} at {self.where}; nobody is left to wake it"
            )
        who = "itself" if self.holder == self.thread else self.holder
        return (
            f"{self.thread} waits in {self.called} at {self.where} for {self.lock}, "
            f"held by {who} since {self.since}"
        )


class Abandoned(BaseException):
    """Ends a thread whose run is not worth finishing. Nobody should catch it."""


class Member:
    """A thread under study, and what it has done in this run."""

    def __init__(self, crew: Crew, index: int, name: str, body: Callable[[Any], object]) -> None:
        self.crew = crew
        self.index = index
        self.name = name
        self.body = body
        self.before: Callable[[Step, Inside], None] = (
            self._stop_where_noticed
            if not crew.fine
            else self._stop_and_look
            if crew.looks
            else self._stop
        )
        """What happens before each instruction under study."""
        self.hand = hire(self._run)
        self.turn = self.hand.turn
        self.ident = self.hand.ident
        self.begin()

    def begin(self) -> None:
        """Forget the last run."""
        self.alive = True
        self.exhausted = False
        """Whether it has taken as many steps as a thread may."""
        self.finished = False
        """Whether it came to its end by itself, if only by an exception."""
        self.error: BaseException | None = None
        self.taken: list[Step] = []
        self.pending: tuple[Location, ...] = ()
        self.doing: Doing | None = None
        self.waits_for: Lock | None = None
        self.clock = 0.0
        self.frames: list[Inside] = []
        self.rests = {0}
        self.called: dict[int, object] = {}
        self._open = False

    @property
    def enabled(self) -> bool:
        """Whether it can take its next step: it has not ended, and its lock is free."""
        return (
            self.alive
            and not self.exhausted
            and (self.waits_for is None or not self.waits_for.held)
        )

    # -- the thread itself

    def _run(self) -> None:
        """Do the thread's part of one run."""
        crew = self.crew
        self.hand.bind(crew.place.core)
        crew.tracing.begin_run(self)
        try:
            for _ in range(crew.program.times):
                self.body(crew.shared)
            self.finished = True
        except Abandoned:
            pass
        except BaseException as error:  # it is an outcome, whatever it is
            self.error = error
            self.finished = True
        self.frames.clear()
        if not crew.abandoned:
            self.complete()
        crew.ended(self)

    # -- called before each instruction under study, in this thread

    def entered(self, frame: FrameType, plan: Plan) -> Inside:
        """Come into a frame under study."""
        inside = Inside(frame, plan, plan.values(frame))
        self.frames.append(inside)
        self.rests.add(len(self.taken))
        return inside

    def left(self, frame: FrameType, result: object) -> None:
        """Leave a frame; whoever called it gets its result."""
        self._open = False
        if self.frames and self.frames[-1].frame is frame:
            self.frames.pop()
            if self.frames and self.frames[-1].frame is frame.f_back:
                caller = self.frames[-1]
                caller.values[caller.frame.f_lasti] = result

    def _stop_where_noticed(self, step: Step, inside: Inside) -> None:
        """Stop before an instruction that another thread could notice."""
        crew, taken = self.crew, self.taken
        look = step.look
        if look is not None:
            access = look(inside.frame, inside.values)
            if access is not None:
                crew.seen.append((self.index, access, len(taken) + 1))
                if access.key in crew.visible:
                    self.pending = access.locations
                    if crew.pause(self):
                        access = look(inside.frame, inside.values) or access
                    taken.append(step)
                    kind = "write" if access.writes else "read"
                    crew.events.append(Event(self.index, len(taken), access.locations, kind))
                    self._open = False
                    return
            if step.kind == "call":
                self.called[len(taken)] = inside.values.get(step.instruction.operands[0])
        self.take(step)

    def take(self, step: Step) -> None:
        """Take a step."""
        self.taken.append(step)
        self._open = True
        if len(self.taken) > self.crew.limit:
            self.crew.exhaust(self)

    def _stop_and_look(self, step: Step, inside: Inside) -> None:
        """Stop before every instruction, and note what it does."""
        self.complete()
        self.crew.pause(self)
        access = step.look(inside.frame, inside.values) if step.look else None
        self.taken.append(step)
        self._open = True
        self.doing = Doing(step, inside.frame.f_lineno, access, inside.values)
        if len(self.taken) > self.crew.limit:
            self.crew.exhaust(self)

    def _stop(self, step: Step, _: Inside) -> None:
        """Stop before every instruction, whatever it does."""
        self.crew.pause(self)
        self.take(step)

    # -- called by cooperative locks, in this thread

    def synchronize(self, lock: Lock, *, takes: bool | None, waits: bool) -> None:
        """Stop before an operation on a lock, and take it for a step.

        It belongs to the instruction that is being executed, if that instruction has not been a
        step for another reason; so `with lock:` is one step, not two.
        """
        crew = self.crew
        if crew.abandoned:
            if takes:
                raise Abandoned
            return
        belongs, self._open = self._open, False
        step = self.taken.pop() if belongs else LOCK_STEP
        doing, line = self.doing, 0
        if crew.fine and crew.looks:
            if belongs:
                self.doing = None
                line = doing.line if doing else 0
            else:
                self.complete()
        self.pending = lock.location
        self.waits_for = lock if waits else None
        if not (crew.fine and belongs):
            crew.pause(self)
        elif not self.enabled:
            crew.chooser.retract(self)
            crew.pause(self)
        self.waits_for = None
        self.taken.append(step)
        self.rests.add(len(self.taken) - 1) if waits and lock.held else None
        kind = {None: "look", False: "release", True: "fail" if lock.held else "acquire"}[takes]
        event = Event(self.index, len(self.taken), lock.location, kind, waits)
        crew.events.append(event)
        if crew.fine and crew.looks:
            self.doing = Doing(step, line, lock=lock, kind=kind)
        if len(self.taken) > crew.limit:
            crew.exhaust(self)

    def complete(self) -> None:
        """Report the step that has just been executed, now that its effect can be seen."""
        doing, self.doing = self.doing, None
        if doing is not None:
            self.crew.chooser.took(self, doing)

    def yields(self) -> None:
        """Sleep: another thread may go on, here."""
        self.rests.add(len(self.taken))

    def waiting(self) -> Waiting:
        """What it waits for, while it does."""
        lock = self.waits_for
        assert lock is not None
        called, where = waiting_in(sys._current_frames().get(self.ident))
        holder = lock.holder.name if lock.holder else ""
        return Waiting(self.name, called, where, lock.name, holder, lock.taken_at)

    def switch_points(self) -> frozenset[int]:
        """After how many of its steps this interpreter could have made it let go of the GIL."""
        after = (
            number
            for number, step in enumerate(self.taken, 1)
            if may_switch_after(
                step.instruction.opname,
                _kind_of_callee(self.called.get(number - 1)),
                step.instruction.following,
            )
        )
        return frozenset((*self.rests, *after))


class Crew:
    """The threads of a program, which run it as often as they are asked to.

    A context manager: on its way out the threads end, and the locks are real ones again.
    """

    def __init__(
        self,
        program: Program,
        study: Study,
        chooser: Chooser,
        *,
        fine: bool,
        looks: bool = True,
        limit: int = 2000,
    ) -> None:
        self.program = program
        self.study = study
        self.chooser = chooser
        self.fine = fine
        """Whether every instruction waits for its turn, or those only that others may notice."""
        self.looks = looks
        """Whether to find out what a step reads and writes."""
        self.limit = limit
        self.visible: set[object] = set()
        """The keys of accesses that wait for their turn."""
        self.told_apart = False
        """Whether a thread has asked who it is: then no two do the same for sure (`twins`)."""
        self.abandoned = False
        self.shared: Any = None
        self.events: list[Event] = []
        self.seen: list[tuple[int, Access, int]] = []
        """Who touched what, with which of its steps."""
        self.stopped = ""
        """The verdict, if the run was ended before all threads were."""
        self.waiting: tuple[Waiting, ...] = ()
        """In a deadlock: who waits for what."""
        self.problem = ""
        """What an invariant that was asserted said."""
        self.current: Member | None = None
        self._done = allocate_lock()
        self._done.acquire()
        self._lock_number = 0
        self._here = get_ident()
        self.members: list[Member] = []
        self.members_by_ident: dict[int, Member] = {}
        """The members, by the identifier of their thread."""

    def __enter__(self) -> Crew:
        if not _exploring.acquire(blocking=False):
            raise RuntimeError("a program is being studied already: one at a time in a process")
        accesses.forget()
        self.place = OneCore()
        self.members = [
            Member(self, index, name, body)
            for index, (name, body) in enumerate(self.program.threads.items())
        ]
        self.members_by_ident.update((member.ident, member) for member in self.members)
        self.replacement = Replacement(self)
        try:
            self.study.begin(self.program, self.replacement)
            self.tracing = make_tracing(self)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.tracing.end()
        self._leave()

    def _leave(self) -> None:
        self.replacement.undo()
        if not self.lost:
            for member in self.members:
                dismiss(member.hand)
        self.place.leave()
        _exploring.release()

    lost = False
    """Whether a thread could not be stopped."""

    def run(self) -> str:
        """Run the program once. Return the verdict."""
        for member in self.members:
            member.begin()
        self.events.clear()
        self.seen.clear()
        self.stopped = self.problem = ""
        self.waiting = ()
        self.abandoned = False
        self._lock_number = 0
        self._unstarted = list(reversed(self.members))
        self._left = len(self.members)
        accesses._ALIASES.clear()
        self.replacement.renew()
        self.shared = self.program.setup()
        if self.fine and self.looks:
            name_locks(self.shared, self.replacement.scopes)
        self.current = None
        self._unstarted.pop().turn.release()
        if not self._done.acquire(timeout=PATIENCE):
            self._lose()
        if self.stopped:
            return self.stopped
        if any(member.error for member in self.members):
            return "exception"
        return "holds" if self._holds() else "broken"

    def _holds(self) -> bool:
        holds = self.program.holds
        try:
            return holds is None or bool(holds(self.shared))
        except AssertionError as error:
            self.problem = f"AssertionError: {error}".rstrip(": ")
            return False

    @property
    def detail(self) -> str:
        """What went wrong in the last run, in words."""
        errors = [
            f"{member.name}: {type(member.error).__name__}: {member.error}".rstrip(": ")
            for member in self.members
            if member.error is not None
        ]
        return "\n".join(
            [*map(str, self.waiting), *errors, *([self.problem] if self.problem else [])]
        )

    def _lose(self) -> None:
        self.lost = True
        frames = sys._current_frames()
        where = [
            f"{member.name} at {frames[member.ident].f_code.co_filename}:"
            f"{frames[member.ident].f_lineno}"
            for member in self.members
            if member.alive and member.ident in frames
        ]
        raise RuntimeError(
            f"no step for {PATIENCE:g} s: a thread waits for something real, or loops outside the "
            f"code under study ({', '.join(where)}); files= adds files to it"
        )

    # -- called in the threads

    def pause(self, member: Member) -> bool:
        """Wait before a step until it is this thread's turn; True if another ran meanwhile."""
        if self.abandoned:
            self._abandon(member)
        if self._left == 1 and self.chooser.minds_only_choices and member.enabled:
            return False
        # Not `_next()`: brute force comes here for every instruction.
        unstarted = self._unstarted
        chosen = self.current = unstarted.pop() if unstarted else self.chooser.choose(self)
        if chosen is member:
            return False
        if chosen is None:
            self._abandon(member)
        else:
            chosen.turn.release()
            member.turn.acquire()
            if self.abandoned:
                self._abandon(member)
        return True

    def _next(self) -> Member | None:
        self.current = self._unstarted.pop() if self._unstarted else self.chooser.choose(self)
        return self.current

    def exhaust(self, member: Member) -> None:
        """Let a thread that has taken too many steps take no more. The others go on."""
        if self.fine and self.looks:
            member.complete()
        member.exhausted = True
        self.stopped = "step limit"
        self.pause(member)

    def deadlocked(self) -> None:
        """Note that no thread is enabled, and who waits for what."""
        self.stopped = self.stopped or "deadlock"
        if self.stopped == "deadlock":
            name_locks(self.shared, self.replacement.scopes)
            self.waiting = tuple(m.waiting() for m in self.members if m.alive and m.waits_for)

    def _abandon(self, member: Member) -> None:
        self.abandoned = True
        self.tracing.unwind(member)
        raise Abandoned

    def ended(self, member: Member) -> None:
        """A thread has come to its end: another goes on, or the run is over."""
        member.alive = False
        self._left -= 1
        if not self.abandoned and self._left:
            chosen = self._next()
            if chosen is not None:
                chosen.turn.release()
                return
            self.abandoned = True
        for other in self.members:  # each in its turn: nobody else runs while it unwinds
            if other.alive:
                if other in self._unstarted:
                    self._unstarted.remove(other)
                    other.alive = False
                    continue
                other.turn.release()
                return
        self._done.release()

    def member_here(self) -> Member | None:
        """The member whose thread calls this, if it is one's."""
        return self.members_by_ident.get(get_ident())

    def is_ours(self) -> bool:
        """Whether the calling thread has to do with the program under study."""
        ident = get_ident()
        return ident == self._here or ident in self.members_by_ident

    def next_lock_number(self) -> int:
        """Number the locks of a run in the order in which they are made."""
        self._lock_number += 1
        return self._lock_number


def _kind_of_callee(called: object) -> str:
    """Sort a callee by what it would be without us: a real lock's methods are written in C."""
    return "c" if isinstance(getattr(called, "__self__", None), Lock) else kind_of_callee(called)


_exploring = allocate_lock()
