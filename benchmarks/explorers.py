"""The laboratory beside its peers: the same counters, the same interpreter, the same question."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common import ENVIRONMENT, ROOT, Target, install, median, seconds, spread
from gilnotes import interpreters

REQUIREMENTS = ROOT / "benchmarks" / "explorers.txt"
ENVIRONMENT_OF_PEERS = ROOT / ".build" / "explorers"
VERSIONS = ("3.14", "3.13", "3.12")
"""What all of the peers can be installed on; the newest found is taken."""

# frontrun wants to be started by its own command, which sets this, and watches I/O: there is none.
VARIABLES = {**ENVIRONMENT, "FRONTRUN_ACTIVE": "1"}

OURS = "gilnotes"
PEERS = {"frontrun": 20, "frontrun-2": 20, "interleave-test": 100}
"""How many times as long as we each of the peers takes at least."""

NAMES = {
    OURS: "gilnotes, every schedule",
    "frontrun": "frontrun, no bound",
    "frontrun-2": "frontrun, its default bound of 2",
    "interleave-test": "interleave-test, two preemptions",
}
ONCE = 10
"""An explorer that takes more seconds than this takes part in the first round only."""

SCHEDULES_A_SECOND = 3_000
KIB = 1024
"""How much the memory may grow over 50 000 schedules: 1 MiB."""


@dataclass(frozen=True)
class Program:
    """A counter, and so many threads that increment it so many times each."""

    counter: str
    threads: int
    times: int

    def __str__(self) -> str:
        return f"{self.counter} {self.threads}×{self.times}"


COMPARED = (
    Program("Counter", 2, 1),
    Program("Counter", 2, 2),
    Program("Counter", 3, 1),
    Program("LockingCounter", 2, 1),
    Program("LockingCounter", 2, 2),
)
GROWING = (
    *(Program("Counter", 2, times) for times in (1, 2, 3, 4, 5)),
    *(Program("Counter", 3, times) for times in (1, 2, 3)),
    Program("Counter", 4, 1),
)


@dataclass
class Answers:
    """What an explorer has said of a program, round by round."""

    seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it takes too long to be asked again."""
        return self.stopped or self.seconds[:1] > [ONCE]


def laboratory(_: Path, options: argparse.Namespace) -> None:
    """Every schedule of the counters, and how long it takes."""
    python = None if options.no_peers else python_of_peers()
    explorers = (OURS, *PEERS) if python else (OURS,)
    python = python or sys.executable
    version = ask_version(python)
    for program in COMPARED:
        print(f"\nLaboratory: {program} on {version}, milliseconds and × gilnotes")
        compare(program, python, explorers, options)
    print(f"\nLaboratory: gilnotes alone, on {version}")
    promises(python, options)
    print(f"\nLaboratory: how time grows, on {version}")
    growth(python, options.cap)


def python_of_peers() -> str | None:
    """A Python that can import the other explorers; None where there is none."""
    found = [python for python in interpreters.find() if not python.free_threaded]
    for version in VERSIONS:
        matching = [python for python in found if python.tag == version]
        if matching:
            return str(install(REQUIREMENTS, ENVIRONMENT_OF_PEERS, matching[-1].path))
    print(
        "\nThe other explorers need a CPython 3.12 to 3.14, and there is none here: "
        "gilnotes is measured alone."
    )
    return None


def compare(
    program: Program, python: str, explorers: tuple[str, ...], options: argparse.Namespace
) -> None:
    """Ask all explorers in turns, and print a line each."""
    answers = {explorer: Answers() for explorer in explorers}
    for _ in range(options.rounds):
        for explorer, so_far in answers.items():
            if so_far.is_over:
                continue
            facts = ask(python, explorer, program, options.cap)
            so_far.stopped = facts is None
            if facts is not None:
                so_far.facts = facts
                so_far.seconds.append(facts["seconds"])
    ours = answers[OURS]
    if ours.stopped:
        sys.exit(f"{program}: gilnotes did not end within {options.cap} s")
    for explorer, said in answers.items():
        print(line(NAMES[explorer], said, ours, options.cap))
    for explorer, limit in PEERS.items():
        if explorer in answers:
            print(target(NAMES[explorer], answers[explorer], ours, limit, options.cap))


def line(name: str, said: Answers, ours: Answers, cap: float) -> str:
    """What an explorer took, and what it found."""
    if said.stopped:
        return f"  {name:<34} > {cap} s"
    taken = spread([1000 * needed for needed in said.seconds])
    return f"  {name:<34} {taken:<28} × {spread(ratios(said, ours)):<28} {found(said, ours)}"


def found(said: Answers, ours: Answers) -> str:
    """The verdict, on how many schedules it rests, and what is missing."""
    facts = said.facts
    if facts.get("inconclusive"):
        return f"inconclusive: {facts['inconclusive']}"
    verdict = "broken" if facts["broken"] else "holds"
    if said is ours:
        return (
            f"{verdict}: {facts['broken']} of {facts['schedules']} schedules, in "
            f"{facts['classes']} classes; {facts['executions']} executions"
        )
    missing = ours.facts["classes"] - facts["executions"]
    left_out = f"; at least {missing} classes left out" if missing > 0 else ""
    return f"{verdict}: {facts['broken']} of {facts['executions']} executions{left_out}"


def ratios(said: Answers, ours: Answers) -> list[float]:
    """The explorer's time in ours, round by round, as long as it was asked."""
    return [a / b for a, b in zip(said.seconds, ours.seconds, strict=False)]


def target(name: str, said: Answers, ours: Answers, limit: float, cap: float) -> Target:
    """Whether an explorer takes so many times as long as we."""
    if said.stopped:
        at_least = cap / median(ours.seconds)
        return Target(f"{name}: more than {at_least:.0f} × our time", at_least >= limit)
    ratio = ratios(said, ours)
    return Target(f"{name}: {spread(ratio)} × our time, {limit} or more", median(ratio) >= limit)


def promises(python: str, options: argparse.Namespace) -> None:
    """What has been promised of the laboratory itself."""
    brute = Program("Counter", 2, 1)
    speeds = []
    for _ in range(options.rounds):
        facts = ask_or_exit(python, "brute-force", brute, 10 * options.cap)
        speeds.append(facts["executions"] / facts["seconds"])
    print(
        Target(
            f"brute force, {brute}: {spread(speeds)} schedules a second, "
            f"{SCHEDULES_A_SECOND} or more",
            median(speeds) >= SCHEDULES_A_SECOND,
        )
    )
    larger = Program("LockingCounter", 3, 2)
    answers = [ask_or_exit(python, OURS, larger, options.cap) for _ in range(options.rounds)]
    needed = [facts["seconds"] for facts in answers]
    print(
        Target(
            f"{larger}: {answers[0]['classes']} classes, {answers[0]['executions']} executions in "
            f"{seconds(needed)}, under 2 s",
            median(needed) < 2,
        )
    )
    held = ask_or_exit(python, "memory", brute, 10 * options.cap)
    grown = held["after"] - held["before"]
    print(
        Target(
            f"memory: {held['before'] / KIB:.1f} MiB, and {grown} KiB more after "
            f"{held['executions']} schedules, under {KIB} more",
            grown < KIB,
        )
    )


def growth(python: str, cap: float) -> None:
    """How time grows with threads and increments."""
    for program in GROWING:
        facts = ask(python, OURS, program, cap)
        if facts is None:
            print(f"  {program!s:<14} stopped after {cap} s")
            continue
        print(
            f"  {program!s:<14} {facts['classes']:>8} classes {facts['executions']:>8} executions "
            f"{facts['seconds']:>8.3f} s   {facts['schedules']} schedules"
        )


def ask(python: str, explorer: str, program: Program, cap: float) -> dict[str, Any] | None:
    """Explore in a process of its own; None if it does not end in so many seconds."""
    script = str(ROOT / "benchmarks" / "exploring.py")
    question = (program.counter, str(program.threads), str(program.times))
    command = (python, script, explorer, *question)
    try:
        done = subprocess.run(
            command, check=False, env=VARIABLES, capture_output=True, text=True, timeout=cap
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        sys.exit(f"{explorer} fails on {program}:\n{done.stdout}{done.stderr}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def ask_or_exit(python: str, explorer: str, program: Program, cap: float) -> dict[str, Any]:
    """The same, where nothing can be said without an answer."""
    facts = ask(python, explorer, program, cap)
    if facts is None:
        sys.exit(f"{explorer} on {program} did not end within {cap} s")
    return facts


def ask_version(python: str) -> str:
    """What to call an interpreter: `CPython 3.13.0`."""
    question = "import platform as p; print(p.python_implementation(), p.python_version())"
    done = subprocess.run((python, "-c", question), check=True, capture_output=True, text=True)
    return done.stdout.strip()
