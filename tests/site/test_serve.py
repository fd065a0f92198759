"""`mkdocs serve`: a failure is shown at its block, the server goes on, only what changed runs."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import gilnotes
from tests.support import CONFIGURATION, Project

PAGE = """\
# A page

Prose above.

```python exec="on" result="text"
open({witness!r}, "a").write("ran ")
import gilnotes.counters
print("mark", gilnotes.counters.MARK)
```

Prose between.

```python exec="on" result="text"
print("six", 2 * 3)
1 / 0
```

Prose below.
"""


@dataclass(frozen=True)
class Server:
    """A real server, for a project and a copy of gilnotes that a test may edit."""

    project: Project
    package: Path
    port: int
    process: subprocess.Popen[bytes]

    def get(self) -> str:
        """The page as it is served now; empty while there is no server yet."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request("GET", "/index.html")
            return connection.getresponse().read().decode()
        except ConnectionError:
            return ""

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """The page as soon as this text is in it."""
        deadline = time.monotonic() + seconds
        while text not in (page := self.get()):
            assert self.process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, f"no {text!r} in: {page}"
            time.sleep(0.05)  # between two looks
        return page

    def ran(self) -> int:
        """How often the first block has run."""
        return (self.project.root / "witness").read_text().count("ran")


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    package = project.root / "src" / "gilnotes"
    shutil.copytree(Path(gilnotes.__file__).parent, package)
    with (package / "counters.py").open("a") as module:
        module.write("\nMARK = 1\n")
    watched = f"watch: [{package}]\n"
    (project.root / "mkdocs.yml").write_text(CONFIGURATION + watched, "utf-8")
    project.page(PAGE.format(witness=str(project.root / "witness")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (project.root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "serve", "--livereload", "-a", f"127.0.0.1:{port}"],
            cwd=project.root,
            env={
                **os.environ,
                "NO_MKDOCS_2_WARNING": "1",
                "PYTHONPATH": str(package.parent),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=log,
            stderr=log,
        )
        try:
            yield Server(project, package, port, process)
        finally:
            process.kill()
            process.wait()


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), "utf-8")


def test_a_page_is_served_as_it_is_edited(server: Server) -> None:
    page = server.project.root / "docs" / "index.md"

    # A failure is shown in its page, at its block.
    html = server.wait_for("Prose below.")
    places = [
        html.index(text)
        for text in ("Prose between.", 'role="alert"', "ZeroDivisionError", "six 6", "Prose below.")
    ]
    assert places == sorted(places)
    assert "docs/index.md:15: ZeroDivisionError" in html
    assert "mark 1" in html
    assert server.ran() == 1

    # Mended, it is gone, and the block before it did not run for its own sake.
    edit(page, "\n1 / 0", "")
    html = server.wait_for("from cache")
    assert 'role="alert"' not in html
    assert "six 6" in html

    # Prose runs nothing.
    ran = server.ran()
    edit(page, "Prose above.", "Other prose,\n\non more lines.")
    server.wait_for("on more lines.")
    assert server.ran() == ran

    # The package is imported anew.
    edit(server.package / "counters.py", "MARK = 1", "MARK = 2")
    html = server.wait_for("mark 2")
    assert "mark 1" not in html
    assert server.ran() == ran + 1

    # A slip in a fence is shown at its place, too, and mended like the rest.
    edit(page, 'exec="on" result="text"\nprint', 'exce="on" result="text"\nprint')
    assert "docs/index.md:15: unknown option" in server.wait_for("did you mean exec?")
    edit(page, 'exce="on"', 'exec="on"')
    assert "unknown option" not in server.wait_for("six 6")
