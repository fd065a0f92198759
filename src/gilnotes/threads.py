"""Run one function in several threads, wait for all of them, and lose no exception."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Callable, Sequence

Shared = TypeVar("Shared")


class Increments(Protocol):
    """What a worker needs of a counter."""

    def increment(self, offset: int) -> None:
        """Add ``offset`` to the count."""


def worker(sensor_index: int, how_many: int, counter: Increments) -> None:
    """Read one sensor ``how_many`` times, and count each reading."""
    for _ in range(how_many):
        # A real worker reads its sensor here.
        counter.increment(1)


def run_threads(
    func: Callable[[int, int, Shared], object], how_many: int, counter: Shared, *, threads: int = 5
) -> None:
    """Call ``func(sensor_index, how_many, counter)`` in each of ``threads`` threads; wait for all.

    >>> from gilnotes import LockingCounter
    >>> counter = LockingCounter()
    >>> run_threads(worker, 1000, counter)
    >>> counter.count
    5000

    An exception in a thread is raised here, after every thread has ended. Several are raised
    together, as ThreadErrors. Ctrl-C is raised after every thread has ended, too.

    Raises TypeError or ValueError for numbers that make no sense.
    """
    check_whole_number("how_many", how_many, at_least=0)
    check_whole_number("threads", threads, at_least=1)
    crew = [Member(func, index, how_many, counter) for index in range(threads)]
    with Joined(crew):
        for thread in crew:
            thread.start()


class ThreadErrors(Exception):
    """Several threads failed. ``exceptions`` holds what each raised, in the order of the threads.

    (ExceptionGroup says the same, but exists only from CPython 3.11.)
    """

    def __init__(self, exceptions: Sequence[BaseException]) -> None:
        super().__init__(exceptions)
        self.exceptions = tuple(exceptions)

    def __str__(self) -> str:
        named = "; ".join(f"{type(error).__name__}: {error}" for error in self.exceptions)
        return f"{len(self.exceptions)} threads failed: {named}"


class Member(Thread):
    """A thread that keeps the exception it ended with, for the one who waits for it."""

    def __init__(self, func: Callable[..., object], *args: object) -> None:
        super().__init__(target=func, args=args)
        self.error: BaseException | None = None
        self._deciding = Lock()
        self._wanted = True
        self._begun = False
        self._ended = False
        self._running = Lock()
        self._running.acquire()

    def run(self) -> None:
        """Call the function, unless it was called off."""
        with self._deciding:
            if not self._wanted:
                return
            self._begun = True
        try:
            super().run()
        except BaseException as error:  # whatever it is, it belongs to the caller
            self.error = error
        finally:
            self._ended = True
            self._running.release()

    def call_off(self) -> None:
        """Keep the thread from calling its function, if it has not begun.

        Ctrl-C can strike while `start` waits for the thread to begin. It may begin later.
        """
        with self._deciding:
            self._wanted = False

    def wait(self) -> None:
        """Wait until the function has returned; may be interrupted, and called again.

        `Thread.join` may not: until 3.12 an interrupted join takes the thread for dead
        (python/cpython#90882). It looks up twice a second because a signal that comes just before
        the wait does not end it, and on Windows no signal ends it.
        """
        while (self._wanted or self._begun) and not self._ended:
            self._running.acquire(timeout=0.5)
        if self.is_alive():
            self.join()


class Joined:
    """After the ``with`` block no thread of the crew runs, and what they raised is raised here."""

    def __init__(self, crew: Sequence[Member]) -> None:
        self.crew = crew

    def __enter__(self) -> None:
        """Nothing to do: the block starts the threads."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            for thread in self.crew:
                thread.call_off()
        interruption = wait_for(self.crew)
        errors = [thread.error for thread in self.crew if thread.error is not None]
        if error is not None and not isinstance(error, Exception):
            interruption = error
        elif error is not None:  # a thread that could not be started, hence the last that failed
            errors.append(error)
        if interruption is not None:
            raise interruption from (ThreadErrors(errors) if errors else None)
        if len(errors) > 1:
            raise ThreadErrors(errors) from errors[0]
        if errors and errors[0] is not error:
            raise errors[0]


def wait_for(crew: Sequence[Member]) -> BaseException | None:
    """Wait until no thread of the crew runs. Return what interrupted the wait, if anything did."""
    interruption = None
    while True:
        try:
            for thread in crew:
                thread.wait()
            return interruption
        except BaseException as error:  # KeyboardInterrupt, or what a signal handler raises
            interruption = error


def check_whole_number(name: str, value: object, *, at_least: int) -> None:
    """Raise TypeError unless ``value`` is an int, ValueError if it is less than ``at_least``.

    True and False are ints to Python, but no number of anything to a reader: TypeError.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")
