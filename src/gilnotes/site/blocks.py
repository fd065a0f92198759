"""Markdown → blocks: finds the Python fences of a page, each with its file and its line.

A fence that would be published as raw text, because of a slip in its header, is a `Problem`
with the line and the fix. It is found here, before anything runs: the Markdown extensions
pass over such a fence in silence.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from gilnotes import interpreters
from gilnotes.site.fences import Fence, Unclosed, find_fences, find_headings
from gilnotes.site.plots import PLOTS

DEFAULT_TIMEOUT = 30.0
"""Seconds a block may take where its fence names no `timeout`."""


@dataclass(frozen=True)
class Block:
    """One executable Python fence. `str(block)` is `docs/race.md:31`, where its fence opens."""

    file: str
    """The page, as messages name it: relative to the project's root, with forward slashes."""

    line: int
    """The line of the opening fence in the file, from 1. The code starts on the next."""

    code: str
    """The code, without the indentation of its fence."""

    python: tuple[str, ...] = ()
    """The interpreters to run on (`3.9`, `3.13t`, `all`); none: the one that builds."""

    claim: str = ""
    """What the block's `assert`s prove, in words."""

    timeout: float = DEFAULT_TIMEOUT
    """Seconds after which the block has failed."""

    fresh: bool = False
    """Run in a worker of its own while nothing else runs, never from the cache."""

    session: str = ""
    """The blocks of a page that share this name share one worker."""

    anchor: str = ""
    """Where the block's outcome can be linked to in the built page: unique in it, and as
    permanent as the claim or the code it is made of."""

    width: int = 0
    """Columns of the terminal the block believes in (`COLUMNS`); 0: unset."""

    figure: str = ""
    """The picture that is made of the tables which the block prints; empty: none."""

    section: str = field(default="", compare=False)
    """The heading that the block stands under; empty above the first."""

    header: str = field(default="", compare=False)
    """The rest of the fence, which belongs to markdown-exec (`source="above" …`)."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """Something in the Markdown that has to be mended before a block may run."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Page:
    """The blocks of one Markdown file, in their order, and the problems found beside them."""

    file: str
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...]


def find_blocks(text: str, file: str) -> Page:
    """Find the executable Python fences of a Markdown text.

    >>> page = find_blocks('''# A page
    ...
    ... ```python exec="on" python="3.9 3.13t"
    ... print("hello")
    ... ```
    ... ''', "docs/page.md")
    >>> [str(block) for block in page.blocks], page.blocks[0].python
    (['docs/page.md:3'], ('3.9', '3.13t'))

    Nothing is raised for what is wrong in the text: it is in `Page.problems`, all of it.
    """
    blocks: list[Block] = []
    problems: list[Problem] = []
    headings = find_headings(text)
    try:
        for fence in find_fences(text):
            try:
                block = _block(fence, file)
            except ValueError as error:
                problems.append(Problem(file, fence.line, str(error)))
            else:
                if block:
                    above = [heading.text for heading in headings if heading.line < block.line]
                    section = above[-1] if above else ""
                    block = replace(block, anchor=_anchor(block, blocks), section=section)
                    blocks.append(block)
    except Unclosed as error:
        problems.append(Problem(file, error.line, error.message))
    return Page(file, tuple(blocks), tuple(problems))


def for_markdown_exec(text: str, page: Page) -> str:
    """Rewrite the text for markdown-exec: its own options stay, and each block gets its place.

    The place travels as `id`, so that the renderer finds the outcome of that very block. The
    text may lack lines at the top that the file has (front matter): the order decides. Above a
    fence that has to be mended stands what is wrong with it.
    """
    lines = text.split("\n")
    blocks, problems = iter(page.blocks), iter(page.problems)
    try:
        for fence in find_fences(text):
            start = fence.line - 1
            try:
                if _block(fence, page.file):
                    place = next(blocks)
                    header = f'{place.header} id="{place}" idprefix=""'
                    lines[start] = f"{fence.prefix}{fence.marks}python {header}"
            except ValueError:
                lines[start] = f"{fence.prefix}**{next(problems)}**\n\n{lines[start]}"
    except Unclosed as error:
        lines[error.line - 1] = f"**{next(problems)}**\n\n{lines[error.line - 1]}"
    return "\n".join(lines)


_PYTHON_BY_OTHER_NAMES = {"python", "python3", "py", "py3", "python2", "cpython", "pyi"}
_OPTION = re.compile(
    r"""(?P<name>[A-Za-z_][\w-]*)(?:=(?P<quote>["'])(?P<value>.*?)(?P=quote))?(?=\s|$)"""
)
_CURLY = re.compile("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]")


def _block(fence: Fence, file: str) -> Block | None:
    """Make the block of a fence; None where it holds no Python to run.

    Raises:
        ValueError: the header is not one that would do what its author meant.
    """
    language, _, header = fence.header.partition(" ")
    if language == "figure" and not header:
        _one_of(*PLOTS)("figure", fence.code.strip())
        return None
    if language.startswith("{"):
        if "python" in fence.header.casefold():
            raise ValueError('write ```python exec="on" …, without braces')
        return None
    if language != "python":
        if _is_meant_as_python(language):
            raise ValueError(f"unknown language {language!r}; write python")
        if re.search(r"\bexec\s*=", header):
            raise ValueError(f"only python blocks are executed, not {language or 'a bare fence'}")
        return None
    options = _options(header.strip())
    if "exec" not in options:
        raise ValueError(
            'this Python block is neither executed nor marked; add exec="on" or exec="off"'
        )
    for name, value in options.items():
        _READ[name](name, value)
    if not _switch("exec", options["exec"]):
        for name in options.keys() & _OURS:
            raise ValueError(f'{name}= has no meaning beside exec="off"')
        return None
    block = Block(
        file,
        fence.line,
        fence.code,
        python=_specs("python", options["python"]) if "python" in options else (),
        claim=options.get("claim", ""),
        timeout=_seconds("timeout", options.get("timeout", str(DEFAULT_TIMEOUT))),
        fresh=_switch("fresh", options.get("fresh", "off")),
        session=options.get("session", ""),
        width=_whole("width", options.get("width", "0")),
        figure=options.get("figure", ""),
        header=_header({name: value for name, value in options.items() if name not in _OURS}),
    )
    _check(block, options)
    return block


def _check(block: Block, options: Mapping[str, str]) -> None:
    """Raise ValueError for options that cannot stand together."""
    if block.python and block.session:
        raise ValueError("a block with python= runs alone and cannot be part of a session")
    for other in ("python", "result", "html"):
        if block.figure and other in options:
            raise ValueError(f"figure= draws the tables that one interpreter prints; no {other}=")
    if block.claim and not re.search(r"^\s*assert\b", block.code, re.MULTILINE):
        raise ValueError("this block claims something and asserts nothing; add an assert")


def _anchor(block: Block, before: Sequence[Block]) -> str:
    words = re.findall(r"[a-z0-9]+", block.claim.casefold())
    name = "-".join(words) or "block-" + hashlib.sha256(block.code.encode()).hexdigest()[:8]
    same = sum(re.fullmatch(rf"{name}(_\d+)?", other.anchor) is not None for other in before)
    return f"{name}_{same}" if same else name


def _header(options: Mapping[str, str]) -> str:
    quoted = {name: f"'{v}'" if '"' in v else f'"{v}"' for name, v in options.items()}
    return " ".join(f"{name}={value}" for name, value in quoted.items())


def _is_meant_as_python(language: str) -> bool:
    if language.casefold() in _PYTHON_BY_OTHER_NAMES:
        return True
    if not difflib.get_close_matches(language.casefold(), ["python"], cutoff=0.8):
        return False
    try:
        get_lexer_by_name(language)
    except ClassNotFound:
        return True
    return False


def _options(header: str) -> dict[str, str]:
    options: dict[str, str] = {}
    rest = header
    if _CURLY.search(re.sub(r'"[^"]*"', "", header)):
        raise ValueError('curly quotes in the fence; write them straight: exec="on"')
    while rest:
        found = _OPTION.match(rest)
        if not found or re.match(r"\s*=", rest[found.end() :]):
            raise ValueError(_misread(rest))
        name, value = found["name"], found["value"]
        if name not in _READ:
            raise ValueError(_unknown(name))
        if value is None:
            raise ValueError(f'{name} needs a value in quotes: {name}="…"')
        if name in options:
            raise ValueError(f"{name}= is given twice")
        options[name] = value
        rest = rest[found.end() :].lstrip()
    return options


def _misread(rest: str) -> str:
    unquoted = re.match(r"(?P<name>[\w-]+)\s*=\s*(?P<value>[^\s\"']+)", rest)
    if unquoted and unquoted["name"] in _READ:
        return f'write {unquoted["name"]}="{unquoted["value"]}", in quotes and without spaces'
    spaced = re.match(r"(?P<name>[\w-]+)\s*=\s*(?P<value>\"[^\"]*\"|'[^']*')", rest)
    if spaced and spaced["name"] in _READ:
        return f"write {spaced['name']}={spaced['value']}, without spaces around ="
    if unquoted or spaced:
        return _unknown((unquoted or spaced or {"name": ""})["name"])
    return f"cannot read the fence from here on: {rest}"


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, _READ, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(sorted(_READ))}"
    return f"unknown option {name!r}; {hint}"


def _switch(name: str, value: str) -> bool:
    if value.casefold() not in ("on", "off"):
        raise ValueError(f'{name}="{value}": write {name}="on" or {name}="off"')
    return value.casefold() == "on"


def _text(name: str, value: str) -> str:
    if not value.strip():
        raise ValueError(f"{name}= is empty")
    return value


def _specs(name: str, value: str) -> tuple[str, ...]:
    specs = tuple(_text(name, value).split())
    for spec in specs:
        # Whether this machine has it is another question, asked when the block is run.
        with contextlib.suppress(interpreters.UnknownInterpreter):
            interpreters.select([spec], ())
    return specs


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise ValueError(f'{name}="{value}": a number of seconds from 0 to 3600, as {name}="30"')
    return seconds


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise ValueError(f'{name}="{value}": a whole number, as {name}="80"')
    return int(value)


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in choices:
            nearest = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else f"one of {', '.join(choices)}"
            raise ValueError(f'{name}="{value}": {hint}')
        return value

    return read


_OURS = ("python", "claim", "timeout", "fresh", "figure")
_READ: Mapping[str, Callable[[str, str], object]] = {
    "python": _specs,
    "claim": _text,
    "timeout": _seconds,
    "fresh": _switch,
    "figure": _one_of(*PLOTS),
    "exec": _switch,
    "html": _switch,
    "updatetoc": _switch,
    "source": _one_of("above", "below", "block", "tabbed-left", "tabbed-right", "console"),
    "result": _text,
    "title": _text,
    "tabs": _text,
    "session": _text,
    "width": _whole,
    "linenums": _whole,
    "hl_lines": _text,
}
"""Every option of a fence, and what reads its value: ours, and those of markdown-exec."""
