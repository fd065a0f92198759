"""One schedule, run on the real program, with everything that happened in it."""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gilnotes.interleaving.accesses import ALL, MISSING
from gilnotes.interleaving.cooperative import name_locks, shown
from gilnotes.interleaving.running import Crew
from gilnotes.interleaving.schedules import parse
from gilnotes.interleaving.study import Study
from gilnotes.tables import Table, text

if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

    from gilnotes.interleaving.program import Program
    from gilnotes.interleaving.running import Doing, Member
    from gilnotes.interleaving.schedules import Turn

WIDEST = 40
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class TraceStep:
    """One step of one thread."""

    number: int
    """Counted over all threads, from 1."""
    thread: str
    file: str
    line: int
    source: str
    """The text of the line."""
    opcode: str
    """The instruction; "" for a step that the standard library takes on a lock."""
    kinds: tuple[str, ...]
    """What a schedule can call it: "read", "write", "add", "call", "acquire", "release"."""
    what: str
    """What it did, in short: "count → 0" (read), "count ← 1" (written)."""
    state: str = ""
    """What the step made of shared state: "count = 1", "lock 1: A"."""

    @property
    def place(self) -> str:
        """File and line, in short: "counters.py:15"."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True)
class Trace:
    """The steps of a run, in their order. As text: a table with a column for each thread."""

    threads: tuple[str, ...]
    steps: tuple[TraceStep, ...]

    def table(self, *, every_step: bool = False) -> Table:
        """Put the steps into a table; without ``every_step`` those that do nothing of note go."""
        left, right = self.threads[:1], self.threads[1:]
        if len(self.threads) != 2:
            left, right = self.threads, ()
        rows = [
            (
                str(step.number),
                *(_cell(step, name) for name in left),
                step.state,
                *(_cell(step, name) for name in right),
                step.place,
            )
            for step in self.steps
            if every_step or step.kinds
        ]
        return Table(("step", *left, "shared", *right, "line"), tuple(rows))

    def text(self, *, every_step: bool = False) -> str:
        """Write the table, and under it the lines of source that it names."""
        steps = [step for step in self.steps if every_step or step.kinds]
        sources = dict.fromkeys(f"{step.place}  {step.source}" for step in steps)
        return "\n".join([text(self.table(every_step=every_step)), *sorted(sources)])

    def __str__(self) -> str:
        return self.text()


def _cell(step: TraceStep, thread: str) -> str:
    return f"{step.opcode} {step.what}".strip() if step.thread == thread else ""


@dataclass(frozen=True)
class Execution:
    """What became of a schedule."""

    schedule: str
    verdict: str
    """"holds", "broken", "deadlock", "exception", "step limit", or "infeasible"."""
    trace: Trace
    detail: str = ""
    """What was raised, who waits for what, or where the schedule could not be followed."""
    shared: object = field(default=None, repr=False)
    """The shared object as the threads have left it."""

    def __str__(self) -> str:
        return "\n".join(filter(None, [str(self.trace), self.verdict, self.detail]))


def replay(
    program: Program,
    schedule: str,
    *,
    files: Iterable[str] | None = None,
    max_steps: int = 2000,
) -> Execution:
    """Run a program under one schedule; afterwards the threads finish, one after another.

    >>> from gilnotes import Counter
    >>> from gilnotes.interleaving import Program, same
    >>> def increment(counter): counter.increment(1)
    >>> program = Program(Counter, same(increment, 2), holds=lambda counter: counter.count == 2)
    >>> execution = replay(program, "A.read B.read B.add B.write A.add A.write")
    >>> execution.verdict, execution.shared.count
    ('broken', 1)

    A schedule is a row of turns. `A.read` lets thread A run up to and including its next read;
    so do `write`, `add`, `call`, `acquire` and `release`; `A.end` lets it run to its end, and `A*3`
    three steps. A step is an instruction of the code under study (see `explore` for that, and for
    ``files`` and ``max_steps``), or what the standard library does with a lock.

    A schedule that cannot be followed has the verdict "infeasible"; the detail says at which turn
    and step, and who waits for whom. Raises ValueError for what is no schedule.
    """
    turns = parse(schedule, program.names)
    study = Study(files)
    chooser = Turns(turns)
    with Crew(program, study, chooser, fine=True, limit=max_steps) as crew:
        verdict = crew.run()
        if study.grown:
            chooser.begin()
            verdict = crew.run()
        detail = chooser.reason or crew.detail
        trace = Trace(program.names, tuple(chooser.steps))
        return Execution(schedule, verdict, trace, detail, crew.shared)


class Turns:
    """Lets the threads have the turns of a schedule, and notes every step."""

    minds_only_choices = False

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.begin()

    def begin(self) -> None:
        """Start at the first turn."""
        self.number = 0
        self.left = self.turns[0].steps if self.turns else 0
        self.steps: list[TraceStep] = []
        self.reason = ""

    def choose(self, crew: Crew) -> Member | None:
        """Return whose turn it is."""
        members = {member.name: member for member in crew.members}
        while self.number < len(self.turns):
            turn = self.turns[self.number]
            member = members[turn.thread]
            if member.enabled:
                return member
            if not member.exhausted and (member.alive or turn.kind != "end"):
                self._cannot(crew, member)
                return None
            self._next_turn()
        enabled = [member for member in crew.members if member.enabled]
        if not enabled:
            crew.deadlocked()
            return None
        return crew.current if crew.current in enabled else enabled[0]

    def _cannot(self, crew: Crew, member: Member) -> None:
        crew.stopped = "infeasible"
        name_locks(crew.shared, crew.replacement.scopes)
        why = str(member.waiting()) if member.alive else f"{member.name} has ended"
        turn = self.turns[self.number]
        self.reason = f"turn {self.number + 1}, {turn}, after step {len(self.steps)}: {why}"

    def _next_turn(self) -> None:
        self.number += 1
        if self.number < len(self.turns):
            self.left = self.turns[self.number].steps

    def retract(self, member: Member) -> None:
        """Nothing was noted yet of the step that turned out to wait."""

    def took(self, member: Member, doing: Doing) -> None:
        """Note a step, and whether the turn is over with it."""
        step = described(member, doing, len(self.steps) + 1)
        self.steps.append(step)
        if self.number < len(self.turns):
            turn = self.turns[self.number]
            if turn.thread != member.name:
                return
            self.left -= 1
            if self.left == 0 or turn.kind in step.kinds:
                self._next_turn()


def described(member: Member, doing: Doing, number: int) -> TraceStep:
    """Say what a thread has just done."""
    instruction = doing.step.instruction
    code = doing.step.code
    kinds = [doing.step.kind] if doing.step.kind else []
    what, state = "", ""
    access = doing.access
    if doing.lock is not None:
        kinds += {"acquire": ["acquire"], "release": ["release"], "fail": ["acquire"]}.get(
            doing.kind, []
        )
        what = f"{doing.kind} {doing.lock}"
        state = f"{doing.lock}: {member.name if doing.lock.held else 'free'}"
        if doing.kind == "fail":
            what, state = f"{doing.lock} is not free", ""
    elif access is not None and access.kind:
        kinds.append(access.kind)
        name = f"[{access.name!r}]" if "[]" in str(access.key) else str(access.name)
        value = _now(access)
        if access.writes:
            what = f"{name} ← {in_short(value)}" if value is not MISSING else f"{name} changed"
            state = f"{name} = {in_short(value)}" if value is not MISSING else ""
        else:
            seen = doing.values.get(instruction.offset, MISSING)
            what = f"{name} → {in_short(seen)}" if seen is not MISSING else name
    elif doing.step.kind == "add":
        operands = [doing.values.get(symbol, MISSING) for symbol in instruction.operands]
        what = instruction.argrepr
        if len(operands) == 2 and MISSING not in operands:
            sign = instruction.argrepr.rstrip("=") or _SIGNS.get(instruction.opname, "?")
            what = f"{in_short(operands[0])} {sign} {in_short(operands[1])}"
    elif doing.step.kind == "call":
        called = doing.values.get(instruction.operands[0], MISSING)
        what = str(getattr(called, "__name__", ""))
    line = doing.line or instruction.line or 0
    source = linecache.getline(code.co_filename, line, _globals_of(member)).strip()
    return TraceStep(
        number,
        member.name,
        shown(code.co_filename),
        line,
        source,
        "" if instruction.offset < 0 else instruction.opname,
        tuple(kinds),
        what,
        state,
    )


_SIGNS = {
    f"{form}_{name}": sign
    for form in ("BINARY", "INPLACE")
    for name, sign in (
        *(("ADD", "+"), ("SUBTRACT", "-"), ("MULTIPLY", "*"), ("TRUE_DIVIDE", "/")),
        *(("FLOOR_DIVIDE", "//"), ("MODULO", "%"), ("AND", "&"), ("OR", "|"), ("XOR", "^")),
    )
}
"""Until 3.10 each operator has an instruction of its own."""


def _globals_of(member: Member) -> Any:
    return member.frames[-1][0].f_globals if member.frames else None


def _now(access: Any) -> object:
    """What is at the place of an access now, without calling code of the program."""
    owner, name = access.owner, access.name
    if name is ALL:
        return owner
    try:
        if isinstance(owner, dict):
            return owner.get(name, MISSING)
        if isinstance(name, int):
            return owner[name]
        return object.__getattribute__(owner, name)
    except (LookupError, AttributeError, TypeError):
        return MISSING


def in_short(value: object) -> str:
    """Show a value in a few characters; of a class of the program only its name."""
    if type(value).__repr__ is object.__repr__:
        return f"a {type(value).__name__}"
    try:
        shown_value = repr(value)
    except Exception:  # it is the program's own code
        return f"a {type(value).__name__}"
    return shown_value if len(shown_value) <= WIDEST else shown_value[: WIDEST - 1] + "…"
