"""A machine whose load swings, judged with its load and without: what the load among the causes is worth.

Machines are simulated whose levels follow their load (ln(level) by 1.2 % a percent, a mesh whose amplitude
goes with the torque) through shifts of two hours between 30 and 100 %, with a residual of autocorrelation 0.7
beside. Each learns a fortnight and is judged for 30 days by the detector as it ships, once with the load and
once without; then one of its features rises. No data are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import Decision, Monitor
from models.types import Refusal

from .detection_protocol import Figure, Protocol

BLOCK_S: Final = 600.0
DAY: Final = 144
LEARNED: Final = 14 * DAY
FEATURES: Final = 12
SHIFT: Final = 12
"""Blocks of a shift of work, two hours."""

GROWTH: Final = 0.012
SIGMA: Final = 0.08
RHO: Final = 0.7
RISE: Final = 2.3
"""What the load does by itself between its ends (exp(0.012 · 70)): without it a fault hides behind it."""

MACHINES: Final = 20
DAYS: Final = 30
SEED: Final = 1940

Floats = npt.NDArray[np.float64]
_NAMES: Final = tuple(f"feature_{i}" for i in range(FEATURES))


@dataclass(frozen=True, slots=True)
class Judged:
    """False alerts of a machine in a month, the median ratio of alert limits to the level, and blocks (n,)
    until a feature that rises is seen, inf where it never was.
    """

    false_a_month: float
    limit: float
    delay: Floats


def compared(machines: int, days: int, rising: int = 7, seed: int = SEED) -> tuple[Judged, Judged]:
    """With the load and without, on the same machines: `days` in good order, `rising` days of a fault."""
    m = LEARNED + (days + rising) * DAY
    rng = np.random.default_rng(seed)
    load = np.repeat(rng.uniform(30, 100, (m // SHIFT + 1, machines)), SHIFT, axis=0)[:m]
    load = load + rng.normal(0, 2, load.shape)
    noise = rng.standard_normal((m, machines, FEATURES)) * np.sqrt(1 - RHO**2)
    own = SIGMA * np.asarray(lfilter([1.0], [1.0, -RHO], noise, axis=0))
    sick = m - rising * DAY
    own[sick:, :, 0] += np.log(RISE)
    x = np.exp(GROWTH * load[..., None] + own)
    return _judged(x, load, days, sick), _judged(x, np.full(load.shape, np.nan), days, sick)


def _judged(x: Floats, load: Floats, days: int, sick: int) -> Judged:
    time_s = BLOCK_S * np.arange(len(x), dtype=np.float64)
    parts = [Part(_learned(x[:LEARNED, k], load[:LEARNED, k], time_s)) for k in range(x.shape[1])]
    monitor = Monitor(_NAMES, parts)
    later = slice(LEARNED, None)
    blocks = Blocks(time_s[later, None], x[later], speed_hz=25.0, load=load[later])
    decided: Decision = monitor.run(monitor.start(), blocks)[1]
    quiet, ill = decided.raised[: sick - LEARNED], decided.level[sick - LEARNED :] > 0
    level = np.median(x[LEARNED:sick], axis=0)
    return Judged(
        float(quiet.sum()) / x.shape[1] * 30 / days,
        float(np.nanmedian(np.nanmedian(decided.alert, axis=0) / level)),
        np.where(ill.any(axis=0), ill.argmax(axis=0) + 1.0, np.inf),
    )


def _learned(x: Floats, load: Floats, time_s: Floats) -> Baseline:
    found = Baseline.fit(x, Context(time_s[:LEARNED], load=load), names=_NAMES)
    if isinstance(found, Refusal):
        raise TypeError(f"a baseline of {len(x)} blocks was refused: {found.reason}")
    return found


def run(_: Path, machines: int = MACHINES) -> Iterable[Figure]:
    """False alerts, limits and delays, with the load and without."""
    told, untold = compared(machines, DAYS)
    source = "the budget of a machine and month"
    yield Figure("false alerts, load known", told.false_a_month, "a month", "< 1", source)
    yield Figure("false alerts, load unknown", untold.false_a_month, "a month", "< 1", source)
    yield Figure(
        "alert limit, load unknown over load known",
        untold.limit / told.limit,
        "",
        "> 1",
        note=f"{told.limit:.2f} and {untold.limit:.2f} times the level",
    )
    for one, which in ((told, "known"), (untold, "unknown")):
        hours = float(np.median(one.delay)) * BLOCK_S / 3600
        seen = f"{np.isfinite(one.delay).mean():.0%} of the machines within 7 days"
        name = f"median delay, a feature ×{RISE:g}, load {which}"
        yield Figure(name, hours if np.isfinite(hours) else None, "h", note=seen)


PROTOCOL: Final = Protocol(
    "load",
    "A load that swings, known and unknown",
    needs=(),
    run=run,
    about=(
        "Simulated machines whose levels follow a load between 30 and 100 % learn a fortnight and are judged "
        "for a month, then one of twelve features rises 2.3 times: once with the load, once without."
    ),
)
