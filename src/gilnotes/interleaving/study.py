"""What is studied: the code whose instructions are steps, and the modules it comes from.

By default that is the file that defines the class of the shared object, and every file it calls
outside the standard library. Functions given as threads that live elsewhere are glue: they run, but
nothing in them is a step.
"""

from __future__ import annotations

import os
import sys
import types
from functools import lru_cache
from typing import TYPE_CHECKING

from gilnotes.interleaving.accesses import is_library, key_of
from gilnotes.interleaving.operands import Instruction, instructions
from gilnotes.interleaving.planning import Plan, Step, plan

if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, Iterable

    from gilnotes.interleaving.cooperative import Replacement
    from gilnotes.interleaving.program import Program

_OURS = os.path.dirname(__file__) + os.sep


class Study:
    """The files under study, and the plan of every code object met in them."""

    def __init__(self, files: Iterable[str] | None = None) -> None:
        self.files: set[str] | None = None if files is None else set(files)
        self.plans: dict[CodeType, Plan] = {}
        self.grown = False
        """Whether a file was found during a run: earlier runs did not count its steps."""
        self.checked = False
        """Whether a run has shown which of the things expected to be shared are shared."""
        self._expected: set[object] = set()

    def begin(self, program: Program, replacement: Replacement) -> None:
        """Find out what to study; put cooperative locks into the modules it comes from."""
        functions = [program.setup, *program.threads.values(), program.holds]
        replacement.also_in(_scopes_of(functions))
        if self.files is None:
            replacement.renew()
            cls = type(program.setup())
            self._expected = {key_of(cls, name) for name in _assigned(cls)}
            self.files = _files_of(cls) or set().union(
                *(_files_of(function) for function in program.threads.values())
            )
            replacement.also_in(_scopes_of(cls.__mro__))
        else:
            replacement.also_in(_scopes_in(self.files))

    def expected(self) -> set[object]:
        """The keys of what threads are likely to share: what methods of the class assign."""
        return self._expected.copy()

    def never(self, code: CodeType) -> bool:
        """Tell whether code is never under study: the standard library's, and our own."""
        name = code.co_filename
        return (name.startswith(_OURS) or is_library(name)) and name not in (self.files or ())

    def consider(self, frame: FrameType) -> Plan | None:
        """Decide, at the first call of a code object, whether it is under study."""
        files = self.files or set()  # none while the threads are being started
        code = frame.f_code
        name = code.co_filename
        if name in files:
            self.plans[code] = plan(code)
        elif self.never(code):
            return None
        elif frame.f_back is not None and self.plans.get(frame.f_back.f_code):
            files.add(name)
            self.grown = True
            self.plans[code] = plan(code)
        else:
            return None  # glue, this time
        return self.plans[code]


def _no_code() -> None:
    """Lend its code to steps that have none."""


LOCK_STEP = Step(Instruction(-1, "(lock)", None, "", None, (), ""), _no_code.__code__)
"""The step of an operation on a lock that the standard library or glue performs."""


def _assigned(cls: type) -> set[str]:
    """The names of the attributes that a class's methods assign to, after the object is made."""
    names: set[str] = set()
    for name, function in vars(cls).items():
        if isinstance(function, types.FunctionType) and name not in ("__init__", "__new__"):
            names.update(_assigned_in(function.__code__))
    return names


@lru_cache(maxsize=1024)
def _assigned_in(code: CodeType) -> frozenset[str]:
    return frozenset(i.argval for i in instructions(code) if i.opname == "STORE_ATTR")


def _files_of(thing: Any) -> set[str]:
    """The files that define a class's methods, or a function."""
    thing = _inmost(thing)
    if not isinstance(thing, type):
        code = getattr(thing, "__code__", None)
        return (
            {code.co_filename} if code is not None and not is_library(code.co_filename) else set()
        )
    functions = (
        getattr(value, "fget", None) or getattr(value, "__func__", value)
        for cls in thing.__mro__[:-1]  # not `object`
        for value in vars(cls).values()
    )
    names = {f.__code__.co_filename for f in functions if isinstance(f, types.FunctionType)}
    return {name for name in names if not is_library(name)}


def _scopes_of(things: Iterable[Any]) -> list[dict[str, Any]]:
    """The modules that define some functions and classes."""
    scopes = []
    for thing in map(_inmost, things):
        if isinstance(thing, type):
            module = sys.modules.get(thing.__module__)
            if module is not None:
                scopes.append(vars(module))
        elif isinstance(thing, types.FunctionType):
            scopes.append(thing.__globals__)
    return [
        scope
        for scope in scopes
        if scope["__name__"] != "builtins" and not is_library(str(scope.get("__file__")))
    ]


def _inmost(thing: Any) -> Any:
    """The function in a `functools.partial` or a method."""
    while hasattr(thing, "func"):
        thing = thing.func
    return getattr(thing, "__func__", thing)


def _scopes_in(files: Iterable[str]) -> list[dict[str, Any]]:
    wanted = set(files)
    return [
        vars(module)
        for module in list(sys.modules.values())
        if getattr(module, "__file__", None) in wanted
    ]
