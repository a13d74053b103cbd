"""What a report says, from the stores of a pump that fails, and where they say nothing."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.detection.zones import LimitSet
from models.features.catalogue import NAMES
from models.types import MachineSpec
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformReader
from palier.limits import load_limits, verified_bearings
from palier.local_time import local
from palier.plant import load_sample_plant
from palier.report.content import plain, report_of
from palier.report.found import Found
from palier.report.gather import Asked, Stores, gather
from palier.report.values import Gap, Report
from tests.support import report_machine as pump

MADE_NS = pump.AT_NS + 2 * pump.HOUR_NS
DAY_NS = 24 * pump.HOUR_NS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pump.failed_pump(tmp_path_factory).path


def read(folder: Path, *, machine: str = pump.PUMP, at_ns: int | None = None, days: int = 30) -> Found:
    plant = load_sample_plant()
    spec = plant.machine(machine)
    assert spec is not None
    asked = Asked(plant, spec, load_limits(), verified_bearings(), MADE_NS, days, at_ns)
    with (
        closing(SqliteHistorian(folder / "historian.sqlite", read_only=True)) as historian,
        closing(RecordsReader(folder / "records.sqlite")) as records,
    ):
        return gather(asked, Stores(historian, records, WaveformReader(folder / "waveforms")))


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    return read(folder)


@pytest.fixture(scope="module")
def report(found: Found) -> Report:
    return report_of(found, version="1.2.3")


def gaps(report: Report) -> dict[str, Gap]:
    return {gap.key: gap for gap in report.gaps}


def of_machine(found: Found, **changes: object) -> Found:
    return replace(found, machine=replace(found.machine, **changes))  # type: ignore[arg-type]


def test_the_head_tells_whom_it_is_about_and_when(report: Report) -> None:
    head = report.head
    assert (head.machine, head.criticality, head.power_kw, head.nominal_rpm) == ("P-101", "A", 250.0, 890.0)
    assert head.at_ns == pump.AT_NS
    assert head.start_ns == pump.AT_NS - 30 * DAY_NS
    there = local(pump.AT_NS, "Africa/Casablanca")  # the plant's own time
    assert head.number == f"P-101-20261118-{there:%H%M}"


def test_levels_stand_beside_their_baseline_and_the_beginning_of_the_period(report: Report) -> None:
    (line,) = report.levels
    velocity = pump.features()[-1, NAMES.index("velocity_rms_mm_s")]
    assert line.velocity.value == pytest.approx(velocity, rel=1e-6)
    assert line.velocity.baseline == pytest.approx(1.5, rel=0.02)
    assert line.velocity.ratio == pytest.approx(velocity / 1.5, rel=0.02)
    assert line.velocity.change == pytest.approx(velocity / 1.5 - 1, rel=0.03)
    assert (line.zone, line.state) == ("B", "normal")
    assert report.temperatures[0].state == "normal"


def test_the_speed_has_an_uncertainty_where_it_was_measured(report: Report, found: Found) -> None:
    assert report.speed.measured
    assert report.speed.rpm == pytest.approx(890, abs=2)
    assert report.speed.spread_rpm == pytest.approx(1.5, rel=0.5)
    (channel,) = (one for one in found.channels if one.block)
    stated = replace(found, channels=(replace(channel, rpm=(890.0,) * 5),))
    nominal = report_of(stated, version="1").speed
    assert (nominal.measured, nominal.spread_rpm) == (False, None)
    assert gaps(report_of(stated, version="1"))["speed_nominal"].reserve


def test_the_diagnosis_is_the_last_one_with_its_evidence(report: Report) -> None:
    (line,) = report.diagnoses
    assert (line.fault, line.severity, line.point, line.current) == ("outer_ring", 3, "2", True)
    assert {item.key for item in line.evidence} >= {"bearing_lines", "bearing_energy"}


def test_what_a_point_recovered_from_is_past_and_asks_for_nothing(found: Found) -> None:
    calm = [replace(s, state="normal", severity=1, ts_ns=s.ts_ns + 1) for s in found.states]
    report = report_of(replace(found, states=tuple(calm)), version="1")
    assert [line.current for line in report.diagnoses] == [False]
    assert report.recommendations == ()


def test_the_recommendation_has_a_deadline_a_planning_date_and_acceptance_values(report: Report) -> None:
    (one,) = report.recommendations
    assert (one.action, one.task) == ("plan", "bearing")
    assert one.deadline_h == pytest.approx(42.07, abs=0.01)  # of the life: the rule leaves four weeks
    life = report.lives[0]
    assert life.p10_h is not None
    assert one.plan_ns == one.due_ns == life.ts_ns + round(life.p10_h * pump.HOUR_NS)
    told = {criterion.key: criterion.params for criterion in one.acceptance}
    assert told["velocity"] == {"value": 4.2, "limit_name": "A/B", "limits": "iso10816-7:cat2:over200kw"}
    assert told["temperature"]["value"] == 80.0
    assert told["acceleration"]["value"] == pytest.approx(2 * (report.levels[0].acceleration.baseline or 0))
    assert {"no_lines", "recorded"} <= told.keys()


def test_a_point_that_got_worse_since_its_diagnosis_asks_for_more(found: Found) -> None:
    danger = [replace(s, state="danger", severity=5) if s.point else s for s in found.states]
    (one,) = report_of(replace(found, states=tuple(danger)), version="1").recommendations
    assert (one.fault, one.severity, one.action, one.raised_by) == ("outer_ring", 5, "stop", "danger")


def test_noise_has_no_main_lines(found: Found) -> None:
    rng = np.random.default_rng(1)
    noisy = [replace(s, amplitude=rng.rayleigh(size=s.amplitude.size)) for s in found.spectra]
    told = report_of(replace(found, spectra=tuple(noisy)), version="1").spectra
    assert sum(len(one.peaks) for one in told) <= 3


def test_an_abnormal_machine_without_a_named_fault_is_to_be_surveyed(found: Found) -> None:
    (one,) = report_of(replace(found, diagnoses=()), version="1").recommendations
    assert (one.fault, one.action, one.point) == ("unidentified", "plan", "2")


def test_spectra_are_those_of_the_last_waveform_with_markers_and_main_lines(report: Report) -> None:
    kinds = [one.kind for one in report.spectra]
    assert kinds == ["velocity_mm_s", "acceleration_m_s2", "envelope_m_s2"]
    assert all(one.of_waveform and one.resolution_hz == 0.25 for one in report.spectra)
    velocity, _, envelope = report.spectra
    first = velocity.peaks[0]
    assert [(near.name, near.harmonic) for near in first.near] == [("1×", 1)]
    assert first.frequency_hz == pytest.approx(890 / 60, abs=0.2)
    assert first.amplitude == pytest.approx(5.5 * np.sqrt(2), rel=0.1)
    names = {(near.name, near.harmonic) for peak in envelope.peaks for near in peak.near}
    assert {("bpfo", 1), ("bpfo", 2), ("bpfo", 3)} <= names
    assert {marker.half_width_hz > 0 for marker in envelope.markers if marker.name == "bpfo"} == {True}


def test_trends_hold_limits_baseline_and_events(report: Report) -> None:
    features = [(one.point, one.feature) for one in report.trends]
    assert features == [
        ("2", "velocity_rms_mm_s"),
        ("2", "acceleration_rms_m_s2"),
        ("2", "temperature_c"),
    ]
    assert report.trends[0].limits == "iso10816-7:cat2:over200kw"
    assert [(e.kind, e.what) for e in report.events] == [
        ("intervention", "greasing"),
        ("alarm", "raised"),
        ("verdict", "confirmed"),
    ]


def test_what_was_not_measured_and_what_is_unverified_is_told(report: Report) -> None:
    told = gaps(report)
    assert told["channel"].place == "1/H"
    assert told["directions"].place == "1, 2"
    assert {"phase", "temperature_rise", "life_none"} <= told.keys()
    assert told["limits_unverified"].reserve
    assert told["bearing_estimated"].reserve
    assert "load" not in told  # it came with the waveform


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"channels": ()}, "speed", "speed_unknown"),
        ({"states": ()}, "state", "no_data"),
        ({"baseline": None}, "baseline", "baseline_too_short"),
        ({"spectra": ()}, "spectrum", ""),
    ],
)
def test_whatever_is_missing_is_named(found: Found, change: dict[str, object], key: str, reason: str) -> None:
    report = report_of(replace(found, **change), version="1")  # type: ignore[arg-type]
    assert gaps(report)[key].reason == reason


def test_a_machine_without_limits_or_bearing_is_judged_by_neither(found: Found) -> None:
    points = tuple(replace(point, limits=None, bearing=None) for point in found.machine.points)
    report = report_of(of_machine(found, points=points), version="1")
    assert report.limits == ()
    assert (report.levels[0].zone, report.levels[0].state) == (None, None)
    assert {"limits", "bearing"} <= gaps(report).keys()
    assert {marker.name for figure in report.spectra for marker in figure.markers} <= {"1×", "vanes", "belt"}


def test_an_empty_history_gives_a_report_of_gaps(folder: Path) -> None:
    report = report_of(read(folder, machine="B-501"), version="1")
    assert (report.verdict, report.levels, report.spectra, report.recommendations) == (None, (), (), ())
    assert {"state", "channel", "spectrum", "speed", "limits", "baseline"} <= gaps(report).keys()


def test_at_an_earlier_time_nothing_later_is_known(folder: Path) -> None:
    at_ns = pump.AT_NS - 10 * DAY_NS
    report = report_of(read(folder, at_ns=at_ns), version="1")
    assert report.verdict is not None
    assert (report.verdict.state, report.verdict.ts_ns <= at_ns) == ("normal", True)
    assert (report.diagnoses, report.lives, report.spectra) == ((), (), ())
    assert [event.what for event in report.events] == ["greasing"]


def test_without_records_the_series_are_still_told(folder: Path, tmp_path: Path) -> None:
    plant = load_sample_plant()
    machine = plant.machine(pump.PUMP)
    assert machine is not None
    asked = Asked(plant, machine, load_limits(), verified_bearings(), MADE_NS, 30)
    with closing(SqliteHistorian(folder / "historian.sqlite", read_only=True)) as historian:
        found = gather(asked, Stores(historian, None, WaveformReader(tmp_path)))
    report = report_of(found, version="1")
    assert report.levels
    assert {"lost_records", "spectrum", "baseline"} <= gaps(report).keys()


def test_a_waveform_that_was_thinned_away_is_told(folder: Path, tmp_path: Path) -> None:
    plant = load_sample_plant()
    machine: MachineSpec | None = plant.machine(pump.PUMP)
    assert machine is not None
    asked = Asked(plant, machine, load_limits(), verified_bearings(), MADE_NS, 30)
    with (
        closing(SqliteHistorian(folder / "historian.sqlite", read_only=True)) as historian,
        closing(RecordsReader(folder / "records.sqlite")) as records,
    ):
        found = gather(asked, Stores(historian, records, WaveformReader(tmp_path)))
    assert [one.what for one in found.lost] == ["waveform"]
    assert "thinned" in found.lost[0].sentence


def test_a_store_that_is_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HistorianError):
        SqliteHistorian(tmp_path / "none.sqlite", read_only=True)


def test_the_fingerprint_is_of_the_data_alone(found: Found) -> None:
    one = report_of(found, version="1").fingerprint
    assert report_of(replace(found, made_ns=found.made_ns + 10**12), version="2").fingerprint == one
    other = replace(found, states=tuple(replace(s, severity=5) for s in found.states))
    assert report_of(other, version="1").fingerprint != one


def test_the_content_is_json_without_nan(report: Report) -> None:
    told = json.loads(json.dumps(plain(report), allow_nan=False))
    assert told["head"]["machine"] == "P-101"
    assert told["diagnoses"][0]["evidence"][0]["params"]


def test_verified_bearings_tell_who_compared_them() -> None:
    known = verified_bearings()
    assert (known["6205"], known["22220"]) == ("two public sources", "none")


def test_limits_are_told_with_who_verified_them(report: Report) -> None:
    limits: dict[str, LimitSet] = dict(load_limits())
    for line in report.limits:
        assert line.verified_by == limits[line.id].verified_by
        assert line.values == limits[line.id].values
