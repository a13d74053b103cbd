"""`palier analyze` names what is damaged, says why it can't, and keeps what it said before."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palier.cli import main
from palier.locale import LANGUAGES, Catalogue
from tests.support.damaged_bearings import FS_HZ, ORDERS, SPEED_HZ, damaged
from tests.support.npz import write_npz
from tests.support.recordings import data_folder

ASKED = ("--fs", str(FS_HZ), "--bearing-orders", ",".join(map(str, ORDERS)))
TURNING = ("--rpm", str(60 * SPEED_HZ))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


@pytest.fixture
def outer(tmp_path: Path) -> str:
    """A record of a damaged outer ring."""
    np.save(tmp_path / "pump.npy", damaged("outer", 3.0, np.random.default_rng(1))[0])
    return str(tmp_path / "pump.npy")


def as_object(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = run(capsys, "analyze", *arguments, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def test_json_carries_the_diagnosis_and_what_it_stands_on(
    capsys: pytest.CaptureFixture[str], outer: str
) -> None:
    limits = ("--unit", "m/s²", "--limits", "iso20816-3:g2:rigid")
    record = as_object(capsys, outer, *ASKED, *TURNING, *limits)
    (found,) = record["diagnosis"]
    assert (found["fault"], found["severity"], record["refusal"]) == ("outer_ring", 3, None)
    assert found["confidence"] > 0.8
    assert {"key", "weight", "met", "params"} <= found["evidence"][0].keys()
    assert (record["state"], record["zone"]) == ("normal", "A")
    assert record["speed_hz"] == pytest.approx(SPEED_HZ)
    assert record["speed_sigma_hz"] is None
    assert record["quality"] == {"verdict": "ok", "reasons": []}
    (channel,) = record["channels"]
    assert channel["bearing"]["scores"]["outer_ring"] == pytest.approx(found["confidence"], abs=0.02)
    assert (record["channel"], record["features"]) == ("1", channel["features"])
    assert found["advice"] == {
        "action": "plan",
        "deadline_h": 672,
        "task": "bearing",
        "confirm": ["portable_envelope"],
    }
    assert (channel["leading"]["defect"], record["leading"]) == ("bpfo", "bpfo")
    assert channel["features"]["velocity_rms_mm_s"] is not None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*ASKED,), "speed_unknown"),
        (("--fs", str(FS_HZ), *TURNING), "bearing_unknown"),
        ((*ASKED, "--rpm-range", "1450-1454"), "speed_not_found"),
        ((*ASKED, *TURNING, "--rpm-tolerance", "8"), "speed_uncertain"),
        ((*ASKED[:2], *TURNING, "--bearing-orders", "8.148,10.852,3.467,0.4288"), "bearing_doubtful"),
        ((*ASKED, "--rpm", "200"), "lines_not_searchable"),
        ((*ASKED[2:], *TURNING, "--fs", "1000"), "envelope_too_narrow"),
    ],
)
def test_what_forbids_a_diagnosis_is_told_with_its_remedy(
    capsys: pytest.CaptureFixture[str], outer: str, arguments: tuple[str, ...], reason: str
) -> None:
    arguments = (*arguments, "--unit", "m/s²", "--limits", "iso20816-3:g2:rigid")
    record = as_object(capsys, outer, *arguments)
    assert record["diagnosis"] == []
    assert record["refusal"]["reason"] == reason
    assert record["refusal"] in record["not_judged"]
    assert reason in {refusal["reason"] for refusal in record["channels"][0]["refusals"]}
    code, out, _ = run(capsys, "analyze", outer, *arguments)
    assert code == 0
    assert out.count("Remède") == len(record["not_judged"]) + len(record["doubts"])
    assert Catalogue("fr").text(f"remedy.{record['refusal']['remedy']}") in out


def test_of_a_machine_at_rest_nothing_is_asked(capsys: pytest.CaptureFixture[str], outer: str) -> None:
    record = as_object(capsys, outer, *ASKED, "--rpm", "0")
    assert (record["diagnosis"], record["refusal"], record["bearing"]) == ([], None, None)
    assert record["state"] == "stopped"


def test_a_sensor_at_fault_names_no_bearing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "dead.npy", np.zeros(102_400, dtype=np.float32))
    record = as_object(capsys, str(tmp_path / "dead.npy"), *ASKED, *TURNING)
    assert (record["diagnosis"], record["refusal"]["reason"]) == ([], "stuck")
    assert record["quality"] == {"verdict": "refused", "reasons": ["stuck"]}


def test_the_text_says_what_was_found_and_on_what_evidence(
    capsys: pytest.CaptureFixture[str], outer: str
) -> None:
    code, out, _ = run(capsys, "analyze", outer, *ASKED, *TURNING)
    assert code == 0
    assert "diagnostic\u00a0: bague externe du roulement, confiance 9" in out
    assert "+ raies de défaut, bague externe\u00a0: 5 harmoniques sur 5" in out
    assert "au-dessus du seuil, à 88,5\u00a0Hz" in out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_weak_lines_are_told_as_open(capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str) -> None:
    np.save(tmp_path / "weak.npy", damaged("outer", 1.2, np.random.default_rng(3))[0])
    arguments = (str(tmp_path / "weak.npy"), *ASKED, *TURNING)
    (channel,) = as_object(capsys, *arguments)["channels"]
    assert channel["bearing"]["fault"] is None
    sure = f"{100 * channel['bearing']['confidence']:.0f}"
    words = Catalogue(lang)
    said = words.text("cli.diagnosis_open", fault=words.text("fault.outer_ring"), confidence=sure)
    assert said in run(capsys, "analyze", *arguments, "--lang", lang)[1]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_many_records_end_with_what_was_named_of_each_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str
) -> None:
    rng = np.random.default_rng(4)
    parts = ("outer", "inner", "outer", "inner")
    blocks = {f"r{i}": damaged(part, 4.0, rng)[0] for i, part in enumerate(parts)}
    write_npz(tmp_path / "r.npz", blocks)
    rows = "".join(f"r{i},{FS_HZ},{60 * SPEED_HZ},{part}\n" for i, part in enumerate(parts))
    (tmp_path / "r.csv").write_text("file,fs,rpm,fault\n" + rows)
    arguments = ("--index", str(tmp_path / "r.csv"), "--bearing-orders", ASKED[-1], "--lang", lang)
    _, out, _ = run(capsys, "analyze", str(tmp_path / "r.npz"), *arguments)
    words = Catalogue(lang)
    table = out.split(words.text("cli.confusion", label="fault"))[1].splitlines()
    assert [row.split()[-2:] for row in table[-2:]] == [["0", "2"], ["2", "0"]]
    assert out.count(words.text("fault.outer_ring") + " 9") == 2


@pytest.mark.long
def test_the_rigs_damage_is_named_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    npz, index = data_folder("hitsm", "mfs.npz"), data_folder("hitsm", "index_mfs.csv")
    code, out, err = run(
        capsys, "analyze", str(npz), "--index", str(index), "--bearing", "6205", "--json", "-q"
    )
    assert (code, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    leading = Counter((r["labels"]["fault"], r["leading"]) for r in found if r["labels"]["fault"] != "N")
    assert leading == {("IR", "bpfi"): 9, ("OR", "bpfo"): 9}
    named = Counter((r["labels"]["fault"], *(d["fault"] for d in r["diagnosis"])) for r in found)
    assert named == {("IR", "inner_ring"): 9, ("OR", "outer_ring"): 9, ("N",): 3}
