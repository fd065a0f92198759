"""The command `gilnotes`: every figure of the site again, on the reader's own machine."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from gilnotes import __version__, experiments, interpreters, processes, reports, tables, timing
from gilnotes.interpreters import InterpreterFailed
from gilnotes.tables import Table

if TYPE_CHECKING:
    from types import FrameType, ModuleType
    from typing import Any, Callable, Iterable, Sequence

    from gilnotes.experiments import Runs
    from gilnotes.interpreters import Interpreter

    Subparsers = argparse._SubParsersAction["Parser"]

LONGEST_SWITCH_INTERVAL = 1.0
"""In seconds. Ctrl-C is one more thread's wish to run, and waits as long as the others."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit status: its own, or 2 after one line that says why."""
    _end_at_once_on_signals()
    options = _parser().parse_args(args)
    try:
        status: int = options.run(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # `gilnotes … | head`: nobody reads on, and that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except InterpreterFailed as error:
        return _complain(error.in_short)
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        return _complain(str(error))
    else:
        return status
    return 0


class Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> Parser:
    parser = Parser(
        prog="gilnotes",
        description="The GIL, the data race and the lock, on the Pythons of this machine.",
        epilog="`gilnotes <command> --help` says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(
        title="commands", metavar="<command>", dest="command", required=True, parser_class=Parser
    )
    for add_command in COMMANDS:
        add_command(subparsers)
    return parser


def _command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    examples: str = "",
) -> Parser:
    """Add a command. Its function gets the options and returns the exit status, None for 0."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


# -- gilnotes race, gilnotes lock


def _add_race(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "race",
        _race,
        "let threads share a counter that nothing guards",
        "  gilnotes race\n"
        "  gilnotes race --runs 20 --switch-interval 1e-6\n"
        "  gilnotes race --python 3.9 --python 3.13t --python 3.13t+gil\n",
    )
    _add_race_options(parser)


def _add_lock(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "lock",
        _race,
        "let threads share a counter that a lock guards",
        "  gilnotes lock\n  gilnotes lock --python all\n",
    )
    _add_race_options(parser)


def _add_race_options(parser: Parser) -> None:
    whole = _whole_number
    parser.add_argument(
        "--runs", type=whole(1), default=1, metavar="N", help="repeat N times, show the range"
    )
    parser.add_argument(
        "--threads", type=whole(1), default=5, metavar="N", help="threads (default: 5)"
    )
    parser.add_argument(
        "--how-many",
        type=whole(0),
        default=10**5,
        metavar="N",
        help="increments of each thread (default: 100000)",
    )
    parser.add_argument(
        "--switch-interval",
        type=_switch_interval,
        metavar="S",
        help="seconds a waiting thread waits before it asks for the GIL (Python's default: 0.005)",
    )
    _add_python(parser)


def _race(options: argparse.Namespace) -> None:
    settings = {
        "runs": options.runs,
        "threads": options.threads,
        "how_many": options.how_many,
        "switch_interval": options.switch_interval,
    }
    if options.python:
        results = experiments.race_on(_chosen(options), options.command, **settings)
    else:
        counter_class = experiments.COUNTERS[options.command]
        results = [(interpreters.current(), experiments.race(counter_class, **settings))]
    if options.json:
        _print_json((interpreter, asdict(runs)) for interpreter, runs in results)
    elif options.python:
        print(f"Counter should be {results[0][1].expected}")
        print(tables.text(reports.race(results)))
    else:
        ((interpreter, runs),) = results
        print(_summary(runs))
        print(interpreter.label)


def _summary(runs: Runs) -> str:
    if len(runs.found) == 1:
        return f"Counter should be {runs.expected}, found {runs.found[0]}"
    return (
        f"Counter should be {runs.expected}; lost updates in {runs.lost_in} of {len(runs.found)} "
        f"runs\nfound: minimum {runs.minimum}, median {runs.median}, maximum {runs.maximum}"
    )


# -- gilnotes interpreters


def _add_interpreters(subparsers: Subparsers) -> None:
    _command(subparsers, "interpreters", _interpreters, "list the CPythons of this machine")


def _interpreters(options: argparse.Namespace) -> None:
    survey = interpreters.survey()
    if options.json:
        print(interpreters.to_json(survey.found))
    else:
        rows = [
            (
                interpreter.tag,
                interpreter.version,
                "on" if interpreter.gil else "off",
                interpreter.origin,
            )
            for interpreter in survey.found
        ]
        print(tables.text(Table(("tag", "version", "GIL", "origin"), tuple(rows))))
    sys.stdout.flush()
    for broken in survey.broken:
        print(f"broken: {broken.path} ({broken.origin}): {broken.reason}", file=sys.stderr)


# -- gilnotes scaling, gilnotes lock-cost


def _add_scaling(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "scaling",
        _scaling,
        "time the same work on 1, 2 and 4 threads",
        "  gilnotes scaling\n  gilnotes scaling --python 3.13 --python 3.13t\n",
    )
    _add_timing_options(parser)


def _add_lock_cost(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "lock-cost",
        _lock_cost,
        "time an increment without a lock and with one",
        "  gilnotes lock-cost\n  gilnotes lock-cost --python all\n",
    )
    _add_timing_options(parser)


def _add_timing_options(parser: Parser) -> None:
    parser.add_argument(
        "--repeat", type=_whole_number(1), default=5, metavar="N", help="rounds (default: 5)"
    )
    _add_python(parser)


def _scaling(options: argparse.Namespace) -> None:
    if options.python:
        results = timing.scaling_on(_chosen(options), options.repeat)
    else:
        results = [(interpreters.current(), timing.both_scalings(repeat=options.repeat))]
    if options.json:
        _print_json((interpreter, asdict(measured)) for interpreter, measured in results)
    else:
        for title, work in (("Work for the processor", "cpu_bound"), ("Waiting", "waiting")):
            rows = [(interpreter, getattr(measured, work)) for interpreter, measured in results]
            print(f"{title}:\n{tables.text(reports.scaling(rows))}")


def _lock_cost(options: argparse.Namespace) -> None:
    if options.python:
        results = timing.lock_cost_on(_chosen(options), options.repeat)
    else:
        results = [(interpreters.current(), timing.lock_cost(repeat=options.repeat))]
    if options.json:
        _print_json(
            (interpreter, {"costs": [asdict(cost) for cost in costs]})
            for interpreter, costs in results
        )
    else:
        print(tables.text(reports.lock_cost(results)))


# -- gilnotes check, gilnotes cache


def _add_check(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "check",
        _check,
        "run the blocks of Markdown pages, without building a site",
        "  gilnotes check\n  gilnotes check docs/race.md\n",
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="left out: all below docs/")


def _check(options: argparse.Namespace) -> int:
    status: int = _site_commands().check_pages(options.pages, as_json=options.json)
    return status


def _add_cache(subparsers: Subparsers) -> None:
    parser = _command(subparsers, "cache", _cache, "show how many outcomes are kept, or clear them")
    parser.add_argument("--clear", action="store_true", help="forget them all")


def _cache(options: argparse.Namespace) -> int:
    status: int = _site_commands().cache(clear=options.clear, as_json=options.json)
    return status


def _site_commands() -> ModuleType:
    """Import what knows Markdown. It needs more than the subject does, and a newer Python."""
    try:
        from gilnotes.site import commands
    except ImportError as error:
        raise ValueError(
            f"this command needs {error.name or error}: on Python 3.11 or newer, "
            "pip install 'gilnotes[site]'"
        ) from None
    # Its workers are ended in order: Ctrl-C is an exception again.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return commands


COMMANDS: tuple[Callable[[Subparsers], None], ...] = (
    _add_race,
    _add_lock,
    _add_interpreters,
    _add_scaling,
    _add_lock_cost,
    _add_check,
    _add_cache,
)
"""To add a command: a function that calls `_command`, its function, and a line here."""


# -- options that several commands have


def _add_python(parser: Parser) -> None:
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="SPEC",
        help="an interpreter: 3.9, 3.11.7, 3.13t (free-threaded), 3.13t+gil (with its GIL on) or "
        "all; may be repeated. Left out: the one that runs this command",
    )


def _chosen(options: argparse.Namespace) -> tuple[Interpreter, ...]:
    return interpreters.select(options.python, interpreters.find())


def _print_json(results: Iterable[tuple[Interpreter, dict[str, Any]]]) -> None:
    answers = [{"interpreter": asdict(interpreter), **facts} for interpreter, facts in results]
    print(json.dumps(answers))


def _whole_number(at_least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = at_least - 1
        if number < at_least:
            raise argparse.ArgumentTypeError(
                f"must be a whole number, at least {at_least}, not {text!r}"
            )
        return number

    return convert


def _switch_interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SWITCH_INTERVAL:
        raise argparse.ArgumentTypeError(
            f"must be seconds, more than 0 and at most {LONGEST_SWITCH_INTERVAL:g}, not {text!r}"
        )
    return seconds


def _complain(message: str) -> int:
    print(f"gilnotes: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _end_at_once_on_signals() -> None:
    """Let Ctrl-C end the command with status 130 (128 + SIGINT), as a shell reports it.

    `run_threads` holds KeyboardInterrupt back until its threads have ended; here nobody wants to
    wait for them. A SIGINT that is ignored stays ignored: a shell starts background jobs so.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end_at_once)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    processes.exit_now(128 + number)
