"""What is served to browsers: the vendored library as it was published, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import pytest

CONSOLE = Path(str(resources.files("dashboards.console")))
UPLOT = CONSOLE / "static" / "vendor" / "uplot"
OURS = sorted(
    path
    for folder in ("static", "templates")
    for path in (CONSOLE / folder).rglob("*")
    if path.is_file() and "vendor" not in path.parts
)


@pytest.mark.parametrize("name", ["uPlot.iife.min.js", "uPlot.min.css", "LICENSE"])
def test_the_vendored_files_are_those_that_vendor_md_names(name: str) -> None:
    digest = hashlib.sha256((UPLOT / name).read_bytes()).hexdigest()
    assert f"| `{name}` | `{digest}` |" in (UPLOT / "VENDOR.md").read_text("utf-8")


def test_our_files_load_nothing_from_another_host() -> None:
    texts = {path.name: path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "") for path in OURS}
    assert not {name for name, text in texts.items() if re.search(r"(https?:)?//[a-z0-9]+\.[a-z]", text)}


def test_templates_turn_no_escaping_off() -> None:
    templates = [path for path in OURS if path.suffix == ".html"]
    assert templates
    assert not {p.name for p in templates if re.search(r"\|\s*safe\b|autoescape", p.read_text("utf-8"))}


def test_every_text_that_templates_and_scripts_name_exists() -> None:
    from palier.locale import Catalogue

    catalogue = Catalogue("fr")
    html = "\n".join(path.read_text("utf-8") for path in OURS if path.suffix == ".html")
    script = "\n".join(path.read_text("utf-8") for path in OURS if path.suffix == ".js")
    named = {
        *re.findall(r'w\.t\("([a-z0-9_]+)"\s*[,)]', html),
        *re.findall(r"words\.([a-z]+_[a-z_]+)", script),
    }
    assert len(named) > 30
    assert [key for key in sorted(named) if f"page.{key}" not in catalogue] == []


def test_no_text_of_the_page_is_left_that_nothing_names() -> None:
    from palier.locale import Catalogue

    sources = [path.read_text("utf-8") for path in (*OURS, *CONSOLE.glob("*.py"))]
    everything = "\n".join(sources)
    by_prefix = (
        "feature_",
        "group_",
        "kind_",
        "limit_",
        "lines_of_",
        "unit_",
        "range_",
        "span_",
        "problem_",
        "note_",
        "remedy_",
        "since_",
        "theme_",
        "kind_of_",
        "read_only_",
        "said_",
        "verdict_",
        "contact_",
        "ledger_reason_",
        "aside_",
    )
    plain = [key for key in Catalogue("fr").table("page") if not key.startswith(by_prefix)]
    assert [key for key in plain if key not in everything] == []
