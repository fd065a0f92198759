"""Pictures in a real browser: their words, their colors, their numbers, on a phone and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilnotes.site.blocks import Block, find_blocks
from gilnotes.site.plots import PLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHAPTERS = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
PAGES = {"index.html": 1, "race.html": 2, "gil.html": 3, "mutexes.html": 1}
"""The pages with pictures, and how many they have."""


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{address}/{request.param}")
    assert page.locator("figure.picture svg").count() == PAGES[request.param]
    yield page
    context.close()


def test_every_kind_of_picture_stands_on_a_page() -> None:
    used = {block.figure for path in CHAPTERS for block in blocks(path)}
    assert used - {""} == set(PLOTS)


def blocks(path: Path) -> tuple[Block, ...]:
    return find_blocks(path.read_text("utf-8"), path.name).blocks


def test_the_words_of_a_picture_can_be_selected(page: Page) -> None:
    for number in range(page.locator("figure.picture svg").count()):
        selected: Any = page.evaluate(
            """(number) => {
                const words = document.querySelectorAll("figure.picture svg")[number];
                getSelection().selectAllChildren(words);
                return getSelection().toString();
            }""",
            number,
        )
        assert "3." in selected or "threads" in selected


def test_its_letters_are_large_enough_on_a_phone(page: Page) -> None:
    sizes: list[float] = page.evaluate(
        """() => [...document.querySelectorAll("figure.picture svg text")].map(
            (text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"""
    )
    assert sizes
    assert min(sizes) >= 10.9


def test_nothing_of_a_picture_is_cut_off(page: Page) -> None:
    outside: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("figure.picture svg")].flatMap((svg) => {
            const all = svg.getBoundingClientRect();
            return [...svg.querySelectorAll("text, use, path")].filter((part) => {
                const box = part.getBoundingClientRect();
                return box.width + box.height > 0 && (box.left < all.left - 2 ||
                    box.right > all.right + 2 || box.top < all.top - 2 ||
                    box.bottom > all.bottom + 2);
            }).map((part) => part.outerHTML);
        })"""
    )
    assert not outside


def test_a_picture_has_a_name_and_says_what_it_shows(page: Page) -> None:
    for picture in page.locator("figure.picture svg").all():
        name = picture.get_attribute("aria-labelledby")
        assert picture.locator("title").get_attribute("id") == name
        assert picture.locator("title").text_content()
        says = page.locator(f"#{picture.get_attribute('aria-describedby')}")
        assert len(says.inner_text()) > len(picture.locator("title").text_content() or "") + 20


def test_its_numbers_are_unfolded_by_keyboard(page: Page) -> None:
    for picture in page.locator("figure.picture").all():
        table = picture.locator("table").first
        assert not table.is_visible()
        picture.locator("summary").focus()
        page.keyboard.press("Enter")
        table.wait_for()
        assert table.locator("tbody tr").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("figure.picture details").evaluate_all("all => all.map((one) => one.open = false)")


def test_on_paper_its_numbers_show_and_it_is_dark_on_white(page: Page) -> None:
    screen = _colors(page)
    page.emulate_media(media="print", color_scheme="light")
    assert _colors(page) == screen
    # As it was on a screen with the dark palette.
    page.evaluate("document.body.setAttribute('data-md-color-scheme', 'slate')")
    assert _colors(page) == screen
    heights: list[float] = page.evaluate(
        """() => [...document.querySelectorAll("figure.picture table")].map(
            (table) => table.getBoundingClientRect().height)"""
    )
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("document.body.setAttribute('data-md-color-scheme', 'default')")
    assert min(heights) > 0


def test_the_colors_follow_the_palette(page: Page) -> None:
    light = _colors(page)
    page.emulate_media(color_scheme="dark")
    page.locator("body[data-md-color-scheme=slate]").wait_for()
    dark = _colors(page)
    page.emulate_media(color_scheme="light")
    page.locator("body[data-md-color-scheme=default]").wait_for()
    assert len(light) == len(dark) > 2
    assert not set(light) & set(dark)


def _colors(page: Page) -> list[str]:
    """What words and marks are drawn in."""
    colors: list[str] = page.evaluate(
        """() => [...new Set(
            [...document.querySelectorAll("figure.picture svg :is(text, use, path)")]
            .flatMap((part) => [getComputedStyle(part).fill, getComputedStyle(part).stroke])
            .filter((color) => color !== "none"))]"""
    )
    return colors


def test_the_first_screen_shows_the_race_and_where_to_go(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/index.html")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for part in ("h1", ".md-content p", ".ways a[href='race.html']", "figure.picture svg"):
            box = page.locator(part).first.bounding_box()
            assert box
            assert box["y"] + box["height"] <= 800, (width, part)
    page.close()
