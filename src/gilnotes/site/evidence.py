"""The record of a build, for people: which interpreters there were, and what each block printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from gilnotes import tables
from gilnotes.interpreters import Interpreter
from gilnotes.site import wording
from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.tables import Table

_COLUMNS = ("Block", "Interpreter", "It printed", "Took")


def machines(record: Record) -> str:
    """Say where the blocks ran: `Linux x86_64, 2 cores`."""
    return "; ".join(dict.fromkeys(o.machine for o in record.outcomes if o.machine))


def interpreters(record: Record) -> Table:
    """List the interpreters that ran a block, with the number of outcomes of each."""
    counts: dict[Interpreter, int] = {}
    for outcome in record.outcomes:
        if outcome.interpreter:
            counts[outcome.interpreter] = counts.get(outcome.interpreter, 0) + 1
    alike: dict[tuple[str, ...], int] = {}
    for python, count in sorted(counts.items(), key=lambda item: _order(item[0])):
        facts = (
            f"{python.implementation} {python.version}",
            "free-threaded" if python.free_threaded else "default",
            "on" if python.gil else "off",
            python.compiler,
            python.platform,
        )
        alike[facts] = alike.get(facts, 0) + count
    return Table(
        ("Interpreter", "Build", "GIL", "Compiler", "Platform", "Outcomes"),
        tuple((*facts, str(count)) for facts, count in alike.items()),
    )


def outcomes(record: Record) -> Table:
    """The whole record in words, but for what was printed: a row an outcome."""
    return Table(
        ("Block", "Interpreter", "GIL", "Claim", "Took", "Measured"),
        tuple(
            (
                f"{name(o.block)}: {o.block.section}",
                o.spec,
                wording.gil([o]),
                o.block.claim,
                *_when(o),
            )
            for o in record.outcomes
        ),
    )


def interpreters_html(record: Record) -> str:
    """The machine of the build, and its interpreters."""
    return (
        f'<p class="machine">Machine: {escape(machines(record))}.</p>'
        f'<div class="claims">{tables.html(interpreters(record))}</div>'
    )


def outcomes_html(record: Record, address: Callable[[Block], str]) -> str:
    """The whole record as a table, and what a script filters its rows by.

    Without a script, every row shows. Each has what it is found by in `data-` attributes.
    """
    count = len(record.outcomes)
    filters = "".join(
        f"<label>{label} <select name={label.lower()}><option value>all</option>{options}</select>"
        "</label> "
        for label, options in (
            ("Page", _options(name(o.block) for o in record.outcomes)),
            ("Interpreter", _options(o.spec for o in record.outcomes)),
            ("Claim", _options(o.block.claim for o in record.outcomes)),
        )
    )
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    body = "".join(_row(outcome, address(outcome.block)) for outcome in record.outcomes)
    return (
        f'<div class="evidence" data-search-exclude><form>{filters}'
        f'<output role="status">{count} of {count} outcomes</output></form>'
        '<div class="rows" role="region" tabindex="0" aria-label="Outcomes of this build">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def name(block: Block) -> str:
    """The page of a block, short: `race`."""
    return Path(block.file).stem


def _options(values: Iterable[str]) -> str:
    return "".join(
        f"<option>{escape(value.replace('`', ''))}</option>"
        for value in dict.fromkeys(values)
        if value
    )


def _row(outcome: Outcome, address: str) -> str:
    block = outcome.block
    section = f": {wording.with_code(block.section)}" if block.section else ""
    claim = f'<p class="claim">{wording.with_code(block.claim)}</p>' if block.claim else ""
    took, measured = _when(outcome)
    return (
        f'<tr data-page="{escape(name(block))}" data-interpreter="{escape(outcome.spec)}" '
        f'data-claim="{escape(block.claim.replace("`", ""))}"><th scope="row">'
        f'<a href="{escape(address)}">{escape(name(block))}{section}</a>{claim}</th>'
        f"<td>{escape(outcome.spec)}, GIL {wording.gil([outcome])}</td>"
        f'<td>{_printed(outcome)}</td><td>{took}<p class="measured">{measured}</p></td></tr>'
    )


def _printed(outcome: Outcome) -> str:
    if outcome.status == "missing":
        return wording.with_code(outcome.output)
    failure = f"<strong>{escape(outcome.failure.message)}</strong> " if outcome.failure else ""
    first, *more = wording.visible(outcome.output).rstrip("\n").split("\n")
    if not more:
        return failure + (f"<code>{escape(first)}</code>" if first else "nothing")
    return (
        f"{failure}<details><summary>{len(more) + 1} lines</summary>"
        f"<pre><code>{escape(chr(10).join([first, *more]))}</code></pre></details>"
    )


def _when(outcome: Outcome) -> Sequence[str]:
    if outcome.interpreter is None:
        return "–", ""
    cached = ", from cache" if outcome.cached else ""
    return wording.duration(outcome.seconds), wording.day([outcome]) + cached


def _order(python: Interpreter) -> tuple[tuple[int, ...], bool, bool]:
    version = tuple(
        int("".join(filter(str.isdigit, part)) or 0) for part in python.version.split(".")
    )
    return version, python.free_threaded, python.gil
