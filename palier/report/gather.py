"""Reads what a report is about: series, records, waveforms, plant, limits. Changes nothing.

A store that can't be read takes nothing away from what the others hold: it is told as lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from models.detection.zones import LimitSet
from models.diagnosis.types import EvidenceItem
from models.features.catalogue import NAMES
from models.types import MachineSpec, PointSpec, Quantity
from palier.historian import long_run
from palier.historian.base import Historian, HistorianError, Table
from palier.historian.records import RecordsReader
from palier.historian.rows import HOUR_NS
from palier.historian.waveforms import WaveformReader
from palier.operations import Baseline
from palier.plant import Plant

from .found import (
    Block,
    ChannelFound,
    Course,
    DiagnosisFound,
    Found,
    LifeFound,
    Lost,
    Place,
    ReadingFound,
    SpectrumFound,
)
from .healthy import levels_of
from .spectra import kept_spectra, whole_spectra
from .values import Verdict

DAY_NS: Final = 24 * HOUR_NS
BUCKETS: Final = 360
"""Stretches of a trend: two pixels each on paper."""

SPEED_BLOCKS: Final = 24
"""Newest blocks whose speeds are told with their spread."""

TRENDED: Final = ("velocity_rms_mm_s", "velocity_rms_low_mm_s", "acceleration_rms_m_s2", "envelope_rms_m_s2")

_STATE: Final = ("state", "learning", "severity", "zone", "value", "reason", "remedy")
_DIAGNOSIS: Final = (
    *("rank", "fault", "confidence", "severity", "action", "deadline_h"),
    *("at", "detail", "reason", "remedy"),
)
_LIFE: Final = (
    *("method", "p10_h", "p50_h", "p90_h", "confidence", "leading", "threshold"),
    *("assumptions", "reason", "remedy"),
)
_MOST_RANKS: Final = 3


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a report reads; None is a store that is not there."""

    historian: Historian
    records: RecordsReader | None
    waveforms: WaveformReader


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: the machine, its plant with all limits, and the period in ns of plant time.

    `at_ns` None is the time of the machine's newest row. `verified` is as in `Found`.
    """

    plant: Plant
    machine: MachineSpec
    limits: Mapping[str, LimitSet]
    verified: Mapping[str, str]
    made_ns: int
    days: int
    at_ns: int | None = None


def gather(asked: Asked, stores: Stores) -> Found:
    """All that is known of the machine in the period. Raises HistorianError without the series."""
    at_ns = asked.at_ns if asked.at_ns is not None else _newest_ns(asked, stores.historian)
    found = Found(
        plant=asked.plant,
        machine=asked.machine,
        start_ns=at_ns - asked.days * DAY_NS,
        at_ns=at_ns,
        made_ns=asked.made_ns,
        limits=asked.limits,
        verified=asked.verified,
    )
    series = _Series(found, stores.historian)
    points = asked.machine.points
    found = replace(
        found,
        channels=tuple(series.channel(place) for place in _places(points, Quantity.ACCELERATION)),
        readings=tuple(
            one
            for quantity in (Quantity.TEMPERATURE, Quantity.SPEED, Quantity.LOAD)
            for place in _places(points, quantity)
            if (one := series.reading(place)) is not None
        ),
        states=series.states(),
        diagnoses=tuple(line for point in points for line in series.diagnoses(point.id)),
        lives=tuple(line for point in points if (line := series.life(point.id)) is not None),
    )
    return _with_spectra(_with_records(found, stores.records), stores)


def _newest_ns(asked: Asked, historian: Historian) -> int:
    """The time of the machine's newest row, and that of the report where there is none."""
    newest = [
        historian.read(what, (field,), site=asked.plant.site_id, machine=asked.machine.id, newest=1)
        for what, field in (("feature", "speed_rpm"), ("reading", "value"), ("state", "state"))
    ]
    return max((int(table.ts_ns[-1]) for table in newest if len(table)), default=asked.made_ns)


def _places(points: Iterable[PointSpec], quantity: Quantity) -> list[Place]:
    return [(p.id, c.id) for p in points for c in p.channels if c.quantity is quantity]


class _Series:
    """Reads the series of one machine in one period."""

    def __init__(self, found: Found, historian: Historian) -> None:
        self._found, self._historian = found, historian
        self._where = {"site": found.plant.site_id, "machine": found.machine.id}

    def channel(self, place: Place) -> ChannelFound:
        """The newest block of a vibration channel and its trends."""
        fields = (*NAMES, "speed_rpm", "frame")
        table = self._newest("feature", fields, place, 1)
        speeds = self._newest("feature", ("speed_rpm",), place, SPEED_BLOCKS)
        rpm = [_number(value) for value in speeds.columns["speed_rpm"]]
        courses = {name: self._course("feature", name, place) for name in TRENDED} if len(table) else {}
        return ChannelFound(
            place,
            _block(table) if len(table) else None,
            {name: course for name, course in courses.items() if len(course)},
            tuple(value for value in rpm if value is not None),
        )

    def reading(self, place: Place) -> ReadingFound | None:
        """The newest value of a slow channel and its trend."""
        table = self._newest("reading", ("value", "unit"), place, 1)
        value = _number(table.columns["value"][-1]) if len(table) else None
        if value is None:
            return None
        unit = _text(table.columns["unit"][-1]) or ""
        return ReadingFound(place, int(table.ts_ns[-1]), value, unit, self._course("reading", "value", place))

    def states(self) -> tuple[Verdict, ...]:
        """The newest state of the machine and of each point."""
        points = ("", *(point.id for point in self._found.machine.points))
        tables = [(point, self._newest("state", _STATE, (point, ""), 1)) for point in points]
        return tuple(_state(point, table) for point, table in tables if len(table))

    def diagnoses(self, point: str) -> list[DiagnosisFound]:
        """What was found when a point was last examined, the surest first."""
        table = self._newest("diagnosis", _DIAGNOSIS, (point, ""), _MOST_RANKS)
        rows = [i for i in range(len(table)) if table.ts_ns[i] == table.ts_ns[-1]]
        return sorted((_diagnosis(point, table, i) for i in rows), key=lambda line: line.rank)

    def life(self, point: str) -> LifeFound | None:
        """What was last told of the remaining life of a point."""
        table = self._newest("life", _LIFE, (point, ""), 1)
        return _life(point, table) if len(table) else None

    def kept(self, place: Place, what: str) -> SpectrumFound | None:
        """The newest thinned spectrum of a channel."""
        table = self._newest(what, ("frequency_hz", "amplitude", "kind"), place, 400)
        return kept_spectra(place, table)

    def turning(self, one: SpectrumFound) -> SpectrumFound:
        """A spectrum with the speed of its block, where it has none of its own."""
        if one.shaft_rpm is not None:
            return one
        table = self._historian.read(
            "feature",
            ("speed_rpm",),
            **self._where,
            point=one.place[0],
            channel=one.place[1],
            start_ns=one.ts_ns,
            end_ns=one.ts_ns + 1,
            newest=1,
        )
        return replace(one, shaft_rpm=_number(table.columns["speed_rpm"][-1]) if len(table) else None)

    def _newest(self, what: str, fields: Sequence[str], place: Place, rows: int) -> Table:
        return self._historian.read(
            what,
            fields,
            **self._where,
            point=place[0],
            channel=place[1],
            start_ns=self._found.start_ns,
            end_ns=self._found.at_ns + 1,
            newest=rows,
        )

    def _course(self, what: str, field: str, place: Place) -> Course:
        table = long_run.trend(
            self._historian,
            what,
            field,
            **self._where,
            point=place[0],
            channel=place[1],
            start_ns=self._found.start_ns,
            end_ns=self._found.at_ns + 1,
            buckets=BUCKETS,
        )
        mean, low, high = (
            np.asarray(table.columns[name], dtype=np.float64) for name in ("mean", "min", "max")
        )
        known = ~np.isnan(mean)
        return Course(table.ts_ns[known] / 1e9, mean[known], low[known], high[known])


def _with_records(found: Found, records: RecordsReader | None) -> Found:
    if records is None:
        return replace(found, lost=(*found.lost, Lost("records", "")))
    site, machine = found.plant.site_id, found.machine.id

    def inside(ts_ns: int) -> bool:
        return found.start_ns <= ts_ns <= found.at_ns

    try:
        alarms = [
            t for t in records.transitions(found.start_ns, "alarm") if (t.site, t.machine) == (site, machine)
        ]
        done = records.interventions(machine, found.start_ns)
        verdicts = [v for v in records.verdicts(found.start_ns) if v.alarm.partition("/")[0] == machine]
        told = [
            json.loads(row.value) for row in records.baselines() if (row.site, row.machine) == (site, machine)
        ]
        states = records.states(site, f"{machine}/")
    except HistorianError as error:
        return replace(found, lost=(*found.lost, Lost("records", str(error))))
    baseline = max(
        (one for one in map(Baseline.from_told, told) if one.opened_ns <= found.at_ns),
        key=lambda one: one.version,
        default=None,
    )
    return replace(
        found,
        alarms=tuple(t for t in alarms if inside(t.ts_ns)),
        interventions=tuple(row for row in done if row.site == site and inside(row.at_ns)),
        verdicts=tuple(v for v in verdicts if v.site == site and inside(v.ts_ns)),
        baseline=baseline,
        levels={} if baseline is None else levels_of(states, site, found.machine, baseline.version),
    )


def _with_spectra(found: Found, stores: Stores) -> Found:
    """Of the newest kept waveform of each point, else the thinned ones of the historian."""
    series, spectra, lost = _Series(found, stores.historian), [], list(found.lost)
    for point in found.machine.points:
        places = _places([point], Quantity.ACCELERATION)
        whole: list[SpectrumFound] = []
        if stores.records is not None and places:
            try:
                whole = whole_spectra(found, point, stores.records, stores.waveforms)
            except HistorianError as error:
                lost.append(Lost("waveform", str(error)))
        spectra += whole
        for place in places:
            if not any(one.place == place for one in whole):
                thinned = [series.kept(place, what) for what in ("spectrum", "envelope")]
                spectra += [one for one in thinned if one is not None]
    return replace(found, spectra=tuple(series.turning(one) for one in spectra), lost=tuple(lost))


def _block(table: Table) -> Block:
    features = {name: _number(table.columns[name][-1]) for name in NAMES}
    frame = _text(table.columns["frame"][-1]) or ""
    return Block(int(table.ts_ns[-1]), frame, features, _number(table.columns["speed_rpm"][-1]))


def _state(point: str, table: Table) -> Verdict:
    row = {name: table.columns[name][-1] for name in _STATE}
    return Verdict(
        point,
        int(table.ts_ns[-1]),
        _text(row["state"]) or "unknown",
        bool(_number(row["learning"]) or 0),
        int(_number(row["severity"]) or 0),
        _text(row["zone"]),
        _number(row["value"]),
        _text(row["reason"]),
        _text(row["remedy"]),
    )


def _diagnosis(point: str, table: Table, i: int) -> DiagnosisFound:
    row = {name: table.columns[name][i] for name in _DIAGNOSIS}
    detail = _json(row["detail"], {})
    return DiagnosisFound(
        point,
        int(table.ts_ns[i]),
        int(_number(row["rank"]) or 1),
        _text(row["fault"]) or "refused",
        _number(row["confidence"]),
        int(_number(row["severity"]) or 1),
        _text(row["action"]) or "none",
        _number(row["deadline_h"]),
        _text(row["at"]) or "",
        tuple(EvidenceItem(**item) for item in detail.get("evidence", ())),
        tuple(detail.get("not_separated", ())),
        tuple(detail.get("separate_by", ())),
        _text(row["reason"]),
        _text(row["remedy"]),
    )


def _life(point: str, table: Table) -> LifeFound:
    row = {name: table.columns[name][-1] for name in _LIFE}
    assumptions = _json(row["assumptions"], [])
    return LifeFound(
        point,
        int(table.ts_ns[-1]),
        _text(row["method"]) or "refused",
        p10_h=_number(row["p10_h"]),
        p50_h=_number(row["p50_h"]),
        p90_h=_number(row["p90_h"]),
        confidence=_text(row["confidence"]),
        leading=_text(row["leading"]),
        threshold=_number(row["threshold"]),
        assumptions=tuple((one["key"], dict(one.get("params", {}))) for one in assumptions),
        reason=_text(row["reason"]),
        remedy=_text(row["remedy"]),
    )


def _json(text: object, empty: Any) -> Any:
    """What a column of JSON holds, `empty` for what is none."""
    try:
        return json.loads(str(text)) if text else empty
    except ValueError:
        return empty


def _number(value: object) -> float | None:
    """A number of a column; None where it is not known."""
    number = float(value) if isinstance(value, int | float | np.number) else float("nan")
    return number if np.isfinite(number) else None


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
