"""What blocks print → numbers: the tables of an outcome, and what their cells say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gilnotes.tables import Table


@dataclass(frozen=True)
class Titled:
    """A table, and the line above it that says what it is about; empty, if there is none."""

    title: str
    table: Table


@dataclass(frozen=True)
class Spread:
    """Something measured several times."""

    median: float
    lowest: float
    highest: float


def read_tables(output: str) -> tuple[Titled, ...]:
    r"""Read the tables that a block has printed as Markdown.

    >>> read_tables("Waiting:\n\n| Python | time |\n| --- | ---: |\n| 3.9 | 20 ms |\n")
    (Titled(title='Waiting', table=Table(header=('Python', 'time'), rows=(('3.9', '20 ms'),))),)

    Raises:
        ValueError: there is no table, or something beside tables and their titles.
    """
    found: list[Titled] = []
    title = ""
    for part in filter(None, (part.strip() for part in re.split(r"\n\s*\n", output))):
        if part.startswith("|"):
            found.append(Titled(title, _table(part.splitlines())))
            title = ""
        elif title or not part.endswith(":") or "\n" in part:
            raise ValueError(f"neither a table nor a title that ends with a colon: {part[:60]!r}")
        else:
            title = part[:-1]
    if title or not found:
        raise ValueError(f"no table after {title + ':'!r}" if title else "it printed no table")
    return tuple(found)


def _table(lines: list[str]) -> Table:
    rows = [
        tuple(
            cell.strip().replace("\\|", "|").replace("\\_", "_")
            for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))
        )
        for line in lines
    ]
    if len(rows) < 3 or not all(re.fullmatch(":?-+:?", cell) for cell in rows[1]):
        raise ValueError(f"a table is a header, a rule and rows: {lines[0]!r}")
    return Table(rows[0], tuple(rows[2:]))


_COUNTED = re.compile(r"(?:(\d+) × )?(\d+)")


def read_counts(cell: str) -> tuple[int, ...]:
    """Read whole numbers, those that come several times as often as they come.

    >>> read_counts("7, 2 × 10")
    (7, 10, 10)

    Raises:
        ValueError: the cell holds something else.
    """
    counted = [_COUNTED.fullmatch(part) for part in cell.split(", ")]
    if not all(counted):
        raise ValueError(f"whole numbers, as in '7, 2 × 10', and not {cell!r}")
    return tuple(int(part[2]) for part in counted if part for _ in range(int(part[1] or 1)))


_SPREAD = re.compile(r"([\d.]+)(?: ?[^\d\s()]+)? \(([\d.]+) to ([\d.]+)\)")


def read_spread(cell: str) -> Spread:
    """Read a median and, in brackets, the lowest and the highest.

    >>> read_spread("1.98 × (1.70 to 2.48)")
    Spread(median=1.98, lowest=1.7, highest=2.48)

    Raises:
        ValueError: the cell holds something else, or the three are out of order.
    """
    found = _SPREAD.fullmatch(cell)
    if not found:
        raise ValueError(f"a median and its range, as in '1.98 × (1.70 to 2.48)', and not {cell!r}")
    spread = Spread(*map(float, found.groups()))
    if not spread.lowest <= spread.median <= spread.highest:
        raise ValueError(f"the median has to be within its range: {cell!r}")
    return spread


_SPAN = re.compile(r"([\d.]+) to ([\d.]+)")


def read_spans(cell: str) -> tuple[tuple[float, float], ...]:
    """Read from when to when, again and again; none from a dash.

    >>> read_spans("0.02 to 5.11, 10.60 to 20.74")
    ((0.02, 5.11), (10.6, 20.74))

    Raises:
        ValueError: the cell holds something else, or a span ends before it begins.
    """
    if cell == "–":
        return ()
    found = [_SPAN.fullmatch(part) for part in cell.split(", ")]
    if not all(found):
        raise ValueError(f"spans, as in '0.02 to 5.11, 10.60 to 20.74', and not {cell!r}")
    spans = tuple((float(part[1]), float(part[2])) for part in found if part)
    if any(end < begin for begin, end in spans):
        raise ValueError(f"a span ends before it begins: {cell!r}")
    return spans


def listed(words: list[str]) -> str:
    """Join words as a sentence does: `3.8, 3.9 and 3.13t`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
