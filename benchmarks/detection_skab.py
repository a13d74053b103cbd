"""The protocols on the water rig of SKAB: outliers, events, changepoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.detection.table_monitor import TableMonitor, TableScores
from models.types import Refusal
from palier.tables import read_table

from .detection_nab_score import LOW_FALSE, NOTHING, STANDARD, Profile, Score, changepoint_score
from .detection_point_score import Events, Flags, at_random, count, events, pooled, pooled_rows
from .detection_protocol import Figure, Protocol

FIT_ROWS: Final = 400
LABELS: Final = ("anomaly", "changepoint")
SEED: Final = 1
DRAWS: Final = 20
"""Random detectors that a figure without a closed form is averaged over."""

FOUND: Final = 15 / 16
"""Share of the episodes that must be found: 15 of 16, 32 of 34."""


class Run(NamedTuple):
    """A scored run: only the rows after the fit, `times_s` since the first of them."""

    times_s: npt.NDArray[np.float64]
    anomaly: Flags
    changepoint: Flags
    said: TableScores


def score_runs(data: Path) -> list[Run]:
    """Every labelled run of the set, each with a monitor of its own fitted on its first 400 rows."""
    paths = sorted((data / "skab").rglob("*.csv"))
    return [_scored(path) for path in paths if "anomaly-free" not in path.parts]


def _scored(path: Path) -> Run:
    table = read_table(path, ignore=LABELS)
    labels = read_table(path, columns=LABELS).rows[FIT_ROWS:] == 1
    monitor = TableMonitor.fit(table.rows[:FIT_ROWS], table.channels)
    if isinstance(monitor, Refusal) or table.times is None:
        raise ValueError(f"{path}: must have times and 400 rows to learn from")
    times = table.times[FIT_ROWS:]
    times_s = (times - times[0]).astype("timedelta64[ms]").astype(np.float64) / 1000
    return Run(times_s, labels[:, 0], labels[:, 1], monitor.step(table.rows[FIT_ROWS:]))


def run_outliers(data: Path) -> Iterator[Figure]:
    """F1 of all rows pooled, and what it costs."""
    runs = score_runs(data)
    truth = pooled_rows(run.anomaly for run in runs)
    ours = count(pooled_rows(run.said.alarm for run in runs), truth)
    always = count(np.ones_like(truth), truth)
    chance = at_random(truth, ours.share)
    each = [count(run.said.alarm, run.anomaly).f1 for run in runs]
    low, middle, high = np.quantile(each, [0.25, 0.5, 0.75])
    spread = f"{len(runs)} runs; each by itself: median {middle:.2f}, quartiles {low:.2f} and {high:.2f}"
    reference = "0.784, Conv-AE, on all 34 runs"
    yield Figure("F1 of rows", ours.f1, "", ">= 0.83", reference, always.f1, chance.f1, spread)
    rates = always.false_rate, chance.false_rate
    yield Figure("false alarm rate", ours.false_rate, "%", "<= 12", "13.6, Conv-AE", *rates)
    yield Figure("missed alarm rate", ours.missed_rate, "%", None, "", always.missed_rate, chance.missed_rate)


def run_events(data: Path) -> Iterator[Figure]:
    """Episodes: found, how late, and how many false ones."""
    runs = score_runs(data)
    ours = pooled([events(run.times_s, run.said.alarm, run.anomaly) for run in runs])
    always = pooled([events(run.times_s, np.ones_like(run.anomaly), run.anomaly) for run in runs])
    chance = _random_events(runs)
    wanted = int(FOUND * ours.true)
    found = f"episodes found, of {ours.true}"
    reference = "31 of 34, 43 s, 3.7/h, Conv-AE"
    yield Figure(found, ours.found, "", f">= {wanted}", reference, always.found, chance.found)
    delays = always.median_delay_s, chance.median_delay_s
    yield Figure("median delay", ours.median_delay_s, "s", "<= 35", reference, *delays)
    note = "an alarm that never ends is one episode, which is why it has none that is false"
    false = always.false_per_hour, chance.false_per_hour / DRAWS
    yield Figure("false episodes", ours.false_per_hour, "/h", "<= 3.7", reference, *false, note)


def _random_events(runs: list[Run]) -> Events:
    """Rows alarmed at random as often as ours. Found and delay are of one draw, false ones of all draws."""
    rng = np.random.default_rng(SEED)
    share = float(pooled_rows(run.said.alarm for run in runs).mean())
    draws = [
        pooled([events(r.times_s, rng.random(r.times_s.size) < share, r.anomaly) for r in runs])
        for _ in range(DRAWS)
    ]
    return draws[0]._replace(false=sum(draw.false for draw in draws))


def run_changepoints(data: Path) -> Iterator[Figure]:
    """The NAB-like score of SKAB with a window of 60 s to the right of each changepoint."""
    runs = score_runs(data)
    reference = {"standard": "32.4, on all 34 runs", "low false positives": "21.5, on all 34 runs"}
    goals = {"standard": ">= 32.5", "low false positives": ">= 27.5"}
    said = sum(int(run.said.changepoint.sum()) for run in runs)
    true = sum(int(run.changepoint.sum()) for run in runs)
    for name, profile in (("standard", STANDARD), ("low false positives", LOW_FALSE)):
        ours = _changepoints(runs, [run.said.changepoint for run in runs], profile).percent
        always = _changepoints(runs, [np.ones_like(run.changepoint) for run in runs], profile).percent
        chance = _random_changepoints(runs, profile)
        note = f"{said} reported, {true} labelled" if profile is STANDARD else ""
        yield Figure(f"score, {name}", ours, "", goals[name], reference[name], always, chance, note)


def _changepoints(runs: list[Run], reported: list[Flags], profile: Profile) -> Score:
    total = NOTHING
    for run, flags in zip(runs, reported, strict=True):
        true = run.times_s[run.changepoint]
        total += changepoint_score(run.times_s[flags], true, profile=profile)
    return total


def _random_changepoints(runs: list[Run], profile: Profile) -> float:
    rng = np.random.default_rng(SEED)
    share = float(pooled_rows(run.said.changepoint for run in runs).mean())
    draws = [
        _changepoints(runs, [rng.random(run.times_s.size) < share for run in runs], profile).percent
        for _ in range(DRAWS)
    ]
    return float(np.mean(draws))


_ABOUT: Final = (
    "Water rig, 8 channels at 1 Hz. A monitor of each run is fitted on its first 400 rows and judges the "
    "others; all runs are pooled. "
)

PROTOCOLS: Final = (
    Protocol(
        "skab-outliers",
        "SKAB outliers, row by row",
        ("skab",),
        run_outliers,
        _ABOUT + "A row is a row: no hit is stretched over its episode.",
    ),
    Protocol(
        "skab-events",
        "SKAB events",
        ("skab",),
        run_events,
        _ABOUT + "An episode is found where an alarm stands in it; an alarm that touches none is false, and "
        "counted per hour of normal time.",
    ),
    Protocol(
        "skab-changepoints",
        "SKAB changepoints",
        ("skab",),
        run_changepoints,
        _ABOUT + "A window of 60 s follows each labelled changepoint; the first report in it counts by how "
        "early it is, every report outside costs 0.11 (low false positives: 0.22), a window without one 1. "
        "100 is perfect, 0 is silence.",
    ),
)
