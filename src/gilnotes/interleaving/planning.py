"""What has to be looked at before an instruction is executed, by the kind of instruction.

`plan` turns each instruction of a code object into a `Step`. A step that may touch shared state has
a function that is called just before the instruction is executed, while no other thread runs: it
notes the values that later instructions of the frame need, and returns the access, if it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gilnotes.interleaving.accesses import (
    IMMUTABLE,
    MISSING,
    Access,
    access_item,
    is_code,
    read_attribute,
    together,
    touch,
    write_attribute,
)
from gilnotes.interleaving.calls import called_with
from gilnotes.interleaving.operands import CALLS, FRESH, UNKNOWN, Instruction, instructions

if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, Callable, Dict, Iterator, Optional

    Values = Dict[int, Any]
    """What instructions of a frame have produced, by their offset."""
    Look = Callable[[FrameType, Values], Optional[Access]]


@dataclass(frozen=True)
class Step:
    """One instruction under study, and what has to be done before it is executed."""

    instruction: Instruction
    code: CodeType
    look: Look | None = None
    kind: str = ""
    """"add", "call", or nothing in particular. Reads and writes are known only when they happen."""
    plain: bool = True
    """Whether there is nothing to be done before it."""


@dataclass(frozen=True)
class Plan:
    """The steps of a code object, and what is known of their values when a frame begins."""

    code: CodeType
    steps: tuple[Step | None, ...]
    """`steps[frame.f_lasti // 2]` is the one about to be executed."""
    constants: Values
    """The constants that instructions want to know, by the offset of what loads them."""
    parameters: tuple[tuple[int, str], ...]
    """Likewise the parameters that nothing in the code assigns to."""

    def values(self, frame: FrameType) -> Values:
        """Note what is known when a frame begins."""
        values = self.constants.copy()
        if self.parameters:
            scope = frame.f_locals
            for offset, name in self.parameters:
                values[offset] = scope.get(name, MISSING)
        return values


@lru_cache(maxsize=1024)
def plan(code: CodeType) -> Plan:
    """Plan a code object."""
    listing = instructions(code)
    needed = _needed(listing)
    constants = {
        i.offset: i.argval for i in listing if i.opname == "LOAD_CONST" and i.offset in needed
    }
    parameters = tuple(_parameters(code, listing, needed))
    needed -= {offset for offset, _ in parameters}
    steps: list[Step | None] = [None] * (len(code.co_code) // 2 + 1)
    prefix = None
    for instruction in listing:
        if instruction.opname in _NO_STEPS:
            continue
        look, kind = _look(instruction, needed), _kind(instruction)
        step = Step(instruction, code, look, kind, plain=look is None and kind != "call")
        steps[instruction.offset // 2] = step
        if prefix is not None:
            # The event of an instruction with a long argument comes at its first prefix.
            steps[prefix // 2] = step
        if instruction.opname != "EXTENDED_ARG":
            prefix = None
        elif prefix is None:
            prefix = instruction.offset
    return Plan(code, tuple(steps), constants, parameters)


def _parameters(
    code: CodeType, listing: tuple[Instruction, ...], needed: frozenset[int]
) -> Iterator[tuple[int, str]]:
    """Which instructions load a parameter that stays what it was, and is wanted."""
    count = code.co_argcount + code.co_kwonlyargcount
    assigned: set[str] = set()
    for instruction in listing:
        if instruction.opname.startswith(("STORE_FAST", "DELETE_FAST", "LOAD_FAST_AND_CLEAR")):
            names = instruction.argval
            assigned.update(names if isinstance(names, tuple) else (names,))
    constant = set(code.co_varnames[:count]) - assigned
    for instruction in listing:
        if instruction.opname.startswith("LOAD_FAST"):
            names = instruction.argval
            for place, name in enumerate(names if isinstance(names, tuple) else (names,)):
                if name in constant and instruction.offset + place in needed:
                    yield instruction.offset + place, name


_NO_STEPS = frozenset(
    ("RESUME", "MAKE_CELL", "COPY_FREE_VARS", "RETURN_GENERATOR", "CACHE", "GEN_START")
)
"""What belongs to the beginning of a frame, and is no step of the program."""


def _kind(instruction: Instruction) -> str:
    opname = instruction.opname
    if opname in CALLS:
        return "call"
    is_subscript = opname in ("BINARY_SUBSCR", "BINARY_SLICE") or instruction.argrepr == "[]"
    return "add" if opname.startswith(("BINARY_", "INPLACE_")) and not is_subscript else ""


def _needed(listing: tuple[Instruction, ...]) -> frozenset[int]:
    """The instructions whose result a later one wants to know."""
    wanted = set()
    for instruction in listing:
        if instruction.opname in ("STORE_ATTR", "DELETE_ATTR"):
            wanted.add(instruction.operands[-1])
        else:
            wanted.update(instruction.operands)
    return frozenset(wanted)


# -- what to look at, by the kind of instruction


def _look(instruction: Instruction, needed: frozenset[int]) -> Look | None:
    opname = instruction.opname
    if opname == "LOAD_CONST":
        return None
    if opname.startswith(("LOAD_FAST", "STORE_FAST_LOAD")):
        wanted = {instruction.offset, instruction.offset + 1} & needed
        return _local(instruction, needed) if wanted else None
    look = _LOOKS.get(opname)
    if look is not None:
        return look(instruction)
    if opname in _ITEMS or instruction.argrepr == "[]":
        return _item(instruction, _ITEMS.get(opname, (0, 1, False)))
    if opname == "IS_OP" or opname.endswith("NONE"):
        return None
    return _values(instruction)


_ITEMS = {
    "BINARY_SUBSCR": (0, 1, False),
    "STORE_SUBSCR": (1, 2, True),
    "DELETE_SUBSCR": (0, 1, True),
    "BINARY_SLICE": (0, None, False),
    "STORE_SLICE": (1, None, True),
}
"""The places of the container and of the key among the operands, and whether it is written."""


def _local(instruction: Instruction, needed: frozenset[int]) -> Look:
    offset, names = instruction.offset, instruction.argval
    wanted = (
        [(offset + place, name) for place, name in enumerate(names) if offset + place in needed]
        if isinstance(names, tuple)
        else [(offset, names)]
    )
    if len(wanted) == 1:
        ((symbol, only),) = wanted

        def look_at_one(frame: FrameType, values: Values) -> None:
            values[symbol] = frame.f_locals.get(only, MISSING)

        return look_at_one

    def look(frame: FrameType, values: Values) -> None:
        for symbol, name in wanted:
            values[symbol] = frame.f_locals.get(name, MISSING)

    return look


def _global(instruction: Instruction) -> Look:
    offset, name = instruction.offset, instruction.argval
    reads = instruction.opname.startswith("LOAD")

    def look(frame: FrameType, values: Values) -> Access:
        scope = frame.f_globals
        if reads:
            values[offset] = scope.get(name, MISSING)
            if values[offset] is MISSING:
                values[offset] = frame.f_builtins.get(name, MISSING)
        shown = not reads or not (values[offset] is MISSING or is_code(values[offset]))
        key = ("global", scope.get("__name__"), name)
        return Access(key, ((id(scope), name, not reads),), scope, name, shown)

    return look


def _cell(instruction: Instruction) -> Look:
    offset, name = instruction.offset, instruction.argval
    reads = instruction.opname.startswith("LOAD")

    def look(frame: FrameType, values: Values) -> Access:
        scope = frame.f_locals
        if reads:
            values[offset] = scope.get(name, MISSING)
        # A frame does not say which cell it is: all of a name are taken for one.
        return Access(("cell", name), (("cell", name, not reads),), scope, name)

    return look


def _attribute(instruction: Instruction) -> Look:
    offset, name = instruction.offset, instruction.argval
    (container,) = instruction.operands
    if container == FRESH:
        return _unknown_result(offset)

    def look(_: FrameType, values: Values) -> Access | None:
        owner = values.get(container, MISSING)
        access, values[offset] = read_attribute(owner, name)
        return access

    return look


def _unknown_result(offset: int) -> Look:
    def look(_: FrameType, values: Values) -> None:
        values[offset] = MISSING

    return look


def _super_attribute(instruction: Instruction) -> Look:
    offset, operands, name = instruction.offset, instruction.operands, instruction.argval

    def look(_: FrameType, values: Values) -> None:
        cls, this = (values.get(symbol, MISSING) for symbol in operands)
        values[offset] = _of_super(cls, this, name)

    return look


def _of_super(cls: Any, this: Any, name: str) -> object:
    if cls is MISSING or this is MISSING:
        return MISSING
    try:
        return getattr(super(cls, this), name)
    except (TypeError, AttributeError):
        return MISSING


def _set_attribute(instruction: Instruction) -> Look | None:
    container, name = instruction.operands[-1], instruction.argval
    if container == FRESH:
        return None

    def look(_: FrameType, values: Values) -> Access | None:
        return write_attribute(values.get(container, MISSING), name)

    return look


def _manager(instruction: Instruction) -> Look:
    offset, (manager,) = instruction.offset, instruction.operands

    def look(_: FrameType, values: Values) -> None:
        value = values.get(manager, MISSING)
        values[offset] = MISSING if value is MISSING else getattr(value, "__exit__", MISSING)

    return look


def _item(instruction: Instruction, form: tuple[int, int | None, bool]) -> Look:
    offset, operands = instruction.offset, instruction.operands
    place, key_place, writes = form
    container = operands[place]
    if container == FRESH:
        return _unknown_result(offset)
    key_symbol = UNKNOWN if key_place is None else operands[key_place]

    def look(_: FrameType, values: Values) -> Access | None:
        owner = values.get(container, MISSING)
        access, values[offset] = access_item(owner, values.get(key_symbol, MISSING), writes)
        return access

    return look


def _values(instruction: Instruction) -> Look | None:
    """An instruction that may look into its operands, and change the first one in place."""
    opname, operands = instruction.opname, instruction.operands
    in_place = opname.startswith("INPLACE_") or instruction.argrepr.endswith("=")
    looked_at = tuple(
        (symbol, in_place and not index) for index, symbol in enumerate(operands) if symbol != FRESH
    )
    if not looked_at:
        return None

    def look(_: FrameType, values: Values) -> Access | None:
        found = None
        for symbol, writes in looked_at:
            value = values.get(symbol, MISSING)
            if type(value) not in IMMUTABLE or value is MISSING:
                found = together((found, touch(value, writes=writes)))
        return found

    return look


def _call(instruction: Instruction) -> Look:
    offset, (function, *arguments) = instruction.offset, instruction.operands

    def look(frame: FrameType, values: Values) -> Access | None:
        called = values.get(function, MISSING)
        given = [None if s == FRESH else values.get(s, MISSING) for s in arguments]
        access, values[offset] = called_with(called, given, frame)
        return access

    return look


_LOOKS: dict[str, Callable[[Instruction], Look | None]] = {
    **dict.fromkeys(
        ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "STORE_NAME", "DELETE_GLOBAL"), _global
    ),
    **dict.fromkeys(("LOAD_DEREF", "LOAD_CLASSDEREF", "STORE_DEREF", "DELETE_DEREF"), _cell),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD"), _attribute),
    **dict.fromkeys(("STORE_ATTR", "DELETE_ATTR"), _set_attribute),
    **dict.fromkeys(("SETUP_WITH", "BEFORE_WITH"), _manager),
    **dict.fromkeys(CALLS, _call),
    "LOAD_SUPER_ATTR": _super_attribute,
}
