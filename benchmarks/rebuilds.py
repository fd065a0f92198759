"""What `mkdocs serve` does at each edit, in this process: prints one JSON object about it.

    python benchmarks/rebuilds.py FOLDER ROUNDS

The folder is a project of `projects.py`. Each round edits the prose of a page, then a block of
it, and rebuilds after each as `mkdocs.commands.serve` does, but for the web server.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from mkdocs.commands.build import build
from mkdocs.config import load_config

URL = "http://localhost/"


def main(folder: str, rounds: int) -> dict[str, list[float]]:
    """Rebuild after `rounds` edits of prose and as many of a block."""
    os.chdir(folder)
    logging.disable(logging.WARNING)
    page = Path("docs", "page1.md")
    process = psutil.Process()
    measured: dict[str, list[float]] = {"prose": [], "block": [], "ran": [], "rss": []}
    with tempfile.TemporaryDirectory() as site:
        config = load_config(site_dir=site)
        config.plugins.on_startup(command="serve", dirty=False)
        build(config, serve_url=URL)
        measured["rss"].append(process.memory_info().rss)
        for number in range(rounds):
            for kind in ("prose", "block"):
                text = page.read_text("utf-8")
                page.write_text(edited(text, kind, number), "utf-8")
                start = time.perf_counter()
                build(load_config(site_dir=site), serve_url=URL)
                measured[kind].append(time.perf_counter() - start)
                measured["rss"].append(process.memory_info().rss)
                measured["ran"].append(ran(Path(site, "outcomes.json")))
    return measured


def edited(text: str, kind: str, number: int) -> str:
    """Edit the page's first sentence, or the second of its blocks."""
    if kind == "prose":
        return text.replace("Five threads", f"Edit {number}: five threads", 1)
    before, mark, after = text.partition("Block 1:")
    return f"{before}{mark} edit {number},{after}"


def ran(record: Path) -> int:
    """How many blocks the last build has run; none where it keeps no record."""
    if not record.exists():
        return 0
    outcomes = json.loads(record.read_text("utf-8"))["outcomes"]
    return sum(not outcome["cached"] for outcome in outcomes)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
