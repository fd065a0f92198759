"""What a build shows while blocks run, and the sentence it ends with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record

EVERY = 5.0
"""Seconds between two plain lines, where there is no terminal to keep a live one on."""


class Progress:
    """Which block runs on which interpreter, and how many are left.

    On a terminal one line that changes; elsewhere, plain lines, and only where a build takes
    longer than a few seconds.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._live = stream is not None and stream.isatty()
        self._started = self._said = clock()
        self._running: dict[str, None] = {}
        self._left = 0

    def start(self, total: int) -> None:
        """So many runs are to come."""
        self._left = total

    def running(self, block: Block, spec: str) -> None:
        """A block begins to run on an interpreter."""
        self._running[f"{block} on {spec}"] = None
        self._say()

    def finished(self, outcome: Outcome) -> None:
        """A block has run, or its outcome was in the cache."""
        self._running.pop(f"{outcome.block} on {outcome.spec}", None)
        self._left -= 1
        self._say()

    def end(self, pages: int, record: Record) -> None:
        """Everything has run: take the live line away, and sum up."""
        if self._stream is None:
            return
        if self._live:
            self._stream.write("\r\x1b[K")
        self._stream.write(summary(pages, record, self._clock() - self._started) + "\n")
        self._stream.flush()

    def _say(self) -> None:
        if self._stream is None or not self._running:
            return
        line = f"{self._left} left: {', '.join(self._running)}"
        if self._live:
            self._stream.write(f"\r{line[:99]}\x1b[K")
        elif self._clock() - self._said >= EVERY:
            self._stream.write(line + "\n")
            self._said = self._clock()
        self._stream.flush()


def summary(pages: int, record: Record, seconds: float) -> str:
    """Say in one sentence what a build did.

    >>> summary(2, Record(()), 0.5)
    '2 pages, 0 blocks, 0 claims; 0 runs on 0 interpreters, 0 from the cache; 0.5 s'
    """
    ran = [outcome for outcome in record.outcomes if outcome.interpreter]
    tags = dict.fromkeys(outcome.spec for outcome in ran)
    blocks = {str(outcome.block) for outcome in ran}
    claims = {outcome.block.claim for outcome in ran if outcome.block.claim}
    cached = sum(outcome.cached for outcome in ran)
    named = f" ({', '.join(tags)})" if tags else ""
    return (
        f"{pages} pages, {len(blocks)} blocks, {len(claims)} claims; {len(ran)} runs on "
        f"{len(tags)} interpreters{named}, {cached} from the cache; {seconds:.1f} s"
    )
