"""Letters that join, lifted out of a drawing: WeasyPrint sets the text of an SVG letter by letter, and so no
Arabic word can be read. Such words are laid over the drawing as HTML, where Pango shapes them.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final
from xml.etree import ElementTree as ET

JOINED: Final = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
"""Scripts that run from right to left, whose letters have the shape of their place."""

_SVG: Final = "http://www.w3.org/2000/svg"


def overlaid(svg: str) -> str:
    """A drawing of `plots` whose words of such scripts lie over it; any other drawing as it is.

    The classes `drawing` and `over` are those of the report's style.
    """
    if not JOINED.search(svg):
        return svg
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    words = []
    for text in root.findall(f"{{{_SVG}}}text"):
        if JOINED.search(text.text or ""):
            root.remove(text)
            left = 100 * float(text.attrib["x"]) / width
            top = 100 * float(text.attrib["y"]) / height
            place = f"left:{left:.2f}%;top:{top:.2f}%;color:{text.attrib['fill']}"
            words.append(
                f'<span class="over {text.attrib["text-anchor"]}" dir="rtl" style="{place}">'
                f"{escape(text.text or '')}</span>"
            )
    return f'<div class="drawing">{ET.tostring(root, encoding="unicode")}{"".join(words)}</div>'
