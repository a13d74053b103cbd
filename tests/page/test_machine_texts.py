"""Every text that the machine page names exists, and none is left over."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from palier.locale import Catalogue

CONSOLE = Path(str(resources.files("dashboards.console")))
TEXTS = Catalogue("fr").table("machine")
MADE = ("test_", "mode_", "marker_", "flag_", "section_", "why_stopped", "why_transient")
"""Keys that are put together from a name: each has a test of its own, or is one of a map's."""


def _sources(folder: str, pattern: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((CONSOLE / folder).glob(pattern)))


def test_templates_and_code_name_texts_that_exist() -> None:
    named = re.findall(
        r'\bm\.t\("([a-z0-9_]+)"\s*[,)]', _sources("templates", "*.html") + _sources(".", "*.py")
    )
    assert len(named) > 40
    assert {key for key in named if key not in TEXTS} == set()


def test_scripts_name_texts_that_exist() -> None:
    scripts = [
        path.read_text("utf-8")
        for path in (CONSOLE / "static").glob("*.js")
        if "const told = settings.machine;" in path.read_text("utf-8")
    ]
    named = {key for script in scripts for key in re.findall(r"\btold\.([a-z0-9_]+)\b(?!\()", script)}
    assert len(named) > 25
    assert {key for key in named if f"js_{key}" not in TEXTS} == set()


def test_no_text_is_left_that_nothing_names() -> None:
    everything = "\n".join(
        (_sources("templates", "*.html"), _sources(".", "*.py"), _sources("static", "*.js"))
    )
    left = [
        key
        for key in TEXTS
        if not key.startswith(MADE) and not re.search(rf"\b{key.removeprefix('js_')}\b", everything)
    ]
    assert left == []
