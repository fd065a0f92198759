"""The command `gilnotes`: every figure of the site again, on the reader's own machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from gilnotes import __version__, processes
from gilnotes.cli import laboratory, machine, measuring, pages, schedules
from gilnotes.cli.options import Parser
from gilnotes.interpreters import InterpreterFailed

if TYPE_CHECKING:
    from types import FrameType
    from typing import Callable, Sequence

    from gilnotes.cli.options import Subparsers

COMMANDS: tuple[Callable[[Subparsers], None], ...] = (
    *measuring.COMMANDS,
    *schedules.COMMANDS,
    *laboratory.COMMANDS,
    *machine.COMMANDS,
    *pages.COMMANDS,
)
"""To add a command: a function that calls `options.command`, and its name in its module's list."""


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
