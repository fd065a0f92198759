"""Sessions of blocks in a real worker, on the builder and on the ends of the range we run on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gilnotes import interpreters
from gilnotes.interpreters import Interpreter
from gilnotes.site.blocks import Block, find_blocks
from gilnotes.site.process import Answer, WorkerProcess

SPECS = ("here", "3.8", "3.13t")
PAGE = "docs/page.md"
PLACE = 20
"""Lines between two blocks of a page."""


def interpreter(spec: str) -> Interpreter:
    """The interpreter, or a skipped test where this machine has none."""
    if spec == "here":
        return interpreters.current()
    try:
        return interpreters.select([spec], interpreters.find())[0]
    except interpreters.UnknownInterpreter as error:
        pytest.skip(str(error))


def run_blocks(blocks: list[Block], spec: str) -> list[Answer]:
    """Run blocks in one worker, in their order."""
    answers = []
    with WorkerProcess(interpreter(spec)) as worker:
        for block in blocks:
            answers.append(worker.execute(block))
            assert answers[-1].alive, f"{block} has ended its worker: {answers[-1]}"
    return answers


def run_page(text: str, spec: str) -> list[Answer]:
    """Run the blocks of a Markdown text, as its session."""
    page = find_blocks(text, PAGE)
    assert not page.problems
    return run_blocks(list(page.blocks), spec)


def run_named(codes: Mapping[str, str], spec: str) -> dict[str, Answer]:
    """Run each code as a block of one session; the n-th stands at line 20 n."""
    blocks = [
        Block(PAGE, PLACE * number, code, timeout=10) for number, code in enumerate(codes.values())
    ]
    return dict(zip(codes, run_blocks(blocks, spec), strict=True))
