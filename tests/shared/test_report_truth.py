"""What a report must not say: what its data don't hold."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from models.types import State
from palier.historian.influx import InfluxHistorian
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformReader
from palier.limits import load_limits, verified_bearings
from palier.plant import load_sample_plant
from palier.report.content import plain, report_of
from palier.report.figures import spectrum_figures
from palier.report.found import Found
from palier.report.gather import Asked, Stores, gather
from palier.report.render import html
from palier.report.values import Report
from palier.report.wording import PUBLIC
from palier.typesetting import typeset
from tests.support import report_machine as pump
from tests.support.influxd import Influxd, influx_historian

LIMITS = load_limits()


def asked() -> Asked:
    plant = load_sample_plant()
    machine = plant.machine(pump.PUMP)
    assert machine is not None
    return Asked(plant, machine, LIMITS, verified_bearings(), pump.AT_NS + pump.HOUR_NS, 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pump.failed_pump(tmp_path_factory).path


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    with (
        closing(SqliteHistorian(folder / "historian.sqlite", read_only=True)) as historian,
        closing(RecordsReader(folder / "records.sqlite")) as records,
    ):
        return gather(asked(), Stores(historian, records, WaveformReader(folder / "waveforms")))


def since(found: Found, state: State) -> Report:
    """The report where every point is in a state since the examination."""
    states = [replace(s, state=str(state), severity=0, ts_ns=s.ts_ns + 1) for s in found.states]
    return report_of(replace(found, states=tuple(states)), version="1")


def text(report: Report, lang: str = "fr") -> str:
    page = re.sub(r"<style>.*</style>|<[^>]+>", " ", html(report, LIMITS, lang), flags=re.DOTALL)
    return " ".join(unescape(page).split())


@pytest.mark.parametrize("state", [State.STOPPED, State.TRANSIENT, State.UNKNOWN])
def test_a_fault_is_not_past_because_the_machine_stands(found: Found, state: State) -> None:
    report = since(found, state)
    assert [line.current for line in report.diagnoses] == [True]
    assert [one.fault for one in report.recommendations] == ["outer_ring"]


def test_a_life_of_a_point_that_recovered_is_past_and_no_conclusion(found: Found) -> None:
    report = since(found, State.NORMAL)
    assert [life.current for life in report.lives] == [False]
    conclusion = text(report).split("2. Points de mesure")[0]
    assert "ETTF" in text(report)
    assert "ETTF" not in conclusion
    assert "ETTF" in text(report_of(found, version="1")).split("2. Points de mesure")[0]


def test_a_life_says_when_it_was_estimated(found: Found) -> None:
    life = replace(found.lives[0], ts_ns=pump.AT_NS - 9 * 24 * pump.HOUR_NS)
    report = report_of(replace(found, lives=(life,)), version="1")
    assert text(report).count("09/11/2026") >= 2


def test_markers_are_of_the_speed_at_the_spectrums_time(folder: Path, found: Found) -> None:
    """A machine of changing speed, whose waveform has none of its own: that of its block holds."""
    with closing(SqliteHistorian(folder / "historian.sqlite", read_only=True)) as historian:
        shown = gather(asked(), Stores(historian, None, WaveformReader(folder / "waveforms")))
    assert shown.spectra == ()  # none was thinned here: only what came with a waveform is looked up
    old = [replace(one, shaft_rpm=None, ts_ns=one.ts_ns - pump.HOUR_NS) for one in found.spectra]
    varies = replace(found.machine, speed_source="frame")
    figures = spectrum_figures(replace(found, machine=varies, spectra=tuple(old)))
    assert figures
    assert {f.shaft_rpm for f in figures} == {None}
    fixed = replace(found.machine, speed_source="fixed", speed_rpm=890.0)
    figures = spectrum_figures(replace(found, machine=fixed, spectra=tuple(old)))
    assert {f.shaft_rpm for f in figures} == {890.0}


def test_at_standstill_the_speed_is_not_called_unknown(found: Found) -> None:
    still = replace(found, spectra=tuple(replace(one, shaft_rpm=0.0) for one in found.spectra))
    said = text(report_of(still, version="1"))
    assert "vitesse de rotation inconnue : pas de repères" not in said
    assert "à l'arrêt : pas de repères" in said


def test_lines_below_the_band_of_the_velocity_are_not_told_of(found: Found) -> None:
    """There noise, integrated, rises towards zero: its lines are none of the machine's."""
    (figure,) = (f for f in spectrum_figures(found) if f.kind == "velocity_mm_s")
    assert figure.peaks
    assert min(peak.frequency_hz for peak in figure.peaks) >= 10.0
    slow = replace(found, spectra=tuple(replace(one, shaft_rpm=240.0) for one in found.spectra))
    (figure,) = (f for f in spectrum_figures(slow) if f.kind == "velocity_mm_s")
    assert min(peak.frequency_hz for peak in figure.peaks) >= 2.0


def test_limits_that_only_public_sources_tell_hold_with_a_reserve(found: Found) -> None:
    name = found.machine.points[1].limits or ""
    told = replace(found, limits={**found.limits, name: replace(found.limits[name], verified_by=PUBLIC)})
    keys = {(g.key, (g.params or {}).get("limits")) for g in report_of(told, version="1").gaps if g.reserve}
    assert ("limits_unverified", name) in keys


def test_each_limit_has_its_unit(found: Found) -> None:
    said = text(report_of(found, version="1"))
    section = said.split("4. Norme et limites")[1].split("5. Niveaux")[0]
    assert "limite A/B 4,2 mm/s eff." in section
    assert "seuil de danger 95 °C" in section


@pytest.mark.parametrize(
    ("lang", "plainly", "told"),
    [
        ("fr", "État : 12,5 mm/s eff. ; 4 %", "État\u00a0: 12,5\u00a0mm/s eff.\u202f; 4\u00a0%"),
        ("fr", "« / réf. » !", "«\u00a0/ réf.\u00a0»\u202f!"),
        ("ar", "عند 121,3 Hz (الرتبة 8)", "عند \u2066121,3\u00a0Hz\u2069 (الرتبة 8)"),
        ("ar", "للنطاق 2,5–10 kHz.", "للنطاق \u20662,5–10\u00a0kHz\u2069."),
        ("en", "4.2 mm/s: 3 %", "4.2\u00a0mm/s: 3\u00a0%"),
    ],
)
def test_a_number_and_its_unit_stay_together_and_in_order(lang: str, plainly: str, told: str) -> None:
    assert typeset(plainly, lang) == told


def test_of_an_influxdb_the_report_is_the_same(folder: Path, found: Found, influxd: Influxd) -> None:
    with influx_historian(influxd, influxd.url) as historian:
        assert isinstance(historian, InfluxHistorian)
        assert not any(one.rejected for one in historian.write(pump.series()))
        with closing(RecordsReader(folder / "records.sqlite")) as records:
            stores = Stores(historian, records, WaveformReader(folder / "waveforms"))
            there = plain(report_of(gather(asked(), stores), version="1"))
    here = plain(report_of(found, version="1"))
    trends, others = here.pop("trends"), there.pop("trends")
    del here["fingerprint"], there["fingerprint"]  # of all digits of a number: a server rounds the last
    assert rounded(here) == rounded(there)
    for one, other in zip(trends, others, strict=True):
        assert (one["point"], one["feature"]) == (other["point"], other["feature"])
        ends = [[line["mean"][-1] for line in figure["lines"]] for figure in (one, other)]
        assert ends[0] == pytest.approx(ends[1], rel=0.05)


def rounded(value: object) -> object:
    """What JSON holds, with six digits of each number."""
    return json.loads(json.dumps(value), parse_float=lambda text: f"{float(text):.6g}")
