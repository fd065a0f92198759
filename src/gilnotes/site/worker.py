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
import importlib.machinery
import io
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

_FUTURES = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]


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
        # What multiprocessing starts anew leaves a module of this name alone; without it, it
        # would look for the page and run that.
        self.main.__spec__ = importlib.machinery.ModuleSpec("__main__", None)
        sys.modules["__main__"] = self.main
        # A program's own folder comes first on its path, and this script's is not the block's.
        sys.path[0] = os.getcwd()
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
        if request.get("width"):
            os.environ["COLUMNS"] = str(request["width"])
        self._outlive(builder=False)
        # The stacks, then the end: also where the builder is no longer there to end this.
        faulthandler.dump_traceback_later(request["timeout"], file=self.capture, exit=True)
        start = time.perf_counter()
        error = self._execute(request)
        seconds = time.perf_counter() - start
        kept.put_back()
        answer = self._ended(error, request["file"])
        if os.getpid() != self.pid:
            return answer
        faulthandler.cancel_dump_traceback_later()
        left = self._left_running(before, count, tasks)
        if left and answer["status"] == "passed":
            message = f"left running: {', '.join(left)}"
            answer = {"status": "failed", "kind": "thread", "message": message, "line": None}
            faulthandler.dump_traceback(file=self.capture, all_threads=True)
        if self.thread_errors and answer["status"] == "passed":
            answer = self.thread_errors[0]
        self._outlive(builder=True)
        # multiprocessing starts processes without an audit event, too.
        children = self.children or "multiprocessing.util" in sys.modules
        return {**answer, "seconds": seconds, "children": children}

    def _execute(self, request: dict[str, Any]) -> BaseException | None:
        """Run the code, and return what it raised, if it did."""
        try:
            exec(self._compile(request), self.main.__dict__)
        except BaseException as error:
            return error
        finally:
            # Here, because they would be called for all that follows.
            sys.setprofile(None)
            sys.settrace(None)
        return None

    def _ended(self, error: BaseException | None, file: str) -> dict[str, Any]:
        """How the code ended; a forked copy of this process in which it raised ends here."""
        if error is None:
            return {"status": "passed"}
        answer = self._failure("raised", error, file)
        status = 1
        if isinstance(error, SystemExit):
            code = "" if error.code is None else repr(error.code)
            answer.update(kind="exit", message=_printable(f"called sys.exit({code})"))
            status = error.code if isinstance(error.code, int) else error.code is not None
        else:
            self._print(error)
        if os.getpid() != self.pid:
            os._exit(status)
        return answer

    def _compile(self, request: dict[str, Any]) -> types.CodeType:
        """The block at its own lines of its own file, as the page's reader sees them."""
        name, first = request["file"], request["line"]
        sys.argv[:] = [name]
        self.main.__file__ = name
        compiled: types.CodeType = compile(
            "\n" * first + request["code"], name, "exec", flags=self.flags, dont_inherit=True
        )
        for flag in _FUTURES:
            # As at a prompt: what one block imports from __future__ holds for the later ones.
            self.flags |= compiled.co_flags & flag
        lines = self.sources.setdefault(name, [])
        code = request["code"].split("\n")
        lines.extend(["\n"] * (first + len(code) - len(lines)))
        lines[first : first + len(code)] = [line + "\n" for line in code]
        # No modification time: linecache then never looks for a real file of that name.
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
        return compiled

    def _failure(self, kind: str, error: BaseException, file: str) -> dict[str, Any]:
        line = None
        if isinstance(error, SyntaxError) and error.filename == file:
            line = error.lineno
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == file:
                line = frame.lineno
        return {"status": "failed", "kind": kind, "message": _message(error), "line": line}

    def _print(self, error: BaseException) -> None:
        """The traceback, without the frame of the worker itself."""
        tb = error.__traceback__
        while tb and tb.tb_frame.f_code.co_filename == __file__:
            tb = tb.tb_next
        self._own_descriptors()
        text = "".join(traceback.format_exception(type(error), error, tb))
        os.write(self.capture, _printable(text).encode())

    def _on_thread_error(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit or args.exc_value is None:
            return
        name = args.thread.name if args.thread else "?"
        failure = self._failure("thread raised", args.exc_value, next(iter(self.sources), ""))
        failure["message"] = _printable(f"in thread {name}: {failure['message']}")
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
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            with contextlib.suppress(Exception):  # a block's own stream may raise anything
                getattr(sys, name).flush()
            # First the stream: the one that goes may close the descriptor.
            setattr(sys, name, getattr(sys, f"__{name}__"))
            os.dup2(self.capture if number else self.null, number)
            if getattr(sys, name).closed:
                raw = io.FileIO(number, "w" if number else "r", closefd=False)
                stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)

    def _outlive(self, *, builder: bool) -> None:
        """Whether to live on when the builder has gone; a block must not, nor what it started.

        The kernel says so with SIGIO, which ends them all, whatever they are doing: a thread that
        watches would be one more in every block, and stand still where C code keeps the GIL.
        """
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            requests = self.requests.fileno()
            flags = fcntl.fcntl(requests, fcntl.F_GETFL) & ~os.O_ASYNC
            fcntl.fcntl(requests, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(requests, fcntl.F_SETFL, flags if builder else flags | os.O_ASYNC)

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
        self.recursion_limit = sys.getrecursionlimit()
        self.directory = os.getcwd()
        self.environment = dict(os.environ)
        self.path = list(sys.path)
        self.gc = (gc.isenabled(), gc.get_threshold(), gc.get_debug())
        self.signals = {n: signal.getsignal(n) for n in _catchable()}
        self.filters = list(warnings.filters)
        self.hooks = (sys.excepthook, sys.displayhook, sys.unraisablehook)

    def put_back(self) -> None:
        """Trace and profile functions and timers go; all else returns to what it was."""
        sys.setrecursionlimit(self.recursion_limit)  # first: what follows needs a stack
        threading.settrace(None)  # type: ignore[arg-type,unused-ignore]
        threading.setprofile(None)
        _end_monitoring()
        sys.setswitchinterval(self.switch_interval)
        sys.path[:] = self.path
        sys.excepthook, sys.displayhook, sys.unraisablehook = self.hooks
        os.makedirs(self.directory, exist_ok=True)
        os.chdir(self.directory)
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        (gc.enable if self.gc[0] else gc.disable)()
        gc.set_threshold(*self.gc[1])
        gc.set_debug(self.gc[2])
        threading.stack_size(0)  # the default; asking for it would set it, too
        for timer in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
            if hasattr(signal, timer):
                signal.setitimer(getattr(signal, timer), 0)
        for number, handler in self.signals.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if warnings.filters != self.filters:
            # The public way in marks the cached answers as stale; then its entry is taken out.
            warnings.simplefilter("default")
            warnings.filters[:] = self.filters  # type: ignore[index]


def _end_monitoring() -> None:
    """Free the tools that a block has registered with `sys.monitoring`, which 3.12 brought."""
    monitoring: Any = getattr(sys, "monitoring", None)
    for tool in range(6 if monitoring else 0):
        if monitoring.get_tool(tool):
            monitoring.set_events(tool, 0)
            for event in vars(monitoring.events).values():
                if event:
                    monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)


def _message(error: BaseException) -> str:
    """What was raised, as the last line of a traceback says it: `ValueError: no`."""
    summary = traceback.TracebackException(type(error), error, None)
    summary.__notes__ = None  # add_note() has written below that line
    return _printable(list(summary.format_exception_only())[-1].strip())


def _printable(text: str) -> str:
    r"""Make it text that UTF-8 can hold: half of a surrogate pair becomes `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


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
    # What a block has left to be done at the end of its program cannot be shown any more.
    os._exit(0)
