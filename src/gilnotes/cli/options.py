"""What the commands share: the parser, how one is added, and the options that several have."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from gilnotes import interpreters

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

    from gilnotes.interpreters import Interpreter

    Subparsers = argparse._SubParsersAction["Parser"]

LONGEST_SWITCH_INTERVAL = 1.0
"""In seconds. Ctrl-C is one more thread's wish to run, and waits as long as the others."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def command(
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


def add_python(parser: Parser) -> None:
    """Add ``--python``, which `chosen` reads."""
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="SPEC",
        help="an interpreter: 3.9, 3.11.7, 3.13t (free-threaded), 3.13t+gil (with its GIL on) or "
        "all; may be repeated. Left out: the one that runs this command",
    )


def chosen(options: argparse.Namespace) -> tuple[Interpreter, ...]:
    """Return the interpreters that ``--python`` names. Raises UnknownInterpreter, ValueError."""
    return interpreters.select(options.python, interpreters.find())


def print_json(results: Iterable[tuple[Interpreter, dict[str, Any]]]) -> None:
    """Print what was measured as one list; `experiments.ask` reads it."""
    answers = [{"interpreter": asdict(interpreter), **facts} for interpreter, facts in results]
    print(json.dumps(answers))


def whole_number(at_least: int) -> Callable[[str], int]:
    """Return a converter for `add_argument`: an int that is not too small."""

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


def switch_interval(text: str) -> float:
    """Convert an option's text to seconds between two switches, at most a second."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SWITCH_INTERVAL:
        raise argparse.ArgumentTypeError(
            f"must be seconds, more than 0 and at most {LONGEST_SWITCH_INTERVAL:g}, not {text!r}"
        )
    return seconds
