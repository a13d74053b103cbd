"""Sensors and what goes wrong with them: what the detection of bad sensors must find."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from models.detection.sensors import assess
from models.features import Extractor
from models.types import Quantity
from simulators.draws import key_of
from simulators.impairments import AMOUNTS, Impairment, ImpairmentKind, Taken, lost, sample, sampling_hz, told
from simulators.sensors import FULL_SCALE_COUNTS, Accelerometer
from tests.support.simulated import build

FS_HZ = 25600.0
N = 51200
NOW_S = 1_792_000_000.0
SENSOR = Accelerometer()


def tone(hz: float = 25.0, peak: float = 5.0) -> npt.NDArray[np.float32]:
    return np.asarray(peak * np.sin(2 * np.pi * hz * np.arange(N) / FS_HZ), dtype=np.float32)


def impairment(kind: str, **changes: object) -> Impairment:
    amount = AMOUNTS[ImpairmentKind(kind)][0]
    return Impairment(ImpairmentKind(kind), **{"amount": amount, **changes})  # type: ignore[arg-type]


def taken(wave: npt.NDArray[np.float32], *acting: Impairment) -> npt.NDArray[np.float64]:
    """What the historian gets of a wave, m/s²."""
    counts = sample(wave, acting, Taken(SENSOR, FS_HZ, NOW_S, key_of(1)))
    assert counts.dtype == np.dtype("<i2")
    return counts.astype(np.float64) * SENSOR.scale("m/s²")


def lines(wave: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Peak amplitude of each line, 0.5 Hz apart."""
    return np.abs(np.fft.rfft(wave)) * 2 / N


def test_a_sound_sensor_tells_what_it_feels_and_its_noise() -> None:
    found = taken(tone())
    assert lines(found)[50] == pytest.approx(5.0, rel=0.01)
    silent = taken(np.zeros(N, dtype=np.float32))
    assert silent.std() == pytest.approx(50e-6 * 9.80665 * math.sqrt(12800), rel=0.05)


def test_counts_are_int16_of_the_range() -> None:
    assert SENSOR.scale("g") * FULL_SCALE_COUNTS == pytest.approx(50)
    assert SENSOR.scale("m/s²") * FULL_SCALE_COUNTS == pytest.approx(490.33, abs=0.01)
    loud = np.array([[-1e6, 0.0, 1e6]], dtype=np.float32)
    counts = SENSOR.sample(loud, FS_HZ, np.random.default_rng(0))
    assert (counts[0, 0], counts[0, 2]) == (-FULL_SCALE_COUNTS, FULL_SCALE_COUNTS)


def test_a_stuck_converter_never_moves() -> None:
    assert np.ptp(taken(tone(), impairment("stuck"))) == 0.0


def test_clipping_cuts_the_tops() -> None:
    found = taken(tone(peak=10.0), impairment("clipping"))
    assert found.max() == pytest.approx(0.3 * 9.80665, rel=0.01)
    assert (found == found.max()).mean() > 0.2


def test_gaps_repeat_samples() -> None:
    found = taken(tone(), impairment("gaps"))
    assert (np.diff(found) == 0).mean() > 0.03


def test_a_loose_mount_keeps_the_speed_line_rings_and_loses_what_is_beyond() -> None:
    wave = tone() + tone(1300.0, 1.0) + tone(8000.0, 1.0)
    found = lines(taken(wave, impairment("loose_mount")))
    assert found[50] == pytest.approx(5.0, rel=0.02)
    assert found[2600] > 3.0
    assert found[16000] < 0.2


def test_a_ski_slope_rises_towards_zero_hertz() -> None:
    found = taken(tone(), impairment("ski_slope"))
    velocity = lines(found)[1:] / (2 * np.pi * np.arange(0.5, 12800.5, 0.5))
    low, high = np.sum(velocity[3:16] ** 2), np.sum(velocity[60:2000] ** 2)
    assert low > 5 * high


def test_an_offset_drifts_with_the_days() -> None:
    drifting = impairment("offset_drift", start_s=NOW_S - 3 * 86400)
    assert taken(tone(), drifting).mean() == pytest.approx(1.5, abs=0.05)


def test_pick_up_has_the_mains_and_its_odd_harmonics() -> None:
    found = lines(taken(tone(), impairment("pick_up")))
    assert found[100] / math.sqrt(2) == pytest.approx(1.5, rel=0.02)
    assert found[300] > 0.3
    assert found[200] < 0.01


def test_spikes_are_single_samples() -> None:
    found = taken(np.zeros(N, dtype=np.float32) + tone(25.0, 1.0), impairment("spikes"))
    jumps = np.abs(np.diff(found)) > 3
    assert 2 <= jumps.sum() <= 40


def test_a_noisy_sensor_has_a_raised_floor() -> None:
    silent = np.zeros(N, dtype=np.float32)
    assert taken(silent, impairment("noise")).std() > 20 * taken(silent).std()


def test_a_fast_clock_is_fast() -> None:
    assert sampling_hz([impairment("clock_drift")], "1", NOW_S, FS_HZ) == pytest.approx(FS_HZ * 1.00005)
    assert sampling_hz([impairment("noise")], "1", NOW_S, FS_HZ) == FS_HZ


def test_frames_are_lost_by_chance_and_in_power_cuts() -> None:
    often = [impairment("dropouts", amount=0.2)]
    missing = [lost(often, "1", NOW_S + k, key_of(1)) for k in range(2000)]
    assert np.mean(missing) == pytest.approx(0.2, abs=0.03)
    cut = [impairment("power_cut", start_s=NOW_S, end_s=NOW_S + 3600)]
    assert [lost(cut, "1", NOW_S + t, key_of(1)) for t in (-1, 0, 3599, 3600)] == [False, True, True, False]


def test_an_impairment_acts_at_its_place_and_in_its_time() -> None:
    one = impairment("noise", point="1", channel="H", start_s=NOW_S, end_s=NOW_S + 1)
    assert one.acts(NOW_S, "1", "H")
    assert not one.acts(NOW_S, "2", "H")
    assert not one.acts(NOW_S, "1", "V")
    assert not one.acts(NOW_S + 1, "1", "H")


def test_a_broken_temperature_sensor_tells_the_end_of_its_range() -> None:
    acting = [impairment("temperature_open")]
    assert told(50.0, Quantity.TEMPERATURE, acting) == 850.0
    assert told(1480.0, Quantity.SPEED, acting) == 1480.0
    assert told(50.0, Quantity.TEMPERATURE, []) == 50.0


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("stuck", "stuck"),
        ("clipping", "clipped"),
        ("loose_mount", "loose_mount"),
        ("ski_slope", "settling"),
        ("spikes", "spikes"),
    ],
)
def test_the_judge_of_sensors_names_what_is_wrong(kind: str, reason: str) -> None:
    machine = build("P-101")
    point = machine.spec.points[0]
    extractor = Extractor(FS_HZ, 4 * N // 2)
    felt = machine.felt(point, extractor.n_samples, FS_HZ, NOW_S)

    def columns(*acting: Impairment) -> dict[str, npt.NDArray[np.float32]]:
        counts = sample(felt.waves[0], acting, Taken(SENSOR, FS_HZ, NOW_S, key_of(1)))
        table = extractor.extract(counts[None], SENSOR.scale("m/s²"), speed_hz=felt.speed_rpm / 60)
        return dict(zip(extractor.names, table.T, strict=True))

    found = assess(
        columns(impairment(kind)),
        n_samples=extractor.n_samples,
        fs_hz=FS_HZ,
        speed_hz=felt.speed_rpm / 60,
        reference=columns(),
    )
    assert reason in {refusal.reason for refusal in found.reasons(0)}
