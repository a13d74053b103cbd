"""The extractor as a case to time: which features, of what input, with which passes, of which machine."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from models.features import CORE, Extractor
from models.features.gate import FloatArray
from models.features.kinematics import Kinematics

from .rounds import Case
from .subjects import FS_HZ, MOTOR, ORDERS, SCALE, SLOW_SPINDLE, SPINDLE, Blocks, Machine, blocks, counts

SHORT: Final = 4096
LONG: Final = 102_400

CHUNKS: Final = {SHORT: 32, LONG: 1}
"""Windows that the reference transforms at once: they and their spectra fit a second-level cache of 1 MB."""

MACHINES: Final = {
    (SHORT, "core"): (SLOW_SPINDLE,),
    (SHORT, "catalogue"): (SPINDLE, MOTOR),
    (LONG, "core"): (MOTOR,),
    (LONG, "catalogue"): (MOTOR,),
}
"""Whose windows are extracted. The whole catalogue of 4,096 samples costs most where they hold enough turns
for combs to be searched; of an ordinary machine they hold four."""

SETS: Final[dict[str, tuple[str, ...] | None]] = {"core": CORE, "catalogue": None}


class Variant(NamedTuple):
    """What is extracted: a set of features of windows of one length and machine, from one type of samples."""

    features: str
    n_samples: int
    input: str
    compiled: bool
    machine: Machine

    @property
    def key(self) -> str:
        """Its name in the report."""
        passes = "compiled" if self.compiled else "numpy"
        return f"{self.features}_{self.n_samples}_{self.input}_{passes}_{self.machine.speed_hz:g}hz"

    def extractor(self) -> Extractor:
        """One of its own: an extractor is not for two threads at once."""
        return Extractor(FS_HZ, self.n_samples, features=SETS[self.features], compiled=self.compiled)


class Batch(NamedTuple):
    """The same windows in both types of samples."""

    float32: Blocks
    int16: npt.NDArray[np.int16]

    def of(self, kind: str) -> tuple[npt.NDArray[np.generic], float]:
        """The windows as `kind`, and m/s² of their unit."""
        return (self.int16, SCALE) if kind == "int16" else (self.float32, 1.0)


def compiled_here() -> bool:
    """Whether the extra that compiles is installed."""
    return find_spec("numba") is not None


def batch(windows: int, n_samples: int) -> Batch:
    """Windows of a length. They serve all machines of it: what a window costs hangs on the speed that is told
    with it, not on its samples."""
    x = blocks(windows, n_samples, MACHINES[n_samples, "catalogue"][0])
    return Batch(x, counts(x))


def extract(extractor: Extractor, x: npt.NDArray[np.generic], scale: float, machine: Machine) -> FloatArray:
    """Features of windows of a machine of which all is known."""
    return extractor.extract(
        x, scale, speed_hz=machine.speed_hz, orders=ORDERS, kinematics=Kinematics(**machine.kinematics)
    )


def case(variant: Variant, data: Batch) -> Case:
    """The extraction of a batch, by an extractor made beforehand."""
    x, scale = data.of(variant.input)
    extractor, machine = variant.extractor(), variant.machine
    return Case(lambda: extract(extractor, x, scale, machine), len(x))


def not_given(variant: Variant, data: Batch) -> list[str]:
    """Features that rate, length or speed leave no way to give: NaN in every window."""
    x, scale = data.of(variant.input)
    extractor = variant.extractor()
    table = extract(extractor, x[:4], scale, variant.machine)
    return [name for name, column in zip(extractor.names, table.T, strict=True) if np.isnan(column).all()]


def bare_fft(data: Batch) -> Case:
    """The reference, B: scipy's real FFT of the same float32 windows, in chunks that stay in the cache."""
    x = data.float32
    step = CHUNKS[x.shape[1]]

    def run() -> None:
        for start in range(0, len(x), step):
            scipy.fft.rfft(x[start : start + step], axis=1)

    return Case(run, len(x))
