"""A page's blocks as one program: each script of the real pages runs, with gilnotes alone."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gilnotes import interpreters
from gilnotes.site.blocks import Page, find_blocks
from gilnotes.site.scripts import script

ROOT = Path(__file__).resolve().parents[2]

PAGE = """\
---
title: A page
---

# First

```python exec="on"
from __future__ import annotations
import sys
sys.setswitchinterval(0.001)
shared = "of the page"
```

```python exec="on" python="3.9 3.13t" claim="`shared` is not here"
assert "shared" not in globals()
alone = True
```

## Second "part"

```python exec="on"
def names() -> Unknown:
    return shared, "alone" in globals(), "other" in globals()

print(names(), sys.getswitchinterval())
```

```python exec="on" session="other"
other = 1
```

```python exec="off"
never
```

```python exec="on" fresh="on"
print(sorted(name for name in globals() if not name.startswith("__")))
```

```python exec="on" session="other"
print("kept", other)
```
"""


def found(text: str = PAGE) -> Page:
    page = find_blocks(text, "docs/page.md")
    assert not page.problems
    return page


def run(path: Path, *flags: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script where gilnotes is all there is, on a machine with one interpreter."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(ROOT),
        "GILNOTES_INTERPRETERS": interpreters.to_json([interpreters.current()]),
    }
    return subprocess.run(
        # -S: nothing that is installed beside the interpreter can be imported.
        [sys.executable, "-S", *flags, str(path)],
        check=False,
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_each_part_sees_the_names_of_its_own_session(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text(script(found(), "A page"), "utf-8")
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "",
        "== First (1 of 2) ==",
        "",
        "== First (2 of 2) ==",
        "",
        '== Second "part" (1 of 4) ==',
        "('of the page', False, False) 0.005",
        "",
        '== Second "part" (2 of 4) ==',
        "",
        '== Second "part" (3 of 4) ==',
        "['Sessions', 'annotations', 'begin']",
        "",
        '== Second "part" (4 of 4) ==',
        "kept 1",
    ]


def test_a_script_says_where_its_parts_come_from() -> None:
    text = script(found(), "A page", "https://example.org/page.html")
    assert text.startswith('"""A page: the blocks of https://example.org/page.html as one program.')
    assert "# https://example.org/page.html#shared-is-not-here\n# Claim: `shared` is not" in text
    assert "# The site ran this on 3.9, 3.13t.\n" in text
    assert text.index("from __future__") < text.index("from gilnotes.sessions")
    assert "never" not in text
    compile(script(found(), 'A """page""" \\'), "page.py", "exec")


def test_a_block_that_fails_fails_the_script(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text(script(found('```python exec="on"\nassert 1 == 2\n```\n'), "A page"), "utf-8")
    done = run(path)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr


def test_the_script_of_every_real_page_runs(tmp_path: Path) -> None:
    scripts = []
    for path in sorted((ROOT / "docs").rglob("*.md")):
        page = find_blocks(path.read_text("utf-8-sig"), path.relative_to(ROOT).as_posix())
        if page.blocks:
            scripts.append(tmp_path / f"{path.stem}.py")
            scripts[-1].write_text(script(page, path.stem), "utf-8")
    assert len(scripts) >= 4
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(lambda path: run(path, timeout=600), scripts))
    for path, done in zip(scripts, ran, strict=True):
        assert done.returncode == 0, f"{path.name}: {done.stderr}"
        assert done.stdout.count("\n== ") == path.read_text("utf-8").count("\nbegin(")
