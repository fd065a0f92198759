"""Blocks → outcomes: decides what runs where and in which order, and collects how it ended."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime

import gilnotes
from gilnotes import interpreters
from gilnotes.interpreters import Interpreter, UnknownInterpreter
from gilnotes.site.blocks import Block
from gilnotes.site.cache import Cache, Entry, key, machine, surroundings
from gilnotes.site.outcomes import Failure, Outcome, Record
from gilnotes.site.process import Answer, Spare, WorkerProcess, kill_all
from gilnotes.site.progress import Progress


@dataclass(frozen=True)
class Job:
    """Blocks that run in one worker, in their order: a session, or one block alone."""

    blocks: tuple[Block, ...]
    spec: str
    interpreter: Interpreter

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may run meanwhile: what measures time wants the machine."""
        return any(block.fresh for block in self.blocks)


def run(
    blocks: Sequence[Block],
    found: Sequence[Interpreter],
    *,
    cache: Cache | None = None,
    remembered: Remembered | None = None,
    progress: Progress | None = None,
) -> Record:
    """Run every block on every interpreter it names.

    Args:
        blocks: of all pages, in any order.
        found: the interpreters of this machine; none, if no block asks for them.
        cache: where outcomes are looked up first, and kept; None: every block runs.
        remembered: what the last run of this process has left for this one.
        progress: told what begins and what has ended, one call at a time.

    Sessions run side by side on the cores; then, one by one, what must run alone.
    """
    jobs, outcomes = plan(blocks, found)
    progress = progress or Progress(None)
    progress.start(sum(len(job.blocks) for job in jobs))
    lock = threading.Lock()
    # An empty list would be believed: where nobody has looked, a block may look for itself.
    hand_over = {interpreters.ENVIRONMENT_VARIABLE: interpreters.to_json(found)} if found else {}
    builds = tuple(python.build for python in found)
    last = remembered or Remembered()
    memory = _Memory(cache, surroundings(), builds, last.entries if cache else {}, {})

    def work(job: Job) -> None:
        for event in _run_job(job, hand_over, memory, last.spare):
            with lock:
                if isinstance(event, Outcome):
                    outcomes.append(event)
                    progress.finished(event)
                else:
                    progress.running(event, job.spec)

    # Two a core: while one worker starts or its threads wait, another can use the core.
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        futures = [pool.submit(work, job) for job in jobs if not job.exclusive]
        try:
            for future in futures:
                future.result()  # raises here what a job raised there
        except BaseException:  # Ctrl-C among them: nobody waits for a block's timeout then
            _abandon(futures)
            raise
    for job in jobs:
        if job.exclusive:
            work(job)
    last.entries = memory.used
    last.hand_over = hand_over
    order = {str(block): number for number, block in enumerate(blocks)}
    tags = [interpreter.tag for interpreter in found]
    outcomes.sort(key=lambda o: (order[str(o.block)], _rank(o, tags)))
    return Record(tuple(outcomes))


def _abandon(futures: Sequence[Future[None]]) -> None:
    """End the jobs that run, and begin no other."""
    for future in futures:
        future.cancel()
    while wait(futures, timeout=0.1).not_done:
        kill_all()


@dataclass
class Remembered:
    """What a process that checks again and again keeps from one time to the next."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    """The outcomes, by their keys, also those that are never kept in the cache: they need
    neither be looked up nor made again."""

    spare: Spare = field(default_factory=Spare)
    hand_over: Mapping[str, str] = field(default_factory=dict)
    """What the workers were given beside the usual environment."""

    def prepare(self) -> None:
        """Start the worker that the next edit will need, while nobody waits for it."""
        args = (_here(), self.hand_over)
        threading.Thread(target=self.spare.prepare, args=args, daemon=True).start()


def plan(blocks: Sequence[Block], found: Sequence[Interpreter]) -> tuple[list[Job], list[Outcome]]:
    """The jobs to do, and the outcomes known beforehand: interpreters that are not here."""
    here = _here()
    sessions: dict[tuple[str, str], list[Block]] = {}
    alone: list[Job] = []
    missing: list[Outcome] = []
    for block in blocks:
        if not block.python:
            if block.fresh:
                alone.append(Job((block,), here.tag, here))
            else:
                sessions.setdefault((block.file, block.session), []).append(block)
        seen: set[str] = set()
        for spec in block.python:
            try:
                chosen = interpreters.select([spec], found)
            except UnknownInterpreter as error:
                missing.append(Outcome(block, spec, None, "missing", output=str(error)))
                continue
            for interpreter in chosen:
                if interpreter.tag not in seen:
                    seen.add(interpreter.tag)
                    alone.append(Job((block,), interpreter.tag, interpreter))
    return [Job(tuple(s), here.tag, here) for s in sessions.values()] + alone, missing


def _here() -> Interpreter:
    """The builder's own executable, not that of the installation behind its environment."""
    return dataclasses.replace(interpreters.current(), path=sys.executable)


def looks_around(block: Block) -> bool:
    """Whether a block may ask which interpreters there are: it uses more than the notes' subject.

    >>> looks_around(Block("docs/page.md", 1, "from gilnotes import Counter, worker"))
    False
    """
    return "gilnotes" in _SUBJECT.sub("", block.code)


_SUBJECT = re.compile(
    rf"^\s*from gilnotes import (?:(?:{'|'.join(gilnotes.__all__)})(?:, *)?\b)+ *$", re.MULTILINE
)


def _rank(outcome: Outcome, tags: Sequence[str]) -> int:
    return tags.index(outcome.spec) if outcome.spec in tags else len(tags)


def _run_job(
    job: Job, extra: Mapping[str, str], memory: _Memory, spare: Spare
) -> Iterable[Block | Outcome]:
    """Yield each block as it begins to run, and each outcome."""
    worker: WorkerProcess | None = None
    passed: list[Block] = []
    replayed = 0
    try:
        for number, block in enumerate(job.blocks, 1):
            session = job.blocks[:number]
            kept = memory.recall(session, job)
            if kept:
                passed.append(block)
                yield kept
                continue
            yield block
            worker = worker or spare.take(job.interpreter, extra)
            # The names of the session so far, where its outcomes came from the cache or its
            # worker has died: a block's fault is its own, not the next one's.
            again = _replay(worker, passed[replayed:], block)
            measured = datetime.now(UTC).isoformat(timespec="seconds")
            answer = again or worker.execute(block)
            if answer.failure is None:
                passed.append(block)
            replayed = len(passed)
            if not answer.alive:
                worker.close()
                worker, replayed = None, 0
            outcome = _outcome(block, job, answer, measured)
            memory.keep(session, job, outcome)
            yield outcome
    finally:
        if worker:
            worker.close()


def _replay(worker: WorkerProcess, passed: Sequence[Block], block: Block) -> Answer | None:
    """Run blocks again for their names; the answer for `block`, where one fails this time."""
    for earlier in passed:
        answer = worker.execute(earlier)
        if answer.failure:
            reason = f"{earlier} was run again for its names, and failed: {answer.failure.message}"
            return dataclasses.replace(answer, failure=Failure(reason, block.line), alive=False)
    return None


@dataclass(frozen=True)
class _Memory:
    """The cache, as far as a build may use it."""

    cache: Cache | None
    surroundings: tuple[str, ...]
    found: tuple[str, ...]
    """The interpreters of this machine, for the blocks that may ask for them."""

    remembered: Mapping[str, Entry]
    used: dict[str, Entry]

    def recall(self, session: Sequence[Block], job: Job) -> Outcome | None:
        block = session[-1]
        name = self._key(session, job)
        entry = self.remembered.get(name)
        if entry is None and self.cache and not block.fresh:
            entry = self.cache.get(name)
        if entry is None or (block.file in entry.output and entry.lines != _lines(session)):
            return None
        self.used[name] = entry
        return Outcome(
            block,
            job.spec,
            job.interpreter,
            "passed",
            output=entry.output,
            seconds=entry.seconds,
            measured=entry.measured,
            machine=entry.machine,
            cached=True,
        )

    def keep(self, session: Sequence[Block], job: Job, outcome: Outcome) -> None:
        if outcome.status != "passed":
            return
        name = self._key(session, job)
        entry = Entry(outcome.output, outcome.seconds, outcome.measured, machine(), _lines(session))
        self.used[name] = entry
        if self.cache and not outcome.block.fresh:
            self.cache.put(name, entry)

    def _key(self, session: Sequence[Block], job: Job) -> str:
        found = self.found if any(map(looks_around, session)) else ()
        return key(session, job.interpreter, (*self.surroundings, *found))


def _lines(session: Sequence[Block]) -> tuple[int, ...]:
    return tuple(block.line for block in session)


def _outcome(block: Block, job: Job, answer: Answer, measured: str) -> Outcome:
    return Outcome(
        block,
        job.spec,
        job.interpreter,
        status="failed" if answer.failure else "passed",
        output=answer.output,
        seconds=answer.seconds,
        measured=measured,
        machine=machine(),
        failure=answer.failure,
    )
