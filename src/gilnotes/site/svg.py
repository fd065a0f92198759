"""A drawing → SVG that is part of a page: its text is text, its colors are the page's.

What matplotlib writes is a file of its own: with a style sheet that would apply to the whole
page, names that would come twice in it, fonts that the page does not have. Only the shapes and
the words are taken from it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = 11
"""Pixels of all letters, where a picture is as wide as it was drawn."""

INK, QUIET, FAINT, WITH_GIL, WITHOUT_GIL, GROUND = (
    *("#000000", "#000001", "#000002", "#000003", "#000004"),
    "#000005",
)
"""What to draw with. The page's style sheet decides what color each is, in either palette."""

_COLORS = {
    INK: "currentcolor",
    QUIET: "var(--gil-quiet)",
    FAINT: "var(--gil-faint)",
    WITH_GIL: "var(--gil-with)",
    WITHOUT_GIL: "var(--gil-without)",
    GROUND: "var(--md-default-bg-color)",
}
_DEFAULTS = {"stroke-width: 1", "stroke-dashoffset: 0", "stroke-linejoin: miter", "opacity: 1"}


def inline(draw: Callable[[], Figure], name: str, title: str) -> str:
    """Draw, and write what was drawn as an element of a page; all its ids begin with `name`.

    It has the title as its name, and says that the element `<name>-says` describes it. It is a
    group and no image: then a screen reader can also go through its words.

    Raises:
        ValueError: it uses a color that is none of ours.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.BytesIO()
    with mpl.rc_context({"font.size": SIZE, "svg.fonttype": "none", "svg.hashsalt": name}):
        FigureCanvasSVG(draw()).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    root = ElementTree.fromstring(file.getvalue())
    ids: dict[str, str] = {}
    shapes = "".join(_shapes(root, name, ids))
    return (
        f'<svg viewBox="{root.attrib["viewBox"]}" role="group" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-says">'
        f'<title id="{name}-title">{escape(title)}</title>\n{shapes}</svg>'
    )


def _shapes(element: ElementTree.Element, name: str, ids: dict[str, str]) -> Iterator[str]:
    """Write what is to be seen; groups hold nothing but names."""
    for child in element:
        kind = child.tag.rpartition("}")[2]
        if kind == "defs":
            symbols = "".join(_shapes(child, name, ids))
            if symbols:
                yield f"<defs>{symbols}</defs>"
        elif kind == "g":
            yield from _shapes(child, name, ids)
        elif kind == "path":
            if "id" in child.attrib:
                ids[child.attrib["id"]] = f"{name}-{len(ids)}"
            shown = ids.get(child.attrib.get("id", ""), "")
            marked = f' id="{shown}"' if shown else ""
            yield f'<path{marked} d="{_path(child.attrib["d"])}"{_style(child)}/>'
        elif kind == "use":
            target = ids[child.attrib["{http://www.w3.org/1999/xlink}href"][1:]]
            yield f'<use href="#{target}"{_at(child)}{_style(child)}/>'
        elif kind == "text":
            # A line each: what searches a page, or copies from it, keeps its words apart.
            yield f"<text{_at(child)}{_style(child)}>{escape(child.text or '')}</text>\n"


def _path(d: str) -> str:
    return re.sub(r"(?<=[A-Za-z]) | (?=[A-Za-z])|(?<=z)$", "", _rounded(" ".join(d.split())))


def _rounded(text: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), text)


def _at(element: ElementTree.Element) -> str:
    turned = element.attrib.get("transform", "")
    written = {name: element.attrib.get(name, "") for name in ("x", "y")}
    if turned and not re.match(r"rotate\(-?0 ", turned):
        written["transform"] = turned
    return "".join(f' {name}="{_rounded(value)}"' for name, value in written.items() if value)


def _style(element: ElementTree.Element) -> str:
    parts = element.attrib.get("style", "").split("; ")
    kept = [part for part in parts if part not in _DEFAULTS and not part.startswith("font-family")]
    style = re.sub(r"#[0-9a-f]{6}", _color, "; ".join(kept))
    return f' style="{_rounded(style)}"' if style else ""


def _color(found: re.Match[str]) -> str:
    if found[0] not in _COLORS:
        raise ValueError(f"a picture is drawn in the page's colors, and {found[0]} is none of them")
    return _COLORS[found[0]]
