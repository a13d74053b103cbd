"""What is damaged in a rolling bearing, from blocks of vibration: named, left open, or refused.

Envelopes in several bands, as they are and whitened, are searched for the combs of outer ring, inner ring,
rolling elements and cage, and for combs at orders of no defect. A part is named when its lines count beyond
chance, carry energy, stand in several views at one place, and exceed what other orders show; the rule and its
bounds stand in `bearings_rule`. Weak lines, as healthy bearings show them too, are left open. Nothing is
trained. Sources: Randall & Antoni, MSSP 25 (2011) 485-520; Smith & Randall, MSSP 64-65 (2015) 100-131.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import DEFAULT_BANDS, SEARCH
from models.features.gate import (
    DoubleArray,
    check_bands,
    check_orders,
    check_rate,
    check_samples,
    check_sigma,
    check_speed,
    per_window,
)
from models.features.stages.lines import TURNS, WIDEST_SEARCH
from models.features.windows import spectral_length
from models.types import Refusal

from .bearings_evidence import evidence_of
from .bearings_rule import Judged, confidence, judge_parts
from .bearings_search import CAGE, ELEMENT, Search, search_bearing
from .types import BEARING_FAULTS, EvidenceItem, Fault

SPEED_UNKNOWN: Final = Refusal("speed_unknown", "give_speed")
SPEED_UNCERTAIN: Final = Refusal("speed_uncertain", "narrow_speed")
STANDS: Final = Refusal("machine_stopped", "measure_running")
BEARING_UNKNOWN: Final = Refusal("bearing_unknown", "name_bearing")
BEARING_DOUBTFUL: Final = Refusal("bearing_doubtful", "check_bearing")
TOO_FEW_TURNS: Final = Refusal("lines_not_searchable", "lengthen_block")
ENVELOPE_TOO_NARROW: Final = Refusal("envelope_too_narrow", "raise_sampling_rate")
NOT_FINITE: Final = Refusal("not_finite", "check_sensor")
STUCK: Final = Refusal("stuck", "check_sensor")

REFUSALS: Final = (
    SPEED_UNKNOWN,
    SPEED_UNCERTAIN,
    STANDS,
    BEARING_UNKNOWN,
    BEARING_DOUBTFUL,
    TOO_FEW_TURNS,
    ENVELOPE_TOO_NARROW,
    NOT_FINITE,
    STUCK,
)
"""Every refusal that this module gives."""

LIKELY: Final = 0.5
"""Confidence from which a fault is named: it is then more likely than not."""


@dataclass(frozen=True, slots=True)
class BearingFinding:
    """What one block, or several of one point, say of a bearing.

    `fault` is None where nothing is named: then `leading`, the part that most speaks for, has a `confidence`
    below one half. `scores` are the confidences of the four parts, `evidence` is that for and against
    `leading`. `not_separated` are faults that would look the same. `speed_hz` is the speed as refined within
    its uncertainty, `band_hz` the band in which the leading part stands out most.
    """

    fault: Fault | None
    confidence: float
    scores: Mapping[Fault, float]
    evidence: tuple[EvidenceItem, ...]
    leading: Fault
    not_separated: tuple[Fault, ...] = ()
    speed_hz: float = float("nan")
    band_hz: tuple[float, float] = (float("nan"), float("nan"))


def diagnose_bearings(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    *,
    speed_hz: npt.ArrayLike | None,
    orders: npt.ArrayLike | None,
    speed_sigma_hz: npt.ArrayLike | None = None,
    quality: npt.ArrayLike = 1.0,
    bands: tuple[tuple[float, float], ...] = DEFAULT_BANDS,
    point: str = "",
) -> tuple[BearingFinding | Refusal, ...]:
    """One answer for each block (n, n_samples) of int16, int32 or float32 at `fs_hz`, in any unit.

    `speed_hz` of the bearing's shaft and its standard deviation are one number or (n,), NaN where unknown;
    `orders` (4,) or (n, 4) in the order of `BEARING_DEFECTS`, NaN what is unknown. `quality` (0..1) of each
    block scales its scores. `bands` in Hz are demodulated, each as it is and whitened. `point` goes into the
    evidence. Blocks are independent: batching changes nothing but rounding. Raises ValueError for arguments
    that can't be meant.
    """
    samples = check_samples(x)
    n, rate = len(samples), check_rate(fs_hz)
    speed, own = check_speed(speed_hz, n), check_orders(orders, n)
    uncertainty = 2 * check_sigma(speed_sigma_hz, speed) / np.where(speed > 0, speed, 1.0)
    good = _share("quality", quality, n)
    refused = _refused(samples, rate, speed, own, uncertainty)
    out: list[BearingFinding | Refusal] = [answer or ENVELOPE_TOO_NARROW for answer in refused]
    rows = np.array([i for i, answer in enumerate(refused) if answer is None], dtype=np.intp)
    if not rows.size:
        return tuple(out)
    found = search_bearing(
        samples[rows],
        rate,
        speed_hz=speed[rows],
        uncertainty=uncertainty[rows],
        orders=own[rows],
        bands=check_bands(bands),
    )
    if found is None:
        return tuple(out)
    judged = judge_parts(found, uncertainty[rows])
    sure = confidence(judged.scores * good[rows, None])
    searched = np.isfinite([part.bits for part in found.parts[:CAGE]]).sum(axis=0) > 0
    for row, i in enumerate(rows.tolist()):
        if found.bad[row]:
            out[i] = STUCK
        elif searched[row]:
            out[i] = BEARING_DOUBTFUL if judged.doubted[row] else _finding(found, judged, sure, row, point)
    return tuple(out)


def join_findings(found: Sequence[BearingFinding | Refusal]) -> BearingFinding | Refusal:
    """What several blocks or channels of one point say together; at least one.

    The surest speaks, since damage of a rolling element comes and goes from block to block and a channel may
    be far from it. Where others name another part, it is as much less sure as they are sure: then neither is
    named. Refusals count only where nobody finds anything; that of a doubted bearing comes first.
    """
    findings = [one for one in found if isinstance(one, BearingFinding)]
    refusals = [one for one in found if isinstance(one, Refusal)]
    if not any(one.fault for one in findings) and BEARING_DOUBTFUL in refusals:
        return BEARING_DOUBTFUL
    if not findings:
        return refusals[0]
    surest = max(findings, key=lambda one: one.confidence)
    against = max((one.confidence for one in findings if one.fault not in (None, surest.fault)), default=0.0)
    sure = surest.confidence * (1 - against)
    scores = {fault: max(one.scores[fault] for one in findings) for fault in BEARING_FAULTS}
    return replace(
        surest,
        fault=surest.fault if sure >= LIKELY else None,
        confidence=sure,
        scores=MappingProxyType(scores),
    )


def _refused(
    samples: npt.NDArray[np.generic],
    rate: float,
    speed: DoubleArray,
    orders: DoubleArray,
    uncertainty: DoubleArray,
) -> list[Refusal | None]:
    """Why a block can't be searched at all, for each."""
    seconds = spectral_length(samples.shape[1]) / rate
    known = np.isfinite(orders[:, :CAGE]).sum(axis=1) > 0
    with np.errstate(invalid="ignore"):
        asked = (
            (~known, BEARING_UNKNOWN),
            (np.isnan(speed), SPEED_UNKNOWN),
            (speed == 0, STANDS),
            (SEARCH + uncertainty >= WIDEST_SEARCH, SPEED_UNCERTAIN),
            (speed * seconds < TURNS, TOO_FEW_TURNS),
            (~np.isfinite(samples.sum(axis=1, dtype=np.float64)), NOT_FINITE),
        )
    return [next((refusal for wrong, refusal in asked if wrong[i]), None) for i in range(len(samples))]


def _finding(found: Search, judged: Judged, sure: DoubleArray, row: int, point: str) -> BearingFinding:
    """The finding of one block that was searched."""
    part = int(judged.leading[row])
    by_cage = bool(part == ELEMENT and judged.by_cage[row])
    shown = CAGE if by_cage else part
    certain = float(sure[row, part])
    return BearingFinding(
        fault=BEARING_FAULTS[part] if certain >= LIKELY else None,
        confidence=certain,
        scores=MappingProxyType(dict(zip(BEARING_FAULTS, sure[row].tolist(), strict=True))),
        evidence=evidence_of(found, judged, shown, row, point),
        leading=BEARING_FAULTS[part],
        not_separated=(Fault.CAGE,) if by_cage else (),
        speed_hz=float(found.speed_hz[row]),
        band_hz=found.bands_hz[int(found.parts[shown].view[row])],
    )


def _share(name: str, value: npt.ArrayLike, n: int) -> DoubleArray:
    array = per_window(name, value, n)
    good = np.greater_equal(array, 0) & np.less_equal(array, 1)  # NaN is not
    if not good.all():
        wrong = array[~good][0]
        raise ValueError(f"{name} must be from 0 (worthless) to 1 (good), got {wrong:g}")
    return array
