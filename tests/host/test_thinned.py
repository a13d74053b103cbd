"""A long block of a lower rate tells lines and bands, and nothing of a band that it does not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from ingest.thinned import forget_whole_bands
from models.features.catalogue import NAMES
from models.types import State
from palier.frames import Waveform
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.committing import T0, work
from tests.support.gateway import waveform


def _scored(plant: Plant, block: Waveform) -> Scored:
    knowledge = Knowledge(plant, load_limits())
    (entry,) = Scorer(knowledge, Speeds(knowledge)).score([work(1, block)])
    forget_whole_bands([entry], knowledge)
    return entry


def _stated(plant: Plant, fs_hz: float) -> Plant:
    """The plant with channels of that rate."""
    pump, *others = plant.machines
    channels = tuple(replace(c, fs_hz=fs_hz if c.fs_hz else None) for c in pump.points[0].channels)
    return replace(
        plant, machines=(replace(pump, points=(replace(pump.points[0], channels=channels),)), *others)
    )


def test_a_thinned_block_keeps_its_velocity_and_loses_what_is_of_the_whole_band(plant: Plant) -> None:
    block = waveform(T0, velocity_mm_s=12.0)
    whole = _scored(plant, block)
    thin = _scored(_stated(plant, 10 * block.fs_hz), block)
    for name in ("acceleration_rms_m_s2", "kurtosis", "crest_factor", "spectral_centroid_hz"):
        column = NAMES.index(name)
        assert np.isfinite(whole.features[0, column])
        assert np.isnan(thin.features[0, column])
    for name in ("velocity_rms_mm_s", "band_100_250_m_s2", "order_1x_mm_s"):
        column = NAMES.index(name)
        assert np.array_equal(thin.features[:, column], whole.features[:, column], equal_nan=True)
    said = assess(thin, Knowledge(plant, load_limits())).said
    assert said.state is State.DANGER


def test_a_rate_that_is_a_little_off_is_the_same_rate(plant: Plant) -> None:
    block = waveform(T0)
    near = _scored(_stated(plant, 1.1 * block.fs_hz), block)
    assert np.isfinite(near.features[0, NAMES.index("acceleration_rms_m_s2")])
