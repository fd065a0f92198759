"""Which blocks share names: those of one session, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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


def test_a_session_that_cannot_be_resumed_says_which_block_failed(tmp_path: Path) -> None:
    once = Block("docs/page.md", 1, f"open({str(tmp_path / 'once')!r}, 'x').close()")
    crash = Block("docs/page.md", 5, "import os\nos._exit(3)")
    record = run([once, crash, replace(LOOK, line=9), replace(LOOK, line=13)], ())
    assert [outcome.status for outcome in record.outcomes] == ["passed", *["failed"] * 3]
    for outcome in record.outcomes[2:]:
        assert outcome.failure is not None
        assert outcome.failure.message.startswith(
            "docs/page.md:1 was run again for its names, and failed: FileExistsError"
        )
        assert outcome.failure.line == outcome.block.line
