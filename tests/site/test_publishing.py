"""What is published beside the HTML: programs, Markdown with outcomes, llms.txt, a picture."""

from __future__ import annotations

import ast
import json
import struct
from typing import TYPE_CHECKING

import pytest

from gilnotes.site.publishing import with_suffix
from tests.support import CONFIGURATION, Project

if TYPE_CHECKING:
    pass

HOME = """\
---
title: The counter
description: Who counts what.
---

# The counter

```python exec="on" source="above" result="text" python="all" claim="It counts."
print("Counter should be 500000, found 499999")
assert True
```

```python exec="on"
print("| a | b |\\n| --- | --- |\\n| 1 | 2 |")
```

!!! note

    ```python exec="off" title="x"
    never_run()
    ```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("published"))
    configuration = CONFIGURATION.replace('""', "https://example.org/notes/")
    (project.root / "mkdocs.yml").write_text(configuration, "utf-8")
    project.page(HOME)
    project.page("# Words\n\n```claims\n```\n\n```evidence\ninterpreters\n```\n", "sub/words.md")
    done = project.build("--strict")
    assert done.returncode == 0, done.stderr
    return project


@pytest.mark.parametrize(
    ("target", "program"),
    [
        ("race.html", "race.py"),
        ("sub/race.html", "sub/race.py"),
        ("race/index.html", "race/index.py"),
    ],
)
def test_a_file_stands_beside_its_page(target: str, program: str) -> None:
    assert with_suffix(target, ".py") == program


def test_a_page_offers_its_blocks_as_a_program(built: Project) -> None:
    assert '<a href="index.py" download>index.py</a>' in built.html()
    assert '<a href="index.md">index.md</a>' in built.html()
    program = built.html("index.py")
    assert "https://example.org/notes/index.html#it-counts" in program
    ast.parse(program)


def test_a_page_without_blocks_has_no_program(built: Project) -> None:
    assert "Run it yourself" not in built.html("sub/words.html")
    assert "sub/words.py" not in built.site()


def test_the_markdown_of_a_page_holds_its_outcomes(built: Project) -> None:
    text = built.html("index.md")
    assert text.startswith("---\ntitle: The counter\n")
    assert '```python\nprint("Counter should be 500000, found 499999")\n' in text
    assert "\n```text\nCounter should be 500000, found 499999\n```\n" in text
    assert "\nClaim: It counts.\n" in text
    assert "\n| a | b |\n| --- | --- |\n| 1 | 2 |\n" in text
    assert "\n    ```python\n    never_run()\n    ```\n" in text
    assert "exec=" not in text


def test_claims_and_evidence_are_tables_in_markdown(built: Project) -> None:
    text = built.html("sub/words.md")
    assert "| Claim | Held on | Evidence |\n" in text
    assert "| It counts. | " in text
    assert "| CPython 3." in text
    assert "\nMachine: " in text


def test_llms_txt_lists_every_page(built: Project) -> None:
    text = built.html("llms.txt")
    assert text.startswith("# a test\n")
    assert "- [The counter](https://example.org/notes/index.md): Who counts what.\n" in text
    assert "- [Words](https://example.org/notes/sub/words.md)\n" in text


def test_the_site_map_names_every_page(built: Project) -> None:
    site_map = built.html("sitemap.xml")
    for page in ("index.html", "sub/words.html"):
        assert f"<loc>https://example.org/notes/{page}</loc>" in site_map


def test_the_picture_is_a_png_of_the_size_that_is_announced(built: Project) -> None:
    content = built.site()["assets/card.png"]
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (1200, 630)


def test_search_finds_what_a_block_printed(built: Project) -> None:
    index = json.loads(built.html("search/search_index.json"))
    texts = [entry["text"] for entry in index["docs"]]
    assert any("Counter should be 500000, found 499999" in text for text in texts)
    assert not any("link to this outcome" in text for text in texts)
