"""What a page costs its reader: bytes on first load, and nothing that moves while it loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.visits import KILOBYTES, visit

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_no_page_is_heavy_and_nothing_moves(browser: Browser, site: Path, address: str) -> None:
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    visits = {name: visit(browser, address, name) for name in names}
    assert not {name: each for name, each in visits.items() if each.kilobytes > KILOBYTES}
    assert not {name: each.moved for name, each in visits.items() if each.moved}
    assert not {name: each.elsewhere for name, each in visits.items() if each.elsewhere}
    assert all(each.requests > 1 for each in visits.values())
