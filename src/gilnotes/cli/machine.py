"""The command about this machine: interpreters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gilnotes import interpreters, tables
from gilnotes.cli.options import command
from gilnotes.tables import Table

if TYPE_CHECKING:
    from argparse import Namespace

    from gilnotes.cli.options import Subparsers


def _add_interpreters(subparsers: Subparsers) -> None:
    command(subparsers, "interpreters", _interpreters, "list the CPythons of this machine")


def _interpreters(options: Namespace) -> None:
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


COMMANDS = (_add_interpreters,)
