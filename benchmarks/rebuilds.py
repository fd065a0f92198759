"""What `mkdocs serve` does at each edit, in this process.

    python benchmarks/rebuilds.py FOLDER

The folder is a project of `projects.py`. For each line on standard input, `prose` or `block`, it
edits the prose of a page or a block of it, rebuilds as `mkdocs.commands.serve` does, but for the
web server, and prints one JSON object about that rebuild. The first line it prints is about the
first build.
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
# What a build prints itself goes where it does not disturb.
ANSWERS, sys.stdout = sys.stdout, sys.stderr


def main(folder: str) -> None:
    """Rebuild after each edit that standard input asks for."""
    os.chdir(folder)
    logging.disable(logging.WARNING)
    page = Path("docs", "page1.md")
    with tempfile.TemporaryDirectory() as site:
        config = load_config(site_dir=site)
        config.plugins.on_startup(command="serve", dirty=False)
        build(config, serve_url=URL)
        tell(0.0, site)
        for number, line in enumerate(sys.stdin):
            page.write_text(edited(page.read_text("utf-8"), line.strip(), number), "utf-8")
            start = time.perf_counter()
            build(load_config(site_dir=site), serve_url=URL)
            tell(time.perf_counter() - start, site)
        config.plugins.on_shutdown()


def tell(seconds: float, site: str) -> None:
    """Print what a build took, how many blocks it ran, and how large this process has become."""
    facts = {
        "seconds": seconds,
        "ran": ran(Path(site, "outcomes.json")),
        "rss": psutil.Process().memory_info().rss,
    }
    print(json.dumps(facts), file=ANSWERS, flush=True)


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
    main(sys.argv[1])
