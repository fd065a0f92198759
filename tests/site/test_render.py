"""What a reader sees of outcomes: rows, the odd one out, the address of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from gilnotes import interpreters
from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, rows
from gilnotes.site.render import outcomes_html

if TYPE_CHECKING:
    from tests.support import Project

HERE = interpreters.current()
BLOCK = Block("docs/page.md", 1, "print()")


def outcomes(*outputs: str | None) -> list[Outcome]:
    return [
        Outcome(BLOCK, f"3.{number}", None, "missing", "no CPython. To get it: `uv python install`")
        if output is None
        else Outcome(BLOCK, f"3.{number}", HERE, "passed", output)
        for number, output in enumerate(outputs, 8)
    ]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ("aab", [("3.8 3.9", False), ("3.10", True)]),
        ("aba", [("3.8", False), ("3.9", True), ("3.10", False)]),
        ("ab", [("3.8", False), ("3.9", False)]),
        ("abc", [("3.8", False), ("3.9", False), ("3.10", False)]),
        ("aaa", [("3.8 3.9 3.10", False)]),
        (["a", "a", None], [("3.8 3.9", False), ("3.10", False)]),
    ],
)
def test_a_row_differs_where_most_agree_on_something_else(
    outputs: str, expected: list[tuple[str, bool]]
) -> None:
    found = [
        (" ".join(o.spec for o in row.outcomes), row.differs) for row in rows(outcomes(*outputs))
    ]
    assert found == expected


def test_the_odd_one_out_says_so_in_words() -> None:
    html = outcomes_html(outcomes("a", "a", "b"), "text")
    text = re.sub(r"<[^>]+>", "", html)
    assert text.count("differs from what most interpreters printed") == 1
    assert "differs" not in outcomes_html(outcomes("a", "b"), "text")


def test_the_command_that_gets_an_interpreter_is_code() -> None:
    html = outcomes_html(outcomes("a", None), "text")
    assert "<code>uv python install</code>" in html


def test_every_block_has_a_link_to_itself(project: Project) -> None:
    project.page(
        '```python exec="on" result="text" claim="Two is two"\nassert 2 == 2\n```\n\n'
        '```python exec="on" result="text" python="3.99"\nprint(1)\n```\n'
    )
    assert project.build().returncode == 0
    html = project.html()
    links = re.findall(r'<a class="permalink" href="#([^"]+)">link', html)
    assert links[0] == "two-is-two"
    assert len(links) == 2
    for name in links:
        assert f'<div class="block" id="{name}">' in html
