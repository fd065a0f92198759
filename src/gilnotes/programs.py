"""The programs of the notes, ready to be replayed and explored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gilnotes.accounts import Account, Bank, LockingAccount, OrderedBank, PatientBank
from gilnotes.counters import Counter, LockingCounter
from gilnotes.interleaving.program import Program, same
from gilnotes.refactorings import REFACTORINGS

if TYPE_CHECKING:
    from typing import Any, Callable, Mapping


def counting(counter: Callable[[], Any] = Counter, threads: int = 2, times: int = 1) -> Program:
    """Let threads count to ``threads * times`` together.

    >>> counting().names
    ('A', 'B')
    """
    expected = threads * times
    return Program(counter, same(_increment, threads), times, partial(_counted, expected))


def _increment(counter: Any) -> None:
    counter.increment(1)


def _counted(expected: int, counter: Any) -> bool:
    return bool(counter.count == expected)


def withdrawing(account: Callable[[], Account] = Account, threads: int = 2) -> Program:
    """Let each thread withdraw 60 of 100; the balance must not fall below nothing."""
    return Program(account, same(_withdraw, threads), holds=_is_covered)


def _withdraw(account: Account) -> None:
    account.withdraw(60)


def _is_covered(account: Account) -> bool:
    return account.balance >= 0


def moving(bank: Callable[[], Bank] = Bank) -> Program:
    """Let one thread move 10 to the right and one 20 to the left; no money must get lost."""
    return Program(bank, {"A": _to_right, "B": _to_left}, holds=_is_all_there)


def _to_right(bank: Bank) -> None:
    bank.to_right(10)


def _to_left(bank: Bank) -> None:
    bank.to_left(20)


def _is_all_there(bank: Bank) -> bool:
    return bank.left + bank.right == 200


PROGRAMS: Mapping[str, Callable[..., Program]] = {
    "race": partial(counting, Counter),
    "lock": partial(counting, LockingCounter),
    "account": partial(withdrawing, Account),
    "locking-account": partial(withdrawing, LockingAccount),
    "deadlock": partial(moving, Bank),
    "lock-order": partial(moving, OrderedBank),
    "timeout": partial(moving, PatientBank),
    **{each.name: partial(counting, each.counter_class) for each in REFACTORINGS},
}
"""What makes each program, by the name that the command line has for it."""
