from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
import unittest
from _thread import allocate_lock
from functools import partial
from threading import Condition, Event, Lock, get_ident
from typing import Any, Callable, ClassVar

from gilnotes import Counter, LockingCounter
from gilnotes.accounts import Account, Bank, LockingAccount, OrderedBank, PatientBank
from gilnotes.evalloop import NoSwitchPoints
from gilnotes.interleaving import VERDICTS, InvariantBroken, Program, explore, replay, same
from gilnotes.interpreters import current
from gilnotes.programs import counting, moving, withdrawing
from gilnotes.refactorings import Called, Converted, Expanded, Property

V = sys.version_info[:2]
NOTES = "A.read B.read B.add B.write A.add A.write"
"""The interleaving of the notes, in which A stomps on B."""


class ReplayTest(unittest.TestCase):
    def test_the_interleaving_of_the_notes_loses_an_update_100_times_of_100(self) -> None:
        program = counting()
        for _ in range(100):
            execution = replay(program, NOTES)
            assert execution.verdict == "broken", execution
            assert execution.shared.count == 1, execution  # type: ignore[attr-defined]

    def test_the_trace_says_who_did_what_where(self) -> None:
        trace = replay(counting(), NOTES).trace
        seen = [(s.thread, kind, s.what) for s in trace.steps for kind in s.kinds]
        assert seen == [
            ("A", "read", "count → 0"),
            ("B", "read", "count → 0"),
            ("B", "add", "0 + 1"),
            ("B", "write", "count ← 1"),
            ("A", "add", "0 + 1"),
            ("A", "write", "count ← 1"),
        ], seen
        (read,) = (s for s in trace.steps if s.thread == "A" and "read" in s.kinds)
        assert read.file.endswith("gilnotes/counters.py"), read
        assert read.source == "self.count += offset", read
        assert read.opcode == "LOAD_ATTR", read
        assert [s.number for s in trace.steps] == list(range(1, len(trace.steps) + 1))
        assert {s.state for s in trace.steps if s.state} == {"count = 1"}

    def test_the_trace_prints_as_a_table_with_a_column_for_each_thread(self) -> None:
        lines = str(replay(counting(), NOTES).trace).splitlines()
        assert lines[0].split() == ["step", "A", "shared", "B", "line"], lines
        assert "LOAD_ATTR count → 0" in lines[1], lines
        assert lines[2].index("LOAD_ATTR") > lines[1].index("LOAD_ATTR"), lines

    def test_the_opposite_order_loses_nothing(self) -> None:
        execution = replay(counting(), "B.end A.end")
        assert (execution.verdict, execution.shared.count) == ("holds", 2)  # type: ignore[attr-defined]

    def test_steps_can_be_counted(self) -> None:
        assert replay(counting(), "A*3 B.end A.end").verdict == "broken"
        assert replay(counting(), "A*2 B.end A.end").verdict == "holds"

    def test_a_schedule_that_cannot_be_followed_says_where_and_who_waits_for_whom(self) -> None:
        execution = replay(counting(LockingCounter), "A.acquire B.write")
        assert execution.verdict == "infeasible", execution
        assert execution.detail.startswith("turn 2, B.write, after step 5: B waits in Lock.acquire")
        assert "counters.py:26 for lock, held by A since" in execution.detail, execution.detail
        execution = replay(counting(), "A.end A.read")
        assert execution.detail.endswith("A has ended"), execution.detail

    def test_what_is_no_schedule_is_refused_with_the_word(self) -> None:
        for schedule, message in (
            ("A.read B", "turn 2, 'B': write A.read or A\\*3"),
            ("C.read", "turn 1, 'C.read': the threads are A, B"),
            ("A.think", "turn 1, 'A.think': no step of that kind"),
            ("A*0", "turn 1, 'A\\*0': a turn takes a step at least"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                replay(counting(), schedule)


OPCODES = {
    # facts of CPython: executed for real, every single one (`test_brute_force`)
    (Counter, 2, 1): (48_620, 45_864) if V < (3, 12) else (12_870, 12_348),
    (Counter, 2, 2): (
        (9_075_135_300, 8_982_715_104) if V < (3, 12) else (601_080_390, 598_382_512)
    ),
    (Counter, 3, 1): (
        (227_873_431_500, 227_740_214_520) if V < (3, 12) else (9_465_511_770, 9_462_905_676)
    ),
    (LockingCounter, 2, 1): (
        {(3, 8): 1_199_660, (3, 9): 2_294_292, (3, 10): 355_720, (3, 11): 355_720}.get(V, 37_572),
        0,
    ),
}
SHARED = {
    (Counter, 2, 1): (6, 4, 3),
    (Counter, 2, 2): (70, 64, 25),
    (Counter, 3, 1): (90, 84, 15),
    (LockingCounter, 2, 1): (2, 0, 1),
    (LockingCounter, 2, 2): (6, 0, 3),
    (LockingCounter, 3, 1): (6, 0, 1),
    (LockingCounter, 3, 2): (90, 0, 15),
}


class Named:
    """A count for each thread, and more of them for the one that came first to the process."""

    known: ClassVar[dict[int, int]] = {}

    def __init__(self) -> None:
        self.counts = [0, 0]

    def count_mine(self) -> None:
        place = self.known.setdefault(get_ident(), len(self.known))
        for _ in range(place + 1):
            self.counts[place] += 1
            self.counts[0] += 0


def separated(program: Program) -> Program:
    """The same program, in which each thread has a function of its own."""
    threads = {name: partial(function) for name, function in program.threads.items()}
    return Program(program.setup, threads, program.times, program.holds)


class ExploreTest(unittest.TestCase):
    def test_the_numbers_of_schedules_opcode_by_opcode(self) -> None:
        for (counter, threads, times), expected in OPCODES.items():
            report = explore(counting(counter, threads, times))
            assert (report.schedules, report.broken) == expected, report
            assert report.deadlocks == report.exceptions == 0, report

    def test_the_numbers_of_schedules_of_reads_and_writes_and_of_classes(self) -> None:
        for (counter, threads, times), expected in SHARED.items():
            report = explore(counting(counter, threads, times), granularity="shared")
            assert (report.schedules, report.broken, len(report.classes)) == expected, report
            assert report.executions == len(report.classes), report

    def test_the_largest_programs_of_the_notes(self) -> None:
        report = explore(counting(LockingCounter, 3, 2))
        assert (report.broken, report.executions) == (0, 15), report
        report = explore(counting(Counter, 2, 3), granularity="shared")
        assert (report.schedules, report.broken) == (924, 904), report

    def test_twins_are_counted_as_if_each_had_a_function_of_its_own(self) -> None:
        programs = [
            *(counting(Counter, 2, 2), counting(LockingCounter, 3, 1)),
            *(counting(Called), withdrawing(), withdrawing(LockingAccount)),
            *(waits(Waits.meet, Waits.meet), waits(Waits.meet, Waits.meet, Waits.meet)),
            waits(Waits.with_semaphore, Waits.with_semaphore, holds=lambda w: w.count == 2),
            waits(Waits.patiently, Waits.holding, Waits.patiently, holds=lambda w: w.count == 3),
            waits(Waits.just_wait, Waits.notify, Waits.just_wait),
        ]
        for program in programs:
            apart = separated(program)
            for granularity in ("shared", "opcode"):
                for bound in (None, 1):
                    wanted = explore(apart, granularity=granularity, preemption_bound=bound)
                    found = explore(program, granularity=granularity, preemption_bound=bound)
                    for verdict in VERDICTS:
                        assert found.count(verdict) == wanted.count(verdict), (found, wanted)
                    assert found.executions < wanted.executions, (found, wanted)
                    assert (found.minimal is None) == (wanted.minimal is None)
                    if found.minimal and wanted.minimal:
                        assert found.minimal.preemptions == wanted.minimal.preemptions

    def test_twins_that_tell_themselves_apart_are_none(self) -> None:
        program = Program(Named, same(Named.count_mine, 2))
        apart = separated(program)
        Named.known.clear()
        found, wanted = (explore(each, granularity="shared") for each in (program, apart))
        assert found.executions == wanted.executions
        assert found.schedules == wanted.schedules

    def test_with_a_bound_on_preemptions(self) -> None:
        if V < (3, 12):
            expected = [(2, 0), (18, 8), (146, 72), (594, 392), (2162, 1512)]
        else:
            expected = [(2, 0), (16, 8), (114, 64), (408, 300), (1290, 1008)]
        for bound, numbers in enumerate(expected):
            report = explore(counting(), preemption_bound=bound)
            assert (report.schedules, report.broken) == numbers, report
            report = explore(counting(LockingCounter), preemption_bound=bound)
            assert report.broken == 0, report
        unbounded = explore(counting(), granularity="shared")
        bounded = explore(counting(), granularity="shared", preemption_bound=3)
        assert bounded.schedules == unbounded.schedules == 6

    def test_minimal_is_a_schedule_with_the_fewest_preemptions_that_replays(self) -> None:
        for program, preemptions in (
            (counting(), 1),
            (counting(Counter, 3, 1), 1),
            (withdrawing(), 1),
            (moving(), 1),
        ):
            report = explore(program, granularity="shared")
            minimal = report.minimal
            assert minimal is not None
            assert minimal.preemptions == preemptions, report
            assert replay(program, minimal.schedule).verdict == minimal.verdict, report
        assert explore(counting(LockingCounter)).minimal is None

    def test_every_class_replays_to_its_verdict(self) -> None:
        for program in (counting(Counter, 2, 2), moving(), withdrawing()):
            for each in explore(program).classes:
                assert replay(program, each.schedule).verdict == each.verdict, each

    def test_check_raises_with_the_trace(self) -> None:
        explore(counting(LockingCounter)).check()
        with self.assertRaises(InvariantBroken) as caught:
            explore(counting()).check()
        message = str(caught.exception)
        assert "as in 'A.read B.end A.end'" in message, message
        assert "STORE_ATTR count ← 1" in message, message

    def test_the_search_can_be_ended(self) -> None:
        report = explore(counting(Counter, 2, 2), max_executions=10)
        assert (report.executions, report.complete) == (10, False)
        assert "not all of them" in str(report)

    def test_options_that_make_no_sense_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "granularity must be one of shared, opcode"):
            explore(counting(), granularity="line")
        with self.assertRaisesRegex(ValueError, "brute force"):
            explore(counting(), granularity="shared", reduction=False)
        with self.assertRaisesRegex(ValueError, "preemption_bound must be at least 0"):
            explore(counting(), preemption_bound=-1)
        with self.assertRaisesRegex(ValueError, "a program needs a thread"):
            Program(Counter, {})
        with self.assertRaisesRegex(TypeError, "3 cannot be called"):
            Program(Counter, {"A": 3})  # type: ignore[dict-item]

    def test_a_program_that_depends_on_something_else_is_refused(self) -> None:
        rounds: list[int] = []

        def setup() -> Counter:
            rounds.append(1)
            return Counter()

        def fickle(counter: Counter) -> None:
            if len(rounds) < 5:
                counter.increment(1)

        with self.assertRaisesRegex(RuntimeError, "setup\\(\\) must put everything"):
            explore(Program(setup, {"A": fickle, "B": fickle, "C": fickle}, times=2))


if current().gil:

    class SwitchPointTest(unittest.TestCase):
        def test_what_this_build_can_reach(self) -> None:
            report = explore(counting(), granularity="switchpoint")
            if V < (3, 10):
                assert 0 < report.broken < report.schedules, report
            else:
                assert (report.schedules, report.broken) == (2, 0), report

        def test_the_expansion_loses_on_every_build(self) -> None:
            for counter in (Expanded, Converted, Called, Property):
                report = explore(counting(counter), granularity="switchpoint")
                assert 0 < report.broken < report.schedules, (counter, report)
                assert report.minimal is not None
                verdict = replay(counting(counter), report.minimal.schedule).verdict
                assert verdict == "broken", report

        def test_no_lock_is_broken(self) -> None:
            report = explore(counting(LockingCounter, 2, 2), granularity="switchpoint")
            assert (report.broken, report.deadlocks) == (0, 0), report

else:

    class NoSwitchPointTest(unittest.TestCase):
        def test_without_a_gil_the_question_has_no_meaning(self) -> None:
            with self.assertRaises(NoSwitchPoints):
                explore(counting(), granularity="switchpoint")


class Waits:
    """Things to wait for, made in the ways people make them."""

    def __init__(self) -> None:
        self.condition = Condition(Lock())
        self.event = Event()
        self.barrier = threading.Barrier(2)
        self.queue: queue.Queue[int] = queue.Queue(maxsize=1)
        self.simple: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.semaphore = threading.BoundedSemaphore(1)
        self.reentrant = threading.RLock()
        self.lock = Lock()
        self.ready = False
        self.count = 0
        self.got: list[int] = []

    def wait_for(self) -> None:
        with self.condition:
            self.condition.wait_for(lambda: self.ready)
        self.count += 1

    def just_wait(self) -> None:
        with self.condition:
            self.condition.wait()

    def notify(self) -> None:
        with self.condition:
            self.ready = True
            self.condition.notify()

    def wait_for_event(self) -> None:
        self.event.wait()
        self.got.append(self.count)

    def set_event(self) -> None:
        self.count = 1
        self.event.set()

    def look_at_event(self) -> None:
        if self.event.is_set():
            self.got.append(self.count)

    def put(self) -> None:
        self.queue.put(1)

    def get(self) -> None:
        self.got.append(self.queue.get())

    def put_simply(self) -> None:
        self.simple.put(1)

    def get_simply(self) -> None:
        self.got.append(self.simple.get())

    def meet(self) -> None:
        self.barrier.wait()

    def with_semaphore(self) -> None:
        with self.semaphore:
            self.count += 1

    def again(self) -> None:
        with self.reentrant, self.reentrant:
            self.count += 1

    def twice(self) -> None:
        with self.lock, self.lock:
            pass

    def patiently(self) -> None:
        if self.lock.acquire(timeout=5):
            self.count += 1
            self.lock.release()

    def holding(self) -> None:
        with self.lock:
            self.count += 1


def waits(
    *threads: Callable[[Waits], object], holds: Callable[[Waits], object] | None = None
) -> Program:
    return Program(Waits, dict(zip("ABC", threads)), holds=holds)


class SynchronizationTest(unittest.TestCase):
    def test_what_orders_threads_is_never_broken(self) -> None:
        for program in (
            waits(Waits.wait_for, Waits.notify, holds=lambda w: w.count == 1),
            waits(Waits.wait_for_event, Waits.set_event, holds=lambda w: w.got == [1]),
            waits(Waits.look_at_event, Waits.set_event, holds=lambda w: w.got in ([], [1])),
            waits(Waits.put, Waits.get, holds=lambda w: w.got == [1]),
            waits(Waits.put_simply, Waits.get_simply, holds=lambda w: w.got == [1]),
            waits(Waits.meet, Waits.meet),
            waits(Waits.with_semaphore, Waits.with_semaphore, holds=lambda w: w.count == 2),
            waits(Waits.again, Waits.again, holds=lambda w: w.count == 2),
        ):
            report = explore(program)
            assert report.verdict == "holds", report
            assert report.schedules > 1, report

    def test_a_timeout_may_strike_whenever_the_lock_is_held(self) -> None:
        report = explore(waits(Waits.patiently, Waits.holding, holds=lambda w: w.count == 2))
        assert report.broken > 0, report
        assert report.deadlocks == 0, report
        report = explore(waits(Waits.patiently, Waits.holding, holds=lambda w: w.count >= 1))
        assert report.verdict == "holds", report

    def test_a_lost_wake_up_is_a_deadlock(self) -> None:
        report = explore(waits(Waits.just_wait, Waits.notify))
        assert 0 < report.deadlocks < report.schedules, report
        assert report.minimal is not None
        assert report.minimal.preemptions == 0, report
        assert "A waits in Condition.wait at " in report.minimal.detail, report
        assert report.minimal.detail.endswith("nobody is left to wake it"), report

    def test_a_barrier_that_nobody_completes_is_a_deadlock(self) -> None:
        report = explore(waits(Waits.meet))
        assert report.deadlocks == report.schedules, report
        assert report.minimal is not None
        assert "A waits in Barrier.wait" in report.minimal.detail, report

    def test_a_queue_that_nobody_fills_is_a_deadlock(self) -> None:
        report = explore(waits(Waits.put, Waits.get, Waits.get))
        assert report.deadlocks == report.schedules, report
        assert report.minimal is not None
        assert "Queue.get" in report.minimal.detail, report

    def test_a_plain_lock_taken_twice_is_a_deadlock_with_oneself(self) -> None:
        report = explore(waits(Waits.twice))
        assert report.deadlocks == 1, report
        assert report.minimal is not None
        assert "for lock, held by itself since" in report.minimal.detail, report


class DeadlockTest(unittest.TestCase):
    def test_two_locks_in_opposite_order(self) -> None:
        report = explore(moving(Bank))
        # Both threads have come to their second lock: C(12, 6) ways.
        assert (report.deadlocks, report.broken, len(report.classes)) == (924, 0, 3), report
        minimal = report.minimal
        assert minimal is not None
        assert (minimal.schedule, minimal.preemptions) == ("A.acquire B.acquire", 1), minimal
        a, b = minimal.detail.splitlines()
        assert a.startswith("A waits in Lock.acquire at "), a
        assert "accounts.py:" in a, a
        assert "for right_lock, held by B since" in a, a
        assert "for left_lock, held by A since" in b, b
        execution = replay(moving(Bank), minimal.schedule)
        assert (execution.verdict, execution.detail) == ("deadlock", minimal.detail), execution

    def test_the_order_of_locks_cures_it_and_so_does_a_timeout(self) -> None:
        for bank in (OrderedBank, PatientBank):
            report = explore(moving(bank))
            assert report.verdict == "holds", report

    def test_check_then_act(self) -> None:
        assert explore(withdrawing(Account)).broken > 0
        assert explore(withdrawing(LockingAccount)).verdict == "holds"

    def test_locks_are_real_ones_again_afterwards_and_for_everybody_else(self) -> None:
        real = type(threading.Lock())
        seen: list[type] = []
        go, done = allocate_lock(), allocate_lock()  # real ones, whatever `threading` gives
        go.acquire()
        done.acquire()

        def somebody_else() -> None:
            go.acquire()
            seen.append(type(threading.Lock()))
            done.release()

        other = threading.Thread(target=somebody_else)
        other.start()

        def holds(counter: Counter) -> bool:
            if not seen:
                go.release()
                done.acquire()
            return counter.count <= 2

        explore(Program(Counter, same(lambda counter: counter.increment(1), 2), holds=holds))
        other.join()
        assert seen == [real], seen
        assert type(threading.Lock()) is real
        assert type(LockingCounter().lock) is real

    def test_one_exploration_at_a_time(self) -> None:
        def holds(_: Counter) -> bool:
            explore(counting())
            return True

        with self.assertRaisesRegex(RuntimeError, "one at a time"):
            explore(Program(Counter, same(lambda counter: counter.increment(1), 2), holds=holds))
        assert explore(counting()).broken > 0


count = 0
readings: dict[str, int] = {}
module_lock = Lock()


def begin() -> None:
    global count  # noqa: PLW0603
    count = 0
    readings.clear()
    readings["all"] = 0


def add_to_global(_: object) -> None:
    global count  # noqa: PLW0603
    count += 1


def add_to_global_locked(_: object) -> None:
    global count  # noqa: PLW0603
    with module_lock:
        count += 1


def add_to_item(_: object) -> None:
    readings["all"] += 1


def closure() -> Any:
    total = 0

    def add(amount: int) -> int:
        nonlocal total
        total += amount
        return total

    return add


class Loops:
    def __init__(self) -> None:
        self.done = False
        self.items = [1, 2]

    def wait(self) -> None:
        while not self.done:
            pass

    def finish(self) -> None:
        self.done = True

    def sleep(self) -> None:
        time.sleep(3600)
        self.done = True

    def fail(self) -> None:
        raise ValueError("no sensor")

    def iterate(self) -> None:
        for item in self.items:
            if item == 1:
                self.items.remove(item)


class StateTest(unittest.TestCase):
    def test_globals(self) -> None:
        program = Program(begin, same(add_to_global, 2), holds=lambda _: count == 2)
        report = explore(program, granularity="shared")
        assert (report.schedules, report.broken) == (6, 4), report

    def test_a_lock_of_the_module_made_beforehand(self) -> None:
        program = Program(begin, same(add_to_global_locked, 2), holds=lambda _: count == 2)
        report = explore(program, granularity="shared")
        assert (report.schedules, report.broken) == (2, 0), report

    def test_items(self) -> None:
        program = Program(begin, same(add_to_item, 2), holds=lambda _: readings["all"] == 2)
        report = explore(program, granularity="shared")
        assert (report.schedules, report.broken) == (6, 4), report

    def test_closures_invent_nothing(self) -> None:
        # bpo-30744: until 3.10 a trace function wrote old values back into cells.
        program = Program(closure, same(lambda add: add(1), 2), holds=lambda add: add(0) == 2)
        report = explore(program)
        assert 0 < report.broken < report.schedules, report
        assert replay(program, "A.end B.end").verdict == "holds"

    def test_a_loop_without_end_is_stopped_and_the_others_go_on(self) -> None:
        program = Program(Loops, {"A": Loops.wait, "B": Loops.finish})
        report = explore(program, max_steps=60)
        assert 0 < report.count("step limit") < report.schedules, report
        assert replay(program, "B.end A.end").verdict == "holds"

    def test_sleep_takes_no_time(self) -> None:
        # Each run sleeps for two hours; whoever waited for them would be stopped.
        assert explore(Program(Loops, same(Loops.sleep, 2))).verdict == "holds"

    def test_an_exception_in_a_thread_is_an_outcome(self) -> None:
        report = explore(Program(Loops, {"A": Loops.fail, "B": Loops.finish}))
        assert report.exceptions == report.schedules > 1, report
        assert report.minimal is not None
        assert report.minimal.detail == "A: ValueError: no sensor", report

    def test_what_c_code_does_to_a_list_is_seen(self) -> None:
        program = Program(Loops, same(Loops.iterate, 2), holds=lambda loops: loops.items == [2])
        report = explore(program, granularity="shared")
        assert report.exceptions > 0, report  # both found the 1, and one came too late

    def test_an_invariant_can_be_asserted(self) -> None:
        def holds(counter: Counter) -> bool:
            assert counter.count == 2, f"only {counter.count}"
            return True

        program = Program(Counter, same(lambda counter: counter.increment(1), 2), holds=holds)
        report = explore(program)
        assert report.minimal is not None
        assert report.minimal.detail == "AssertionError: only 1", report

    def test_a_thread_that_starts_threads_is_told_what_to_do(self) -> None:
        program = Program(list, {"A": lambda _: threading.Thread(target=print).start()})
        report = explore(program)
        assert report.minimal is not None
        assert "name it in Program.threads" in report.minimal.detail, report


if V >= (3, 12):

    class MonitoringTest(unittest.TestCase):
        def test_another_tool_that_disabled_events_hides_no_step(self) -> None:
            program = """
import sys
from gilnotes import Counter
from gilnotes.interleaving import explore
from gilnotes.programs import counting

monitoring = sys.monitoring
monitoring.use_tool_id(2, "another")
monitoring.register_callback(2, monitoring.events.INSTRUCTION, lambda *_: monitoring.DISABLE)
monitoring.set_events(2, monitoring.events.INSTRUCTION)
Counter().increment(1)
monitoring.set_events(2, 0)
monitoring.free_tool_id(2)
print(explore(counting()).schedules)
"""
            done = subprocess.run(
                [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
            )
            assert int(done.stdout) == OPCODES[Counter, 2, 1][0], done.stdout
