"""What runs inside a worker: executes blocks one after another, as a real program would.

Started as a script, with the interpreter that a block names; imports nothing of ours, needs
only the standard library, CPython 3.8 or later. The conversation is one JSON object a line:
a request on standard input, an answer on the standard output the worker was started with.
File descriptors 1 and 2 then belong to the blocks: both lead to the pipe that was standard
error, so whatever reaches them, from any thread, C library or child process, is captured in
the order it was written.
"""

from __future__ import annotations
import __future__

import _thread
import contextlib
import faulthandler
import gc
import json
import linecache
import os
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from typing import Any

GRACE = 1.0
"""Seconds that a thread which is about to end gets to do so."""


class Worker:
    """One `__main__` module, and the file descriptors a block must not take away."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        self.answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self.capture = os.dup(2)
        self.null = os.open(os.devnull, os.O_RDONLY)
        self.flags = 0
        self.sources: dict[str, list[str]] = {}
        self.children = False
        self.thread_errors: list[dict[str, Any]] = []
        self.main = types.ModuleType("__main__")
        sys.modules["__main__"] = self.main
        sys.addaudithook(self._watch)
        self._own_descriptors()

    def serve(self) -> None:
        """Answer requests until there are no more."""
        for line in self.requests:
            request = json.loads(line)
            answer = self.run(request)
            if os.getpid() != self.pid:
                # A fork that came back: this process is a copy, and says so before it ends.
                self._answer({"returned_twice": True})
                os._exit(0)
            self._own_descriptors()
            os.write(self.capture, request["mark"].encode())
            self._answer(answer)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Execute one block; the answer says how it ended, and what it left behind."""
        kept = State()
        before, count, tasks = set(threading.enumerate()), _thread._count(), _tasks()
        self.children = False
        self.thread_errors = []
        threading.excepthook = self._on_thread_error
        answer: dict[str, Any] = {"status": "passed"}
        if request.get("width"):
            os.environ["COLUMNS"] = str(request["width"])
        faulthandler.dump_traceback_later(request["timeout"], file=self.capture)
        start = time.perf_counter()
        try:
            exec(self._compile(request), self.main.__dict__)
        except SystemExit as error:
            if os.getpid() != self.pid:
                os._exit(error.code if isinstance(error.code, int) else error.code is not None)
            answer = self._failure("exit", error, request["file"])
            code = "" if error.code is None else repr(error.code)
            answer["message"] = f"called sys.exit({code})"
        except BaseException as error:
            answer = self._failure("raised", error, request["file"])
            self._print(error)
            if os.getpid() != self.pid:
                os._exit(1)
        if os.getpid() != self.pid:
            return answer
        answer["seconds"] = time.perf_counter() - start
        faulthandler.cancel_dump_traceback_later()
        left = self._left_running(before, count, tasks)
        if left and answer["status"] == "passed":
            answer = dict(answer, status="failed", kind="thread", line=None)
            answer["message"] = f"left running: {', '.join(left)}"
            faulthandler.dump_traceback(file=self.capture, all_threads=True)
        if self.thread_errors and answer["status"] == "passed":
            answer.update(self.thread_errors[0])
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        kept.put_back()
        answer["children"] = self.children
        return answer

    def _compile(self, request: dict[str, Any]) -> types.CodeType:
        """The block at its own lines of its own file, as the page's reader sees them."""
        name, first = request["file"], request["line"]
        lines = self.sources.setdefault(name, [])
        code = request["code"].split("\n")
        lines.extend(["\n"] * (first + len(code) - len(lines)))
        lines[first : first + len(code)] = [line + "\n" for line in code]
        # No modification time: linecache then never looks for a real file of that name.
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
        compiled: types.CodeType = compile(
            "\n" * first + request["code"], name, "exec", flags=self.flags, dont_inherit=True
        )
        for feature in __future__.all_feature_names:
            # As at a prompt: what one block imports from __future__ holds for the later ones.
            flag = getattr(__future__, feature).compiler_flag
            self.flags |= compiled.co_flags & flag
        return compiled

    def _failure(self, kind: str, error: BaseException, file: str) -> dict[str, Any]:
        message = traceback.format_exception_only(type(error), error)[-1].strip()
        line = None
        if isinstance(error, SyntaxError) and error.filename == file:
            line = error.lineno
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == file:
                line = frame.lineno
        return {"status": "failed", "kind": kind, "message": message, "line": line}

    def _print(self, error: BaseException) -> None:
        """The traceback, without the frame of the worker itself."""
        tb = error.__traceback__
        while tb and tb.tb_frame.f_code.co_filename == __file__:
            tb = tb.tb_next
        self._own_descriptors()
        text = "".join(traceback.format_exception(type(error), error, tb))
        os.write(self.capture, text.encode("utf-8", "backslashreplace"))

    def _on_thread_error(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit or args.exc_value is None:
            return
        name = args.thread.name if args.thread else "?"
        failure = self._failure("thread raised", args.exc_value, next(iter(self.sources), ""))
        failure["message"] = f"in thread {name}: {failure['message']}"
        self.thread_errors.append(failure)
        _original_excepthook(args)

    def _left_running(self, before: set[threading.Thread], count: int, tasks: int) -> list[str]:
        """The threads the block started and did not wait for."""
        deadline = time.monotonic() + GRACE
        for thread in set(threading.enumerate()) - before:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = sorted("thread " + t.name for t in set(threading.enumerate()) - before)
        # _thread.start_new_thread makes threads that threading does not know. CPython counts
        # them from when they first run, which the operating system may put off a moment.
        if not left and _tasks() > tasks:
            time.sleep(0.005)
        while not left and _thread._count() > count:
            if time.monotonic() > deadline:
                return ["a thread without a name"]
            time.sleep(0.001)
        return left

    def _own_descriptors(self) -> None:
        """Give 0, 1 and 2 back what they lead to, whatever a block did to them."""
        os.dup2(self.null, 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(self.capture, number)
            setattr(sys, name, getattr(sys, f"__{name}__"))
            if getattr(sys, name).closed:
                stream = os.fdopen(
                    number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False
                )
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)

    def _watch(self, event: str, _: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
            self.children = True

    def _answer(self, answer: dict[str, Any]) -> None:
        self.answers.write(json.dumps(answer) + "\n")
        self.answers.flush()


_original_excepthook = threading.excepthook


class State:
    """What a block may change about its process, as it was before, to be put back."""

    def __init__(self) -> None:
        self.switch_interval = sys.getswitchinterval()
        self.directory = os.getcwd()
        self.environment = dict(os.environ)
        self.path = list(sys.path)
        self.recursion_limit = sys.getrecursionlimit()
        self.gc = (gc.isenabled(), gc.get_threshold(), gc.get_debug())
        self.signals = {n: signal.getsignal(n) for n in _catchable()}
        self.filters = list(warnings.filters)
        self.hooks = (sys.excepthook, sys.displayhook, sys.unraisablehook)

    def put_back(self) -> None:
        """Trace and profile functions go; all else returns to what it was."""
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)  # type: ignore[arg-type,unused-ignore]
        threading.setprofile(None)
        threading.excepthook = _original_excepthook
        sys.setswitchinterval(self.switch_interval)
        sys.setrecursionlimit(self.recursion_limit)
        sys.path[:] = self.path
        sys.excepthook, sys.displayhook, sys.unraisablehook = self.hooks
        os.chdir(self.directory)
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        (gc.enable if self.gc[0] else gc.disable)()
        gc.set_threshold(*self.gc[1])
        gc.set_debug(self.gc[2])
        for number, handler in self.signals.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if warnings.filters != self.filters:
            # The public way in marks the cached answers as stale; then its entry is taken out.
            warnings.simplefilter("default")
            warnings.filters[:] = self.filters  # type: ignore[index]


def _catchable() -> list[int]:
    return [n for n in signal.valid_signals() if signal.getsignal(n) is not None]


def _tasks() -> int:
    """The threads of this process as the operating system counts them; 0 where it does not say."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def limit_memory(more: int) -> None:
    """Let this process have so many bytes of data more than it has now, and no core files.

    More than now, because the allocator of a free-threaded build reserves a GiB at its start.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits.
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as pages:
            data = int(pages.read().split()[5]) * resource.getpagesize()
    except OSError:  # Only Linux tells, and only Linux counts mapped memory against the limit.
        return
    resource.setrlimit(resource.RLIMIT_DATA, (data + more, data + more))


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    Worker().serve()
