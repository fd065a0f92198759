"""A worker process, seen from outside: give it a block, get an answer or the way it died."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

import gilnotes
from gilnotes.interpreters import Interpreter
from gilnotes.site import worker
from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Failure

KEPT = 64 * 1024
"""Bytes of a block's output that are kept."""

FLOOD = 8 * 1024 * 1024
"""Bytes of output at which a block counts as one that prints without end."""

MEMORY = 1536 * 1024 * 1024
"""Bytes of data that a block may ask for: room for another GiB that an allocator reserves."""

GRACE = worker.GRACE + 1.0
"""Seconds between a block's timeout and the end of its worker: time to write the stacks."""

_LIBRARY = re.compile(r'File "[^"\n]*[/\\]lib[/\\]python3\.\d+t?[/\\](?:site-packages[/\\])?')
"""The folder of a library in a traceback, which differs from machine to machine."""

_ENVIRONMENT = ("PATH", "SYSTEMROOT", "COMSPEC", "PATHEXT", "WINDIR", "NUMBER_OF_PROCESSORS")
"""What a block sees of the builder's environment: what Python needs to start, nothing more."""


@dataclass(frozen=True)
class Answer:
    """How one block ended in its worker."""

    output: str
    seconds: float
    failure: Failure | None
    alive: bool
    """Whether the worker can take the next block of the session."""


class WorkerProcess:
    """One interpreter that runs blocks, in a process group, an environment and a folder of its own.

    Used as a context manager; whatever its blocks started is gone afterwards.
    """

    def __init__(self, interpreter: Interpreter, extra: Mapping[str, str] | None = None) -> None:
        self.interpreter = interpreter
        self.folder = tempfile.mkdtemp(prefix="gilnotes-")
        self.mark = secrets.token_hex(16)
        self.events: queue.Queue[dict[str, object]] = queue.Queue()
        self.spawned = False
        self.process = subprocess.Popen(
            [
                interpreter.path,
                *interpreter.options,
                *("-u", "-X", "faulthandler", worker.__file__, str(MEMORY)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={**environment(self.folder), "GILNOTES_WORKER": self.mark, **(extra or {})},
            start_new_session=os.name == "posix",
        )
        _alive.add(self)
        assert self.process.stdout
        assert self.process.stderr
        self.capture = _Capture(self.process.stderr, self.events)
        self.answers = threading.Thread(
            target=self._read_answers, args=(self.process.stdout,), daemon=True
        )
        self.answers.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, block: Block) -> Answer:
        """Run one block to its end, its timeout, or the end of the worker; never longer."""
        mark = f"\0{secrets.token_hex(16)}\0"
        self.capture.begin(mark)
        started = time.perf_counter()
        request = {
            "file": block.file,
            "line": block.line,
            "code": block.code,
            "timeout": block.timeout,
            "width": block.width,
            "mark": mark,
        }
        assert self.process.stdin
        # A worker that is already gone is noticed below: its answers have ended.
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        event = self._wait(block.timeout + GRACE)
        if "seconds" in event:
            self.capture.wait_for_mark()
            self.spawned = self.spawned or bool(event["children"])
            failure = self._failure(event, block) or self._left_behind(event, block)
            seconds = float(str(event["seconds"]))
            alive = failure is None or event.get("kind") in ("raised", "exit", "thread raised")
        else:
            seconds, alive = time.perf_counter() - started, False
            if event["status"] == "ended":
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(GRACE)
                if seconds >= block.timeout:  # The worker has ended itself, stacks written.
                    event = {**event, "status": "timeout"}
            self.kill()
            failure = self._death(event, block)
        if not alive:
            self.kill()
        return Answer(self._without_paths(self.capture.text()), seconds, failure, alive)

    def _wait(self, timeout: float) -> dict[str, object]:
        """What happens first: the worker answers, ends, floods us, or lets the time pass."""
        deadline = time.monotonic() + timeout
        returned_twice = False
        while True:
            try:
                event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return {"status": "timeout"}
            if "returned_twice" not in event:
                return {**event, "returned_twice": returned_twice}
            returned_twice = True

    def kill(self) -> None:
        """End the worker and everything its blocks started."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()
        for stray in self._strays():
            with contextlib.suppress(psutil.Error):
                stray.kill()
        self.answers.join(GRACE)
        self.capture.join(GRACE)

    def close(self) -> None:
        """Let an idle worker go; kill it where it does not, or where it may have left something."""
        assert self.process.stdin
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
        if self.spawned:
            self.kill()
        self.answers.join(GRACE)
        self.capture.join(GRACE)
        shutil.rmtree(self.folder, ignore_errors=True)
        _alive.discard(self)

    def _failure(self, event: Mapping[str, object], block: Block) -> Failure | None:
        if event["status"] == "passed":
            return None
        line = event.get("line")
        message = str(event["message"])
        if message.startswith("MemoryError"):
            message += f" (a block may use {MEMORY >> 20} MiB)"
        return Failure(message, line if isinstance(line, int) else block.line)

    def _left_behind(self, event: Mapping[str, object], block: Block) -> Failure | None:
        """What a block that ended well left running outside its own process."""
        if not event.get("children"):
            return None
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            children = []
        children = [child for child in children if not _is_helper(child)]
        _, running = psutil.wait_procs(children, timeout=worker.GRACE)
        twice = event["returned_twice"]
        while not self.events.empty():
            twice = self.events.get().get("returned_twice") or twice
        if twice:
            return Failure("forked, and both processes came back from the block", block.line)
        strays = [stray for stray in self._strays() if not _is_helper(stray)]
        names = sorted(_name(child) for child in (*running, *strays))
        if not names:
            return None
        return Failure(f"left running: {', '.join(dict.fromkeys(names))}", block.line)

    def _death(self, event: Mapping[str, object], block: Block) -> Failure:
        line = self._line_in(self.capture.text(), block)
        status = event.get("status")
        if status == "timeout":
            return Failure(f"still running after {block.timeout:g} s", line)
        if status == "flood":
            return Failure(f"printed without end (over {FLOOD >> 20} MiB)", line)
        code = self.process.returncode
        if code < 0:
            name = signal.strsignal(-code) or "?"
            return Failure(f"ended its interpreter: {_signal_name(-code)} ({name})", line)
        return Failure(f"ended its interpreter with exit status {code}", line)

    def _line_in(self, stacks: str, block: Block) -> int:
        """The line of the block itself in the last stack that names it (the main thread's)."""
        for stack in reversed(re.split(r"^(?=Thread |Current thread )", stacks, flags=re.M)):
            for line in re.findall(rf'File "{re.escape(block.file)}", line (\d+)', stack):
                return int(line)
        return block.line

    def _strays(self) -> list[psutil.Process]:
        """Processes that carry this worker's mark, wherever they have moved to."""
        strays = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid == self.process.pid or process.pid == os.getpid():
                    continue
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("GILNOTES_WORKER") == self.mark:
                    strays.append(process)
        return strays

    def _without_paths(self, text: str) -> str:
        """The text without paths of this machine, nor the worker's own frames."""
        text = re.sub(rf'^ +File "{re.escape(worker.__file__)}", line .*\n', "", text, flags=re.M)
        for folder in (str(package_folder()), self.folder):
            text = text.replace(folder + os.sep, "")
        return _LIBRARY.sub('File "', text)

    def _read_answers(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.events.put(json.loads(line))
        self.events.put({"status": "ended"})


_alive: set[WorkerProcess] = set()


def kill_all() -> None:
    """End every worker of this process; whoever waits for its answer gets one."""
    for process in tuple(_alive):
        process.process.kill()


class Spare:
    """A worker started ahead of need: an edit under `mkdocs serve` does not wait for its start.

    It has imported nothing of ours, so it sees the package as it is when a block runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: tuple[object, WorkerProcess] | None = None

    def take(self, interpreter: Interpreter, extra: Mapping[str, str]) -> WorkerProcess:
        """The worker that is ready, where it is such a one; else a new one."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready and ready[0] == (interpreter, extra) and ready[1].process.poll() is None:
            return ready[1]
        if ready:
            ready[1].close()
        return WorkerProcess(interpreter, extra)

    def prepare(self, interpreter: Interpreter, extra: Mapping[str, str]) -> None:
        """Have one ready."""
        with self._lock:
            if self._ready is None:
                self._ready = ((interpreter, extra), WorkerProcess(interpreter, extra))

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready:
            ready[1].close()


class _Capture:
    """The reader of what reaches a worker's file descriptors 1 and 2."""

    def __init__(self, stream: IO[bytes], events: queue.Queue[dict[str, object]]) -> None:
        self._stream = stream
        self._events = events
        self._changed = threading.Condition()
        self._mark = b""
        self._seen = True
        self._kept = bytearray()
        self._total = 0
        self._tail = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def begin(self, mark: str) -> None:
        """Forget what came before; the output of the next block ends at this mark."""
        with self._changed:
            self._mark, self._seen = mark.encode(), False
            self._kept, self._total, self._tail = bytearray(), 0, b""

    def wait_for_mark(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._seen, timeout=GRACE)

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def text(self) -> str:
        with self._changed:
            kept, total = bytes(self._kept[:KEPT]), self._total
        text = kept.decode("utf-8", "backslashreplace")
        if total > KEPT:
            text += f"\n… the first {KEPT >> 10} KiB; {total - KEPT} more bytes are not kept\n"
        return text

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                with self._changed:
                    self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        if self._seen:
            return
        chunk = self._tail + chunk
        place = chunk.find(self._mark)
        if place >= 0:
            self._seen = True
            self._keep(chunk[:place])
            self._changed.notify_all()
            return
        # The end of what was read may be the beginning of the mark.
        held = len(self._mark) - 1 if b"\0" in chunk[-len(self._mark) :] else 0
        cut = len(chunk) - held
        self._keep(chunk[:cut])
        self._tail = chunk[cut:]

    def _keep(self, data: bytes) -> None:
        room = KEPT - len(self._kept)
        if room > 0:
            self._kept += data[:room]
        flooded = self._total < FLOOD <= self._total + len(data)
        self._total += len(data)
        if flooded:
            self._events.put({"status": "flood"})


def environment(home: str) -> dict[str, str]:
    """What a worker's environment holds: no token, no key, no proxy of the builder's."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {
        **kept,
        "HOME": home,
        "TMPDIR": home,
        "TEMP": home,
        "TMP": home,
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(package_folder()),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def package_folder() -> Path:
    """The folder that a worker must have on its path to import gilnotes."""
    return Path(gilnotes.__file__).resolve().parent.parent


def _is_helper(process: psutil.Process) -> bool:
    """Whether multiprocessing keeps this one for itself, until the interpreter ends."""
    with contextlib.suppress(psutil.Error):
        return any(
            f"from multiprocessing.{module} import main" in argument
            for module in ("forkserver", "resource_tracker")
            for argument in process.cmdline()
        )
    return False


def _name(process: psutil.Process) -> str:
    try:
        command: Sequence[str] = process.cmdline()
    except psutil.Error:
        command = []
    return f"process {Path(command[0]).name if command else process.pid}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
