"""The CPythons of this machine: find them, choose among them, run code on one of them."""

from __future__ import annotations

import dataclasses
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import gilnotes
from gilnotes import probe, processes

if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Mapping, Sequence

OLDEST = (3, 8)
"""The oldest CPython that runs this package."""

OLDEST_FREE_THREADED = (3, 13)
"""The oldest CPython that can be built without a GIL (PEP 703)."""

ENVIRONMENT_VARIABLE = "GILNOTES_INTERPRETERS"
"""Holds what `to_json` made; `survey` then believes it, and neither looks nor asks."""

PATIENCE = 10
"""Seconds an interpreter has to say what it is."""

GIL_ON = ("-X", "gil=1")
"""The options that start a free-threaded build with its GIL (PEP 703)."""


@dataclass(frozen=True)
class Interpreter:
    """One CPython, and the options it is started with."""

    path: str
    """The executable; never a shim or a virtual environment's, always the installation's own."""
    version: str
    """"3.13.5"."""
    free_threaded: bool
    """Whether it was built to run without a GIL (PEP 703). It may still be started with one."""
    gil: bool
    """Whether the GIL is on when it is started with `options`."""
    origin: str
    """Where it was found: "this interpreter", "PATH", "pyenv" or "uv"."""
    implementation: str
    """"CPython"."""
    compiler: str
    """"GCC 12.2.0"."""
    platform: str
    """"linux-x86_64"."""
    build: str
    """Its `sys.version`."""
    options: tuple[str, ...] = ()
    """The interpreter's own options: ("-X", "gil=1")."""

    @property
    def tag(self) -> str:
        """Name it as `select` does, short: "3.9", "3.13t", "3.13t+gil"."""
        major, minor = self.version.split(".")[:2]
        free_threaded = ("t+gil" if self.gil else "t") if self.free_threaded else ""
        return f"{major}.{minor}{free_threaded}"

    @property
    def label(self) -> str:
        """Name it for people: "CPython 3.13.5, free-threaded, GIL off"."""
        free_threaded = ", free-threaded" if self.free_threaded else ""
        gil = "on" if self.gil else "off"
        return f"{self.implementation} {self.version}{free_threaded}, GIL {gil}"

    @property
    def command(self) -> tuple[str, ...]:
        """The beginning of a command line that starts it."""
        return (self.path, *self.options)


@dataclass(frozen=True)
class Broken:
    """Something that has an interpreter's name but does not say what it is."""

    path: str
    origin: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What is on this machine: the interpreters found, and what is named like one but is broken."""

    found: tuple[Interpreter, ...]
    broken: tuple[Broken, ...]


class UnknownInterpreter(LookupError):
    """This machine has no interpreter of that version. The message lists those it has."""

    def __init__(self, spec: str, found: Iterable[Interpreter]) -> None:
        self.spec = spec
        wanted = spec.replace("+gil", "")
        super().__init__(
            f"no CPython {spec} on this machine; found: {_tags(found)}. "
            f"To get it: `uv python install {wanted}` or `pyenv install {wanted}`"
        )


class InterpreterFailed(RuntimeError):
    """An interpreter could not be started, failed, or took too long.

    ``interpreter`` is the one, ``what`` says how it ended ("exit status 3", "killed by SIGSEGV",
    "took longer than 10 s"), ``status`` is its exit status (negative: a signal, None: it took too
    long or did not start) and ``stderr`` the end of what it said.
    """

    def __init__(
        self, interpreter: Interpreter, what: str, status: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(interpreter, what, status, stderr)
        self.interpreter = interpreter
        self.what = what
        self.status = status
        self.stderr = "\n".join(stderr.rstrip().splitlines()[-20:])

    @property
    def in_short(self) -> str:
        """The failure in one line."""
        last = self.stderr.splitlines()[-1:]
        return ": ".join([self.interpreter.label, self.what, *last])

    def __str__(self) -> str:
        return f"{self.interpreter.label}: {self.what}\n{self.stderr}".rstrip()


def current() -> Interpreter:
    """Describe the interpreter that runs this code, GIL on or off as it is now."""
    this = _interpreter(_describe_this(), "this interpreter")
    switched_on = this.free_threaded and this.gil
    return dataclasses.replace(this, options=GIL_ON) if switched_on else this


def find() -> tuple[Interpreter, ...]:
    """Find the CPythons from 3.8 on: `survey` without what is broken.

    >>> [interpreter.tag for interpreter in find()]  # doctest: +SKIP
    ['3.9', '3.13', '3.13t']
    """
    return survey().found


def survey() -> Survey:
    """Look for interpreters in pyenv's folder, in uv's and on PATH, and ask each what it is.

    The running one is always among them. An installation is listed once, however many names lead
    to it, and as it is when started without options. Older versions first, and of one version the
    build with a GIL before the free-threaded one.

    Raises ValueError if GILNOTES_INTERPRETERS is set, but not to what `to_json` makes.
    """
    handed_down = os.environ.get(ENVIRONMENT_VARIABLE)
    if handed_down is not None:
        return Survey(from_json(handed_down), ())
    this = _describe_this()
    this["gil"] = not this["free_threaded"]
    installations = {_installation(this): _interpreter(this, "this interpreter")}
    broken = []
    candidates = list(_candidates())
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(_ask, [path for path, _ in candidates]))
    for (path, origin), answer in zip(candidates, answers):
        if isinstance(answer, str):
            broken.append(Broken(path, origin, answer))
        elif answer["implementation"] == "CPython" and _order(answer["version"])[:2] >= OLDEST:
            installations.setdefault(_installation(answer), _interpreter(answer, origin))
    found = sorted(installations.values(), key=lambda i: (_order(i.version), i.free_threaded))
    return Survey(tuple(found), tuple(broken))


def select(specs: Iterable[str], found: Sequence[Interpreter]) -> tuple[Interpreter, ...]:
    """Choose interpreters by version: "3.9", "3.11.7", "3.13t", "3.13t+gil", or "all".

    "3.9" is the newest 3.9 found; "3.13t" the free-threaded build; "3.13t+gil" the same started
    with its GIL on; "all" the newest of each. Nothing is chosen twice.

    Raises UnknownInterpreter for a version this machine lacks, ValueError for what is no version.
    """
    chosen: dict[Interpreter, None] = {}
    for spec in specs:
        chosen.update(dict.fromkeys(_all(found) if spec == "all" else [_newest(spec, found)]))
    return tuple(chosen)


def run(
    interpreter: Interpreter,
    args: Sequence[str],
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    r"""Run ``python <options> <args>`` on an interpreter that can import this package.

    >>> run(current(), ["-c", "import gilnotes; print(gilnotes.Counter().count)"]).stdout
    '0\n'

    The caller's PYTHON… variables are left out, since PYTHON_GIL or PYTHONHOME would change what is
    measured; ``env`` adds variables. ``timeout`` is in seconds.

    Raises InterpreterFailed if it cannot be started, ends with another status than 0, or takes
    too long.
    """
    command = [*interpreter.command, *args]
    try:
        done = processes.run(command, timeout=timeout, env={**_environment(), **(env or {})})
    except subprocess.TimeoutExpired:
        raise InterpreterFailed(interpreter, f"took longer than {timeout:g} s") from None
    except OSError as error:
        raise InterpreterFailed(interpreter, f"cannot be started ({error.strerror})") from error
    if done.returncode != 0:
        what = _how_it_ended(done.returncode)
        raise InterpreterFailed(interpreter, what, done.returncode, done.stderr)
    return done


def to_json(interpreters: Iterable[Interpreter]) -> str:
    """Write interpreters as JSON, for the variable GILNOTES_INTERPRETERS of other processes."""
    return json.dumps([dataclasses.asdict(interpreter) for interpreter in interpreters])


def from_json(text: str) -> tuple[Interpreter, ...]:
    """Read what `to_json` wrote. Raises ValueError for anything else."""
    try:
        return tuple(
            Interpreter(**{**fields, "options": tuple(fields["options"])})
            for fields in json.loads(text)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{ENVIRONMENT_VARIABLE} must hold what gilnotes.interpreters.to_json() makes, "
            f"not {text[:80]!r} ({error}); unset it"
        ) from None


# -- choosing


_SPEC = re.compile(r"(3\.\d+)(\.\d+(?:(?:a|b|rc)\d+)?)?(t?)(\+gil)?", re.ASCII)


def _newest(spec: str, found: Sequence[Interpreter]) -> Interpreter:
    parts = _SPEC.fullmatch(spec)
    if parts is None:
        raise ValueError(
            f"{spec!r} names no interpreter; write 3.9, 3.11.7, 3.13t, 3.13t+gil or all"
        )
    minor, patch, free_threaded, gil = parts.groups()
    oldest = OLDEST_FREE_THREADED if free_threaded else OLDEST
    if tuple(map(int, minor.split("."))) < oldest:
        kind = "free-threaded builds exist" if free_threaded else "this package runs"
        raise ValueError(
            f"{spec!r} is too old: {kind} from CPython {oldest[0]}.{oldest[1]} on; "
            f"found: {_tags(found)}"
        )
    if gil and not free_threaded:
        raise ValueError(
            f"{spec!r}: only a free-threaded build can be started with or without its GIL; "
            f"write {minor}{patch or ''}t+gil, or leave +gil out"
        )
    matching = [
        interpreter
        for interpreter in found
        if interpreter.free_threaded == bool(free_threaded)
        and (
            interpreter.version == minor + patch
            if patch
            else interpreter.version.split(".")[:2] == minor.split(".")
        )
    ]
    if not matching:
        raise UnknownInterpreter(spec, found)
    newest = max(matching, key=lambda interpreter: _order(interpreter.version))
    if not free_threaded:
        return newest
    return dataclasses.replace(newest, gil=bool(gil), options=GIL_ON if gil else ())


def _tags(found: Iterable[Interpreter]) -> str:
    return ", ".join(dict.fromkeys(interpreter.tag for interpreter in found)) or "none"


def _all(found: Sequence[Interpreter]) -> list[Interpreter]:
    tags = dict.fromkeys(interpreter.tag.replace("+gil", "") for interpreter in found)
    return [_newest(tag, found) for tag in tags]


def _order(version: str) -> tuple[int, int, int, str, int]:
    """Put versions in order: 3.9.18 before 3.10.0, 3.15.0a2 before 3.15.0rc1 before 3.15.0."""
    parts = re.match(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?", version)
    if parts is None:
        raise ValueError(f"{version!r} is no version of Python")
    major, minor, patch, stage, serial = parts.groups()
    return int(major), int(minor), int(patch), stage or "release", int(serial or 0)


# -- looking


def _candidates() -> Iterator[tuple[str, str]]:
    """Yield the path and the origin of whatever may be an interpreter, each file once."""
    folders = [Path(folder) for folder in os.get_exec_path() if os.path.isabs(folder)]
    pyenv_roots = [_pyenv_root()]
    on_path = []
    for executable in (path for folder in folders for path in _pythons_in(folder)):
        root = _root_of_shim(executable)
        if root is None:
            on_path.append((executable, "PATH"))
        elif root not in pyenv_roots:
            pyenv_roots.append(root)
    pyenv = [(path, "pyenv") for root in pyenv_roots for path in _installed(root / "versions")]
    uv = [(path, "uv") for path in _installed(_uv_store())]
    seen = {os.path.realpath(sys.executable)}
    for path, origin in (*pyenv, *uv, *on_path):
        real = os.path.realpath(path)
        # The shims of mise are links to one program that looks at the name it was called by.
        identity = real if "python" in os.path.basename(real).lower() else str(path)
        if identity not in seen:
            seen.add(identity)
            yield str(path), origin


_EXECUTABLE = re.compile(r"python(3(\.(?P<minor>\d+)t?)?)?(\.exe)?", re.IGNORECASE | re.ASCII)


def _pythons_in(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:  # PATH may name folders that are not there, or that nobody may read
        return
    for name in names:
        parts = _EXECUTABLE.fullmatch(name)
        if parts is None or int(parts.group("minor") or OLDEST[1]) < OLDEST[1]:
            continue
        path = folder / name
        # An empty python.exe is the Microsoft Store's advertisement.
        if path.is_file() and os.access(path, os.X_OK) and path.stat().st_size > 0:
            yield path


def _installed(store: Path) -> Iterator[Path]:
    """Yield an executable of each installation in a folder of installations."""
    try:
        homes = sorted(entry.path for entry in os.scandir(store) if entry.is_dir())
    except OSError:
        return
    for home in homes:
        # On Windows the executable is in the folder itself; uv had "install" in between once.
        for folder in ("bin", "", "install/bin", "install"):
            executable = next(_pythons_in(Path(home, folder)), None)
            if executable is not None:
                yield executable
                break


def _pyenv_root() -> Path:
    root = os.environ.get("PYENV_ROOT")
    return Path(root) if root else Path.home() / ".pyenv" / ("pyenv-win" if os.name == "nt" else "")


def _uv_store() -> Path:
    store = os.environ.get("UV_PYTHON_INSTALL_DIR")
    if store:
        return Path(store)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA") or Path.home(), "uv", "data", "python")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data, "uv", "python")


def _root_of_shim(executable: Path) -> Path | None:
    """Return the pyenv folder that an executable is a shim of, None if it is no shim.

    A shim runs what `pyenv global` or a file .python-version names, and fails for all others.
    """
    try:
        with executable.open("rb") as file:
            beginning = file.read(1024)
    except OSError:
        return None
    if not beginning.startswith(b"#!"):
        return None
    root = re.search(rb'^export PYENV_ROOT="(.+)"$', beginning, re.MULTILINE)
    return Path(os.fsdecode(root.group(1))) if root else None


# -- asking


def _ask(path: str) -> dict[str, Any] | str:
    """Ask an interpreter what it is. Return its answer, or why there is none."""
    question = (pkgutil.get_data("gilnotes", "probe.py") or b"").decode()
    try:
        done = processes.run([path, "-I", "-c", question], timeout=PATIENCE, env=_environment())
    except subprocess.TimeoutExpired:
        return f"did not say what it is within {PATIENCE} s"
    except OSError as error:
        return f"cannot be started ({error.strerror})"
    if done.returncode != 0:
        if "Unknown option: -I" in done.stderr:  # Python 2
            return {"implementation": "CPython", "version": "2.7.0"}
        last = done.stderr.rstrip().splitlines()[-1:]
        return ": ".join([_how_it_ended(done.returncode), *last])
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
        _order(answer["version"])
        _interpreter(answer, "")
        _installation(answer)
    except (ValueError, TypeError, KeyError):
        return f"answered nonsense: {done.stdout[:60]!r}"
    return answer


@lru_cache(maxsize=None)
def _this() -> dict[str, Any]:
    return dict(probe.describe())


def _describe_this() -> dict[str, Any]:
    # All but this one fact stays as it was when the process began.
    return {**_this(), "gil": getattr(sys, "_is_gil_enabled", lambda: True)()}


def _interpreter(answer: Mapping[str, Any], origin: str) -> Interpreter:
    names = [field.name for field in dataclasses.fields(Interpreter)]
    facts = {name: answer[name] for name in names if name not in ("origin", "options")}
    return Interpreter(origin=origin, **facts)


def _installation(answer: Mapping[str, Any]) -> tuple[str, str, bool]:
    """What two names of one installation have in common; they may be copies of one file."""
    return answer["prefix"], answer["build"], answer["free_threaded"]


def _environment() -> dict[str, str]:
    """Return the environment of an interpreter: nothing of ours in it but the way to the package.

    Works for a folder of sources, for site-packages and for a wheel alike.
    """
    package = Path(gilnotes.__file__ or "").resolve().parent
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "__PYVENV_LAUNCHER__"
    }
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):
        if name in os.environ:
            kept[name] = os.environ[name]
    return {**kept, "PYTHONPATH": str(package.parent), "PYTHONIOENCODING": "utf-8"}


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
