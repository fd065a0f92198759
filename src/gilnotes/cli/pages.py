"""The commands about the pages: check, cache."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from gilnotes.cli.options import command

if TYPE_CHECKING:
    from argparse import Namespace
    from types import ModuleType

    from gilnotes.cli.options import Subparsers


def _add_check(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "check",
        _check,
        "run the blocks of Markdown pages, without building a site",
        "  gilnotes check\n  gilnotes check docs/race.md\n",
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="left out: all below docs/")


def _check(options: Namespace) -> int:
    status: int = _site_commands().check_pages(options.pages, as_json=options.json)
    return status


def _add_cache(subparsers: Subparsers) -> None:
    parser = command(subparsers, "cache", _cache, "show how many outcomes are kept, or clear them")
    parser.add_argument("--clear", action="store_true", help="forget them all")


def _cache(options: Namespace) -> int:
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


COMMANDS = (_add_check, _add_cache)
