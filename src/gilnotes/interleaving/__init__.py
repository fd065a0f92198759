"""Every schedule of real threads on real, unmodified code: replayed, explored, counted.

>>> from gilnotes import Counter
>>> from gilnotes.interleaving import Program, explore, replay, same
>>> def increment(counter): counter.increment(1)
>>> program = Program(Counter, same(increment, 2), holds=lambda counter: counter.count == 2)
>>> replay(program, "A.read B.end A.end").verdict
'broken'
>>> explore(program, granularity="shared").broken
4

Each schedule is a new run on real threads, of which one runs at a time: at each instruction of the
code under study somebody else may be given the turn. Only the schedules are made; the code, the
objects and the values are the reader's own.

What it does not do: a thread under study may not start threads; `Barrier.n_waiting` and other
unguarded looks into the standard library's own objects are not seen as steps. On a free-threaded
build it works and gives the same counts, some three times slower; but there two threads can also
be *inside* one opcode at once, which no schedule of opcodes shows.
"""

from __future__ import annotations

from gilnotes.interleaving.exploring import Class, InvariantBroken, Minimal, Report, explore
from gilnotes.interleaving.program import VERDICTS, Program, same
from gilnotes.interleaving.recording import Recording, play, record
from gilnotes.interleaving.replaying import Execution, Trace, TraceStep, replay

__all__ = [
    "VERDICTS",
    "Class",
    "Execution",
    "InvariantBroken",
    "Minimal",
    "Program",
    "Recording",
    "Report",
    "Trace",
    "TraceStep",
    "explore",
    "play",
    "record",
    "replay",
    "same",
]
