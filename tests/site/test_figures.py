"""Pictures, from what this very interpreter measures: their marks, their words, their tables."""

from __future__ import annotations

import gzip
import re
from functools import partial
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from gilnotes import Counter, LockingCounter, interpreters, reports, timing, turns
from gilnotes.experiments import Runs, race
from gilnotes.site import figures, svg
from gilnotes.site.blocks import Block, find_blocks
from gilnotes.site.checked import check
from gilnotes.site.figures import figure
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.plots import PLOTS
from gilnotes.site.progress import Progress
from gilnotes.tables import markdown

if TYPE_CHECKING:
    from tests.support import Project

HERE = interpreters.current()
BARE = interpreters.Interpreter(
    *("", "3.99.0", True, False, "PATH", "CPython", "GCC", "linux-x86_64", "3.99.0")
)
"""Stands in where this machine has no second interpreter; what it is said to have done is real."""


def _turns() -> str:
    with mock.patch.multiple(turns, WARM_UP=0.0, WINDOWS=1):
        both = turns.both_turns(seconds=0.01)
    pairs = {"Both count": both.counting, "One waits": both.waiting}
    return "\n\n".join(
        f"{title}:\n\n{markdown(reports.turns([(HERE, tracks), (BARE, tracks)]))}"
        for title, tracks in pairs.items()
    )


def _scaling() -> str:
    rows = timing.scaling(partial(timing.cpu_bound, 1000), repeat=3)
    table = markdown(reports.scaling([(HERE, rows), (BARE, rows)]))
    return f"Work for the processor:\n\n{table}\n\nWork that waits:\n\n{table}"


def _lost_updates() -> str:
    kept = race(LockingCounter, runs=3, how_many=100)
    lost = Runs(500, (499, 0, 500), (0.1,) * 3, 5, 100, 0.005)
    return markdown(reports.distribution([(HERE, kept), (BARE, lost)]))


PRINTED = {
    "lost-updates": _lost_updates(),
    "speed-up": _scaling(),
    "turns": _turns(),
    "latency": markdown(reports.latency([(HERE, turns.latency([0.001, 0.002], repeat=3))])),
    "lock-cost": markdown(reports.lock_cost([(HERE, timing.lock_cost(how_many=100, repeat=3))])),
}


def outcome(kind: str, output: str | None = None, line: int = 7) -> Outcome:
    block = Block("docs/page.md", line, "", figure=kind, anchor=f"block-{kind}")
    return Outcome(block, HERE.tag, HERE, "passed", PRINTED[kind] if output is None else output)


class _Page(HTMLParser):
    """The words, cells and ids of a figure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.uses: set[str] = set()
        self.texts: list[str] = []
        self.cells: list[str] = []
        self.tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        self.ids += [got["id"]] if "id" in got else []
        self.uses |= {got.get("href", "#")[1:], *got.get("aria-labelledby", "").split()}
        self.uses |= set(got.get("aria-describedby", "").split())
        self.tag = tag

    def handle_endtag(self, tag: str) -> None:
        self.tag = ""

    def handle_data(self, data: str) -> None:
        if self.tag == "text":
            self.texts.append(data)
        elif self.tag in ("td", "th"):
            self.cells.append(data)


def test_every_picture_is_tried_here() -> None:
    assert set(PRINTED) == set(PLOTS)


@pytest.mark.parametrize("kind", PLOTS)
def test_a_picture_is_light_and_the_same_each_time(kind: str) -> None:
    first = figure(outcome(kind)).svg
    assert len(gzip.compress(first.encode())) < 15_000
    figures._figure.cache_clear()
    assert figure(outcome(kind)).svg == first


@pytest.mark.parametrize("kind", PLOTS)
def test_a_picture_is_a_part_of_its_page(kind: str) -> None:
    """Names of its own, colors of the page, and nothing that reaches beyond it."""
    html = figures.html(outcome(kind))
    page = _Page(html)
    assert len(page.ids) == len(set(page.ids)) > 0
    assert all(name.startswith(f"figure-block-{kind}") for name in page.ids)
    assert page.uses - {""} <= set(page.ids)
    assert not re.search(r"#[0-9a-f]{6}|<style|xmlns|font-family|https?:", html)


@pytest.mark.parametrize("kind", PLOTS)
def test_its_words_are_text_and_its_numbers_are_a_table(kind: str) -> None:
    made = figure(outcome(kind))
    page = _Page(figures.html(outcome(kind)))
    assert HERE.tag in " ".join(page.texts) or kind == "speed-up"
    cells = [
        cell
        for each in made.tables
        for row in (each.table.header, *each.table.rows)
        for cell in row
    ]
    assert page.cells == cells
    for row in (row for each in made.tables for row in each.table.rows):
        assert f"| {' | '.join(row)} |" in PRINTED[kind]


def test_lost_updates_are_put_into_words() -> None:
    plot = figure(outcome("lost-updates")).plot
    assert plot.says == (
        "Lost updates in 2 of 3 runs: 3.99t. "
        f"Lost none in 3 runs: {HERE.tag}. The lowest count was 0 instead of 500, on 3.99t."
    )
    assert plot.title == "What 3 runs counted to, on each interpreter"


def test_each_run_has_a_mark() -> None:
    assert figure(outcome("lost-updates")).svg.count("<use ") == 3 + 3 + len(("0", "250", "500"))


def test_a_build_on_which_nothing_is_lost_says_so() -> None:
    runs = race(Counter, runs=2, threads=1, how_many=10)
    plot = figure(outcome("lost-updates", markdown(reports.distribution([(HERE, runs)])))).plot
    assert plot.says == f"Lost none in 2 runs: {HERE.tag}."


def test_what_a_page_says_is_text_and_no_markup() -> None:
    output = PRINTED["speed-up"].replace("Work that waits", "<b>Work & more</b>")
    html = figures.html(outcome("speed-up", output))
    assert "<b>" not in html
    assert "<b>Work & more</b>" in unescape(html)


def test_a_color_that_is_none_of_the_page_is_refused() -> None:
    from matplotlib.figure import Figure

    def draw() -> Figure:
        drawing = Figure(facecolor="none")
        drawing.text(0.5, 0.5, "hello", color="#123456")
        return drawing

    with pytest.raises(ValueError, match="#123456 is none of them"):
        svg.inline(draw, "name", "title")


# -- what goes wrong


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        ("lost-updates", "| GIL |", "the first two interpreter and GIL, and not interpreter, gil"),
        ("lost-updates", "| 500 |", "a whole number, and not 'many'"),
        ("turns", "| on |", "a GIL is on or off, not 'perhaps'"),
        ("latency", "| 1 ms |", "a column for each switch interval, as in '5 ms', and not 'soon'"),
    ],
)
def test_what_cannot_be_drawn_says_why(kind: str, wrong: str, message: str) -> None:
    instead = {"| GIL |": "| gil |", "| 500 |": "| many |", "| on |": "| perhaps |"}
    output = PRINTED[kind].replace(wrong, instead.get(wrong, "| soon |"))
    assert output != PRINTED[kind]
    with pytest.raises(ValueError, match=message):
        figure(outcome(kind, output))


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("output", ["", "| interpreter | GIL |\n| --- | --- |\n| 3.9 | on |\n"])
def test_a_block_that_prints_something_else_has_failed_at_its_line(kind: str, output: str) -> None:
    record = figures.checked(Record((outcome(kind, output), outcome(kind))))
    failed, passed = record.outcomes
    assert str(failed).startswith(f"docs/page.md:7: cannot be drawn as {kind}: ")
    assert (failed.status, passed.status) == ("failed", "passed")


def test_two_tables_are_not_one() -> None:
    output = f"{PRINTED['latency']}\n\n{PRINTED['latency']}"
    with pytest.raises(ValueError, match="made of one table, and not of 2"):
        figure(outcome("latency", output))


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ('figure="turn"', 'figure="turn": did you mean turns?'),
        ('figure="turns" python="all"', "tables that one interpreter prints; no python="),
        ('figure="turns" result="text"', "tables that one interpreter prints; no result="),
        ('figure="turns" html="on"', "tables that one interpreter prints; no html="),
    ],
)
def test_a_fence_that_cannot_be_drawn_has_to_be_mended(header: str, problem: str) -> None:
    page = find_blocks(f'# A\n\n```python exec="on" {header}\nprint()\n```\n', "docs/page.md")
    assert [str(each).partition(": ")[0] for each in page.problems] == ["docs/page.md:3"]
    assert problem in str(page.problems[0])


def test_a_fence_that_names_no_picture_has_to_be_mended() -> None:
    page = find_blocks("# A\n\n```figure\nlost-update\n```\n", "docs/page.md")
    assert "docs/page.md:3: " in str(page.problems[0])
    assert "did you mean lost-updates?" in str(page.problems[0])


# -- in a build

BLOCK = '```python exec="on" source="above" figure="lost-updates"\nprint("""{}""")\n```\n'


def test_a_build_shows_the_picture_where_it_is_made_and_where_it_is_named(project: Project) -> None:
    project.page("# Home\n\n```figure\nlost-updates\n```\n")
    project.page("# Race\n\n" + BLOCK.format(PRINTED["lost-updates"]), "race.md")
    done = project.build()
    assert done.returncode == 0, done.stderr
    pictures = [
        re.findall(r"<figure.*?</figure>", project.html(name), re.DOTALL)
        for name in ("index.html", "race.html")
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 1
    link = re.search(r'href="(race\.html#[^"]+)">the block that measured it', project.html())
    assert link
    assert f'id="{link[1].partition("#")[2]}"' in project.html("race.html")
    for name in ("index.md", "race.md"):
        text = project.html(name)
        assert f"\n\n{PRINTED['lost-updates']}\n" in text
        assert "**What 3 runs counted to, on each interpreter.** Lost updates in 2 of 3" in text


def test_a_page_that_cannot_be_drawn_is_wrong(project: Project) -> None:
    path = project.page("# Home\n\n" + BLOCK.format("nothing:"))
    (failed,) = check(project.root, [path], Progress(None)).wrong
    assert str(failed) == (
        "docs/index.md:3: cannot be drawn as lost-updates: no table after 'nothing:'"
    )


def test_a_build_fails_in_which_nothing_prints_what_a_page_shows(project: Project) -> None:
    project.page("# Home\n\n```figure\nlost-updates\n```\n")
    done = project.build()
    assert done.returncode == 1
    assert 'index.html: a figure fence names a picture, and no block has figure="lost-updates"' in (
        done.stderr
    )
