"""Be the scheduler, in a real browser: by keyboard, by mouse, by link, and without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gilnotes.interleaving import explore, replay
from gilnotes.programs import PROGRAMS
from gilnotes.site.scheduler import PUZZLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

LOSING = "ABBBAA"
SECONDS = 1000


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    # From a disk, the theme's search does not find its index.
    assert not [problem for problem in problems if "search_index" not in problem]


def game(page: Page, name: str) -> Locator:
    return page.locator(f'.scheduler[data-name="{name}"] .scheduler-game')


def button(board: Locator, label: str) -> Locator:
    return board.get_by_role("button", name=label)


def takes(board: Locator, thread: str) -> Locator:
    return button(board, f"{thread} takes a step")


def status(board: Locator) -> Locator:
    return board.get_by_role("status")


def keys(board: Locator, letters: str) -> None:
    for letter in letters:
        board.page.keyboard.press(letter.lower())


def test_the_losing_schedule_is_played_by_keyboard(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    takes(board, "A").focus()
    keys(board, LOSING)
    expect(status(board)).to_have_text("A writes count: 1. 1 update lost.")
    expect(board).to_contain_text(
        "6 steps, 2 switches, 1 preemption. No schedule does it with fewer."
    )
    keys(board, "u")
    expect(status(board)).to_have_text("Taken back: A writes count: 1.")
    keys(board, "r")
    expect(status(board)).to_have_text("At the start.")
    assert page.url == f"{address}/lab.html"


def test_the_losing_schedule_is_played_by_mouse(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    for letter in LOSING:
        takes(board, letter).click()
    expect(status(board)).to_contain_text("1 update lost.")
    expect(board.get_by_label("Shared by both")).to_contain_text("count1")


def test_one_thread_after_the_other_loses_nothing(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    takes(board, "B").focus()
    keys(board, "BBBAAA")
    expect(status(board)).to_contain_text("No update lost.")


def test_each_step_is_announced_with_what_came_of_it(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    said = []
    for letter in LOSING:
        takes(board, letter).click()
        said.append(status(board).inner_text().strip())
    assert said == [
        "A reads count: 0.",
        "B reads count: 0.",
        "B computes: 0 + 1.",
        "B writes count: 1.",
        "A computes: 0 + 1.",
        "A writes count: 1. 1 update lost.",
    ]


def test_a_thread_shows_its_line_its_next_step_and_its_own_value(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html#race=AB")
    thread = game(page, "race").get_by_label("Thread A")
    expect(thread).to_contain_text("Its own value: 0")
    expect(thread).to_contain_text("computes")
    expect(thread.locator("li[aria-current=step]")).to_contain_text("self.count += offset")
    takes(game(page, "race"), "A").click()
    expect(thread).to_contain_text("Its own value: 0 + 1")


@pytest.mark.parametrize("name", PUZZLES)
def test_the_button_plays_a_schedule_to_the_end_that_the_laboratory_knows(
    name: str, page: Page, address: str
) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}/lab.html")
    board = game(page, name)
    report = explore(PROGRAMS[name](), granularity="shared")
    button(board, PUZZLES[name].demonstration).click()
    expect(status(board)).to_contain_text("Played: ")
    assert board.get_attribute("data-verdict") == report.verdict
    line = board.locator("code", has_text="replay(").inner_text()
    schedule = line.split('"')[3]
    assert replay(PROGRAMS[name](), schedule).verdict == report.verdict
    if report.minimal:
        expect(board).to_contain_text("No schedule does it with fewer.")


def test_a_schedule_that_plays_by_itself_can_be_stopped(page: Page, address: str) -> None:
    page.clock.install()
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    button(board, "Play a losing schedule").click()
    page.clock.run_for(1 * SECONDS)
    expect(status(board)).to_contain_text("A reads count: 0.")
    button(board, "Stop").click()
    page.clock.run_for(20 * SECONDS)
    expect(board).to_contain_text("1 step, ")
    takes(board, "A").focus()
    keys(board, "p")
    page.clock.run_for(20 * SECONDS)
    expect(status(board)).to_contain_text("1 update lost.")


def test_with_the_lock_no_update_can_be_lost(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "lock")
    takes(board, "A").click()
    expect(status(board)).to_have_text("A takes lock. B has to wait for lock, held by A.")
    takes(board, "A").click()
    expect(takes(board, "B")).to_have_attribute("aria-disabled", "true")
    expect(takes(board, "B")).to_have_accessible_description(
        re.compile("waits for lock, held by A")
    )
    takes(board, "B").focus()
    keys(board, "b")
    expect(status(board)).to_have_text("B waits for lock, held by A.")
    expect(takes(board, "B")).to_be_focused()
    expect(board).to_contain_text("2 steps, ")
    keys(board, "AAA")
    expect(status(board)).to_contain_text("B need not wait any longer.")
    keys(board, "BBBBB")
    expect(status(board)).to_contain_text("No update lost.")


def test_the_deadlock_is_reached_and_explained(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "deadlock")
    takes(board, "A").focus()
    keys(board, "AB")
    expect(status(board)).to_contain_text("A waits for right_lock, held by B.")
    expect(status(board)).to_contain_text("B waits for left_lock, held by A.")
    expect(status(board)).to_contain_text("Deadlock: nobody can go on.")
    for thread in "AB":
        expect(takes(board, thread)).to_have_attribute("aria-disabled", "true")


def test_a_schedule_is_sent_by_link(page: Page, address: str, browser: Browser) -> None:
    page.goto(f"{address}/lab.html#lose-an-update")
    board = game(page, "race")
    for letter in LOSING:
        takes(board, letter).click()
    assert page.url == f"{address}/lab.html#race={LOSING}"
    takes(game(page, "lock"), "A").click()
    assert page.url == f"{address}/lab.html#race={LOSING}&lock=A"
    button(board, "Copy link").click()
    expect(status(board)).to_contain_text("Link copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{address}/lab.html#race={LOSING}"
    other = browser.new_page()
    other.goto(link)
    expect(status(game(other, "race"))).to_have_text("From the link: 6 steps. 1 update lost.")
    expect(game(other, "race")).to_be_in_viewport()
    other.close()


def test_a_link_that_nobody_can_follow_goes_as_far_as_it_can(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html#lock=AB&race=ZZ&none=A")
    expect(status(game(page, "lock"))).to_have_text(
        "From the link: 1 step; step 2 cannot be taken."
    )
    expect(status(game(page, "race"))).to_have_text(
        "From the link: 0 steps; step 1 cannot be taken."
    )


def test_a_link_that_is_pasted_over_the_page_is_followed(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    page.evaluate("location.hash = 'deadlock=AB'")
    expect(status(game(page, "deadlock"))).to_contain_text("Deadlock")
    expect(game(page, "deadlock")).to_be_in_viewport()


def test_keys_are_the_readers_own_outside_the_game(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    page.keyboard.press("a")
    expect(board).to_contain_text("0 steps, ")
    takes(board, "A").focus()
    page.keyboard.press("Control+a")
    expect(board).to_contain_text("0 steps, ")
    keys(board, "a")
    expect(board).to_contain_text("1 step, ")


def test_everything_is_reached_with_the_tab_key_and_shows_the_focus(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/lab.html")
    board = game(page, "race")
    takes(board, "A").focus()
    reached = []
    for _ in range(6):
        focused = page.locator(":focus-visible")
        reached.append(focused.locator("span").inner_text())
        assert focused.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
        page.keyboard.press("Tab")
    assert reached == [
        *("A takes a step", "B takes a step"),
        *("Undo", "Start again", "Play a losing schedule", "Copy link"),
    ]


ENDS = {
    "race": "1 update lost.",
    "lock": "No update lost.",
    "account": "Overdrawn: the balance is -20.",
    "deadlock": "Deadlock: nobody can go on.",
    "lock-order": "No deadlock: both have moved their money, 110 and 90.",
}


@pytest.mark.parametrize("name", ENDS)
def test_without_a_script_there_is_a_schedule_to_read(
    name: str, browser: Browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/lab.html")
    table = page.locator(f'.scheduler[data-name="{name}"] .scheduler-table')
    expect(table.locator("tbody tr").first).to_contain_text("start")
    expect(table).to_be_visible()
    expect(table.locator("p")).to_have_text(ENDS[name])
    context.close()


def test_it_is_printed_as_a_table(page: Page, address: str) -> None:
    page.goto(f"{address}/lab.html")
    page.emulate_media(media="print")
    expect(game(page, "race")).to_be_hidden()
    expect(page.locator('.scheduler[data-name="race"] .scheduler-table')).to_be_visible()


def test_it_works_from_a_disk(page: Page, site: Path) -> None:
    page.goto((site / "lab.html").as_uri() + "#race=A")
    board = game(page, "race")
    takes(board, "B").click()
    expect(status(board)).to_contain_text("B reads count: 0.")
    assert page.url.endswith("#race=AB")


def test_boards_and_links_move_nothing_that_was_seen(page: Page, address: str) -> None:
    page.add_init_script(
        "window.shifts = [];"
        "new PerformanceObserver((list) => window.shifts.push(...list.getEntries()))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(f"{address}/lab.html#deadlock=AB", wait_until="networkidle")
    expect(game(page, "deadlock")).to_be_in_viewport()
    # The theme's header may move by a few pixels of its own; the chapter may not.
    moved = "window.shifts.flatMap((shift) => shift.sources.map((source) => source.node))"
    assert page.evaluate(f"{moved}.filter((node) => !node?.closest?.('.md-header')).length") == 0


@pytest.mark.parametrize(("name", "chapter"), [("race", "race.html"), ("lock", "mutexes.html")])
def test_chapters_have_a_game_of_their_own(
    name: str, chapter: str, page: Page, address: str
) -> None:
    page.goto(f"{address}/{chapter}")
    takes(game(page, name), "A").click()
    assert page.url == f"{address}/{chapter}#{name}=A"
