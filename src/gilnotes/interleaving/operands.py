"""Which instruction produced each operand of another: the value stack, run on symbols.

A trace function sees an instruction just before it is executed, but not the value stack it works
on: from CPython 3.11 nothing shows it. So the stack is run once, at planning time, on symbols that
say where a value came from. What a symbol stands for in one frame is noted when it is produced
(`accesses`). Where the origin cannot be known, the symbol is UNKNOWN, and whoever asks has to
assume the worst.
"""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable

NULL = -1
"""No value: the place beside a callable that is not a method."""

FRESH = -2
"""A value that no other thread can change: a number, a string, a container just built."""

UNKNOWN = -3
"""A value of unknown origin."""

CALLS = frozenset(
    ("CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_KW", "CALL_FUNCTION_KW", "CALL_FUNCTION_EX")
)
"""The instructions that call. (PRECALL, of 3.11 only, prepares.)"""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a code object, and where its operands come from."""

    offset: int
    """In bytes from the beginning, as `frame.f_lasti` counts."""
    opname: str
    argval: Any
    argrepr: str
    line: int | None
    """The line of its source; None for instructions without one."""
    operands: tuple[int, ...]
    """Of each operand the offset of the instruction that produced it, or a symbol below 0.

    (3.13 has instructions that push two values; the second one's symbol is the offset plus 1.) The
    operands of a call are the callable and the arguments.
    """
    following: str
    """The name of the next instruction."""


@lru_cache(maxsize=1024)
def instructions(code: CodeType) -> tuple[Instruction, ...]:
    """List the instructions of a code object with the origins of their operands.

    >>> def add(counter): counter.count += 1
    >>> [i.operands for i in instructions(add.__code__) if i.opname == "LOAD_ATTR"]
    [(2,)]
    """
    lines = dict(dis.findlinestarts(code))
    stack = Stack()
    arriving: dict[int, Stack] = {}
    found = []
    line = None
    listing = list(dis.get_instructions(code))
    guarded = _guarded(code)
    reachable = True
    for index, instruction in enumerate(listing):
        offset, opname = instruction.offset, instruction.opname
        line = lines.get(offset, line)
        if offset in arriving:
            stack = stack.merged(arriving[offset]) if reachable else arriving[offset]
        elif not reachable:
            stack = Stack()
        for depth, pushed, target in guarded.get(offset, ()):
            arriving.setdefault(target, Stack(stack.values[:depth] + [UNKNOWN] * pushed))
        before = stack.copy()
        operands = stack.run(instruction)
        if instruction.opcode in _JUMPS:
            landing = before
            landing.jump(instruction)
            target = instruction.argval
            arriving[target] = landing.merged(arriving[target]) if target in arriving else landing
        reachable = opname not in _NEVER_GOES_ON
        following = listing[index + 1].opname if index + 1 < len(listing) else ""
        found.append(
            Instruction(
                offset,
                opname,
                instruction.argval,
                instruction.argrepr,
                line,
                tuple(operands),
                following,
            )
        )
    return tuple(found)


def _guarded(code: CodeType) -> dict[int, list[tuple[int, int, int]]]:
    """Where a guarded range begins: what its handler keeps of the stack, gets, and where it is.

    (Until 3.10 an instruction, SETUP_FINALLY or the like, says so.)
    """
    found: dict[int, list[tuple[int, int, int]]] = {}
    if sys.version_info >= (3, 11):
        for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined]
            # Where it was interrupted, for some, and the exception come on top.
            handler = (entry.depth, 1 + entry.lasti, entry.target)
            found.setdefault(entry.start, []).append(handler)
    return found


_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
_NEVER_GOES_ON = frozenset(
    (
        *("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD"),
        *("JUMP_ABSOLUTE", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"),
    )
)
_ROTATIONS = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}
_PRODUCES = (
    *("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_AND_CLEAR", "LOAD_CONST"),
    *("LOAD_DEREF", "LOAD_CLASSDEREF"),
)
"""What pushes one value that can be looked up at that moment."""

_IN_PLACE = frozenset(
    f"{sign}=" for sign in ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
)
_FRESH_RESULTS = ("UNARY_", "BINARY_", "COMPARE_OP", "CONTAINS_OP", "IS_OP")
_LOOKS_AT_ONE = frozenset(
    (
        *("LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE", "LIST_TO_TUPLE", "TO_BOOL"),
        *("FORMAT_VALUE", "FORMAT_SIMPLE", "CONVERT_VALUE", "GET_LEN"),
    )
)
_IS_SCALAR = frozenset(
    (
        *("abs", "bool", "callable", "chr", "float", "format", "hasattr", "hash", "id", "int"),
        *("isinstance", "issubclass", "len", "list", "dict", "set", "tuple", "sorted", "ord"),
        *("pow", "range", "repr", "round", "str", "sum", "print", "all", "any", "divmod"),
    )
)
"""Builtins whose result no other thread can change: immutable, or made anew."""


class Stack:
    """The value stack, of symbols. Below what is known lie endless UNKNOWNs."""

    def __init__(self, values: list[int] | None = None) -> None:
        self.values = values or []
        self.scalars: set[int] = set()

    def copy(self) -> Stack:
        """Return another stack of the same values."""
        copied = Stack(list(self.values))
        copied.scalars = self.scalars
        return copied

    def merged(self, other: Stack) -> Stack:
        """Return what is known where two ways through the code meet."""
        pairs = list(zip(reversed(self.values), reversed(other.values)))
        merged = Stack([a if a == b else UNKNOWN for a, b in reversed(pairs)])
        merged.scalars = self.scalars
        return merged

    def pop(self) -> int:
        """Take the top."""
        return self.values.pop() if self.values else UNKNOWN

    def take(self, count: int) -> list[int]:
        """Take some, the topmost last."""
        return [self.pop() for _ in range(count)][::-1]

    def peek(self, depth: int) -> int:
        """Look at a value; 1 is the top."""
        return self.values[-depth] if depth <= len(self.values) else UNKNOWN

    def push(self, *symbols: int) -> None:
        """Put some on top."""
        self.values.extend(symbols)

    def jump(self, instruction: dis.Instruction) -> None:
        """Do what an instruction does to the stack when it jumps."""
        if instruction.opname in ("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP"):
            return
        effect = dis.stack_effect(instruction.opcode, _argument(instruction), jump=True)
        self.take(max(0, -effect))
        self.push(*[UNKNOWN] * max(0, effect))

    def run(self, instruction: dis.Instruction) -> list[int]:
        """Do what an instruction does to the stack; return where its operands came from."""
        opname = instruction.opname
        if opname.startswith("ROT_"):
            return self._rotate(instruction)
        rule = _RULES.get(opname)
        return rule(self, instruction) if rule else self._compute(instruction)

    def _nothing(self, _: dis.Instruction) -> list[int]:
        """PRECALL: what 3.11 says of its effect on the stack is CALL's."""
        return []

    def _push_null(self, _: dis.Instruction) -> list[int]:
        self.push(NULL)
        return []

    def _load_two(self, instruction: dis.Instruction) -> list[int]:
        self.push(instruction.offset, instruction.offset + 1)
        return []

    def _store_and_load(self, instruction: dis.Instruction) -> list[int]:
        self.pop()
        self.push(instruction.offset + 1)
        return []

    def _subscript(self, instruction: dis.Instruction) -> list[int]:
        operands = self.take(2)
        self.push(instruction.offset)
        return operands

    def _slice(self, _: dis.Instruction) -> list[int]:
        operands = self.take(3)
        self.push(FRESH)
        return operands

    def _build(self, instruction: dis.Instruction) -> list[int]:
        self.take(instruction.arg or 0)
        self.push(FRESH)
        return []

    def _enter(self, instruction: dis.Instruction) -> list[int]:
        operands = self.take(1)
        self.push(instruction.offset, UNKNOWN)  # __exit__, and what __enter__ returned
        return operands

    def _iterate(self, _: dis.Instruction) -> list[int]:
        """GET_ITER: to look into the iterator is to look into what it goes through."""
        return [self.peek(1)]

    def _next(self, _: dis.Instruction) -> list[int]:
        operands = [self.peek(1)]
        self.push(UNKNOWN)
        return operands

    def _load(self, instruction: dis.Instruction) -> list[int]:
        self.push(instruction.offset)
        return []

    def _load_global(self, instruction: dis.Instruction) -> list[int]:
        symbol = instruction.offset
        if instruction.argval in _IS_SCALAR:
            self.scalars.add(symbol)
        to_be_called = sys.version_info >= (3, 11) and (instruction.arg or 0) & 1
        if not to_be_called or instruction.opname != "LOAD_GLOBAL":
            self.push(symbol)
        elif sys.version_info >= (3, 13):  # has turned the two round
            self.push(symbol, NULL)
        else:
            self.push(NULL, symbol)
        return []

    def _load_attribute(self, instruction: dis.Instruction) -> list[int]:
        opname, offset = instruction.opname, instruction.offset
        if opname == "LOAD_SUPER_ATTR":
            _, cls, this = self.take(3)
            operands = [cls, this]
            is_method = bool((instruction.arg or 0) & 1)
        else:
            operands = this, *_ = self.take(1)
            is_method = opname == "LOAD_METHOD" or (
                sys.version_info >= (3, 12) and bool((instruction.arg or 0) & 1)
            )
        self.push(offset)
        if is_method:
            # It is bound when it is noted (`accesses`), so what it is bound to is left out.
            self.push(NULL)
        return operands

    def _copy(self, instruction: dis.Instruction) -> list[int]:
        """COPY n; DUP_TOP, which is COPY 1; DUP_TOP_TWO, which copies two."""
        if instruction.opname == "DUP_TOP_TWO":
            self.push(self.peek(2), self.peek(1))
        else:
            self.push(self.peek(instruction.arg or 1))
        return []

    def _swap(self, instruction: dis.Instruction) -> list[int]:
        first, *between, top = self.take(instruction.arg or 2)
        self.push(top, *between, first)
        return []

    def _rotate(self, instruction: dis.Instruction) -> list[int]:
        *others, top = self.take(_ROTATIONS.get(instruction.opname, instruction.arg or 2))
        self.push(top, *others)
        return []

    def _call(self, instruction: dis.Instruction) -> list[int]:
        opname, count = instruction.opname, instruction.arg or 0
        if opname == "CALL_FUNCTION_EX":
            arguments = self.take(1 + (count & 1))
        else:
            if opname in ("CALL_KW", "CALL_FUNCTION_KW"):
                self.pop()  # the names
            arguments = self.take(count)
        if opname in ("CALL_FUNCTION", "CALL_FUNCTION_KW") or (
            opname == "CALL_FUNCTION_EX" and sys.version_info < (3, 11)
        ):
            function = self.pop()
        else:
            # Two places, one of which is empty.
            one, other = self.take(2)
            function = other if one == NULL else one
            if NULL not in (one, other):  # `with` calls __exit__(None, …) without a NULL
                function = one
                arguments = [other, *arguments] if other >= 0 else arguments
        self.push(FRESH if function in self.scalars else instruction.offset)
        return [function, *arguments]

    def _compute(self, instruction: dis.Instruction) -> list[int]:
        """Any other instruction: what it takes away it may have looked at."""
        opname = instruction.opname
        effect = dis.stack_effect(instruction.opcode, _argument(instruction), jump=False)
        operands: list[int] = []
        if opname.startswith("INPLACE_") or instruction.argrepr in _IN_PLACE:
            operands = self.take(2)
            self.push(operands[0])
        elif opname.startswith(_FRESH_RESULTS) or opname in _LOOKS_AT_ONE:
            results = 1 if opname.startswith(_FRESH_RESULTS) else max(0, 1 + effect)
            operands = self.take(results - effect)
            self.push(*[FRESH] * results)
        elif opname.startswith(("POP_JUMP", "JUMP_IF")):
            operands = self.take(-effect)
        elif opname.startswith("UNPACK"):
            operands = self.take(1)
            self.push(*[UNKNOWN] * (1 + effect))
        elif effect > 0:
            self.push(*[UNKNOWN] * effect)
        else:
            self.take(-effect)
            if self.values and opname not in _KEEPS_THE_TOP and not opname.startswith(_TAKES_AWAY):
                self.values[-1] = UNKNOWN
        return operands


_RULES: dict[str, Callable[[Stack, dis.Instruction], list[int]]] = {
    **dict.fromkeys(("PRECALL", "KW_NAMES"), Stack._nothing),
    **dict.fromkeys(_PRODUCES, Stack._load),
    **dict.fromkeys(("LOAD_GLOBAL", "LOAD_NAME"), Stack._load_global),
    **dict.fromkeys(CALLS, Stack._call),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"), Stack._load_attribute),
    **dict.fromkeys(("COPY", "DUP_TOP", "DUP_TOP_TWO"), Stack._copy),
    **dict.fromkeys(("SETUP_WITH", "BEFORE_WITH"), Stack._enter),
    **dict.fromkeys(("STORE_ATTR", "DELETE_SUBSCR"), lambda stack, _: stack.take(2)),
    **dict.fromkeys(
        ("BUILD_TUPLE", "BUILD_LIST", "BUILD_SET", "BUILD_STRING", "BUILD_SLICE"), Stack._build
    ),
    "PUSH_NULL": Stack._push_null,
    "LOAD_FAST_LOAD_FAST": Stack._load_two,
    "STORE_FAST_LOAD_FAST": Stack._store_and_load,
    "SWAP": Stack._swap,
    "BINARY_SUBSCR": Stack._subscript,
    "BINARY_SLICE": Stack._slice,
    "STORE_SUBSCR": lambda stack, _: stack.take(3),
    "STORE_SLICE": lambda stack, _: stack.take(4),
    "GET_ITER": Stack._iterate,
    "FOR_ITER": Stack._next,
}
"""The instructions of which more is known than how many values they take and leave."""

_TAKES_AWAY = ("STORE_", "POP_", "DELETE_", "RETURN_")
_KEEPS_THE_TOP = frozenset(
    (
        *("NOP", "RESUME", "EXTENDED_ARG", "CACHE", "END_FOR"),
        *("LIST_APPEND", "SET_ADD", "MAP_ADD", "JUMP_FORWARD", "JUMP_ABSOLUTE", "JUMP_BACKWARD"),
        *("SETUP_ANNOTATIONS", "GEN_START", "SETUP_FINALLY", "SETUP_LOOP"),
    )
)


def _argument(instruction: dis.Instruction) -> int | None:
    return instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
