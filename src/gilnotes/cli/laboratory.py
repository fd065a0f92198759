"""The commands that look inside: switchpoints, refactorings."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from gilnotes import Counter, LockingCounter, interpreters, reports, tables
from gilnotes.cli.options import add_python, chosen, command, print_json, whole_number
from gilnotes.evalloop import NoSwitchPoints
from gilnotes.refactorings import REFACTORINGS, measure, measure_on
from gilnotes.switchpoints import switchpoints, switchpoints_on

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Callable

    from gilnotes.cli.options import Subparsers
    from gilnotes.interpreters import Interpreter
    from gilnotes.switchpoints import Listing


# -- gilnotes switchpoints


def _add_switchpoints(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "switchpoints",
        _switchpoints,
        "show where the GIL is handed over inside a function",
        "  gilnotes switchpoints\n"
        "  gilnotes switchpoints lock --python 3.9 --python 3.13\n"
        '  gilnotes switchpoints "getattr(), add, setattr()"\n'
        "  gilnotes switchpoints mymodule:Tally.add\n",
    )
    parser.add_argument(
        "what",
        nargs="?",
        default="race",
        metavar="WHAT",
        help="race (the default), lock, a row of `gilnotes refactorings`, or your own "
        "module:function, module:Class.method. A class is called without arguments; a function "
        "gets 1 for each argument that it needs",
    )
    parser.add_argument(
        "--samples",
        type=whole_number(1),
        default=500,
        metavar="N",
        help="look N times (default: 500)",
    )
    add_python(parser)


def _switchpoints(options: Namespace) -> None:
    results: list[tuple[Interpreter, Listing | None]]
    if options.python:
        results = switchpoints_on(chosen(options), options.what, samples=options.samples)
    else:
        results = [(interpreters.current(), _listing(options.what, options.samples))]
    if options.json:
        print_json(
            (interpreter, {"listing": None if listing is None else asdict(listing)})
            for interpreter, listing in results
        )
        return
    print(
        "\n\n".join(
            f"{interpreter.label}\n{listing or _sentence()}" for interpreter, listing in results
        )
    )


def _listing(what: str, samples: int) -> Listing | None:
    function = _function(what)
    try:
        return switchpoints(function, *_arguments(function), samples=samples)
    except NoSwitchPoints:
        return None
    except Exception as error:  # of the reader's function
        raise ValueError(f"{what}: {type(error).__name__}: {error}") from error


def _sentence() -> str:
    sentence = str(NoSwitchPoints())
    return f"{sentence[0].upper()}{sentence[1:]}."


def _function(what: str) -> Callable[..., object]:
    """Return what a name on the command line stands for. Raises ValueError if it is for nothing."""
    if what in ("race", "lock"):
        return Counter().increment if what == "race" else LockingCounter().increment
    for refactoring in REFACTORINGS:
        if what == refactoring.name:
            return refactoring.update()
    module_name, colon, path = what.partition(":")
    if not (module_name and colon and path):
        raise ValueError(f"{what!r} is neither race, lock, a refactoring, nor module:function")
    sys.path.insert(0, "")  # as `python -m` does; the command's own folder is of no use here
    try:
        found: object = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found() if inspect.isclass(found) else found, name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{what}: {error}") from None
    if not callable(found):
        raise ValueError(f"{what} is no function")
    return found


def _arguments(function: Callable[..., object]) -> tuple[int, ...]:
    """Return 1 for each argument that it cannot do without: an offset, in a counter."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(
        1
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in positional and parameter.default is parameter.empty
    )


# -- gilnotes refactorings


def _add_refactorings(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "refactorings",
        _refactorings,
        "write the increment in many ways, and see which of them lose updates",
        "  gilnotes refactorings\n  gilnotes refactorings --python all\n",
    )
    parser.add_argument(
        "--runs", type=whole_number(1), default=5, metavar="N", help="runs of each (default: 5)"
    )
    parser.add_argument(
        "--how-many",
        type=whole_number(0),
        default=10_000,
        metavar="N",
        help="increments of each of five threads (default: 10000)",
    )
    add_python(parser)


def _refactorings(options: Namespace) -> None:
    if options.python:
        results = measure_on(chosen(options), options.runs, how_many=options.how_many)
    else:
        findings = [
            measure(refactoring, options.runs, how_many=options.how_many)
            for refactoring in REFACTORINGS
        ]
        results = [(interpreters.current(), tuple(findings))]
    if options.json:
        print_json(
            (interpreter, {"findings": [asdict(finding) for finding in findings]})
            for interpreter, findings in results
        )
        return
    print("Runs that lost updates, the switch interval at 1 µs:")
    print(tables.text(reports.refactorings(results)))
    if any(interpreter.gil for interpreter, _ in results):
        print("\nBetween the read and the write:")
        print(tables.text(reports.switch_places(results)))


COMMANDS = (_add_switchpoints, _add_refactorings)
