"""`outcomes.json`: the record of a real build, as its schema describes it."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gilnotes
from gilnotes import interpreters
from tests.support import CONFIGURATION, Project

PAGE = """\
```python exec="on"
import warnings
print("first")
warnings.warn("beware")
```

```python exec="on" claim="Two and two are four"
assert 2 + 2 == 4
```

```python exec="on" python="all 3.99"
print("on all")
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("record"))
    (project.root / "mkdocs.yml").write_text(CONFIGURATION, "utf-8")
    project.page(PAGE)
    project.page('```python exec="on" fresh="on"\nprint("fresh")\n```\n', "other.md")
    for _ in range(2):  # the second time from the cache
        done = project.build()
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def record(built: Project) -> Any:
    return json.loads(built.html("outcomes.json"))


def schema(built: Project) -> Any:
    return json.loads(built.html("outcomes.schema.json"))


def test_the_record_is_as_its_schema_says(built: Project, record: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(built))
    jsonschema.validate(record, schema(built), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.pop("status"),
        lambda entry: entry.update(line=0),
        lambda entry: entry.update(status="skipped"),
        lambda entry: entry.update(new=1),
        lambda entry: entry["interpreter"].pop("gil"),
        lambda entry: entry.update(measured="yesterday"),
        lambda entry: entry.update(failure={"line": 1, "message": "of a block that passed"}),
        lambda entry: entry.update(interpreter=None),
    ],
)
def test_the_schema_rejects_another_record(built: Project, record: Any, damage: Any) -> None:
    changed = json.loads(json.dumps(record))
    damage(changed["outcomes"][0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, schema(built), jsonschema.Draft202012Validator)


def test_there_is_one_entry_for_each_block_and_interpreter(record: Any) -> None:
    here = interpreters.current().tag
    tags = [python.tag for python in interpreters.select(["all"], interpreters.find())]
    assert [(e["page"], e["line"], e["spec"], e["status"]) for e in record["outcomes"]] == [
        ("docs/index.md", 1, here, "passed"),
        ("docs/index.md", 7, here, "passed"),
        *(("docs/index.md", 11, tag, "passed") for tag in tags),
        ("docs/index.md", 11, "3.99", "missing"),
        ("docs/other.md", 1, here, "passed"),
    ]


def test_an_entry_says_what_was_printed_when_and_by_whom(record: Any) -> None:
    first, claim, *_, missing, fresh = record["outcomes"]
    assert first["output"].startswith("first\ndocs/index.md:4: UserWarning: beware\n")
    assert first["interpreter"]["version"] == interpreters.current().version
    assert (first["cached"], fresh["cached"]) == (True, False)
    assert (first["claim"], claim["claim"]) == (None, "Two and two are four")
    assert (missing["interpreter"], missing["measured"]) == (None, None)
    for entry in record["outcomes"]:
        if entry["interpreter"]:
            assert datetime.fromisoformat(entry["measured"]).utcoffset() == timedelta()
            assert 0 <= entry["seconds"] < 60


def test_anchors_are_in_the_page(built: Project, record: Any) -> None:
    for entry in record["outcomes"]:
        page = built.html(Path(entry["page"]).with_suffix(".html").name)
        assert f'id="{entry["anchor"]}"' in page


def test_no_path_of_the_machine_is_in_the_record(built: Project) -> None:
    text = built.html("outcomes.json")
    folders = {built.root, Path.home(), Path(sys.prefix), Path(sys.base_prefix)}
    folders |= {Path(gilnotes.__file__).parent}
    folders |= {Path(python.path).parent for python in interpreters.find()}
    assert not [folder for folder in folders if str(folder) in text]
