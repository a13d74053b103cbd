"""The protocol on the two temperature series of the Numenta Anomaly Benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from models.detection.table_monitor import TableMonitor
from models.types import Refusal
from palier.tables import read_table

from .detection_nab_score import (
    LOW_FALSE,
    NOTHING,
    STANDARD,
    Profile,
    Rows,
    Score,
    Window,
    nab_score,
    probation,
)
from .detection_point_score import episodes
from .detection_protocol import Figure, Protocol

FOLDER: Final = "realKnownCause"
SERIES: Final = ("machine_temperature_system_failure", "ambient_temperature_system_failure")
SEED: Final = 1
DRAWS: Final = 20


class Series(NamedTuple):
    """A scored series: where alarms begin, and the labelled windows, as rows of the file."""

    name: str
    n_rows: int
    onsets: Rows
    windows: tuple[Window, ...]


def score_series(data: Path, name: str) -> Series:
    """Fit on the rows that are not scored, judge the others; the beginning of an alarm is a detection."""
    path = data / "nab" / "data" / FOLDER / f"{name}.csv"
    table = read_table(path)
    n_rows = table.rows.shape[0]
    head = probation(n_rows)
    monitor = TableMonitor.fit(table.rows[:head], table.channels)
    if isinstance(monitor, Refusal) or table.times is None:
        raise ValueError(f"{path}: must have times and enough rows to learn from")
    alarm = monitor.step(table.rows[head:]).alarm
    onsets = np.array([first + head for first, _ in episodes(alarm)], dtype=np.intp)
    labels = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text("utf-8"))
    rows = {moment: row for row, moment in reversed(list(enumerate(table.times.tolist())))}
    windows = [
        tuple(rows[np.datetime64(edge, "ms").item()] for edge in window)
        for window in labels[f"{FOLDER}/{name}.csv"]
    ]
    return Series(name, n_rows, onsets, tuple((first, last) for first, last in windows))


def run(data: Path) -> Iterator[Figure]:
    """The score of both series together, in two profiles, and of each."""
    series = [score_series(data, name) for name in SERIES]
    reported = sum(one.onsets.size for one in series)
    labelled = sum(len(one.windows) for one in series)
    reference = "85.1 ARTime, 76.1 earthgecko Skyline, on these two series"
    for name, profile, goal in (("standard", STANDARD, ">= 77"), ("low false positives", LOW_FALSE, None)):
        note = f"{reported} alarms, {labelled} windows" if profile is STANDARD else ""
        yield Figure(
            f"score, {name}",
            _total(series, [one.onsets for one in series], profile).percent,
            "",
            goal,
            reference if profile is STANDARD else "",
            _total(series, [np.arange(one.n_rows) for one in series], profile).percent,
            _random(series, profile),
            note,
        )
    for one in series:
        ours = nab_score(one.onsets, one.windows, one.n_rows).percent
        yield Figure(f"score, {one.name.replace('_', ' ')}", ours, "")


def _total(series: list[Series], detections: list[Rows], profile: Profile) -> Score:
    total = NOTHING
    for one, rows in zip(series, detections, strict=True):
        total += nab_score(rows, one.windows, one.n_rows, profile)
    return total


def _random(series: list[Series], profile: Profile) -> float:
    rng = np.random.default_rng(SEED)
    draws = [
        [np.sort(rng.integers(probation(one.n_rows), one.n_rows, one.onsets.size)) for one in series]
        for _ in range(DRAWS)
    ]
    return float(np.mean([_total(series, draw, profile).percent for draw in draws]))


PROTOCOL: Final = Protocol(
    "nab-temperature",
    "NAB machine and ambient temperature",
    ("nab",),
    run,
    "Two univariate series, 5 min and 1 h. The first min(15 %, 750) rows are for the fit and not scored. The "
    "row in which an alarm begins is a detection. A window counts by its first detection, more the earlier; "
    "a false detection costs up to 0.11, a missed window 1. 100 is perfect, 0 is silence.",
)
