"""How pages are found: titles, descriptions, the site map, pictures, Markdown beside each page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

BASE = "https://example.org/gilnotes/"


class _Head(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[tuple[str, str], str] = {}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "meta":
            self.meta[got.get("property") or got.get("name", "")] = got.get("content", "")
        elif tag == "link":
            self.links[got.get("rel", ""), got.get("type", "")] = got.get("href", "")


def heads(site: Path) -> dict[str, _Head]:
    """What stands in the heads of the pages, but for that of the page that is not there."""
    return {path.name: _Head(path) for path in site.glob("*.html") if path.name != "404.html"}


def test_every_page_has_a_title_and_a_description_of_its_own(site: Path) -> None:
    pages = heads(site).values()
    for name in ("og:title", "og:description", "description"):
        texts = [page.meta[name] for page in pages]
        assert all(texts)
        assert len(set(texts)) == len(texts), name


def test_the_picture_has_an_absolute_address_and_is_there(site: Path) -> None:
    for page in heads(site).values():
        assert page.meta["og:image"] == f"{BASE}assets/card.png"
        assert page.meta["og:image:alt"]
    assert (site / "assets" / "card.png").is_file()


def test_every_page_names_its_markdown(site: Path) -> None:
    for name, page in heads(site).items():
        markdown = page.links["alternate", "text/markdown"]
        assert markdown == name.replace(".html", ".md")
        assert (site / markdown).read_text("utf-8").startswith("---\ntitle: ")


def test_the_site_map_and_llms_txt_list_every_page(site: Path) -> None:
    site_map = (site / "sitemap.xml").read_text("utf-8")
    listed = (site / "llms.txt").read_text("utf-8")
    for name in heads(site):
        assert f"<loc>{BASE}{name}</loc>" in site_map
        assert f"({BASE}{name.replace('.html', '.md')})" in listed


def test_search_finds_a_word_that_only_a_block_has_printed(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/glossary.html", wait_until="networkidle")
    box = page.locator(".md-search__input").first
    box.click()
    box.press_sequentially("STORE_ATTR")
    page.locator(".md-search-result__link").first.wait_for()
    found = page.locator(".md-search-result__link").evaluate_all("all => all.map(a => a.href)")
    page.close()
    assert any("/race.html" in address for address in found)
