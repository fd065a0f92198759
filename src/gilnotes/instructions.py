"""The instructions of a function, with what `dis` does not say: what they call, read and write."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType
    from typing import Iterator, Sequence

HIDDEN = frozenset({"CACHE", "EXTENDED_ARG"})
"""No steps of their own: space for the interpreter's notes, and the high bits of an argument."""

CALLS = frozenset(
    {"CALL", "CALL_FUNCTION", "CALL_FUNCTION_EX", "CALL_FUNCTION_KW", "CALL_KW", "CALL_METHOD"}
)
"""The instructions that call."""

_READ_BY = {
    "STORE_ATTR": ("LOAD_ATTR",),
    "STORE_DEREF": ("LOAD_DEREF",),
    "STORE_GLOBAL": ("LOAD_GLOBAL",),
    "STORE_NAME": ("LOAD_NAME",),
    "STORE_SUBSCR": ("BINARY_SUBSCR",),
}
"""What reads the place that an instruction writes."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, as `dis` shows it before the interpreter has specialized anything."""

    offset: int
    """In bytes, as `frame.f_lasti` gives it."""
    opname: str
    argrepr: str
    """Its argument for people: "count", "+="; empty if it has none."""
    line: int
    following: str
    """The opname of the instruction after it in the code; empty for the last."""
    callee: str = ""
    """The name of what it calls, as written in the source, if it calls something with a name."""


@dataclass(frozen=True)
class Window:
    """From the read of shared state to the write of what was made of it: offsets, both included."""

    read: int
    write: int


def instructions(code: CodeType) -> tuple[Instruction, ...]:
    """List the instructions of a code object.

    >>> code = (lambda text: int(text)).__code__
    >>> [instruction.callee for instruction in instructions(code) if instruction.callee]
    ['int']
    """
    shown = [step for step in dis.get_instructions(code) if step.opname not in HIDDEN]
    callees = _callees(shown)
    lines = _lines(code)
    following = [step.opname for step in shown[1:]] + [""]
    return tuple(
        Instruction(
            step.offset, step.opname, step.argrepr, lines[step.offset], after, callees[step.offset]
        )
        for step, after in zip(shown, following)
    )


def window(steps: Sequence[Instruction]) -> Window | None:
    """Find the first read and the last write of the same attribute, item, global or cell.

    `getattr` and `setattr` read and write as well, and `.get` reads an item. None if there is no
    such pair. It goes by names, which is enough for code as short as a counter's.
    """
    for write in reversed(steps):
        for read in steps:
            if read.offset >= write.offset:
                break
            if _is_read_of(read, write):
                return Window(read.offset, write.offset)
    return None


def _is_read_of(read: Instruction, write: Instruction) -> bool:
    if write.callee == "setattr":
        return read.callee == "getattr"
    if read.opname not in _READ_BY.get(write.opname, ()):
        return write.opname == "STORE_SUBSCR" and (
            read.callee == "get" or (read.opname, read.argrepr) == ("BINARY_OP", "[]")
        )
    return read.argrepr == write.argrepr


def _lines(code: CodeType) -> dict[int, int]:
    """Return the line of each offset."""
    starts = dict(dis.findlinestarts(code))
    lines = {}
    line = code.co_firstlineno
    for offset in range(0, len(code.co_code), 2):
        line = starts.get(offset) or line
        lines[offset] = line
    return lines


# -- what is called


def _callees(steps: Sequence[dis.Instruction]) -> dict[int, str]:
    """Return, for each offset, the name of what is called there, or "".

    A model of the value stack that knows only names. It follows the code as it is written, not its
    jumps: good for names to show, not for more.
    """
    callees = {}
    stack: list[str] = []
    for step in steps:
        effect = _effect(step)
        callees[step.offset] = _called(step, stack) if step.opname in CALLS else ""
        pushed = list(_names_pushed(step))
        keep = max(0, len(stack) + effect - len(pushed))
        stack = [*(stack + [""] * keep)[:keep], *pushed]
    return callees


def _effect(step: dis.Instruction) -> int:
    """Return by how much the stack grows. 3.11 counts the arguments of a call at its PRECALL."""
    if step.opname == "PRECALL":
        return 0
    if step.opname == "CALL":
        return -1 - (step.arg or 0)
    return dis.stack_effect(step.opcode, step.arg, jump=False)


def _called(step: dis.Instruction, stack: Sequence[str]) -> str:
    """Name what a call finds below its arguments: one entry until 3.10, two from 3.11 on.

    The second holds `self`, or nothing; which of the two comes first has changed with versions.
    """
    argument = step.arg or 0
    if step.opname == "CALL_FUNCTION_EX":
        below = 1 + (argument & 1)
    elif step.opname in ("CALL_FUNCTION_KW", "CALL_KW"):
        below = argument + 1
    else:
        below = argument
    entries = 1 if step.opname in ("CALL_FUNCTION", "CALL_FUNCTION_KW") else 2
    names = stack[max(0, len(stack) - below - entries) : max(0, len(stack) - below)]
    return next((name for name in names if name), "")


def _names_pushed(step: dis.Instruction) -> Iterator[str]:
    """Yield what the instruction leaves on top of the stack."""
    name = str(step.argval)
    if step.opname == "LOAD_METHOD" or (step.opname == "LOAD_ATTR" and "NULL" in step.argrepr):
        yield from (name, "")
    elif step.opname == "LOAD_ATTR" or step.opname in ("LOAD_FAST", "LOAD_NAME", "LOAD_DEREF"):
        yield name
    elif step.opname == "LOAD_GLOBAL":
        yield from (name, "") if "NULL" in step.argrepr else (name,)
    elif step.opname in CALLS or step.opname.startswith(("BINARY", "INPLACE", "LOAD", "BUILD")):
        yield ""
