from __future__ import annotations

import gzip
import json
import random
import unittest
from itertools import count
from unittest import mock

from gilnotes import Counter
from gilnotes.interleaving import Program, explore, replay, same
from gilnotes.interleaving import recording as module
from gilnotes.interleaving.recording import Recording, play, record
from gilnotes.programs import PROGRAMS, counting

NAMES = ("race", "lock", "account", "deadlock", "lock-order")
RECORDED = {name: record(PROGRAMS[name]()) for name in NAMES}
KILOBYTES = 1000


def increment(counter: Counter) -> None:
    counter.increment(1)


class Restless:
    """Does something else each time it is set up."""

    made = count(1)

    def __init__(self) -> None:
        self.number = next(self.made)

    def read(self) -> int:
        return self.number


class Impatient:
    def __init__(self) -> None:
        self.number = 0

    def read(self) -> float:
        return 1 / self.number


class Loop:
    def __init__(self) -> None:
        self.stop = False

    def wait(self) -> None:
        while not self.stop:
            self.stop = False


def ways(recording: Recording, end: str = "") -> int:
    """Count the ways that lead to an end with such a verdict, or to any."""
    found = 0
    waiting = [0]
    while waiting:
        point = recording.points[waiting.pop()]
        waiting.extend(move.to for move in point.moves if move)
        found += point.end is not None and recording.ends[point.end].verdict.startswith(end)
    return found


def walk(recording: Recording, chance: random.Random) -> str:
    """Go any way to an end."""
    letters, point = "", recording.points[0]
    while point.end is None:
        name, move = chance.choice([m for m in zip(recording.threads, point.moves) if m[1]])
        letters += name
        assert move
        point = recording.points[move.to]
    return letters


class TheGraph(unittest.TestCase):
    def test_any_way_through_it_is_one_that_real_threads_go(self) -> None:
        for name, recording in RECORDED.items():
            chance = random.Random(name)
            for _ in range(20):
                letters = walk(recording, chance)
                with self.subTest(name, letters=letters):
                    run = play(PROGRAMS[name](), letters)
                    points = [recording.points[index] for index in recording.points_of(letters)]
                    self.assertEqual(
                        [tuple(value for _, value in shared) for shared in run.shared],
                        [point.shared for point in points],
                    )
                    self.assertEqual(run.steps, recording.steps_of(letters))
                    end = recording.end(letters)
                    assert end
                    self.assertEqual(run.verdict, end.verdict)

    def test_replay_comes_to_the_same_end_on_the_way_spelled_out(self) -> None:
        for name, recording in RECORDED.items():
            chance = random.Random(name)
            for _ in range(10):
                letters = walk(recording, chance)
                with self.subTest(name, letters=letters):
                    execution = replay(PROGRAMS[name](), recording.spell(letters))
                    end = recording.end(letters)
                    assert end
                    self.assertEqual(execution.verdict, end.verdict)

    def test_a_thread_that_waits_in_it_waits_in_a_replay(self) -> None:
        recording = RECORDED["deadlock"]
        point = recording.points[recording.points_of("AA")[-1]]
        assert point.waits[1] is not None
        self.assertIsNone(point.moves[1])
        self.assertEqual(str(recording.waits[point.waits[1]]), "B waits for right_lock, held by A")
        execution = replay(PROGRAMS["deadlock"](), recording.spell("AA") + " B.acquire")
        self.assertEqual(execution.verdict, "infeasible")
        self.assertIn("right_lock, held by A", execution.detail)

    def test_a_thread_waits_at_the_instruction_that_takes_the_lock(self) -> None:
        for name in ("lock", "deadlock", "lock-order"):
            taking = {
                (step.thread, step.line, step.opcode, step.does)
                for step in RECORDED[name].steps
                if step.kind == "acquire"
            }
            waits = RECORDED[name].waits
            self.assertTrue(waits)
            for wait in waits:
                self.assertIn((wait.thread, wait.line, wait.opcode, f"takes {wait.lock}"), taking)

    def test_it_has_every_order_of_the_steps(self) -> None:
        self.assertEqual(ways(RECORDED["race"]), 20)  # 6 choose 3
        self.assertEqual(ways(RECORDED["race"], "holds"), 2)
        self.assertEqual(ways(RECORDED["lock"]), 2)

    def test_fewest_preemptions_are_those_that_the_laboratory_finds(self) -> None:
        for name, recording in RECORDED.items():
            with self.subTest(name):
                minimal = explore(PROGRAMS[name](), granularity="shared").minimal
                letters = recording.fewest("broken", "deadlock")
                self.assertEqual(minimal is None, letters is None)
                if minimal is not None and letters is not None:
                    self.assertEqual(recording.preemptions(letters), minimal.preemptions)

    def test_the_losing_schedule_of_the_race_is_that_of_the_chapter(self) -> None:
        self.assertEqual(RECORDED["race"].fewest("broken"), "ABBBAA")
        self.assertEqual(
            [str(step) for step in RECORDED["race"].steps_of("ABBBAA")],
            [
                *("A reads count: 0", "B reads count: 0", "B computes: 0 + 1", "B writes count: 1"),
                *("A computes: 0 + 1", "A writes count: 1"),
            ],
        )

    def test_what_a_thread_has_read_is_its_own_until_it_writes(self) -> None:
        recording = RECORDED["race"]
        owns = [recording.points[index].own for index in recording.points_of("AAA")]
        self.assertEqual(owns, [("", ""), ("0", ""), ("0 + 1", ""), ("", "")])

    def test_a_lock_shows_its_holder(self) -> None:
        recording = RECORDED["lock"]
        index = recording.shared.index("lock")
        held = [recording.points[point].shared[index] for point in recording.points_of("AAAAAB")]
        a = "held by A"
        self.assertEqual(held, ["free", a, a, a, a, "free", "held by B"])

    def test_the_code_is_shown_without_its_docstring(self) -> None:
        a, b = RECORDED["deadlock"].code
        self.assertEqual(a.file, "accounts.py")
        self.assertEqual([text.strip() for _, text in a.lines][1], "with self.left_lock:")
        self.assertEqual([text.strip() for _, text in b.lines][1], "with self.right_lock:")
        lines = {number for number, _ in a.lines}
        self.assertLessEqual({s.line for s in RECORDED["deadlock"].steps if s.thread == "A"}, lines)

    def test_three_threads_can_be_recorded(self) -> None:
        recording = record(counting(threads=3))
        self.assertEqual(ways(recording), 1680)  # 9! / 3!³

    def test_an_end_is_named_by_the_one_who_asks(self) -> None:
        recording = record(counting(), says=lambda verdict, it, steps: f"{it.count}, {len(steps)}")
        self.assertEqual({end.says for end in recording.ends}, {"1, 6", "2, 6"})


class Size(unittest.TestCase):
    def test_a_program_is_small_when_it_is_compressed(self) -> None:
        for name, recording in RECORDED.items():
            with self.subTest(name):
                packed = gzip.compress(recording.to_json().encode())
                self.assertLessEqual(len(packed), 30 * KILOBYTES)

    def test_json_holds_all_of_it(self) -> None:
        recording = RECORDED["lock"]
        again = json.loads(recording.to_json())
        self.assertEqual(len(again["points"]), len(recording.points))
        self.assertEqual(again["points"][0]["moves"][0], [0, 1])
        self.assertEqual(again["steps"][0]["does"], "takes lock")


class Mistakes(unittest.TestCase):
    def test_an_end_that_cannot_be_named_is_an_error(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            record(counting(), says=lambda *_: str(1 // 0))

    def test_a_fault_of_the_recorder_is_no_outcome_of_the_program(self) -> None:
        for name in ("_wait", "_step"):
            fault = mock.patch.object(module, name, side_effect=KeyError(f"no {name}"))
            with self.subTest(name), fault, self.assertRaisesRegex(KeyError, f"no {name}"):
                record(PROGRAMS["lock"]())

    def test_what_a_thread_raises_is_an_end(self) -> None:
        found = record(Program(Impatient, same(Impatient.read, 2)))
        self.assertEqual({end.verdict for end in found.ends}, {"exception"})

    def test_a_step_that_nobody_can_take_is_named(self) -> None:
        for letters, message in (
            ("AB", "step 2: B waits for lock, held by A"),
            ("AAAAAA", "step 6: A has ended"),
            ("C", "step 1: no thread 'C'; A, B"),
        ):
            with self.subTest(letters), self.assertRaisesRegex(ValueError, message):
                RECORDED["lock"].points_of(letters)

    def test_a_program_that_changes_from_run_to_run_is_refused(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "did not begin as it did before"):
            record(Program(Restless, same(Restless.read, 2)))

    def test_threads_have_names_of_one_letter(self) -> None:
        with self.assertRaisesRegex(ValueError, "must be one letter: one, two"):
            record(Program(Counter, {"one": increment, "two": increment}))

    def test_a_program_with_too_many_points_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "more than 50 points"):
            record(Program(Loop, same(Loop.wait, 2)), max_points=50)
