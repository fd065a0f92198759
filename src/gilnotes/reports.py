"""What was measured, as tables and sentences: the same in a terminal and on a page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from gilnotes.tables import Table

if TYPE_CHECKING:
    from typing import Iterable, Sequence

    from gilnotes.experiments import Runs
    from gilnotes.interleaving import Report
    from gilnotes.interpreters import Interpreter
    from gilnotes.refactorings import Finding
    from gilnotes.timing import LockCost, Ratio, Scaled
    from gilnotes.turns import Latency, Span, Track


def race(results: Iterable[tuple[Interpreter, Runs]]) -> Table:
    """Put what `experiments.race_on` found into a table, one row an interpreter.

    Found and lost are those of the first run; of several runs, their range follows.
    """
    results = list(results)
    if all(len(runs.found) == 1 for _, runs in results):
        return Table(
            ("interpreter", "GIL", "found", "lost"),
            tuple((*_who(python), *_first(runs)) for python, runs in results),
        )
    return Table(
        ("interpreter", "GIL", "found", "lost", "lost in", "minimum", "median", "maximum"),
        tuple(
            (
                *_who(python),
                *_first(runs),
                f"{runs.lost_in} of {len(runs.found)}",
                *map(str, (runs.minimum, runs.median, runs.maximum)),
            )
            for python, runs in results
        ),
    )


def distribution(results: Iterable[tuple[Interpreter, Runs]]) -> Table:
    """Put every count that `experiments.race_on` found into a table, one row an interpreter.

    >>> from gilnotes import LockingCounter, experiments, interpreters
    >>> here = interpreters.current()
    >>> table = distribution([(here, experiments.race(LockingCounter, runs=2, how_many=10))])
    >>> table.rows[0][2:]
    ('50', '0 of 2', '2 × 50')
    """
    return Table(
        ("interpreter", "GIL", "should be", "lost in", "found, from the smallest"),
        tuple(
            (
                *_who(python),
                str(runs.expected),
                f"{runs.lost_in} of {len(runs.found)}",
                _tallied(sorted(runs.found)),
            )
            for python, runs in results
        ),
    )


def scaling(results: Iterable[tuple[Interpreter, Sequence[Scaled]]]) -> Table:
    """Put the time of some work on one thread, and the speed-up of more threads, into a table."""
    results = list(results)
    counts = [scaled.threads for scaled in results[0][1]]
    first, *more = (f"{count} thread{'s' if count > 1 else ''}" for count in counts)
    return Table(
        ("interpreter", "GIL", first, *more),
        tuple(
            (
                *_who(python),
                f"{rows[0].timing.median * 1000:.1f} ms",
                *(_ratio(scaled.speed_up) for scaled in rows[1:]),
            )
            for python, rows in results
        ),
    )


def lock_cost(results: Iterable[tuple[Interpreter, Sequence[LockCost]]]) -> Table:
    """Put the cost of a lock into a table: a row an interpreter, a column a number of threads."""
    results = list(results)
    counts = [cost.threads for cost in results[0][1]]
    return Table(
        (
            "interpreter",
            "GIL",
            "without a lock",
            *(f"{count} thread{'s' if count > 1 else ''}" for count in counts),
        ),
        tuple(
            (
                *_who(python),
                f"{costs[0].without.median * 1e9:.0f} ns",
                *(_ratio(cost.ratio) for cost in costs),
            )
            for python, costs in results
        ),
    )


def turns(results: Iterable[tuple[Interpreter, Sequence[Track]]]) -> Table:
    """Put the turns of threads into a table, a row a thread; moments in milliseconds."""
    return Table(
        ("interpreter", "GIL", "thread", "ran, in ms", "wanted to run, in ms"),
        tuple(
            (*_who(python), track.work, _spans(track.turns), _spans(track.waits))
            for python, tracks in results
            for track in tracks
        ),
    )


def latency(results: Iterable[tuple[Interpreter, Sequence[Latency]]]) -> Table:
    """Put how late a thread ran into a table: a row an interpreter, a column a switch interval."""
    results = list(results)
    return Table(
        ("interpreter", "GIL", *(f"{each.switch_interval * 1e3:g} ms" for each in results[0][1])),
        tuple(
            (
                *_who(python),
                *(
                    f"{late.median * 1e3:.2f} ms ({late.best * 1e3:.2f} to {late.worst * 1e3:.2f})"
                    for late in (each.late for each in latencies)
                ),
            )
            for python, latencies in results
        ),
    )


def refactorings(results: Iterable[tuple[Interpreter, Sequence[Finding]]]) -> Table:
    """Put what `refactorings.measure_on` found into a matrix: how many runs lost updates."""
    results = list(results)
    return Table(
        ("increment written as", *(python.tag for python, _ in results)),
        tuple(
            (
                row[0].name,
                *(f"{found.runs.lost_in}/{len(found.runs.found)}" for found in row),
            )
            for row in zip(*(findings for _, findings in results))
        ),
    )


def switch_places(results: Iterable[tuple[Interpreter, Sequence[Finding]]]) -> Table:
    """List what gives each refactoring its switch between the read and the write.

    Interpreters where it is the same share a row; those whose GIL is off have no part in it.
    """
    results = [(python, findings) for python, findings in results if python.gil]
    rows: list[tuple[str, str, str]] = []
    for row in zip(*(findings for _, findings in results)):
        tags: dict[str, list[str]] = {}
        for (python, _), found in zip(results, row):
            tags.setdefault(", ".join(found.places or ()) or "–", []).append(python.tag)
        rows += ((row[0].name, ", ".join(same), places) for places, same in tags.items())
    return Table(("increment written as", "interpreters", "a switch was seen"), tuple(rows))


@dataclass(frozen=True)
class Explored:
    """What `interleaving.explore` found at one granularity, as numbers."""

    granularity: str
    schedules: int
    wrong: int
    """Schedules that do not end well."""
    classes: int
    executions: int
    minimal: str
    """The schedule that goes wrong with the fewest preemptions; "" if none does."""
    preemptions: int
    verdict: str
    detail: str


def explored(report: Report) -> Explored:
    """Take the numbers out of a report."""
    minimal = report.minimal
    return Explored(
        report.granularity,
        report.schedules,
        report.schedules - report.count("holds"),
        len(report.classes),
        report.executions,
        minimal.schedule if minimal else "",
        minimal.preemptions if minimal else 0,
        minimal.verdict if minimal else "holds",
        minimal.detail if minimal else "",
    )


STEPS = {
    "shared": "a read or write of shared state",
    "opcode": "an opcode: what the language allows",
    "switchpoint": "up to a switch point: what this build can reach",
}
"""What a step is, by the granularity."""


def schedules(results: Iterable[tuple[Interpreter, Sequence[Explored]]]) -> Table:
    """Put the numbers of schedules into a table, a row an interpreter and granularity."""
    return Table(
        ("interpreter", "GIL", "a step is", "schedules", "go wrong", "classes", "executions"),
        tuple(
            (
                *_who(python),
                STEPS[row.granularity],
                *map(str, (row.schedules, row.wrong, row.classes, row.executions)),
            )
            for python, rows in results
            for row in rows
        ),
    )


def went_wrong(results: Iterable[tuple[Interpreter, Sequence[Explored]]]) -> list[str]:
    """Say with which schedule a program goes wrong; once for interpreters where it is the same."""
    found: dict[str, list[str]] = {}
    for python, rows in results:
        row = next((row for row in rows if row.wrong), None)
        if row is not None:
            said = f"{row.verdict} with {row.preemptions} preemption{'s' * (row.preemptions != 1)}"
            text = "\n".join(filter(None, [f"{said}, as in: {row.minimal}", row.detail]))
            found.setdefault(text, []).append(python.tag)
    return [f"{_listed(tags)}: {text}" for text, tags in found.items()]


def _who(python: Interpreter) -> tuple[str, str]:
    return python.tag.replace("+gil", ""), "on" if python.gil else "off"


def _first(runs: Runs) -> tuple[str, str]:
    return str(runs.found[0]), str(runs.expected - runs.found[0])


def _spans(spans: Iterable[Span]) -> str:
    return ", ".join(f"{span.begin * 1e3:.2f} to {span.end * 1e3:.2f}" for span in spans) or "–"


def _tallied(numbers: Iterable[int]) -> str:
    """List numbers that are sorted; one that comes several times is counted."""
    groups = ((number, len(list(group))) for number, group in groupby(numbers))
    return ", ".join(
        f"{times} × {number}" if times > 1 else str(number) for number, times in groups
    )


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} × ({ratio.best:.2f} to {ratio.worst:.2f})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
