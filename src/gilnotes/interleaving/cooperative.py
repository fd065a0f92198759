"""Locks that know who waits for them, in the place of `threading`'s while a program is studied.

A thread that waits for a real lock cannot be told from one that runs. So while a program is
studied, `threading.Lock` makes a `Lock` of this module: whoever wants it while it is held is not
enabled, and the scheduler runs another thread. Everything else that waits, `RLock`, `Condition`,
`Semaphore`, `Event`, `Barrier` and the queues, is the standard library's own Python code, which
gets these locks as its building stones.
"""

from __future__ import annotations

import functools
import os
import queue
import sys
import threading
import time
from _thread import allocate_lock
from typing import TYPE_CHECKING

from gilnotes.interleaving.accesses import SYNCHRONIZES

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, Callable, Iterable, Mapping

    from gilnotes.interleaving.running import Crew, Member

REAL_LOCK = type(allocate_lock())
REAL_RLOCK = type(threading.RLock())
_FILES = frozenset((__file__, threading.__file__, queue.__file__))


class Lock:
    """What `threading.Lock()` returns in a program under study."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        number = crew.next_lock_number()
        self.name = f"lock {number}"
        self.held = False
        self.holder: Member | None = None
        self._taken_at: tuple[str, int] | None = None
        # Not by `id`: the next lock may be made where one that nobody needs any more was.
        self.location = ((("lock", number), "", True),)
        """For `accesses.dependent`: every operation on a lock depends on every other."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, when it is free; False if it is not, and waiting was not wanted or in vain.

        A timeout may strike whenever the lock is held. Nobody waits for it in earnest: the
        thread's own clock is put forward.
        """
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        member = self._crew.member_here()
        if member is None:
            return self._acquire_alone(blocking)
        member.synchronize(self, takes=True, waits=blocking and timeout < 0)
        if self.held:
            if blocking:
                member.clock += timeout
            return False
        self.held = True
        self.holder = member
        step = member.taken[-1]
        line = step.instruction.line
        # Glue and the standard library take steps without a line.
        self._taken_at = (step.code.co_filename, line) if line else spot(sys._getframe())
        return True

    def _acquire_alone(self, blocking: bool) -> bool:
        """Take it in `setup()` or `holds()`, while no thread runs."""
        if self.held and blocking and not self._crew.abandoned:
            who = f"thread {self.holder.name}" if self.holder else "setup()"
            raise RuntimeError(f"setup() or holds() would wait for ever: {who} holds {self}")
        if self.held:
            return False
        self.held, self.holder, self._taken_at = True, None, spot(sys._getframe())
        return True

    @property
    def taken_at(self) -> str:
        """The line on which its holder took it."""
        return place(self._taken_at)

    def release(self) -> None:
        """Give it back. RuntimeError if nobody holds it."""
        if self._crew.abandoned:
            return  # the run is over; whoever unwinds may not even hold it
        member = self._crew.member_here()
        if member is not None:
            member.synchronize(self, takes=False, waits=False)
        if not self.held:
            raise RuntimeError("release unlocked lock")
        self.held, self.holder = False, None

    def locked(self) -> bool:
        """Tell whether somebody holds it."""
        member = self._crew.member_here()
        if member is not None:
            member.synchronize(self, takes=None, waits=False)
        return self.held

    __enter__ = acquire

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self.held, self.holder = False, None

    def __repr__(self) -> str:
        return self.name


def name_locks(shared: object, scopes: Iterable[dict[str, Any]]) -> None:
    """Give the locks that can be reached from the program the names it has for them."""
    todo = [(value, name) for scope in scopes for name, value in scope.items()]
    todo = [(value, name) for value, name in todo if isinstance(value, (Lock, *_MADE_ANEW))]
    todo.append((shared, ""))
    known: set[int] = set()
    for value, name in todo:  # grows
        if id(value) in known or len(known) > MOST_NAMED:
            continue
        known.add(id(value))
        if isinstance(value, Lock):
            value.name = name or value.name
        elif isinstance(value, dict):
            todo.extend((inner, f"{name}[{key!r}]") for key, inner in value.items())
        elif isinstance(value, (list, tuple)):
            todo.extend((inner, f"{name}[{index}]") for index, inner in enumerate(value))
        else:
            for attribute, inner in getattr(value, "__dict__", {}).items():
                todo.append((inner, f"{name}.{attribute}".lstrip(".")))


MOST_NAMED = 200
"""Objects that are looked into for locks."""


def spot(frame: FrameType | None) -> tuple[str, int] | None:
    """Find the line of the program that a frame of this module or of `threading` serves."""
    while frame is not None and frame.f_code.co_filename in _FILES:
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else None


def place(found: tuple[str, int] | None) -> str:
    """Write a file and a line for people."""
    return f"{shown(found[0])}:{found[1]}" if found else "?"


def shown(filename: str) -> str:
    """Name a file for people: from the working directory, or from its package on.

    >>> shown(__file__)
    'interleaving/cooperative.py'
    """
    here = os.getcwd() + os.sep
    if filename.startswith(here):
        return filename[len(here) :]
    return "/".join(filename.replace(os.sep, "/").split("/")[-2:])


def waiting_in(frame: FrameType | None) -> tuple[str, str]:
    """Say what a waiting thread has called ("Condition.wait"), and on which line."""
    called = "acquire"
    while frame is not None and (
        frame.f_code.co_filename in _FILES or "gilnotes.interleaving" in _module(frame)
    ):
        if frame.f_code.co_filename in _FILES:
            this = frame.f_locals.get("self")
            name = frame.f_code.co_name
            kind = type(this).__name__.lstrip("_") if this is not None else ""
            called = f"{kind}.{'acquire' if name == '__enter__' else name}".lstrip(".")
        frame = frame.f_back
    return called, place(spot(frame))


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


class Replacement:
    """Puts cooperative locks in the place of real ones, and the real ones back.

    Other threads of the process, which have nothing to do with the program under study, keep
    getting real ones.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._undo: list[tuple[dict[str, Any], str, Any]] = []
        self._methods: list[tuple[type, str, Any]] = []
        self._renewed: list[tuple[Any, str, Callable[[], object]]] = []
        self._scopes: list[int] = []
        lock, sleep, monotonic = self._lock, self._sleep, self._monotonic
        asking = {name: self._asking(getattr(threading, name)) for name in _WHO}
        rlock = self._chosen(threading._PyRLock, threading.RLock)  # type: ignore[attr-defined]
        simple = self._chosen(queue._PySimpleQueue, queue.SimpleQueue)  # type: ignore[attr-defined]
        self._instead: dict[int, Callable[..., object]] = {
            id(threading.Lock): lock,
            id(threading.RLock): rlock,
            id(queue.SimpleQueue): simple,
            id(time.sleep): sleep,
            **{id(getattr(threading, name)): new for name, new in asking.items()},
        }
        for scope, name, new in (
            (vars(threading), "Lock", lock),
            (vars(threading), "_allocate_lock", lock),
            (vars(threading), "RLock", rlock),
            (vars(threading), "_time", monotonic),
            (vars(queue), "SimpleQueue", simple),
            (vars(queue), "time", monotonic),
            (vars(time), "sleep", sleep),
            *((vars(threading), name, new) for name, new in asking.items()),
        ):
            self._replace(scope, name, new)
        self._replace_method(threading.Event, "is_set", _is_set)
        self._replace_method(threading.Thread, "start", self._start_method())

    def _replace(self, scope: dict[str, Any], name: str, new: object) -> None:
        self._undo.append((scope, name, scope[name]))
        scope[name] = new

    def _replace_method(self, cls: type, name: str, new: object) -> None:
        self._methods.append((cls, name, cls.__dict__[name]))
        setattr(cls, name, new)

    def also_in(self, scopes: Iterable[dict[str, Any]]) -> None:
        """Replace what these modules have imported by name, and the locks they have made."""
        for scope in scopes:
            if id(scope) in self._scopes:
                continue
            self._scopes.append(id(scope))
            values = scope.values()
            if not self._instead.keys().isdisjoint(map(id, values)):
                for name, value in list(scope.items()):
                    if id(value) in self._instead:
                        self._replace(scope, name, self._instead[id(value)])
            for name, value in _made_anew_in(scope):
                self._undo.append((scope, name, value))
                self._renew(scope, name, value)
            for cls in [value for value in values if isinstance(value, type)]:
                if cls.__module__ == scope["__name__"]:
                    for name, value in _made_anew_in(vars(cls)):
                        self._methods.append((cls, name, value))
                        self._renew(cls, name, value)

    def _renew(self, owner: Any, name: str, value: Any) -> None:
        self._renewed.append((owner, name, lambda: self._anew(value)))

    @property
    def scopes(self) -> list[dict[str, Any]]:
        """The modules in which something was replaced."""
        return [scope for scope, _, _ in self._undo if scope["__name__"] not in SYNCHRONIZES]

    def renew(self) -> None:
        """Make the locks of the modules anew, for a new run."""
        self._known: dict[int, object] = {}
        for owner, name, make in self._renewed:
            if isinstance(owner, dict):
                owner[name] = make()
            else:
                setattr(owner, name, make())

    def _anew(self, value: Any) -> object:
        """A new object of the kind of an old one. What shared a lock shares one again."""
        if id(value) not in self._known:
            self._known[id(value)] = self._made(value)
        return self._known[id(value)]

    def _made(self, value: Any) -> object:
        arguments: list[Any] = []
        if isinstance(value, threading.Condition):
            arguments = [self._anew(value._lock)]  # type: ignore[attr-defined]
        elif isinstance(value, threading.Semaphore):
            arguments = [value._value]
        elif isinstance(value, threading.Barrier):
            arguments = [value.parties, value._action, value._timeout]  # type: ignore[attr-defined]
        elif isinstance(value, queue.Queue):
            arguments = [value.maxsize]
        for kind, make in (
            (REAL_LOCK, threading.Lock),
            (Lock, threading.Lock),
            (REAL_RLOCK, threading.RLock),
            (_REAL_SIMPLE_QUEUE, queue.SimpleQueue),
        ):
            if type(value) is kind:
                return make()
        return type(value)(*arguments)

    def undo(self) -> None:
        """Put everything back, the last first."""
        for cls, name, old in reversed(self._methods):
            setattr(cls, name, old)
        for scope, name, old in reversed(self._undo):
            scope[name] = old

    # -- what is called in their place

    def _lock(self) -> object:
        return Lock(self._crew) if self._crew.is_ours() else allocate_lock()

    def _chosen(self, ours: Callable[..., object], real: Callable[..., object]) -> Any:
        def make(*args: Any) -> object:
            return (ours if self._crew.is_ours() else real)(*args)

        return make

    def _asking(self, real: Callable[[], object]) -> Callable[[], object]:
        """Call a function that says which thread this is, and note that somebody wanted to know."""

        def ask() -> object:
            crew = self._crew
            if crew.member_here() is not None and not crew.told_apart:
                caller = sys._getframe(1).f_globals.get("__name__")
                crew.told_apart = caller not in SYNCHRONIZES  # an RLock does so every time
            return real()

        return ask

    def _sleep(self, seconds: float) -> None:
        member = self._crew.member_here()
        if member is None:
            _real_sleep(seconds)
        else:
            member.clock += seconds
            member.yields()

    def _monotonic(self) -> float:
        member = self._crew.member_here()
        return _real_monotonic() if member is None else member.clock

    def _start_method(self) -> Callable[[threading.Thread], None]:
        def start(thread: threading.Thread) -> None:
            if self._crew.member_here() is not None:
                raise RuntimeError(
                    "a thread under study starts a thread: name it in Program.threads"
                )
            _real_start(thread)

        return start


_WHO = ("get_ident", "get_native_id", "current_thread")


def _is_set(event: threading.Event) -> bool:
    """`Event.is_set`, which looks without taking the lock; here it has to be seen looking."""
    with event._cond:  # type: ignore[attr-defined]
        return event._flag  # type: ignore[attr-defined, no-any-return]


def _made_anew_in(scope: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Find the locks and the like among the names of a module or class."""
    kinds: set[Any] = set(map(type, scope.values()))
    if not any(map(_is_made_anew, kinds)):
        return []  # as most often, and it is soon seen
    return [(name, value) for name, value in scope.items() if issubclass(type(value), _MADE_ANEW)]


@functools.lru_cache(maxsize=1024)
def _is_made_anew(cls: Any) -> bool:
    return issubclass(cls, _MADE_ANEW)


_REAL_SIMPLE_QUEUE = queue.SimpleQueue
_real_sleep = time.sleep
_real_monotonic = time.monotonic
_real_start = threading.Thread.start
_MADE_ANEW = (
    *(REAL_LOCK, REAL_RLOCK, threading.Condition, threading.Semaphore, threading.Event),
    *(threading.Barrier, threading.local, queue.Queue, queue.SimpleQueue),
)
