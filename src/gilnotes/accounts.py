"""Money that threads move: a check that comes too early, two locks in opposite order, its cures."""

from __future__ import annotations

from threading import Lock


class Account:
    """Hold 100; what is not there should not be paid. Nothing guards the balance."""

    def __init__(self) -> None:
        self.balance = 100

    def withdraw(self, amount: int) -> None:
        """Check, then act: between the two another thread may act, too."""
        if self.balance >= amount:
            self.balance -= amount


class LockingAccount(Account):
    """Hold 100. A lock makes the check and the act one step."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock()

    def withdraw(self, amount: int) -> None:
        """Check and act while nobody else can."""
        with self.lock:
            if self.balance >= amount:
                self.balance -= amount


class Bank:
    """Hold two accounts with a lock each. Whoever moves money takes both, its source's first."""

    def __init__(self) -> None:
        self.left = self.right = 100
        self.left_lock = Lock()
        self.right_lock = Lock()

    def to_right(self, amount: int) -> None:
        """Move money from the left account to the right one."""
        with self.left_lock:
            with self.right_lock:
                self.left -= amount
                self.right += amount

    def to_left(self, amount: int) -> None:
        """Move money from the right account to the left one: the locks in the other order."""
        with self.right_lock:
            with self.left_lock:
                self.right -= amount
                self.left += amount


class OrderedBank(Bank):
    """The first cure: everybody takes the left lock first, whichever way the money goes."""

    def to_left(self, amount: int) -> None:
        """Move money from the right account to the left one."""
        with self.left_lock:
            with self.right_lock:
                self.right -= amount
                self.left += amount


class PatientBank(Bank):
    """The second cure: whoever holds one lock does not wait for ever for the other."""

    def to_left(self, amount: int) -> None:
        """Move money, or leave all as it is if the second lock does not come within a second."""
        with self.right_lock:
            if self.left_lock.acquire(timeout=1):
                self.right -= amount
                self.left += amount
                self.left_lock.release()
