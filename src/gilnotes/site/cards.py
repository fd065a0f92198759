"""The picture shown where somebody links to the site: the race, as this build ran it."""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gilnotes.site.outcomes import Record

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 1200, 630
"""Pixels; the shape that Open Graph's readers show uncut."""

MARGIN = 64
GROUND, TEXT, QUIET, FOUND, LOST = "#163a5b", "#ffffff", "#c3d4e3", "#8cc4f5", "#ffb86b"
_COUNTED = re.compile(r"should be (\d+), found (\d+)")


@dataclass(frozen=True)
class Count:
    """How far the counter got on one interpreter."""

    label: str
    found: int
    expected: int


def counts(record: Record) -> tuple[Count, ...]:
    """What the first block found that counts on several interpreters; nothing, if none does."""
    for block in dict.fromkeys(outcome.block for outcome in record.outcomes):
        matches = [
            (outcome, _COUNTED.search(outcome.output))
            for outcome in record.of(str(block))
            if outcome.interpreter
        ]
        if len(matches) > 1 and all(match for _, match in matches):
            return tuple(
                Count(
                    outcome.spec if python.gil else f"{outcome.spec}, no GIL",
                    int(match[2]),
                    int(match[1]),
                )
                for outcome, match in matches
                if match and (python := outcome.interpreter)
            )
    return ()


# Under `mkdocs serve`, it is the same at almost each rebuild.
@lru_cache(maxsize=1)
def draw(name: str, description: str, found: tuple[Count, ...]) -> bytes:
    """Draw the picture, as PNG: a bar for each interpreter, its lost updates in another color.

    The same counts give the same bytes. Beside the color, the lost part has a pattern.
    """
    import PIL.Image
    import PIL.ImageDraw

    image = PIL.Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    pen = PIL.ImageDraw.Draw(image)
    if not found:
        pen.text((MARGIN, 220), name, TEXT, _font(96))
        pen.multiline_text((MARGIN, 350), _wrapped(description), QUIET, _font(36), spacing=12)
        return _png(image)
    expected = max(count.expected for count in found)
    pen.text((MARGIN, 44), "Five threads, one counter, no lock", TEXT, _font(58))
    pen.text((MARGIN, 122), f"It should be {expected:,}. Found on CPython:", QUIET, _font(34))
    top, bottom = 186, HEIGHT - 84
    step = (bottom - top) / len(found)
    size = min(30, int(step * 0.62))
    left, right = MARGIN + 200, WIDTH - MARGIN - 150
    for row, count in enumerate(found):
        y = top + row * step
        half = step / 2
        end = left + (right - left) * count.found / expected
        pen.text((left - 20, y + half), count.label, TEXT, _font(size), anchor="rm")
        pen.rectangle((left, y + 5, end, y + step - 5), FOUND)
        if count.found < count.expected:
            for x in range(int(end) + 4, right, 10):
                pen.line((x, y + 5, x, y + step - 5), LOST, 4)
        pen.text((right + 20, y + half), f"{count.found:,}", TEXT, _font(size), anchor="lm")
    last = f"Striped: lost updates. {name}: every printed outcome is real"
    pen.text((MARGIN, HEIGHT - 66), last, QUIET, _font(30))
    return _png(image)


def _font(size: int) -> FreeTypeFont | ImageFont:
    """The font that Pillow brings along: the picture is the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _wrapped(text: str, columns: int = 56) -> str:
    return "\n".join(textwrap.wrap(text, columns))


def _png(image: Image) -> bytes:
    file = io.BytesIO()
    image.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()
