"""Features above what a sensor's mounting carries are unknown, whatever the gateway sends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.batch import WorkFrame
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from models.features.catalogue import NAMES
from models.features.mounting import usable_features
from palier.frames import FrameId
from palier.limits import load_bearings, load_limits
from palier.plant import load_plant
from tests.host.conftest import PLANT
from tests.support.gateway import waveform

T0 = 1_790_000_000 * 10**9
FS_HZ, N = 25_600.0, 51_200
POINT = 'id = "p1"\nbearing = "22220"\n'


def spall(seed: int) -> np.ndarray:
    """An outer ring struck 25 times a second of the shaft's, that rings in every band, in noise."""
    t = np.arange(N) / FS_HZ
    since_s = t % (1 / (25.0 * load_bearings()["22220"].orders[0]))
    rings = sum(np.exp(-800 * since_s) * np.sin(2 * np.pi * hz * since_s) for hz in (750.0, 3600.0, 7000.0))
    return (2000 * rings + 200 * np.random.default_rng(seed).standard_normal(N)).astype("<i2")


def scored(folder: Path, point: str, channel: str = "") -> Scored:
    """A block of both channels of the pump's point, with lines more in the plant; `channel` for h alone."""
    text = PLANT.replace(POINT, POINT + point, 1).replace(
        'direction = "H"\n', f'direction = "H"\n{channel}', 1
    )
    file = folder / "plant.toml"
    file.write_text(text.replace("fs_hz = 4096.0", "fs_hz = 25600.0"), encoding="utf-8")
    knowledge = Knowledge(load_plant(file), load_limits())
    block = waveform(T0, channels=("h", "a"), fs_hz=FS_HZ, n=N, speed_rpm=1500.0)
    block = replace(block, samples=np.stack([spall(0), spall(1)]))
    work = WorkFrame(FrameId("usine/g1", "e", 1), "usine", block, live=True, topic="t", payload=b"p")
    return Scorer(knowledge, Speeds(knowledge)).score([work])[0]


def test_a_magnet_ends_what_is_known(tmp_path: Path) -> None:
    whole, held = scored(tmp_path, ""), scored(tmp_path, 'mounting = "magnet"\n')
    left = usable_features(2000.0)
    assert np.isnan(held.features[:, ~left]).all()
    assert np.isfinite(whole.features[:, ~left]).any()
    same = [i for i, name in enumerate(NAMES) if left[i] and not name.startswith(("bpf", "bsf", "ftf"))]
    assert np.array_equal(held.features[:, same], whole.features[:, same], equal_nan=True)
    assert held.refusals == whole.refusals == [None, None]


def test_a_sensor_ends_its_own_channel_alone(tmp_path: Path) -> None:
    held = scored(tmp_path, "", "usable_hz = 2000.0\n")
    high = NAMES.index("band_2500_5000_m_s2")
    assert np.isnan(held.features[0, high])
    assert np.isfinite(held.features[1, high])


@pytest.mark.parametrize(
    ("lines", "low_hz"), [("demodulation_hz = [3000.0, 4200.0]\n", 3000.0), ('mounting = "magnet"\n', 1000.0)]
)
def test_lines_of_the_bearing_are_looked_for_where_they_can_be_heard(
    tmp_path: Path, lines: str, low_hz: float
) -> None:
    held = scored(tmp_path, lines)
    assert held.features[0, NAMES.index("bpfo_band_hz")] == pytest.approx(low_hz)
