"""Makes `.venv` and installs one locked requirement file and the package itself in it.

    python tools/bootstrap.py requirements/site.txt

Prints nothing when nothing has changed. What is missing (a newer Python, venv, the network) is
said in one sentence, with exit status 1. To be able to say it, this file runs on any Python,
2.7 included: hence the type comments and the plain ASCII.

A stamp in `.venv` remembers what was installed, by which interpreter. `.venv` is made anew when
the interpreter or the folder is another one or an installed version is no longer locked, and is
never touched when it has no stamp: then somebody else made it.
"""

from __future__ import print_function

import hashlib
import json
import os
import sys

MYPY = False
if MYPY:  # what the type comments name; no Python imports it
    from typing import IO, Any  # noqa: F401

OLDEST = (3, 11)
VENV = ".venv"
STAMP = os.path.join(VENV, "gilnotes.json")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
OFFLINE = ("No matching distribution", "Could not fetch URL", "Retrying (")  # as pip says it


class Missing(Exception):
    """Something this machine lacks. Its text is the one sentence the reader gets."""


def main(arguments):  # type: (list[str]) -> int
    """Bring `.venv` up to date with a requirement file; return the exit status."""
    try:
        if sys.version_info < OLDEST:
            raise Missing(
                "The site is built with Python {}.{} or newer and {} is Python {}: type "
                "`make site PYTHON=python3.12`, or the name of another one you have.".format(
                    OLDEST[0], OLDEST[1], sys.executable, sys.version.split()[0]
                )
            )
        if len(arguments) != 1:
            raise Missing("Type `python tools/bootstrap.py requirements/site.txt`.")
        os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        update(arguments[0])
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def update(wanted):  # type: (str) -> None
    """Install what the requirement file `wanted` locks, unless it is all there."""
    if not os.path.isfile(wanted):
        raise Missing("There is no {}: name a file of requirements/.".format(wanted))
    if is_current(recall(), wanted):
        return
    lock = wait_for_others()
    stamp = recall()
    if is_current(stamp, wanted):
        return
    usable = is_usable(stamp)
    remember({})  # until all is well, whatever happens, `.venv` counts as unfinished
    try:
        if not usable:
            clear()
            make()
            stamp = {"python": interpreter(), "place": os.path.abspath(VENV), "pins": []}
        if not covers(stamp, wanted):
            print("Installing {} in {} ...".format(wanted, VENV))
            sys.stdout.flush()
            install("--require-hashes", "-r", wanted)
            stamp["pins"] = sorted(pins(wanted).union(stamp["pins"]))
        if stamp.get("package") != digest("pyproject.toml"):
            install("--no-deps", "--no-build-isolation", "-e", ".")
            stamp["package"] = digest("pyproject.toml")
    except Missing:
        if usable:
            remember(stamp)  # pip gave up before it changed what was there
        raise
    remember(stamp)
    lock.close()


def is_current(stamp, wanted):  # type: (dict[str, Any], str) -> bool
    """Whether nothing has to be done."""
    return (
        is_usable(stamp)
        and covers(stamp, wanted)
        and stamp.get("package") == digest("pyproject.toml")
    )


def is_usable(stamp):  # type: (dict[str, Any]) -> bool
    """Whether what is in `.venv` can stay: same interpreter, same folder, still locked."""
    if stamp.get("python") != interpreter() or stamp.get("place") != os.path.abspath(VENV):
        return False
    locked = set()  # type: set[str]
    for name in os.listdir("requirements"):
        locked |= pins(os.path.join("requirements", name))
    return os.path.exists(PYTHON) and locked.issuperset(stamp["pins"])


def covers(stamp, wanted):  # type: (dict[str, Any], str) -> bool
    """Whether everything that `wanted` locks is installed, by whichever file."""
    return pins(wanted).issubset(stamp["pins"])


def pins(name):  # type: (str) -> set[str]
    """What a requirement file locks: its lines but for comments and hashes."""
    with open(name) as file:
        lines = [line.strip() for line in file]
    return {line for line in lines if line and not line.startswith(("#", "--hash="))}


def digest(name):  # type: (str) -> str
    """The SHA-256 of a file."""
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def interpreter():  # type: () -> list[str]
    """Version and path of the Python under `.venv`, also when this one runs inside a venv."""
    return [sys.version, os.path.realpath(getattr(sys, "_base_executable", sys.executable))]


def recall():  # type: () -> dict[str, Any]
    """The stamp; an empty one when `.venv` is missing or unfinished, or the stamp damaged."""
    if not os.path.lexists(VENV) or (os.path.isdir(VENV) and not os.listdir(VENV)):
        return {}
    if not os.path.isfile(STAMP):
        raise Missing(
            "Another program made {0}: move it away with `mv {0} {0}-old`, then try again.".format(
                VENV
            )
        )
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) and isinstance(stamp.get("pins"), list) else {}


def remember(stamp):  # type: (dict[str, Any]) -> None
    """Write the stamp in one stroke: a killed run leaves the old one or the new one."""
    if not os.path.isdir(VENV):
        os.mkdir(VENV)
    with open(STAMP + ".new", "w") as file:
        json.dump(stamp, file, indent=1)
    os.replace(STAMP + ".new", STAMP)


def clear():  # type: () -> None
    """Empty `.venv` but for the stamp, which says that the folder is ours."""
    import shutil

    for name in os.listdir(VENV):
        path = os.path.join(VENV, name)
        if path == STAMP:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def make():  # type: () -> None
    """Make the virtual environment."""
    python = interpreter()[1]
    status, out, err = run([python, "-I", "-m", "venv", VENV])
    if status == 0:
        return
    # Debian and Ubuntu keep venv and ensurepip in a package of their own.
    if "ensurepip" in out + err or "No module named" in err:
        raise Missing(
            "{} has no venv: type `sudo apt install python3-venv` (Debian, Ubuntu), or take "
            "another Python, as in `make site PYTHON=python3.12`.".format(python)
        )
    raise Missing("{} -m venv {} fails: {}".format(python, VENV, last_line(out + err)))


def install(*arguments):  # type: (*str) -> None
    """Run pip in `.venv`; what it prints is shown only in so far as it explains a failure."""
    command = [PYTHON, "-I", "-m", "pip", "install", "--quiet"]
    status, out, err = run(command + list(arguments))
    if status == 0:
        return
    what = arguments[-1]
    errors = [line[6:] for line in err.splitlines() if line.startswith("ERROR: ")]
    crashed = "ERROR: Exception:" in err  # a traceback follows, whose last line says why
    reason = last_line(out + err if crashed or not errors else errors[-1])
    if "DO NOT MATCH THE HASHES" in err:
        raise Missing(
            "pip was given a package that is not the one {} locks (its hash differs): see which "
            "index `pip config list` names, or lock anew with `make lock`.".format(what)
        )
    if any(word in err for word in OFFLINE):
        raise Missing("pip cannot get all of {} ({}): try again when online.".format(what, reason))
    raise Missing(
        "pip cannot install {} ({}): to see all it says, type `{}`.".format(
            what, reason, " ".join(command[:1] + command[2:-1] + list(arguments))
        )
    )


def last_line(text):  # type: (str) -> str
    """The last line that says something, ready to stand inside a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "without a word"


def run(command):  # type: (list[str]) -> tuple[int, str, str]
    """Run a command to its end; return its exit status and what it printed."""
    import subprocess

    environment = dict(
        os.environ, PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1"
    )
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=environment,
    )
    out, err = process.communicate()
    return process.returncode, out, err


def wait_for_others():  # type: () -> IO[str]
    """Let one `make` at a time change `.venv`: until the file returned is closed."""
    file = open(os.path.abspath(__file__))  # noqa: SIM115
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        pass  # Windows, or a file system without locks: then nobody waits
    return file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
