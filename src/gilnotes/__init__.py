"""Python's GIL, the data race and the mutex, as code that runs on every CPython from 3.8.

>>> from gilnotes import LockingCounter, run_threads, worker
>>> counter = LockingCounter()
>>> run_threads(worker, 1000, counter)
>>> counter.count
5000
"""

from __future__ import annotations

from gilnotes.counters import Counter, LockingCounter
from gilnotes.threads import ThreadErrors, run_threads, worker

__version__ = "0.1.0"

__all__ = ["Counter", "LockingCounter", "ThreadErrors", "__version__", "run_threads", "worker"]
