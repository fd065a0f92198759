"""A page → its Markdown with the outcomes in it, for readers that are programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gilnotes import tables
from gilnotes.site import evidence, figures, wording
from gilnotes.site.blocks import Block, Page
from gilnotes.site.fences import Fence, find_fences
from gilnotes.site.outcomes import Outcome, Record, rows
from gilnotes.tables import Table


def with_outcomes(text: str, page: Page, record: Record) -> str:
    r"""Put what each block printed below its code, as text in a fence.

    What a block printed to be read as Markdown, a table for instance, stands there as it is. The
    fences `claims`, `evidence` and `figure` become tables. All other lines stay.

    >>> from gilnotes.site.blocks import find_blocks
    >>> text = '```python exec="on" source="above" result="text"\nprint(6)\n```\n'
    >>> page = find_blocks(text, "docs/page.md")
    >>> outcome = Outcome(page.blocks[0], "3.99", None, "passed", output="6\n")
    >>> print(with_outcomes(text, page, Record((outcome,))), end="")
    ```python
    print(6)
    ```
    <BLANKLINE>
    ```text
    6
    ```
    """
    lines = text.split("\n")
    blocks = {block.line: block for block in page.blocks}
    for fence in reversed(list(find_fences(text))):
        block = blocks.get(fence.line)
        if block:
            new = _block(block, record.of(str(block)))
        elif fence.header in ("claims", "evidence", "figure"):
            new = _table(fence, record)
        elif fence.header.startswith("python "):
            new = fenced(fence.code, "python")
        else:
            continue
        lines[fence.line - 1 : fence.end] = [
            (fence.prefix + line).rstrip() for line in new.split("\n")
        ]
    return "\n".join(lines)


def fenced(text: str, language: str) -> str:
    """Put a text between marks that are longer than any in it."""
    marks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{marks}{language}\n{text.rstrip(chr(10))}\n{marks}"


_OPTION = re.compile(r"""(\w+)=(["'])(.*?)\2""")


def _block(block: Block, outcomes: Sequence[Outcome]) -> str:
    options = {found[1]: found[3] for found in _OPTION.finditer(block.header)}
    code = fenced(block.code, "python")
    parts = []
    if "source" in options and options["source"] != "below":
        parts.append(code)
    if block.claim:
        parts.append(f"Claim: {block.claim}")
    parts += _printed(outcomes, options)
    facts = [*wording.origin(outcomes), wording.day(outcomes)]
    if wording.origin(outcomes):
        facts += ["from cache"] * wording.from_cache(outcomes)
        parts.append(f"*{' · '.join(filter(None, facts))}*")
    if options.get("source") == "below":
        parts.append(code)
    return "\n\n".join(parts)


def _printed(outcomes: Sequence[Outcome], options: Mapping[str, str]) -> list[str]:
    language = options.get("result", "")
    if len(outcomes) == 1 and not language and outcomes[0].status == "passed":
        if outcomes[0].block.figure:
            return [figures.markdown(outcomes[0])]
        return [outcomes[0].output.rstrip("\n")]
    parts = []
    for row in rows(outcomes):
        first = row.outcomes[0]
        if len(outcomes) > 1:
            differs = ", differs from what most interpreters printed" if row.differs else ""
            parts.append(f"{wording.who(row.outcomes)}, GIL {wording.gil(row.outcomes)}{differs}:")
        if first.status == "missing":
            parts.append(first.output)
        elif first.output:
            parts.append(fenced(wording.visible(first.output), language or "text"))
        if first.failure:
            parts.append(f"**{first}**")
    return parts


def _table(fence: Fence, record: Record) -> str:
    if fence.header == "claims":
        return tables.markdown(_claims(record))
    if fence.header == "figure":
        drawn = figures.first(record, fence.code.strip())
        return figures.markdown(drawn) if drawn else ""
    if fence.code.strip() == "interpreters":
        machine = f"Machine: {evidence.machines(record)}."
        return f"{machine}\n\n{tables.markdown(evidence.interpreters(record))}"
    return tables.markdown(evidence.outcomes(record))


def _claims(record: Record) -> Table:
    header = ("Claim", "Held on", "Evidence")
    rows = []
    for claim, outcomes in record.claims.items():
        pages = dict.fromkeys(evidence.name(outcome.block) for outcome in outcomes)
        links = ", ".join(f"[{page}]({page}.md)" for page in pages)
        rows.append((claim, wording.held(outcomes)[0], links))
    return Table(header, tuple(rows))
