"""Small concurrent programs, each with the verdict that all of its schedules give together.

They are for every explorer, ours and others': a real file (some pass what is not in one unseen),
standard library only, Python 3.8, and locks made as `threading.Lock()`, an attribute looked up
when it is called, which all of them can replace.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Callable, Mapping


@dataclass(frozen=True)
class Sample:
    """A program, in the words of `gilnotes.interleaving.Program`, and what is true of it."""

    setup: Callable[[], Any]
    threads: Mapping[str, Callable[[Any], object]]
    holds: Callable[[Any], object]
    verdict: str
    """Over all schedules: "deadlock" if one deadlocks, else "broken" if one breaks, or "holds"."""
    times: int = 1
    """How many times each thread calls its function."""


# -- counters


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def increment(self) -> None:
        self.count += 1


class LockingCounter:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0

    def increment(self) -> None:
        with self.lock:
            self.count += 1


class HalfLockingCounter(LockingCounter):
    """The read is under the lock, and so is the write: but not under the same `with`."""

    def increment(self) -> None:
        with self.lock:
            count = self.count
        with self.lock:
            self.count = count + 1


class ReentrantCounter:
    """A method that holds the lock calls another one that takes it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.count = 0

    def increment(self) -> None:
        with self.lock:
            self.add(1)

    def add(self, offset: int) -> None:
        with self.lock:
            self.count += offset


def increment(counter: Any) -> None:
    counter.increment()


# -- a bank account


class Account:
    def __init__(self) -> None:
        self.balance = 100

    def withdraw(self, amount: int) -> None:
        if self.balance >= amount:
            self.balance -= amount


class LockingAccount(Account):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def withdraw(self, amount: int) -> None:
        with self.lock:
            if self.balance >= amount:
                self.balance -= amount


def withdraw(account: Any) -> None:
    account.withdraw(80)


# -- two locks


class TwoLocks:
    def __init__(self) -> None:
        self.left = threading.Lock()
        self.right = threading.Lock()
        self.meals = 0

    def left_first(self) -> None:
        with self.left, self.right:
            self.meals += 1

    def right_first(self) -> None:
        with self.right, self.left:
            self.meals += 1


def left_first(locks: TwoLocks) -> None:
    locks.left_first()


def right_first(locks: TwoLocks) -> None:
    locks.right_first()


# -- what built-in types do at once, and what they do not


class Words:
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.order: list[str] = []

    def count(self, word: str) -> None:
        self.seen[word] = self.seen.get(word, 0) + 1

    def append(self, word: str) -> None:
        self.order.append(word)


def count_word(words: Words) -> None:
    words.count("GIL")


def append_word(words: Words) -> None:
    words.append("GIL")


# -- something made when it is first asked for


class Lazy:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: str | None = None
        self.made = 0

    def check(self) -> None:
        if self.value is None:
            self.made += 1
            self.value = "made"

    def check_twice(self) -> None:
        if self.value is None:
            with self.lock:
                if self.value is None:
                    self.made += 1
                    self.value = "made"


def check(lazy: Lazy) -> None:
    lazy.check()


def check_twice(lazy: Lazy) -> None:
    lazy.check_twice()


# -- one thread waits for another


class Mailbox:
    """A buffer guarded by a condition, as in the documentation of `threading.Condition`."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.letters: deque[int] = deque()
        self.received: list[int] = []

    def send(self, letter: int) -> None:
        with self.condition:
            self.letters.append(letter)
            self.condition.notify()

    def receive(self) -> None:
        with self.condition:
            while not self.letters:
                self.condition.wait()
            self.received.append(self.letters.popleft())

    def receive_carelessly(self) -> None:
        if not self.letters:  # looked at before the lock is held: the notice may come in between
            with self.condition:
                self.condition.wait()
        self.received.append(self.letters.popleft())


def send(mailbox: Mailbox) -> None:
    mailbox.send(1)


def receive(mailbox: Mailbox) -> None:
    mailbox.receive()


def receive_carelessly(mailbox: Mailbox) -> None:
    mailbox.receive_carelessly()


class Pipeline:
    def __init__(self) -> None:
        self.queue: queue.Queue[int] = queue.Queue(maxsize=1)
        self.received: list[int] = []

    def produce(self) -> None:
        self.queue.put(1)
        self.queue.put(2)

    def consume(self) -> None:
        self.received.append(self.queue.get())
        self.received.append(self.queue.get())


def produce(pipeline: Pipeline) -> None:
    pipeline.produce()


def consume(pipeline: Pipeline) -> None:
    pipeline.consume()


# -- the order in which a lock is taken


class Log:
    """Two entries of each thread can stand in it in six orders."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: list[str] = []

    def write(self, name: str) -> None:
        with self.lock:
            self.entries.append(name)


def write_a(log: Log) -> None:
    log.write("A")


def write_b(log: Log) -> None:
    log.write("B")


LOG_ORDERS = ("AABB", "ABAB", "ABBA", "BAAB", "BABA", "BBAA")


def log_is_not(order: str) -> Callable[[Log], bool]:
    return lambda log: "".join(log.entries) != order


PROGRAMS = {
    "counter, 2 × 1": Sample(
        Counter, {"A": increment, "B": increment}, lambda counter: counter.count == 2, "broken"
    ),
    "counter, 2 × 2": Sample(
        Counter, {"A": increment, "B": increment}, lambda counter: counter.count == 4, "broken", 2
    ),
    "counter, 3 × 1": Sample(
        Counter,
        {"A": increment, "B": increment, "C": increment},
        lambda counter: counter.count == 3,
        "broken",
    ),
    "locking counter, 2 × 2": Sample(
        LockingCounter,
        {"A": increment, "B": increment},
        lambda counter: counter.count == 4,
        "holds",
        2,
    ),
    "read and write under two locks": Sample(
        HalfLockingCounter,
        {"A": increment, "B": increment},
        lambda counter: counter.count == 2,
        "broken",
    ),
    "a lock taken again": Sample(
        ReentrantCounter,
        {"A": increment, "B": increment},
        lambda counter: counter.count == 2,
        "holds",
    ),
    "check, then act": Sample(
        Account, {"A": withdraw, "B": withdraw}, lambda account: account.balance == 20, "broken"
    ),
    "check and act, locked": Sample(
        LockingAccount,
        {"A": withdraw, "B": withdraw},
        lambda account: account.balance == 20,
        "holds",
    ),
    "two locks, opposite order": Sample(
        TwoLocks,
        {"A": left_first, "B": right_first},
        lambda locks: locks.meals == 2,
        "deadlock",
    ),
    "two locks, same order": Sample(
        TwoLocks, {"A": left_first, "B": left_first}, lambda locks: locks.meals == 2, "holds"
    ),
    "an item of a dict": Sample(
        Words, {"A": count_word, "B": count_word}, lambda words: words.seen == {"GIL": 2}, "broken"
    ),
    "list.append": Sample(
        Words, {"A": append_word, "B": append_word}, lambda words: len(words.order) == 2, "holds"
    ),
    "made once, unguarded": Sample(
        Lazy, {"A": check, "B": check}, lambda lazy: lazy.made == 1, "broken"
    ),
    "made once, checked twice": Sample(
        Lazy, {"A": check_twice, "B": check_twice}, lambda lazy: lazy.made == 1, "holds"
    ),
    "a condition": Sample(
        Mailbox, {"A": send, "B": receive}, lambda mailbox: mailbox.received == [1], "holds"
    ),
    "a notice that nobody waits for": Sample(
        Mailbox,
        {"A": send, "B": receive_carelessly},
        lambda mailbox: mailbox.received == [1],
        "deadlock",
    ),
    "a queue": Sample(
        Pipeline,
        {"A": produce, "B": consume},
        lambda pipeline: pipeline.received == [1, 2],
        "holds",
    ),
    **{
        f"a log that is not {order}": Sample(
            Log, {"A": write_a, "B": write_b}, log_is_not(order), "broken", 2
        )
        for order in LOG_ORDERS
    },
}
