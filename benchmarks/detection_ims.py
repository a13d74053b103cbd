"""The protocol on the run-to-failure tests of IMS: four bearings of a shaft, one second every ten minutes.

The set gives features, no waveforms. Those that the product has too are named as it names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks
from models.detection.monitor import Level
from models.types import STANDARD_GRAVITY_M_S2
from palier.tables import Table, read_table

from .detection_protocol import Figure, Protocol
from .detection_runs import Life, Numbers, judge, learned_rows, random_early, random_leads_s

RUN_IN: Final = 30
"""Files of new bearings that are not learned from."""

FAILED: Final = {"test1": ("Bearing3", "Bearing4"), "test2": ("Bearing1",), "test3": ("Bearing3",)}
"""What was found when the rig was opened: inner ring and rollers, outer ring, outer ring."""

LEADS: Final = {"test1": (">= 80", "79.5 h"), "test2": (None, ""), "test3": (">= 60", "57.0 h")}
"""Hours of warning to reach, and the best published."""

ENERGIES: Final = tuple(f"{way}{defect}_energy" for way in ("env_", "") for defect in ("bpfo", "bpfi", "bsf"))
HALF: Final = 0.5
HOUR_S: Final = 3600.0


def judged(data: Path) -> dict[str, list[Life]]:
    """The bearings of each test; empty where the product's rule has no baseline of half of it."""
    tests = sorted((data / "ims_features").glob("*_raw.parquet"))
    return {path.name.removesuffix("_raw.parquet"): _judged(path) for path in tests}


def _judged(path: Path) -> list[Life]:
    table = read_table(path)
    if table.times is None:
        raise ValueError(f"{path}: must have times")
    times_s = (table.times - table.times[0]).astype("timedelta64[ms]").astype(np.float64) / 1000
    bearings = _columns(table, path.with_name(path.name.replace("_raw", "_spectral")))
    names = tuple(next(iter(bearings.values())))
    features = np.stack([np.column_stack(list(columns.values())) for columns in bearings.values()], axis=1)
    context = Context(time_s=times_s, running=np.arange(times_s.size) >= RUN_IN)
    rows = learned_rows(features[:, 0], context)
    if rows is None or rows > HALF * times_s.size:
        return []
    begun = Context(time_s=times_s[:rows], running=context.running[:rows])
    judged_columns = features.shape[1] * features.shape[2]
    baselines = [
        Baseline.fit(features[:rows, part], begun, names=names, features_of_machine=judged_columns)
        for part in range(len(bearings))
    ]
    learned = [baseline for baseline in baselines if isinstance(baseline, Baseline)]
    decision, why = judge(learned, Blocks(time_s=times_s[rows:, None], features=features[rows:]))
    return [
        Life(bearing, times_s, rows, decision.level[:, part], tuple(why[part]))
        for part, bearing in enumerate(bearings)
    ]


def _columns(table: Table, spectral: Path) -> dict[str, dict[str, Numbers]]:
    """Per bearing the columns of all of its channels, "channel/feature"."""
    of = {name: table.rows[:, i] for i, name in enumerate(table.channels)}
    if spectral.exists():
        more = read_table(spectral)
        of |= {name: more.rows[:, i] for i, name in enumerate(more.channels)}
    found: dict[str, dict[str, Numbers]] = {}
    for name in of:
        if name.endswith("_rms"):
            sensor = name.removesuffix("_rms")
            bearing, channel = sensor.split("_", 1)
            columns = found.setdefault(bearing, {})
            columns |= {f"{channel}/{key}": values for key, values in _features(of, sensor).items()}
    return found


def _features(of: dict[str, Numbers], sensor: str) -> dict[str, Numbers]:
    rms, peak = of[f"{sensor}_std"], of[f"{sensor}_max"]
    features = {
        "acceleration_rms_m_s2": rms * STANDARD_GRAVITY_M_S2,
        "acceleration_peak_m_s2": peak * STANDARD_GRAVITY_M_S2,
        "crest_factor": peak / rms,
        "kurtosis": of[f"{sensor}_kurt"] + 3,
    }
    return features | {key: of[f"{sensor}_{key}"] for key in ENERGIES if f"{sensor}_{key}" in of}


def run(data: Path) -> Iterator[Figure]:
    """Leads of the bearings that failed, and what was said too early."""
    tests = judged(data)
    for test, lives in tests.items():
        yield from _leads(test, lives)
    told = [(test, life) for test, lives in tests.items() for life in lives]
    failing = [life for test, life in told if life.name in FAILED.get(test, ())]
    sound = [(test, life) for test, life in told if life.name not in FAILED.get(test, ())]
    yield _early("failing bearings, alarms in the first half", failing, "<= 0")
    note = "; ".join(f"{test} {life.name} {_story(life)}" for test, life in sound)
    yield _early("other bearings, alarms in the first half", [life for _, life in sound], "<= 3", note)


def _early(name: str, lives: list[Life], goal: str, note: str = "") -> Figure:
    always = sum(life.early(HALF, life.always()) for life in lives)
    chance = float(np.mean([sum(draw) for draw in random_early(lives, HALF)]))
    return Figure(name, sum(life.early(HALF) for life in lives), "", goal, "", always, chance, note)


def _leads(test: str, lives: list[Life]) -> Iterator[Figure]:
    goal, reference = LEADS.get(test, (None, ""))
    failing = [life for life in lives if life.name in FAILED.get(test, ())]
    draws = random_leads_s(failing)
    for i, life in enumerate(failing):
        lead, always = life.lead_s(), life.lead_s(life.always())
        chance = float(np.mean([draw[i] for draw in draws])) / HOUR_S
        name = f"{test} {life.name}, first alarm before the end"
        yield Figure(name, (lead or 0.0) / HOUR_S, "h", goal, reference, (always or 0.0) / HOUR_S, chance,
                     _story(life))  # fmt: skip
        alert = life.lead_s(np.asarray(life.level >= Level.ALERT))
        name = f"{test} {life.name}, first alert of a single feature"
        yield Figure(name, (alert or 0.0) / HOUR_S, "h", None, reference)
    if not lives and FAILED.get(test):
        yield Figure(
            f"{test}, first alarm before the end", None, "h", note="too short to learn a baseline of"
        )


def _story(life: Life) -> str:
    """When each alarm began, and by which tests."""
    told = [f"{life.share(row):.3f} of its life by {life.why[row - life.first]}" for row in life.starts()]
    stands = life.standing_s()
    end = "" if stands is None else f"; that at the end stands for {stands / HOUR_S:.0f} h"
    return (", ".join(told) or "no alarm") + end


PROTOCOL: Final = Protocol(
    "ims",
    "IMS, bearings run to failure",
    ("ims_features",),
    run,
    "Four bearings at 2000 r/min under constant load; a file of one second every ten minutes. The baseline "
    "is the product's own: the first 1000 blocks over seven days, without the first 30 files. All columns of "
    "a bearing are judged by the monitor as it is (levels, EWMA, CUSUM, slope, T², SPE); an alarm is what it "
    "has on, and stands until it is calm for six files. Nothing is known of speed, load or limits.",
)
