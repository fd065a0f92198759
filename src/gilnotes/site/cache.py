"""Outcomes kept between builds, in a folder that builds may share and anybody may delete.

An entry is found by what decided the outcome: the block, the blocks before it in its session,
the source of gilnotes, the interpreter, the machine. It is one file, written whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import gilnotes
from gilnotes.interpreters import Interpreter
from gilnotes.site.blocks import Block

VERSION = 1
"""Goes up when entries of older versions can no longer be used."""

LIMIT = 64 * 1024 * 1024
"""Bytes that the entries may take together; the ones not used for longest go first."""


@dataclass(frozen=True)
class Entry:
    """What is kept of an outcome; only blocks that passed are kept."""

    output: str
    seconds: float
    measured: str
    """When, in UTC (ISO 8601)."""

    machine: str
    """Where: operating system, processor, cores."""

    lines: tuple[int, ...]
    """Where the session's blocks stood in their file: a traceback may name these lines."""


class Cache:
    """A folder of entries.

    >>> cache = Cache(Path(tempfile.mkdtemp()))
    >>> cache.get("0" * 64) is None
    True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None where there is none, or it is damaged."""
        path = self._path(key)
        try:
            body, _, checksum = path.read_text("utf-8").rpartition("\n")
            if hashlib.sha256(body.encode()).hexdigest() != checksum:
                return None
            fields = json.loads(body)
            # The time of last use; not every file system keeps one by itself.
            os.utime(path)
            return Entry(**{**fields, "lines": tuple(fields["lines"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry. A folder that cannot be written keeps nothing, and says nothing."""
        body = json.dumps(asdict(entry))
        text = f"{body}\n{hashlib.sha256(body.encode()).hexdigest()}"
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=path.parent, delete=False
            ) as file:
                file.write(text)
            Path(file.name).replace(path)

    def prune(self, limit: int = LIMIT) -> None:
        """Delete the entries not used for longest, until the rest takes `limit` bytes at most."""
        entries = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                facts = path.stat()
                entries.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= limit:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def size(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes they take."""
        sizes = []
        for path in self.folder.glob("*/*.json"):
            with contextlib.suppress(OSError):
                sizes.append(path.stat().st_size)
        return len(sizes), sum(sizes)

    def clear(self) -> None:
        """Delete everything."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.json"


def key(session: Sequence[Block], interpreter: Interpreter, surroundings: Sequence[str]) -> str:
    """The key of the last of these blocks, which run in one session in this order.

    Where a block stands in its file is not part of it: prose may move above it.
    """
    facts = [
        VERSION,
        [[b.file, b.code, b.python, b.timeout, b.session, b.width] for b in session],
        [interpreter.build, interpreter.platform, interpreter.compiler, interpreter.options],
        list(surroundings),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def surroundings() -> tuple[str, ...]:
    """What decides the outcome of every block of a build: our source, the machine."""
    return source(), machine()


def machine() -> str:
    """Operating system, processor and cores: `Linux x86_64, 2 cores`."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


_INSIDE = ("scheduler.py", "worker.py")
"""The modules of this folder that run inside a worker: a page's block imports the first."""


def source() -> str:
    """A hash of all that a block imports of gilnotes, and of the worker that runs it."""
    package = Path(gilnotes.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if "site" not in path.relative_to(package).parts or path.name in _INSIDE:
            digest.update(f"{path.relative_to(package)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
