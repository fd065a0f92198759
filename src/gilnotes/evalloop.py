"""Where CPython's eval loop may hand the GIL over: the rule, read in its source.

A thread lets go of the GIL by itself only where the eval loop looks at the *eval breaker*, the
flag that says "another thread asks". Where that is has changed with almost every version. (Code in
C may also let go, while it waits for a file, a lock or the clock. That is no part of this rule.)
"""

from __future__ import annotations

import sys
import sysconfig
from types import BuiltinFunctionType, FunctionType, MethodType

_VERSION = sys.version_info[:2]

CALLEES = ("python", "c", "len", "isinstance", "list.append", "type", "unknown")
"""What a call instruction may call, as far as the eval loop treats it differently."""


class NoSwitchPoints(RuntimeError):
    """The GIL is off: the question where it is handed over has no meaning."""

    def __init__(self) -> None:
        super().__init__(
            "the GIL is off: it is never handed over, and threads run at the same time, so that "
            "another thread can come between any two steps"
        )


def may_switch_at_entry() -> bool:
    """Tell whether a switch may come between the call of a Python function and its first step.

    True on every version so far: until 3.10 the loop begins with a look at the eval breaker, from
    3.11 the instruction RESUME does it. Raises NoSwitchPoints.
    """
    check_gil()
    return True


def may_switch_at_handler() -> bool:
    """Tell whether a switch may come after an exception, before the first step of its handler.

    It is counted at the instruction that raised. Until 3.10 the loop starts anew there (the label
    `exception_unwind` in Python/ceval.c); from 3.11 it goes straight on. Raises NoSwitchPoints.
    """
    check_gil()
    return _VERSION < (3, 11)


def may_switch_after(opname: str, callee: str = "unknown", following: str = "") -> bool:
    """Tell whether this build looks at the eval breaker right after an instruction of that name.

    >>> may_switch_after("LOAD_FAST")
    False

    ``opname`` is the base name, as `dis` shows it. ``callee`` (one of `CALLEES`) matters for calls:

    - "python", a Python function: the look at its entry belongs to the callee and is not counted
      here; one after it has returned is;
    - "c", a function or type in C; "len", "isinstance", "list.append" and "type" (with one
      argument), for which 3.11 and later have specialized instructions that do not look;
    - "unknown": True if any of these would be.

    ``following`` is the name of the instruction that comes next. "May" is meant: a conditional jump
    looks only on some of its ways, see the tables below.

    Raises NoSwitchPoints, ValueError for a callee that there is not.
    """
    check_gil()
    if callee not in CALLEES:
        raise ValueError(f"callee must be one of {', '.join(CALLEES)}, not {callee!r}")
    if _VERSION < (3, 11) and following in NOT_BEFORE:
        return False
    if _VERSION < (3, 10):
        return opname not in UNTIL_3_9_NOT_AFTER
    if _VERSION < (3, 11):
        return opname in IN_3_10_AFTER
    if opname not in FROM_3_11_CALLS:
        return opname in FROM_3_11_AFTER
    if callee == "python":
        return opname == "CALL_FUNCTION_EX" and _VERSION < (3, 12)
    return callee not in FROM_3_11_WITHOUT_A_LOOK or not _specializes()


def kind_of_callee(called: object) -> str:
    """Sort what is called into one of `CALLEES`.

    >>> kind_of_callee(len), kind_of_callee([].append), kind_of_callee(check_gil)
    ('len', 'list.append', 'python')
    """
    if isinstance(called, (FunctionType, MethodType)):
        return "python"
    for name, function in (("len", len), ("isinstance", isinstance), ("type", type)):
        if called is function:
            return name
    if isinstance(called, BuiltinFunctionType):
        is_append = called.__name__ == "append" and type(called.__self__) is list
        return "list.append" if is_append else "c"
    is_type_in_c = isinstance(called, type) and not called.__flags__ & HEAP_TYPE
    return "c" if is_type_in_c else "unknown"


HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: classes written in Python have it."""


def check_gil() -> None:
    """Raise NoSwitchPoints if the GIL is off."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise NoSwitchPoints


# -- the tables

UNTIL_3_9_NOT_AFTER = frozenset(
    {
        "BEGIN_FINALLY",
        "CALL_FINALLY",
        "CONTAINS_OP",
        "DUP_TOP",
        "DUP_TOP_TWO",
        "EXTENDED_ARG",
        "IS_OP",
        "JUMP_FORWARD",
        "LOAD_ASSERTION_ERROR",
        "LOAD_CONST",
        "LOAD_FAST",
        "NOP",
        "POP_TOP",
        "RETURN_VALUE",
        "ROT_FOUR",
        "ROT_THREE",
        "ROT_TWO",
        "STORE_FAST",
        "YIELD_FROM",
        "YIELD_VALUE",
    }
)
"""3.8 and 3.9 look after every instruction but these, which end in FAST_DISPATCH or leave the loop.

Python/ceval.c: DISPATCH looks, FAST_DISPATCH does not. Jumps on a condition (POP_JUMP_IF_…,
JUMP_IF_…_OR_POP) do not look if the condition is True or False itself, only for other objects.
"""

NOT_BEFORE = frozenset({"SETUP_FINALLY", "SETUP_WITH", "BEFORE_ASYNC_WITH", "YIELD_FROM"})
"""Until 3.10 the loop looks, but passes over what it saw if one of these comes next.

So that a signal between `lock.acquire()` and `try:` loses no lock (Python/ceval.c, the top of the
loop).
"""

IN_3_10_AFTER = frozenset(
    {
        "CALL_FUNCTION",
        "CALL_FUNCTION_EX",
        "CALL_FUNCTION_KW",
        "CALL_METHOD",
        "JUMP_ABSOLUTE",
        "POP_JUMP_IF_FALSE",
        "POP_JUMP_IF_TRUE",
    }
)
"""3.10 looks after these only: CHECK_EVAL_BREAKER in Python/ceval.c (python/cpython#18334).

A jump on a condition looks if it jumps. JUMP_ABSOLUTE closes a loop.
"""

FROM_3_11_AFTER = frozenset(
    {
        "JUMP_BACKWARD",
        "POP_JUMP_BACKWARD_IF_FALSE",
        "POP_JUMP_BACKWARD_IF_NONE",
        "POP_JUMP_BACKWARD_IF_NOT_NONE",
        "POP_JUMP_BACKWARD_IF_TRUE",
        "RESUME",
    }
)
"""From 3.11 the loop looks when a function begins or goes on, and when it jumps backward.

CHECK_EVAL_BREAKER in Python/ceval.c (3.11) and Python/bytecodes.c (3.12, 3.13). The jumps on a
condition exist in 3.11 only; fused with a COMPARE_OP before them they look just as well.
"""

FROM_3_11_CALLS = frozenset({"CALL", "CALL_FUNCTION_EX", "CALL_KW"})
"""After these as well, if what they called is written in C.

A Python function becomes one more frame of the same loop, which looks when it begins and not when
it returns. (CALL_FUNCTION_EX does so from 3.12; in 3.11 it called by way of C, and looked.) In 3.11
a call is a pair, PRECALL and CALL, that specialized instructions run as one: the look comes after.
"""

FROM_3_11_WITHOUT_A_LOOK = frozenset({"len", "isinstance", "list.append", "type"})
"""CALL_LEN, CALL_ISINSTANCE, CALL_LIST_APPEND and CALL_TYPE_1 do not look.

(In 3.11 they are specialized forms of PRECALL, in 3.11 and 3.12 with NO_KW in their names.)

A call is specialized when it has run a few times, so the very first ones do look.
"""


def _specializes() -> bool:
    """Tell whether calls become CALL_LEN and its like: not in a free-threaded 3.13, GIL or not."""
    return not (sysconfig.get_config_var("Py_GIL_DISABLED") and _VERSION < (3, 14))
