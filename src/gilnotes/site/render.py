"""Outcomes → HTML: what a reader sees of a block, through markdown-exec's own formatter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown_exec import base_format, formatters, markdown_config
from markupsafe import Markup
from mkdocs.utils import get_relative_url
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
from pymdownx.superfences import SuperFencesException  # type: ignore[import-untyped]

from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record


class Renderer:
    """What markdown-exec calls for each block: looks the outcome up, runs nothing."""

    def __init__(self, record: Record, urls: Mapping[str, str] | None = None) -> None:
        self.record = record
        self.urls = urls or {}
        """Where each Markdown file is published."""

        self.url = ""
        """Where the page is published that is rendered just now."""

        self._outcomes: dict[str, list[Outcome]] = {}
        for outcome in record.outcomes:
            self._outcomes.setdefault(str(outcome.block), []).append(outcome)
        # Under `mkdocs serve`, markdown-exec's table still holds the renderer of the last build:
        # what it has rendered need not be rendered again. What it did not need is forgotten.
        last: object = formatters.get("python")
        self._before: Mapping[object, Markup] = last._html if isinstance(last, Renderer) else {}
        self._html: dict[object, Markup] = {}
        self._configuration = repr((markdown_config.exts, markdown_config.exts_config))

    def __call__(self, *, code: str, md: Markdown, **options: Any) -> Markup:
        """The HTML of a block: its source where the fence asks for it, its outcomes, their origin.

        Raises:
            SuperFencesException: the block was never run, so there is nothing to show. It is
                the one exception that SuperFences does not swallow.
        """
        place = options.get("id", "")
        outcomes = self._outcomes.get(place, [])
        if not outcomes:
            raise SuperFencesException(
                f"{place or 'a block without a place'}: not a block of this build's pages, "
                "so it was not run (does it come from a snippet or another plugin?)"
            )
        result = options.pop("result", "")
        if result or any(outcome.status == "failed" for outcome in outcomes) or len(outcomes) > 1:
            options["html"] = True
            output = outcomes_html(outcomes, result or "text")
        elif options.get("html"):
            output = outcomes[0].output
        else:
            output = escape_html(outcomes[0].output)
        # Only with a reason: markdown-exec 1.12 keeps each page's Markdown for ever to do it.
        options["update_toc"] = bool(
            options.get("update_toc") and not options.get("html") and _HEADING.search(output)
        )
        html = self._format(output, code=code, md=md, **options)
        return Markup('<div class="block" id="{}">{}{}</div>').format(
            outcomes[0].block.anchor, html, Markup(_origin(outcomes))
        )

    def _format(self, output: str, *, code: str, md: Markdown, **options: Any) -> Markup:
        """What markdown-exec makes of a block that printed this."""

        def rendered() -> Markup:
            return base_format(
                language="python", run=lambda *_, **__: output, code=code, md=md, **options
            )

        if options["update_toc"]:
            return rendered()
        same = {**options, "id": ""}  # Where it stands does not change how it looks.
        known = (code, output, repr(same), self._configuration)
        self._html[known] = self._before.get(known) or self._html.get(known) or rendered()
        return self._html[known]

    def claims(self) -> str:
        """The table of claims: what held, on which interpreters, and the block that shows it."""
        evidence: dict[str, list[Outcome]] = {}
        for outcome in self.record.outcomes:
            if outcome.block.claim and outcome.interpreter:
                evidence.setdefault(outcome.block.claim, []).append(outcome)
        rows = "".join(
            f'<tr><th scope="row">{_with_code(claim)}</th><td>{self._held(outcomes)}</td>'
            f"<td>{self._links(outcomes)}</td></tr>"
            for claim, outcomes in evidence.items()
        )
        return (
            '<div class="claims"><table><thead><tr><th scope="col">Claim</th>'
            '<th scope="col">Held on</th><th scope="col">Evidence</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )

    def _held(self, outcomes: Sequence[Outcome]) -> str:
        held = dict.fromkeys(o.spec for o in outcomes if o.status == "passed")
        failed = dict.fromkeys(o.spec for o in outcomes if o.status == "failed")
        against = f"; <strong>not on {escape(', '.join(failed))}</strong>" if failed else ""
        return escape(", ".join(spec for spec in held if spec not in failed)) + against

    def _links(self, outcomes: Sequence[Outcome]) -> str:
        blocks = dict.fromkeys(outcome.block for outcome in outcomes)
        return ", ".join(
            f'<a href="{escape(self._address(block))}">{escape(Path(block.file).stem)}</a>'
            for block in blocks
        )

    def _address(self, block: Block) -> str:
        url = self.urls.get(block.file, block.file)
        return f"{get_relative_url(url, self.url)}#{block.anchor}"


_HEADING = re.compile(r"^[ >]*#|^[ >]*(=+|-+)\s*$|<h[1-6]", re.MULTILINE | re.IGNORECASE)
"""What may become a heading, and so a line of the page's table of contents."""


def outcomes_html(outcomes: Sequence[Outcome], language: str) -> str:
    """One outcome as it was printed; several as a table, with a row for what several printed."""
    if len(outcomes) == 1:
        return _message(outcomes[0]) + _printed(outcomes[0], language)
    # Only neighbors share a row: the order of the versions stays.
    alike = groupby(outcomes, lambda outcome: (outcome.output, outcome.status, outcome.failure))
    rows = "".join(
        f'<tr><th scope="row">{escape(_names(group))}</th><td>{_gil(group)}</td>'
        f"<td>{''.join(map(_message, group))}{_printed(group[0], language)}</td></tr>"
        for group in (list(group) for _, group in alike)
    )
    return (
        '<div class="outcomes"><table><thead><tr><th scope="col">Interpreter</th>'
        '<th scope="col">GIL</th><th scope="col">It printed</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def escape_html(markdown: str) -> str:
    """Markdown in which raw HTML is text: a block's output is data, its fence has not asked."""
    parts = re.split(r"(`+)(.+?)(?<!`)\1(?!`)", markdown, flags=re.DOTALL)
    for index in range(0, len(parts), 3):
        parts[index] = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", parts[index])
        if index + 2 < len(parts):
            parts[index + 2] += parts[index + 1]
    return "".join(parts)


def visible(text: str) -> str:
    """The text with control characters as the pictures Unicode has for them (␀, ␍)."""
    text = text.replace("\r\n", "\n")
    return re.sub("[\0-\x08\x0b-\x1a\x1c-\x1f\x7f]", _picture, text)


def _picture(match: re.Match[str]) -> str:
    return "\u2421" if match[0] == "\x7f" else chr(0x2400 + ord(match[0]))


def _printed(outcome: Outcome, language: str) -> str:
    if outcome.status == "missing":
        return f"<em>{escape(outcome.output)}</em>"
    text = visible(outcome.output)
    if not text:
        return ""
    if language != "ansi":
        text = text.replace("\x1b", "\u241b")
    html: str = highlight(text, _lexer(language), _FORMATTER)
    return f'<div class="result language-{escape(language)}">{html}</div>'


@lru_cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False)


# Made once: a formatter writes a style sheet for itself before it formats anything.
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(cssclass="highlight", wrapcode=True)


def _message(outcome: Outcome) -> str:
    if outcome.failure is None:
        return ""
    return f'<p class="failure" role="alert">{escape(str(outcome))}</p>'


def _origin(outcomes: Sequence[Outcome]) -> str:
    """The quiet line under an outcome: who printed it, how long it took, when."""
    ran = [outcome for outcome in outcomes if outcome.interpreter]
    if not ran:
        return ""
    who = ran[0].interpreter.label if len(ran) == 1 and ran[0].interpreter else ""
    who = who or f"{len(ran)} interpreters"
    seconds = sum(outcome.seconds for outcome in ran)
    day = max(outcome.measured for outcome in ran)[:10]
    cached = " · from cache" if all(outcome.cached for outcome in ran) else ""
    return (
        f'<p class="origin">{escape(who)} · {duration(seconds)} · '
        f'<time datetime="{day}">{day}</time>{cached}</p>'
    )


def duration(seconds: float) -> str:
    """Seconds in the unit a person would say them in: `850 µs`, `12 ms`, `3.4 s`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s"


def _with_code(text: str) -> str:
    """Escape a text; what stands between backticks in it is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _names(outcomes: Sequence[Outcome]) -> str:
    """Name the interpreters of some outcomes: `CPython 3.12.1, 3.13.5 free-threaded`."""
    names = []
    for outcome in outcomes:
        python = outcome.interpreter
        version = python.version if python else outcome.spec
        names.append(f"{version} free-threaded" if python and python.free_threaded else version)
    return f"CPython {', '.join(names)}"


def _gil(outcomes: Sequence[Outcome]) -> str:
    gils = {outcome.interpreter.gil for outcome in outcomes if outcome.interpreter}
    return " and ".join("on" if gil else "off" for gil in sorted(gils, reverse=True)) or "–"
