"""Every schedule of real threads on real, unmodified code: replayed, explored, counted."""

from __future__ import annotations

from gilnotes.interleaving.exploring import Class, InvariantBroken, Minimal, Report, explore
from gilnotes.interleaving.program import VERDICTS, Program, same

__all__ = ["VERDICTS", "Class", "InvariantBroken", "Minimal", "Program", "Report", "explore", "same"]
