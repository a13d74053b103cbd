"""The commands that need no room: analyze, plant, ledger, doctor."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from palier.cli import main
from palier.commands.plant import plant
from palier.historian.folder import DataFolder
from palier.historian.records import LedgerReceipt, Records, RecordsBatch
from palier.locale import LANGUAGES, Catalogue
from palier.plant import load_plant, point_limits, sample_plant_path
from palier.wire.messages import LedgerReport
from tests.support.npz import write_npz
from tests.support.stores import frame_id


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """3 mm/s RMS at 100 Hz, in m/s²."""
    t = np.arange(25600) / 12800
    x = 3e-3 * np.sqrt(2) * 2 * np.pi * 100 * np.sin(2 * np.pi * 100 * t)
    path = tmp_path / "tone.npy"
    np.save(path, x.astype(np.float32))
    return path


JUDGED = (
    "--fs",
    "12800",
    "--rpm",
    "1500",
    "--unit",
    "m/s²",
    "--limits",
    "iso20816-3:g2:rigid",
    "--bearing",
    "6205",
)


def test_analyze_tells_one_record_in_full(capsys: pytest.CaptureFixture[str], tone: Path) -> None:
    code, out, _ = run(capsys, "analyze", str(tone), *JUDGED)
    assert code == 0
    assert "vitesse vibratoire 3,00\u00a0mm/s eff.\u00a0: alerte (zone C, iso20816-3:g2:rigid)" in out
    assert "bague externe" in out


def test_analyze_prints_an_object_a_record(capsys: pytest.CaptureFixture[str], tone: Path) -> None:
    code, out, _ = run(capsys, "analyze", str(tone), *JUDGED, "--json")
    assert code == 0
    record = json.loads(out)
    (channel,) = record["channels"]
    assert (record["record"], channel["judgement"]["zone"], channel["judgement"]["state"]) == (
        "tone",
        "C",
        "alert",
    )
    assert channel["features"]["velocity_rms_mm_s"] == pytest.approx(3, rel=1e-3)
    assert {line["defect"] for line in channel["lines"]} == {"bpfo", "bpfi", "bsf", "ftf"}


def test_analyze_without_a_unit_refuses_with_a_remedy(capsys: pytest.CaptureFixture[str], tone: Path) -> None:
    code, out, _ = run(capsys, "analyze", str(tone), "--fs", "12800", "--lang", "en")
    assert code == 0
    remedy = "Remedy: state the unit: unit in plant.toml, or --unit g"
    assert f"Not judged: the unit of the signal is not known. {remedy}" in out
    assert "zone" not in out


def test_analyze_of_a_machine_at_rest_gives_no_zone(capsys: pytest.CaptureFixture[str], tone: Path) -> None:
    arguments = ("--fs", "12800", "--unit", "g", "--limits", "iso20816-3:g2:rigid", "--bearing", "6205")
    code, out, _ = run(capsys, "analyze", str(tone), *arguments, "--rpm", "0", "--fail-on", "alert")
    assert code == 0
    assert "mm/s eff.\u00a0: machine à l'arrêt, pas de zone" in out
    assert "zone A" not in out
    assert "Remède" not in out


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_only_french_has_a_blank_before_a_colon(
    capsys: pytest.CaptureFixture[str], tone: Path, lang: str
) -> None:
    code, out, _ = run(capsys, "analyze", str(tone), *JUDGED, "--lang", lang)
    assert code == 0
    assert "iso20816-3:g2:rigid)" in out
    assert " :" not in out


@pytest.mark.parametrize(("fail_on", "code"), [("alert", 1), ("danger", 0)])
def test_a_fault_found_is_no_failure_unless_asked(
    capsys: pytest.CaptureFixture[str], tone: Path, fail_on: str, code: int
) -> None:
    assert run(capsys, "analyze", str(tone), *JUDGED, "--fail-on", fail_on)[0] == code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "sample rate of tone is not known: give --fs"),
        (
            ("--fs", "12800", "--bearing", "6206"),
            "unknown bearing '6206': the catalogue does not have it; a near number is another geometry: give "
            "its own orders by --bearing-orders",
        ),
        (("--fs", "12800", "--bearing", "6205-2RS"), 'does not have it (it has "6205", right only where'),
        (("--fs", "12800", "--bearing-orders", "1,2,3"), "--bearing-orders must be four numbers"),
        (("--fs", "12800", "--bearing-orders", "5.4,3.6,2.4,0.4"), "bpfo must be above 0 and below bpfi"),
        (("--fs", "12800", "--limits", "iso"), "unknown limits 'iso'"),
        (("--fs", "12800", "--unit", "V"), "the unit must be one of"),
        (("--fs", "12800", "--rpm-range", "1500"), "--rpm-range must be the lowest and the highest speed"),
        (
            ("--fs", "12800", "--rpm-range", "1500-1400"),
            "--rpm-range must be the lowest and the highest speed",
        ),
        (("--fs", "12800", "--rpm", "9", "--rpm-range", "8-10"), "must not both be given"),
        (("--fs", "12800", "--lang", "de"), "the language must be one of"),
    ],
)
def test_analyze_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], tone: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = run(capsys, "analyze", str(tone), *arguments)
    assert code == 2
    assert told in err


def test_a_record_of_three_samples_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3, dtype=np.float32))
    code, _, err = run(capsys, "analyze", str(tmp_path / "x.npy"), "--fs", "100")
    assert code == 2
    assert "x can't be analysed: " in err


@pytest.mark.parametrize("lang", LANGUAGES)
def test_many_records_are_a_table_with_counts_by_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str
) -> None:
    rng = np.random.default_rng(1)
    write_npz(tmp_path / "r.npz", {f"r{i}": rng.normal(size=12800).astype(np.float32) for i in range(5)})
    (tmp_path / "r.csv").write_text(
        "file,fs,rpm,fault\n" + "".join(f"r{i},12800,1500,{'N' if i % 2 else 'IR'}\n" for i in range(6))
    )
    arguments = ("--index", str(tmp_path / "r.csv"), "--bearing", "6205", "--lang", lang)
    code, out, err = run(capsys, "analyze", str(tmp_path / "r.npz"), *arguments)
    assert code == 0
    assert [f"r{i} " in out for i in range(5)] == [True] * 5
    counted = {line.split()[0]: sum(map(int, line.split()[1:])) for line in out.splitlines()[-2:]}
    assert counted == {"IR": 3, "N": 2}
    assert f"r5 ({Catalogue(lang).text('skipped.no_array', file='r.npz')})" in err


def test_plant_check_accepts_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "plant", "check", str(sample_plant_path()), "--json")
    assert code == 0
    assert json.loads(out) | {"file": ""} == {
        "file": "",
        "ok": True,
        "mistakes": [],
        "machines": 5,
        "points": 10,
        "channels": 26,
    }


def test_plant_check_tells_every_mistake_and_exits_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plant.toml"
    text = sample_plant_path().read_text("utf-8")
    path.write_text(text.replace('kind = "pump"', 'kind = "pomp"').replace("C-201", "C 201"), "utf-8")
    lines = {
        i + 1
        for i, line in enumerate(path.read_text("utf-8").splitlines())
        if '"pomp"' in line or '"C 201"' in line
    }
    code, out, err = run(capsys, "plant", "check", str(path))
    assert (code, out) == (2, "")
    assert {int(line.split(":")[1]) for line in err.splitlines()[:-1]} == lines
    code, out, _ = run(capsys, "plant", "check", str(path), "--json")
    assert code == 2
    assert {m["line"] for m in json.loads(out)["mistakes"]} == lines


SITE = ("khouribga", "", "")
MACHINE = ("P-101", 'Pompe à "pulpe"', "Broyage", "pump", "A", "250,5", "fixed", "890", "none")
POINT = ("", "palier CA", "22220", "", "", "", "", "", "o")


@pytest.fixture
def guided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "plant.toml"


def answer(*answers: str, lang: str = "fr") -> str:
    """What a person sees who gives these answers."""
    done = CliRunner().invoke(plant, ["new", "plant.toml", "--lang", lang], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    return done.output


def test_plant_new_writes_what_check_accepts(guided: Path) -> None:
    answer(*SITE, *MACHINE, "1", *POINT)
    (machine,) = load_plant(guided).machines
    assert (machine.id, machine.name, machine.line) == ("P-101", 'Pompe à "pulpe"', "Broyage")
    assert (machine.power_kw, machine.speed_rpm) == (250.5, 890)
    (point,) = machine.points
    assert point.bearing is not None
    assert (point.bearing.designation, [c.id for c in point.channels]) == ("22220", ["H", "T"])


def test_plant_new_asks_again_until_the_answer_fits(guided: Path) -> None:
    seen = answer(
        "a b",
        *SITE,
        "P 101",
        "P-101",
        "",
        "",
        "pomp",
        "",
        "",
        "-1",
        "x",
        "7",
        "",
        "0",
        "890",
        "",
        "1",
        *POINT,
    )
    assert seen.count("Cette valeur ne convient pas") == 6
    assert load_plant(guided).machines[0].id == "P-101"


def test_plant_new_adds_to_a_plant_and_leaves_the_rest_alone(guided: Path) -> None:
    before = sample_plant_path().read_text("utf-8")
    guided.write_text(before, "utf-8")
    seen = answer("P-101", "P-102", *MACHINE[1:], "1", *POINT)
    assert "ce repère est déjà pris" in seen
    assert guided.read_text("utf-8").startswith(before.rstrip("\n"))
    assert [m.id for m in load_plant(guided).machines][-1] == "P-102"


def test_plant_new_takes_the_words_of_the_trade(guided: Path) -> None:
    machine = ("V-1", "", "", "motoreducteur", "b", "", "Inconnue", "3")
    seen = answer(*SITE, *machine, "1", "", "", "", "", "aimant", "", "", "inconnue", "n")
    assert "Type de machine (pompe, ventilateur," in seen
    (found,) = load_plant(guided).machines
    (point,) = found.points
    assert (found.kind, found.criticality, found.power_kw, found.speed_source) == (
        "gearmotor",
        "B",
        None,
        "unknown",
    )
    assert (point.mounting, point.channels[0].unit, point.limits) == ("magnet", "unknown", point_limits()[2])


def test_plant_new_shows_the_limits_once(guided: Path) -> None:
    seen = answer(*SITE, *MACHINE[:-1], "99", "iso", "", "1", *POINT)
    assert seen.count("iso20816-3:g2:rigid") == 1
    assert "ISO 20816-3, groupe 2\u00a0: de 15 à 300\u00a0kW" in seen
    assert seen.count("un numéro ou un id de la liste, ou «\u00a0aucune\u00a0», est attendu") == 2
    assert load_plant(guided).machines[0].points[0].limits is None


def test_plant_new_asks_nothing_when_it_could_not_write(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = run(capsys, "plant", "new", str(tmp_path / "nowhere" / "plant.toml"))
    assert (code, out) == (2, "")
    assert "there is no folder" in err
    assert "is a folder" in run(capsys, "plant", "new", str(tmp_path))[2]


def test_one_of_each_is_told_without_a_plural(capsys: pytest.CaptureFixture[str], guided: Path) -> None:
    answer(*SITE, *MACHINE, "1", *POINT[:-1], "n")
    _, out, _ = run(capsys, "plant", "check", str(guided))
    assert out.endswith("sans erreur (machines\u00a0: 1, points\u00a0: 1, voies\u00a0: 1)\n")


def test_plant_new_speaks_english(guided: Path) -> None:
    assert "Tag of the machine" in answer(*SITE, *MACHINE, "1", *POINT[:-1], "n", lang="en")
    assert load_plant(guided).machines


def test_plant_new_does_not_touch_a_plant_with_mistakes(
    capsys: pytest.CaptureFixture[str], guided: Path
) -> None:
    guided.write_text("[site]\n")
    code, _, err = run(capsys, "plant", "new", str(guided))
    assert code == 2
    assert "id is missing in [site]" in err
    assert guided.read_text() == "[site]\n"


def test_ledger_of_an_ingest_that_has_seen_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Records(DataFolder(tmp_path).create().records).close()
    assert run(capsys, "ledger", "--data", str(tmp_path)) == (
        0,
        "Aucune passerelle n'a encore été vue.\n",
        "",
    )


def report(data: Path, *, acquired: int, stored: int, age_s: float = 0.0) -> Path:
    """The records of an ingest that has `stored` of the `acquired` frames of a gateway that keeps none."""
    records = Records(DataFolder(data).create().records)
    receipt = LedgerReceipt(
        "usine/gw-1",
        time.time_ns() - round(age_s * 1e9),
        LedgerReport("0123456789abcdef", acquired, acquired, (), None, 0),
    )
    records.commit(RecordsBatch(stored=tuple(frame_id(i + 1) for i in range(stored)), ledgers=(receipt,)))
    records.close()
    return data


def test_a_ledger_that_adds_up(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "ledger", "--data", str(report(tmp_path, acquired=5, stored=5)))
    assert code == 0
    assert "acquis 5 = conservés 5 + quarantaine 0 + abandonnés 0 + en attente 0 · le compte est juste" in out


def test_a_ledger_that_does_not_add_up_is_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report(tmp_path, acquired=5, stored=3)
    code, out, _ = run(capsys, "ledger", "--data", str(tmp_path))
    assert (code, "manquants\u00a0: 2" in out) == (1, True)
    code, out, _ = run(capsys, "ledger", "--data", str(tmp_path), "--json")
    line = json.loads(out)
    assert (code, line["missing"], line["adds_up"]) == (1, 2, False)


def test_of_a_silent_gateway_nothing_is_claimed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "ledger", "--data", str(report(tmp_path, acquired=5, stored=3, age_s=3600)))
    assert code == 0
    assert "inconnu depuis 2" in out


def test_a_gateway_that_never_reported_has_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    records = Records(DataFolder(tmp_path).create().records)
    records.commit(RecordsBatch(stored=(frame_id(1),)))
    records.close()
    assert "jamais de compte rendu" in run(capsys, "ledger", "--data", str(tmp_path))[1]


def test_ledger_of_a_folder_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Records(DataFolder(tmp_path / "run" / "data").create().records).close()
    code, _, err = run(capsys, "ledger", "--data", str(tmp_path))
    assert code == 2
    assert f"(did you mean {tmp_path / 'run' / 'data'}?)" in err


def test_doctor_does_not_leave_an_authority_untried(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "doctor", "--tls-ca", "ca.crt")
    assert (code, "--broker HOST:PORT" in err) == (2, True)


def test_doctor_fails_when_a_check_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palier.diagnostics._ntp_synchronized", lambda: None)  # of this machine, who knows
    code, out, _ = run(capsys, "doctor", "--broker", "nowhere:x", "--data", str(tmp_path), "--json")
    checks = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [c["name"] for c in checks if c["verdict"] == "failed"] == ["broker"]
    code, out, _ = run(capsys, "doctor", "--quiet", "--broker", "nowhere:x")
    assert (code, len(out.splitlines())) == (1, 2)
