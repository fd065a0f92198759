"""Whole builds by a real MkDocs: what a reader gets, and what a contributor is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gilnotes import interpreters

if TYPE_CHECKING:
    from tests.support import Project

GOOD = '# Good\n\n```python exec="on" source="above" result="text"\nprint("six:", 2 * 3)\n```\n'


def text_of(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_a_page_shows_what_its_block_printed_and_by_whom(project: Project) -> None:
    project.page(GOOD)
    done = project.build()
    assert done.returncode == 0, done.stderr
    page = text_of(project.html())
    assert "six: 6" in page
    assert re.search(r"CPython 3\.\d+\.\d+, GIL on · \d+ (µs|ms) · \d{4}-\d\d-\d\d", page)
    assert "1 pages, 1 blocks, 0 claims; 1 runs on 1 interpreters" in done.stdout


def test_blocks_of_a_page_share_names_and_pages_do_not(project: Project) -> None:
    block = '```python exec="on" result="text"\n{}\n```\n\n'
    project.page(block.format("x = 41") + block.format("print(x + 1)"))
    project.page(block.format("print('x' in globals())"), "other.md")
    assert project.build().returncode == 0
    assert "42" in text_of(project.html())
    assert "False" in text_of(project.html("other.html"))


def test_a_block_runs_on_the_interpreters_it_names(project: Project) -> None:
    project.page(
        '```python exec="on" result="text" python="all"\n'
        'import sys\nprint("I am", sys.version_info[:2])\n```\n'
    )
    assert project.build().returncode == 0
    page = text_of(project.html())
    for python in interpreters.find():
        major, minor = python.version.split(".")[:2]
        assert f"I am ({major}, {minor})" in page


def test_an_interpreter_that_is_not_here_is_said_and_required_ones_fail(project: Project) -> None:
    project.page('```python exec="on" result="text" python="3.99"\nprint(1)\n```\n')
    assert project.build().returncode == 0
    assert "no CPython 3.99 on this machine" in text_of(project.html())
    done = project.build(GILNOTES_REQUIRE="3.99")
    assert done.returncode == 1
    assert "GILNOTES_REQUIRE: no CPython 3.99 on this machine; found: " in done.stdout


def test_a_failing_block_fails_the_build_with_its_line(project: Project) -> None:
    project.page(GOOD)
    assert project.build().returncode == 0
    before = project.site()
    project.page(
        GOOD
        + '\n```python exec="on"\nprint("before")\ncount = 499_999\nassert count == 500_000\n```\n'
    )
    for options in ((), ("--quiet",), ("--strict",), ("-q", "--strict"), ("-v",)):
        done = project.build(*options)
        assert done.returncode == 1
        assert "docs/index.md:10: AssertionError" in done.stderr
        assert 'File "docs/index.md", line 10, in <module>' in done.stderr
        assert "assert count == 500_000" in done.stderr
        assert 'File "/' not in done.stderr
        assert project.site() == before


def test_all_failures_are_reported_together(project: Project) -> None:
    block = '```python exec="on"\n1 / {}\n```\n\n'
    project.page(block.format(0) + block.format(1) + block.format(0))
    project.page(block.format(0), "other.md")
    done = project.build()
    assert done.returncode == 1
    for place in ("docs/index.md:2", "docs/index.md:10", "docs/other.md:2"):
        assert f"{place}: ZeroDivisionError" in done.stderr
    assert "3 to mend" in done.stdout


def test_a_slip_in_a_fence_fails_the_build_before_anything_runs(project: Project) -> None:
    witness = project.root / "witness"
    project.page(
        f'```python exec="on"\nopen({str(witness)!r}, "w")\n```\n\n```python exce="on"\n1\n```\n'
    )
    done = project.build()
    assert done.returncode == 1
    assert "docs/index.md:5: unknown option 'exce'; did you mean exec?" in done.stderr
    assert not witness.exists()


def test_lines_are_right_below_front_matter_and_inside_an_admonition(project: Project) -> None:
    project.page(
        "---\ntitle: x\n---\n\n# A\n\n!!! note\n\n"
        '    ```python exec="on" result="text"\n    print("inside")\n    ```\n'
    )
    assert project.build().returncode == 0
    assert "inside" in text_of(project.html())
    page = project.root / "docs" / "index.md"
    page.write_text(page.read_text().replace('print("inside")', "raise KeyError"))
    assert "docs/index.md:10: KeyError" in project.build().stderr


def test_output_is_text_whatever_it_holds(project: Project) -> None:
    hostile = "<script>alert(1)</script> &amp; ``` \\0 \\r\\x1b[31m"
    project.page(
        f'```python exec="on" result="text"\nprint("{hostile}")\nprint("`" * 9)\n```\n\n'
        '```python exec="on"\nprint("<img src=x onerror=alert(1)> and `<b>code</b>`")\n```\n'
    )
    assert project.build().returncode == 0
    html = project.html()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp; ``` ␀ ␍␛[31m" in text_of(html)
    assert "<code>&lt;b&gt;code&lt;/b&gt;</code>" in html


def test_html_is_html_where_the_fence_asks_for_it(project: Project) -> None:
    project.page('```python exec="on" html="on"\nprint("<em>yes</em>")\n```\n')
    assert project.build().returncode == 0
    assert "<em>yes</em>" in project.html()


def test_markdown_output_is_rendered(project: Project) -> None:
    project.page('```python exec="on"\nprint("| a | b |\\n| --- | --- |\\n| 1 | 2 |")\n```\n')
    assert project.build().returncode == 0
    assert "<td>1</td>" in project.html()
