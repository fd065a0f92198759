"""Outcomes → HTML: what a reader sees of a block, through markdown-exec's own formatter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
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

from gilnotes.site import evidence, figures, wording
from gilnotes.site.blocks import Block
from gilnotes.site.outcomes import Outcome, Record, rows


class Renderer:
    """What markdown-exec calls for each block: looks the outcome up, runs nothing."""

    def __init__(self, record: Record, urls: Mapping[str, str] | None = None) -> None:
        self.record = record
        self.urls = urls or {}
        """Where each Markdown file is published."""

        self.url = ""
        """Where the page is published that is rendered just now."""

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
        outcomes = self.record.of(place)
        if not outcomes:
            raise SuperFencesException(
                f"{place or 'a block without a place'}: not a block of this build's pages, "
                "so it was not run (does it come from a snippet or another plugin?)"
            )
        result = options.pop("result", "")
        if result or any(outcome.status == "failed" for outcome in outcomes) or len(outcomes) > 1:
            options["html"] = True
            output = outcomes_html(outcomes, result or "text")
        elif outcomes[0].block.figure:
            options["html"] = True
            output = figures.html(outcomes[0])
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
        body = "".join(
            f'<tr><th scope="row">{wording.with_code(claim)}</th><td>{_held(outcomes)}</td>'
            f"<td>{self._links(outcomes)}</td></tr>"
            for claim, outcomes in self.record.claims.items()
        )
        return (
            '<div class="claims"><table><thead><tr><th scope="col">Claim</th>'
            '<th scope="col">Held on</th><th scope="col">Evidence</th></tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def evidence(self, part: str) -> str:
        """A part of the record, as the fence `evidence` names it: `interpreters`, `outcomes`.

        Raises:
            SuperFencesException: there is no such part.
        """
        if part == "interpreters":
            return evidence.interpreters_html(self.record)
        if part == "outcomes":
            return evidence.outcomes_html(self.record, self.address)
        raise SuperFencesException(
            f"an evidence fence holds the word interpreters or outcomes, not {part!r}"
        )

    def figure(self, kind: str) -> str:
        """The picture that a fence `figure` names, from the block that it is drawn from.

        Raises:
            SuperFencesException: no block of this build is drawn so.
        """
        outcome = figures.first(self.record, kind)
        if outcome is None:
            raise SuperFencesException(
                f'{self.url}: a figure fence names a picture, and no block has figure="{kind}"'
            )
        address = escape(self.address(outcome.block))
        link = f'<a href="{address}">the block that measured it</a>'
        return f'<div class="block">{figures.html(outcome)}{_origin([outcome], link)}</div>'

    def _links(self, outcomes: Sequence[Outcome]) -> str:
        blocks = dict.fromkeys(outcome.block for outcome in outcomes)
        return ", ".join(
            f'<a href="{escape(self.address(block))}">{escape(Path(block.file).stem)}</a>'
            for block in blocks
        )

    def address(self, block: Block) -> str:
        """Where a block stands, from the page that is rendered just now."""
        url = self.urls.get(block.file, block.file)
        return f"{get_relative_url(url, self.url)}#{block.anchor}"


_HEADING = re.compile(r"^[ >]*#|^[ >]*(=+|-+)\s*$|<h[1-6]", re.MULTILINE | re.IGNORECASE)
"""What may become a heading, and so a line of the page's table of contents."""


def outcomes_html(outcomes: Sequence[Outcome], language: str) -> str:
    """One outcome as it was printed; several as a table, with a row for what several printed.

    Long ones, which would not fit into a table's cell, stand one under another.
    """
    if len(outcomes) == 1:
        return _message(outcomes[0]) + _printed(outcomes[0], language)
    if any(map(_is_long, outcomes)):
        items = "".join(
            f"<dt>{escape(wording.who(row.outcomes))}, GIL {wording.gil(row.outcomes)}"
            f"{_ODD if row.differs else ''}</dt><dd>{''.join(map(_message, row.outcomes))}"
            f"{_printed(row.outcomes[0], language)}</dd>"
            for row in rows(outcomes)
        )
        return f'<div class="outcomes long"><dl>{items}</dl></div>'
    body = "".join(
        f'<tr><th scope="row">{escape(wording.who(row.outcomes))}{_ODD if row.differs else ""}</th>'
        f"<td>{wording.gil(row.outcomes)}</td>"
        f"<td>{''.join(map(_message, row.outcomes))}{_printed(row.outcomes[0], language)}</td></tr>"
        for row in rows(outcomes)
    )
    return (
        '<div class="outcomes"><table><thead><tr><th scope="col">Interpreter</th>'
        '<th scope="col">GIL</th><th scope="col">It printed</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _is_long(outcome: Outcome) -> bool:
    lines = outcome.output.splitlines()
    return len(lines) > LONG[0] or any(len(line) > LONG[1] for line in lines)


LONG = (6, 64)
"""Lines, and characters of a line, that still fit into a table's cell."""

_ODD = (
    ' <span class="differs">differs<span class="unseen"> from what most interpreters printed'
    "</span></span>"
)


def escape_html(markdown: str) -> str:
    """Markdown in which raw HTML is text: a block's output is data, its fence has not asked."""
    parts = re.split(r"(`+)(.+?)(?<!`)\1(?!`)", markdown, flags=re.DOTALL)
    for index in range(0, len(parts), 3):
        parts[index] = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", parts[index])
        if index + 2 < len(parts):
            parts[index + 2] += parts[index + 1]
    return "".join(parts)


def _printed(outcome: Outcome, language: str) -> str:
    if outcome.status == "missing":
        return f'<p class="missing">{wording.with_code(outcome.output)}</p>'
    text = wording.visible(outcome.output)
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


def _origin(outcomes: Sequence[Outcome], link: str = "") -> str:
    """The quiet line under an outcome: who printed it, how long it took, when, and its address."""
    facts = [escape(fact) for fact in wording.origin(outcomes)]
    if facts:
        day = wording.day(outcomes)
        facts.append(f'<time datetime="{day}">{day}</time>')
        facts += ["from cache"] * wording.from_cache(outcomes)
    link = link or (
        f'<a class="permalink" href="#{outcomes[0].block.anchor}">link'
        '<span class="unseen"> to this outcome</span></a>'
    )
    return f'<p class="origin" data-search-exclude>{" · ".join(facts)} {link}</p>'


def _held(outcomes: Sequence[Outcome]) -> str:
    held, failed = wording.held(outcomes)
    return escape(held) + (f"; <strong>not on {escape(failed)}</strong>" if failed else "")
