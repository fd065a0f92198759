"""What each page of the built site costs its reader: bytes, requests, paint times, shifts."""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.common import ROOT, Target, median

SITE = ROOT / "site"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
KILOBYTES, MILLISECONDS = 250, 1000
"""What a page may weigh, compressed, and how long its largest part may take to be painted."""

WATCH = """
window.seen = {largest: 0, shifted: 0, moved: []};
const watch = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note))
  .observe({type, buffered: true});
watch("largest-contentful-paint", (entry) => { seen.largest = entry.startTime; });
watch("layout-shift", (entry) => {
  if (entry.hadRecentInput) return;
  seen.shifted += entry.value;
  seen.moved.push(...entry.sources.map((source) => source.node?.outerHTML?.slice(0, 120) ?? "?"));
});
"""


@dataclass(frozen=True)
class Visit:
    """A first visit to a page."""

    kilobytes: float
    """Of all that the page asks for, compressed as a server would."""
    requests: int
    elsewhere: tuple[str, ...]
    """Requests to other hosts."""
    milliseconds: float
    """Until the largest part was painted (largest contentful paint)."""
    shifted: float
    """Cumulative layout shift."""
    moved: tuple[str, ...]
    """What it was that moved."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def weigh(_: Path, options: argparse.Namespace) -> None:
    """Visit each page of `site/` as a new reader, several times, and print a table."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None or not SITE.is_dir():
        print("\nPages: this needs a Chromium, and the site that `make site` builds.")
        return
    names = sorted(file.relative_to(SITE).as_posix() for file in SITE.rglob("*.html"))
    print(
        "\nPages: a first visit, served locally, in Chromium; medians, and the greatest paint time"
    )
    print(f"  {'page':<16} {'kB':>6} {'requests':>9} {'paint, ms':>10} {'most':>6} {'shift':>6}")
    handler = functools.partial(Quiet, directory=str(SITE))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        address = f"http://127.0.0.1:{server.server_port}"
        rows = {
            name: [visit(browser, address, name) for _ in range(options.rounds)] for name in names
        }
        browser.close()
        server.shutdown()
    for name, visits in rows.items():
        first, paints = visits[0], [each.milliseconds for each in visits]
        print(
            f"  {name:<16} {first.kilobytes:>6.1f} {first.requests:>9} {median(paints):>10.0f} "
            f"{max(paints):>6.0f} {max(each.shifted for each in visits):>6.3f}"
        )
    everything = [each for visits in rows.values() for each in visits]
    heaviest = max(each.kilobytes for each in everything)
    slowest = max(median([each.milliseconds for each in visits]) for visits in rows.values())
    print(Target(f"heaviest page: {heaviest:.1f} kB, under {KILOBYTES}", heaviest < KILOBYTES))
    print(Target(f"slowest paint: {slowest:.0f} ms, under {MILLISECONDS}", slowest < MILLISECONDS))
    print(Target("nothing moves", not any(each.shifted for each in everything)))
    print(Target("no request to another host", not any(each.elsewhere for each in everything)))


def visit(browser: Browser, address: str, name: str) -> Visit:
    """Open a page in a new profile."""
    loaded: list[Response] = []

    def remember(response: Response) -> None:
        loaded.append(response)

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.on("response", remember)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    seen: dict[str, Any] = page.evaluate("seen")
    weight = sum(len(gzip.compress(each.body(), mtime=0)) for each in loaded)
    elsewhere = tuple(each.url for each in loaded if not each.url.startswith(address))
    context.close()
    largest, shifted, moved = seen["largest"], seen["shifted"], tuple(seen["moved"])
    return Visit(weight / 1000, len(loaded), elsewhere, largest, shifted, moved)
