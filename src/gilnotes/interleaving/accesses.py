"""What code reads or writes that another thread may read or write, too.

Nothing of the program under study is called to find that out: properties and the like are left
alone, since what they do is traced where it happens.
"""

from __future__ import annotations

import array
import collections
import functools
import inspect
import types
from typing import TYPE_CHECKING, NamedTuple

from gilnotes.evalloop import HEAP_TYPE

if TYPE_CHECKING:
    from typing import Any, Hashable, Iterable, Optional, Tuple

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
        for location in self.locations:  # noqa: SIM110 - any() would take twice as long
            if location[2]:
                return True
        return False

    @property
    def kind(self) -> str:
        """What a schedule calls it: "read" or "write"; "" for what nobody would call either."""
        if not self.shown or self.owner is None:
            return ""
        return "write" if self.writes else "read"


ALL = "*"
"""Every part of an object."""

ANYTHING = Access("?", ((None, ALL, True),))
"""What a call of something unknown may do."""


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


class _Missing:
    def __repr__(self) -> str:
        return "<unknown>"


MISSING = _Missing()
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


def is_code(value: object) -> bool:
    """Tell whether a value is a function, a class or a module, and no data."""
    return isinstance(value, _CODE)


_C_ATTRIBUTES = (types.MemberDescriptorType, types.GetSetDescriptorType)

SYNCHRONIZES = frozenset(("threading", "queue", "_queue", "gilnotes.interleaving.cooperative"))
"""The modules whose objects order threads by their locks. What is in them is their own affair."""


def _in_class(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return MISSING


def read_attribute(owner: Any, name: str) -> tuple[Access | None, object]:
    """Say what reading an attribute touches, and the value that is there, without calling code."""
    if owner is MISSING:
        return Access(("?", name), ((None, name, False),), None, name), MISSING
    if isinstance(owner, types.ModuleType):
        key = ("global", owner.__name__, name)
        access = Access(key, ((id(owner.__dict__), name, False),), owner.__dict__, name)
        return access, owner.__dict__.get(name, MISSING)
    cls: Any = type(owner)
    if isinstance(owner, type):
        form, key, owning = _form_in(owner, name)
    else:
        form, key, owning = _form(cls, name)
    value = MISSING if form == "traced" else _plainly(owner, name)
    if form in ("traced", "code"):
        return None, value
    if name == "__dict__":
        _ALIASES[id(value)] = id(owner)
    locations: tuple[Location, ...] = ((id(owner), name, form == "cached"),)
    if form == "class":
        locations = (*locations, (id(owning), name, False))
    return Access(key, locations, owner, name), value


def _form_in(cls: type, name: str) -> tuple[str, tuple[str, str, str], type | None]:
    """What reading an attribute of a class itself comes to."""
    found = _in_class(cls, name)
    is_data = found is not MISSING and not isinstance(found, _CODE)
    return "data" if is_data else "code", key_of(cls, name), None


@functools.lru_cache(maxsize=1024)
def _form(cls: type, name: str) -> tuple[str, tuple[str, str, str], type | None]:
    """What reading an attribute of an instance comes to; its key; the class that has it."""
    key = key_of(cls, name)
    found = _in_class(cls, name)
    if cls.__module__ in SYNCHRONIZES or isinstance(found, _CODE):
        form = "code"
    elif _is_python(cls, "__getattribute__"):
        form = "traced"
    elif isinstance(found, functools.cached_property):
        form = "cached"
    elif found is MISSING or isinstance(found, _C_ATTRIBUTES):
        form = "data"
    elif hasattr(type(found), "__get__"):
        form = "traced"  # a property: what it does happens in its own frame
    else:
        return "class", key, _owning_class(cls, name)
    return form, key, None


def forget() -> None:
    """Forget what was known of classes and objects: both may have changed since."""
    _form.cache_clear()
    _writes_by_code.cache_clear()
    can_change.cache_clear()
    _ALIASES.clear()


def write_attribute(owner: Any, name: str) -> Access | None:
    """Say what writing an attribute touches."""
    if owner is MISSING:
        return Access(("?", name), ((None, name, True),), None, name)
    if isinstance(owner, types.ModuleType):
        key = ("global", owner.__name__, name)
        return Access(key, ((id(owner.__dict__), name, True),), owner.__dict__, name)
    if isinstance(owner, type):
        return Access(key_of(owner, name), ((id(owner), name, True),), owner, name)
    cls: Any = type(owner)
    if _writes_by_code(cls, name):
        return None  # what it does is traced
    return Access(key_of(cls, name), ((id(owner), name, True),), owner, name)


@functools.lru_cache(maxsize=1024)
def _writes_by_code(cls: type, name: str) -> bool:
    found = _in_class(cls, name)
    return _is_python(cls, "__setattr__") or (
        hasattr(type(found), "__set__") and not isinstance(found, _C_ATTRIBUTES)
    )


def key_of(cls: type, name: str) -> tuple[str, str, str]:
    """Name an attribute of the objects of a class, the same in every run."""
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
        return MISSING


# -- items, and whole values

_CONTAINERS = (list, dict, set, bytearray, collections.deque, array.array, memoryview)
IMMUTABLE = frozenset(
    (
        *(int, float, complex, str, bytes, bool, tuple, frozenset, range, slice, type(None)),
        *(type, type(Ellipsis), type(NotImplemented), types.CodeType, types.ModuleType),
        *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, _Missing),
    )
)


@functools.lru_cache(maxsize=1024)
def can_change(cls: type) -> bool:
    """Whether objects of a class have an inside that C code reads or changes."""
    if cls in IMMUTABLE or cls.__module__ in SYNCHRONIZES:
        return False
    if issubclass(cls, _CONTAINERS):
        return True
    # Iterators of C; instances of Python classes change by their attributes only.
    return hasattr(cls, "__next__") and not cls.__flags__ & HEAP_TYPE


def touch(value: object, *, writes: bool) -> Access | None:
    """Say what it means that C code looks into a value, or changes it."""
    if value is MISSING:
        return Access(("?", "[]"), ((None, ALL, writes),))
    cls: Any = type(value)
    if not can_change(cls):
        return None
    return Access(("[]", cls.__qualname__, ALL), ((_identity(value), ALL, writes),), value, ALL)


def access_item(owner: Any, item: Any, writes: bool) -> tuple[Access | None, object]:
    """Say what reading or writing an item touches, and the value that is there."""
    cls: Any = type(owner)
    if owner is MISSING or not can_change(cls):
        value: object = MISSING
        if cls in (tuple, str, bytes) and item is not MISSING:
            value = _item_of(owner, item)
        return (touch(owner, writes=writes) if owner is MISSING else None), value
    if _is_python(cls, "__setitem__" if writes else "__getitem__"):
        return None, MISSING
    if isinstance(owner, (list, collections.deque)) and isinstance(item, int) and item < 0:
        item += len(owner)
    if isinstance(item, slice) or item is MISSING or not _is_plain(item):
        return touch(owner, writes=writes), MISSING
    value = _item_of(owner, item)
    if isinstance(owner, collections.defaultdict) and value is MISSING:
        return touch(owner, writes=True), value
    key = ("[]", cls.__qualname__, item)
    return Access(key, ((_identity(owner), item, writes),), owner, item), value


def _item_of(owner: Any, item: Any) -> object:
    try:
        return dict.get(owner, item, MISSING) if isinstance(owner, dict) else owner[item]
    except (LookupError, TypeError):
        return MISSING


def _is_plain(item: object) -> bool:
    """Whether a key can be compared without calling code of the program."""
    if type(item) is tuple:
        return all(map(_is_plain, item))
    return type(item) in (int, str, bytes, bool, float, type(None))


def _identity(value: object) -> Hashable:
    return _ALIASES.get(id(value)) or id(value)


_ALIASES: dict[int, int] = {}
"""The `__dict__` of an object, seen by its own name: its items are the object's attributes."""


def together(accesses: Iterable[Access | None]) -> Access | None:
    """Several accesses of one instruction."""
    found = [access for access in accesses if access is not None]
    if len(found) < 2:
        return found[0] if found else None
    locations = tuple(location for access in found for location in access.locations)
    shown = next((access for access in found if access.writes), found[0])
    return Access(tuple(a.key for a in found), locations, shown.owner, shown.name)


@functools.lru_cache(maxsize=1024)
def is_library(filename: str) -> bool:
    """Tell whether a file belongs to the standard library.

    >>> is_library(inspect.__file__)
    True
    """
    return filename.startswith(("<frozen", *_LIBRARY)) and "-packages" not in filename


_LIBRARY = (inspect.__file__.rpartition("inspect")[0],)
