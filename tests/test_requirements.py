"""The locked requirements: what may stand in them and what may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "requirements"
FILES = sorted(FOLDER.glob("*.txt"))
ALL = [*FILES, *sorted((FOLDER.parent / "benchmarks").glob("*.txt"))]
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.!+-]+)(?: ; [^\\]+)? \\$")
NOTEBOOKS = re.compile(
    r"jupyter|notebook|nb(convert|format|client|sphinx)|i(py)?kernel|ipython|ipywidgets|myst-nb"
    r"|papermill|traitlets|tornado|pyzmq",
    re.IGNORECASE,
)


def entries(path: Path) -> list[list[str]]:
    """The requirements of a file: each its pin and its hashes, comments left out."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    found: list[list[str]] = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if line.startswith("--hash="):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def names(path: Path) -> set[str]:
    """What a file locks."""
    return {match["name"] for pin, *_ in entries(path) if (match := PIN.match(pin))}


def test_there_is_a_lock_for_the_site_for_development_and_for_locking() -> None:
    assert [path.stem for path in FILES] == ["dev", "lock", "site"]
    assert {"flit-core", "markdown-exec", "mkdocs", "mkdocs-material"} <= names(FOLDER / "site.txt")
    assert {"hypothesis", "mypy", "playwright", "pytest", "pytest-xdist", "ruff"} <= names(
        FOLDER / "dev.txt"
    )
    assert "uv" in names(FOLDER / "lock.txt")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_requirement_is_one_version_with_hashes(path: Path) -> None:
    for pin, *hashes in entries(path):
        assert PIN.match(pin), pin
        assert hashes, pin
        for line in hashes:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}( \\)?", line), (pin, line)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_no_address_and_no_path_of_a_machine_is_locked(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\w+://|--(extra-)?index-url|--find-links|(^|[\s'\"=])[/~]\w", text, re.M)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_notebook_kernel_or_jupyter_package_is_locked(path: Path) -> None:
    assert [name for name in names(path) if NOTEBOOKS.search(name)] == []


@pytest.mark.parametrize("name", ["jupyter-core", "ipykernel", "nbconvert", "mkdocs-jupyter"])
def test_the_pattern_for_notebooks_knows_them(name: str) -> None:
    assert NOTEBOOKS.search(name)


def test_what_the_site_needs_is_locked_alike_for_development() -> None:
    # tools/bootstrap.py relies on it: after `make test`, `make site` installs nothing.
    development = entries(FOLDER / "dev.txt")
    assert [entry for entry in entries(FOLDER / "site.txt") if entry not in development] == []
