"""Who has been here once reads on without a network: the server is really stopped."""

from __future__ import annotations

import functools
import http.server
import itertools
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Quiet

KEPT = """
async () => {
  await navigator.serviceWorker.ready;
  const names = await caches.keys();
  const caching = await Promise.all(names.map((name) => caches.open(name)));
  const requests = await Promise.all(caching.map((cache) => cache.keys()));
  return requests.flat().map((request) => request.url);
}
"""


@contextmanager
def served(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{site.name}"
        finally:
            server.shutdown()


def test_everything_can_be_read_when_the_server_is_gone(browser: Browser, site: Path) -> None:
    context = browser.new_context(service_workers="allow")
    page = context.new_page()
    with served(site) as address:
        page.goto(f"{address}/mutexes.html", wait_until="networkidle")
        kept = page.evaluate(KEPT)
    names = {url.removeprefix(f"{address}/") for url in kept}
    assert {path.name for path in site.glob("*.html")} <= names
    for name in sorted(path.name for path in site.glob("*.html")):
        page.goto(f"{address}/{name}")
        expect(page.locator("h1").first).to_be_visible()
        assert_styled(page)
    page.goto(f"{address}/")
    assert_styled(page)
    find(page, "STORE_ATTR")
    page.goto(f"{address}/lab.html")
    expect(page.locator(".scheduler").first).to_be_visible()
    context.close()


def assert_styled(page: Page) -> None:
    """The theme's style sheet and ours are there: the header has its own color."""
    color = page.locator(".md-header").evaluate("e => getComputedStyle(e).backgroundColor")
    assert color not in ("", "rgba(0, 0, 0, 0)")


def find(page: Page, word: str) -> None:
    box = page.locator(".md-search__input").first
    box.click()
    box.press_sequentially(word)
    page.locator(".md-search-result__link").first.wait_for()


def test_a_new_build_takes_the_place_of_what_was_kept(browser: Browser, tmp_path: Path) -> None:
    from gilnotes.site.offline import NAME, service_worker

    site = tmp_path / "notes"
    site.mkdir()
    seconds = itertools.count(int(time.time()))  # a server tells files apart by these

    def publish(word: str) -> None:
        text = f"<!doctype html><title>n</title><h1>{word}</h1>"
        (site / "index.html").write_text(text, "utf-8")
        (site / NAME).write_text(service_worker(site), "utf-8")
        for path in site.iterdir():
            os.utime(path, times=(next(seconds),) * 2)

    context = browser.new_context(service_workers="allow")
    page = context.new_page()
    with served(site) as address:
        publish("old")
        page.goto(f"{address}/index.html")
        page.evaluate(f"navigator.serviceWorker.register('{NAME}')")
        before = page.evaluate(
            "async () => { await navigator.serviceWorker.ready; return caches.keys(); }"
        )
        publish("new")
        page.goto(f"{address}/index.html")
        expect(page.locator("h1")).to_have_text("new")
        page.evaluate("navigator.serviceWorker.ready.then((all) => all.update())")
        page.wait_for_function(
            "async (before) => { const now = await caches.keys();"
            " return now.length === 1 && now[0] !== before[0]; }",
            arg=before,
        )
    page.goto(f"{address}/")
    expect(page.locator("h1")).to_have_text("new")
    assert re.fullmatch(r"gilnotes http://\S+ [0-9a-f]{16}", before[0])
    context.close()
