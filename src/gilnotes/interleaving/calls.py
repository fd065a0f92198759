"""What a call touches by itself: C code, and Python code that is not under study.

What Python code under study does is traced when it does it.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

from gilnotes.evalloop import HEAP_TYPE
from gilnotes.interleaving.accesses import (
    ALL,
    ANYTHING,
    IMMUTABLE,
    MISSING,
    SYNCHRONIZES,
    Access,
    is_library,
    key_of,
    read_attribute,
    together,
    touch,
    write_attribute,
)

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_READS = frozenset(
    (
        *("get", "keys", "values", "items", "copy", "count", "index", "__len__", "__contains__"),
        *("__getitem__", "__iter__", "__eq__", "isdisjoint", "issubset", "issuperset", "union"),
        *("intersection", "difference", "__repr__", "__str__", "tolist", "hex", "decode"),
    )
)
"""Methods of builtin containers that change nothing."""

_READ_ONLY = frozenset(
    (
        *("abs", "all", "any", "bool", "callable", "dict", "divmod", "enumerate", "float"),
        *("format", "frozenset", "hash", "id", "int", "isinstance", "issubclass", "iter", "len"),
        *("list", "map", "filter", "max", "min", "print", "range", "repr", "reversed", "round"),
        *("set", "sorted", "str", "sum", "tuple", "type", "vars", "zip", "bytes", "dir"),
    )
)
"""Builtins that change none of their arguments."""

_ATTRIBUTES = {getattr: False, hasattr: False, setattr: True, delattr: True, vars: False}
"""Builtins that touch an attribute, and whether they write it."""


def called_with(called: Any, given: list[Any], frame: FrameType) -> tuple[Access | None, object]:
    """Say what a call touches by itself, and what it returns, where that can be known.

    What a Python function under study does is traced when it does it.
    """
    if called is MISSING:
        return ANYTHING, MISSING
    if isinstance(called, types.MethodType):
        called, given = called.__func__, [called.__self__, *given]
    if isinstance(called, types.FunctionType):
        return _by_python(called, given), MISSING
    if isinstance(called, type):
        return _by_class(called, given, frame)
    if _is_hashable(called) and called in _ATTRIBUTES:
        return _by_name(called, given)
    return _by_c(called, given)


def _by_name(called: Any, given: list[Any]) -> tuple[Access | None, object]:
    """`getattr` and the like."""
    if called is vars:
        return read_attribute(given[0], "__dict__") if given else (None, MISSING)
    if len(given) < 2 or not isinstance(given[1], str):
        return ANYTHING, MISSING
    if _ATTRIBUTES[called]:
        return write_attribute(given[0], given[1]), None
    access, value = read_attribute(given[0], given[1])
    return access, value if called is getattr else MISSING


def _by_c(called: Any, given: list[Any]) -> tuple[Access | None, object]:
    """A function or method in C looks into all it is given; some change it."""
    name = getattr(called, "__name__", "")
    this = getattr(called, "__self__", None)
    if isinstance(called, types.WrapperDescriptorType) and given:
        this, given = given[0], given[1:]
    if name == "__getattribute__" and given:
        return read_attribute(this, given[0])
    if name in ("__setattr__", "__delattr__") and given:
        return _set(this, given[0]), None
    is_function = this is None or isinstance(this, types.ModuleType)
    touched = [touch(v, writes=is_function and name not in _READ_ONLY) for v in given]
    if not is_function:
        touched.insert(0, touch(this, writes=name not in _READS))
    return together(touched), MISSING


def _set(this: Any, name: Any) -> Access | None:
    """`object.__setattr__`: the attribute itself, whatever the class makes of `a.b = c`."""
    if this is MISSING or not isinstance(name, str):
        return ANYTHING
    return Access(key_of(type(this), name), ((id(this), name, True),), this, name)


def _is_hashable(value: object) -> bool:
    return type(value).__hash__ is not None


def _by_python(called: types.FunctionType, given: list[Any]) -> Access | None:
    """A Python function outside the code under study may do anything with what it is given."""
    if called.__module__ in SYNCHRONIZES or not is_library(called.__code__.co_filename):
        return None
    return together(
        touch(value, writes=True)
        or (
            Access(("?", type(value).__qualname__), ((id(value), ALL, True),), value, ALL)
            if _has_attributes(value)
            else None
        )
        for value in given
    )


def _has_attributes(value: object) -> bool:
    return type(value) not in IMMUTABLE and type(value).__module__ not in SYNCHRONIZES


def _by_class(called: type, given: list[Any], frame: FrameType) -> tuple[Access | None, object]:
    if called is super and not given:
        this = frame.f_code.co_varnames[0] if frame.f_code.co_argcount else ""
        scope = frame.f_locals
        if "__class__" in scope and this in scope:
            return None, super(scope["__class__"], scope[this])
        return None, MISSING
    if called.__flags__ & HEAP_TYPE and called.__module__ not in ("collections", "array"):
        return None, MISSING  # its __init__ is traced
    return together(touch(value, writes=False) for value in given), MISSING
