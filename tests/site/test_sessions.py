"""Which blocks share names: those of one session, and no others."""

from __future__ import annotations

from dataclasses import replace

from gilnotes import interpreters
from gilnotes.site.blocks import Block
from gilnotes.site.runner import run

SET = Block("docs/page.md", 1, "x = 1")
LOOK = Block("docs/page.md", 5, "import os\nprint(globals().get('x'), os.environ.get('COLUMNS'))")


def output(*blocks: Block) -> str:
    record = run(blocks, interpreters.find())
    assert not record.failures
    return record.outcomes[-1].output


def test_the_blocks_of_a_page_are_one_session() -> None:
    assert output(SET, LOOK) == "1 None\n"


def test_another_session_of_a_page_has_names_of_its_own() -> None:
    assert output(SET, replace(LOOK, session="other")) == "None None\n"
    assert output(replace(SET, session="other"), replace(LOOK, session="other")) == "1 None\n"


def test_another_page_has_names_of_its_own() -> None:
    assert output(SET, replace(LOOK, file="docs/other.md")) == "None None\n"


def test_a_fresh_block_and_one_that_names_an_interpreter_run_alone() -> None:
    assert output(SET, replace(LOOK, fresh=True)) == "None None\n"
    here = interpreters.current().tag
    assert output(SET, replace(LOOK, python=(here,))) == "None None\n"


def test_a_block_believes_in_the_width_its_fence_names() -> None:
    assert output(SET, replace(LOOK, width=60), LOOK, replace(LOOK, line=9)) == "1 None\n"
    assert output(SET, replace(LOOK, width=60)) == "1 60\n"
