"""A pump whose outer ring fails over 30 days, in the stores of an ingest: what a report is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ingest.watch_rows import detail_of, life_rows
from models.advice import advise
from models.detection.plain import encode
from models.detection.zones import judge
from models.diagnosis import Diagnosis, diagnose
from models.diagnosis.bearings import diagnose_bearings, join_findings
from models.diagnosis.evidence import ChannelEvidence, Evidence, PointEvidence
from models.features import Extractor
from models.features.catalogue import NAMES
from models.prognosis import RemainingLife, Threshold, Trend, remaining_life
from models.types import MachineSpec, PointSpec
from palier.frames import FrameId, Waveform
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records, RecordsBatch, StateRow, Transition, WaveformRow
from palier.historian.rows import BaselineRow, InterventionRow, VerdictRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.limits import load_limits
from palier.operations import Baseline, BaselineStatus
from palier.plant import Plant, load_sample_plant

HOUR_NS = 3_600 * 10**9
AT_NS = 1_795_000_000 * 10**9  # 18 November 2026
BLOCKS = 30 * 24
PUMP, POINT, CHANNEL = "P-101", "2", "H"
FS_HZ, N_SAMPLES, RPM = 25_600.0, 102_400, 890.0
STAGES = 6
"""Blocks that are measured; those between are taken from their neighbours."""

ALERTED = 60
"""Blocks since the baseline's detector calls it an alert."""

Floats = npt.NDArray[np.float64]


@cache
def sample() -> Plant:
    return load_sample_plant()


@cache
def pump() -> tuple[MachineSpec, PointSpec]:
    machine = sample().machine(PUMP)
    assert machine is not None
    point = machine.point(POINT)
    assert point is not None
    return machine, point


@cache
def block(severity: float) -> npt.NDArray[np.float32]:
    """(1, N_SAMPLES) in m/s²: the shaft's line, noise, and shocks of the outer ring."""
    _, point = pump()
    assert point.bearing is not None
    rng = np.random.default_rng(round(100 * severity))
    t = np.arange(N_SAMPLES) / FS_HZ
    shaft_hz = RPM / 60
    velocity_mm_s = 1.5 + 4.0 * severity**2
    x = velocity_mm_s * 1e-3 * np.sqrt(2) * 2 * np.pi * shaft_hz * np.sin(2 * np.pi * shaft_hz * t)
    gaps = (1 + 0.008 * rng.standard_normal(2000)) / (point.bearing.bpfo * shaft_hz)
    at = (np.cumsum(gaps) * FS_HZ).astype(int)
    train = np.bincount(at[at < N_SAMPLES], minlength=N_SAMPLES) * 14.0 * severity
    ring = np.exp(-0.03 * 2 * np.pi * 4200 * t[:256]) * np.sin(2 * np.pi * 4200 * t[:256])
    x = np.asarray(x + np.convolve(train, ring)[:N_SAMPLES] + 0.35 * rng.standard_normal(N_SAMPLES))
    return x[None, :].astype(np.float32)


@cache
def features() -> Floats:
    """(BLOCKS, n_features): calm for twelve days, then growing."""
    _, point = pump()
    assert point.bearing is not None
    severities = np.linspace(0, 1, STAGES)
    samples = np.concatenate([block(float(s)) for s in severities])
    extractor = Extractor(FS_HZ, N_SAMPLES, compiled=False)
    rows = extractor.extract(samples, speed_hz=RPM / 60, orders=point.bearing.orders).astype(np.float64)
    place = (STAGES - 1) * np.clip((np.arange(BLOCKS) / BLOCKS - 0.4) / 0.6, 0, 1) ** 1.5
    low = np.minimum(place.astype(int), STAGES - 2)
    share = (place - low)[:, None]
    ripple = 1 + 0.02 * np.random.default_rng(3).standard_normal((BLOCKS, 1))
    return np.asarray((rows[low] * (1 - share) + rows[low + 1] * share) * ripple)


def times() -> npt.NDArray[np.int64]:
    return AT_NS - HOUR_NS * np.arange(BLOCKS - 1, -1, -1, dtype=np.int64)


@cache
def found() -> Diagnosis:
    """What the last blocks say."""
    machine, point = pump()
    assert point.bearing is not None
    last = features()[-5:]
    finding = join_findings(
        diagnose_bearings(block(1.0), FS_HZ, speed_hz=RPM / 60, orders=point.bearing.orders, point=POINT)
    )
    channel = ChannelEvidence.of_table(
        CHANNEL,
        NAMES,
        last,
        direction="H",
        expected=np.broadcast_to(features()[:200].mean(axis=0), last.shape),
        limits=load_limits()[point.limits or ""],
    )
    evidence = Evidence(
        (PointEvidence(POINT, (channel,), findings=(finding,)),), 5, speed_hz=np.full(5, RPM / 60)
    )
    named = diagnose(machine, evidence)
    assert isinstance(named, tuple)
    return named[0]


@cache
def life() -> RemainingLife:
    velocity = features()[:, NAMES.index("velocity_rms_mm_s")]
    limits = load_limits()["iso10816-7:cat2:over200kw"]
    trend = Trend(times() / HOUR_NS, velocity, "mm/s", alert=2.4, baseline=1.5, spread=0.03)
    told = remaining_life(trend, Threshold(limits.values[-1], "mm/s"))
    assert isinstance(told, RemainingLife), told
    return told


def _rows(
    what: str, ts_ns: npt.NDArray[np.int64], point: str, channel: str, fields: Mapping[str, object]
) -> Rows:
    n = len(ts_ns)
    site = sample().site_id
    return Rows(what, [site] * n, [PUMP] * n, [point] * n, [channel] * n, ts_ns, fields)  # type: ignore[arg-type]


def series() -> list[Rows]:
    """What the historian has: features, temperatures, states, a diagnosis, a life."""
    _, point = pump()
    ts, x = times(), features()
    velocity = x[:, NAMES.index("velocity_rms_mm_s")]
    limits = load_limits()[point.limits or ""]
    said = [judge(float(v), limits) for v in velocity]
    frames = [f"khouribga/gw-1:e:{k}" for k in range(BLOCKS)]
    blocks = {name: x[:, i] for i, name in enumerate(NAMES)} | {
        "speed_rpm": RPM + np.random.default_rng(4).normal(0, 1.5, BLOCKS),
        "zone": [one.zone for one in said],
        "frame": frames,
    }
    warm = {"value": 52 + 15 * (velocity - 1.5) / 3, "unit": ["°C"] * BLOCKS, "frame": frames}
    states = {
        "state": [str(one.state) if k < BLOCKS - ALERTED else "alert" for k, one in enumerate(said)],
        "judged": [str(one.judged) for one in said],
        "learning": np.zeros(BLOCKS, dtype=np.int64),
        "severity": np.where(np.arange(BLOCKS) < BLOCKS - ALERTED, 1, 3).astype(np.int64),
        "zone": [one.zone for one in said],
        "value": velocity,
        "limit_name": [one.limits_id for one in said],
        **{name: [None] * BLOCKS for name in ("reason", "remedy")},
        "frame": frames,
        "live": np.ones(BLOCKS, dtype=np.int64),
    }
    site = sample().site_id
    return [
        _rows("feature", ts, POINT, CHANNEL, blocks),
        _rows("reading", ts, POINT, "T", warm),
        _rows("state", ts, POINT, "", states),
        _rows("state", ts, "", "", states),
        _rows("diagnosis", ts[-1:], POINT, "", _diagnosis_fields()),
        life_rows(
            (site, PUMP, POINT), int(ts[-2]), f"{CHANNEL}/velocity_rms_mm_s", limits.values[-1], life()
        ),
    ]


def _diagnosis_fields() -> dict[str, object]:
    machine, _ = pump()
    named = found()
    advice = advise(named, machine)
    return {
        "rank": np.array([1], dtype=np.int64),
        "fault": [str(named.fault)],
        "confidence": np.array([named.confidence]),
        "severity": np.array([named.severity], dtype=np.int64),
        "action": [str(advice.action)],
        "deadline_h": np.array([np.nan if advice.deadline_h is None else advice.deadline_h]),
        "at": [named.point],
        "detail": [detail_of(named)],
        "reason": [None],
        "remedy": [None],
        "frame": ["khouribga/gw-1:e:719"],
    }


def records_batch(store: WaveformStore) -> RecordsBatch:
    """What the records have: the last waveform, the baseline, an alarm, a greasing, a verdict."""
    site = sample().site_id
    frame = Waveform(
        PUMP, POINT, (CHANNEL,), block(1.0), (1.0,), ("m/s²",), FS_HZ, AT_NS, speed_rpm=RPM, load_percent=82.0
    )
    identity = FrameId(f"{site}/gw-1", "00000000000000e1", 720)
    ref = store.append(identity, frame)
    store.sync()
    healthy = np.median(features()[:200], axis=0)[None, :]
    model = encode({"channels": np.array([CHANNEL]), "levels": healthy, "version": np.array(2)})
    baseline = Baseline(
        PUMP,
        2,
        BaselineStatus.CONFIRMED,
        AT_NS - 60 * 24 * HOUR_NS,
        AT_NS - 40 * 24 * HOUR_NS,
        1.0,
        "h.alami",
    )
    detail = {
        "what": "raised",
        "level": "alert",
        "mode": "vibration",
        "who": "",
        "why": "",
        "fault": "outer_ring",
    }
    return RecordsBatch(
        stored=(identity,),
        states=(StateRow(site, f"{PUMP}/{POINT}#model:2", model),),
        waveforms=(WaveformRow(identity, site, PUMP, POINT, AT_NS, ref),),
        transitions=(
            Transition(
                "alarm:1", site, PUMP, POINT, "vibration", AT_NS - 60 * HOUR_NS, "alarm",
                "unacknowledged", "normal", json.dumps(detail),
            ),
        ),
        interventions=(
            InterventionRow(
                "i1", site, PUMP, POINT, "greasing", AT_NS - 400 * HOUR_NS, AT_NS, "h.alami", "30 g"
            ),
        ),
        verdicts=(
            VerdictRow(
                "v1", site, f"{PUMP}/{POINT}/vibration", AT_NS - 60 * HOUR_NS, "outer_ring", "confirmed",
                "outer_ring", "5.1.2", "écaillage vu à l'endoscope", "h.alami", AT_NS - HOUR_NS,
            ),
        ),
        baselines=(BaselineRow(site, PUMP, 2, json.dumps(asdict(baseline))),),
    )  # fmt: skip


def failing_pump(folder: Path) -> DataFolder:
    """The data folder of an ingest that watched the pump fail."""
    data = DataFolder(folder / "data").create()
    with closing(SqliteHistorian(data.historian)) as historian:
        assert not any(report.rejected for report in historian.write(series()))
    with closing(WaveformStore(data.waveforms)) as store, closing(Records(data.records)) as records:
        store.cut_tails({})
        records.commit(records_batch(store))
    return data


def failed_pump(session: pytest.TempPathFactory) -> DataFolder:
    """The same, made once a session: to be read only."""
    return _failed_pump(session.getbasetemp())


@cache
def _failed_pump(session: Path) -> DataFolder:
    folder = session / "failed_pump"
    folder.mkdir()
    return failing_pump(folder)
