"""What is said about outcomes: the same words on a page, and in its Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from gilnotes.site.outcomes import Outcome, rows


def who(outcomes: Sequence[Outcome]) -> str:
    """Name the interpreters of some outcomes: `CPython 3.12.1, 3.13.5 free-threaded`."""
    names = []
    for outcome in outcomes:
        python = outcome.interpreter
        version = python.version if python else outcome.spec
        names.append(f"{version} free-threaded" if python and python.free_threaded else version)
    return f"CPython {', '.join(names)}"


def gil(outcomes: Sequence[Outcome]) -> str:
    """Whether they had a GIL: `on`, `off`, `on and off`; `–` where nothing ran."""
    gils = {outcome.interpreter.gil for outcome in outcomes if outcome.interpreter}
    return " and ".join("on" if gil else "off" for gil in sorted(gils, reverse=True)) or "–"


def origin(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Say who printed it and how long that took: `8 interpreters`, `2 different outcomes`, `3 s`.

    Nothing, where no interpreter of the block is on this machine.
    """
    ran = [outcome for outcome in outcomes if outcome.interpreter]
    if not ran:
        return ()
    seconds = duration(sum(outcome.seconds for outcome in ran))
    if len(ran) == 1 and ran[0].interpreter:
        return ran[0].interpreter.label, seconds
    different = len({row.outcomes[0].output for row in rows(ran)})
    how = f"{different} different outcomes" if different > 1 else "the same outcome on all"
    return f"{len(ran)} interpreters", how, seconds


def day(outcomes: Sequence[Outcome]) -> str:
    """When it was measured, the latest of them: `2026-11-25`."""
    return max((outcome.measured for outcome in outcomes), default="")[:10]


def from_cache(outcomes: Sequence[Outcome]) -> bool:
    """Whether all of it was kept from an earlier build."""
    return all(outcome.cached for outcome in outcomes if outcome.interpreter)


def duration(seconds: float) -> str:
    """Seconds in the unit a person would say them in: `850 µs`, `12 ms`, `3.4 s`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s"


def held(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """The interpreters that a claim held on, and those it did not: `3.9, 3.13t`, nothing."""
    failed = dict.fromkeys(o.spec for o in outcomes if o.status == "failed")
    passed = dict.fromkeys(o.spec for o in outcomes if o.status == "passed")
    return ", ".join(spec for spec in passed if spec not in failed), ", ".join(failed)


def visible(text: str) -> str:
    """The text with control characters as the pictures Unicode has for them (␀, ␍)."""
    text = text.replace("\r\n", "\n")
    return re.sub("[\0-\x08\x0b-\x1a\x1c-\x1f\x7f]", _picture, text)


def _picture(match: re.Match[str]) -> str:
    return "\u2421" if match[0] == "\x7f" else chr(0x2400 + ord(match[0]))


def with_code(text: str) -> str:
    """Escape a text for HTML; what stands between backticks in it is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
