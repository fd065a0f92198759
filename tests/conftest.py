"""What all tests share."""

from __future__ import annotations

# These run under every interpreter, this one included: test_subject.py starts them.
collect_ignore = ["subject"]
