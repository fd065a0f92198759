"""The commands that choose who runs when: replay, explore."""

from __future__ import annotations

import importlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from gilnotes import interpreters, reports, tables
from gilnotes.cli.options import add_python, chosen, command, print_json, whole_number
from gilnotes.evalloop import NoSwitchPoints
from gilnotes.experiments import ask
from gilnotes.interleaving import Program, explore, replay
from gilnotes.interleaving.exploring import GRANULARITIES
from gilnotes.programs import PROGRAMS
from gilnotes.reports import Explored, explored

if TYPE_CHECKING:
    from argparse import Namespace

    from gilnotes.cli.options import Parser, Subparsers
    from gilnotes.interleaving import Execution

WHAT = (
    f"{', '.join(list(PROGRAMS)[:7])} (the notes' own programs; the default is race), a row of "
    "`gilnotes refactorings`, or your own module:function that returns a Program"
)


def _add_program(parser: Parser) -> None:
    parser.add_argument("program", nargs="?", default="race", metavar="PROGRAM", help=WHAT)
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        metavar="N",
        help="threads that count, of race, lock and the refactorings (default: 2)",
    )
    parser.add_argument(
        "--times",
        type=whole_number(1),
        metavar="N",
        help="increments of each (default: 1)",
    )


def _program(options: Namespace) -> Program:
    """Make the program that the command line names. Raises ValueError if there is none."""
    name = options.program
    sizes = {key: getattr(options, key) for key in ("threads", "times") if getattr(options, key)}
    if name not in PROGRAMS and ":" not in name:
        raise ValueError(f"{name!r} is no program; there are {WHAT}")
    make: object = PROGRAMS[name] if name in PROGRAMS else _own(name)
    if isinstance(make, Program):
        return make
    if not callable(make):
        raise ValueError(f"{name} is neither a Program nor a function that returns one")
    try:
        program = make(**sizes)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(program, Program):
        raise ValueError(f"{name} returned {program!r}, no gilnotes.interleaving.Program")
    return program


def _own(name: str) -> object:
    module_name, _, path = name.partition(":")
    sys.path.insert(0, "")  # as `python -m` does
    try:
        found: object = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name}: {error}") from None
    return found


# -- gilnotes replay


def _add_replay(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "replay",
        _replay,
        "run a program under one schedule, and show each step",
        '  gilnotes replay race "A.read B.read B.add B.write A.add A.write"\n'
        '  gilnotes replay deadlock "A.acquire B.acquire"\n'
        '  gilnotes replay mymodule:program "A*3 B.end A.end" --all-steps\n'
        "The exit status is 0 if all ends well, 1 if not, 2 if the schedule cannot be followed.\n",
    )
    _add_program(parser)
    parser.add_argument(
        "schedule",
        metavar="SCHEDULE",
        help="turns: A.read (or add, write, call, acquire, release, end), A*3 for three steps",
    )
    parser.add_argument(
        "--all-steps", action="store_true", help="show the steps, too, that do nothing of note"
    )


def _replay(options: Namespace) -> int:
    execution = replay(_program(options), options.schedule)
    if options.json:
        print_json([(interpreters.current(), _facts(execution))])
    else:
        print(execution.trace.text(every_step=options.all_steps))
        print(execution.verdict)
        if execution.detail:
            print(execution.detail)
    return {"holds": 0, "infeasible": 2}.get(execution.verdict, 1)


def _facts(execution: Execution) -> dict[str, object]:
    return {
        "schedule": execution.schedule,
        "verdict": execution.verdict,
        "detail": execution.detail,
        "steps": [asdict(step) for step in execution.trace.steps],
    }


# -- gilnotes explore


def _add_explore(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "explore",
        _explore,
        "try every schedule of a program, and count those that go wrong",
        "  gilnotes explore\n"
        "  gilnotes explore lock --threads 3 --times 2\n"
        "  gilnotes explore deadlock\n"
        '  gilnotes explore "self.count += int(offset)" --python all\n'
        "  gilnotes explore mymodule:program --granularity opcode\n"
        "The exit status is 1 if any schedule goes wrong.\n",
    )
    _add_program(parser)
    parser.add_argument(
        "--granularity",
        choices=GRANULARITIES,
        help="what a step is: a read or write of shared state, an opcode, or what is done between "
        "two places where this build can switch (left out: all three)",
    )
    parser.add_argument(
        "--preemption-bound",
        type=whole_number(0),
        metavar="N",
        help="count the schedules with at most N preemptions",
    )
    parser.add_argument(
        "--brute-force", action="store_true", help="really run every schedule, opcode by opcode"
    )
    parser.add_argument(
        "--exit-zero", action="store_true", help="status 0 even if a schedule goes wrong"
    )
    add_python(parser)


def _explore(options: Namespace) -> int:
    if options.brute_force and options.granularity not in (None, "opcode"):
        raise ValueError("brute force runs opcode by opcode")
    if options.python:
        results = [
            (python, tuple(Explored(**row) for row in answer["explored"]))
            for python, answer in ask(chosen(options), _same_command(options))
        ]
    else:
        results = [(interpreters.current(), _explored(options))]
    goes_wrong = any(row.wrong for _, rows in results for row in rows)
    if options.json:
        print_json(
            (python, {"explored": [asdict(row) for row in rows]}) for python, rows in results
        )
    else:
        print(tables.text(reports.schedules(results)))
        for line in reports.went_wrong(results):
            print(line)
    return 1 if goes_wrong and not options.exit_zero else 0


def _same_command(options: Namespace) -> list[str]:
    command = ["explore", "--exit-zero"]
    for name in ("threads", "times", "granularity", "preemption_bound"):
        value = getattr(options, name)
        if value is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    if options.brute_force:
        command.append("--brute-force")
    return [*command, "--", options.program]


def _explored(options: Namespace) -> tuple[Explored, ...]:
    program = _program(options)
    wanted = [options.granularity] if options.granularity else list(GRANULARITIES)
    if options.brute_force:
        wanted = ["opcode"]
    rows = []
    for granularity in wanted:
        try:
            report = explore(
                program,
                granularity=granularity,
                preemption_bound=options.preemption_bound,
                reduction=not options.brute_force,
            )
        except NoSwitchPoints:
            if options.granularity:
                raise
            continue
        rows.append(explored(report))
    return tuple(rows)


COMMANDS = (_add_replay, _add_explore)
