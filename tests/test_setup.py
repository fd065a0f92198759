"""The set-up: make, tools/bootstrap.py and the wheel, run as a user runs them."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gilnotes import interpreters

ROOT = Path(__file__).parents[1]

# A build backend of one function, so that these tests need no network.
BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "tiny-1.dist-info/"
    with zipfile.ZipFile(folder + "/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""


@dataclass(frozen=True)
class Project:
    """A folder with our bootstrap, a package and requirement files, all tiny."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Project:
        (root / "tools").mkdir(parents=True)
        (root / "requirements").mkdir()
        (root / "wheels").mkdir()
        shutil.copy(ROOT / "tools/bootstrap.py", root / "tools")
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "backend.py").write_text(BACKEND)
        project = cls(root)
        one, two = project.wheel("one"), project.wheel("two")
        project.requirements("site", one)
        project.requirements("dev", one, two)
        project.requirements("absent", f"three==1 --hash=sha256:{'0' * 64}")
        project.requirements("forged", f"two==1 --hash=sha256:{'0' * 64}")
        return project

    def wheel(self, name: str) -> str:
        """Make a package that can be installed; return the line that requires it."""
        path = self.root / f"wheels/{name}-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            info = f"{name}-1.dist-info/"
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{info}METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            wheel.writestr(f"{info}WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}RECORD", "")
        return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"

    def requirements(self, name: str, *lines: str) -> None:
        (self.root / f"requirements/{name}.txt").write_text("# a comment\n" + "\n".join(lines))

    def start(
        self, name: str, *, python: str = sys.executable, index: str | None = None
    ) -> subprocess.Popen[str]:
        pip = {"PIP_INDEX_URL": index, "PIP_RETRIES": "0"} if index else {"PIP_NO_INDEX": "1"}
        return subprocess.Popen(
            [python, str(self.root / "tools/bootstrap.py"), f"requirements/{name}.txt"],
            cwd="/",
            env=environment(
                PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS=(self.root / "wheels").as_uri(), **pip
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, name: str, *, python: str = sys.executable, index: str | None = None
    ) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of the bootstrap."""
        with self.start(name, python=python, index=index) as process:
            out, err = process.communicate()
        return process.returncode, out, err

    def has(self, module: str) -> bool:
        """Whether a module can be imported in `.venv`."""
        command = [str(self.root / ".venv/bin/python"), "-I", "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def environment(**more: str) -> dict[str, str]:
    """Our environment without what make and pip would take from it."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "MAKE", "MFLAGS")) and name not in ("PYTHON", "TESTS")
    }
    return {**ours, **more}


def is_one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and text.endswith(".\n") and "Traceback" not in text


@pytest.fixture(scope="module")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[tuple[int, str]]]:
    """A project installed by two runs started at once, and what they said."""
    project = Project.make(tmp_path_factory.mktemp("a project"))
    with project.start("site") as one, project.start("site") as other:
        outputs = [process.communicate()[0] for process in (one, other)]
    return project, [(one.returncode, outputs[0]), (other.returncode, outputs[1])]


@pytest.fixture
def installed(first_runs: tuple[Project, list[tuple[int, str]]]) -> Project:
    return first_runs[0]


def test_of_two_runs_at_once_one_installs(
    first_runs: tuple[Project, list[tuple[int, str]]],
) -> None:
    project, runs = first_runs
    assert sorted(runs) == [(0, ""), (0, "Installing requirements/site.txt in .venv ...\n")]
    assert project.has("one")


def test_a_run_that_finds_nothing_new_prints_and_changes_nothing(installed: Project) -> None:
    stamp = installed.root / ".venv/gilnotes.json"
    before = stamp.stat()
    assert installed.run("site") == (0, "", "")
    assert stamp.stat() == before


def test_a_lock_that_only_grew_installs_what_is_new_and_keeps_the_rest(installed: Project) -> None:
    marker = installed.root / ".venv/kept"
    marker.touch()
    more = installed.wheel("more")
    with (installed.root / "requirements/site.txt").open("a") as file:
        file.write(f"\n{more}")
    assert installed.run("site")[0] == 0
    assert installed.has("more")
    assert marker.exists()


def test_no_network_is_said_in_one_sentence_and_breaks_nothing(installed: Project) -> None:
    nobody_listens = "http://127.0.0.1:9/simple"
    for index in (nobody_listens, None):
        status, _, said = installed.run("absent", index=index)
        assert status == 1
        assert is_one_sentence(said)
        assert "requirements/absent.txt" in said
        assert "No matching distribution found for three==1" in said
        assert "try again when online" in said
    assert installed.run("site") == (0, "", "")


def test_a_package_with_another_hash_is_refused_in_one_sentence(installed: Project) -> None:
    status, _, said = installed.run("forged")
    assert status == 1
    assert is_one_sentence(said)
    assert "not the one requirements/forged.txt locks" in said
    assert "make lock" in said
    assert not installed.has("two")


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the larger set of requirements installed."""
    project = Project.make(tmp_path_factory.mktemp("developed"))
    assert project.run("dev")[0] == 0
    return project


def test_a_set_that_covers_another_leaves_nothing_to_install(developed: Project) -> None:
    assert developed.run("site") == (0, "", "")


@pytest.mark.parametrize(
    "change",
    [
        {"python": ["3.11.0 (another build)", "/elsewhere/python"]},
        {"place": "/elsewhere/.venv"},
        {"pins": ["one==0"]},  # a version that no file locks any longer
        {"pins": None},  # a stamp of another form
    ],
    ids=lambda change: str(*change),
)
def test_a_venv_that_no_longer_fits_is_not_used(
    change: dict[str, object], developed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(developed.root)
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    bootstrap = importlib.import_module("bootstrap")
    stamp = developed.root / ".venv/gilnotes.json"
    good = stamp.read_text()
    assert bootstrap.is_usable(bootstrap.recall())
    try:
        stamp.write_text(json.dumps({**json.loads(good), **change}))
        assert not bootstrap.is_usable(bootstrap.recall())
        stamp.write_text(good[:-9])  # cut off
        assert not bootstrap.is_usable(bootstrap.recall())
    finally:
        stamp.write_text(good)


def test_a_venv_of_another_interpreter_is_made_anew(developed: Project) -> None:
    stamp = developed.root / ".venv/gilnotes.json"
    known = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**known, "python": ["3.11.0 (another build)", sys.executable]}))
    (developed.root / ".venv/left over").touch()
    status, said, _ = developed.run("dev")
    assert (status, said) == (0, "Installing requirements/dev.txt in .venv ...\n")
    assert developed.has("two")
    assert not (developed.root / ".venv/left over").exists()


@contextlib.contextmanager
def silent_index() -> Iterator[tuple[str, threading.Event]]:
    """An index that never answers: its address, and the event that somebody has asked it."""
    asked, done = threading.Event(), threading.Event()

    class Silence(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            done.wait()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silence) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple", asked
        finally:
            done.set()
            server.shutdown()
            thread.join()


def test_a_killed_run_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    with silent_index() as (index, asked), project.start("site", index=index) as process:
        assert asked.wait(timeout=100)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert (project.root / ".venv/bin/python").exists()
    assert not project.has("one")

    assert project.run("site")[:2] == (0, "Installing requirements/site.txt in .venv ...\n")
    assert project.has("one")
    assert project.run("site") == (0, "", "")


def test_a_venv_that_somebody_else_made_is_left_alone(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    theirs = tmp_path / ".venv/pyvenv.cfg"
    theirs.parent.mkdir()
    theirs.write_text("home = elsewhere\n")
    status, out, said = project.run("site")
    assert (status, out) == (1, "")
    assert is_one_sentence(said)
    assert "mv .venv .venv-old" in said
    assert [path.name for path in theirs.parent.iterdir()] == ["pyvenv.cfg"]


def test_a_requirement_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    status, out, said = Project.make(tmp_path).run("nothing")
    assert (status, out) == (1, "")
    assert is_one_sentence(said)
    assert "requirements/nothing.txt" in said


def old_pythons() -> dict[str, str]:
    """Interpreters too old for the site, by version: the oldest are no subject of the notes."""
    names = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")
    roots = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*"))
    found = {}
    for name in names:
        for root in roots:
            if root.name.startswith(name + ".") and (root / "bin/python").exists():
                found[name] = str(root / "bin/python")
    for interpreter in interpreters.find():
        if interpreter.tag in names:
            found.setdefault(interpreter.tag, interpreter.path)
    return found


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"])
def test_a_python_that_is_too_old_is_told_what_to_type(version: str, tmp_path: Path) -> None:
    python = old_pythons().get(version)
    if not python:
        pytest.skip(f"no Python {version} here")
    status, out, said = Project.make(tmp_path).run("site", python=python)
    assert (status, out) == (1, "")
    assert is_one_sentence(said)
    assert f"is Python {version}." in said
    assert "make site PYTHON=python3.12" in said
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_ensurepip_is_told_which_package_to_install(tmp_path: Path) -> None:
    # What Debian ships without python3-venv: the same binary, a standard library lacking that.
    version = f"python3.{sys.version_info.minor}"
    library = Path(os.__file__).parent
    crippled = tmp_path / "debian"
    (crippled / "bin").mkdir(parents=True)
    (crippled / "lib" / version).mkdir(parents=True)
    for path in library.iterdir():
        if path.name != "ensurepip":
            (crippled / "lib" / version / path.name).symlink_to(path)
    python = crippled / "bin" / version
    shutil.copy(os.path.realpath(sys.executable), python)
    works = subprocess.run([python, "-c", "import venv"], capture_output=True, check=False)
    if works.returncode:
        pytest.skip("this Python cannot be moved")

    project = Project.make(tmp_path / "project")
    status, _, said = project.run("site", python=str(python))
    assert status == 1
    assert is_one_sentence(said)
    assert "sudo apt install python3-venv" in said
    assert "make site PYTHON=" in said


def make(*arguments: str, folder: Path = ROOT, **variables: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of make."""
    done = subprocess.run(
        ["make", *arguments, *(f"{name}={value}" for name, value in variables.items())],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_make_alone_lists_every_target_in_one_line_each() -> None:
    status, said, _ = make()
    assert status == 0
    listed = re.findall(r"^make (\w+) +\S", said, re.M)
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[0].split()
    targets = {name for name in phony if name != "help" and not name.startswith("installed-")}
    assert sorted(listed) == sorted(targets)
    assert {"site", "test", "serve", "check", "lock", "bench", "clean"} == targets


@pytest.mark.parametrize("target", ["site", "test", "serve", "check", "lock", "bench"])
def test_a_python_that_is_not_there_is_said_before_anything_else(
    target: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    status, out, said = make(target, folder=tmp_path, PYTHON="python9.9")
    assert status == 2
    assert out == ""
    sentence, of_make = said.splitlines()
    assert sentence.startswith("There is no python9.9:")
    assert "make site PYTHON=python3.12" in sentence
    assert of_make.startswith("make: ***")
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_a_build_that_fails_leaves_the_last_good_site(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/index.md"
    (tmp_path / "mkdocs.yml").write_text("site_name: a\nvalidation: {anchors: warn}\n")
    # Everything is installed already: `true` stands where the bootstrap has nothing to do.
    installed = {"PYTHON": "true", "bin": str(Path(sys.executable).parent)}

    page.write_text("# The first")
    status, said, _ = make("site", folder=tmp_path, **installed)
    assert (status, said.count("\n")) == (0, 1)
    assert "site/index.html" in said
    assert "The first" in (tmp_path / "site/index.html").read_text()

    page.write_text("# The second\n\n[nowhere](#nowhere)\n")
    status, _, said = make("site", folder=tmp_path, **installed)
    assert status == 2
    assert "#nowhere" in said
    assert "INFO" not in said
    assert "The first" in (tmp_path / "site/index.html").read_text()

    page.write_text("# The third")
    assert make("site", folder=tmp_path, **installed)[0] == 0
    assert "The third" in (tmp_path / "site/index.html").read_text()
    assert list((tmp_path / ".build").iterdir()) == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this package."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "flit_core.wheel", "--outdir", folder, ROOT], check=True)
    (path,) = folder.glob("gilnotes-*.whl")
    return path


def test_the_wheel_has_no_dependency_but_what_the_site_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = archive.read(name).decode()
    required = re.findall(r"^Requires-Dist: (.*)$", metadata, re.M)
    assert required
    assert [one for one in required if 'extra == "site"' not in one] == []
    assert re.findall(r"^Requires-Python: (.*)$", metadata, re.M) == [">=3.8"]


@pytest.mark.parametrize(
    "interpreter", interpreters.find(), ids=lambda interpreter: str(interpreter.version)
)
def test_the_wheel_runs_on_every_interpreter(
    interpreter: interpreters.Interpreter, wheel: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [interpreter.path, *interpreter.options, "-m", "gilnotes", "--version"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(wheel)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == wheel.name.split("-")[1]
