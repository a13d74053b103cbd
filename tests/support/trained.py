"""Bundles of the small test plant's pump, really trained, on features of the blocks its gateway sends."""

from __future__ import annotations

from functools import cache

import numpy as np

from models.bundle import pack
from models.detection.context import Context
from models.features import Extractor
from models.features.catalogue import NAMES, UNITS
from models.training.dataset import PointHistory
from models.training.fit import train_baselines, train_detector
from models.training.gathering import features_of
from palier.plant import Plant
from tests.support import watched_pump as pump
from tests.support.gateway import waveform

CHANNELS = ("h", "a")
BLOCKS = 1100
EVERY_S = 600.0
SPREAD = 0.08
"""Of every feature, as the natural logarithm's standard deviation."""


@cache
def _features() -> np.ndarray:
    """(n_features,) of a block that the gateway sends."""
    block = waveform(0)
    extractor = Extractor(block.fs_hz, block.samples.shape[1], compiled=False)
    return np.asarray(extractor.extract(block.samples, block.scale[0], speed_hz=25.0)[0], dtype=np.float64)


def history(plant: Plant, *, seed: int = 1, blocks: int = BLOCKS, start_s: float = 1.7e9) -> PointHistory:
    """A week and more of the pump's point in good health."""
    machine = plant.machine("pompe")
    assert machine is not None
    point = machine.point("p1")
    assert point is not None
    rng = np.random.default_rng(seed)
    one = np.tile(_features(), len(CHANNELS))
    x = one * np.exp(SPREAD * rng.standard_normal((blocks, len(one))))
    names = tuple(f"{channel}/{name}" for channel in CHANNELS for name in NAMES)
    watched = tuple(f"{c}/{name}" for c in CHANNELS for name in features_of(machine, point))
    context = Context(start_s + EVERY_S * np.arange(blocks))
    return PointHistory(
        plant.site_id, machine.id, point.id, machine.kind, names, (*UNITS,) * len(CHANNELS), x, context,
        fs_hz=4096.0, n_samples=4096, watched=watched,
    )  # fmt: skip


def baselines(plant: Plant, *, seed: int = 1) -> dict[str, bytes]:
    """The files of baselines of the pump's point."""
    trained = train_baselines([history(plant, seed=seed)])
    assert trained.parts is not None, trained.refused
    return pack(trained.parts, name="baselines")


def sound_history(*, seed: int = 1, blocks: int = 1400) -> PointHistory:
    """The simulated pump of `watched_pump` in good health: its blocks again and again, each a little off."""
    machine, point = pump.machine_and_point()
    rng = np.random.default_rng(seed)
    channels = pump.sound()[0].block.channels
    sound = np.array([entry.features.ravel() for entry in pump.sound()], dtype=np.float64)
    x = sound[rng.integers(0, len(sound), blocks)]
    x = x * np.exp(SPREAD * rng.standard_normal(x.shape))
    names = tuple(f"{channel}/{name}" for channel in channels for name in NAMES)
    watched = tuple(f"{c}/{name}" for c in channels for name in features_of(machine, point))
    context = Context(
        pump.T0_S - EVERY_S * np.arange(blocks, 0, -1),
        np.array([pump.sound()[0].shaft_hz or np.nan] * blocks),
    )
    site, name, at = pump.PLACE
    return PointHistory(
        site, name, at, machine.kind, names, (*UNITS,) * len(channels), x, context, watched=watched
    )


@cache
def detector(name: str = "pca") -> dict[str, bytes]:
    """The files of a detector of that pump."""
    trained = train_detector([sound_history()], name)
    assert trained.parts is not None, trained.refused
    return pack(trained.parts, name=name)
