"""Real projects in temporary folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import CONFIGURATION, Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "mkdocs.yml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "docs").mkdir()
    return Project(tmp_path)
