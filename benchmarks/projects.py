"""The pages that are built: the same blocks, written down for each of the systems compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

CODE = """\
from gilnotes import Counter, run_threads, worker

counter = Counter()
run_threads(worker, 1000, counter, threads=5)
print(f"Block {number}: counter should be 5000, found {{counter.count}}")
"""

HEADING = """\
## Section {number}

Five threads count on page {page}.
"""

MKDOCS = """\
site_name: a benchmark
site_url: ""
use_directory_urls: false
theme: {{name: material, font: false}}
plugins: [{plugins}]
markdown_extensions: [pymdownx.highlight, pymdownx.superfences]
"""

SPHINX = """\
project = "a benchmark"
extensions = ["myst_nb"]
exclude_patterns = ["_build"]
nb_execution_mode = "{mode}"
nb_execution_raise_on_error = True
"""

KERNEL = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


def plain(root: Path, pages: int, blocks: int) -> None:
    """MkDocs, where nothing is executed: the code is highlighted, as everywhere."""
    _mkdocs(root, "search")
    # With an option that it does not know, MkDocs would take the fence for a paragraph.
    _write(root / "docs", pages, blocks, lambda _: "python")


def in_process(root: Path, pages: int, blocks: int) -> None:
    """markdown-exec, which executes in the process that builds."""
    _mkdocs(root, "search, {markdown-exec: {languages: [python]}}")
    options = 'exec="on" source="above" result="text"'
    _write(root / "docs", pages, blocks, lambda page: f'python {options} session="{page}"')


def gilnotes(root: Path, pages: int, blocks: int) -> None:
    """This project."""
    _mkdocs(root, "search, {markdown-exec: {languages: [python]}}, gilnotes")
    _write(root / "docs", pages, blocks, lambda _: 'python exec="on" source="above" result="text"')


def myst_nb(root: Path, pages: int, blocks: int, *, mode: str) -> None:
    """Sphinx with MyST-NB; `mode` is "force" (always execute) or "cache"."""
    _write(root, pages, blocks, lambda _: "{code-cell}", KERNEL)
    (root / "conf.py").write_text(SPHINX.format(mode=mode), "utf-8")
    names = "".join(f"page{page}\n" for page in range(1, pages))
    with (root / "index.md").open("a", encoding="utf-8") as index:
        index.write(f"```{{toctree}}\n{names}```\n")


def mkdocs_jupyter(root: Path, pages: int, blocks: int) -> None:
    """MkDocs with mkdocs-jupyter, which is given notebooks."""
    _mkdocs(root, "search, {mkdocs-jupyter: {execute: true, allow_errors: false}}")
    (root / "docs").mkdir()
    for number in range(pages):
        cells = [_cell("markdown", f"# Page {number}\n")]
        for block in range(blocks):
            cells.append(_cell("markdown", HEADING.format(page=number, number=block)))
            cells.append(_cell("code", CODE.format(number=block), outputs=[], execution_count=None))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
        text = json.dumps({**notebook, "nbformat_minor": 4})
        name = f"page{number}.ipynb" if number else "index.ipynb"
        (root / "docs" / name).write_text(text, "utf-8")


def _cell(kind: str, source: str, **more: object) -> dict[str, object]:
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def page(number: int, blocks: int, fence: Callable[[int], str], top: str = "") -> str:
    """One page: a heading, a sentence and a block, so many times."""
    sections = []
    for block in range(blocks):
        heading, code = HEADING.format(page=number, number=block), CODE.format(number=block)
        sections.append(f"{heading}\n```{fence(number)}\n{code}```\n\n")
    return f"{top}# Page {number}\n\n{''.join(sections)}"


def _mkdocs(root: Path, plugins: str) -> None:
    root.mkdir(parents=True)
    (root / "mkdocs.yml").write_text(MKDOCS.format(plugins=plugins), "utf-8")


def _write(
    folder: Path, pages: int, blocks: int, fence: Callable[[int], str], top: str = ""
) -> None:
    folder.mkdir(parents=True)
    for number in range(pages):
        name = f"page{number}.md" if number else "index.md"
        (folder / name).write_text(page(number, blocks, fence, top), "utf-8")
