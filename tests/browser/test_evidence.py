"""The record in a browser: its rows, and the choices that filter them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ROWS = ".evidence tbody tr"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(f"{address}/evidence.html", wait_until="networkidle")
    yield page
    page.close()


def shown(page: Page) -> int:
    return page.locator(f"{ROWS}:visible").count()


def test_choices_filter_the_rows_and_the_count_follows(page: Page, site: Path) -> None:
    record = json.loads((site / "outcomes.json").read_text("utf-8"))["outcomes"]
    total = len(record)
    assert shown(page) == total
    page.get_by_label("Page").select_option("race")
    of_race = sum(outcome["page"] == "docs/race.md" for outcome in record)
    assert shown(page) == of_race < total
    assert page.get_by_role("status").inner_text() == f"{of_race} of {total} outcomes"
    page.locator("select[name=interpreter]").select_option(record[0]["spec"])
    assert 0 < shown(page) < of_race
    page.locator("select[name=interpreter]").select_option("all")
    claim = next(o["claim"] for o in record if o["claim"] and o["page"] == "docs/mutexes.md")
    page.get_by_label("Claim").select_option(claim.replace("`", ""))
    assert shown(page) == 0
    page.get_by_label("Page").select_option("all")
    assert shown(page) == sum(outcome["claim"] == claim for outcome in record)


def test_a_row_leads_to_its_block(page: Page) -> None:
    page.locator(f"{ROWS} a").last.click()
    page.wait_for_load_state("networkidle")
    assert page.locator(".block:target").count() == 1


def test_it_works_from_a_disk(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "evidence.html").as_uri(), wait_until="networkidle")
    page.get_by_label("Page").select_option("gil")
    assert 0 < shown(page) < page.locator(ROWS).count()
    page.close()


def test_without_javascript_all_rows_show_and_there_is_nothing_to_choose(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/evidence.html")
    assert shown(page) == page.locator(ROWS).count() > 0
    assert not page.locator(".evidence form").is_visible()
    context.close()
