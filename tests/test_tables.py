from __future__ import annotations

import pytest

from gilnotes.tables import Table, html, markdown, text

RACE = Table(
    ("interpreter", "GIL", "found", "lost in", "ratio"),
    (
        ("3.9", "on", "444858", "3 of 20", "1.17 × (0.84 to 1.90)"),
        ("3.13t", "off", "500000", "12 of 20", "2.00 × (1.99 to 10.01)"),
    ),
)


def test_text_aligns_words_to_the_left_and_numbers_to_the_right() -> None:
    assert text(RACE).splitlines() == [
        "interpreter  GIL   found   lost in                   ratio",
        "3.9          on   444858   3 of 20   1.17 × (0.84 to 1.90)",
        "3.13t        off  500000  12 of 20  2.00 × (1.99 to 10.01)",
    ]


def test_markdown_says_which_columns_go_to_the_right() -> None:
    assert markdown(RACE).splitlines()[:3] == [
        "| interpreter | GIL | found | lost in | ratio |",
        "| --- | --- | ---: | ---: | ---: |",
        "| 3.9 | on | 444858 | 3 of 20 | 1.17 × (0.84 to 1.90) |",
    ]


@pytest.mark.parametrize(
    "cells", [["1", "20"], ["1.5 ms", "12 ns"], ["1", ""], ["—", "3"], ["-1", "+2"]]
)
def test_a_column_of_numbers_is_numeric(cells: list[str]) -> None:
    assert Table(("who", "n"), tuple(("x", cell) for cell in cells)).numeric(1)


@pytest.mark.parametrize("cells", [["on", "1"], ["3.8.18", "3.9.18"], ["3.13t", "3.9"]])
def test_a_column_of_names_is_not_numeric(cells: list[str]) -> None:
    assert not Table(("who", "n"), tuple(("x", cell) for cell in cells)).numeric(1)


def test_a_pipe_in_a_cell_does_not_end_it_in_markdown() -> None:
    table = Table(("a", "b"), (("x|y", "z"),))
    assert markdown(table).splitlines()[-1] == "| x\\|y | z |"


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        Table(("a", "b"), (("x",),))


def test_a_table_without_rows_is_its_header() -> None:
    assert text(Table(("a", "b"), ())) == "a  b"


def test_html_names_its_rows_and_escapes_its_cells() -> None:
    assert html(Table(("a", "n"), (("<b>", "3"),))).splitlines() == [
        '<table><thead><tr><th scope="col">a</th> '
        '<th scope="col" style="text-align: right">n</th></tr></thead><tbody>',
        '<tr><th scope="row">&lt;b&gt;</th> <td style="text-align: right">3</td></tr>',
        "</tbody></table>",
    ]
