"""What a page costs its reader: bytes on first load, and nothing that moves while it loads."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Response

LIMIT = 250_000
"""Bytes, compressed as a server would: the sum over all that the page asks for."""

# Before anything else of the page runs.
WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      const moved = entry.sources.map((s) => [
        s.node?.outerHTML?.slice(0, 120), s.previousRect.toJSON(), s.currentRect.toJSON(),
      ]);
      shifts.push([entry.value, moved]);
    }
  }
}).observe({type: "layout-shift", buffered: true});
"""


def weigh(browser: Browser, address: str, name: str) -> tuple[dict[str, int], list[Any]]:
    """What a first visit loads, in compressed bytes by file, and what moved meanwhile."""
    loaded: list[Response] = []

    def remember(response: Response) -> None:
        loaded.append(response)

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.on("response", remember)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    weights = {
        response.url.removeprefix(address): len(gzip.compress(response.body(), mtime=0))
        for response in loaded
    }
    shifts: list[Any] = page.evaluate("shifts")
    context.close()
    return weights, shifts


def test_no_page_is_heavy_and_nothing_moves(browser: Browser, site: Path, address: str) -> None:
    heavy, moved = {}, {}
    for path in sorted(site.rglob("*.html")):
        weights, shifts = weigh(browser, address, path.relative_to(site).as_posix())
        total = sum(weights.values())
        print(f"{path.name}: {total / 1000:.1f} kB in {len(weights)} requests")
        if total > LIMIT:
            heavy[path.name] = weights
        if shifts:
            moved[path.name] = shifts
        assert all(name.startswith("/") for name in weights), weights
    assert not heavy
    assert not moved
