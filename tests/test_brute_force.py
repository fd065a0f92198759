"""Every schedule, really run: what `explore` counts is held equal to that."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gilnotes import interpreters
from gilnotes.interpreters import Interpreter

FOUND = interpreters.find()
EVERY = interpreters.select(["all"], FOUND)
SAMPLES = Path(__file__).parent / "samples"

WHOLE_COUNTER = """
import json, sys
from gilnotes.interleaving import explore
from gilnotes.programs import counting

def numbers(report):
    return report.schedules, report.broken, report.deadlocks, report.exceptions

report = explore(counting(), reduction=False)
print(json.dumps([numbers(explore(counting())), numbers(report), report.executions]))
"""


# Without a GIL a turn takes ten times as long to hand over; there, small programs have to do.
@pytest.mark.parametrize(
    "python", [python for python in EVERY if python.gil], ids=lambda python: python.tag
)
def test_each_schedule_of_the_counter_is_run(python: Interpreter) -> None:
    done = interpreters.run(python, ["-c", WHOLE_COUNTER], timeout=300)
    counted, run, executions = json.loads(done.stdout)
    minor = int(python.version.split(".")[1])
    assert counted == run == ([48_620, 45_864, 0, 0] if minor < 12 else [12_870, 12_348, 0, 0])
    assert executions == run[0]


STATEMENTS = (
    *("s.x += 1", "s.x = s.y", "s.y = s.x", "s.x = 1", "s.x = -s.x", "s.x = s.t"),
    *("s.d['k'] += 1", "s.d['k'] = s.x", "s.d['j'] = 2", "s.x = s.d.get('j')", "s.d = {'k': 3}"),
    *("del s.d['k']", "s.x = 'j' in s.d", "s.d.update(j=1)", "s.x = len(s.d)"),
    *("s.l.append(1)", "s.l.pop()", "s.x = len(s.l)", "s.l[0] = s.x", "s.x = s.l[-1]"),
    *("s.l += [2]", "s.x = sum(s.l)", "s.x = bool(s.l)", "s.x = [v for v in s.l]", "s.l.clear()"),
    *("for v in s.l: s.x = v", "if s.l: s.x = 5", "s.x, s.y = s.l * 2"),
    *("setattr(s, 'x', 3)", "s.y = getattr(s, 'x')", "s.g(9)", "s.x = s.p", "s.p = 3"),
    *("S.t += 1", "S.t = 5", "s.t = 1", "s.__dict__['x'] = 7", "s.x = vars(s)['y']"),
    *("s.z.v = 1", "s.x = s.z.v", "s.z = Z()", "s.f = 2", "s.x = s.f", "s.q = 4", "s.x = s.q"),
    *("s.add()", "s.x = s.total()", "tally.n += 1", "s.x = tally.n"),
    *("global G; G = s.x", "global G; s.x = G", "global G; G += 1"),
    *("s.m.acquire(); s.x = 1", "s.m.release()", "s.x = s.m.acquire(False)"),
    *("s.x = s.m.locked()", "s.e.set()", "s.x = s.e.is_set()", "assert s.x", "s.x = 1 // s.x"),
)
"""What the random programs are made of."""

SHORT_STATEMENTS = tuple(text for text in STATEMENTS if len(text) < 11)
"""One side of each program: two long ones have too many schedules to run them all."""

SHARED = '''
import threading

G = 0


class Z:
    v = 0


class Tally:
    n = 0


tally = Tally()


class S:
    """Everything that two threads may share."""

    t = 0
    __slots__ = ("f", "__dict__")

    def __init__(self):
        self.x = 0
        self.y = 2
        self.d = {"k": 0}
        self.l = [4]
        self.z = Z()
        self.f = 0
        self.m = threading.Lock()
        self.e = threading.Event()
        cell = 0

        def add():
            nonlocal cell
            cell += 1

        def total():
            return cell

        self.add = add
        self.total = total
        self.__dict__["q"] = 0

    def __setattr__(self, name, value):
        if name == "q":
            value = value + 1
        object.__setattr__(self, name, value)

    @property
    def p(self):
        return self.y

    @p.setter
    def p(self, value):
        self.y = value

    def g(self, value):
        self.x = value


def setup():
    global G, tally
    G = 0
    tally = Tally()
    S.t = 0
    return S()


def state(s):
    return repr(
        (s.x, s.y, s.d, s.l, s.z.v, s.f, s.q, s.m.locked(), s.e.is_set(), s.total(), tally.n, G)
        + (S.t, vars(s).get("t"))
    )
'''


def written(programs: list[tuple[list[str], ...]]) -> str:
    """A module of so many programs. Two threads of one body call one function."""
    parts = [SHARED, "\nPROGRAMS = []\n"]
    for number, bodies in enumerate(programs):
        for name, statements in zip("ab", bodies, strict=True):
            lines = [line for statement in statements for line in statement.split("; ")]
            lines.sort(key=lambda line: line != "global G")  # a declaration comes first
            body = textwrap.indent("\n".join(dict.fromkeys(lines)), "    ")
            parts.append(f"\n\ndef {name}{number}(s):\n{body}\n")
        other = "a" if bodies[0] == bodies[1] else "b"
        parts.append(f"\n\nPROGRAMS.append((a{number}, {other}{number}))\n")
    return "".join(parts)


@pytest.mark.parametrize("python", EVERY, ids=lambda python: python.tag)
def test_random_programs_end_as_often_in_each_state(python: Interpreter, tmp_path: Path) -> None:
    programs: list[tuple[list[str], ...]] = []

    # Hypothesis writes them, others for each version; all are then run in one process.
    @seed(EVERY.index(python))
    @settings(
        max_examples=1500,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(STATEMENTS + 3 * SHORT_STATEMENTS),
        st.sampled_from(SHORT_STATEMENTS),
        st.sampled_from(("first", "second", "twins")),
    )
    def write(one: str, short: str, order: str) -> None:
        pairs = {"first": (one, short), "second": (short, one), "twins": (short, short)}
        programs.append(tuple([statement] for statement in pairs[order]))

    write()
    programs = list({repr(program): program for program in programs}.values())
    module = tmp_path / "programs.py"
    module.write_text(written(programs), "utf-8")
    # From 3.12 on there are fewer instructions, and more of the programs are small.
    older = int(python.version.split(".")[1]) < 12
    most, enough = (1000, 15) if python.free_threaded else (2500, 27 if older else 45)
    command = [str(SAMPLES / "compare.py"), str(module), str(most), str(enough)]
    found = json.loads(interpreters.run(python, command, timeout=300).stdout)
    assert len(found) > enough // 2  # how many are small is chance
    for number, result in found:
        assert result["by_classes"] == result["one_by_one"], programs[number]
