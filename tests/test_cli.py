from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilnotes
from gilnotes import interpreters
from gilnotes.interpreters import Interpreter

if TYPE_CHECKING:
    from tests.conftest import Alive

posix = pytest.mark.skipif(os.name == "nt", reason="signals, FIFOs and shell scripts are POSIX")

FOUND = interpreters.find()
CHOSEN = interpreters.select(["all"], FOUND)
HERE = interpreters.current()
SOURCES = Path(gilnotes.__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCES),
        "GILNOTES_INTERPRETERS": interpreters.to_json(FOUND),
        **more,
    }


def command(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gilnotes", *args],
        env=environment(**env),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def output(*args: str) -> str:
    done = command(*args)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# -- what is printed


def test_lock_prints_the_line_of_the_notes_and_the_interpreter() -> None:
    assert output("lock") == f"Counter should be 500000, found 500000\n{HERE.label}\n"


@pytest.mark.parametrize("python", CHOSEN, ids=lambda python: python.tag)
def test_race_prints_the_line_of_the_notes_on(python: Interpreter) -> None:
    lines = interpreters.run(python, ["-m", "gilnotes", "race"]).stdout.splitlines()
    found = re.fullmatch(r"Counter should be 500000, found (\d+)", lines[0])
    assert found
    assert 0 < int(found.group(1)) <= 500_000
    assert lines[1:] == [python.label]


def test_several_runs_show_their_range() -> None:
    assert output("lock", "--runs", "3", "--how-many", "10", "--threads", "2") == (
        "Counter should be 20; lost updates in 0 of 3 runs\n"
        "found: minimum 20, median 20, maximum 20\n"
        f"{HERE.label}\n"
    )


def test_several_interpreters_make_a_table() -> None:
    lines = output("lock", "--how-many", "10", "--python", "all").splitlines()
    assert lines[0] == "Counter should be 50"
    assert lines[1].split() == ["interpreter", "GIL", "found", "lost"]
    assert [line.split() for line in lines[2:]] == [
        [python.tag, "on" if python.gil else "off", "50", "0"] for python in CHOSEN
    ]


def test_several_runs_on_an_interpreter_make_a_row_of_their_range() -> None:
    lines = output("lock", "--how-many=10", "--runs=2", f"--python={HERE.tag}").splitlines()
    assert re.split("  +", lines[1]) == [
        "interpreter",
        "GIL",
        "found",
        "lost",
        "lost in",
        "minimum",
        "median",
        "maximum",
    ]
    gil = "on" if HERE.gil else "off"
    assert re.split("  +", lines[2]) == [HERE.tag, gil, "50", "0", "0 of 2", "50", "50", "50"]


def test_race_as_json() -> None:
    (answer,) = json.loads(output("lock", "--json", "--runs=2", "--switch-interval=1e-6"))
    assert answer["interpreter"]["version"] == HERE.version
    assert answer["found"] == [500000, 500000]
    assert answer["switch_interval"] == 1e-6
    chosen = [CHOSEN[0], CHOSEN[-1]]
    specs = [f"--python={python.tag}" for python in chosen]
    answers = json.loads(output("lock", "--json", "--how-many=1", *specs))
    assert [answer["interpreter"]["path"] for answer in answers] == [p.path for p in chosen]


def test_interpreters_lists_version_gil_and_origin() -> None:
    header, *rows = (re.split("  +", line) for line in output("interpreters").splitlines())
    assert header == ["tag", "version", "GIL", "origin"]
    assert rows == [[p.tag, p.version, "on" if p.gil else "off", p.origin] for p in FOUND]
    assert interpreters.from_json(output("interpreters", "--json")) == FOUND


@posix
def test_interpreters_reports_what_is_broken_on_stderr(tmp_path: Path) -> None:
    broken = tmp_path / "python3.9"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    env = environment(PATH=str(tmp_path))
    del env["GILNOTES_INTERPRETERS"]
    done = subprocess.run(
        [sys.executable, "-m", "gilnotes", "interpreters"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == f"broken: {broken} (PATH): exit status 3\n"
    assert HERE.version in done.stdout


def test_scaling_and_lock_cost_make_tables() -> None:
    scaling = output("scaling", "--repeat=1").splitlines()
    assert scaling[0] == "Work for the processor:"
    assert scaling[3] == "Waiting:"
    assert scaling[2].split()[:2] == [HERE.tag, "on" if HERE.gil else "off"]
    cost = output("lock-cost", "--repeat=1").splitlines()
    assert re.split("  +", cost[0])[2:] == ["without a lock", "1 thread", "5 threads"]


def test_turns_and_latency_make_tables() -> None:
    turns = output("turns").splitlines()
    assert turns[0] == "Two threads that count:"
    assert turns[4] == "One waits:"
    assert [line.split()[2] for line in (*turns[2:4], *turns[6:8])] == [
        *("counts", "counts", "counts", "waits"),
    ]
    late = output("latency").splitlines()
    assert re.split("  +", late[0])[2:] == ["0.5 ms", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms"]


def test_version() -> None:
    assert output("--version") == f"gilnotes {gilnotes.__version__}\n"


@pytest.mark.parametrize(
    "name",
    [
        *("race", "lock", "interpreters", "scaling", "lock-cost", "turns", "latency"),
        *("switchpoints", "refactorings"),
    ],
)
def test_help_names_every_command_and_each_has_its_own(name: str) -> None:
    assert name in output("--help")
    assert output(name, "--help").startswith(f"usage: gilnotes {name} ")


# -- what goes wrong


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "the following arguments are required: <command>"),
        (("draw",), "invalid choice: 'draw'"),
        (("race", "--runs", "0"), "--runs: must be a whole number, at least 1, not '0'"),
        (("race", "--threads", "-1"), "--threads: must be a whole number, at least 1, not '-1'"),
        (("race", "--how-many", "1.5"), "must be a whole number, at least 0, not '1.5'"),
        (("race", "--switch-interval", "0"), "must be seconds, more than 0 and at most 1, not '0'"),
        (("race", "--switch-interval", "nan"), "more than 0 and at most 1, not 'nan'"),
        (("race", "--python", "3.99"), "no CPython 3.99 on this machine; found: 3."),
        (("race", "--python", "snake"), "'snake' names no interpreter; write 3.9"),
        (("race", "--python", "3.7"), "'3.7' is too old"),
    ],
)
def test_an_error_is_one_line_and_status_2(args: tuple[str, ...], message: str) -> None:
    done = command(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("gilnotes")
    assert done.stderr.count("\n") == 1


def test_a_damaged_variable_is_one_line_and_status_2() -> None:
    done = command("interpreters", GILNOTES_INTERPRETERS="[]x")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "unset it" in done.stderr


@posix
def test_an_interpreter_that_fails_is_one_line_and_status_2(tmp_path: Path) -> None:
    failing = wrapper(tmp_path, "echo one >&2; echo two >&2; exit 3")
    done = command("race", "--python=3.9", GILNOTES_INTERPRETERS=interpreters.to_json([failing]))
    assert done.returncode == 2
    assert done.stderr == "gilnotes: error: CPython 3.9.99, GIL on: exit status 3: two\n"


@posix
def test_output_that_nobody_reads_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gilnotes", "interpreters"],
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


# -- Ctrl-C


def wrapper(folder: Path, script: str) -> Interpreter:
    """An interpreter that is a shell script."""
    path = folder / "python3.9"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Interpreter(
        path=str(path),
        version="3.9.99",
        free_threaded=False,
        gil=True,
        origin="PATH",
        implementation="CPython",
        compiler="",
        platform="",
        build="",
    )


@pytest.fixture
def _ctrl_c_is_not_ignored() -> None:
    """A shell's background job ignores SIGINT, and hands that down to us and to our children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@posix
@pytest.mark.usefixtures("_ctrl_c_is_not_ignored")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("python", CHOSEN, ids=lambda python: python.tag)
def test_ctrl_c_ends_a_race_at_once(python: Interpreter, number: signal.Signals) -> None:
    program = """
import os, sys, threading

def started(*_):  # called in each thread when it begins
    sys.setprofile(None)
    os.write(1, b"running\\n")  # in one piece; without a GIL, prints of two threads mix

from gilnotes.cli import main
threading.setprofile(started)
sys.exit(main(["race", "--how-many", "1000000000"]))
"""
    with subprocess.Popen(
        [*python.command, "-c", program],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "running\n"
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, stderr) == (128 + number, "")


@posix
@pytest.mark.usefixtures("_ctrl_c_is_not_ignored")
@pytest.mark.parametrize(
    "script",
    ["echo begun >&3; exec '{python}' \"$@\"", "echo begun >&3; /bin/sleep 600"],
    ids=["racing", "with children"],
)
def test_ctrl_c_ends_the_interpreters_that_race_too(
    script: str, tmp_path: Path, alive: Alive
) -> None:
    slow = wrapper(tmp_path, f"exec 3>'{alive.fifo}'; {script.format(python=HERE.path)}")
    with subprocess.Popen(
        [sys.executable, "-m", "gilnotes", "race", "--how-many=1000000000", "--python=3.9"],
        env=environment(GILNOTES_INTERPRETERS=interpreters.to_json([slow])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            alive.wait_for("begun")
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, stdout, stderr) == (130, "", "")
    alive.wait_for_the_end()
