"""Every page in a real browser: nothing is missing, nothing is asked of another host."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gilnotes.site.numbers import read_counts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SCREENS = {"wide": 1280, "phone": 390}


def pages(site: Path) -> list[str]:
    found = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    assert "index.html" in found
    return found


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_stands_alone_and_fits(
    browser: Browser, site: Path, address: str, screen: str
) -> None:
    problems: list[str] = []
    context = browser.new_context(
        viewport={"width": SCREENS[screen], "height": 900}, color_scheme="light"
    )

    def local_only(route: Route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            problems.append(f"asked another host: {route.request.url}")
            route.abort()

    context.route("**/*", local_only)
    for name in pages(site):
        page = context.new_page()
        page.on(
            "console",
            lambda message: problems.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        page.on(
            "response",
            lambda response: (
                problems.append(f"{response.status}: {response.url}")
                if response.status >= 400
                else None
            ),
        )
        page.goto(f"{address}/{name}")
        body = page.locator("body")
        expect(body).to_have_attribute("data-md-color-scheme", "default")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= SCREENS[screen], f"{name} scrolls sideways: {width} px"
        page.emulate_media(color_scheme="dark")
        expect(body).to_have_attribute("data-md-color-scheme", "slate")
        assert page.title(), name
        page.close()
    context.close()
    assert not problems


def open_page(browser: Browser, address: str, name: str) -> Page:
    page = browser.new_page()
    page.goto(f"{address}/{name}", wait_until="networkidle")
    return page


def test_the_race_table_shows_who_loses_updates(browser: Browser, address: str) -> None:
    """Lost on 3.8, 3.9 and without a GIL; none on 3.10 and later with one."""
    page = open_page(browser, address, "race.html")
    rows = page.locator(".picture").first.locator("tbody tr")
    rows.page.locator(".picture summary").first.click()
    table = [row.locator("th, td").all_inner_texts() for row in rows.all()]
    assert table
    for version, gil, expected, lost_in, cell in table:
        found = read_counts(cell)
        assert expected == "500000"
        assert len(found) == 20
        assert list(found) == sorted(found)
        assert max(found) <= 500_000
        lost = sum(count < 500_000 for count in found)
        assert lost_in == f"{lost} of 20"
        minor = int(re.sub(r"\D", "", version.split(".")[1]))
        assert (lost > 0) == (minor < 10 or gil == "off"), version
    page.close()


def test_search_finds_a_word_of_a_chapter(browser: Browser, address: str) -> None:
    page = open_page(browser, address, "index.html")
    box = page.locator(".md-search__input").first
    box.click()
    box.press_sequentially("eval breaker")
    page.locator(".md-search-result__link").first.wait_for()
    assert "glossary.html" in " ".join(
        link.get_attribute("href") or "" for link in page.locator(".md-search-result__link").all()
    )
    page.close()


def test_copy_edit_contents_and_next_are_there(browser: Browser, address: str) -> None:
    page = open_page(browser, address, "race.html")
    assert page.locator("button[data-md-type=copy], .md-clipboard").count() > 0
    assert (page.locator("a[rel=edit]").get_attribute("href") or "").endswith("/docs/race.md")
    assert page.locator(".md-sidebar--secondary .md-nav__link").count() > 3
    assert page.locator(".md-footer__link--next").get_attribute("href") == "mutexes.html"
    page.close()


def test_a_page_that_is_not_there_says_so(site: Path) -> None:
    assert "404 - Not found" in (site / "404.html").read_text("utf-8")


def test_pages_can_be_printed(browser: Browser, address: str) -> None:
    page = open_page(browser, address, "race.html")
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.close()
