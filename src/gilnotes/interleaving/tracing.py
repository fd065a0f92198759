"""How a thread is stopped before each instruction under study.

From 3.12 on, `sys.monitoring` sends an event before each instruction of just the code objects that
ask for it. Before that there is `sys.settrace`, with `f_trace_opcodes`. (It still works, but from
3.12 on every instruction of the whole process then sends events, the scheduler's own among them.)

Traps of CPython that this module steers around, each seen:

- Up to 3.10 a trace function writes stale values back into cells (bpo-30744), so that a waiting
  thread would *invent* lost updates. Looking at `frame.f_locals` before it returns refreshes them.
- A tool that used `sys.monitoring` before may have switched events off for good;
  `sys.monitoring.restart_events()` brings them back.
- `sys.monitoring` reports instructions that only begin a frame, RESUME and the like, and
  `sys.settrace` does not: they are no steps (`planning`).
"""

from __future__ import annotations

import sys
from _thread import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, Union

    from gilnotes.interleaving.running import Crew, Inside, Member

    Tracing = Union["TraceFunctions", "Monitoring"]


monitoring: Any = getattr(sys, "monitoring", None)


def make_tracing(crew: Crew) -> Tracing:
    """Take `sys.monitoring`, if there is one and it has a place for one more tool."""
    if monitoring:
        for tool in _TOOLS:
            if monitoring.get_tool(tool) is None:
                return Monitoring(crew, tool)
        raise RuntimeError("sys.monitoring has no free tool identifier: end what uses it")
    return TraceFunctions(crew)


_TOOLS = (4, 3, 5, 2, 1)
"""Identifiers of tools, those first that `sys.monitoring` gives no name to."""


class TraceFunctions:
    """`sys.settrace` in each thread."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew

    def begin_run(self, member: Member) -> None:
        """Trace the calling thread; again, where an exception has ended all its tracing."""
        if member.hand.traced is not member or sys.gettrace() is None:
            member.hand.traced = member
            sys.settrace(lambda frame, event, _: self._on_call(member, frame, event))

    def _on_call(self, member: Member, frame: FrameType, event: str) -> Any:
        if event != "call":
            return None
        study = self.crew.study
        plan = study.plans.get(frame.f_code) or study.consider(frame)
        if plan is None:
            return None
        local = self._local(member, member.entered(frame, plan))
        frame.f_trace = local
        frame.f_trace_opcodes = True
        return local

    def _local(self, member: Member, inside: Inside) -> Any:
        before, steps, notices = member.before, inside.plan.steps, not self.crew.fine
        code = inside.frame.f_code
        has_cells = sys.version_info < (3, 11) and bool(code.co_freevars or code.co_cellvars)

        def local(frame: FrameType, event: str, arg: object) -> Any:
            if event == "opcode":
                step = steps[frame.f_lasti >> 1]
                if step is None:
                    return local
                if notices and step.plain:
                    member.take(step)
                else:
                    before(step, inside)
                    if has_cells:
                        frame.f_locals  # noqa: B018
            elif event == "return":
                member.left(frame, arg)
            return local

        return local

    def unwind(self, member: Member) -> None:
        """Send no more events for the frames that an exception is about to end."""
        for inside in member.frames:
            inside.frame.f_trace_opcodes = False

    def end(self) -> None:
        """Nothing else was set."""


class Monitoring:
    """One tool of `sys.monitoring`, with events for the code objects under study only."""

    def __init__(self, crew: Crew, tool: int) -> None:
        self.crew = crew
        self.tool = tool
        self.monitored: list[CodeType] = []
        self._notices = not crew.fine
        events = monitoring.events
        monitoring.use_tool_id(tool, "gilnotes")
        monitoring.restart_events()
        self._callbacks = (
            (events.PY_START, self._on_start),
            (events.PY_RESUME, self._on_start),
            (events.PY_THROW, self._on_throw),
            (events.PY_RETURN, self._on_return),
            (events.PY_YIELD, self._on_return),
            (events.PY_UNWIND, self._on_unwind),
            (events.INSTRUCTION, self._on_instruction),
        )
        for event, callback in self._callbacks:
            monitoring.register_callback(tool, event, callback)
        monitoring.set_events(tool, events.PY_START | events.PY_THROW | events.PY_UNWIND)

    def begin_run(self, member: Member) -> None:
        """Nothing to do: all threads are monitored."""

    def _on_start(self, code: CodeType, _: int) -> object:
        study = self.crew.study
        plan = study.plans.get(code)
        if plan is None and study.never(code):
            return monitoring.DISABLE
        member = self.crew.members_by_ident.get(get_ident())
        if member is None:
            return None
        frame = sys._getframe(1)
        if plan is None:
            plan = study.consider(frame)
            if plan:
                events = monitoring.events
                local = events.INSTRUCTION | events.PY_RETURN | events.PY_YIELD | events.PY_RESUME
                monitoring.set_local_events(self.tool, code, local)
                self.monitored.append(code)
        if plan:
            member.entered(frame, plan)
        return None

    def _on_throw(self, code: CodeType, _: int, __: BaseException) -> None:
        self._on_start(code, 0)

    def _on_return(self, _: CodeType, __: int, result: object) -> None:
        member = self.crew.members_by_ident.get(get_ident())
        if member is not None:
            member.left(sys._getframe(1), result)

    def _on_unwind(self, code: CodeType, _: int, __: BaseException) -> None:
        self._on_return(code, 0, None)

    def _on_instruction(self, code: CodeType, offset: int) -> None:
        member = self.crew.members_by_ident.get(get_ident())
        # A run that is over takes no more steps, however much code unwinds.
        if member is not None and member.frames and not self.crew.abandoned:
            inside = member.frames[-1]
            step = inside.plan.steps[offset >> 1]
            if step is None or inside.plan.code is not code:
                return
            if step.plain and self._notices:
                member.take(step)
            else:
                member.before(step, inside)

    def unwind(self, member: Member) -> None:
        """Nothing to do: the frames go, one after another."""

    def end(self) -> None:
        """Leave everything as it was."""
        for code in self.monitored:
            monitoring.set_local_events(self.tool, code, 0)
        monitoring.set_events(self.tool, 0)
        for event, _ in self._callbacks:
            monitoring.register_callback(self.tool, event, None)
        monitoring.free_tool_id(self.tool)
