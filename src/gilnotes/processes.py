"""Run a command to its end, or kill it with all its children."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from typing import Mapping, Sequence

_running: set[subprocess.Popen[str]] = set()
_starting = threading.Lock()
_exit_statuses: list[int] = []


def run(
    command: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    r"""Run a command without input; return its exit status and what it printed.

    >>> run([sys.executable, "-c", "print(6 * 7)"]).stdout
    '42\n'

    Raises subprocess.TimeoutExpired after ``timeout`` seconds, OSError if it cannot be started.
    A command may be a script whose own child holds the pipe open. So it gets a session of its own
    and is killed with all its descendants; `subprocess.run` would kill the script and wait on.
    """
    process = _start(command, env)
    try:
        stdout, stderr = _communicate(process, timeout)
    except BaseException:
        kill(process)
        with suppress(subprocess.TimeoutExpired):  # a daemon of its own may keep the pipe open
            process.communicate(timeout=1)
        raise
    finally:
        _running.discard(process)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def _communicate(process: subprocess.Popen[str], timeout: float | None) -> tuple[str, str]:
    """Wait for the end, but look up twice a second: Ctrl-C just before a wait does not end it."""
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(timeout=max(0.0, min(left, 0.5)))
        except subprocess.TimeoutExpired as error:
            if timeout is not None and left <= 0:
                error.timeout = timeout
                raise


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process that `run` started, with its descendants (on Windows: the process alone)."""
    if os.name == "nt":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says so with EPERM
        os.killpg(process.pid, signal.SIGKILL)


def exit_now(status: int) -> None:
    """Kill what `run` has started and end this process at once, its threads and all.

    For a signal handler: `sys.exit` would wait for the threads. If a command is being started just
    now, the thread that starts it ends the process, when it knows whom to kill.
    """
    _exit_statuses.append(status)
    if _starting.acquire(blocking=False):
        _exit(status)


def _start(command: Sequence[str], env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    try:
        with _starting:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=None if env is None else dict(env),
                start_new_session=True,
            )
            _running.add(process)
    finally:
        if _exit_statuses:
            _exit(_exit_statuses[0])
    return process


def _exit(status: int) -> NoReturn:
    for process in tuple(_running):
        kill(process)
    os._exit(status)
