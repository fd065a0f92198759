"""What the topics of the benchmark share: commands, environments, medians, targets."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}


@dataclass(frozen=True)
class Target:
    """What has been promised, and whether it holds."""

    text: str
    met: bool

    def __str__(self) -> str:
        return f"  {'met   ' if self.met else 'MISSED'}  {self.text}"


def install(requirements: Path, folder: Path, python: str = sys.executable) -> Path:
    """Put other systems into an environment of their own, unless they are there: its Python."""
    installed = folder / SCRIPTS / "python"
    stamp = folder / "installed.txt"
    wanted = f"# {python}\n{requirements.read_text('utf-8')}"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return installed
    print(f"Installing {requirements.relative_to(ROOT)} in {folder.relative_to(ROOT)} …")
    call((python, "-m", "venv", "--clear", str(folder)), ROOT)
    pip = (str(installed), "-m", "pip", "install", "--quiet", "--require-hashes")
    call((*pip, "-r", str(requirements)), ROOT)
    stamp.write_text(wanted, "utf-8")
    return installed


def call(command: Sequence[str], folder: Path) -> str:
    """Run a command; end with what it said if it fails."""
    done = subprocess.run(
        command, check=False, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} fails:\n{done.stdout}{done.stderr}")
    return done.stdout


def at_most(times: dict[str, list[float]], name: str, reference: str, limit: float) -> Target:
    """Whether a build takes at most so many times another one's time."""
    ratio = ratios(times, name, reference)
    return Target(f"{name}: {spread(ratio)} × {reference}, at most {limit}", median(ratio) <= limit)


def ratios(times: dict[str, list[float]], name: str, reference: str) -> list[float]:
    """One build's time in another's, round by round."""
    return [a / b for a, b in zip(times[name], times[reference], strict=True)]


def median(numbers: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(numbers)


def spread(numbers: Sequence[float]) -> str:
    """The median, and from where to where: `1.42 (1.38–1.55)`."""
    return f"{median(numbers):.2f} ({min(numbers):.2f}–{max(numbers):.2f})"


def seconds(numbers: Sequence[float]) -> str:
    """The same, of seconds."""
    return f"{spread(numbers)} s"
