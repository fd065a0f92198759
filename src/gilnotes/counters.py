"""Two counters for threads to share: one that can lose updates, and one that cannot."""

from __future__ import annotations

from threading import Lock


class Counter:
    """Count readings. Nothing guards the count."""

    def __init__(self) -> None:
        self.count = 0

    def increment(self, offset: int) -> None:
        self.count += offset


class LockingCounter:
    """Count readings. A lock lets one thread at a time change the count."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.count = 0

    def increment(self, offset: int) -> None:
        with self.lock:
            self.count += offset
