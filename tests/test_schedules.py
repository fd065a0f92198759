"""`gilnotes replay` and `gilnotes explore`, as somebody types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gilnotes
from gilnotes import interpreters
from gilnotes.programs import PROGRAMS

HERE = interpreters.current()
SOURCES = Path(gilnotes.__file__).parents[1]
NOTES = "A.read B.read B.add B.write A.add A.write"

OWN = """
from gilnotes.interleaving import Program, same

class Stock:
    def __init__(self):
        self.left = 1

    def take(self):
        if self.left > 0:
            self.left -= 1

def sale(threads=2):
    return Program(Stock, same(Stock.take, threads), holds=lambda stock: stock.left >= 0)

ready = sale()

def not_one():
    return 3
"""


def command(*args: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gilnotes", *args],
        env={"PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_replay_shows_the_interleaving_of_the_notes_and_says_that_it_is_broken() -> None:
    done = command("replay", "race", NOTES)
    assert (done.returncode, done.stderr) == (1, "")
    header, *rows, source, verdict = done.stdout.splitlines()
    assert header.split() == ["step", "A", "shared", "B", "line"]
    assert len(rows) == 6
    assert source == "counters.py:15  self.count += offset"
    assert verdict == "broken"


def test_replay_shows_all_steps_when_asked() -> None:
    lines = command("replay", "race", NOTES, "--all-steps").stdout.splitlines()
    assert len(lines) > 15
    assert any("LOAD_FAST" in line for line in lines)


def test_a_schedule_under_which_all_is_well_has_status_0() -> None:
    assert command("replay", "race", "A.end B.end").returncode == 0


def test_a_schedule_that_cannot_be_followed_has_status_2_and_a_reason() -> None:
    done = command("replay", "lock", "A.acquire B.write")
    assert done.returncode == 2
    assert "turn 2, B.write, after step 5: B waits in Lock.acquire" in done.stdout


def test_replay_as_json() -> None:
    (answer,) = json.loads(command("replay", "race", NOTES, "--json").stdout)
    assert answer["verdict"] == "broken"
    assert [step["what"] for step in answer["steps"] if "write" in step["kinds"]] == [
        "count ← 1",
        "count ← 1",
    ]


def test_explore_counts_at_three_granularities() -> None:
    done = command("explore")
    assert (done.returncode, done.stderr) == (1, "")
    header, *rows, last = [re.split("  +", line) for line in done.stdout.splitlines()]
    assert header[-4:] == ["schedules", "go wrong", "classes", "executions"]
    assert [row[3:5] for row in rows[:2]] == [
        ["6", "4"],
        ["48620", "45864"] if sys.version_info < (3, 12) else ["12870", "12348"],
    ]
    assert last == [f"{HERE.tag}: broken with 1 preemption, as in: A.read B.end A.end"]


def test_explore_on_every_interpreter() -> None:
    done = command("explore", "lock", "--python", "all", "--granularity", "shared", "--json")
    assert done.returncode == 0
    answers = json.loads(done.stdout)
    assert len(answers) >= 1
    for answer in answers:
        (row,) = answer["explored"]
        assert (row["schedules"], row["wrong"]) == (2, 0)


def test_the_status_can_be_left_out() -> None:
    assert command("explore", "race", "--exit-zero").returncode == 0


def test_explore_says_who_waits_for_what() -> None:
    done = command("explore", "deadlock", "--granularity", "opcode")
    assert done.returncode == 1
    assert "deadlock with 1 preemption, as in: A.acquire B.acquire" in done.stdout
    assert "A waits in Lock.acquire at " in done.stdout
    assert "for right_lock, held by B since " in done.stdout


def test_a_bound_and_brute_force() -> None:
    bound = command("explore", "race", "--granularity=shared", "--preemption-bound=0", "--json")
    assert json.loads(bound.stdout)[0]["explored"][0]["schedules"] == 2
    assert bound.returncode == 0
    done = command("explore", "race", "--brute-force", "--granularity", "shared")
    assert done.returncode == 2
    assert done.stderr == "gilnotes: error: brute force runs opcode by opcode\n"


@pytest.mark.parametrize("name", ["own:sale", "own:ready"])
def test_a_program_of_the_readers_own(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    done = command("explore", name, "--granularity", "shared", folder=tmp_path)
    assert done.returncode == 1
    assert "broken with 1 preemption, as in: " in done.stdout
    done = command("replay", name, "A.read B.end A.end", folder=tmp_path)
    assert "own.py:" in done.stdout
    assert "if self.left > 0:" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing"], "'nothing' is no program; there are race, lock, account"),
        (["own:nothing"], "own:nothing: module 'own' has no attribute 'nothing'"),
        (["nowhere:program"], "nowhere:program: No module named 'nowhere'"),
        (["own:not_one"], "own:not_one returned 3, no gilnotes.interleaving.Program"),
        (["own:Stock", "--times", "3"], "own:Stock: "),
        (["own:sale", "--threads", "none"], "must be a whole number, at least 1, not 'none'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(args: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    done = command("explore", *args, folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_program_of_the_notes_is_explored_to_its_end() -> None:
    from gilnotes.interleaving import explore

    for name, make in PROGRAMS.items():
        report = explore(make(), granularity="shared")
        assert report.complete, name
        assert report.schedules > 0, name
