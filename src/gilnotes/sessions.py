"""The sessions of a page as one program: what a page's downloaded script is held together by."""

from __future__ import annotations

import sys


class Sessions:
    r"""Lets each part of a program see the names of its own session, as the blocks of a page do.

    Blocks of one page that share a session share names; a block that ran alone has none but its
    own. A script that is all of them, one below the other, calls this in between:

    >>> names = {"__name__": "a script"}
    >>> begin = names["begin"] = Sessions(names)
    >>> begin("A counter", session="counting")
    <BLANKLINE>
    == A counter ==
    >>> names["count"] = 1
    >>> begin("Something else, alone")
    <BLANKLINE>
    == Something else, alone ==
    >>> "count" in names
    False
    >>> begin("The counter again", session="counting")
    <BLANKLINE>
    == The counter again ==
    >>> names["count"]
    1

    ``names`` is the module's ``globals()``. What a part may have changed of the interpreter, the
    switch interval and the trace functions, is put back before the next.
    """

    def __init__(self, names: dict[str, object]) -> None:
        self._names = names
        self._always = set(names) | {"begin"}
        self._sessions: dict[str, dict[str, object]] = {}
        self._session: str | None = None
        self._switch_interval = sys.getswitchinterval()

    def __call__(self, title: str, session: str | None = None) -> None:
        """Print the title of the part that begins here; ``session`` None: it stands alone."""
        own = {name: self._names[name] for name in self._names if name not in self._always}
        if self._session is not None:
            self._sessions[self._session] = own
        for name in own:
            del self._names[name]
        self._names.update({} if session is None else self._sessions.get(session, {}))
        self._session = session
        sys.settrace(None)
        sys.setprofile(None)
        sys.setswitchinterval(self._switch_interval)
        print(f"\n== {title} ==", flush=True)
