"""What the simulated machines sound like: levels in good order, and how each indicator rises with a fault."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.turning import kinematics_of
from models.diagnosis import (
    ChannelEvidence,
    Diagnosis,
    Evidence,
    PointEvidence,
    diagnose,
)
from models.diagnosis.bearings import diagnose_bearings
from models.features import Extractor, envelope_spectrum
from models.types import MachineSpec, PointSpec, Refusal
from palier.limits import load_limits
from palier.plant import Plant
from simulators.courses import Constant, Ramp
from simulators.faults import BEARING_KINDS, LOCAL_KINDS, Fault, FaultKind
from simulators.kinds import anatomy_of
from simulators.machines.bearing import Place, defect_order
from simulators.machines.duty import Regime
from simulators.machines.machine import Machine

START_S: Final = 1_792_000_000.0
"""A mild day: 14 October 2026, when the air is near its mean of the year."""

SPACING_S: Final = 17_237.0
"""Between two blocks: any time of day comes up, and passes and pauses of mill and spindle."""

BLOCK_S: Final = 4.0
BLOCKS: Final = 5
BASELINE_BLOCKS: Final = 12
DEPOSIT_BLOCKS: Final = 24
SEVERITIES: Final = (0.0, 0.1, 0.25, 0.5, 1.0)
SEED: Final = 3
IN_PASS: Final = 0.85
"""Share of the mean load from which a block is one under load: that of a gateway triggered by it."""

HF_BAND: Final = "band_5000_10000_m_s2"
EDGES_HZ: Final = 0.5
"""Half the width of the band around a mode that is demodulated, as a share of the mode."""


class Sound(NamedTuple):
    """One machine at one severity: medians over blocks. NaN where there is no such thing."""

    velocity_mm_s: float
    acceleration_m_s2: float
    kurtosis: float
    crest: float
    envelope: float
    high_m_s2: float
    mesh_m_s2: float
    sidebands_m_s2: float
    temperature_c: float


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Blocks of a point: features (n, n_features), what the bearing rule says, housing temperatures."""

    names: tuple[str, ...]
    table: npt.NDArray[np.float64]
    findings: tuple[object, ...]
    temperatures_c: npt.NDArray[np.float64]
    speed_hz: npt.NDArray[np.float64]
    load: npt.NDArray[np.float64]
    hours: npt.NDArray[np.float64]
    envelopes: npt.NDArray[np.float64]

    def median(self, name: str) -> float:
        """Median of a feature, NaN where it is unknown."""
        values = self.table[:, self.names.index(name)]
        return float(np.nanmedian(values)) if np.isfinite(values).any() else math.nan


@lru_cache(maxsize=4)
def _extractor(fs_hz: float, n: int) -> Extractor:
    return Extractor(fs_hz, n)


def machine_of(spec: MachineSpec, kind: FaultKind | None, severity: float, point: str) -> Machine:
    """A machine with one fault of one severity, or none. A deposit grows to it: it is known by that."""
    where = point if kind in LOCAL_KINDS else ""
    grown = Ramp(START_S, START_S + DEPOSIT_BLOCKS * SPACING_S, severity)
    course = grown if kind is FaultKind.FAN_DEPOSIT else Constant(severity)
    faults = () if kind is None or not severity else (Fault(kind, course, where),)
    return Machine(spec, anatomy_of(spec), seed=SEED, faults=faults)


def instants(machine: Machine, count: int) -> Iterator[float]:
    """Ends of blocks through which the machine runs under load."""
    found, at_s = 0, START_S
    least = IN_PASS * machine.anatomy.duty.mean
    while found < count:
        at_s += SPACING_S
        ends = (at_s - BLOCK_S, at_s)
        if machine.regime(at_s) is Regime.RUNNING and min(machine.load(t) for t in ends) >= least:
            found += 1
            yield at_s


def hear(machine: Machine, point: PointSpec, count: int, kind: FaultKind | None = None) -> Heard:
    """Blocks of the first waveform channel of a point, with their features."""
    fs_hz = point.channels[0].fs_hz or 0.0
    n = round(BLOCK_S * fs_hz)
    extractor, scale = _extractor(fs_hz, n), machine.sensor.scale("m/s²")
    orders = None if point.bearing is None else point.bearing.orders
    rows, findings, warm, speeds, loads, hours, envelopes = [], [], [], [], [], [], []
    for at_s in instants(machine, count):
        block = machine.acquire(point, n, fs_hz, at_s)
        samples, hz = block.samples[:1], block.speed_rpm / 60 * point.shaft_order
        known = kinematics_of(machine.spec, point, hz)
        rows.append(extractor.extract(samples, scale, speed_hz=hz, orders=orders, kinematics=known)[0])
        if orders is not None:
            findings.append(diagnose_bearings(samples, fs_hz, speed_hz=hz, orders=orders, point=point.id)[0])
        envelopes.append(_envelope(samples * np.float32(scale), fs_hz, machine, point, kind=kind, hz=hz))
        warm.append(machine.temperature_c(point, at_s))
        speeds.append(block.speed_rpm / 60)
        loads.append(block.load_percent)
        hours.append(at_s / 3600)
    return Heard(
        extractor.names,
        np.array(rows, dtype=np.float64),
        tuple(findings),
        *(np.array(one, dtype=np.float64) for one in (warm, speeds, loads, hours, envelopes)),
    )


def _envelope(
    samples: npt.NDArray[np.float32],
    fs_hz: float,
    machine: Machine,
    point: PointSpec,
    *,
    kind: FaultKind | None,
    hz: float,
) -> float:
    """Highest of the first three defect lines of the squared envelope over the median around each."""
    if point.bearing is None:
        return math.nan
    place = Place(kind.value) if kind in BEARING_KINDS and kind is not None else Place.OUTER
    line_hz = defect_order(place, point.bearing) * hz
    mode = machine.anatomy.modes[0].natural_hz
    low, high = mode * (1 - EDGES_HZ), min(mode * (1 + EDGES_HZ), fs_hz / 2.56)
    frequency, amplitude = envelope_spectrum(samples, fs_hz, (low, high), squared=True, f_max_hz=4 * line_hz)
    best = 0.0
    for k in (1, 2, 3):
        off = np.abs(frequency / (k * line_hz) - 1)
        around = amplitude[0][(off <= 0.3) & (off > 0.04)]
        best = max(best, float(amplitude[0][off <= 0.025].max() / np.median(around)))
    return best


def sound_of(heard: Heard) -> Sound:
    """The medians that a table tells."""
    return Sound(
        heard.median("velocity_rms_mm_s"),
        heard.median("acceleration_rms_m_s2"),
        heard.median("kurtosis"),
        heard.median("crest_factor"),
        float(np.median(heard.envelopes)),
        heard.median(HF_BAND),
        heard.median("mesh_2x_m_s2"),
        heard.median("sidebands_driving_m_s2"),
        float(np.median(heard.temperatures_c)),
    )


def ladder(
    spec: MachineSpec, point: PointSpec, kind: FaultKind, severities: Sequence[float] = SEVERITIES
) -> list[Sound]:
    """What a fault does to the indicators of a point, severity by severity."""
    return [
        sound_of(hear(machine_of(spec, kind, severity, point.id), point, BLOCKS, kind))
        for severity in severities
    ]


def diagnosed(
    spec: MachineSpec, point: PointSpec, kind: FaultKind | None, severity: float
) -> tuple[Diagnosis, ...] | Refusal:
    """What the diagnosis says of a machine with one fault, held against the same machine in good order."""
    sound = _baseline(spec, point)
    count = DEPOSIT_BLOCKS if kind is FaultKind.FAN_DEPOSIT else BLOCKS
    heard = hear(machine_of(spec, kind, severity, point.id), point, count, kind)
    known = np.isfinite(sound.table).any(axis=0)
    expected = np.full(known.size, np.nan)
    expected[known] = np.nanmedian(sound.table[:, known], axis=0)
    limits = load_limits().get(point.limits or "")
    channel = ChannelEvidence.of_table(
        point.channels[0].id,
        heard.names,
        heard.table,
        direction=point.channels[0].direction,
        expected=expected,
        limits=limits,
    )
    expected_c = float(np.median(sound.temperatures_c))
    place = PointEvidence(
        point.id,
        (channel,),
        temperature_c=heard.temperatures_c,
        residual_k=heard.temperatures_c - expected_c,
        findings=heard.findings,  # type: ignore[arg-type]
    )
    evidence = Evidence(
        (place,), len(heard.table), hours=heard.hours, speed_hz=heard.speed_hz, load=heard.load
    )
    return diagnose(spec, evidence)


@lru_cache(maxsize=2)
def _baseline(spec: MachineSpec, point: PointSpec) -> Heard:
    """Blocks of the machine in good order."""
    return hear(machine_of(spec, None, 0.0, point.id), point, BASELINE_BLOCKS)


def point_of(plant: Plant, machine: str, point: str) -> tuple[MachineSpec, PointSpec]:
    """A machine and a point of it. Raises KeyError where the plant has no such thing."""
    spec = plant.machine(machine)
    place = None if spec is None else spec.point(point)
    if spec is None or place is None:
        raise KeyError(f"{machine}/{point}")
    return spec, place
