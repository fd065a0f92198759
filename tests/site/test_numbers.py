"""What blocks print, as numbers: tables come back as they were, and what is none says why."""

from __future__ import annotations

import pytest

from gilnotes.site.numbers import (
    Spread,
    Titled,
    listed,
    read_counts,
    read_spans,
    read_spread,
    read_tables,
)
from gilnotes.tables import Table, markdown

TABLE = Table(("interpreter", "found"), (("3.9", "7"), ("a|b __c__", "8 × 9")))


def test_tables_come_back_as_they_were_printed() -> None:
    printed = f"{markdown(TABLE)}\n\nAnother:\n\n{markdown(TABLE)}\n"
    assert read_tables(printed) == (Titled("", TABLE), Titled("Another", TABLE))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "it printed no table"),
        ("hello\n", "neither a table nor a title that ends with a colon: 'hello'"),
        ("One:\n\nTwo:\n", "neither a table nor a title that ends with a colon: 'Two:'"),
        (f"{markdown(TABLE)}\n\nOne:\n", "no table after 'One:'"),
        ("| a | b |\n| --- | --- |\n", "a table is a header, a rule and rows: '| a | b |'"),
        ("| a |\n| b |\n| c |\n", "a table is a header, a rule and rows"),
        ("| a | b |\n| --- | --- |\n| c |\n", "a row of 1 cells in a table of 2 columns"),
    ],
)
def test_what_is_no_table_says_so(output: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        read_tables(output)


def test_counts() -> None:
    assert read_counts("3, 2 × 10, 11") == (3, 10, 10, 11)


def test_a_spread_is_a_median_and_its_range_whatever_the_unit() -> None:
    assert read_spread("1.98 × (1.70 to 2.48)") == Spread(1.98, 1.7, 2.48)
    assert read_spread("5.31 ms (5.28 to 5.46)") == Spread(5.31, 5.28, 5.46)


def test_spans() -> None:
    assert read_spans("0.02 to 5.11, 10.60 to 20.74") == ((0.02, 5.11), (10.6, 20.74))
    assert read_spans("–") == ()


@pytest.mark.parametrize("cell", ["", "x", "1.5", "2 × ", "1,2"])
def test_what_is_no_count_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="whole numbers, as in"):
        read_counts(cell)


@pytest.mark.parametrize("cell", ["", "1.98 ×", "(1 to 2)", "1 × (1 to )", "1 × (2 to 3)"])
def test_what_is_no_spread_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="median"):
        read_spread(cell)


@pytest.mark.parametrize("cell", ["", "5", "1 to 2; 3 to 4", "5 to 4"])
def test_what_is_no_span_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="span"):
        read_spans(cell)


def test_words_are_listed_as_in_a_sentence() -> None:
    assert [listed(list("abc")[:number]) for number in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
