"""A page → its blocks as one program, which runs wherever `gilnotes` is installed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from gilnotes.site.blocks import Block, Page

_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


def script(page: Page, title: str, url: str = "") -> str:
    r"""Write the blocks of a page as one program: its parts print what the blocks print.

    >>> from gilnotes.site.blocks import find_blocks
    >>> text = '## Hello\n\n```python exec="on" python="3.9 3.13t"\nprint("hello")\n```\n'
    >>> print(script(find_blocks(text, "docs/hello.md"), "A greeting"))
    """
    blocks = page.blocks
    # Python wants these at the top. At a prompt, and so in a session, they hold from then on.
    futures = dict.fromkeys(
        line.strip() for block in blocks for line in _FUTURE.findall(block.code)
    )
    parts = [
        _introduction(page, title, url),
        "\n".join([*futures, *([""] if futures else []), "from gilnotes.sessions import Sessions"]),
        "begin = Sessions(globals())\n",
        *(
            _part(block, heading, f"{url}#{block.anchor}" if url else str(block))
            for block, heading in zip(blocks, _titles(blocks, title), strict=True)
        ),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _introduction(page: Page, title: str, url: str) -> str:
    text = (
        f"{title}: the blocks of {url or page.file} as one program.\n\n"
        "Needs gilnotes, and nothing else. Each part prints what this interpreter makes of it;\n"
        "the page shows what others printed."
    )
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped}\n"""'


def _titles(blocks: Sequence[Block], title: str) -> list[str]:
    """What each part is called: the heading of its block, counted where it has several."""
    sections = [block.section or title for block in blocks]
    many, seen = Counter(sections), Counter[str]()
    titles = []
    for section in sections:
        seen[section] += 1
        number = f" ({seen[section]} of {many[section]})" if many[section] > 1 else ""
        titles.append(f"{section}{number}".replace("`", ""))
    return titles


def _part(block: Block, title: str, place: str) -> str:
    comments = [f"# {place}"]
    if block.claim:
        comments.append(f"# Claim: {block.claim}")
    if block.python:
        everywhere = "all" in block.python
        ran_on = "every interpreter it had" if everywhere else ", ".join(block.python)
        comments.append(f"# The site ran this on {ran_on}.")
    alone = block.python or block.fresh
    session = "" if alone else f", session={_quoted(block.session or 'the page')}"
    code = _FUTURE.sub("", block.code).rstrip("\n")
    return "\n".join([*comments, f"begin({_quoted(title)}{session})", code])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
