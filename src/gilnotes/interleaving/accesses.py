"""What an instruction reads or writes that another thread may read or write, too.

`plan` turns each instruction of a code object into a `Step`. A step that may touch shared state has
a function that is called just before the instruction is executed, while no other thread runs: it
notes the values that later instructions of the frame need, and returns the access, if it is one.
Nothing of the program under study is called for that: properties and the like are left alone,
since what they do is traced where it happens.
"""

from __future__ import annotations

import array
import collections
import functools
import inspect
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.interleaving.operands import (
    CALLS,
    FRESH,
    UNKNOWN,
    Instruction,
    instructions,
)

if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, Callable, Dict, Hashable, Optional, Tuple

    Values = Dict[int, Any]
    Look = Callable[[FrameType, Values], Optional["Access"]]
    Location = Tuple[Optional[Hashable], Any, bool]


class Access(NamedTuple):
    """What one step reads or writes."""

    key: Hashable
    """Names the same state in every run: the class and the attribute, say."""
    locations: tuple[Location, ...]
    """The object (None: any), the part of it (ALL: all of it), and whether it is written."""
    owner: object = None
    """The object, for the one who wants to show what happened."""
    name: Any = None
    """The part's name."""
    shown: bool = True
    """Whether it is data; a function or a module may be replaced as well, but nobody does it."""

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return any(location[2] for location in self.locations)

    @property
    def kind(self) -> str:
        """What a schedule calls it: "read" or "write"; "" for what nobody would call either."""
        if not self.shown or self.owner is None:
            return ""
        return "write" if self.writes else "read"


ALL = "*"
"""Every part of an object."""

_ANYTHING = Access("?", ((None, ALL, True),))
"""What a call of something unknown may do."""


@dataclass(frozen=True)
class Step:
    """One instruction under study, and what has to be done before it is executed."""

    instruction: Instruction
    code: CodeType
    look: Look | None = None
    kind: str = ""
    """"add", "call", or nothing in particular. Reads and writes are known only when they happen."""


def dependent(one: tuple[Location, ...], other: tuple[Location, ...]) -> bool:
    """Tell whether the order of two accesses by different threads can matter.

    >>> dependent(((1, "count", False),), ((1, "count", True),))
    True
    >>> dependent(((1, "count", False),), ((1, "count", False),))
    False
    """
    for owner, part, writes in one:
        for other_owner, other_part, other_writes in other:
            if (
                (writes or other_writes)
                and (owner == other_owner or owner is None or other_owner is None)
                and (part == other_part or part is ALL or other_part is ALL)
            ):
                return True
    return False


@functools.lru_cache(maxsize=1024)
def plan(code: CodeType) -> tuple[Step | None, ...]:
    """Plan a code object: `plan(code)[frame.f_lasti // 2]` is the step about to be executed."""
    listing = instructions(code)
    needed = _needed(listing)
    steps: list[Step | None] = [None] * (len(code.co_code) // 2 + 1)
    prefix = None
    for instruction in listing:
        step = Step(instruction, code, _look(instruction, needed), _kind(instruction))
        steps[instruction.offset // 2] = step
        if prefix is not None:
            # The event of an instruction with a long argument comes at its first prefix.
            steps[prefix // 2] = step
        if instruction.opname != "EXTENDED_ARG":
            prefix = None
        elif prefix is None:
            prefix = instruction.offset
    return tuple(steps)


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
    opname, offset, operands = instruction.opname, instruction.offset, instruction.operands
    noted = offset in needed or offset + 1 in needed
    if opname.startswith(("LOAD_FAST", "STORE_FAST_LOAD")):
        return _local(instruction, needed) if noted else None
    if opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "STORE_NAME"):
        return _global(offset, instruction.argval, opname.startswith("LOAD"))
    if opname in ("LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF", "LOAD_CLASSDEREF"):
        return _cell(offset, instruction.argval, opname.startswith("LOAD"))
    if opname == "LOAD_CONST":
        return _constant(offset, instruction.argval) if noted else None
    if opname == "LOAD_SUPER_ATTR":
        return _super_attribute(offset, operands, instruction.argval)
    if opname in ("LOAD_ATTR", "LOAD_METHOD"):
        return _attribute(offset, operands[0], instruction.argval)
    if opname in ("STORE_ATTR", "DELETE_ATTR"):
        return _set_attribute(operands[-1], instruction.argval)
    if opname in ("SETUP_WITH", "BEFORE_WITH"):
        return _manager(offset, operands[0])
    if opname in CALLS:
        return _call(offset, operands[0], operands[1:])
    if opname in _ITEMS:
        return _item(offset, operands, _ITEMS[opname])
    if opname == "BINARY_OP" and instruction.argrepr == "[]":
        return _item(offset, operands, (0, 1, False))
    if opname == "IS_OP" or opname.endswith("NONE"):
        return None
    looked_at = tuple(symbol for symbol in operands if symbol != FRESH)
    if not looked_at:
        return None
    in_place = opname.startswith("INPLACE_") or instruction.argrepr.endswith("=")
    return _values(looked_at, changes_first=in_place and operands[0] != FRESH)


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
            values[symbol] = frame.f_locals.get(only, _MISSING)

        return look_at_one

    def look(frame: FrameType, values: Values) -> None:
        for symbol, name in wanted:
            values[symbol] = frame.f_locals.get(name, _MISSING)

    return look


def _constant(offset: int, value: object) -> Look:
    def look(frame: FrameType, values: Values) -> None:
        values[offset] = value

    return look


def _global(offset: int, name: str, reads: bool) -> Look:
    def look(frame: FrameType, values: Values) -> Access:
        scope = frame.f_globals
        if reads:
            values[offset] = scope.get(name, _MISSING)
            if values[offset] is _MISSING:
                values[offset] = frame.f_builtins.get(name, _MISSING)
            shown = values[offset] is not _MISSING and not isinstance(values[offset], _CODE)
        else:
            shown = True
        key = ("global", scope.get("__name__"), name)
        return Access(key, ((id(scope), name, not reads),), scope, name, shown)

    return look


def _cell(offset: int, name: str, reads: bool) -> Look:
    def look(frame: FrameType, values: Values) -> Access:
        scope = frame.f_locals
        if reads:
            values[offset] = scope.get(name, _MISSING)
        # A frame does not say which cell it is: all of a name are taken for one.
        return Access(("cell", name), (("cell", name, not reads),), scope, name)

    return look


def _attribute(offset: int, container: int, name: str) -> Look:
    if container == FRESH:
        return _unknown_result(offset)

    def look(frame: FrameType, values: Values) -> Access | None:
        owner = values.get(container, _MISSING)
        access, values[offset] = read_attribute(owner, name)
        return access

    return look


def _unknown_result(offset: int) -> Look:
    def look(frame: FrameType, values: Values) -> None:
        values[offset] = _MISSING

    return look


def _super_attribute(offset: int, operands: tuple[int, ...], name: str) -> Look:
    def look(frame: FrameType, values: Values) -> None:
        cls, this = (values.get(symbol, _MISSING) for symbol in operands)
        values[offset] = _of_super(cls, this, name)

    return look


def _of_super(cls: Any, this: Any, name: str) -> object:
    if cls is _MISSING or this is _MISSING:
        return _MISSING
    try:
        return getattr(super(cls, this), name)
    except (TypeError, AttributeError):
        return _MISSING


def _set_attribute(container: int, name: str) -> Look | None:
    if container == FRESH:
        return None

    def look(frame: FrameType, values: Values) -> Access | None:
        return write_attribute(values.get(container, _MISSING), name)

    return look


def _manager(offset: int, manager: int) -> Look:
    def look(frame: FrameType, values: Values) -> None:
        value = values.get(manager, _MISSING)
        values[offset] = (
            _MISSING if value is _MISSING else getattr(value, "__exit__", _MISSING)
        )

    return look


def _item(offset: int, operands: tuple[int, ...], form: tuple[int, int | None, bool]) -> Look | None:
    place, key_place, writes = form
    container = operands[place]
    if container == FRESH:
        return _unknown_result(offset)
    key_symbol = UNKNOWN if key_place is None else operands[key_place]

    def look(frame: FrameType, values: Values) -> Access | None:
        owner = values.get(container, _MISSING)
        access, values[offset] = _access_item(owner, values.get(key_symbol, _MISSING), writes)
        return access

    return look


def _values(symbols: tuple[int, ...], *, changes_first: bool) -> Look:
    """An instruction that may look into its operands, and change the first one in place."""

    def look(frame: FrameType, values: Values) -> Access | None:
        return together(
            touch(values.get(symbol, _MISSING), writes=changes_first and not index)
            for index, symbol in enumerate(symbols)
        )

    return look


def _call(offset: int, function: int, arguments: tuple[int, ...]) -> Look:
    def look(frame: FrameType, values: Values) -> Access | None:
        called = values.get(function, _MISSING)
        given = [None if s == FRESH else values.get(s, _MISSING) for s in arguments]
        access, values[offset] = called_with(called, given, frame)
        return access

    return look


# -- attributes


class _Missing:
    def __repr__(self) -> str:
        return "<unknown>"


_MISSING = _Missing()
MISSING = _MISSING
"""Stands for a value that is not known."""

_CODE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    classmethod,
    staticmethod,
    type,
    types.ModuleType,
)
"""What is not data: nobody changes it while threads run."""

_C_ATTRIBUTES = (types.MemberDescriptorType, types.GetSetDescriptorType)

SYNCHRONIZES = frozenset(("threading", "queue", "_queue", "gilnotes.interleaving.cooperative"))
"""The modules whose objects order threads by their locks. What is in them is their own affair."""


def _in_class(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return _MISSING


def read_attribute(owner: Any, name: str) -> tuple[Access | None, object]:
    """Say what reading an attribute touches, and the value that is there, without calling code."""
    if owner is _MISSING:
        return Access(("?", name), ((None, name, False),), None, name), _MISSING
    cls = type(owner)
    if isinstance(owner, types.ModuleType):
        found = owner.__dict__.get(name, _MISSING)
        key = ("global", owner.__name__, name)
        return Access(key, ((id(owner.__dict__), name, False),), owner.__dict__, name), found
    if isinstance(owner, type):
        found = _in_class(owner, name)
        if found is _MISSING or isinstance(found, _CODE):
            return None, _plainly(owner, name) if found is not _MISSING else _MISSING
        return Access(_key(owner, name), ((id(owner), name, False),), owner, name), found
    form, key, owning = _form(cls, name)
    if form == "traced":
        return None, _MISSING
    value = _plainly(owner, name)
    if form == "code":
        return None, value
    if name == "__dict__":
        _ALIASES[id(value)] = id(owner)
    locations: tuple[Location, ...] = ((id(owner), name, form == "cached"),)
    if form == "class":
        locations = (*locations, (id(owning), name, False))
    return Access(key, locations, owner, name), value


@functools.lru_cache(maxsize=1024)
def _form(cls: type, name: str) -> tuple[str, Hashable, type | None]:
    """What reading an attribute of an instance comes to; its key; the class that has it."""
    key = _key(cls, name)
    if cls.__module__ in SYNCHRONIZES:
        return "code", key, None
    if _is_python(cls, "__getattribute__"):
        return "traced", key, None
    found = _in_class(cls, name)
    if isinstance(found, functools.cached_property):
        return "cached", key, None
    if isinstance(found, _CODE):
        return "code", key, None
    if found is _MISSING or isinstance(found, _C_ATTRIBUTES):
        return "data", key, None
    if hasattr(type(found), "__get__"):
        return "traced", key, None  # a property: what it does is traced
    return "class", key, _owning_class(cls, name)


def forget() -> None:
    """Forget what was known of classes and objects: both may have changed since."""
    _form.cache_clear()
    _can_change.cache_clear()
    _ALIASES.clear()


def write_attribute(owner: Any, name: str) -> Access | None:
    """Say what writing an attribute touches."""
    if owner is _MISSING:
        return Access(("?", name), ((None, name, True),), None, name)
    if isinstance(owner, types.ModuleType):
        key = ("global", owner.__name__, name)
        return Access(key, ((id(owner.__dict__), name, True),), owner.__dict__, name)
    cls = type(owner)
    if isinstance(owner, type):
        return Access(_key(owner, name), ((id(owner), name, True),), owner, name)
    if _is_python(cls, "__setattr__"):
        return None  # what it does is traced
    found = _in_class(cls, name)
    if hasattr(type(found), "__set__") and not isinstance(found, _C_ATTRIBUTES):
        return None
    return Access(_key(cls, name), ((id(owner), name, True),), owner, name)


def _key(cls: type, name: str) -> Hashable:
    return (cls.__module__, cls.__qualname__, name)


def _owning_class(cls: type, name: str) -> type:
    return next(base for base in cls.__mro__ if name in base.__dict__)


def _is_python(cls: type, name: str) -> bool:
    return isinstance(_in_class(cls, name), types.FunctionType)


def _plainly(owner: Any, name: str) -> object:
    try:
        if isinstance(owner, type):
            return type.__getattribute__(owner, name)
        return object.__getattribute__(owner, name)
    except AttributeError:
        return _MISSING


# -- items, and whole values

_CONTAINERS = (list, dict, set, bytearray, collections.deque, array.array, memoryview)
_IMMUTABLE = frozenset(
    (
        *(int, float, complex, str, bytes, bool, tuple, frozenset, range, slice, type(None)),
        *(type, type(Ellipsis), type(NotImplemented), types.CodeType, types.ModuleType),
        *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, _Missing),
    )
)
_HEAP_TYPE = 1 << 9


@functools.lru_cache(maxsize=1024)
def _can_change(cls: type) -> bool:
    """Whether objects of a class have an inside that C code reads or changes."""
    if cls in _IMMUTABLE or cls.__module__ in SYNCHRONIZES:
        return False
    if issubclass(cls, _CONTAINERS):
        return True
    # Iterators of C; instances of Python classes change by their attributes only.
    return hasattr(cls, "__next__") and not cls.__flags__ & _HEAP_TYPE


def touch(value: object, *, writes: bool) -> Access | None:
    """Say what it means that C code looks into a value, or changes it."""
    if value is _MISSING:
        return Access(("?", "[]"), ((None, ALL, writes),))
    cls = type(value)
    if not _can_change(cls):
        return None
    return Access(("[]", cls.__qualname__, ALL), ((_identity(value), ALL, writes),), value, ALL)


def _access_item(owner: Any, item: Any, writes: bool) -> tuple[Access | None, object]:
    cls = type(owner)
    if owner is _MISSING or not _can_change(cls):
        value = _MISSING
        if cls in (tuple, str, bytes) and item is not _MISSING:
            value = _item_of(owner, item)
        return (touch(owner, writes=writes) if owner is _MISSING else None), value
    if _is_python(cls, "__setitem__" if writes else "__getitem__"):
        return None, _MISSING
    if isinstance(owner, (list, collections.deque)) and isinstance(item, int) and item < 0:
        item += len(owner)
    if isinstance(item, slice) or item is _MISSING or not _is_plain(item):
        return touch(owner, writes=writes), _MISSING
    value = _item_of(owner, item)
    if isinstance(owner, collections.defaultdict) and value is _MISSING:
        return touch(owner, writes=True), value
    key = ("[]", cls.__qualname__, item)
    return Access(key, ((_identity(owner), item, writes),), owner, item), value


def _item_of(owner: Any, item: Any) -> object:
    try:
        return dict.get(owner, item, _MISSING) if isinstance(owner, dict) else owner[item]
    except (LookupError, TypeError):
        return _MISSING


def _is_plain(item: object) -> bool:
    """Whether a key can be compared without calling code of the program."""
    if type(item) is tuple:
        return all(map(_is_plain, item))
    return type(item) in (int, str, bytes, bool, float, type(None))


def _identity(value: object) -> Hashable:
    return _ALIASES.get(id(value)) or id(value)


_ALIASES: dict[int, int] = {}


def together(accesses: Any) -> Access | None:
    """Several accesses of one instruction."""
    found = [access for access in accesses if access is not None]
    if len(found) < 2:
        return found[0] if found else None
    locations = tuple(location for access in found for location in access.locations)
    shown = next((access for access in found if access.writes), found[0])
    return Access(tuple(a.key for a in found), locations, shown.owner, shown.name)


# -- calls

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

_ATTRIBUTES = {getattr: False, hasattr: False, setattr: True, delattr: True}


def called_with(
    called: Any, given: list[Any], frame: FrameType
) -> tuple[Access | None, object]:
    """Say what a call touches by itself, and what it returns, where that can be known.

    What a Python function under study does is traced when it does it.
    """
    if called is _MISSING:
        return _ANYTHING, _MISSING
    if isinstance(called, types.MethodType):
        called, given = called.__func__, [called.__self__, *given]
    if isinstance(called, types.FunctionType):
        return _by_python(called, given), _MISSING
    if isinstance(called, type):
        return _by_class(called, given, frame)
    name = getattr(called, "__name__", "")
    this = getattr(called, "__self__", None)
    if isinstance(called, types.WrapperDescriptorType) and given:
        this, given = given[0], given[1:]
    if name in ("__setattr__", "__delattr__", "__getattribute__") and given:
        if name == "__getattribute__":
            return read_attribute(this, given[0])
        return _set(this, given[0]), None
    if called is vars and len(given) == 1:
        return read_attribute(given[0], "__dict__")
    if _is_hashable(called) and called in _ATTRIBUTES:
        if len(given) < 2 or not isinstance(given[1], str):
            return _ANYTHING, _MISSING
        if _ATTRIBUTES[called]:
            return write_attribute(given[0], given[1]), None
        access, value = read_attribute(given[0], given[1])
        return access, value if called is getattr else _MISSING
    if this is None or isinstance(this, types.ModuleType):
        writes = name not in _READ_ONLY
        return together(touch(value, writes=writes) for value in given), _MISSING
    if _is_hashable(this) is False or _can_change(type(this)):
        of_this = touch(this, writes=name not in _READS)
        return together([of_this, *(touch(v, writes=False) for v in given)]), _MISSING
    return together(touch(value, writes=False) for value in given), _MISSING


def _set(this: Any, name: Any) -> Access | None:
    """`object.__setattr__`: the attribute itself, whatever the class makes of `a.b = c`."""
    if this is _MISSING or not isinstance(name, str):
        return _ANYTHING
    return Access(_key(type(this), name), ((id(this), name, True),), this, name)


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
    return type(value) not in _IMMUTABLE and type(value).__module__ not in SYNCHRONIZES


def _by_class(called: type, given: list[Any], frame: FrameType) -> tuple[Access | None, object]:
    if called is super and not given:
        this = frame.f_code.co_varnames[0] if frame.f_code.co_argcount else ""
        scope = frame.f_locals
        if "__class__" in scope and this in scope:
            return None, super(scope["__class__"], scope[this])
        return None, _MISSING
    if called.__flags__ & _HEAP_TYPE and called.__module__ not in ("collections", "array"):
        return None, _MISSING  # its __init__ is traced
    return together(touch(value, writes=False) for value in given), _MISSING


@functools.lru_cache(maxsize=1024)
def is_library(filename: str) -> bool:
    """Tell whether a file belongs to the standard library.

    >>> is_library(inspect.__file__)
    True
    """
    return filename.startswith(("<frozen", *_LIBRARY)) and "-packages" not in filename


_LIBRARY = (inspect.__file__.rpartition("inspect")[0],)
