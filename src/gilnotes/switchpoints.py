"""Where this interpreter hands the GIL over inside a function: measured, not guessed."""

from __future__ import annotations

import builtins
import dis
import inspect
import linecache
import sys
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, islice, repeat
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from gilnotes import tables
from gilnotes.evalloop import (
    NoSwitchPoints,
    check_gil,
    kind_of_callee,
    may_switch_after,
    may_switch_at_entry,
    may_switch_at_handler,
)
from gilnotes.experiments import ask
from gilnotes.instructions import CALLS, Instruction, Window, instructions, window
from gilnotes.tables import Table
from gilnotes.threads import Member, check_whole_number

if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any, Callable, Iterable, Mapping

    from gilnotes.interpreters import Interpreter

__all__ = [
    "Listing",
    "NoSwitchPoints",
    "Place",
    "listing_from",
    "may_switch_after",
    "may_switch_at_entry",
    "may_switch_at_handler",
    "switchpoints",
    "switchpoints_on",
]

ENTRY = "(entry)"
"""Stands for an opcode where there is none: until 3.10 a function begins without an instruction."""

SWITCH_INTERVAL = 1e-6
"""In seconds: ask for the GIL as often as possible."""

PATIENCE = 5.0
"""Seconds to look on, if that many samples do not come sooner."""

PAUSE = 1e-6
"""Seconds to sleep before each look. The thread then runs for a while, and each look finds another
switch; without it ten looks in a row find the same one. It makes a look take 0.2 to 1 ms.
"""

WARM_UP = 200
"""Calls before the first sample. By then the interpreter has specialized what it will."""


@dataclass(frozen=True)
class Place:
    """One instruction, and how often the thread was found waiting for the GIL right after it."""

    line: int
    source: str
    """The line's text."""
    offset: int
    """In bytes, as `dis` shows it; -1 for the entry on versions that have no RESUME."""
    opname: str
    argrepr: str
    count: int
    """Samples that found the thread here, those `inside` included."""
    explained: bool
    """Whether CPython's source says that a switch may come here, or it came in what is called."""
    inside: int = 0
    """Samples that found it in Python code that this instruction called."""
    callee: str = ""
    """The name of what it calls, if it is a call of something with a name."""

    def __str__(self) -> str:
        named = self.callee or self.argrepr
        if named.startswith("to "):  # where a jump leads: no name, and an offset of its own
            return self.opname
        return f"{self.opname} ({named})" if named else self.opname


@dataclass(frozen=True)
class Listing:
    """The instructions of a function, each with the switches that were seen there."""

    function: str
    """Its qualified name: "Counter.increment"."""
    places: tuple[Place, ...]
    """All its instructions, in the order of the code."""
    samples: int
    """How often the thread was found inside the function."""
    read: int | None
    """The offset of the instruction that reads shared state; None if none is seen to."""
    write: int | None
    """The offset of the instruction that writes it back."""
    returned: bool
    """False if the function was still at its last call when `switchpoints` stopped to look."""

    @property
    def parked(self) -> tuple[Place, ...]:
        """The places where a switch was seen."""
        return tuple(place for place in self.places if place.count)

    @property
    def window(self) -> tuple[Place, ...]:
        """The places where a switch came after the read and before the write: updates get lost.

        What the read itself calls (a property's getter) does not count, since it may not have read
        yet; what the write calls does.
        """
        return tuple(place for place in self.parked if self._between(place))

    @property
    def verdict(self) -> str:
        """Say in one sentence what the measurement means for an update."""
        if self.read is None or self.write is None:
            return "It reads and writes no attribute, item, global or cell: no update to lose."
        if not self.samples:
            return "The thread was never found inside the function."
        places = ", ".join(map(self.where, self.window))
        return f"Between the read and the write: {places or 'no place to switch'}."

    def where(self, place: Place) -> str:
        """Say where a switch comes: "after CALL (int)", "in what STORE_ATTR (count) calls"."""
        if place.offset == self.write or place.inside == place.count:
            return f"in what {place} calls"
        return f"after {place}"

    def __str__(self) -> str:
        rows = tuple(map(self._row, self.places))
        header: tuple[str, ...] = ("", "line", "source", "opcode", "", "switches", "in a callee")
        if not any(place.inside for place in self.places):
            header, rows = header[:-1], tuple(row[:-1] for row in rows)
        notes = [self.verdict]
        if any(not place.explained for place in self.parked):
            notes.append("? marks what the eval loop does not explain: code in C let the GIL go.")
        if not self.returned:
            notes.append("The function had not returned when the time was over.")
        return "\n".join([f"{self.function}:", tables.text(Table(header, rows)), *notes])

    def _row(self, place: Place) -> tuple[str, ...]:
        previous = self.places[max(0, self.places.index(place) - 1)]
        repeated = previous is not place and previous.line == place.line
        mark = "✗" if not place.count else "✓" if place.explained else "?"
        return (
            self._bar(place.offset),
            "" if repeated else str(place.line),
            "" if repeated else place.source,
            str(place),
            mark,
            str(place.count),
            str(place.inside or "–"),
        )

    def _bar(self, offset: int) -> str:
        if self.read is None or self.write is None or not self.read <= offset <= self.write:
            return " "
        return {self.read: "┌", self.write: "└"}.get(offset, "│")

    def _between(self, place: Place) -> bool:
        if self.read is None or self.write is None:
            return False
        if place.offset == self.write:
            return place.inside > 0
        if place.offset == self.read:
            return place.count > place.inside
        return self.read < place.offset < self.write


def switchpoints(
    function: Callable[..., object],
    *args: object,
    samples: int = 500,
    seconds: float = PATIENCE,
) -> Listing:
    """Let a thread call ``function(*args)`` again and again, and look where it lets go of the GIL.

    >>> from gilnotes import Counter
    >>> listing = switchpoints(Counter().increment, 1)  # doctest: +SKIP
    >>> [str(place) for place in listing.window]  # doctest: +SKIP
    []

    The switch interval is 1 µs meanwhile, for the whole process. It looks ``samples`` times, or for
    ``seconds`` seconds, whichever ends first. A switch that comes seldom may not be seen. One in
    Python code that the function calls is counted where it calls. The calls really happen, so hand
    over an object that may change.

    A function that blocks is left in its thread, a daemon. An exception that it ends with is raised
    here. Raises NoSwitchPoints if the GIL is off, TypeError for a function that is no Python code.
    """
    check_gil()
    check_whole_number("samples", samples, at_least=1)
    python_function = _python_function(function)
    caller = _Caller(function, args)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        caller.start()
        counts = _look(caller, python_function.__code__, samples, time.monotonic() + seconds)
    finally:
        caller.stop = True
        sys.setswitchinterval(before)
        caller.join(timeout=1)
    if caller.error is not None:
        raise caller.error
    return _listing(python_function, counts, returned=not caller.is_alive())


def switchpoints_on(
    chosen: Iterable[Interpreter],
    what: str,
    *,
    samples: int = 500,
    timeout: float | None = None,
) -> list[tuple[Interpreter, Listing | None]]:
    """Look on each interpreter, one after another; None where the GIL is off.

    ``what`` is what the command `gilnotes switchpoints` takes: "race", "lock", the name of a
    refactoring, or "module:function". Raises InterpreterFailed.
    """
    command = ["switchpoints", f"--samples={samples}", "--", what]
    return [
        (interpreter, None if answer["listing"] is None else listing_from(answer["listing"]))
        for interpreter, answer in ask(chosen, command, timeout=timeout)
    ]


def listing_from(answer: Mapping[str, Any]) -> Listing:
    """Make the Listing again that was written as JSON."""
    return Listing(**{**answer, "places": tuple(Place(**place) for place in answer["places"])})


class _Caller(Member):
    """The thread that calls the function until it is told to stop."""

    def __init__(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        super().__init__(self._call_on)
        self.daemon = True
        self.stop = False
        self.calls = 0
        self._call = partial(function, *args)

    def _call_on(self) -> None:
        while not self.stop:
            self._call()
            self.calls += 1


def _look(
    caller: _Caller, code: CodeType, samples: int, deadline: float
) -> Mapping[tuple[int, bool], int]:
    """Count the offsets at which the function waits, apart if it is what it called that waits."""
    counts: Counter[tuple[int, bool]] = Counter()
    cold = min(deadline, time.monotonic() + 0.5)
    left = samples
    while left and caller.is_alive() and time.monotonic() < deadline:
        time.sleep(PAUSE)
        stack = _stack_of(caller.ident)
        warm = caller.calls >= WARM_UP or time.monotonic() > cold
        for depth, (running, offset) in enumerate(stack):
            if running is code and warm:
                counts[offset, depth > 0] += 1
                left -= 1
                break
    return counts


def _stack_of(ident: int | None) -> list[tuple[CodeType, int]]:
    """Return the code and the offset of each frame of a thread, the innermost first.

    All of it is one call into C, which nobody interrupts. Written as a loop it would let go of the
    GIL itself, and then read an offset in a frame that has long gone on, or has returned.
    """
    found: list[tuple[CodeType, int]] = []
    frames = islice(iter(sys._current_frames, None), 1)
    links = chain(map(itemgetter(ident), frames), repeat("f_back"))
    try:
        found.extend(map(attrgetter("f_code", "f_lasti"), accumulate(links, getattr)))
    except (AttributeError, KeyError):  # the outermost frame has no `f_back`; the thread has ended
        return found
    return found


# -- from counts to places


def _listing(
    function: FunctionType, counts: Mapping[tuple[int, bool], int], *, returned: bool
) -> Listing:
    code = function.__code__
    steps = instructions(code)
    seen: Counter[tuple[int, bool]] = Counter()
    names = {step.offset: step.opname for step in steps}
    for (offset, inside), count in counts.items():
        at = _step_at(offset, steps)
        # A thread does not let go while it returns. One that is seen there is being seen late.
        if inside or not names.get(at, "").startswith("RETURN"):
            seen[at, inside] += count
    places = [
        Place(
            step.line,
            linecache.getline(code.co_filename, step.line).strip(),
            step.offset,
            step.opname,
            step.argrepr,
            seen[step.offset, False] + seen[step.offset, True],
            _explained(step, function, seen),
            seen[step.offset, True],
            step.callee,
        )
        for step in _entry(code, steps)
    ]
    shared = window(steps) or Window(-2, -2)
    return Listing(
        function.__qualname__,
        tuple(places),
        sum(seen.values()),
        None if shared.read < 0 else shared.read,
        None if shared.write < 0 else shared.write,
        returned,
    )


def _entry(code: CodeType, steps: Iterable[Instruction]) -> Iterable[Instruction]:
    """Put the entry before the instructions of versions that have no RESUME."""
    if sys.version_info < (3, 11):
        yield Instruction(-1, ENTRY, "", code.co_firstlineno, "")
    yield from steps


def _step_at(offset: int, steps: tuple[Instruction, ...]) -> int:
    """Return the offset of the instruction that a sample belongs to.

    3.12 names the last of an instruction's caches while what it called runs. 3.11 runs the pairs
    PRECALL and CALL, COMPARE_OP and a jump, as one instruction and names the first of them.
    """
    if offset < 0:
        return offset
    index = bisect_right([step.offset for step in steps], offset) - 1
    step = steps[index]
    if step.opname == "PRECALL" or step.following.startswith("POP_JUMP_BACKWARD"):
        return steps[index + 1].offset
    return step.offset


def _explained(step: Instruction, function: FunctionType, seen: Counter[tuple[int, bool]]) -> bool:
    if step.opname == ENTRY:
        return may_switch_at_entry()
    if may_switch_after(step.opname, _kind_of_callee(step, function), step.following):
        return True
    if seen[step.offset, False]:
        return may_switch_at_handler() and _in_try(step.offset, function.__code__)
    return bool(seen[step.offset, True])


def _in_try(offset: int, code: CodeType) -> bool:
    """Tell whether a handler may follow, as far as the order of the code shows it (until 3.10)."""
    return any(
        step.opname.startswith("SETUP_") and step.offset < offset
        for step in dis.get_instructions(code)
    )


def _kind_of_callee(step: Instruction, function: FunctionType) -> str:
    """Sort what a call calls for `may_switch_after`: by its name, if that is a global's."""
    if step.opname not in CALLS or step.callee not in function.__code__.co_names:
        return "unknown"
    try:
        called = function.__globals__[step.callee]
    except KeyError:
        called = getattr(builtins, step.callee, None)
    return kind_of_callee(called)


def _python_function(function: Callable[..., object]) -> FunctionType:
    if isinstance(function, partial):
        return _python_function(function.func)
    found = getattr(function, "__func__", function)
    if not inspect.isfunction(found):
        found = inspect.getattr_static(type(found), "__call__", None)
    if not inspect.isfunction(found):
        raise TypeError(f"{function!r} is no Python code, so it has no instructions to look at")
    return found
