"""The simulated lives: of a seed, ended by their damage, and none of the models' making."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import lives
from benchmarks.detection_life import PROTOCOLS
from benchmarks.life_recorded import ask
from benchmarks.lives import CLASSES, simulate
from models.prognosis import Threshold, Trend


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.name)
def test_lives_begin_healthy_and_end_at_their_level(kind: lives.LifeClass) -> None:
    found = simulate(kind, 40, np.random.default_rng(1))
    assert (found.end > found.onset + 8).all()
    assert (found.onset >= 60).all()
    assert found.baseline == pytest.approx(1, rel=0.15)
    last = np.array(
        [
            row[: end + 1][np.isfinite(row[: end + 1])][-1]
            for row, end in zip(found.level, found.end, strict=True)
        ]
    )
    assert np.median(last) == pytest.approx(kind.ratio, rel=0.15)
    assert np.isnan(found.level[0, found.end[0] + 1 :]).all()


def test_a_seed_is_a_life_and_another_is_another() -> None:
    one, same, other = (simulate(CLASSES[0], 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.level, same.level)
    assert not np.array_equal(one.end, other.end)


def test_without_what_disturbs_a_life_is_an_exponential() -> None:
    calm = replace(
        CLASSES[0], fold_spread=0, noise=1e-9, jumps=0, plateaus=0, load=1, load_spread=0, stopped=0
    )
    found = simulate(calm, 30, np.random.default_rng(3))
    fresh = np.isinf(found.repair_h)
    length = (found.end - found.onset)[fresh] * calm.step_h
    assert length == pytest.approx(calm.fold_h * np.log(1 / lives.FIRST_TRACE), rel=0.01)
    assert 0 < (~fresh).sum() < 20


def test_the_generator_takes_nothing_from_the_models() -> None:
    tree = ast.parse(Path(lives.__file__).read_text("utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {module for module in modules if module and module.startswith("models")}


def test_a_run_is_asked_on_its_way_from_alert_to_threshold() -> None:
    hours = np.arange(400.0)
    rise = 0.1 * np.exp(0.02 * np.maximum(hours - 150, 0)) * (hours > 150)
    level = (1 + rise) * np.exp(0.02 * np.random.default_rng(1).standard_normal(400))
    asked = ask(Trend(hours, level, "g", 1.25, 1.0, 0.02), Threshold(4.0, "g"))
    assert [one.share for one in asked] == [0.5, 0.75, 0.9]
    assert all(one.reached for one in asked)
    assert asked[0].left_h == pytest.approx(2 * asked[1].left_h, abs=3)
    assert asked[1].holds
    assert "was" in str(asked[1])
    assert ask(Trend(hours, np.ones(400), "g", 1.25, 1.0, 0.02), Threshold(4.0, "g")) == ()


def test_the_protocols_name_what_they_need() -> None:
    assert [(protocol.name, protocol.needs) for protocol in PROTOCOLS] == [
        ("life", ()),
        ("life-recorded", ("ims_features", "ldm")),
    ]
