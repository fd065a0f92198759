"""The record for people: every outcome has its row, and its row what it is found by."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from gilnotes import interpreters
from tests.support import CONFIGURATION, Project

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """\
# Numbers

```python exec="on" python="all 3.99" claim="`2` is <2>"
print("<b>two</b>")
assert 2 == 2
```

```python exec="on"
print("one\\ntwo")
```
"""
EVIDENCE = "# Evidence\n\n```evidence\ninterpreters\n```\n\n```evidence\noutcomes\n```\n"


class _Rows(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr" and dict(attrs).get("data-page"):
            self.rows.append(dict(attrs))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("evidence"))
    (project.root / "mkdocs.yml").write_text(CONFIGURATION, "utf-8")
    project.page(PAGE, "numbers.md")
    project.page(EVIDENCE)
    done = project.build("--strict")
    assert done.returncode == 0, done.stderr
    return project


def test_there_is_a_row_for_each_outcome_of_the_record(built: Project) -> None:
    record = json.loads(built.html("outcomes.json"))["outcomes"]
    assert [(row["data-page"], row["data-interpreter"]) for row in _Rows(built.html()).rows] == [
        ("numbers", outcome["spec"]) for outcome in record
    ]
    assert f"{len(record)} of {len(record)} outcomes" in built.html()


def test_a_row_can_be_found_by_its_claim_and_leads_to_its_block(built: Project) -> None:
    first, *_, last = _Rows(built.html()).rows
    assert (first["data-claim"], last["data-claim"]) == ("2 is <2>", "")
    assert "<option>2 is &lt;2&gt;</option>" in built.html()
    assert '<a href="numbers.html#2-is-2">numbers: Numbers</a>' in built.html()


def test_what_was_printed_is_text(built: Project) -> None:
    assert "<code>&lt;b&gt;two&lt;/b&gt;</code>" in built.html()
    assert "<summary>2 lines</summary><pre><code>one\ntwo</code></pre>" in built.html()


def test_the_interpreters_of_the_build_are_listed(built: Project) -> None:
    html = built.html()
    for python in interpreters.select(["all"], interpreters.find()):
        assert f'<th scope="row">CPython {python.version}</th>' in html
    assert re.search(r"Machine: \w+ \w+, \d+ cores\.", html)


def test_an_unknown_part_fails_the_build(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "mkdocs.yml").write_text(CONFIGURATION, "utf-8")
    project.page("```evidence\nmachines\n```\n")
    done = project.build()
    assert done.returncode != 0
    assert "holds the word interpreters or outcomes, not 'machines'" in done.stderr + done.stdout
