"""docs/features.md is the catalogue in prose: every feature once, with its unit, and the core in bold."""

from __future__ import annotations

import re
from pathlib import Path

from models.features.catalogue import CATALOGUE, CORE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\**)`([a-z0-9_]+)`\** \| (\S+) \| .+ \|$", TEXT, re.MULTILINE)


def test_every_feature_has_its_row_with_its_unit() -> None:
    assert sorted((name, unit) for _, name, unit in ROWS) == sorted((s.name, s.unit) for s in CATALOGUE)


def test_the_core_is_in_bold() -> None:
    assert {name for bold, name, _ in ROWS if bold} == set(CORE)
    assert f"There are {len(CATALOGUE)} features. The {len(CORE)} of `models.features.CORE`" in TEXT
