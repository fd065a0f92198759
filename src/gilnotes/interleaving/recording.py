"""Every state that a program can reach, as a graph whose every edge was taken by real threads.

For a game in which the reader is the scheduler: at each point it says what each thread would do
next, or what it waits for. Nothing is worked out, all of it is tried: for each point and each
thread the program is run anew, along a way to the point, and then the thread is let go on.

>>> from gilnotes.programs import PROGRAMS
>>> recording = record(PROGRAMS["race"]())
>>> recording.end("ABBBAA").verdict, recording.end("AAABBB").verdict
('broken', 'holds')
>>> recording.spell("ABBBAA")
'A.read B.read B.add B.write A.add A.write'

A step is what threads may notice of each other (a read or a write, a lock taken or given back), or
a computation or call between them. Instructions that only move values about belong to the step
after them, and so does reading the attribute that holds a lock.

Two ways lead to one point when the shared values are the same, and each thread has taken the same
steps with the same results. What a thread does next depends on nothing else (see `Program`).
"""

from __future__ import annotations

import ast
import heapq
import inspect
import json
import textwrap
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.interleaving.cooperative import Lock
from gilnotes.interleaving.program import VERDICTS
from gilnotes.interleaving.replaying import described, in_short
from gilnotes.interleaving.running import Crew
from gilnotes.interleaving.study import Study
from gilnotes.interpreters import current

if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable, Iterator, Tuple

    from gilnotes.interleaving.program import Program
    from gilnotes.interleaving.running import Doing, Member

    Shared = Tuple[Tuple[str, str], ...]
    Key = Tuple[Tuple[Tuple["Step", ...], ...], Shared]
    Says = Callable[[str, Any, Tuple["Step", ...]], str]
    Cost = Tuple[int, int, str, str]


@dataclass(frozen=True)
class Code:
    """What a thread executes, as its file has it; the docstring is left out."""

    thread: str
    file: str
    """Without its folder."""
    lines: tuple[tuple[int, str], ...]
    """Number and text."""


@dataclass(frozen=True)
class Step:
    """What a thread has done in one step."""

    thread: str
    line: int
    opcode: str
    """The instruction that did it."""
    kind: str
    """What a schedule calls it: "read", "add", "write", "call", "acquire" or "release"."""
    does: str
    """In words: "reads count", "takes lock"."""
    result: str
    """What came of it: the value read or written, "0 + 1"; "" where there is nothing to say."""

    def __str__(self) -> str:
        return f"{self.thread} {self.does}" + (f": {self.result}" if self.result else "")


@dataclass(frozen=True)
class Wait:
    """Why a thread cannot take its next step."""

    thread: str
    line: int
    opcode: str
    lock: str
    holder: str
    """The thread that holds the lock; "" if none does."""

    def __str__(self) -> str:
        held = f", held by {self.holder}" if self.holder else ""
        return f"{self.thread} waits for {self.lock}{held}"


class Move(NamedTuple):
    """A step that a thread can take, and where it leads: indices into the recording."""

    step: int
    to: int


@dataclass(frozen=True)
class End:
    """How a run has ended."""

    verdict: str
    """"holds", "broken", "deadlock" or "exception"."""
    says: str
    """The same in words: "1 update lost"."""


@dataclass(frozen=True)
class Point:
    """A state of the program, between two steps."""

    shared: tuple[str, ...]
    """The shared values, in the order of `Recording.shared`. Of a lock: "held by A", or "free"."""
    own: tuple[str, ...]
    """Of each thread, the value it has read or computed and has not written yet."""
    moves: tuple[Move | None, ...]
    """Of each thread, the step it can take."""
    waits: tuple[int | None, ...]
    """Of each thread, the index of the reason why it cannot. Neither: it has ended."""
    end: int | None = None
    """Where nobody can go on: the index of the end."""


@dataclass(frozen=True)
class Recording:
    """A program's points. The first is where it starts."""

    threads: tuple[str, ...]
    code: tuple[Code, ...]
    """Of each thread."""
    shared: tuple[str, ...]
    """The names of the shared values."""
    steps: tuple[Step, ...]
    waits: tuple[Wait, ...]
    ends: tuple[End, ...]
    points: tuple[Point, ...]
    executions: int
    """The runs that were made to find this out."""
    interpreter: str
    """Who made them: "CPython 3.11.7, GIL on"."""

    def points_of(self, letters: str) -> tuple[int, ...]:
        """The points on the way that some threads' steps lead, a name a step, from the start on.

        Raises ValueError, with the step and the reason, for a thread that cannot go on.
        """
        way = [0]
        for number, name in enumerate(letters, 1):
            if name not in self.threads:
                raise ValueError(f"step {number}: no thread {name!r}; {', '.join(self.threads)}")
            index = self.threads.index(name)
            move = self.points[way[-1]].moves[index]
            if move is None:
                wait = self.points[way[-1]].waits[index]
                why = f"{name} has ended" if wait is None else str(self.waits[wait])
                raise ValueError(f"step {number}: {why}")
            way.append(move.to)
        return tuple(way)

    def steps_of(self, letters: str) -> tuple[Step, ...]:
        """The steps on a way."""
        return tuple(
            self.steps[move.step]
            for point, name in zip(self.points_of(letters), letters)
            for move in [self.points[point].moves[self.threads.index(name)]]
            if move is not None
        )

    def end(self, letters: str) -> End | None:
        """How a way ends; None where somebody can go on."""
        end = self.points[self.points_of(letters)[-1]].end
        return None if end is None else self.ends[end]

    def spell(self, letters: str) -> str:
        """Write a way as a schedule for `replay`, which knows nothing of this recording."""
        return " ".join(f"{step.thread}.{step.kind}" for step in self.steps_of(letters))

    def preemptions(self, letters: str) -> int:
        """Count the switches away from a thread that could have gone on."""
        way = self.points_of(letters)
        return sum(
            before != after and self.points[point].moves[self.threads.index(before)] is not None
            for before, after, point in zip(letters, letters[1:], way[1:])
        )

    def fewest(self, *verdicts: str) -> str | None:
        """A way to such an end with the fewest preemptions, of these the one that switches least.

        >>> from gilnotes.programs import PROGRAMS
        >>> record(PROGRAMS["deadlock"]()).fewest("deadlock")
        'AB'
        """
        return self._cheapest(verdicts, (1, 1))

    def restless(self, *verdicts: str) -> str | None:
        """A way to such an end on which threads take turns after every step, as long as they can.

        >>> from gilnotes.programs import PROGRAMS
        >>> record(PROGRAMS["lock"]()).restless("holds")
        'AAAAABBBBB'
        """
        return self._cheapest(verdicts, (-1, -1))

    def _cheapest(self, verdicts: tuple[str, ...], prices: tuple[int, int]) -> str | None:
        """Dijkstra's way, over points and who was the last to move; no way has a circle."""
        best: dict[tuple[int, str], Cost] = {(0, ""): (0, 0, "", "")}
        # Every step leads to a point with one more step taken: in that order all is settled.
        waiting: list[tuple[int, int, str]] = [(0, 0, "")]
        found: list[Cost] = []
        while waiting:
            taken, index, last = heapq.heappop(waiting)
            preempted, switched, pattern, letters = best[index, last]
            point = self.points[index]
            if point.end is not None and self.ends[point.end].verdict in verdicts:
                found.append(best[index, last])
            for name, move in zip(self.threads, point.moves):
                if move is None:
                    continue
                switches = bool(last) and name != last
                could = switches and point.moves[self.threads.index(last)] is not None
                cost = (
                    preempted + prices[0] * could,
                    switched + prices[1] * switches,
                    # Of ways that cost the same, the one that switches sooner.
                    pattern + ("0" if switches else "1" if last else name),
                    letters + name,
                )
                if (move.to, name) not in best:
                    heapq.heappush(waiting, (taken + 1, move.to, name))
                    best[move.to, name] = cost
                best[move.to, name] = min(best[move.to, name], cost)
        return min(found)[3] if found else None

    def to_json(self) -> str:
        """All of it, on one line."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def record(program: Program, *, says: Says | None = None, max_points: int = 1000) -> Recording:
    """Run a program of two or more threads until all points it can reach are known.

    Args:
        program: each thread has a name of one letter.
        says: names an end in words. It is given the verdict, the shared object as the threads
            have left it, and all steps; left out, it is the verdict.
        max_points: a program with more of them is nothing to play with.

    Raises:
        ValueError: the program has too many points, or threads with long names.
        RuntimeError: it does not do the same when it is scheduled in the same way.
    """
    if any(len(name) > 1 for name in program.names):
        raise ValueError(f"a thread's name must be one letter: {', '.join(program.names)}")
    recorder = _Recorder(program)
    with Crew(program, recorder.study, recorder, fine=True) as crew:
        graph = _Graph(recorder, crew, says or (lambda verdict, *_: verdict))
        return graph.recording(max_points)


@dataclass(frozen=True)
class Run:
    """What one schedule has come to, on real threads."""

    verdict: str
    """One of `VERDICTS`; "" if the run was left where the schedule ended."""
    steps: tuple[Step, ...]
    shared: tuple[Shared, ...]
    """The shared values at the start and after each step."""
    stopped: Wait | bool
    """Why the last thread of the schedule could not take its step; True: it has ended."""
    last: object
    """The shared object."""

    def key(self, names: tuple[str, ...]) -> Key:
        """What makes two states the same."""
        trails = (tuple(step for step in self.steps if step.thread == name) for name in names)
        return tuple(trails), self.shared[-1]


def play(program: Program, letters: str) -> Run:
    """Let real threads take the steps of a way, then each its rest, and see how it ends.

    >>> from gilnotes.programs import PROGRAMS
    >>> run = play(PROGRAMS["race"](), "ABBBAA")
    >>> run.verdict, run.last.count, str(run.steps[0])
    ('broken', 1, 'A reads count: 0')
    """
    recorder = _Recorder(program)
    with Crew(program, recorder.study, recorder, fine=True) as crew:
        return recorder.run(crew, letters, to_the_end=True)


class _Graph:
    """The points found so far."""

    def __init__(self, recorder: _Recorder, crew: Crew, says: Says) -> None:
        self.recorder = recorder
        self.crew = crew
        self.says = says
        self.names = crew.program.names
        self.steps: dict[Step, int] = {}
        self.waits: dict[Wait, int] = {}
        self.ends: dict[End, int] = {}

    def recording(self, max_points: int) -> Recording:
        start = self.recorder.run(self.crew, "")
        keys = {start.key(self.names): 0}
        ways = [("", start)]
        points = []
        for letters, run in ways:  # grows
            point = Point(tuple(value for _, value in run.shared[-1]), self._own(run), (), ())
            moves: list[Move | None] = []
            waits: list[int | None] = []
            for name in self.names:
                after = self.recorder.run(self.crew, letters + name)
                self._compare(run, after, letters + name)
                if isinstance(after.stopped, Wait):
                    moves.append(None)
                    waits.append(self.waits.setdefault(after.stopped, len(self.waits)))
                elif after.stopped:
                    moves.append(None)
                    waits.append(None)
                else:
                    to = keys.setdefault(after.key(self.names), len(ways))
                    if to == len(ways):
                        ways.append((letters + name, after))
                    step = self.steps.setdefault(after.steps[-1], len(self.steps))
                    moves.append(Move(step, to))
                    waits.append(None)
            end = None if any(moves) else self._end(letters)
            points.append(replace(point, moves=tuple(moves), waits=tuple(waits), end=end))
            if len(points) > max_points:
                raise ValueError(f"more than {max_points} points")
        return Recording(
            self.names,
            tuple(self.recorder.code[name] for name in self.names),
            tuple(name for name, _ in start.shared[-1]),
            tuple(self.steps),
            tuple(self.waits),
            tuple(self.ends),
            tuple(points),
            self.recorder.executions,
            current().label,
        )

    def _own(self, run: Run) -> tuple[str, ...]:
        last = {step.thread: step for step in run.steps}
        return tuple(
            last[name].result if name in last and last[name].kind in ("read", "add") else ""
            for name in self.names
        )

    def _compare(self, before: Run, after: Run, letters: str) -> None:
        """Every way is gone again and again; whatever changes cannot be merged into a graph."""
        if before.steps != after.steps[: len(before.steps)]:
            raise RuntimeError(
                f"{letters} did not begin as it did before: setup() must put everything into its "
                "first state, and threads must not depend on clocks, chance or input"
            )

    def _end(self, letters: str) -> int:
        run = self.recorder.run(self.crew, letters, to_the_end=True)
        assert run.verdict in VERDICTS, run.verdict
        end = End(run.verdict, self.says(run.verdict, run.last, run.steps))
        return self.ends.setdefault(end, len(self.ends))


_LEFT = "left"
"""The verdict of a run that was left in the middle."""


class _Recorder:
    """Lets threads take steps in a given order, and notes them. A `Chooser`.

    It is asked in the threads under study, where an exception would pass for the program's own. So
    its own faults are kept, and raised when the run is over.
    """

    minds_only_choices = False

    def __init__(self, program: Program) -> None:
        self.program = program
        self.study = Study()
        self.executions = 0
        self.code: dict[str, Code] = {}

    def run(self, crew: Crew, letters: str, *, to_the_end: bool = False) -> Run:
        """Make one run."""
        verdict = self._run(crew, letters, to_the_end)
        while self.study.grown:  # more of the code is under study than this run knew
            self.study.grown = False
            verdict = self._run(crew, letters, to_the_end)
        if verdict == _LEFT:
            verdict = ""
        return Run(verdict, tuple(self.steps), tuple(self.shared), self.stopped, crew.shared)

    def _run(self, crew: Crew, letters: str, to_the_end: bool) -> str:
        self.letters = letters
        self.to_the_end = to_the_end
        self.steps: list[Step] = []
        self.shared: list[Shared] = []
        self.stopped: Wait | bool = False
        self.fault: Exception | None = None
        self.executions += 1
        verdict = crew.run()
        if self.fault is not None:
            raise self.fault
        if len(self.steps) < len(letters) and not self.stopped:
            self.stopped = True  # all threads had ended: nobody was asked who goes on
        return verdict

    def choose(self, crew: Crew) -> Member | None:
        """Return whose letter it is."""
        try:
            if self.fault is None:
                return self._choose(crew)
        except Exception as fault:
            self.fault = fault
        crew.stopped = _LEFT
        return None

    def _choose(self, crew: Crew) -> Member | None:
        if not self.shared:
            self.shared.append(tuple(_values(crew.shared)))
        if len(self.steps) < len(self.letters):
            name = self.letters[len(self.steps)]
            member = crew.members[self.program.names.index(name)]
            if member.enabled:
                return member
            self.stopped = _wait(member) if member.alive else True
            crew.stopped = _LEFT
            return None
        if not self.to_the_end:
            crew.stopped = _LEFT
            return None
        enabled = [member for member in crew.members if member.enabled]
        if not enabled:
            crew.deadlocked()
            return None
        return enabled[0]

    def retract(self, member: Member) -> None:
        """Nothing was noted yet of the step that turned out to wait."""

    def took(self, member: Member, doing: Doing) -> None:
        """Note a step, if it is one of those that are played with."""
        try:
            self._took(member, doing)
        except Exception as fault:
            self.fault = self.fault or fault

    def _took(self, member: Member, doing: Doing) -> None:
        if member.name not in self.code:
            self.code[member.name] = _code_of(member.name, doing.step.code)
        step = _step(member, doing)
        if step is not None:
            self.steps.append(step)
            self.shared.append(tuple(_values(member.crew.shared)))


def _values(shared: Any) -> Iterator[tuple[str, str]]:
    """What the shared object holds now."""
    attributes = getattr(shared, "__dict__", None)
    for name, value in {"shared": shared}.items() if attributes is None else attributes.items():
        if isinstance(value, Lock):
            holder = f"held by {value.holder.name}" if value.holder else "held"
            yield name, holder if value.held else "free"
        else:
            yield name, in_short(value)


def _step(member: Member, doing: Doing) -> Step | None:
    """Say in words what a thread has done; None for what only leads to the next step."""
    traced = described(member, doing, 0)
    if doing.lock is not None:
        if doing.kind not in _OF_A_LOCK:
            return None
        kind, does = _OF_A_LOCK[doing.kind]
        words, result = does.format(doing.lock), ""
    elif not traced.kinds:
        return None
    else:
        kind = traced.kinds[-1]
        sign = " → " if kind == "read" else " ← "
        name, _, result = traced.what.partition(sign)
        if kind == "read" and isinstance(doing.values.get(doing.step.instruction.offset), Lock):
            return None
        words = {"read": "reads", "write": "writes", "call": "calls"}.get(kind, "") + f" {name}"
        if kind == "add":
            words, result = "computes", traced.what
    return Step(member.name, traced.line, traced.opcode, kind, words, result)


_OF_A_LOCK = {
    "acquire": ("acquire", "takes {}"),
    "fail": ("acquire", "does not get {}"),
    "release": ("release", "gives back {}"),
}


def _wait(member: Member) -> Wait:
    waiting = member.waiting()
    opcode, line = "", int(waiting.where.rpartition(":")[2])
    if member.frames:
        inside = member.frames[-1]
        step = inside.plan.steps[inside.frame.f_lasti >> 1]
        opcode = step.instruction.opname if step else ""
    return Wait(member.name, line, opcode, waiting.lock, waiting.holder)


def _code_of(thread: str, code: CodeType) -> Code:
    """The lines of a function, without its docstring."""
    lines, first = inspect.getsourcelines(code)
    tree: Any = ast.parse(textwrap.dedent("".join(lines)))
    function = tree.body[0]
    hidden: set[int] = set()
    if ast.get_docstring(function) is not None:
        text = function.body[0]
        hidden = set(range(text.lineno, text.end_lineno + 1))
    shown = (
        (first + index, line)
        for index, line in enumerate(textwrap.dedent("".join(lines)).splitlines())
        if index + 1 not in hidden and line.strip()
    )
    return Code(thread, code.co_filename.replace("\\", "/").rpartition("/")[2], tuple(shown))
