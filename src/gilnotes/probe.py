"""What the interpreter that runs this file is.

It imports nothing of this package and parses on every Python 3, because it is also the question
put to interpreters that nobody knows yet.
"""

import json
import os
import platform
import sys
import sysconfig


def describe() -> "dict[str, object]":
    """Describe this interpreter: the facts of `gilnotes.interpreters.Interpreter`, as JSON values.

    `sys._is_gil_enabled` exists from CPython 3.13, the build variable Py_GIL_DISABLED as well
    (None or 0 on a build that has a GIL).
    """
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    return {
        "path": os.path.realpath(base_executable()),
        "version": platform.python_version(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": is_gil_enabled(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "platform": sysconfig.get_platform(),
        "build": sys.version,
        "prefix": os.path.realpath(sys.base_prefix),
    }


def base_executable() -> str:
    """Return the path of this interpreter, or, in a virtual environment, of the one it was made of.

    Until 3.10 `sys._base_executable` names the environment's own executable on POSIX.
    """
    if sys.prefix == sys.base_prefix:
        return sys.executable
    name = "python{}.{}{}".format(*sys.version_info[:2], getattr(sys, "abiflags", ""))
    for path in (
        getattr(sys, "_base_executable", sys.executable),
        os.path.join(sys.base_prefix, "bin", name),
    ):
        if path != sys.executable and os.path.exists(path):
            return path
    return sys.executable


if __name__ == "__main__":
    print(json.dumps(describe()))
