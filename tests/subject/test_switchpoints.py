from __future__ import annotations

import sys
import threading
import time
import unittest

from gilnotes import Counter, LockingCounter
from gilnotes.interpreters import current
from gilnotes.switchpoints import (
    Listing,
    NoSwitchPoints,
    may_switch_after,
    may_switch_at_entry,
    may_switch_at_handler,
    switchpoints,
)

GIL = current().gil
VERSION = sys.version_info[:2]
SPECIALIZES = not current().free_threaded


class Expanded(Counter):
    def increment(self, offset: int) -> None:
        value = getattr(self, "count")  # noqa: B009
        result = value + offset
        setattr(self, "count", result)  # noqa: B010


class Several(Counter):
    def __init__(self) -> None:
        super().__init__()
        self.items = [0, 0, 0]
        self.counts = {"count": 0}
        self.lock = threading.RLock()

    @property
    def total(self) -> int:
        return self.count

    @total.setter
    def total(self, total: int) -> None:
        self.count = total

    def read(self) -> int:
        return self.count

    def converted(self, offset: int) -> None:
        self.count += int(offset)

    def measured(self, _offset: int) -> None:
        self.count += len(self.items)

    def typed(self, offset: object) -> None:
        self.count += 1 if type(offset) is int else 0

    def called(self, offset: int) -> None:
        self.count = self.count + self.read() - self.read() + offset

    def through_a_property(self, offset: int) -> None:
        self.total += offset

    def looped(self, offset: int) -> None:
        count = self.count
        for _ in range(3):
            pass
        self.count = count + offset

    def turned(self, offset: int) -> None:
        left = 3
        while left > 0:
            left -= 1
        self.count += offset

    def comprehended(self, offset: int) -> None:
        count = self.count
        [item for item in self.items]  # noqa: C416
        self.count = count + offset

    def locked(self, offset: int) -> None:
        with self.lock:
            self.count += offset

    def tried(self, offset: int) -> None:
        count = self.count
        try:
            self.missing  # type: ignore[attr-defined]  # noqa: B018
        except AttributeError:
            self.count = count + offset
        finally:
            self.items[0] = 0

    def by_item(self, offset: int) -> None:
        self.counts["count"] += offset

    def with_a_star(self, *offsets: int) -> None:
        self.count += max(*offsets, 0) + sum(offsets)


def look(*names: str, samples: int = 150) -> Listing:
    (name,) = names
    return switchpoints(getattr(Several(), name), 1, samples=samples)


def parked(listing: Listing) -> set[str]:
    return {str(place) for place in listing.parked}


def window(listing: Listing) -> set[str]:
    return {str(place) for place in listing.window}


if GIL:
    METHODS = [
        name for name in vars(Several) if not name.startswith("_") and name not in ("read", "total")
    ]

    class MeasuredTest(unittest.TestCase):
        def test_every_place_measured_is_one_that_the_source_of_cpython_explains(self) -> None:
            for function in (
                Counter().increment,
                LockingCounter().increment,
                Expanded().increment,
                *(getattr(Several(), name) for name in METHODS),
            ):
                listing = switchpoints(function, 1, samples=100)
                unexplained = [place for place in listing.parked if not place.explained]
                assert unexplained == [], (listing.function, unexplained)
                assert listing.samples > 0, listing.function
                assert listing.returned

        def test_all_places_that_the_source_names_are_found_and_no_others(self) -> None:
            for function in (Counter().increment, Expanded().increment, Several().converted):
                found: set[int] = set()
                for _ in range(20):
                    listing = switchpoints(function, 1, samples=300)
                    found |= {place.offset for place in listing.parked}
                    expected = {place.offset for place in listing.places if place.explained}
                    assert found <= expected, str(listing)
                    if found == expected:
                        break
                else:
                    self.fail(f"{expected - found} were never seen:\n{listing}")

        def test_the_increment_of_the_notes(self) -> None:
            listing = switchpoints(Counter().increment, 1)
            assert listing.function == "Counter.increment"
            assert parked(listing) <= (
                {"(entry)", "LOAD_ATTR (count)", "INPLACE_ADD", "STORE_ATTR (count)"}
                if VERSION < (3, 10)
                else {"(entry)"}
                if VERSION < (3, 11)
                else {"RESUME"}
            )
            by_offset = {place.offset: place for place in listing.places}
            assert listing.read is not None
            assert listing.write is not None
            assert str(by_offset[listing.read]) == "LOAD_ATTR (count)"
            assert str(by_offset[listing.write]) == "STORE_ATTR (count)"
            assert by_offset[listing.read].source == "self.count += offset"
            if VERSION >= (3, 10):
                assert str(listing).endswith("Between the read and the write: no place to switch.")

        def test_a_call_between_read_and_write_is_a_place_in_the_window(self) -> None:
            call = "CALL_FUNCTION (int)" if VERSION < (3, 11) else "CALL (int)"
            for _ in range(20):
                listing = look("converted")
                if call in window(listing):
                    break
            else:
                self.fail(str(listing))
            if VERSION >= (3, 10):
                assert str(listing).endswith(f"Between the read and the write: after {call}.")

        def test_what_a_property_calls_is_counted_at_the_store(self) -> None:
            for _ in range(20):
                listing = look("through_a_property")
                if "STORE_ATTR (total)" in window(listing):
                    break
            else:
                self.fail(str(listing))
            (store,) = (place for place in listing.window if place.opname == "STORE_ATTR")
            assert 0 < store.inside <= store.count
            assert "in what STORE_ATTR (total) calls" in str(listing)

        def test_getattr_and_setattr_read_and_write(self) -> None:
            listing = switchpoints(Expanded().increment, 1, samples=1)
            ends = {place.offset: place.callee for place in listing.places}
            assert listing.read is not None
            assert listing.write is not None
            assert (ends[listing.read], ends[listing.write]) == ("getattr", "setattr")

        def test_the_switch_interval_is_put_back(self) -> None:
            before = sys.getswitchinterval()
            look("converted", samples=1)
            assert sys.getswitchinterval() == before

        def test_an_exception_of_the_function_is_raised(self) -> None:
            def broken(number: int) -> float:
                return 1 / number

            before = sys.getswitchinterval()
            with self.assertRaises(ZeroDivisionError):
                switchpoints(broken, 0)
            assert sys.getswitchinterval() == before

        def test_a_function_that_blocks_is_left_and_reported(self) -> None:
            event = threading.Event()

            def blocked() -> None:
                event.wait()

            start = time.monotonic()
            listing = switchpoints(blocked, samples=10**9, seconds=0.6)
            event.set()
            assert time.monotonic() - start < 60
            assert not listing.returned
            assert "had not returned" in str(listing)
            assert all(place.inside for place in listing.parked), listing

        def test_what_has_no_instructions_is_refused(self) -> None:
            with self.assertRaisesRegex(TypeError, "is no Python code"):
                switchpoints(len, [])
            with self.assertRaisesRegex(ValueError, "samples must be at least 1, not 0"):
                switchpoints(look, samples=0)

    class RuleTest(unittest.TestCase):
        def test_the_entry_is_a_place_everywhere_a_handler_until_3_10(self) -> None:
            assert may_switch_at_entry()
            assert may_switch_at_handler() == (VERSION < (3, 11))

        def test_until_3_9_most_instructions_from_3_10_calls_and_loops(self) -> None:
            old = VERSION < (3, 10)
            for opname in ("LOAD_ATTR", "STORE_ATTR", "INPLACE_ADD", "BINARY_SUBSCR"):
                assert may_switch_after(opname) == old, opname
            for opname in ("LOAD_FAST", "LOAD_CONST", "DUP_TOP", "ROT_TWO", "STORE_FAST"):
                assert not may_switch_after(opname), opname
            call = "CALL_FUNCTION" if VERSION < (3, 11) else "CALL"
            assert may_switch_after(call, "c")
            assert may_switch_after(call)
            loop = "JUMP_ABSOLUTE" if VERSION < (3, 11) else "JUMP_BACKWARD"
            assert may_switch_after(loop)

        def test_what_is_called_matters_from_3_11(self) -> None:
            old = VERSION < (3, 11)
            call = "CALL_FUNCTION" if old else "CALL"
            assert may_switch_after(call, "python") == old
            for callee in ("len", "isinstance", "list.append", "type"):
                assert may_switch_after(call, callee) == (old or not SPECIALIZES), callee

        def test_no_switch_before_a_block_begins(self) -> None:
            call = "CALL_METHOD" if VERSION < (3, 11) else "CALL"
            assert may_switch_after(call, "c", following="SETUP_FINALLY") == (VERSION >= (3, 11))

        def test_an_unknown_callee_is_refused(self) -> None:
            with self.assertRaisesRegex(ValueError, "callee must be one of python, c, len"):
                may_switch_after("CALL", "C")

else:

    class NoGILTest(unittest.TestCase):
        def test_without_a_gil_the_question_has_no_meaning(self) -> None:
            for ask in (
                may_switch_at_entry,
                may_switch_at_handler,
                lambda: may_switch_after("LOAD_ATTR"),
                lambda: switchpoints(Counter().increment, 1),
            ):
                with self.assertRaisesRegex(NoSwitchPoints, "the GIL is off"):
                    ask()
