"""This project beside its peers, in one run: `make bench`, or `python benchmarks/run.py --help`.

What is compared takes turns, so that a busy moment of the machine meets all of them. A ratio is
taken within a round; of the rounds, the median is shown, and the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script finds only its neighbors
from benchmarks import explorers, projects, visits
from benchmarks.common import (
    ENVIRONMENT,
    ROOT,
    SCRIPTS,
    Target,
    at_most,
    call,
    install,
    median,
    ratios,
    seconds,
    spread,
)

REQUIREMENTS = ROOT / "benchmarks" / "peers.txt"
PEERS = ROOT / ".build" / "peers"

PAGES, BLOCKS = 4, 6
"""Of the project that all systems build."""

SERVED_PAGES, SERVED_BLOCKS = 200, 4
"""Of the project whose rebuilds are counted and weighed."""

REBUILDS = 20


@dataclass(frozen=True)
class Build:
    """One system, and what it starts from."""

    name: str
    folder: Path
    command: Sequence[str]
    removed: Sequence[str] = ("site",)
    """What a round deletes first: the site, and what is not to be remembered."""

    outcomes: int = PAGES * BLOCKS
    """How many the site has to show afterwards."""

    def seconds(self) -> float:
        """Build once."""
        for name in self.removed:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        start = time.perf_counter()
        call(self.command, self.folder)
        needed = time.perf_counter() - start
        pages = (self.folder / self.removed[0]).rglob("*.html")
        shown = sum(page.read_text("utf-8").count("found 5000") for page in pages)
        if shown != self.outcomes:
            sys.exit(f"{self.name}: the site shows {shown} outcomes, not {self.outcomes}")
        return needed


def main() -> None:
    """Measure what was asked for, and print a table for each topic."""
    parser = argparse.ArgumentParser(description="This project beside its peers, in one run.")
    topics = {
        "cold": cold,
        "warm": warm,
        "growth": growth,
        "serve": serve,
        "laboratory": explorers.laboratory,
        "pages": visits.weigh,
    }
    parser.add_argument("--rounds", type=positive, default=5, help="of each comparison (5)")
    parser.add_argument("--only", choices=topics, help="one topic instead of all")
    parser.add_argument("--no-peers", action="store_true", help="leave the other systems out")
    parser.add_argument(
        "--cap", type=positive, default=60, help="seconds after which an explorer is stopped (60)"
    )
    parser.add_argument(
        "--sizes", type=sizes, default=(50, 200, 500), help="pages, as in 50,200,500"
    )
    options = parser.parse_args()
    if not options.no_peers and options.only in (None, "cold", "warm"):
        install(REQUIREMENTS, PEERS)
    with tempfile.TemporaryDirectory(prefix="gilnotes-bench-") as folder:
        for topic in [options.only] if options.only else topics:
            topics[topic](Path(folder), options)


def cold(folder: Path, options: argparse.Namespace) -> None:
    """Everything is executed."""
    plain = mkdocs("plain MkDocs, nothing executed", folder / "cold-plain", projects.plain)
    ours = mkdocs(
        "gilnotes, everything executed", folder / "cold", projects.gilnotes, "site", ".cache"
    )
    peers = [] if options.no_peers else executing_peers(folder)
    print(f"\nCold: {PAGES} pages of {BLOCKS} blocks, seconds and × plain MkDocs")
    times = measure([plain, ours, *peers], options.rounds)
    table(times, plain.name)
    print(at_most(times, ours.name, plain.name, 1.6))
    for peer in peers:
        faster = ratios(times, peer.name, ours.name)
        print(Target(f"{peer.name}: {spread(faster)} × our time, 4 or more", median(faster) >= 4))


def warm(folder: Path, options: argparse.Namespace) -> None:
    """Nothing has changed since the last build."""
    plain = mkdocs("plain MkDocs, nothing executed", folder / "warm-plain", projects.plain)
    theirs = mkdocs("markdown-exec, in process", folder / "in-process", projects.in_process)
    ours = mkdocs("gilnotes, nothing changed", folder / "warm", projects.gilnotes)
    peers = [] if options.no_peers else caching_peers(folder)
    print(f"\nWarm: {PAGES} pages of {BLOCKS} blocks, seconds and × markdown-exec in process")
    for build in (ours, *peers):
        build.seconds()
    times = measure([plain, theirs, ours, *peers], options.rounds)
    table(times, theirs.name)
    print(at_most(times, ours.name, theirs.name, 1.15))
    for peer in peers:
        faster = ratios(times, peer.name, ours.name)
        print(Target(f"{peer.name}: {spread(faster)} × our time, over 1", median(faster) > 1))


def growth(folder: Path, options: argparse.Namespace) -> None:
    """How the time a page takes changes with the number of pages."""
    print("\nGrowth: pages of 4 blocks, everything executed, milliseconds a page")
    a_page: dict[str, list[list[float]]] = {"plain MkDocs": [], "gilnotes": []}
    for pages in options.sizes:
        where = folder / f"growth-{pages}"
        plain = mkdocs("plain MkDocs", where / "plain", projects.plain, pages=pages, blocks=4)
        removed = ("site", ".cache")
        ours = mkdocs(
            "gilnotes", where / "ours", projects.gilnotes, *removed, pages=pages, blocks=4
        )
        for name, measured in measure([plain, ours], min(options.rounds, 3)).items():
            a_page[name].append([1000 * needed / pages for needed in measured])
            print(f"  {pages:5} pages, {name:<14} {spread(a_page[name][-1])} ms")
        shutil.rmtree(where)
    grown = {name: median(sizes[-1]) / median(sizes[0]) for name, sizes in a_page.items()}
    print(
        Target(
            f"from {options.sizes[0]} to {options.sizes[-1]} pages, a page of gilnotes takes "
            f"{grown['gilnotes']:.2f} × its time, of plain MkDocs {grown['plain MkDocs']:.2f} ×",
            grown["gilnotes"] <= grown["plain MkDocs"],
        )
    )


def serve(folder: Path, options: argparse.Namespace) -> None:
    """Edits under `mkdocs serve`."""
    for pages, blocks, rounds in (
        (PAGES, BLOCKS, options.rounds),
        (SERVED_PAGES, SERVED_BLOCKS, REBUILDS // 2),
    ):
        print(f"\nServe: {pages} pages of {blocks} blocks, seconds from an edit to its rebuild")
        where = folder / f"serve-{pages}"
        projects.plain(where / "plain", pages, blocks)
        projects.gilnotes(where / "gilnotes", pages, blocks)
        with Rebuilds(where / "plain") as plain, Rebuilds(where / "gilnotes") as ours:
            first = ours.rss[-1]
            for kind in ["prose", "block"] * rounds:
                plain.edit(kind)
                ours.edit(kind)
        for kind, expected in (("prose", 0), ("block", blocks - 1)):
            times = {"plain MkDocs": plain.seconds[kind], "gilnotes": ours.seconds[kind]}
            for name, measured in times.items():
                print(f"  {f'{name}, edited {kind}':<36} {seconds(measured)}")
            print(at_most(times, "gilnotes", "plain MkDocs", 1.2))
            print(Target(f"blocks run: {set(ours.ran[kind])}", set(ours.ran[kind]) == {expected}))
        # The first rebuild still imports and compiles what the first build had no use for.
        grown = (ours.rss[-1] - first) / (len(ours.rss) - 1) / 2**20
        count = len(ours.rss) - 1
        print(Target(f"memory: {grown:+.2f} MiB a rebuild over {count}, under 1", grown < 1))


def mkdocs(
    name: str,
    folder: Path,
    project: Callable[[Path, int, int], None],
    *removed: str,
    pages: int = PAGES,
    blocks: int = BLOCKS,
) -> Build:
    """Write a project that MkDocs builds."""
    project(folder, pages, blocks)
    command = (sys.executable, "-m", "mkdocs", "build", "--quiet")
    outcomes = 0 if project is projects.plain else pages * blocks
    return Build(name, folder, command, removed or ("site",), outcomes)


def executing_peers(folder: Path) -> list[Build]:
    """The other systems, where everything is executed."""
    projects.myst_nb(folder / "myst", PAGES, BLOCKS, mode="force")
    projects.mkdocs_jupyter(folder / "jupyter", PAGES, BLOCKS)
    return [
        Build("MyST-NB, executing", folder / "myst", SPHINX_BUILD, ("_build",)),
        Build("mkdocs-jupyter, executing", folder / "jupyter", PEER_MKDOCS, ("site", ".cache")),
    ]


def caching_peers(folder: Path) -> list[Build]:
    """The other systems, where all is in their caches."""
    projects.myst_nb(folder / "myst-cache", PAGES, BLOCKS, mode="cache")
    projects.mkdocs_jupyter(folder / "jupyter-cache", PAGES, BLOCKS)
    site = ("_build/html", "_build/doctrees")
    return [
        Build("MyST-NB, its cache", folder / "myst-cache", SPHINX_BUILD, site),
        Build("mkdocs-jupyter, its cache", folder / "jupyter-cache", PEER_MKDOCS),
    ]


_PYTHON = str(PEERS / SCRIPTS / "python")
SPHINX_BUILD = (
    *(_PYTHON, "-m", "sphinx", "-q", "-b", "html"),
    *("-d", "_build/doctrees", ".", "_build/html"),
)
PEER_MKDOCS = (_PYTHON, "-m", "mkdocs", "build", "--quiet")


class Rebuilds:
    """A project under `rebuilds.py`, in a process of its own, edited when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.seconds: dict[str, list[float]] = {"prose": [], "block": []}
        self.ran: dict[str, list[int]] = {"prose": [], "block": []}
        self.rss: list[int] = []
        script = str(ROOT / "benchmarks" / "rebuilds.py")
        self._process = subprocess.Popen(
            (sys.executable, script, str(folder)),
            env=ENVIRONMENT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._listen()

    def __enter__(self) -> Rebuilds:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def edit(self, kind: str) -> None:
        """Edit prose or a block, and note what the rebuild took."""
        assert self._process.stdin
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        facts = self._listen()
        self.seconds[kind].append(facts["seconds"])
        self.ran[kind].append(facts["ran"])

    def _listen(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            sys.exit("rebuilds.py ended too early")
        facts: dict[str, Any] = json.loads(line)
        self.rss.append(facts["rss"])
        return facts


def measure(builds: Sequence[Build], rounds: int) -> dict[str, list[float]]:
    """The seconds of each build in each round."""
    times: dict[str, list[float]] = {build.name: [] for build in builds}
    for _ in range(rounds):
        for build in builds:
            times[build.name].append(build.seconds())
    return times


def table(times: dict[str, list[float]], reference: str) -> None:
    """A line a system: its seconds, and its ratio to the reference."""
    for name, measured in times.items():
        ratio = spread(ratios(times, name, reference))
        print(f"  {name:<36} {seconds(measured)}   × {ratio}")


def positive(text: str) -> int:
    """Read a number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def sizes(text: str) -> tuple[int, ...]:
    """Read numbers of pages."""
    numbers = tuple(positive(part) for part in text.split(","))
    if len(numbers) < 2:
        raise argparse.ArgumentTypeError(f"{text}: two sizes or more, to compare them")
    return numbers


if __name__ == "__main__":
    main()
