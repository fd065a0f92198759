"""A real project in a folder, and a real MkDocs in a process of its own that builds it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = """\
site_name: a test
site_url: ""
use_directory_urls: false
theme: {name: material, font: false}
plugins: [search, {markdown-exec: {languages: [python]}}, gilnotes]
markdown_extensions:
  - admonition
  - tables
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
"""


@dataclass(frozen=True)
class Project:
    """A folder with a `mkdocs.yml` and pages."""

    root: Path

    def page(self, text: str, name: str = "index.md") -> Path:
        path = self.root / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def build(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", *options],
            check=False,
            cwd=self.root,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def html(self, name: str = "index.html") -> str:
        return (self.root / "site" / name).read_text("utf-8")

    def site(self) -> dict[str, bytes]:
        """Every file of the built site with its bytes."""
        site = self.root / "site"
        return {
            str(path.relative_to(site)): path.read_bytes()
            for path in sorted(site.rglob("*"))
            if path.is_file()
        }
