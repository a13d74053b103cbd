"""The code in docs/data-scientist.md runs as it stands there, top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from models.features import CATALOGUE, CORE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "data-scientist.md").read_text("utf-8")
STORED = ("historian.open", "history.")  # these need a store: tests/store/test_{history,influx}_doc.py
BLOCKS = [
    block
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    if not any(name in block for name in STORED)
]


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What the examples leave behind, run one after the other."""
    found: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/data-scientist.md", "exec"), found)
    return found


def test_the_examples_give_what_they_say(names: dict[str, object]) -> None:
    assert len(BLOCKS) >= 7
    assert np.shape(names["features"]) == (3, len(CATALOGUE))
    assert np.shape(names["levels"]) == (3, len(CORE))
    assert np.isfinite(names["velocity"]).all()  # type: ignore[call-overload]
    assert np.shape(names["band_hz"]) == (3, 2)
    assert f"(3, {len(CATALOGUE)})" in TEXT
    assert f"(3, {len(CORE)})" in TEXT


def test_noise_has_no_speed_no_defect_and_a_healthy_sensor(names: dict[str, object]) -> None:
    assert [names["found"].refusal(k) is None for k in range(3)] == [False] * 3  # type: ignore[attr-defined]
    assert names["health"].verdict.tolist() == ["ok"] * 3  # type: ignore[attr-defined]


def test_the_temperature_of_the_example_has_a_model(names: dict[str, object]) -> None:
    model, drift = names["model"], names["drift"]
    assert model.refusals == (None,)  # type: ignore[attr-defined]
    assert model.sigma_k == pytest.approx([0.3], rel=0.1)  # type: ignore[attr-defined]
    assert drift.slope_per_h == pytest.approx([0], abs=1e-3)  # type: ignore[attr-defined]
