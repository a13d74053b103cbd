"""The protocol on the run-to-failure bearings of LDM: load and speed change at every step.

A bearing is judged by what there is of it: by octaves of its spectrum, by its two temperatures, or by both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import LEAST_CYCLES, LEAST_DAYS, SETTLED_AFTER_S, Baseline
from models.detection.context import Context
from models.detection.heat import fit_heat, remembered
from models.detection.measured import Blocks
from models.detection.regimes import Regime, classify
from models.features.temperature import rise_k
from models.types import Refusal
from palier.tables import read_table

from .detection_protocol import Figure, Protocol
from .detection_runs import Life, Numbers, judge, random_early, random_leads_s

PREFIX: Final = 0.25
"""Share of its rows that a bearing's baseline is learned from."""

RUN_IN: Final = SETTLED_AFTER_S / (SETTLED_AFTER_S + LEAST_DAYS * 86_400)
"""Share of the prefix in which a new bearing settles, an eighth: a day, of which a baseline of a week is."""

EARLY: Final = 0.3
"""An alarm before that share of a life is too early."""

OCTAVES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 200)
"""Edges, in lines, of the columns made of a spectrum: octaves, whatever its lines are apart. Line 0 is the
mean."""

DYNAMIC, STATIC, SPEED, WARM, ROOM = 1, 3, 5, (6, 7), 8
"""Columns of the table: peak dynamic load and mean static load in N, r/min, two temperatures, the room's."""


def bearings(data: Path) -> list[Life]:
    """Every bearing from its first to its last row; without anything learned it says nothing."""
    return [_life(path) for path in sorted((data / "ldm").glob("*_op_temp.parquet"))]


def _life(path: Path) -> Life:
    name = path.name.removesuffix("_op_temp.parquet")
    table = read_table(path)
    if table.times is None:
        raise ValueError(f"{path}: must have times")
    rows = table.rows
    times_s = (table.times - table.times[0]).astype("timedelta64[ms]").astype(np.float64) / 1000
    speed_hz = rows[:, SPEED] / 60
    turning = classify(speed_hz=speed_hz, speed_change=0.0) == Regime.RUNNING
    context = Context(times_s, speed_hz, rows[:, STATIC], rows[:, [DYNAMIC]], turning, cycles=LEAST_CYCLES)
    first = int(PREFIX * len(rows))
    learned = _learned(context, first)
    level, why = np.zeros(len(rows) - first, dtype=np.int8), [""] * (len(rows) - first)
    spectra = path.with_name(f"{name}_fft.npz")
    if spectra.exists():
        features = octaves(np.load(spectra)["fft"])
        level, why = _said(Baseline.fit(features[:first], learned), features, context)
    rise = rise_k(rows[:, WARM], rows[:, [ROOM]])
    hot, why_hot = _said(fit_heat(rise[:first], learned), rise, remembered(context))
    told = tuple(
        " ".join(f"{kind} {tests}" for kind, tests in (("octaves", a), ("heat", b)) if tests)
        for a, b in zip(why, why_hot, strict=True)
    )
    return Life(name, times_s, first, np.maximum(level, hot), told)


def octaves(spectra: npt.NDArray[np.floating]) -> Numbers:
    """Root of the energy of each octave, (m, 8), of amplitudes (m, lines)."""
    power = np.square(spectra.astype(np.float64))
    return np.sqrt(np.add.reduceat(power[:, : OCTAVES[-1]], OCTAVES[:-1], axis=1))


def _said(
    baseline: Baseline | Refusal, features: Numbers, context: Context
) -> tuple[npt.NDArray[np.int8], list[str]]:
    """Levels of the rows after the prefix and which tests are on; nothing without a baseline."""
    first = int(PREFIX * len(features))
    if isinstance(baseline, Refusal):
        return np.zeros(len(features) - first, dtype=np.int8), [""] * (len(features) - first)
    blocks = Blocks(
        time_s=context.time_s[first:, None],
        features=np.where(context.running[:, None], features, np.nan)[first:, None],
        speed_hz=context.speed_hz[first:, None],
        load=context.load[first:, None],
        speed_change=0.0,  # a row is the mean of a step at one set speed
        others=context.others[first:, None],
    )
    decision, said = judge([baseline], blocks)
    return decision.level[:, 0], said[0]


def _learned(context: Context, row: int) -> Context:
    """The rows before that, those of the run-in not to be learned from."""
    running = context.running[:row] & (np.arange(row) >= RUN_IN * row)
    return Context(
        context.time_s[:row], context.speed_hz[:row], context.load[:row], context.others[:row], running,
        cycles=context.cycles,
    )  # fmt: skip


def run(data: Path) -> Iterator[Figure]:
    """How many were alarmed, how many too early, and how long before the end."""
    lives = bearings(data)
    count = len(lives)
    draws, early = random_leads_s(lives), random_early(lives, EARLY)
    found = [life for life in lives if life.lead_s() is not None]
    chance = float(np.mean([sum(lead > 0 for lead in draw) for draw in draws]))
    yield Figure(f"bearings alarmed, of {count}", len(found), "", f">= {count}", "", count, chance)
    too_early = sum(life.early(EARLY) > 0 for life in lives)
    always = sum(life.early(EARLY, life.always()) > 0 for life in lives)
    chance = float(np.mean([sum(n > 0 for n in draw) for draw in early]))
    yield Figure("alarmed before 30 % of life", too_early, "", "<= 1", "", always, chance)
    ours = _median_min([life.lead_s() for life in lives])
    everything = _median_min([life.lead_s(life.always()) for life in lives])
    chance = float(np.mean([_median_min(list(draw)) for draw in draws]))
    yield Figure("median lead", ours, "min", ">= 50", "", everything, chance)
    for i, life in enumerate(lives):
        chance = float(np.mean([draw[i] for draw in draws])) / 60
        yield Figure(f"{life.name}, first alarm before the end", (life.lead_s() or 0.0) / 60, "min", None, "",
                     (life.lead_s(life.always()) or 0.0) / 60, chance, _story(life))  # fmt: skip


def _median_min(leads_s: list[float | None]) -> float:
    """In minutes; a bearing that was never alarmed had no lead."""
    return float(np.median([lead or 0.0 for lead in leads_s])) / 60


def _story(life: Life) -> str:
    starts = life.starts()
    if not starts.size:
        return "no alarm"
    row = int(starts[0])
    return f"{life.share(row):.2f} of its life, by {life.why[row - life.first]}; {starts.size} alarms"


PROTOCOL: Final = Protocol(
    "ldm",
    "LDM, bearings run to failure under changing load and speed",
    ("ldm",),
    run,
    "A row every 12 to 20 s, each at another speed and load; a life lasts two hours to three days. The first "
    "quarter of its rows is learned, as cycles that a technician declares. Octaves of the spectrum are "
    "regressed on speed, static and dynamic load; the rise of the two temperatures over the room on the same "
    "through the lag of a housing (30 min), and only where the prefix holds two memories of it. All is "
    "judged by the monitor as it is. What is outside the learned range is not judged.",
)
