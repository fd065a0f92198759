"""The picture of the site: whose counts it shows."""

from __future__ import annotations

import dataclasses

from gilnotes import interpreters
from gilnotes.site.blocks import Block
from gilnotes.site.cards import Count, counts, draw
from gilnotes.site.outcomes import Outcome, Record

HERE = dataclasses.replace(interpreters.current(), gil=True)
BARE = dataclasses.replace(HERE, free_threaded=True, gil=False)


def outcome(line: int, spec: str, output: str, *, here: bool = True) -> Outcome:
    python = BARE if spec.endswith("t") else HERE
    status = ("passed", python) if here else ("missing", None)
    return Outcome(Block("docs/race.md", line, ""), spec, status[1], status[0], output)  # type: ignore[arg-type]


def test_the_first_block_that_counts_on_several_interpreters_is_drawn() -> None:
    record = Record(
        (
            outcome(1, "3.9", "hello"),
            outcome(5, "3.9", "Counter should be 10, found 7"),
            outcome(9, "3.9", "Counter should be 500000, found 444858\n"),
            outcome(9, "3.13t", "Counter should be 500000, found 153301\n"),
            outcome(9, "3.99", "no CPython 3.99 on this machine", here=False),
            outcome(20, "3.9", "Counter should be 2, found 1"),
            outcome(20, "3.13t", "Counter should be 2, found 1"),
        )
    )
    assert counts(record) == (
        Count("3.9", 444858, 500000),
        Count("3.13t, no GIL", 153301, 500000),
    )


def test_without_a_count_the_picture_has_the_name_and_the_description() -> None:
    assert counts(Record((outcome(1, "3.9", "hello"),))) == ()
    assert draw("notes", "about much", ()) != draw("notes", "about more", ())


def test_the_same_counts_give_the_same_picture() -> None:
    found = (Count("3.9", 444858, 500000), Count("3.13", 500000, 500000))
    assert draw("notes", "", found) == draw("notes", "", found)
    assert draw("notes", "", found) != draw("notes", "", found[:1])
