"""A pump that degrades over 30 days, as the ingest would have written it: series, records and waveforms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.detection.housing import Housing
from models.detection.plain import encode, to_arrays
from models.detection.zones import Judgement, judge
from models.features.catalogue import NAMES
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode, Priority
from palier.frames import FrameId, Waveform
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import AlarmRow, InterventionRow, RecordsBatch, StateRow, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.limits import load_bearings, load_limits
from palier.plant import Plant, load_sample_plant
from tests.support.seeding import NOW_NS, NS, Series

HOUR_NS = 3600 * NS
DAYS = 30
PUMP = "P-101"
RPM = 890.0
FS_HZ = 25_600.0
SAMPLES = 32_768
BPFO = load_bearings()["22220"].bpfo

Column = npt.NDArray[np.generic] | Sequence[str | None]

EVIDENCE = {
    "evidence": [
        {"key": "bearing_lines", "weight": 0.4, "met": 1.0, "feature": "", "point": "1",
         "params": {"defect": "bpfo", "count": 4, "of": 5, "frequency_hz": 117.2, "order": 7.9,
                    "low_hz": 2500, "high_hz": 10000}},
        {"key": "bearing_energy", "weight": 0.3, "met": 0.9, "feature": "", "point": "1",
         "params": {"value": 31.0, "limit": 8.0}},
        {"key": "warmer", "weight": 0.05, "met": 0.8, "feature": "", "point": "1", "params": {"value": 8.0}},
    ],
    "not_separated": ["electrical_erosion"],
    "separate_by": ["inspect_raceway"],
}  # fmt: skip


def _rows(
    point: str, ts_ns: Sequence[int], measurement: str, fields: Mapping[str, Column], site: str
) -> Rows:
    return Series(site, PUMP, point, "", np.array(ts_ns, dtype=np.int64)).rows(measurement, fields)


def _without_frame(rows: Rows) -> Rows:
    return replace(rows, fields={name: column for name, column in rows.fields.items() if name != "frame"})


def degrading_pump(folder: Path, *, now_ns: int = NOW_NS, speed: bool = True) -> tuple[Plant, DataFolder]:
    """The sample plant, and a data folder in which point 1 of the pump went from zone A to C in 30 days."""
    plant, data = load_sample_plant(), DataFolder(folder).create()
    site = plant.site_id
    times = now_ns - HOUR_NS * np.arange(24 * DAYS - 1, -1, -1, dtype=np.int64)
    times = times[
        (times < now_ns - 12 * 24 * HOUR_NS) | (times > now_ns - 11 * 24 * HOUR_NS)
    ]  # a day is missing
    age = (times - times[0]) / (times[-1] - times[0])
    historian = SqliteHistorian(data.historian)
    try:
        reports = historian.write(
            [*_features(site, times, age, RPM if speed else np.nan), *_slow(site, times, age),
             *_judgements(site, times, age), *_findings(site, int(times[-1])), *_events(site, int(times[-1]))]
        )  # fmt: skip
        assert not any(report.rejected for report in reports), [r for r in reports if r.rejected]
    finally:
        historian.close()
    _records(data, site, times)
    return plant, data


def _levels(age: npt.NDArray[np.float64], point: str) -> npt.NDArray[np.float64]:
    ripple = 1 + 0.04 * np.sin(np.arange(len(age)) * 1.7)
    grow = np.clip(age - 0.4, 0, None) / 0.6
    return (2.1 + (5.2 * grow**2 if point == "1" else 0.2 * grow)) * ripple


def _features(
    site: str, times: npt.NDArray[np.int64], age: npt.NDArray[np.float64], rpm: float
) -> list[Rows]:
    rng = np.random.default_rng(4)
    batch = []
    for point in ("1", "2"):
        level = _levels(age, point)
        series = Series(site, PUMP, point, "H", times)
        columns: dict[str, Column] = {
            name: level * (0.2 + 0.8 * rng.random()) * (1 + 0.05 * rng.standard_normal(len(level)))
            for name in NAMES
        }
        columns |= {"velocity_rms_mm_s": level, "velocity_rms_low_mm_s": level}
        columns |= {"crest_factor": 3.1 + level / 3, "kurtosis": 3 + level / 2}
        turns = rpm * (1 + 0.002 * np.sin(np.arange(len(level))))
        columns |= {"speed_rpm": turns, "zone": [None] * len(level)}
        batch.append(series.rows("feature", columns))
        batch += [
            Series(site, PUMP, point, "H", times[k : k + 1]).spectrum(RPM, seed=k)
            for k in range(5, len(times), 24)
        ]
    return batch


def _slow(site: str, times: npt.NDArray[np.int64], age: npt.NDArray[np.float64]) -> list[Rows]:
    hours = np.arange(len(times))
    ambient = 24 + 6 * np.sin(2 * np.pi * hours / 24)
    warm = 30 + 0.8 * ambient
    return [
        Series(site, PUMP, "1", "T", times).readings(warm + 14 * np.clip(age - 0.7, 0, None) / 0.3),
        Series(site, PUMP, "2", "T", times).readings(warm - 4),
        Series(site, PUMP, "ambient", "T", times).readings(ambient),
        Series(site, PUMP, "1", "load", times).readings(70 + 10 * np.sin(hours / 5), "%"),
    ]


def _judgements(site: str, times: npt.NDArray[np.int64], age: npt.NDArray[np.float64]) -> list[Rows]:
    limits = load_limits()["iso10816-7:cat2:over200kw"]
    batch = []
    for point in ("", "1", "2"):
        said: list[Judgement] = [
            replace(judge(float(v), limits), learning=False) for v in _levels(age, point or "1")
        ]
        batch.append(Series(site, PUMP, point, "", times).states(said))
    return batch


def _findings(site: str, last: int) -> list[Rows]:
    days = np.array([last - k * 24 * HOUR_NS for k in range(20, -1, -1)], dtype=np.int64)
    index = np.linspace(97, 48, len(days))
    n = len(days)
    score: dict[str, Column] = {
        "score": np.linspace(1.2, 9.4, n),
        "threshold": np.full(n, 4.4),
        "level": np.array([0] * (n - 6) + [2] * 6, dtype=np.int64),
        "tests": [None] * (n - 6)
        + [json.dumps({"alert": ["H/velocity_rms_mm_s", "H/bpfo_modulation"], "t2": []})] * 6,
        "leading": ["H/velocity_rms_mm_s"] * n,
        "value": np.linspace(2.1, 7.3, n),
        "alert": np.full(n, 3.4),
        "residual_k": np.append(np.full(n - 6, 0.3), np.linspace(2.0, 13.0, 6)),
    }
    health: dict[str, Column] = {
        "health_index": index,
        "mode": ["vibration"] * n,
        "complete": np.ones(n, dtype=np.int64),
        "modes": ['{"vibration":48.0,"bearing":61.0,"shocks":72.0}'] * n,
    }
    diagnosis: dict[str, Column] = {
        "rank": np.array([1, 2, 3], dtype=np.int64),
        "fault": ["outer_ring", "lubrication", "unbalance"],
        "confidence": np.array([0.87, 0.55, 0.51]),
        "severity": np.array([4, 3, 3], dtype=np.int64),
        "action": ["intervene", "plan", "plan"],
        "deadline_h": np.array([72.0, 672.0, 672.0]),
        "at": ["1", "1", None],
        "detail": [json.dumps(EVIDENCE), json.dumps({"evidence": []}), None],
        "reason": [None] * 3,
        "remedy": [None] * 3,
    }
    life: dict[str, Column] = {
        "method": ["mixture"],
        "p10_h": np.array([171.0]),
        "p50_h": np.array([312.0]),
        "p90_h": np.array([540.0]),
        "confidence": ["medium"],
        "leading": ["H/velocity_rms_mm_s"],
        "threshold": np.array([11.0]),
        "assumptions": [
            json.dumps(
                [
                    {"key": "regime_unchanged", "params": {}},
                    {"key": "threshold", "params": {"name": "danger", "value": 11.0, "unit": "mm/s"}},
                ]
            )
        ],
        "reason": [None],
        "remedy": [None],
    }
    return [
        _rows("1", days, "score", score, site),
        _rows("1", days, "health", health, site),
        _rows("", days, "health", health, site),
        _rows("1", [last] * 3, "diagnosis", diagnosis, site),
        _without_frame(_rows("1", [last], "life", life, site)),
    ]


def _events(site: str, last: int) -> list[Rows]:
    told = [
        (last - 14 * 24 * HOUR_NS, "intervention", "greasing", "", '{"who":"A. Idrissi"}', "1"),
        (last - 5 * 24 * HOUR_NS, "state", "watch", "normal", "{}", "1"),
        (last - 3 * 24 * HOUR_NS, "state", "alert", "watch", "{}", "1"),
        (
            last - 3 * 24 * HOUR_NS,
            "alarm",
            "unacknowledged",
            "normal",
            '{"what":"raised","level":"alert"}',
            "1",
        ),
    ]
    fields: dict[str, Column] = {
        "event_id": [f"e{k}" for k in range(len(told))],
        "kind": [one[1] for one in told],
        "state": [one[2] for one in told],
        "previous": [one[3] for one in told],
        "detail": [one[4] for one in told],
    }
    rows = Series(site, PUMP, "1", "", np.array([one[0] for one in told], dtype=np.int64)).rows(
        "event", fields
    )
    return [_without_frame(rows)]


def waveform(start_ns: int, level: float, seed: int, *, point: str = "1") -> Waveform:
    """A block: the shaft's line at `level` mm/s peak, and shocks of the outer ring that grow with it."""
    t = np.arange(SAMPLES) / FS_HZ
    rng = np.random.default_rng(seed)
    shaft = 2 * np.pi * RPM / 60
    x = level * 1e-3 * shaft * np.cos(shaft * t) + 0.05 * rng.standard_normal(SAMPLES)
    since = t % (60 / (RPM * BPFO))
    x += 0.8 * level * np.exp(-since * 900) * np.sin(2 * np.pi * 3800 * since)
    counts = np.round(x / 0.001).astype(np.int16)
    return Waveform(
        PUMP,
        point,
        ("H",),
        counts[None],
        (0.001,),
        ("m/s²",),
        FS_HZ,
        start_ns,
        speed_rpm=RPM,
        load_percent=72.0,
    )


def model_text() -> str:
    """What the ingest keeps of point 1 once it was learned: levels in good health, and how much they vary."""
    names = ("H/velocity_rms_mm_s", "H/crest_factor")
    levels = np.full((1, len(NAMES)), np.nan)
    levels[0, [NAMES.index("velocity_rms_mm_s"), NAMES.index("crest_factor"), NAMES.index("skewness")]] = (
        2.1,
        3.1,
        0.2,
    )
    return encode(
        {
            "version": np.asarray(1),
            "channels": np.asarray(("H",)),
            "baseline.names": np.asarray(names),
            "baseline.sigma": np.array([0.06, 0.08]),
            "baseline.z": np.asarray(4.4),
            "levels": levels,
        }
    )


def housing_text(sigma_k: float) -> str:
    """What the ingest keeps of the housing of a point once it was learned."""
    seen = np.array([np.nan, np.nan])
    model = Housing(np.array([30.0, 0.8, np.nan, np.nan]), 0.5, sigma_k, seen, seen, 400)
    return encode(to_arrays(model))


def _records(data: DataFolder, site: str, times: npt.NDArray[np.int64]) -> None:
    store = WaveformStore(data.waveforms)
    records = Records(data.records)
    try:
        chosen = [*range(20, len(times), 120), len(times) - 1]
        found = []
        for seq, k in enumerate(chosen, start=1):
            frame_id = FrameId(f"{site}/gw-1", "ab" * 8, seq)
            block = waveform(int(times[k]), 0.5 + 4 * k / len(times), seq)
            found.append(
                WaveformRow(frame_id, site, PUMP, "1", block.start_ns, store.append(frame_id, block))
            )
        store.sync()
        last = int(times[-1])
        key = AlarmKey(site, PUMP, "1", Mode.VIBRATION)
        cause = Cause("velocity_rms_mm_s", 7.3, "mm/s", alert=3.4, danger=11.0, level=Level.ALERT)
        alarm = Alarm(
            key,
            version=1,
            level=Level.ALERT,
            standing=Level.ALERT,
            acknowledged=False,
            priority=Priority.MEDIUM,
            raises=1,
            raised_ns=last - 72 * HOUR_NS,
            since_ns=last - 72 * HOUR_NS,
            causes=(cause,),
            action="action.plan",
            severity=3,
        )
        done = InterventionRow(
            "i1",
            site,
            PUMP,
            "1",
            "greasing",
            last - 336 * HOUR_NS,
            last - 336 * HOUR_NS,
            "A. Idrissi",
            "",
            "",
        )
        records.commit(
            RecordsBatch(
                states=(
                    StateRow(site, f"{PUMP}/1#model:1", model_text()),
                    StateRow(site, f"{PUMP}/1#housing:1", housing_text(0.4)),
                ),
                waveforms=tuple(found),
                alarms=(AlarmRow(site, key.id, alarm.to_json()),),
                interventions=(done,),
            )
        )
    finally:
        store.close()
        records.close()
