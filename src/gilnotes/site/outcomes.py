"""What a block printed, on which interpreter, for how long; and the record of a whole build."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

from gilnotes.interpreters import Interpreter
from gilnotes.site.blocks import Block

Status = Literal["passed", "failed", "missing"]


@dataclass(frozen=True)
class Failure:
    """How a block failed, in words that end at a line of the Markdown."""

    message: str
    """One sentence: `AssertionError: found 499999`, `still running after 30 s`."""

    line: int
    """The failing statement's line in the file; the fence's where there is none."""


@dataclass(frozen=True)
class Outcome:
    """One block, run once on one interpreter."""

    block: Block
    spec: str
    """The interpreter as a fence names it: `3.9`, `3.13t`."""

    interpreter: Interpreter | None
    """None: this machine has no such interpreter."""

    status: Status
    output: str = ""
    """What reached file descriptors 1 and 2, 64 KiB at most."""

    seconds: float = 0.0
    measured: str = ""
    """When, in UTC (ISO 8601)."""

    machine: str = ""
    """Where: operating system, processor, cores."""

    cached: bool = False
    failure: Failure | None = None

    def __str__(self) -> str:
        """`docs/race.md:57 (CPython 3.9.18): AssertionError`."""
        line = self.failure.line if self.failure else self.block.line
        where = f" ({self.interpreter.label})" if self.interpreter and self.block.python else ""
        message = f": {self.failure.message}" if self.failure else ""
        return f"{self.block.file}:{line}{where}{message}"


@dataclass(frozen=True)
class Row:
    """Outcomes of one block that are alike, on neighboring versions."""

    outcomes: tuple[Outcome, ...]
    differs: bool
    """Whether more than half of the block's interpreters agree on something else."""


def rows(outcomes: Sequence[Outcome]) -> tuple[Row, ...]:
    """Put the outcomes of one block together where they are alike.

    Only neighbors share a row: the order of the versions stays. Where no outcome has the
    majority, as when a race decides it, none is the odd one out.
    """
    counts = Counter(_seen(outcome) for outcome in outcomes if outcome.interpreter)
    usual = [seen for seen, count in counts.items() if 2 * count > counts.total()]
    groups = [tuple(group) for _, group in groupby(outcomes, _seen)]
    return tuple(
        Row(group, bool(usual and group[0].interpreter and _seen(group[0]) not in usual))
        for group in groups
    )


def _seen(outcome: Outcome) -> tuple[str, Status, Failure | None]:
    return outcome.output, outcome.status, outcome.failure


@dataclass(frozen=True)
class Record:
    """Every outcome of a build, in the order of the pages and their blocks."""

    outcomes: tuple[Outcome, ...]

    def of(self, place: str) -> tuple[Outcome, ...]:
        """The outcomes of the block at a place (`docs/race.md:31`), one an interpreter."""
        return tuple(self._by_place.get(place, ()))

    @cached_property
    def _by_place(self) -> dict[str, list[Outcome]]:
        by_place: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            by_place.setdefault(str(outcome.block), []).append(outcome)
        return by_place

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that keep the site from being published."""
        return tuple(o for o in self.outcomes if o.status == "failed")

    @property
    def claims(self) -> dict[str, tuple[Outcome, ...]]:
        """What the blocks claim, in the order of the pages, and the outcomes that bear it out."""
        evidence: dict[str, tuple[Outcome, ...]] = {}
        for outcome in self.outcomes:
            if outcome.block.claim and outcome.interpreter:
                claim = outcome.block.claim
                evidence[claim] = (*evidence.get(claim, ()), outcome)
        return evidence

    def to_json(self) -> str:
        """Write the record as `outcomes.json`; `outcomes.schema.json` here describes it."""
        entries = (json.dumps(_entry(o), ensure_ascii=False) for o in self.outcomes)
        lines = ",\n".join(entries)
        return f'{{"version": {VERSION}, "outcomes": [\n{lines}\n]}}\n'


VERSION = 1
"""Of the schema: goes up when a field changes its meaning or goes away, not when one is added."""


def _entry(outcome: Outcome) -> dict[str, object]:
    block, python, failure = outcome.block, outcome.interpreter, outcome.failure
    return {
        "page": block.file,
        "line": block.line,
        "anchor": block.anchor,
        "claim": block.claim or None,
        "spec": outcome.spec,
        "interpreter": python
        and {
            "version": python.version,
            "implementation": python.implementation,
            "free_threaded": python.free_threaded,
            "gil": python.gil,
            "compiler": python.compiler,
            "platform": python.platform,
        },
        "status": outcome.status,
        "output": outcome.output,
        "seconds": round(outcome.seconds, 6),
        "measured": outcome.measured or None,
        "machine": outcome.machine or None,
        "cached": outcome.cached,
        "failure": failure and {"line": failure.line, "message": failure.message},
    }
