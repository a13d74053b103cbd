"""The demonstration's pump: what is told of its remaining life holds what then happens."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from ingest.watch_life import Course, life_of
from models.detection.bands import ALERT_RATIO, DANGER_RATIO
from models.features import Extractor
from models.features.catalogue import NAMES
from models.prognosis import RemainingLife
from palier.frames import Waveform
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS
from palier.plant import load_sample_plant
from simulators.demo import BLOCK_S, INTERVAL_S, ORIGIN_NS, DemoOptions
from simulators.plant import SimulatedPlant
from simulators.scenario import shipped_scenario
from simulators.tasks import Options

FROM_H, TO_H = -24, 64
PER_HOUR = round(3600 / INTERVAL_S)
RMS = NAMES.index("acceleration_rms_m_s2")


@cache
def acceleration() -> npt.NDArray[np.float64]:
    """Hourly means of the acceleration of the point that fails, from `FROM_H` on."""
    plant = load_sample_plant()
    sim = SimulatedPlant.of(
        plant.machines,
        shipped_scenario("demo", plant),
        seed=DemoOptions.__dataclass_fields__["seed"].default,
        origin_s=ORIGIN_NS / 1e9,
    )
    tasks = sim.tasks(Options(interval_s=INTERVAL_S, block_s=BLOCK_S))
    (task,) = [t for t in tasks if t.machine == "P-101" and t.point is not None and t.point.id == "2"]
    blocks = []
    for k in range((TO_H - FROM_H) * PER_HOUR):
        frame = sim.frame_at(task, ORIGIN_NS / 1e9 + FROM_H * 3600 + k * INTERVAL_S)
        assert isinstance(frame, Waveform)
        blocks.append(frame.samples[0] * frame.scale[0])
    features = Extractor(task.fs_hz, task.n, compiled=False).extract(np.array(blocks, dtype=np.float32))
    return features[:, RMS].astype(np.float64).reshape(-1, PER_HOUR).mean(axis=1)


def level() -> float:
    return float(np.median(acceleration()[:-FROM_H]))


def crossing_h() -> float:
    """The hour at which the acceleration stands at its danger."""
    x, danger = acceleration(), DANGER_RATIO * level()
    k = int(np.flatnonzero(x >= danger)[0])
    return FROM_H + k - 1 + float((danger - x[k - 1]) / (x[k] - x[k - 1]))


@pytest.mark.long
def test_the_pump_reaches_its_danger_within_three_minutes_and_was_sound_for_half_of_one() -> None:
    x = acceleration()
    minutes = crossing_h() / 24
    assert 2.0 < minutes < 2.8
    assert x[-FROM_H : 12 - FROM_H].max() < 1.25 * level()


@pytest.mark.long
@pytest.mark.parametrize("now_h", range(49, 58))
def test_the_interval_holds_the_truth_whenever_it_is_asked(now_h: int) -> None:
    known = acceleration()[: now_h - 1 - FROM_H]  # the hour that runs has no row yet
    n = len(known)
    alert, danger = ALERT_RATIO * level(), DANGER_RATIO * level()
    course = Course(("s", "P-101", "2"), "H/acceleration_rms_m_s2", alert, danger, level(), 0.05)
    hours = np.arange(FROM_H, FROM_H + n) + ORIGIN_NS // HOUR_NS
    table = Table(
        hours * HOUR_NS,
        *(("P-101",) * n, ("2",) * n, ("H",) * n),
        {"acceleration_rms_m_s2_mean": known, "blocks": np.full(n, float(PER_HOUR))},
    )
    life = life_of(course, table)
    assert isinstance(life, RemainingLife), life
    true_h = crossing_h() - (FROM_H + n - 1)
    assert life.p10 <= true_h <= life.p90
