"""Markdown → blocks: what is found, and what is said of a slip in a fence."""

from __future__ import annotations

import pytest

from gilnotes.site.blocks import Block, find_blocks, for_markdown_exec


def fence(header: str, code: str = "print(1)\nassert True") -> str:
    return f"```{header}\n{code}\n```\n"


def only(text: str) -> Block:
    page = find_blocks(text, "docs/page.md")
    assert not page.problems
    (block,) = page.blocks
    return block


def test_a_block_knows_its_file_line_and_code() -> None:
    block = only('# Title\n\ntext\n\n```python exec="on"\nx = 1\nprint(x)\n```\n')
    assert (str(block), block.code) == ("docs/page.md:5", "x = 1\nprint(x)")


def test_options_are_read() -> None:
    block = only(
        fence('python exec="on" python="3.9 3.13t" claim="It holds." timeout="2.5" fresh="on"')
    )
    assert block.python == ("3.9", "3.13t")
    assert (block.claim, block.timeout, block.fresh) == ("It holds.", 2.5, True)


@pytest.mark.parametrize(
    ("before", "indent"),
    [('=== "Tab"\n\n', "    "), ("!!! note\n\n", "    "), ("- item\n\n", "    "), ("", "> ")],
)
def test_a_nested_fence_loses_its_indentation(before: str, indent: str) -> None:
    fenced = 'x\n\n```python exec="on"\nif True:\n    print(1)\n```'
    text = before + "\n".join(indent + line for line in fenced.split("\n"))
    block = only(text)
    assert block.code == "if True:\n    print(1)"
    assert text.split("\n")[block.line - 1].endswith('python exec="on"')


@pytest.mark.parametrize("marks", ["```", "~~~", "`````"])
def test_fences_of_all_kinds_are_seen(marks: str) -> None:
    assert only(f'{marks}python exec="on"\nprint(1)\n{marks}\n').code == "print(1)"


def test_a_fence_inside_a_longer_fence_is_text() -> None:
    page = find_blocks('````markdown\n```python exec="on"\n1\n```\n````\n', "docs/page.md")
    assert (page.blocks, page.problems) == ((), ())


def test_a_claim_may_hold_code() -> None:
    block = only(fence('python exec="on" claim="`+=` is three steps"'))
    assert block.claim == "`+=` is three steps"
    assert find_blocks("```python``` is *inline*\n", "docs/page.md").blocks == ()


def test_other_languages_and_unexecuted_python_are_left_alone() -> None:
    text = fence("console") + fence("") + fence('python exec="off" title="x"') + fence("yaml")
    page = find_blocks(text, "docs/page.md")
    assert (page.blocks, page.problems) == ((), ())


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("python", 'add exec="on" or exec="off"'),
        ("python source='above'", 'add exec="on" or exec="off"'),
        ('python3 exec="on"', "unknown language 'python3'; write python"),
        ('Python exec="on"', "unknown language 'Python'; write python"),
        ('py exec="on"', "unknown language 'py'; write python"),
        ('pyhton exec="on"', "unknown language 'pyhton'; write python"),
        ('bash exec="on"', "only python blocks are executed, not bash"),
        ('{.python exec="on"}', "without braces"),
        ('python exce="on"', "unknown option 'exce'; did you mean exec?"),
        ('python exec="on" pyhton="3.9"', "unknown option 'pyhton'; did you mean python?"),
        ('python exec="on" xyzzy="1"', "unknown option 'xyzzy'; known are "),
        ("python exec=on", 'write exec="on", in quotes'),
        ('python exec = "on"', 'write exec="on", without spaces around ='),
        ("python exec", 'exec needs a value in quotes: exec="…"'),
        ("python exec=\u201con\u201d", "curly quotes"),
        ('python exec="yes"', 'write exec="on" or exec="off"'),
        ('python exec="on" exec="on"', "exec= is given twice"),
        ('python exec="on" source="abvoe"', "did you mean above?"),
        ('python exec="on" timeout="soon"', "a number of seconds"),
        ('python exec="on" timeout="-1"', "a number of seconds"),
        ('python exec="on" timeout="nan"', "a number of seconds"),
        ('python exec="on" python=""', "python= is empty"),
        ('python exec="on" python="three"', "'three' names no interpreter"),
        ('python exec="on" python="3.13+gil"', "only a free-threaded build"),
        ('python exec="on" width="wide"', "a whole number"),
        ('python exec="on" python="3.9" session="a"', "runs alone"),
        ('python exec="off" claim="x"', 'claim= has no meaning beside exec="off"'),
    ],
)
def test_a_slip_in_a_fence_is_a_problem_with_line_and_fix(header: str, message: str) -> None:
    page = find_blocks("# Title\n\n" + fence(header), "docs/page.md")
    (problem,) = page.problems
    assert str(problem).startswith("docs/page.md:3: ")
    assert message in problem.message
    assert page.blocks == ()


def test_a_claim_without_an_assert_is_a_problem() -> None:
    page = find_blocks(fence('python exec="on" claim="It holds."', "print(1)"), "docs/page.md")
    assert "asserts nothing" in page.problems[0].message


def test_an_unclosed_fence_is_a_problem() -> None:
    page = find_blocks('text\n```python exec="on"\nprint(1)\n', "docs/page.md")
    assert str(page.problems[0]).startswith("docs/page.md:2: this fence is never closed")


def test_a_line_left_of_its_fence_is_a_problem() -> None:
    text = '- item\n\n    ```python exec="on"\n    if True:\n  print(1)\n    ```\n'
    page = find_blocks(text, "docs/page.md")
    assert str(page.problems[0]).startswith("docs/page.md:5: this line is indented less")


def test_all_problems_of_a_page_are_reported_and_good_blocks_kept() -> None:
    text = fence("python") + fence('python exec="on"') + fence('python exce="on"')
    page = find_blocks(text, "docs/page.md")
    assert [problem.line for problem in page.problems] == [1, 9]
    assert [block.line for block in page.blocks] == [5]


def test_markdown_exec_gets_its_own_options_and_the_place_of_the_block() -> None:
    text = fence("""python exec="on" source="above" claim="x" title='say "hi"' python="all\"""")
    page = find_blocks("---\ntitle: x\n---\n" + text, "docs/page.md")
    assert for_markdown_exec(text, page).split("\n")[0] == (
        """```python exec="on" source="above" title='say "hi"' id="docs/page.md:4" idprefix=\"\""""
    )
