"""The sessions of a downloaded script."""

from __future__ import annotations

import contextlib
import io
import sys
import unittest

from gilnotes.sessions import Sessions


class SessionsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.names: dict[str, object] = {"__name__": "a script", "Sessions": Sessions}
        self.printed = io.StringIO()
        self.begin = self.names["begin"] = Sessions(self.names)

    def start(self, title: str, session: str | None = None) -> None:
        with contextlib.redirect_stdout(self.printed):
            self.begin(title, session)

    def test_a_session_finds_its_names_again(self) -> None:
        self.start("one", session="a")
        self.names["count"] = 1
        self.start("two", session="b")
        self.assertNotIn("count", self.names)
        self.names["count"] = 2
        self.start("three", session="a")
        self.assertEqual(self.names["count"], 1)
        self.start("four", session="b")
        self.assertEqual(self.names["count"], 2)
        self.assertIs(self.names["begin"], self.begin)

    def test_what_stands_alone_has_no_names_and_leaves_none(self) -> None:
        self.start("one", session="a")
        self.names["count"] = 1
        self.start("two")
        self.assertNotIn("count", self.names)
        self.names["count"] = 2
        self.start("three")
        self.assertNotIn("count", self.names)

    def test_a_deleted_name_stays_deleted(self) -> None:
        self.start("one", session="a")
        self.names["count"] = 1
        self.start("two", session="a")
        del self.names["count"]
        self.start("three")
        self.start("four", session="a")
        self.assertNotIn("count", self.names)

    def test_the_switch_interval_is_put_back_and_titles_are_printed(self) -> None:
        before = sys.getswitchinterval()
        self.start("one")
        sys.setswitchinterval(before / 2)
        self.start("two")
        self.assertEqual(sys.getswitchinterval(), before)
        self.assertEqual(self.printed.getvalue(), "\n== one ==\n\n== two ==\n")


if __name__ == "__main__":
    unittest.main()
