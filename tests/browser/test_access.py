"""What keeps somebody from reading: axe-core looks at every page, in both palettes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def findings(page: Page) -> list[str]:
    """What axe finds on a page: rule, element, and why, a line each."""
    page.evaluate(AXE)
    results: Any = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]


def test_axe_finds_nothing(browser: Browser, site: Path, address: str) -> None:
    # Colors depend on the palette, and what scrolls on the width.
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    found = []
    for path in sorted(site.rglob("*.html")):
        page = context.new_page()
        page.goto(f"{address}/{path.relative_to(site).as_posix()}")
        found += [f"{path.name}, light: {finding}" for finding in findings(page)]
        page.set_viewport_size({"width": 390, "height": 900})
        page.emulate_media(color_scheme="dark")
        expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
        found += [f"{path.name}, dark: {finding}" for finding in findings(page)]
        page.close()
    context.close()
    assert not found, "\n".join(found)


def test_every_link_and_control_shows_its_focus(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/race.html", wait_until="networkidle")
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        style: Any = page.evaluate(
            """() => {
                const e = document.activeElement, s = getComputedStyle(e);
                return [e.outerHTML.slice(0, 80), s.outlineStyle, parseFloat(s.outlineWidth)];
            }"""
        )
        if style[1] == "none" or style[2] < 1:
            unseen.append(style)
    page.close()
    assert not unseen


def test_a_link_to_an_outcome_appears_when_it_is_focused(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/race.html", wait_until="networkidle")
    link = page.locator("a.permalink").first
    assert link.evaluate("e => getComputedStyle(e).opacity") == "0"
    link.focus()
    assert link.evaluate("e => getComputedStyle(e).opacity") == "1"
    page.keyboard.press("Enter")
    assert page.url.endswith(link.get_attribute("href") or "nowhere")
    page.close()


def test_a_link_to_an_outcome_always_shows_on_a_touch_screen(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{address}/race.html", wait_until="networkidle")
    shown = page.locator("a.permalink").first.evaluate("e => getComputedStyle(e).opacity")
    context.close()
    assert shown == "1"


def test_nothing_moves_for_those_who_want_rest(browser: Browser, address: str) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter((e) =>
        getComputedStyle(e).transitionDuration.split(", ").some((d) => d !== "0s")).length"""
    counts = {}
    for wish in ("no-preference", "reduce"):
        page = browser.new_page(reduced_motion=wish)
        page.goto(f"{address}/index.html")
        counts[wish] = page.evaluate(moving)
        page.close()
    assert counts["no-preference"] > 0
    assert counts["reduce"] == 0
