"""How a page looks in a browser: what axe-core finds, what is too wide, what was not translated."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any, Final

from playwright.sync_api import Page

from palier.locale import Catalogue

PHONE: Final = {"width": 320, "height": 640}
WALL: Final = {"width": 1920, "height": 1080}

BY_LOOKS: Final = ("color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block")
"""The rules of axe-core that colours and sizes change; a language changes none."""

_TABLES: Final = "|".join({key.split(".")[0] for key in sorted(Catalogue("fr").keys())})
_SERIOUS: Final = ("serious", "critical")
_AXE: Final = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

_WIDER: Final = """() => [...document.querySelectorAll('main *')].filter((e) => {
    const box = e.getBoundingClientRect();
    const scrolls = e.closest('.scroll, svg, .chart');
    return box.width && !scrolls && !e.closest('.visually-hidden') &&
      (box.right > innerWidth + 1 || box.left < -1);
}).map((e) => e.outerHTML.slice(0, 90))"""


def faults(page: Page, *rules: str) -> list[str]:
    """What axe-core calls serious or worse, with where it is; by those rules, or all of its own."""
    asked: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        asked["runOnly"] = {"type": "rule", "values": rules}
    else:
        page.evaluate(_AXE)
    found: list[dict[str, Any]] = page.evaluate("async (asked) => (await axe.run(asked)).violations", asked)
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]


def look(page: Page, path: str, lang: str) -> list[str]:
    """What is wrong with a page that is open."""
    wrong = []
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > (page.viewport_size or WALL)["width"]:
        wrong.append(f"{path} {lang}: {width} px wide")
    wrong += [f"{path} {lang}: wider than the screen: {html}" for html in page.evaluate(_WIDER)]
    text = page.inner_text("body")
    wrong += [f"{path} {lang}: {key}" for key in re.findall(rf"\b(?:{_TABLES})\.[a-z]+_[a-z_]+\b", text)]
    return wrong
