"""The service worker of a site: it keeps a copy of each page for readers without a network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

NAME = "offline.js"
"""At the root of the site, since a service worker sees only what is below it."""

_TEMPLATE = Path(__file__).with_name("offline.js")
_KEPT = frozenset((".html", ".css", ".js", ".json", ".svg", ".woff2"))
_LEFT_OUT = ("assets/javascripts/lunr/", "outcomes.json", "outcomes.schema.json")
"""What no page asks for: the theme's stemmers of other languages, and the record for programs."""


def service_worker(folder: Path) -> str:
    """Write the service worker of a site that has just been built into a folder.

    It names each file that a page may need, and a digest of them all: whoever has kept another
    build gets this one.
    """
    digest = hashlib.sha256()
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in _KEPT and not name.startswith((*_LEFT_OUT, NAME)):
            names.append(name)
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    text = _TEMPLATE.read_text("utf-8")
    text = text.replace("FILES = []", f"FILES = {json.dumps(names)}")
    return text.replace("DIGEST", digest.hexdigest()[:16])
