from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import unittest
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gilnotes import LockingCounter, ThreadErrors, run_threads, worker

if TYPE_CHECKING:
    from types import FrameType
    from typing import Iterator

STARTS = ("start_new_thread", "start_joinable_thread")


@contextmanager
def third_start_fails(error: BaseException) -> Iterator[None]:
    """Raise an error where `Thread.start` asks the system for the third thread.

    As the system does when it has no more threads, or Ctrl-C when it strikes just then.
    """
    starts = 0

    def profile(_frame: FrameType, event: str, arg: object) -> None:
        nonlocal starts
        if event == "c_call" and getattr(arg, "__name__", None) in STARTS:
            starts += 1
            if starts == 3:
                raise error

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


class RunThreadsTest(unittest.TestCase):
    def test_every_thread_gets_its_own_index_and_the_same_counter(self) -> None:
        calls = []
        shared = object()
        run_threads(lambda *args: calls.append(args), 7, shared, threads=3)
        assert sorted(calls) == [(0, 7, shared), (1, 7, shared), (2, 7, shared)], calls

    def test_the_threads_run_side_by_side(self) -> None:
        barrier = threading.Barrier(5, timeout=60)
        run_threads(lambda *args: barrier.wait(), 1, None)

    def test_an_exception_in_one_thread_is_raised_itself_after_the_others_have_ended(self) -> None:
        error = ZeroDivisionError("sensor 0 is broken")
        counter = LockingCounter()

        def func(sensor_index: int, how_many: int, counter: LockingCounter) -> None:
            if sensor_index == 0:
                raise error
            worker(sensor_index, how_many, counter)

        with self.assertRaises(ZeroDivisionError) as caught:
            run_threads(func, 20_000, counter)
        assert caught.exception is error
        assert counter.count == 4 * 20_000, counter.count

    def test_exceptions_in_several_threads_are_raised_together_in_their_order(self) -> None:
        later = threading.Event()

        def func(sensor_index: int, _how_many: int, _counter: None) -> None:
            if sensor_index == 0:
                later.wait(60)
                raise ValueError("sensor 0")
            if sensor_index == 3:
                later.set()
                raise KeyError("sensor 3")

        with self.assertRaises(ThreadErrors) as caught:
            run_threads(func, 1, None)
        kinds = [type(error) for error in caught.exception.exceptions]
        assert kinds == [ValueError, KeyError], kinds
        message = "2 threads failed: ValueError: sensor 0; KeyError: 'sensor 3'"
        assert str(caught.exception) == message, caught.exception

    def test_sys_exit_in_a_thread_is_not_lost(self) -> None:
        with self.assertRaises(SystemExit):
            run_threads(lambda *args: sys.exit(3), 1, None, threads=1)

    def test_no_thread_is_left_running_when_one_cannot_be_started(self) -> None:
        for error in (RuntimeError("can't start new thread"), KeyboardInterrupt()):
            counter = LockingCounter()
            with self.assertRaises(type(error)) as caught, third_start_fails(error):
                run_threads(worker, 20_000, counter)
            assert caught.exception is error
            assert counter.count == 2 * 20_000, counter.count

    def test_a_thread_that_cannot_be_started_hides_no_exception_of_another(self) -> None:
        def func(sensor_index: int, _how_many: int, _counter: None) -> None:
            raise KeyError(sensor_index)

        error = RuntimeError("can't start new thread")
        with self.assertRaises(ThreadErrors) as caught, third_start_fails(error):
            run_threads(func, 1, None)
        described = [repr(error) for error in caught.exception.exceptions]
        assert described == ["KeyError(0)", "KeyError(1)", repr(error)], described

    if os.name != "nt":  # where nothing interrupts Thread.join

        def test_ctrl_c_while_joining_is_raised_when_no_thread_runs_any_more(self) -> None:
            program = """
import os, signal, sys, threading
from gilnotes import run_threads

def say(number, frame):
    os.write(1, b"interrupted\\n")
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, say)
ended = []

def func(sensor_index, how_many, counter):
    os.write(1, b"running\\n")
    sys.stdin.readline()
    ended.append(sensor_index)

try:
    run_threads(func, 1, None, threads=1)
except KeyboardInterrupt:
    print("ended", ended, threading.active_count())
"""
            with subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                universal_newlines=True,
            ) as process:
                try:
                    assert process.stdout is not None
                    assert process.stdout.readline() == "running\n"
                    process.send_signal(signal.SIGINT)
                    assert process.stdout.readline() == "interrupted\n"
                    rest, _ = process.communicate("go on\n", timeout=60)
                finally:
                    process.kill()
            assert rest == "ended [0] 1\n", rest

    def test_numbers_that_make_no_sense_are_refused(self) -> None:
        for how_many, threads, kind, message in (
            (-1, 5, ValueError, "how_many must be at least 0, not -1"),
            (1, 0, ValueError, "threads must be at least 1, not 0"),
            (1, -2, ValueError, "threads must be at least 1, not -2"),
            (1.0, 5, TypeError, "how_many must be a whole number, not 1.0"),
            ("9", 5, TypeError, "how_many must be a whole number, not '9'"),
            (True, 5, TypeError, "how_many must be a whole number, not True"),
            (1, None, TypeError, "threads must be a whole number, not None"),
        ):
            with self.assertRaises(kind) as caught:
                run_threads(self.fail, how_many, None, threads=threads)  # type: ignore[arg-type]
            assert str(caught.exception) == message, caught.exception
