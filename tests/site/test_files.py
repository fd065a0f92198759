"""A block is a file to Python: its source is found, its classes are pickled, its lines named."""

from __future__ import annotations

import re

import pytest

from gilnotes.site.process import Answer
from tests.site.sessions import SPECS, run_page

TEXT = """\
---
title: a page
---

# A page

```python exec="on"
from __future__ import annotations
import inspect, pickle
from dataclasses import dataclass

def double(number):
    # A comment stays.
    return 2 * number

class Point:
    x = 1

    def fail(self):
        raise LookupError(self)

print(inspect.getsource(double), end="")
```

!!! note

    ```python exec="on"
    class Inner:
        def method(self):
            return "inner"

    print(inspect.getsource(Inner), end="")
    print(inspect.getsource(Inner.method), end="")
    ```

```python exec="on"
this is no Python
```

```python exec="on"
print(inspect.getsource(double), end="")
print(inspect.getsource(Point), end="")
print(inspect.getsourcelines(double)[1])
```

```python exec="on"
point = Point()
point.y = 2
copy = pickle.loads(pickle.dumps(point))
print(type(copy) is Point, copy.y, type(copy).__module__)
```

```python exec="on"
@dataclass
class Named:
    name: Undefined = "a"

print(Named("b"), Named.__annotations__)
```

```python exec="on"
def call():
    # Between the two lines that the traceback names.
    Point().fail()

call()
```

```python exec="on"
import sys
print(__name__, __file__, sys.argv)
open("beside.py", "w").close()
import beside
```

```python exec="on"
import multiprocessing
if "fork" in multiprocessing.get_all_start_methods():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(double, [1, 2, 3]))
```

```python exec="on"
from gilnotes import Counter
for method in ("spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as pool:
        print(pool.apply(Counter).count)
```
"""
NAMES = (
    "getsource",
    "indented",
    "no Python",
    "getsource later",
    "pickle",
    "dataclass",
    "traceback",
    "main",
    "fork",
    "spawn",
)
DOUBLE = "def double(number):\n    # A comment stays.\n    return 2 * number\n"
POINT = "class Point:\n    x = 1\n\n    def fail(self):\n        raise LookupError(self)\n"
METHOD = '    def method(self):\n        return "inner"\n'


@pytest.fixture(scope="module", params=SPECS)
def answers(request: pytest.FixtureRequest) -> dict[str, Answer]:
    answers = dict(zip(NAMES, run_page(TEXT, request.param), strict=True))
    failed = {name for name, answer in answers.items() if answer.failure}
    assert failed == {"no Python", "traceback"}
    return answers


def test_the_source_of_a_function_is_found(answers: dict[str, Answer]) -> None:
    assert answers["getsource"].output == DOUBLE


def test_source_in_an_indented_fence_is_found_without_its_indentation(
    answers: dict[str, Answer],
) -> None:
    assert answers["indented"].output == f"class Inner:\n{METHOD}{METHOD}"


def test_a_later_block_finds_the_source_of_an_earlier_one(answers: dict[str, Answer]) -> None:
    line = TEXT.split("\n").index("def double(number):") + 1
    assert answers["getsource later"].output == f"{DOUBLE}{POINT}{line}\n"


def test_an_instance_of_a_blocks_class_can_be_pickled(answers: dict[str, Answer]) -> None:
    assert answers["pickle"].output == "True 2 __main__\n"


def test_a_future_import_holds_for_later_blocks(answers: dict[str, Answer]) -> None:
    assert answers["dataclass"].output == "Named(name='b') {'name': 'Undefined'}\n"


def test_a_traceback_names_the_lines_of_the_page(answers: dict[str, Answer]) -> None:
    lines = TEXT.split("\n")
    named = re.findall(
        r'File "docs/page.md", line (\d+), in .*\n *(.+)', answers["traceback"].output
    )
    assert [code for _, code in named] == ["call()", "Point().fail()", "raise LookupError(self)"]
    for line, code in named:
        assert lines[int(line) - 1].strip() == code
    failure = answers["traceback"].failure
    assert failure is not None
    assert lines[failure.line - 1].strip() == "raise LookupError(self)"
    syntax = answers["no Python"].failure
    assert syntax is not None
    assert lines[syntax.line - 1] == "this is no Python"


def test_the_block_is_the_program(answers: dict[str, Answer]) -> None:
    assert answers["main"].output == "__main__ docs/page.md ['docs/page.md']\n"


def test_other_processes_run_functions_of_a_block_and_of_modules(
    answers: dict[str, Answer],
) -> None:
    assert answers["fork"].output == "[2, 4, 6]\n"
    assert answers["spawn"].output == "0\n0\n"
