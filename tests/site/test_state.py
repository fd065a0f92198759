"""What a block changes about its process is put back before the next one, also where it failed."""

from __future__ import annotations

import pytest

from gilnotes.site.process import Answer
from tests.site.sessions import SPECS, run_named

LOOK = """\
import gc, io, os, pprint, signal, sys, threading, warnings
def directory():
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "gone"
def stack_size():
    size = threading.stack_size()  # which sets it to the default
    threading.stack_size(size)
    return size
def look():
    monitoring = getattr(sys, "monitoring", None)
    state = {
        "switch interval": sys.getswitchinterval(),
        "trace": (sys.gettrace(), sys.getprofile(), threading._trace_hook, threading._profile_hook),
        "monitoring": [monitoring.get_tool(tool) for tool in range(6)] if monitoring else [],
        "directory": directory(),
        "environment": dict(os.environ),
        "path": sys.path,
        "arguments": sys.argv,
        "recursion limit": sys.getrecursionlimit(),
        "gc": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
        "stack size": stack_size(),
        "signals": {n: signal.getsignal(n) for n in sorted(signal.valid_signals())},
        "timers": [signal.getitimer(n)[0] > 0 for n in range(3)],
        "filters": [str(entry) for entry in warnings.filters],
        "streams": [
            (getattr(sys, name) is getattr(sys, "__%s__" % name), getattr(sys, name).closed)
            for name in ("stdin", "stdout", "stderr")
        ],
        "descriptors": [(os.fstat(n).st_dev, os.fstat(n).st_ino) for n in range(3)],
        "hooks": (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook),
    }
    seen.append(pprint.pformat(state))
seen = []"""

CHANGES = {
    "the switch interval": "sys.setswitchinterval(1e-6)",
    "sys.settrace": "sys.settrace(lambda *_: None)",
    "sys.setprofile": "sys.setprofile(lambda *_: None)",
    "threading.settrace": "threading.settrace(lambda *_: None)",
    "threading.setprofile": "threading.setprofile(lambda *_: None)",
    "the working directory": "os.chdir('/')",
    "a working directory that goes": "os.mkdir('d'); os.chdir('d'); os.rmdir(os.getcwd())",
    "its own folder": "import shutil; shutil.rmtree(os.getcwd()); os.chdir('/')",
    "a new variable": "os.environ['NEW'] = '1'",
    "a variable less": "del os.environ['PATH']",
    "sys.path": "sys.path.insert(0, 'elsewhere')",
    "sys.argv": "sys.argv.append('--help')",
    "the recursion limit": "sys.setrecursionlimit(10_000)",
    "a low recursion limit": "sys.setrecursionlimit(120)",
    "gc.disable": "gc.disable()",
    "gc.set_threshold": "gc.set_threshold(1, 2, 3)",
    "gc.set_debug": "gc.set_debug(gc.DEBUG_SAVEALL)",
    "threading.stack_size": "threading.stack_size(1 << 20)",
    "a signal handler": "signal.signal(signal.SIGTERM, lambda *_: None)",
    "an alarm": "signal.signal(signal.SIGALRM, lambda *_: None); signal.alarm(600)",
    "warnings.simplefilter": "warnings.simplefilter('error')",
    "warnings.resetwarnings": "warnings.resetwarnings()",
    "sys.stdout": "sys.stdout = io.StringIO()",
    "sys.stderr without a flush": "sys.stderr = object.__new__(type('S', (), {'closed': False}))",
    "a closed stdin": "sys.stdin.close()",
    "the descriptors": "null = os.open(os.devnull, os.O_RDWR)\n"
    "for number in (1, 2): os.dup2(null, number)",
    "sys.excepthook": "sys.excepthook = sys.unraisablehook = sys.displayhook = print",
    "threading.excepthook": "threading.excepthook = print",
}
TOOL = """\
if hasattr(sys, "monitoring"):
    sys.monitoring.use_tool_id(0, "ours")
    sys.monitoring.register_callback(0, sys.monitoring.events.LINE, print)
    sys.monitoring.set_events(0, sys.monitoring.events.LINE)"""


def blocks() -> dict[str, str]:
    """After each change, the next block has another look."""
    codes = {"first": LOOK + "\nlook()"}
    for name, change in CHANGES.items():
        for end in ("", "\nraise KeyError"):
            codes[f"{name}{end}"] = f"seen = []\n{change}\nlook(){end}"
            codes[f"{name}{end}, after"] = "look()\nos.write(1, '\\0'.join(seen).encode())"
    codes["monitoring"] = TOOL
    codes["monitoring again"] = TOOL
    return codes


@pytest.fixture(scope="module", params=SPECS)
def answers(request: pytest.FixtureRequest) -> dict[str, Answer]:
    codes = blocks()
    codes["first"] += "\nprint(seen[0], end='')"
    return run_named(codes, request.param)


@pytest.mark.parametrize("end", ["", "\nraise KeyError"], ids=["passes", "fails"])
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_block_changed_is_put_back(answers: dict[str, Answer], name: str, end: str) -> None:
    answer, after = answers[f"{name}{end}"], answers[f"{name}{end}, after"]
    assert answer.alive
    assert (answer.failure is None) == (end == "")
    assert after.failure is None
    changed, put_back = after.output.split("\0")
    assert changed != answers["first"].output
    assert put_back == answers["first"].output


def test_tools_of_sys_monitoring_are_freed(answers: dict[str, Answer]) -> None:
    assert answers["monitoring"].failure is None
    assert answers["monitoring again"].failure is None
    assert answers["monitoring again"].output.count("\n") <= answers["monitoring"].output.count(
        "\n"
    )
