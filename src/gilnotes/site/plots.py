"""The pictures: each drawn, and put into a sentence, from the tables that a block has printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilnotes.site.numbers import Spread, Titled, listed, read_counts, read_spread
from gilnotes.site.svg import FAINT, QUIET, WITH_GIL, WITHOUT_GIL
from gilnotes.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 358
"""Pixels: the column of text on a phone. There a picture is shown as it is, elsewhere enlarged."""


@dataclass(frozen=True)
class Plot:
    """A picture that is ready to be drawn."""

    title: str
    says: str
    """What it shows, made from its numbers."""

    draw: Callable[[], Figure]


_BESIDE: dict[str, Any] = {"textcoords": "offset points", "va": "center_baseline"}
"""How words stand that are so many pixels away from a place."""

# -- lost updates


@dataclass(frozen=True)
class _Found:
    who: str
    gil: bool
    expected: int
    counts: tuple[int, ...]

    @property
    def lost_in(self) -> int:
        return sum(count < self.expected for count in self.counts)


def lost_updates(tables: Sequence[Titled]) -> Plot:
    """Each run's count, a row an interpreter: the table of `reports.distribution`."""
    (table,) = (titled.table for titled in tables)
    rows = [
        _Found(_who(row), _gil(row), _whole(row[2]), read_counts(row[4])) for row in _rows(table, 5)
    ]
    runs = max(len(row.counts) for row in rows)
    shares: dict[str, list[str]] = {}
    for row in rows:
        shares.setdefault(f"{row.lost_in} of {len(row.counts)} runs", []).append(row.who)
    kept = shares.pop(f"0 of {runs} runs", [])
    says = [f"Lost updates in {share}: {listed(who)}." for share, who in shares.items()]
    says += [f"Lost none in {runs} runs: {listed(kept)}."] * bool(kept)
    fewest = min(rows, key=lambda row: min(row.counts))
    if min(fewest.counts) < fewest.expected:
        worst = f"{min(fewest.counts):,} instead of {fewest.expected:,}"
        says.append(f"The lowest count was {worst}, on {fewest.who}.")
    return Plot(
        f"What {runs} runs counted to, on each interpreter",
        " ".join(says),
        lambda: _draw_lost_updates(rows),
    )


def _draw_lost_updates(rows: Sequence[_Found]) -> Figure:
    step, expected = 21, max(row.expected for row in rows)
    figure = _sheet(34 + step * len(rows) + 38)
    axes = _axes(figure, left=88, right=62, top=20, bottom=38)
    axes.set_xlim(0, expected)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _ticks(axes, [0, expected // 2, expected], "{:,}")
    axes.set_xlabel("found, a mark for each run", labelpad=3)
    axes.axvline(expected, color=QUIET, linewidth=1, dashes=(3, 2), clip_on=False)
    axes.annotate("right", (expected, -0.5), (0, 4), textcoords="offset points", ha="center")
    axes.annotate("lost in", (expected, -0.5), (58, 4), textcoords="offset points", ha="right")
    for number, row in enumerate(rows):
        axes.axhline(number, color=FAINT, linewidth=1, zorder=0)
        places = [number + _aside(index) for index in range(len(row.counts))]
        _marks(axes, sorted(row.counts), places, row.gil)
        label = row.who if row.gil else f"{row.who}, no GIL"
        axes.text(-8 / 208 * expected, number, label, ha="right", va="center")
        share = f"{row.lost_in} of {len(row.counts)}"
        axes.text(expected * (1 + 58 / 208), number, share, ha="right", va="center")
    return figure


def _aside(index: int) -> float:
    """How far a mark is moved off its row, so that those beside it are seen."""
    return (0, 0.17, -0.17)[index % 3]


# -- speed-up


@dataclass(frozen=True)
class _Sped:
    """How much work several numbers of threads did, on one interpreter; one thread did 1."""

    gil: bool
    threads: tuple[int, ...]
    spreads: tuple[Spread, ...]


def speed_up(tables: Sequence[Titled]) -> Plot:
    """A panel for each kind of work, a line for each interpreter: tables of `reports.scaling`."""
    panels = {titled.title: _sped(titled.table) for titled in tables}
    says = []
    for title, rows in panels.items():
        threads = rows[0].threads[-1]
        did = {
            word: _span([row.spreads[-1].median for row in rows if row.gil is gil])
            for word, gil in (("with a GIL", True), ("without", False))
        }
        each = listed([f"{span} times {word}" for word, span in did.items() if span])
        says.append(f"{title}: {threads} threads did the work of one {each}.")
    return Plot("What more threads bring", " ".join(says), lambda: _draw_speed_up(panels))


def _sped(table: Table) -> list[_Sped]:
    threads = tuple(_whole(name.split()[0]) for name in table.header[2:])
    once = Spread(1, 1, 1)
    return [
        _Sped(_gil(row), threads, (once, *map(read_spread, row[3:])))
        for row in _rows(table, len(threads) + 2)
    ]


def _span(values: Sequence[float]) -> str:
    """The smallest and the largest of some numbers, as far as they differ; empty, if none."""
    ends = dict.fromkeys(f"{value:.1f}" for value in (min(values), max(values))) if values else ()
    return " to ".join(ends)


def _draw_speed_up(panels: Mapping[str, Sequence[_Sped]]) -> Figure:
    figure = _sheet(196)
    room = (WIDTH - 10) / len(panels)
    every = [row for rows in panels.values() for row in rows]
    most = max(number for row in every for number in row.threads)
    top = max(most + 0.3, *(spread.highest for row in every for spread in row.spreads))
    for index, (title, rows) in enumerate(panels.items()):
        left = 10 + room * index
        axes = _axes(figure, left=left, right=WIDTH - left - room + 52, top=26, bottom=38)
        axes.set_xlim(0.7, most)
        axes.set_ylim(0, top)
        _ticks(axes, rows[0].threads, "{:g}")
        axes.set_xlabel("threads", labelpad=3)
        for number in range(1, int(top) + 1):
            axes.axhline(number, color=FAINT, linewidth=1, zorder=0, clip_on=False)
            axes.annotate(f"{number}", (0.7, number), (-3, 0), **_BESIDE, ha="right")
        axes.annotate(title, (0.7, top), (-9, 12), **_BESIDE, ha="left")
        axes.plot([1, most], [1, most], color=QUIET, linewidth=1, dashes=(1, 2))
        ends: dict[bool, list[float]] = {}
        for number, row in enumerate(rows):
            aside = 0.05 * (number - (len(rows) - 1) / 2)  # so that those beside it are seen
            _line(axes, [threads + aside for threads in row.threads], row.spreads, row.gil)
            ends.setdefault(row.gil, []).append(row.spreads[-1].median)
        _label_ends(axes, most, {gil: sum(ends[gil]) / len(ends[gil]) for gil in ends})
    return figure


def _line(axes: Axes, x: Sequence[float], spreads: Sequence[Spread], gil: bool) -> None:
    """A line through the medians, and how far the measurements spread from each."""
    color = WITH_GIL if gil else WITHOUT_GIL
    for place, spread in zip(x, spreads, strict=True):
        ends = [spread.lowest, spread.highest]
        axes.plot([place, place], ends, color=color, linewidth=1, clip_on=False)
    medians = [spread.median for spread in spreads]
    axes.plot(x, medians, "-" if gil else "--", color=color, linewidth=1.2, clip_on=False)
    _marks(axes, x, medians, gil)


def _label_ends(axes: Axes, x: float, heights: Mapping[bool, float]) -> None:
    """Say at the end of the lines which they are; labels at one height are moved apart."""
    low, high = axes.get_ylim()
    letters = 13 * (high - low) / (axes.bbox.height)
    places = sorted((height, gil) for gil, height in heights.items())
    for number, (height, gil) in enumerate(places):
        others = [other for other, _ in places if abs(other - height) < letters]
        shift = (number - (len(places) - 1) / 2) * letters if len(others) > 1 else 0
        at = sum(others) / len(others) + shift
        label = "GIL on" if gil else "no GIL"
        color = WITH_GIL if gil else WITHOUT_GIL
        axes.annotate(label, (x, at), (7, 0), **_BESIDE, ha="left", color=color)


# -- what all have in common


def _rows(table: Table, columns: int) -> tuple[tuple[str, ...], ...]:
    if len(table.header) != columns or table.header[:2] != ("interpreter", "GIL"):
        raise ValueError(
            f"a table of {columns} columns, the first two interpreter and GIL, "
            f"and not {', '.join(table.header)}"
        )
    return table.rows


def _who(row: tuple[str, ...]) -> str:
    return row[0]


def _gil(row: tuple[str, ...]) -> bool:
    if row[1] not in ("on", "off"):
        raise ValueError(f"a GIL is on or off, not {row[1]!r}")
    return row[1] == "on"


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"a whole number, and not {text!r}")
    return int(text)


def _sheet(height: float) -> Figure:
    """An empty sheet, with a pixel for a point."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none")


def _axes(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes within these margins (pixels), with a line below and nothing around."""
    height = figure.get_figheight() * 72
    axes = figure.add_axes(
        (
            left / WIDTH,
            bottom / height,
            (WIDTH - left - right) / WIDTH,
            (height - top - bottom) / height,
        ),
        facecolor="none",
    )
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.tick_params(color=QUIET, length=3)
    axes.set_yticks([])
    return axes


def _ticks(axes: Axes, values: Sequence[float], form: str) -> None:
    axes.set_xticks(values, [form.format(value) for value in values])


def _marks(axes: Axes, x: Sequence[float], y: Sequence[float], gil: bool) -> None:
    """Circles with a GIL, diamonds without: not the color alone tells them apart."""
    axes.plot(
        x,
        y,
        "o" if gil else "D",
        color=WITH_GIL if gil else WITHOUT_GIL,
        markersize=4.5 if gil else 4,
        markeredgewidth=0,
        clip_on=False,
    )


PLOTS: Mapping[str, Callable[[Sequence[Titled]], Plot]] = {
    "lost-updates": lost_updates,
    "speed-up": speed_up,
}
"""Every picture, by the name that a block's `figure=` has for it."""
