"""What a page gets of a recorded program: data, and a table that needs no script."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import pytest

from gilnotes.interleaving import Program, play, record
from gilnotes.programs import PROGRAMS
from gilnotes.site import scheduler
from gilnotes.site.scheduler import PUZZLES, for_script, widget


def data(html: str) -> Any:
    found = re.search(r'<script type="application/json">(.*)</script>', html)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("name", PUZZLES)
def test_a_program_adds_little_to_a_page(name: str) -> None:
    assert len(gzip.compress(widget(name).encode())) <= 30_000


@pytest.mark.parametrize("name", PUZZLES)
def test_the_page_gets_the_whole_recording(name: str) -> None:
    recorded = data(widget(name))
    again = json.loads(record(PROGRAMS[name](), says=PUZZLES[name].says).to_json())
    for key in ("threads", "code", "shared", "steps", "waits", "ends", "points"):
        assert recorded[key] == again[key]
    assert recorded["fewest"] == (None if name in ("lock", "lock-order") else 1)


class _Cells(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_the_table_is_the_losing_schedule_step_by_step() -> None:
    html = widget("race").partition("<p><strong>1 update lost.")[0]
    rows = [row[:4] for row in _Cells(html).rows]
    assert [row[0] for row in rows[1:]] == ["start", *"123456"]
    assert [[re.sub(r" [A-Z_]+$", "", cell) for cell in row[1:]] for row in rows[1:]] == [
        ["", "", "count: 0"],
        ["reads count: 0", "", ""],
        ["", "reads count: 0", ""],
        ["", "computes: 0 + 1", ""],
        ["", "writes count: 1", "count: 1"],
        ["computes: 0 + 1", "", ""],
        ["writes count: 1", "", ""],
    ]


def test_the_table_says_who_waits_for_whom() -> None:
    html = widget("deadlock")
    assert "<em>waits for right_lock, held by B</em>" in html
    assert "<em>waits for left_lock, held by A</em>" in html
    assert "<strong>Deadlock: nobody can go on.</strong>" in html


def test_money_is_lost_in_two_ways() -> None:
    assert {end["says"] for end in data(widget("account"))["ends"]} == {
        "Overdrawn: the balance is -20",
        "Not overdrawn: one withdrawal was refused, and the balance is 40",
        "Both withdrew, and yet the balance is 40: one withdrawal got lost",
    }


def test_the_challenge_says_what_the_laboratory_has_found() -> None:
    assert re.search(r"Of all [\d,]+ schedules .*, none does\.", widget("lock"))
    assert re.search(r"Of all [\d,]+ schedules .*, [\d,]+ do, and 1 preemption", widget("deadlock"))


def test_no_value_of_a_program_ends_the_script() -> None:
    assert "<" not in for_script({"source": "</script><!--"})
    assert json.loads(for_script({"source": "</script>"})) == {"source": "</script>"}


def test_a_recording_that_the_laboratory_contradicts_fails() -> None:
    def recorded(program: Program, **options: Any) -> object:
        return record(PROGRAMS["lock"](), **options)

    with (
        mock.patch.object(scheduler, "record", recorded),
        pytest.raises(RuntimeError, match=r"race: recorded \['holds'\], fewest preemptions None"),
    ):
        widget("race")


def test_a_table_that_runs_otherwise_than_recorded_fails() -> None:
    with (
        mock.patch.object(scheduler, "play", lambda *args: replace(play(*args), verdict="holds")),
        pytest.raises(RuntimeError, match="race: ABBBAA was recorded otherwise than it runs now"),
    ):
        widget("race")
