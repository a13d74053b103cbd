"""What `palier analyze` tells of one record: faults of the shaft, bad inputs, channels, a nameplate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from palier.advice_text import MOST_WORDS, count_words
from palier.cli import main
from palier.limits import load_bearings
from palier.locale import LANGUAGES, Catalogue
from palier.record_diagnosis import direction_of
from tests.support.damaged_bearings import FS_HZ, N_SAMPLES, SPEED_HZ, in_noise, ringing, shocks
from tests.support.npz import write_npz
from tests.support.recordings import data_folder

RPM = f"{60 * SPEED_HZ}"
KNOWN = ("--fs", str(FS_HZ), "--rpm", RPM, "--unit", "m/s²")
JUDGED = (*KNOWN, "--limits", "iso20816-3:g2:rigid")

Floats = npt.NDArray[np.float32]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(("analyze", *arguments))
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


def as_object(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = run(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out, parse_constant=pytest.fail))  # no NaN in JSON


def shaking(*mm_s: float, seed: int = 1) -> Floats:
    """(1, N_SAMPLES) of acceleration in m/s²: RMS velocities at 1x, 2x, ... in noise."""
    t = np.arange(N_SAMPLES) / FS_HZ
    x = np.random.default_rng(seed).normal(0, 0.2, N_SAMPLES)
    for k, velocity in enumerate(mm_s, start=1):
        hz = 2 * np.pi * k * SPEED_HZ
        x += velocity / 1e3 * np.sqrt(2) * hz * np.sin(hz * t + k)
    return x[None, :].astype(np.float32)


def saved(folder: Path, samples: Floats) -> str:
    np.save(folder / "fan.npy", samples)
    return str(folder / "fan.npy")


def test_a_shaft_that_shakes_at_its_speed_is_named_with_what_one_axis_can_not_separate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record = as_object(capsys, saved(tmp_path, shaking(4.0, 0.3)), *JUDGED)
    (found,) = record["diagnosis"]
    assert (record["state"], record["zone"]) == ("alert", "C")
    assert (found["fault"], found["severity"]) == ("unbalance", 3)
    assert {"velocity_zone", "share_1x", "one_over_two"} <= {item["key"] for item in found["evidence"]}
    assert {"misalignment", "bent_shaft", "resonance"} <= set(found["not_separated"])
    assert found["separate_by"][0] == "axial_reading"
    assert record["refusal"] is None
    assert [refusal["reason"] for refusal in record["not_judged"]] == ["bearing_unknown"]


def test_a_strong_second_order_is_misalignment(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    record = as_object(capsys, saved(tmp_path, shaking(2.0, 3.0)), *JUDGED)
    assert record["diagnosis"][0]["fault"] == "misalignment"


@pytest.mark.parametrize("without", ["--limits", "--unit"])
def test_without_unit_or_limits_no_fault_of_the_shaft_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, without: str
) -> None:
    at = JUDGED.index(without)
    record = as_object(capsys, saved(tmp_path, shaking(4.0, 0.3)), *JUDGED[:at], *JUDGED[at + 2 :])
    assert record["diagnosis"] == []
    assert record["zone"] is None


def test_an_anomaly_that_no_rule_explains_is_told_as_such(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    t = np.arange(N_SAMPLES) / FS_HZ
    hum = (4.0 * np.sin(2 * np.pi * 131.7 * t)).astype(np.float32)
    path = saved(tmp_path, hum[None, :])
    (found,) = as_object(capsys, path, *JUDGED)["diagnosis"]
    assert found["fault"] == "unidentified"
    _, out, _ = run(capsys, path, *JUDGED)
    assert "diagnostic\u00a0: anomalie non identifiée, gravité 3 sur 5" in out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_advice_is_short_and_follows_its_diagnosis(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str
) -> None:
    words = Catalogue(lang)
    _, out, _ = run(capsys, saved(tmp_path, shaking(4.0, 0.3)), *JUDGED, "--lang", lang)
    start = words.text("cli.advice", advice="")
    (advice,) = (line.strip() for line in out.splitlines() if line.strip().startswith(start))
    assert words.text("task.unbalance") in advice
    assert count_words(advice.removeprefix(start)) <= MOST_WORDS


def test_what_was_not_given_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = run(capsys, saved(tmp_path, shaking(4.0, 0.3)), "--fs", str(FS_HZ))
    (line,) = (line for line in out.splitlines() if "Remède" in line)
    assert line.lstrip().startswith("Non jugé\u00a0: l'unité du signal n'est pas connue. Remède\u00a0: ")
    assert line.endswith(
        "Il manque aussi\u00a0: vitesse de rotation (--rpm ou --rpm-range), roulement (--bearing), "
        "limites (--limits)."
    )


def test_directions_come_from_the_names_of_the_channels(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    h, v, a = shaking(4.0, 0.3), shaking(3.5, 0.3, seed=2), shaking(0.5, 0.1, seed=3)
    write_npz(tmp_path / "fan.npz", {"fan|H": h[0], "fan|V": v[0], "fan|A": a[0]})
    record = as_object(capsys, str(tmp_path / "fan.npz"), *JUDGED)
    (found,) = record["diagnosis"]
    assert found["fault"] == "unbalance"
    assert not {"misalignment", "bent_shaft"} & set(found["not_separated"])
    assert "equal_directions" in {item["key"] for item in found["evidence"]}
    assert (record["channel"], record["features"]) == ("H", record["channels"][0]["features"])


@pytest.mark.parametrize(
    ("name", "direction"),
    [("H", "H"), ("1v", "V"), ("P2_A", "A"), ("Axial", "A"), ("horizontale", "H"), ("vertical", "V")],
)
def test_a_channel_that_names_its_direction(name: str, direction: str) -> None:
    assert direction_of(name) == direction


@pytest.mark.parametrize("name", ["1", "DE", "BA", "a1", "ch3", "x", "CHAV", ""])
def test_a_channel_that_names_none(name: str) -> None:
    assert direction_of(name) == ""


def test_a_bad_channel_does_not_silence_a_good_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    holed = shaking(4.0, 0.3)
    holed[0, 500:900] = np.nan
    write_npz(tmp_path / "fan.npz", {"fan|H": shaking(4.0, 0.3)[0], "fan|V": holed[0]})
    path = str(tmp_path / "fan.npz")
    record = as_object(capsys, path, *JUDGED)
    assert record["quality"] == {"verdict": "refused", "reasons": ["not_finite"]}
    assert (record["state"], record["channel"]) == ("alert", "H")
    assert record["diagnosis"][0]["fault"] == "unbalance"
    _, out, _ = run(capsys, path, *JUDGED)
    assert "vérifier le capteur, son câble et sa fixation. (voie V)" in out


@pytest.mark.parametrize(
    ("samples", "arguments", "reason"),
    [
        (shaking(4.0)[:, ::20], ("--fs", "1280", *JUDGED[2:]), "band_too_narrow"),
        (np.where(np.arange(N_SAMPLES) % 1000 < 9, np.nan, shaking(4.0)), JUDGED, "not_finite"),
        (shaking(4.0)[:, :1000], JUDGED, "block_too_short"),
        (np.clip(shaking(4.0), -0.5, 0.5), JUDGED, "clipped"),
    ],
)
def test_what_can_not_be_judged_is_unknown_with_its_remedy(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    samples: Floats,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    path = saved(tmp_path, samples.astype(np.float32))
    record = as_object(capsys, path, *arguments)
    assert (record["state"], record["zone"], record["diagnosis"]) == ("unknown", None, [])
    (told,) = (refusal for refusal in record["not_judged"] if refusal["reason"] == reason)
    assert Catalogue("fr").text(f"remedy.{told['remedy']}") in run(capsys, path, *arguments)[1]


def test_text_in_a_table_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "fan.csv").write_text("t,a\n0,1.0\n0.001,défaut\n0.002,2.0\n")
    code, out, err = run(capsys, str(tmp_path / "fan.csv"), *KNOWN)
    assert (code, out) == (2, "")
    assert "fan.csv: " in err
    assert "défaut" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("tolerance", ["0", "-1", "11", "nan"])
def test_a_tolerance_that_is_none_is_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tolerance: str
) -> None:
    code, _, err = run(capsys, saved(tmp_path, shaking(1.0)), *KNOWN, "--rpm-tolerance", tolerance)
    assert code == 2
    assert "--rpm-tolerance must be above 0 and at most 10 percent" in err


def test_a_nameplates_speed_is_looked_for_so_near_to_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Shocks of the shaft itself: at a speed that is 1 % off they look like a 6203's, whose orders are 3.05,
    4.95 and 1.99."""
    rng = np.random.default_rng(1)
    shaft = in_noise(ringing(shocks(1.0, rng, jitter=0.0), 4.0), rng) + 3 * shaking(0.5, 0.3, 0.2, 0.1)
    path, bearing = saved(tmp_path, shaft), load_bearings()["6203"]
    assert abs(bearing.bpfi - 5) < 0.1
    wrong = (*KNOWN[:2], "--rpm", f"{60 * SPEED_HZ * 1.01}", "--bearing", "6203")
    misled = as_object(capsys, path, *wrong)
    if misled["diagnosis"]:  # then at least it says what that stands on
        assert "beside_shaft" in {doubt["reason"] for doubt in misled["doubts"]}
    record = as_object(capsys, path, *wrong, "--rpm-tolerance", "3")
    assert record["diagnosis"] == []
    assert record["speed_source"] == "estimated"
    assert record["speed_hz"] == pytest.approx(SPEED_HZ, rel=1e-3)
    assert 0 < record["speed_sigma_hz"] < 0.02
    told = run(capsys, path, *wrong, "--rpm-tolerance", "3")[1]
    assert "vitesse estimée 1\u202f482 ± 1\u00a0tr/min" in told


def test_a_nameplates_speed_that_does_not_show_keeps_its_tolerance(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = (saved(tmp_path, in_noise(np.zeros(N_SAMPLES), np.random.default_rng(1))), *KNOWN)
    record = as_object(capsys, *arguments, "--rpm-tolerance", "2")
    assert (record["speed_source"], record["rpm"]) == ("given", float(RPM))
    assert record["speed_sigma_hz"] == pytest.approx(0.01 * SPEED_HZ)
    assert "vitesse donnée 1\u202f482 ± 30\u00a0tr/min" in run(capsys, *arguments, "--rpm-tolerance", "2")[1]


def test_the_snapshot_of_a_machine_after_its_end_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    npz = data_folder("ims_raw", "ims_raw.npz")
    arguments = (str(npz), "--fs", "20480", "--rpm", "2000", "--unit", "g", "--limits", "iso20816-3:g2:rigid")
    code, out, _ = run(capsys, *arguments, "--json", "-q")
    assert code == 0
    state = {found["record"]: found["state"] for found in map(json.loads, out.splitlines())}
    assert state.pop("2004.04.18.02.42.55") == "stopped"
    assert set(state.values()) == {"normal"}
