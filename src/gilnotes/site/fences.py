"""Markdown → fences and headings: where code stands in a text, as SuperFences would see it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fence:
    """A fence of any language."""

    line: int
    """The line of the opening fence, from 1."""

    end: int
    """The line of the closing one."""

    prefix: str
    """What stands before the marks: indentation, block quotes."""

    marks: str
    """Three backticks or tildes, or more."""

    header: str
    """What follows the marks: `python exec="on"`."""

    code: str
    """What is between the fences, without the prefix."""


@dataclass(frozen=True)
class Heading:
    """A heading of a page: `## The program`."""

    line: int
    level: int
    text: str


class Unclosed(Exception):
    """A fence that does not end where it has to."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message


_OPENING = re.compile(
    r"""(?P<prefix>[> \t]*)(?P<marks>`{3,}|~{3,})[ \t]*"""
    r"""(?P<header>(?:[^`"']|"[^"]*"|'[^']*'|["'](?=[^`]*$))*)$"""
)
"""The opening of a fence, as SuperFences reads it: between quotes a backtick is a character."""


def find_fences(text: str) -> Iterator[Fence]:
    """Yield the fences of a Markdown text, in their order.

    Raises:
        Unclosed: a fence does not end.
    """
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number].rstrip("\r")
        number += 1
        # Most lines are prose, which this tells apart faster than the expression does.
        opening = _OPENING.match(line) if "```" in line or "~~~" in line else None
        if not opening:
            continue
        prefix, marks = opening["prefix"], opening["marks"]
        start = number
        while True:
            if number == len(lines):
                raise Unclosed(start, f"this fence is never closed; end it with {marks}")
            line = lines[number].rstrip("\r")
            if line.strip("> \t") == marks:
                break
            if line.strip() and not line.startswith(prefix.rstrip(" \t")):
                raise Unclosed(start, f"this fence is never closed; end it with {prefix}{marks}")
            if line.strip("> \t") and _columns(line) < _columns(prefix):
                raise Unclosed(
                    number + 1, f"this line is indented less than its fence (line {start})"
                )
            number += 1
        code = "\n".join(line.rstrip("\r")[len(prefix) :] for line in lines[start:number])
        number += 1
        yield Fence(start, number, prefix, marks, opening["header"].strip(), code)


_HEADING = re.compile(r"(?P<level>#{1,6})[ \t]+(?P<text>.*?)[ \t#]*(\{[^}]*\}[ \t]*)?$")


def find_headings(text: str) -> list[Heading]:
    r"""Find the headings of a Markdown text; a comment inside a fence or the front matter is none.

    >>> find_headings("# A page\n\n```python\n# a comment\n```\n\n## Its `part` {#part}\n")
    [Heading(line=1, level=1, text='A page'), Heading(line=7, level=2, text='Its `part`')]
    """
    fenced: set[int] = set(range(1, front_matter(text)[1] + 1))
    with contextlib.suppress(Unclosed):
        for fence in find_fences(text):
            fenced.update(range(fence.line, fence.end + 1))
    return [
        Heading(number, len(match["level"]), match["text"])
        for number, line in enumerate(text.split("\n"), 1)
        if number not in fenced and (match := _HEADING.match(line.rstrip("\r")))
    ]


def front_matter(text: str) -> tuple[str, int]:
    r"""What stands between `---` at the top of a page, and the number of lines it all takes.

    >>> front_matter("---\ntitle: A page\n---\n\nProse.\n")
    ('title: A page\n', 3)
    """
    match = re.match(r"---[ \t]*\r?\n(?P<yaml>(?:.*\n)*?)---[ \t]*(?:\r?\n|$)", text)
    return (match["yaml"], match[0].count("\n")) if match else ("", 0)


def _columns(line: str) -> int:
    """How far a line is indented, block quote marks included."""
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip("> "))
