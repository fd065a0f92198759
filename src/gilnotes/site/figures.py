"""Outcomes → pictures and tables: a block with `figure=` is shown as what it printed, drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape

from gilnotes import tables
from gilnotes.site.numbers import Titled, read_tables
from gilnotes.site.outcomes import Failure, Outcome, Record
from gilnotes.site.plots import PLOTS, Plot
from gilnotes.site.svg import inline


@dataclass(frozen=True)
class Figure:
    """A picture, and the tables that it was drawn from."""

    plot: Plot
    tables: tuple[Titled, ...]
    svg: str


def figure(outcome: Outcome) -> Figure:
    """Draw what a block has printed, as its `figure=` says.

    Raises:
        ValueError: it has not printed what that picture is made of.
    """
    return _figure(outcome.block.figure, outcome.output, f"figure-{outcome.block.anchor}")


# It is drawn when the block is checked, and shown when its page is written, or another one.
@lru_cache(maxsize=64)
def _figure(kind: str, output: str, name: str) -> Figure:
    found = read_tables(output)
    plot = PLOTS[kind](found)
    return Figure(plot, found, inline(plot.draw, name, plot.title))


def checked(record: Record) -> Record:
    """The record, in which a block has failed too if what it printed cannot be drawn."""
    return Record(tuple(map(_checked, record.outcomes)))


def _checked(outcome: Outcome) -> Outcome:
    if not outcome.block.figure or outcome.status != "passed":
        return outcome
    try:
        figure(outcome)
    except ValueError as error:
        message = f"cannot be drawn as {outcome.block.figure}: {error}"
        return replace(outcome, status="failed", failure=Failure(message, outcome.block.line))
    return outcome


def first(record: Record, kind: str) -> Outcome | None:
    """The first block of the record that is drawn so; None, if there is none."""
    drawn = (o for o in record.outcomes if o.block.figure == kind and o.status == "passed")
    return next(drawn, None)


def html(outcome: Outcome) -> str:
    """The picture, what it shows, and its numbers, which a reader can unfold."""
    made = figure(outcome)
    name = f"figure-{outcome.block.anchor}"
    numbers = "".join(map(_table, made.tables))
    return (
        f'<figure class="picture">{made.svg}'
        f'<figcaption id="{name}-says"><strong>{escape(made.plot.title)}.</strong> '
        f"{escape(made.plot.says)}</figcaption>"
        f"<details><summary>The numbers of this picture</summary>{numbers}</details></figure>"
    )


def markdown(outcome: Outcome) -> str:
    """The same for those who read a page as Markdown: what it shows, and its numbers."""
    made = figure(outcome)
    return f"**{made.plot.title}.** {made.plot.says}\n\n{outcome.output.rstrip()}"


def _table(titled: Titled) -> str:
    title = f"<p>{escape(titled.title)}:</p>" if titled.title else ""
    return f"{title}{tables.html(titled.table)}"
