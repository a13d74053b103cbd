"""One recording looked at by itself: zone, lines, and what is not judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.features.speed import REFUSALS, Outcome
from models.types import STANDARD_GRAVITY_M_S2, State
from palier.analysis import (
    BEARING_UNKNOWN,
    LIMITS_NOT_GIVEN,
    LINES_NOT_SEARCHABLE,
    RUNNING_UNKNOWN,
    SEEMS_STOPPED,
    SPEED_UNKNOWN,
    Analyzer,
    ChannelAnalysis,
)
from palier.commands.analysis_text import Writer
from palier.limits import load_bearings, load_limits
from palier.locale import Catalogue
from palier.record_speed import speed_of
from palier.recordings import Recording

FS_HZ = 12_800.0
LIMITS = load_limits()["iso20816-3:g2:rigid"]
BEARING = load_bearings()["6205"]
FRENCH = Catalogue("fr")


def recording(
    samples: npt.NDArray[np.float64], unit: str = "m/s²", rpm: float | None = 1500.0, scale: float = 1.0
) -> Recording:
    return Recording("r", np.atleast_2d(samples).astype(np.float32), (scale,), unit, ("1",), FS_HZ, rpm)


def tone(
    velocity_rms_mm_s: float, frequency_hz: float = 100.0, seconds: float = 2.0
) -> npt.NDArray[np.float64]:
    """Acceleration in m/s² of a sine of that RMS velocity, on whole periods."""
    angle = 2 * np.pi * frequency_hz * np.arange(round(FS_HZ * seconds)) / FS_HZ
    amplitude = velocity_rms_mm_s / 1e3 * np.sqrt(2) * 2 * np.pi * frequency_hz
    return np.asarray(amplitude * np.sin(angle), dtype=np.float64)


def look(record: Recording, *, bearing: bool = False, limits: bool = True) -> ChannelAnalysis:
    analyzer = Analyzer(BEARING if bearing else None, LIMITS if limits else None)
    (channel,) = analyzer.analyze(record).channels
    return channel


@pytest.mark.parametrize(
    ("velocity", "zone", "state"),
    [(1.0, "A", State.NORMAL), (3.0, "C", State.ALERT), (5.0, "D", State.DANGER)],
)
def test_the_zone_of_a_tone(velocity: float, zone: str, state: State) -> None:
    channel = look(recording(tone(velocity)))
    assert channel.features["velocity_rms_mm_s"] == pytest.approx(velocity, rel=1e-3)
    assert (channel.judgement.zone, channel.judgement.judged) == (zone, state)


def test_a_signal_in_g_gives_the_same_as_in_metres_per_second_squared() -> None:
    metric = look(recording(tone(3.0)))
    in_g = look(recording(tone(3.0) / STANDARD_GRAVITY_M_S2 * 1000, unit="g", scale=0.001))
    assert in_g.features["velocity_rms_mm_s"] == pytest.approx(metric.features["velocity_rms_mm_s"], rel=1e-5)
    assert in_g.judgement.zone == "C"


def test_without_a_unit_there_is_no_zone_and_no_level() -> None:
    channel = look(recording(tone(3.0), unit="unknown"))
    assert (channel.judgement.state, channel.judgement.zone) == (State.UNKNOWN, None)
    assert channel.features["velocity_rms_mm_s"] is None
    assert channel.features["acceleration_peak_m_s2"] is None
    assert channel.features["crest_factor"] == pytest.approx(np.sqrt(2), rel=1e-3)
    assert "unit_unknown" in {r.reason for r in channel.refusals}


def test_what_can_not_be_judged_says_why() -> None:
    spoilt = tone(1.0)
    spoilt[7] = np.nan
    said = {
        "not_finite": look(recording(spoilt)),
        "block_too_short": look(recording(tone(1.0, seconds=0.05))),
        "stuck": look(recording(np.zeros(25_600))),
    }
    assert {reason: channel.judgement.reason for reason, channel in said.items()} == {k: k for k in said}
    assert all(channel.refusals[0].reason == reason for reason, channel in said.items())
    stuck = look(recording(np.full(25_600, 9.81)), limits=False).judgement
    assert (stuck.state, stuck.reason) == (State.UNKNOWN, "stuck")


def test_a_clipped_record_gets_no_zone() -> None:
    channel = look(recording(np.clip(tone(3.0), -2.0, 2.0)))
    assert (channel.judgement.state, channel.judgement.reason) == (State.UNKNOWN, "clipped")


def test_spikes_are_told_beside_the_zone() -> None:
    spiked = tone(1.0)
    spiked[1000::5000] += 30
    record = recording(spiked)
    channel = look(record)
    assert channel.judgement.zone == "A"
    assert [doubt.reason for doubt in channel.doubts] == ["spikes"]
    told = Writer(Catalogue("fr"), None, in_full=True).record(Analyzer(None, LIMITS).analyze(record))
    assert "Sous réserve\u00a0: le signal contient des parasites." in told


def turning(speed_hz: float, harmonics: int = 4, seconds: float = 4.0) -> npt.NDArray[np.float64]:
    """Harmonics of a shaft in noise."""
    rng = np.random.default_rng(3)
    t = np.arange(round(FS_HZ * seconds)) / FS_HZ
    x = rng.normal(0, 1, t.size)
    for k in range(1, harmonics + 1):
        x += 0.5 / k * np.sin(2 * np.pi * k * speed_hz * t)
    return np.asarray(x)


def quiet() -> npt.NDArray[np.float64]:
    """Noise of a sensor on a machine at rest: far below anything that runs."""
    return np.asarray(np.random.default_rng(5).normal(0, 0.01, round(4 * FS_HZ)))


@pytest.mark.parametrize("rpm", [0.0, 0.9])
def test_a_machine_that_is_known_to_stand_gets_no_zone(rpm: float) -> None:
    """An encoder trembles around zero."""
    record = recording(quiet(), rpm=rpm)
    analysis = Analyzer(BEARING, LIMITS).analyze(record)
    (channel,) = analysis.channels
    assert (channel.judgement.state, channel.judgement.zone) == (State.STOPPED, None)
    assert (channel.lines, channel.leading, channel.refusals, channel.doubts) == ((), None, (), ())
    assert "mm/s eff.\u00a0: machine à l'arrêt, pas de zone" in Writer(
        Catalogue("fr"), BEARING, in_full=True
    ).record(analysis)
    assert "  arrêt  " in Writer(Catalogue("fr"), BEARING, in_full=False).record(analysis)


def test_a_sensor_at_fault_on_a_machine_at_rest_is_told_beside() -> None:
    channel = look(recording(np.zeros(25_600), rpm=0.0))
    assert channel.judgement.state == State.STOPPED
    assert [doubt.reason for doubt in channel.doubts] == ["stuck"]


@pytest.mark.parametrize("range_hz", [None, (24.25, 25.0)])
def test_without_a_speed_a_zone_holds_only_if_the_machine_was_running(
    range_hz: tuple[float, float] | None,
) -> None:
    """What shakes at all is judged: an alert must not vanish because nobody told the speed."""
    analysis = Analyzer(None, LIMITS, range_hz).analyze(recording(10 * quiet(), rpm=None))
    (channel,) = analysis.channels
    assert (channel.judgement.zone, channel.doubts) == ("A", (RUNNING_UNKNOWN,))
    told = Writer(Catalogue("en"), None, in_full=True).record(analysis)
    assert "With reserve: nothing tells whether the machine was running, and a zone holds only if" in told


def test_a_speed_that_is_told_or_found_vouches_for_the_zone() -> None:
    told = look(recording(10 * quiet(), rpm=1500.0))
    assert (told.judgement.zone, told.doubts) == ("A", ())
    found = Analyzer(None, LIMITS, (24.25, 25.0)).analyze(recording(turning(24.68), rpm=None))
    assert RUNNING_UNKNOWN not in found.channels[0].doubts


def test_where_nothing_is_judged_nothing_is_said_of_running() -> None:
    assert look(recording(10 * quiet(), rpm=None), limits=False).doubts == ()
    assert look(recording(np.zeros(25_600), rpm=None)).doubts == ()


@pytest.mark.parametrize("rpm", [None, 1500.0])
def test_a_record_in_which_nothing_shakes_is_of_a_machine_at_rest(rpm: float | None) -> None:
    """Whatever speed its nameplate says: no machine above 600 r/min is as quiet as its sensor."""
    analysis = Analyzer(BEARING, LIMITS).analyze(recording(quiet(), rpm=rpm))
    assert (analysis.judgement.state, analysis.judgement.zone) == (State.STOPPED, None)
    assert (analysis.doubts, analysis.refusals, analysis.diagnosis) == ((SEEMS_STOPPED,), (), ())


@pytest.mark.parametrize(
    "record",
    [
        recording(quiet(), rpm=30.0),  # a kiln
        recording(quiet() + 0.01 * turning(25.0), rpm=1500.0),  # lines at its speed
        recording(quiet(), unit="unknown"),  # nobody knows how much that is
    ],
    ids=["slow", "shows its shaft", "no unit"],
)
def test_a_quiet_machine_that_may_turn_is_not_at_rest(record: Recording) -> None:
    assert Analyzer(BEARING, LIMITS).analyze(record).judgement.state != State.STOPPED


@pytest.mark.parametrize("unit", ["g", "m/s²"])
@pytest.mark.parametrize("whole", [np.int16, np.float32])
def test_counts_that_are_taken_for_the_unit_get_no_zone(unit: str, whole: type) -> None:
    counts = np.rint(np.random.default_rng(5).normal(0, 4000, round(4 * FS_HZ))).astype(whole)
    record = replace(recording(tone(1.0), unit=unit), samples=counts[None, :])
    channel = look(record)
    assert (channel.judgement.state, channel.judgement.reason) == (State.UNKNOWN, "raw_counts")
    scaled = look(replace(record, scale=(1e-5,)))
    assert scaled.judgement.zone is not None


def test_a_slow_machine_is_told_the_velocity_that_was_judged() -> None:
    record = recording(tone(3.0, frequency_hz=5.0, seconds=4.0), rpm=300.0)
    analysis = Analyzer(None, LIMITS).analyze(record)
    assert analysis.channels[0].judgement.zone == "C"
    assert "vitesse vibratoire 3,00\u00a0mm/s eff.\u00a0: alerte (zone C" in Writer(
        Catalogue("fr"), None, in_full=True
    ).record(analysis)


def test_what_is_not_given_is_refused_not_guessed() -> None:
    channel = look(recording(tone(3.0), rpm=None), limits=False)
    assert channel.refusals == (LIMITS_NOT_GIVEN, BEARING_UNKNOWN, SPEED_UNKNOWN)
    assert (channel.judgement.zone, channel.lines, channel.leading) == (None, (), None)


def test_a_speed_is_estimated_within_its_range_and_says_so() -> None:
    record = recording(turning(24.68), rpm=None)
    analysis = Analyzer(BEARING, LIMITS, speed_range_hz=(24.25, 25.0)).analyze(record)
    assert analysis.speed_source == "estimated"
    assert analysis.rpm == pytest.approx(24.68 * 60, abs=1)
    assert analysis.rpm_sigma is not None
    assert 0 < analysis.rpm_sigma < 2
    (channel,) = analysis.channels
    assert [line.defect for line in channel.lines] == ["bpfo", "bpfi", "bsf", "ftf"]
    assert channel.features["order_1x_mm_s"] is not None
    text = Writer(Catalogue("fr"), BEARING, in_full=True).record(analysis)
    assert "vitesse estimée 1\u202f481 ± 1\u00a0tr/min" in text
    rows = Writer(Catalogue("fr"), BEARING, in_full=False)
    assert "≈1\u202f481" in rows.record(analysis)
    assert "≈\u00a0: vitesse estimée" in rows.end(4, 0, Counter())


def test_a_speed_that_is_given_is_not_estimated() -> None:
    analysis = Analyzer(speed_range_hz=(24.25, 25.0)).analyze(recording(turning(24.68), rpm=1500.0))
    assert (analysis.rpm, analysis.rpm_sigma, analysis.speed_source) == (1500.0, None, "given")


@pytest.mark.parametrize(
    ("samples", "range_hz", "reason"),
    [
        (turning(24.68), None, "speed_unknown"),
        (turning(24.68, harmonics=0), (24.25, 25.0), "speed_not_found"),
        (turning(24.68, seconds=0.5), (24.25, 25.0), "block_too_short"),
        (np.stack((turning(24.68), turning(20.1))), (19.0, 25.0), "speed_ambiguous"),
    ],
)
def test_a_speed_that_is_not_found_stays_unknown(
    samples: npt.NDArray[np.float64], range_hz: tuple[float, float] | None, reason: str
) -> None:
    """Two channels that show different speeds are not of one shaft."""
    samples = np.atleast_2d(samples)
    record = replace(
        recording(samples, rpm=None), scale=(1.0,) * len(samples), channels=("1", "2")[: len(samples)]
    )
    analysis = Analyzer(BEARING, LIMITS, speed_range_hz=range_hz).analyze(record)
    assert (analysis.rpm, analysis.rpm_sigma, analysis.speed_source) == (None, None, "unknown")
    for channel in analysis.channels:
        assert reason in {refusal.reason for refusal in channel.refusals}
        assert channel.lines == ()
        if range_hz is not None:
            remedy = next(refusal.remedy for refusal in channel.refusals if refusal.reason == reason)
            assert "--rpm-range" not in FRENCH.text(f"remedy.{remedy}")  # it was given, and did not do


@pytest.mark.parametrize("dead_first", [False, True])
def test_why_a_speed_is_unknown_does_not_depend_on_the_order_of_the_channels(dead_first: bool) -> None:
    noise, dead = turning(24.68, harmonics=0), np.full(round(4 * FS_HZ), np.nan)
    samples = np.stack((dead, noise) if dead_first else (noise, dead))
    record = replace(recording(samples, rpm=None), scale=(1.0, 1.0), channels=("1", "2"))
    assert speed_of(record, (24.25, 25.0)).refusal == REFUSALS[Outcome.NO_COMB]


def test_a_defect_that_the_block_is_too_short_for_keeps_its_row() -> None:
    """25 turns of the shaft are 10 of the cage: here are 22, enough for everything else."""
    analysis = Analyzer(BEARING, LIMITS).analyze(recording(turning(25.0, seconds=0.88)))
    (channel,) = analysis.channels
    assert [line.defect for line in channel.lines] == ["bpfo", "bpfi", "bsf"]
    assert [(gap.defect, gap.reason) for gap in channel.unsearched] == [("ftf", "block_too_short")]
    for lang, words in (("fr", "bloc trop court"), ("en", "block too short"), ("ar", "الكتلة قصيرة جداً")):
        told = Writer(Catalogue(lang), BEARING, in_full=True).record(analysis)
        (row,) = (line for line in told.splitlines() if Catalogue(lang).text("defect.ftf") in line)
        assert words in row


def test_a_defect_whose_harmonics_are_out_of_the_band_keeps_its_row() -> None:
    slow = replace(recording(turning(300.0)), rpm=18_000.0, fs_hz=FS_HZ / 2)
    (channel,) = Analyzer(BEARING, LIMITS).analyze(slow).channels
    assert channel.lines
    assert {gap.reason for gap in channel.unsearched} == {"band_too_narrow"}


def test_a_block_of_few_turns_shows_no_lines_and_says_so() -> None:
    channel = look(recording(tone(3.0, seconds=0.3)), bearing=True)
    assert (channel.lines, channel.unsearched) == ((), ())
    assert LINES_NOT_SEARCHABLE in channel.refusals


def test_shocks_of_the_inner_ring_show_the_lines_of_the_inner_ring() -> None:
    rng = np.random.default_rng(7)
    shaft_hz, ring = 25.0, BEARING.bpfi
    x = rng.normal(0, 0.3, round(4 * FS_HZ))
    hits = (np.arange(1, int(3.9 * ring * shaft_hz)) / (ring * shaft_hz) * FS_HZ).astype(int)
    t = np.arange(200) / FS_HZ
    for hit in hits:  # ringing at 3 kHz, 3 % damping
        x[hit : hit + 200] += 4 * np.exp(-0.03 * 2 * np.pi * 3000 * t) * np.sin(2 * np.pi * 3000 * t)
    channel = look(recording(x), bearing=True)
    assert channel.leading is not None
    assert (channel.leading.defect, channel.leading.harmonics) == ("bpfi", 5)
    assert channel.leading.frequency_hz == pytest.approx(ring * shaft_hz)


def test_an_analysis_does_not_depend_on_the_records_before_it() -> None:
    analyzer = Analyzer(BEARING, LIMITS)
    first = analyzer.analyze(recording(tone(3.0)))
    analyzer.analyze(recording(tone(9.0, seconds=1.0)))
    assert analyzer.analyze(recording(tone(3.0))) == first
