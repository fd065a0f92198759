from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilnotes
from gilnotes import interpreters
from gilnotes.interpreters import (
    GIL_ON,
    Interpreter,
    InterpreterFailed,
    UnknownInterpreter,
    current,
    find,
    from_json,
    run,
    select,
    survey,
    to_json,
)

if TYPE_CHECKING:
    from tests.conftest import Alive

posix = pytest.mark.skipif(os.name == "nt", reason="symbolic links and shell scripts are POSIX")

FOUND = find()
HERE = current()
OTHERS = [python for python in FOUND if python.build != HERE.build]
FREE_THREADED = [python for python in FOUND if python.free_threaded]


def interpreter(version: str, free_threaded: bool = False) -> Interpreter:
    """An interpreter of some other machine."""
    return Interpreter(
        path=f"/usr/bin/python{version}",
        version=version,
        free_threaded=free_threaded,
        gil=not free_threaded,
        origin="PATH",
        implementation="CPython",
        compiler="GCC 12.2.0",
        platform="linux-x86_64",
        build=version,
    )


SOME = (
    interpreter("3.9.2"),
    interpreter("3.9.18"),
    interpreter("3.13.5"),
    interpreter("3.13.5", free_threaded=True),
    interpreter("3.15.0a2"),
    interpreter("3.15.0rc1"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path | str], Path]:
    """A machine without interpreters, and a way to place some: links, or scripts of their own."""
    for name in ("PATH", "pyenv", "uv"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("GILNOTES_INTERPRETERS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "PATH"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))

    def place_one(name: str, what: Path | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, Path):
            path.symlink_to(what)
        else:
            path.write_text(f"#!/bin/sh\n{what}\n")
            path.chmod(0o755)
        return path

    return place_one


Place = Callable[[str, "Path | str"], Path]


@pytest.fixture
def other() -> Interpreter:
    if not OTHERS:
        pytest.skip("needs a second CPython on this machine")
    return OTHERS[0]


# -- what is found


def test_the_running_interpreter_is_found_and_only_once() -> None:
    mine = [python for python in FOUND if python.origin == "this interpreter"]
    assert len(mine) == 1
    assert mine[0].version == ".".join(map(str, sys.version_info[:3]))
    assert mine[0].build == sys.version
    assert [python.build for python in FOUND].count(sys.version) == 1


def test_each_found_interpreter_is_what_it_was_taken_for() -> None:
    program = "import sys; print(sys.version, getattr(sys, '_is_gil_enabled', lambda: True)())"
    for python in FOUND:
        assert run(python, ["-c", program]).stdout == f"{python.build} {python.gil}\n"


def test_the_found_are_in_order_of_their_versions() -> None:
    versions = [
        (tuple(map(int, python.version.split(".")[:2])), python.free_threaded) for python in FOUND
    ]
    assert versions == sorted(versions)
    assert versions[0][0] >= (3, 8)


@posix
def test_an_installation_with_several_names_is_listed_once(
    place: Place, other: Interpreter
) -> None:
    minor = ".".join(other.version.split(".")[:2])
    place(f"PATH/python{minor}", Path(other.path))
    place("PATH/python3", Path(other.path))
    place(f"uv/cpython-{minor}-linux-x86_64-gnu/bin/python3", Path(other.path))
    assert [(p.build, p.origin) for p in find() if p.build != sys.version] == [(other.build, "uv")]


@posix
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("copies", ["--symlinks", "--copies"])
def test_a_virtual_environment_is_its_base_installation(
    other: Interpreter, tmp_path: Path, copies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "environment"
    run(other, ["-m", "venv", "--without-pip", copies, str(environment)])
    monkeypatch.setenv("PATH", str(environment / "bin"))
    (found,) = (python for python in find() if python.build != sys.version)
    assert found.path == other.path


@posix
@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("pyenv/versions/some/bin/python", "pyenv"),
        ("uv/cpython-3-linux-x86_64-gnu/bin/python3", "uv"),
        ("uv/cpython-3-linux-x86_64-gnu/install/bin/python3", "uv"),
        ("uv/cpython-3-windows-x86_64-none/python.exe", "uv"),
        ("PATH/python3", "PATH"),
        ("PATH/python", "PATH"),
    ],
)
def test_where_interpreters_are_looked_for(
    place: Place, other: Interpreter, name: str, origin: str
) -> None:
    place(name, Path(other.path))
    found = {python.build: python.origin for python in find()}
    assert found == {sys.version: "this interpreter", other.build: origin}


@posix
def test_a_pyenv_shim_leads_to_what_pyenv_has_installed(
    place: Place, other: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYENV_ROOT")
    root = tmp_path / "elsewhere"
    place("elsewhere/versions/some/bin/python", Path(other.path))
    place("PATH/python3.8", f'export PYENV_ROOT="{root}"\nexec "{root}/libexec/pyenv" exec "$0"')
    survey_here = survey()
    assert not survey_here.broken
    assert (other.build, "pyenv") in [(python.build, python.origin) for python in survey_here.found]


@posix
def test_what_is_broken_is_reported_and_left_out(
    place: Place, alive: Alive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "PATIENCE", 2)
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + "/usr/bin-not-there")
    sleep = f"exec 3>{alive.fifo}; echo begun >&3; /bin/sleep 600"
    hanging = place("PATH/python3.8", sleep)
    crashing = place("PATH/python3.9", "kill -SEGV $$")
    failing = place("PATH/python3.10", "echo 'no such library' >&2; exit 127")
    babbling = place("PATH/python3.11", "echo hello")
    guessing = place("PATH/python3.12", "echo '{}'")
    listing = place("PATH/python3.13", "echo '[1]'")
    not_a_program = place("PATH/python3.14", "")
    not_a_program.write_bytes(b"\x7fELF, but no more of it")
    found = survey()
    assert [python.build for python in found.found] == [sys.version]
    reasons = {broken.path: broken.reason for broken in found.broken}
    assert {broken.origin for broken in found.broken} == {"PATH"}
    assert reasons.pop(str(not_a_program)).startswith("cannot be started (")
    assert reasons == {
        str(hanging): "did not say what it is within 2 s",
        str(crashing): "killed by SIGSEGV",
        str(failing): "exit status 127: no such library",
        str(babbling): "answered nonsense: 'hello\\n'",
        str(guessing): "answered nonsense: '{}\\n'",
        str(listing): "answered nonsense: '[1]\\n'",
    }
    alive.wait_for("begun")
    alive.wait_for_the_end()


@posix
def test_what_is_too_old_or_no_cpython_is_neither_found_nor_broken(place: Place) -> None:
    place("PATH/python", "echo 'Unknown option: -I' >&2; exit 2")  # as Python 2 answers
    probe = Path(gilnotes.__file__).with_name("probe.py")
    place("PATH/python3", f"'{sys.executable}' '{probe}' | /bin/sed s/CPython/PyPy/")
    place("PATH/python3.8", f"'{sys.executable}' '{probe}' | /bin/sed s/{HERE.version}/3.7.9/")
    place("PATH/python2.7", "exit 1")
    place("PATH/python3.7", "exit 1")
    place("PATH/python3-config", "exit 1")
    found = survey()
    assert not found.broken
    assert [python.build for python in found.found] == [sys.version]


def test_the_variable_is_believed_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GILNOTES_INTERPRETERS", to_json(SOME))
    assert find() == SOME


def test_json_keeps_everything() -> None:
    started_with_gil = dataclasses.replace(SOME[3], gil=True, options=GIL_ON)
    assert from_json(to_json([*FOUND, started_with_gil])) == (*FOUND, started_with_gil)


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"path": "x"}]', '"3.9"'])
def test_a_damaged_variable_is_an_error_that_says_what_to_do(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GILNOTES_INTERPRETERS", text)
    with pytest.raises(ValueError, match=r"GILNOTES_INTERPRETERS must hold .*; unset it"):
        find()


# -- what is chosen


@pytest.mark.parametrize(
    ("specs", "versions"),
    [
        (["3.9"], ["3.9.18"]),
        (["3.9.2"], ["3.9.2"]),
        (["3.13"], ["3.13.5"]),
        (["3.15"], ["3.15.0rc1"]),
        (["3.15.0a2"], ["3.15.0a2"]),
        (["3.13", "3.9", "3.9.18", "3.13"], ["3.13.5", "3.9.18"]),
        (["all"], ["3.9.18", "3.13.5", "3.13.5", "3.15.0rc1"]),
        (["3.9.2", "all"], ["3.9.2", "3.9.18", "3.13.5", "3.13.5", "3.15.0rc1"]),
        ([], []),
    ],
)
def test_interpreters_are_chosen_by_version(specs: list[str], versions: list[str]) -> None:
    assert [python.version for python in select(specs, SOME)] == versions


def test_a_free_threaded_build_is_chosen_by_its_t() -> None:
    (off, on) = select(["3.13t", "3.13.5t+gil"], SOME)
    assert (off.tag, off.gil, off.options) == ("3.13t", False, ())
    assert (on.tag, on.gil, on.options) == ("3.13t+gil", True, ("-X", "gil=1"))
    assert off.path == on.path


def test_all_is_one_of_each_tag_without_the_gil_variants() -> None:
    started_with_gil = dataclasses.replace(SOME[3], gil=True, options=GIL_ON)
    chosen = select(["all"], [*SOME[:3], started_with_gil])
    assert [python.tag for python in chosen] == ["3.9", "3.13", "3.13t"]


def test_an_unknown_version_is_an_error_that_lists_those_found_and_how_to_get_it() -> None:
    with pytest.raises(UnknownInterpreter) as caught:
        select(["3.14t+gil"], SOME)
    assert str(caught.value) == (
        "no CPython 3.14t+gil on this machine; found: 3.9, 3.13, 3.13t, 3.15. "
        "To get it: `uv python install 3.14t` or `pyenv install 3.14t`"
    )
    assert caught.value.spec == "3.14t+gil"


@pytest.mark.parametrize(
    "spec", ["", "3", "4.0", "3.x", "python3.9", "3.13+gil+gil", "3.9 ", "3.１"]
)
def test_what_is_no_version_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="names no interpreter; write"):
        select([spec], SOME)


def test_a_gil_cannot_be_asked_of_a_build_that_always_has_one() -> None:
    with pytest.raises(ValueError, match=r"only a free-threaded build .* write 3\.13t\+gil"):
        select(["3.13+gil"], SOME)


@pytest.mark.parametrize("spec", ["3.7", "3.12t", "2.7"])
def test_a_version_too_old_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"is too old|names no interpreter"):
        select([spec], SOME)


def test_labels_are_for_people() -> None:
    (started_with_gil,) = select(["3.13t+gil"], SOME)
    labels = [python.label for python in (SOME[1], SOME[3], started_with_gil)]
    assert labels == [
        "CPython 3.9.18, GIL on",
        "CPython 3.13.5, free-threaded, GIL off",
        "CPython 3.13.5, free-threaded, GIL on",
    ]


# -- what is run


@pytest.mark.parametrize("python", FOUND, ids=lambda python: f"{python.tag}-{python.origin}")
def test_current_is_what_find_says_of_it(python: Interpreter) -> None:
    program = "from gilnotes.interpreters import *; print(to_json([current()]))"
    program = program.replace("*", "current, to_json")
    (itself,) = from_json(run(python, ["-c", program]).stdout)
    assert dataclasses.replace(itself, origin=python.origin) == python


@pytest.mark.parametrize("python", FREE_THREADED, ids=lambda python: python.tag)
def test_the_gil_is_on_or_off_as_asked_whatever_the_environment_says(
    python: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "from gilnotes import interpreters; print(interpreters.current().tag)"
    for tag in (python.tag, f"{python.tag}+gil"):
        for setting in ("0", "1"):
            monkeypatch.setenv("PYTHON_GIL", setting)
            (chosen,) = select([tag], FOUND)
            assert run(chosen, ["-c", program]).stdout == f"{tag}\n"


@pytest.mark.parametrize("python", FOUND, ids=lambda python: f"{python.tag}-{python.origin}")
def test_the_package_runs_from_a_zip_file(python: Interpreter, tmp_path: Path) -> None:
    """As a wheel does: what runs inside it can start other interpreters that use it, too."""
    package = Path(gilnotes.__file__).parent
    wheel = tmp_path / "gilnotes.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in package.glob("*.py"):
            archive.write(path, f"gilnotes/{path.name}")
    program = (
        "from gilnotes import interpreters as i; import sys; "
        "print(i.run(i.current(), ['-c', 'import gilnotes; print(gilnotes.__file__)']).stdout, "
        "i.__file__, [p.build for p in i.survey().found].count(sys.version))"
    )
    done = run(python, ["-c", program], env={"PYTHONPATH": str(wheel), "PATH": ""})
    inner, outer, count = done.stdout.split()
    assert Path(inner) == wheel / "gilnotes" / "__init__.py"
    assert Path(outer) == wheel / "gilnotes" / "interpreters.py"
    assert count == "1"


def test_what_the_caller_adds_to_the_environment_arrives() -> None:
    done = run(HERE, ["-c", "import os; print(os.environ['SENSOR'])"], env={"SENSOR": "µ"})
    assert done.stdout == "µ\n"


def test_a_failure_says_which_interpreter_how_it_ended_and_its_last_words() -> None:
    with pytest.raises(InterpreterFailed) as caught:
        run(HERE, ["-c", "import sys; sys.exit('no sensor\\nat all')"])
    assert caught.value.status == 1
    assert str(caught.value) == f"{HERE.label}: exit status 1\nno sensor\nat all"
    assert caught.value.in_short == f"{HERE.label}: exit status 1: at all"


@posix
def test_a_crash_names_its_signal() -> None:
    with pytest.raises(InterpreterFailed, match="killed by SIGSEGV") as caught:
        run(HERE, ["-c", "import os; os.kill(os.getpid(), 11)"])
    assert caught.value.status == -11


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(InterpreterFailed, match=r"took longer than 0\.5 s") as caught:
        run(HERE, ["-c", "import threading; threading.Event().wait()"], timeout=0.5)
    assert caught.value.status is None


def test_an_interpreter_that_has_gone_is_a_failure(tmp_path: Path) -> None:
    gone = dataclasses.replace(HERE, path=str(tmp_path / "python"))
    with pytest.raises(InterpreterFailed, match="cannot be started"):
        run(gone, ["--version"])


def test_the_probe_parses_on_every_python_3(tmp_path: Path) -> None:
    """It is put to unknown interpreters, older than this package may run on."""
    probe = Path(gilnotes.__file__).with_name("probe.py")
    old: list[str | Path] = [
        path
        for folder in os.get_exec_path()
        for path in Path(folder).glob("python3.[67]")
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    ]
    for path in [*old, *(python.path for python in FOUND)]:
        done = subprocess.run([path, "-I", str(probe)], capture_output=True, text=True, check=True)
        assert '"implementation": "CPython"' in done.stdout
