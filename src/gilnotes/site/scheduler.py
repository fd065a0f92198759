"""Be the scheduler: a recorded program in a page, to be played with, and as a table without it.

A block prints `widget("race")`. The page gets the recording as data and the losing schedule as a
table; `docs/assets/scheduler.js` makes a game of the data, and without it the table is what there
is to see.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from gilnotes.interleaving import Program, Recording, Report, explore, play, record
from gilnotes.interleaving.recording import Step
from gilnotes.programs import PROGRAMS

WRONG = ("broken", "deadlock", "exception")
"""Verdicts that a player is after."""


@dataclass(frozen=True)
class Puzzle:
    """A program to play with, and the words for it."""

    name: str
    """As `gilnotes explore` and the address of a shared schedule have it."""

    title: str

    aim: str
    """What to try: "lose an update"."""

    says: Callable[[str, Any, tuple[Step, ...]], str]
    """Names an end: see `record`."""

    demonstration: str
    """What the button says that plays a schedule."""

    @property
    def program(self) -> Program:
        """What is played with."""
        return PROGRAMS[self.name]()


def _count(_verdict: str, counter: Any, _: tuple[Step, ...]) -> str:
    lost = 2 - counter.count
    return f"{lost} update lost" if lost else "No update lost"


def _balance(verdict: str, account: Any, steps: tuple[Step, ...]) -> str:
    withdrew = len({step.thread for step in steps if step.kind == "write"})
    if verdict == "broken":
        return f"Overdrawn: the balance is {account.balance}"
    if withdrew == 1:
        return f"Not overdrawn: one withdrawal was refused, and the balance is {account.balance}"
    return f"Both withdrew, and yet the balance is {account.balance}: one withdrawal got lost"


def _moves(verdict: str, bank: Any, _: tuple[Step, ...]) -> str:
    if verdict == "deadlock":
        return "Deadlock: nobody can go on"
    return f"No deadlock: both have moved their money, {bank.left} and {bank.right}"


_PUZZLES = (
    Puzzle("race", "Two threads count", "lose an update", _count, "Play a losing schedule"),
    Puzzle("lock", "Two threads count with a lock", "lose an update", _count, "Play a schedule"),
    Puzzle(
        *("account", "Two withdrawals of 60 from 100", "overdraw the account", _balance),
        demonstration="Play a losing schedule",
    ),
    Puzzle(
        *("deadlock", "Two locks in opposite order", "reach a deadlock", _moves),
        demonstration="Play a losing schedule",
    ),
    Puzzle("lock-order", "Two locks in one order", "reach a deadlock", _moves, "Play a schedule"),
)
PUZZLES: Mapping[str, Puzzle] = {puzzle.name: puzzle for puzzle in _PUZZLES}
"""Every puzzle, by its name."""


def widget(name: str) -> str:
    """Record a program now, and write it as HTML: the data, and a table that needs no script.

    >>> "1 update lost" in widget("race")
    True

    Raises KeyError for a name that is not in `PUZZLES`, RuntimeError if the recording and the
    laboratory disagree, or if the schedule of the table, run once more, does something else.
    """
    puzzle = PUZZLES[name]
    recording = record(puzzle.program, says=puzzle.says)
    report = explore(puzzle.program)
    losing = recording.fewest(*WRONG)
    _compare(puzzle, recording, report, losing)
    schedule = losing or recording.restless("holds") or ""
    data = {
        "name": puzzle.name,
        "title": puzzle.title,
        "aim": puzzle.aim,
        "fewest": report.minimal.preemptions if report.minimal else None,
        "schedule": schedule,
        "demonstration": puzzle.demonstration,
        **asdict(recording),
    }
    return (
        f'<div class="scheduler" data-name="{escape(name)}">'
        f'<p class="scheduler-aim"><strong>{escape(puzzle.title)}.</strong> '
        f"{escape(challenge(puzzle, report))}</p>"
        f"{_table(puzzle, recording, schedule)}"
        f'<script type="application/json">{for_script(data)}</script></div>'
    )


def _compare(puzzle: Puzzle, recording: Recording, report: Report, losing: str | None) -> None:
    """Hold the recording against the search, which has found the same in another way."""
    fewest = None if losing is None else recording.preemptions(losing)
    found = report.minimal.preemptions if report.minimal else None
    verdicts = {end.verdict for end in recording.ends}
    if fewest != found or verdicts != {each.verdict for each in report.classes}:
        raise RuntimeError(
            f"{puzzle.name}: recorded {sorted(verdicts)}, fewest preemptions {fewest}; "
            f"explored: {report}"
        )


def challenge(puzzle: Puzzle, report: Report) -> str:
    """Say what there is to try, and what the laboratory knows of it."""
    tried = f"Of all {report.schedules:,} schedules of its instructions"
    if report.minimal is None:
        return f"Try to {puzzle.aim}. {tried}, none does."
    wrong = report.broken + report.deadlocks
    fewest = report.minimal.preemptions
    return (
        f"{puzzle.aim[0].upper()}{puzzle.aim[1:]} with as few preemptions as you can. "
        f"{tried}, {wrong:,} do, and {fewest} preemption{'s are' if fewest > 1 else ' is'} enough."
    )


def for_script(data: object) -> str:
    r"""JSON that no HTML parser takes for the end of a script.

    >>> for_script({"source": "</script>"})
    '{"source":"\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _table(puzzle: Puzzle, recording: Recording, schedule: str) -> str:
    """One schedule, run once more for this table, a row a step."""
    run = play(puzzle.program, schedule)
    end = recording.end(schedule)
    if end is None or (run.verdict, run.steps) != (end.verdict, recording.steps_of(schedule)):
        raise RuntimeError(f"{puzzle.name}: {schedule} was recorded otherwise than it runs now")
    rows = "".join(
        f'<tr><th scope="row">{number or "start"}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for number, cells in enumerate(_rows(recording, schedule))
    )
    names = "".join(
        f'<th scope="col">{escape(name)}</th>'
        for name in (*(f"Thread {thread}" for thread in recording.threads), "Shared", "Line")
    )
    caption = f"{puzzle.title}: one schedule, replayed on {recording.interpreter}"
    return (
        '<div class="scheduler-table" data-search-exclude><table>'
        f"<caption>{escape(caption)}</caption>"
        f'<thead><tr><th scope="col">Step</th>{names}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        f"<p><strong>{escape(end.says)}.</strong></p></div>"
    )


def _rows(recording: Recording, schedule: str) -> Iterator[tuple[str, ...]]:
    """The cells of each row: what each thread does or waits for, shared values, the line."""
    points = [recording.points[index] for index in recording.points_of(schedule)]
    steps = (None, *recording.steps_of(schedule))
    shown: tuple[str, ...] = ("",) * len(recording.shared)
    waited: tuple[int | None, ...] = (None,) * len(recording.threads)
    for step, point in zip(steps, points, strict=True):
        cells = []
        for name, wait, before in zip(recording.threads, point.waits, waited, strict=True):
            cell = ""
            if step and step.thread == name:
                cell = f"{escape(_deed(step))} <code>{escape(step.opcode)}</code>"
            if wait is not None and wait != before:
                why = str(recording.waits[wait]).removeprefix(f"{name} ")
                cell += f"<em>{escape(why)}</em>"
            cells.append(cell)
        changed = (
            f"{escape(name)}: {escape(value)}"
            for name, value, before in zip(recording.shared, point.shared, shown, strict=True)
            if value != before
        )
        shown, waited = point.shared, point.waits
        yield (*cells, "<br>".join(changed), str(step.line) if step else "")


def _deed(step: Step) -> str:
    return str(step).removeprefix(f"{step.thread} ")
