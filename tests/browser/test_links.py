"""Every link and every anchor of the built pages, those that blocks printed included."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

BASE = "https://example.org/gilnotes/"


class _Names(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.append(value)
            elif name == "id" and value is not None:
                self.ids.append(value)


def test_every_local_link_leads_somewhere(site: Path) -> None:
    pages = {
        BASE + path.relative_to(site).as_posix(): _Names(path.read_text("utf-8"))
        for path in site.rglob("*.html")
    }
    dead = []
    checked = 0
    for address, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(address, link))
            if not target.startswith(BASE):
                assert urlsplit(target).scheme in ("https", "http"), link
                continue
            checked += 1
            name = unquote(target.removeprefix(BASE)) or "index.html"
            if not (site / name).is_file() or (
                anchor and target in pages and unquote(anchor) not in pages[target].ids
            ):
                dead.append(f"{address}: {link}")
    assert checked > 100
    assert not dead


def test_ids_are_unique_in_each_page(site: Path) -> None:
    for path in site.rglob("*.html"):
        ids = _Names(path.read_text("utf-8")).ids
        twice = {name for name in ids if ids.count(name) > 1}
        assert not twice, f"{path.name}: {sorted(twice)}"
