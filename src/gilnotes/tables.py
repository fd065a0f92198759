"""Tables of text: aligned for a terminal, as Markdown, or as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

_NUMBER = r"[-+±]?\d+(\.\d+)?( ?(%|×|s|ms|µs|ns))?"
_NUMERIC = re.compile(rf"({_NUMBER}( [(]?((of|to|–|±) )?{_NUMBER}[)]?|/\d+)*|[—–-])?")


@dataclass(frozen=True)
class Table:
    """A header and rows of cells. ValueError if a row is longer or shorter than the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(
                    f"a row of {len(row)} cells in a table of {len(self.header)} columns: {row}"
                )

    def numeric(self, column: int) -> bool:
        """Tell whether the cells of a column are numbers, ranges, shares ("3 of 20") or empty.

        A unit may follow. The first column never counts as numeric: it names the rows.
        """
        return column > 0 and all(_NUMERIC.fullmatch(row[column]) for row in self.rows)


def text(table: Table) -> str:
    """Align the columns for a terminal, numbers to the right.

    >>> print(text(Table(("Python", "found"), (("3.9", "444858"), ("3.13t", "153301")))))
    Python   found
    3.9     444858
    3.13t   153301
    """
    lines = (table.header, *table.rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    right = [table.numeric(column) for column in range(len(table.header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right)
        ).rstrip()
        for line in lines
    )


def markdown(table: Table) -> str:
    """Write the table as Markdown, numbers to the right.

    >>> print(markdown(Table(("Python", "found"), (("3.9", "444858"),))))
    | Python | found |
    | --- | ---: |
    | 3.9 | 444858 |
    """
    rule = ("---:" if table.numeric(column) else "---" for column in range(len(table.header)))
    escaped = (
        [cell.replace("|", "\\|").replace("__", "\\_\\_") for cell in line]
        for line in (table.header, *table.rows)
    )
    header, *rows = ["| " + " | ".join(line) + " |" for line in escaped]
    return "\n".join([header, "| " + " | ".join(rule) + " |", *rows])


def html(table: Table) -> str:
    """Write the table as HTML, numbers to the right. The first column names the rows.

    >>> print(html(Table(("Python", "by"), (("3.9", "race"),))))
    <table><thead><tr><th scope="col">Python</th> <th scope="col">by</th></tr></thead><tbody>
    <tr><th scope="row">3.9</th> <td>race</td></tr>
    </tbody></table>
    """
    right = [' style="text-align: right"' * table.numeric(n) for n in range(len(table.header))]
    head = (
        f'<th scope="col"{style}>{escape(cell)}</th>' for cell, style in zip(table.header, right)
    )
    lines = [f"<table><thead><tr>{' '.join(head)}</tr></thead><tbody>"]
    for first, *cells in table.rows:
        data = (f"<td{style}>{escape(cell)}</td>" for cell, style in zip(cells, right[1:]))
        lines.append(f'<tr><th scope="row">{escape(first)}</th> {" ".join(data)}</tr>')
    return "\n".join([*lines, "</tbody></table>"])
