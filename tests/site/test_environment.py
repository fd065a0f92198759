"""A block sees what Python needs to start, and nothing of the builder's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from gilnotes import interpreters
from gilnotes.site.blocks import Block
from gilnotes.site.runner import run
from tests.site.sessions import SPECS, interpreter
from tests.support import Project

SECRETS = {
    "API_TOKEN": "secret-of-api",
    "AWS_SECRET_ACCESS_KEY": "secret-of-aws",
    "GITHUB_TOKEN": "secret-of-github",
    "HTTPS_PROXY": "http://secret-of-proxy:1",
    "https_proxy": "http://secret-of-small-proxy:1",
    "PYTHONPATH": "/secret/path",
    "PYTHONSTARTUP": "/secret/startup.py",
    "SSH_AUTH_SOCK": "/secret/socket",
}
LOOK = """\
import os, pathlib, subprocess, sys, tempfile
print(dict(os.environ), sys.path)
subprocess.run([sys.executable, "-c", "import os, sys; print(dict(os.environ), sys.path)"])
for environment in pathlib.Path("/proc").glob("self/environ"):
    print(environment.read_bytes())
print("folders:", *{os.environ["HOME"], os.environ["TMPDIR"], tempfile.gettempdir(), os.getcwd()})
pathlib.Path.home().joinpath("left.txt").write_text("behind")"""


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.mark.parametrize("spec", SPECS)
def test_no_secret_reaches_a_block(spec: str, homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [interpreter(spec)]
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(homes))
    python = () if spec == "here" else (spec,)
    (outcome,) = run([Block("docs/page.md", 1, LOOK, python=python)], found).outcomes
    assert outcome.failure is None
    assert "GILNOTES_WORKER" in outcome.output
    assert "secret" not in outcome.output


@pytest.mark.parametrize("spec", SPECS)
def test_home_and_temporary_folder_are_one_folder_that_goes(
    spec: str, homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(homes))
    python = () if spec == "here" else (interpreter(spec).tag,)
    found = [] if spec == "here" else [interpreter(spec)]
    (outcome,) = run([Block("docs/page.md", 1, LOOK, python=python)], found).outcomes
    (folder,) = outcome.output.split("folders: ")[1].splitlines()
    assert Path(folder).parent == homes
    assert not list(homes.iterdir())


def test_a_broken_interpreter_is_reported_and_left_out(project: Project) -> None:
    for number, script in enumerate(("kill -SEGV $$", "echo nonsense", "exit 3")):
        broken = project.root / "bin" / f"python3.{90 + number}"
        broken.parent.mkdir(exist_ok=True)
        broken.write_text(f"#!/bin/sh\n{script}\n")
        broken.chmod(0o755)
    project.page(
        '```python exec="on" result="text" python="all"\nimport sys\nprint(sys.version)\n```\n'
    )
    done = project.build(PATH=f"{project.root / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    for name, reason in (
        ("python3.90", "killed by SIGSEGV"),
        ("python3.91", "answered nonsense"),
        ("python3.92", "exit status 3"),
    ):
        assert f"{project.root / 'bin' / name} (PATH): {reason}" in done.stderr
    assert interpreters.current().version in project.html()


def test_a_hanging_interpreter_is_reported_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "python3.90"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(interpreters, "PATIENCE", 1)
    survey = interpreters.survey()
    assert [broken.path for broken in survey.broken] == [str(hanging)]
    block = Block("docs/page.md", 1, "print(1)", python=("all",))
    assert {o.status for o in run([block], survey.found).outcomes} == {"passed"}
