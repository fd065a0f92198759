"""``python -m gilnotes``: the same as the command ``gilnotes``."""

from __future__ import annotations

import sys

from gilnotes.cli import main

if __name__ == "__main__":
    sys.exit(main())
