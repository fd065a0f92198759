"""The pictures: each drawn, and put into a sentence, from the tables that a block has printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from gilnotes.site.numbers import Spread, Titled, listed, read_counts, read_spans, read_spread
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
    table = _only(tables)
    rows = [
        _Found(row[0], _gil(row), _whole(row[2]), read_counts(row[4])) for row in _rows(table, 5)
    ]
    runs = max(len(row.counts) for row in rows)
    shares: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: -row.lost_in):
        shares.setdefault(f"{row.lost_in} of {len(row.counts)} runs", []).append(row.who)
    kept = shares.pop(f"0 of {runs} runs", [])
    says = []
    if shares:
        each = "; in ".join(f"{share}: {listed(who)}" for share, who in shares.items())
        says.append(f"Lost updates in {each}.")
    if kept:
        says.append(f"Lost none in {runs} runs: {listed(kept)}.")
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
    expected = max(row.expected for row in rows)
    figure, axes = _list_of([(row.who, row.gil) for row in rows], right=62)
    axes.set_xlim(0, expected)
    _ticks(axes, [0, expected // 2, expected], "{:,}")
    axes.set_xlabel("found, a mark for each run", labelpad=3)
    axes.axvline(expected, color=QUIET, linewidth=1, dashes=(3, 2), clip_on=False)
    axes.annotate("right", (expected, -0.5), (0, 4), textcoords="offset points", ha="center")
    axes.annotate("lost in", (expected, -0.5), (58, 4), textcoords="offset points", ha="right")
    for number, row in enumerate(rows):
        places = [number + _aside(index) for index in range(len(row.counts))]
        _marks(axes, sorted(row.counts), places, row.gil)
        share = f"{row.lost_in} of {len(row.counts)}"
        axes.annotate(share, (expected, number), (58, 0), **_BESIDE, ha="right")
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
    rows = _rows(table, 4, or_more=True)
    threads = tuple(_whole(name.split(" ")[0]) for name in table.header[2:])
    once = Spread(1, 1, 1)
    return [_Sped(_gil(row), threads, (once, *map(read_spread, row[3:]))) for row in rows]


def _span(values: Sequence[float]) -> str:
    """The smallest and the largest of some numbers, as far as they differ; empty, if none."""
    ends = dict.fromkeys(f"{value:.1f}" for value in (min(values), max(values))) if values else ()
    return " to ".join(ends)


def _draw_speed_up(panels: Mapping[str, Sequence[_Sped]]) -> Figure:
    figure = _sheet(196)
    room = (WIDTH - 12) / len(panels)
    every = [row for rows in panels.values() for row in rows]
    most = max(number for row in every for number in row.threads)
    top = max(most + 0.3, *(spread.highest for row in every for spread in row.spreads))
    for index, (title, rows) in enumerate(panels.items()):
        left = 12 + room * index
        axes = _axes(figure, left=left, right=WIDTH - left - room + 61, top=26, bottom=38)
        axes.set_xlim(0.7, most)
        axes.set_ylim(0, top)
        _ticks(axes, rows[0].threads, "{:g}")
        axes.set_xlabel("threads", labelpad=3)
        for number in range(1, int(top) + 1):
            axes.axhline(number, color=FAINT, linewidth=1, zorder=0, clip_on=False)
            axes.annotate(f"{number}", (0.7, number), (-3, 0), **_BESIDE, ha="right")
        axes.annotate(title, (0.7, top), (-9, 12), **_BESIDE, ha="left")
        axes.plot([1, most], [1, most], color=QUIET, linewidth=1, dashes=(1, 2))
        if index == 0:
            axes.annotate("ideal", (most * 0.85, most * 0.85), (-5, 2), **_BESIDE, ha="right")
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
        label = _gil_of(gil)
        color = WITH_GIL if gil else WITHOUT_GIL
        axes.annotate(label, (x, at), (10, 0), **_BESIDE, ha="left", color=color)


# -- what a lock costs


@dataclass(frozen=True)
class _Cost:
    who: str
    gil: bool
    spreads: tuple[Spread, ...]
    """One for each number of threads."""


def lock_cost(tables: Sequence[Titled]) -> Plot:
    """A row an interpreter, a mark for each number of threads: the table of `reports.lock_cost`."""
    table = _only(tables)
    rows = [
        _Cost(row[0], _gil(row), tuple(map(read_spread, row[3:])))
        for row in _rows(table, 4, or_more=True)
    ]
    numbers = table.header[3:]
    says = [
        f"{number}: {_span([row.spreads[index].median for row in rows])} times as long as without."
        for index, number in enumerate(numbers)
    ]
    worst = max(rows, key=lambda row: row.spreads[-1].median)
    says.append(f"It costs most on {worst.who}, with {numbers[-1]}.")
    return Plot(
        "How long an increment with a lock takes",
        " ".join(says),
        lambda: _draw_lock_cost(rows, numbers),
    )


def _draw_lock_cost(rows: Sequence[_Cost], numbers: Sequence[str]) -> Figure:
    figure, axes = _list_of([(row.who, row.gil) for row in rows], right=16)
    every = [spread for row in rows for spread in row.spreads]
    least, most = min(1, *(each.lowest for each in every)), max(each.highest for each in every)
    axes.set_xscale("log")
    axes.set_xlim(least, most)
    axes.minorticks_off()
    _ticks(axes, [tick for tick in _ROUND if least <= tick <= most], "{:g}")
    axes.set_xlabel("times as long as without a lock", labelpad=3)
    for row, cost in enumerate(rows):
        for index, spread in enumerate(cost.spreads):
            y = row + 0.36 * (index / max(1, len(numbers) - 1) - 0.5)
            color = WITH_GIL if cost.gil else WITHOUT_GIL
            axes.plot([spread.lowest, spread.highest], [y, y], color=color, linewidth=1)
            axes.plot(
                spread.median,
                y,
                _SHAPES[index % len(_SHAPES)],
                color=color,
                markersize=5.5,
                **_FLAT,
            )
    for index, number in enumerate(numbers):
        at = (90 * index, 8)
        axes.annotate(number, (least, -0.5), (at[0] + 8, at[1]), **_BESIDE, ha="left")
        axes.plot(
            *_beside(axes, least, -0.5, at),
            _SHAPES[index % len(_SHAPES)],
            color=QUIET,
            markersize=5.5,
            **_FLAT,
        )
    return figure


# -- who runs when


@dataclass(frozen=True)
class _Lane:
    """What one thread did, in milliseconds."""

    who: str
    gil: bool
    work: str
    turns: tuple[tuple[float, float], ...]
    waits: tuple[tuple[float, float], ...]


def turns(tables: Sequence[Titled]) -> Plot:
    """A panel for each kind of work and interpreter, a lane a thread: tables of `reports.turns`."""
    panels: dict[str, list[_Lane]] = {}
    says = []
    for titled in tables:
        on: dict[str, list[_Lane]] = {}
        for row in _rows(titled.table, 5):
            lane = _Lane(row[0], _gil(row), row[2], read_spans(row[3]), read_spans(row[4]))
            on.setdefault(f"{lane.who}, {_gil_of(lane.gil)}", []).append(lane)
        panels.update({f"{titled.title}: {who}": lanes for who, lanes in on.items()})
        each = "; ".join(f"{who}, {_said(lanes)}" for who, lanes in on.items())
        says.append(f"{titled.title}: {each}.")
    return Plot("Who ran when", " ".join(says), lambda: _draw_turns(panels))


def _said(lanes: Sequence[_Lane]) -> str:
    waiting = [last - first for lane in lanes if lane.work == "waits" for first, last in lane.waits]
    if waiting:
        return f"its turn came up to {max(waiting):.1f} ms late"
    end = max(span[1] for lane in lanes for span in (*lane.turns, *lane.waits))
    both = sum(
        max(0.0, min(mine[1], other[1]) - max(mine[0], other[0]))
        for mine in lanes[0].turns
        for other in lanes[-1].turns
    )
    return f"both ran at the same time for {both:.1f} of {end:.1f} ms"


def _draw_turns(panels: Mapping[str, Sequence[_Lane]]) -> Figure:
    lane, gap = 17, 26
    lanes = sum(map(len, panels.values()))
    height = lane * lanes + gap * len(panels)
    figure = _sheet(height + 40)
    axes = _axes(figure, left=62, right=8, top=0, bottom=40)
    spans = [span for each in panels.values() for row in each for span in (*row.turns, *row.waits)]
    end = max(last for _, last in spans)
    axes.set_xlim(0, end)
    axes.set_ylim(height, 0)
    axes.set_xlabel("milliseconds; a bar: it runs, a line: it wants to", labelpad=3)
    thinnest = 1.5 * end / axes.bbox.width
    y = 0.0
    for name, rows in panels.items():
        axes.annotate(name, (0, y + gap - 9), (-62, 0), **_BESIDE, ha="left")
        y += gap
        for number, row in enumerate(rows):
            y += lane
            thread = ascii_uppercase[number % 26]
            middle = y - lane / 2
            color = WITH_GIL if row.gil else WITHOUT_GIL
            axes.annotate(f"{thread} {row.work}", (0, middle), (-62, 0), **_BESIDE, ha="left")
            axes.plot([0, end], [y - 2, y - 2], color=FAINT, linewidth=1)
            for first, last in row.waits:
                axes.plot([first, last], [middle, middle], color=color, linewidth=1)
            for first, last in row.turns:
                axes.barh(middle, max(last - first, thinnest), 10, first, color=color)
    return figure


# -- how late a thread runs


@dataclass(frozen=True)
class _Late:
    who: str
    gil: bool
    spreads: tuple[Spread, ...]
    """In milliseconds, one for each switch interval."""


def latency(tables: Sequence[Titled]) -> Plot:
    """A line an interpreter, over the switch interval: the table of `reports.latency`."""
    table = _only(tables)
    rows = [
        _Late(row[0], _gil(row), tuple(map(read_spread, row[2:])))
        for row in _rows(table, 3, or_more=True)
    ]
    intervals = [_milliseconds(cell) for cell in table.header[2:]]
    says = [
        f"{row.who}, {_gil_of(row.gil)}: {row.spreads[0].median:.1f} ms late at a switch interval "
        f"of {intervals[0]:g} ms, {row.spreads[-1].median:.1f} at {intervals[-1]:g} ms."
        for row in rows
    ]
    return Plot(
        "How late a thread ran that had waited",
        " ".join(says),
        lambda: _draw_latency(rows, intervals),
    )


def _milliseconds(cell: str) -> float:
    number = cell.removesuffix(" ms")
    if number == cell or not number.replace(".", "", 1).isdecimal():
        raise ValueError(f"a column for each switch interval, as in '5 ms', and not {cell!r}")
    return float(number)


def _draw_latency(rows: Sequence[_Late], intervals: Sequence[float]) -> Figure:
    figure = _sheet(226)
    axes = _axes(figure, left=34, right=82, top=24, bottom=38)
    every = [spread for row in rows for spread in row.spreads]
    least = max(0.01, min(spread.lowest for spread in every))
    most = max(intervals[-1], *(spread.highest for spread in every))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(intervals[0] * 0.8, intervals[-1])
    axes.set_ylim(least, most)
    axes.minorticks_off()
    _ticks(axes, intervals, "{:g}")
    axes.set_yticks([])
    axes.set_xlabel("switch interval, ms", labelpad=3)
    axes.annotate("late by, ms", (intervals[0] * 0.8, most), (-30, 13), **_BESIDE, ha="left")
    for tick in (tick for tick in _TENS if least <= tick <= most):
        axes.axhline(tick, color=FAINT, linewidth=1, zorder=0, clip_on=False)
        axes.annotate(f"{tick:g}", (intervals[0] * 0.8, tick), (-4, 0), **_BESIDE, ha="right")
    ends = [intervals[0], intervals[-1]]
    axes.plot(ends, ends, color=QUIET, linewidth=1, dashes=(1, 2))
    axes.annotate("one interval", (5, 5), (6, -9), **_BESIDE, ha="left")
    for row in rows:
        shown = [
            Spread(*(max(least, value) for value in (each.median, each.lowest, each.highest)))
            for each in row.spreads
        ]
        _line(axes, intervals, shown, row.gil)
        label = f"{row.who}, {_gil_of(row.gil)}"
        color = WITH_GIL if row.gil else WITHOUT_GIL
        end = (intervals[-1], shown[-1].median)
        axes.annotate(label, end, (7, 0), **_BESIDE, ha="left", color=color)
    return figure


# -- what all have in common

_SHAPES = ("o", "s", "^", "v")
"""Marks, for numbers of threads."""

_FLAT: dict[str, Any] = {"markeredgewidth": 0, "clip_on": False}
_ROUND = (0.5, 1, 2, 5, 10, 20, 50, 100)
_TENS = (0.01, 0.1, 1, 10, 100, 1000)


def _list_of(whom: Sequence[tuple[str, bool]], *, right: float) -> tuple[Figure, Axes]:
    """Axes with a row for each interpreter; row 0 is the uppermost."""
    figure = _sheet(20 + 21 * len(whom) + 38)
    axes = _axes(figure, left=84, right=right, top=20, bottom=38)
    axes.set_ylim(len(whom) - 0.5, -0.5)
    for row, (who, gil) in enumerate(whom):
        axes.axhline(row, color=FAINT, linewidth=1, zorder=0)
        label = who if gil else f"{who}, {_gil_of(gil)}"
        place = axes.get_yaxis_transform()
        axes.annotate(label, (0, row), (-8, 0), place, **_BESIDE, ha="right")
    return figure, axes


def _beside(axes: Axes, x: float, y: float, by: tuple[float, float]) -> tuple[float, float]:
    """The place that is so many pixels away from another."""
    across, up = axes.transData.transform((x, y))
    place = axes.transData.inverted().transform((across + by[0], up + by[1]))
    return float(place[0]), float(place[1])


def _gil_of(gil: bool) -> str:
    return "GIL on" if gil else "no GIL"


def _only(tables: Sequence[Titled]) -> Table:
    if len(tables) != 1:
        raise ValueError(f"it is made of one table, and not of {len(tables)}")
    return tables[0].table


def _rows(table: Table, columns: int, *, or_more: bool = False) -> tuple[tuple[str, ...], ...]:
    enough = len(table.header) == columns or (or_more and len(table.header) > columns)
    if not enough or table.header[:2] != ("interpreter", "GIL"):
        raise ValueError(
            f"a table of {columns}{' or more' * or_more} columns, the first two interpreter and "
            f"GIL, and not {', '.join(table.header)}"
        )
    return table.rows


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
    "turns": turns,
    "latency": latency,
    "lock-cost": lock_cost,
}
"""Every picture, by the name that a block's `figure=` has for it."""
