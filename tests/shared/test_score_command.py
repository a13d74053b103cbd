"""`palier score`: what it prints, writes and ends with."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.detection.table_monitor import TableMonitor
from palier.cli import main
from palier.commands.score import score
from palier.table_scores import CHUNK, ScoredTable, default_fit_rows, score_table
from palier.tables import read_table
from tests.support.commands import app_of
from tests.support.recordings import data_folder

RUN = CliRunner()
ROWS = 900
FIT = ("--fit-rows", "400")


@pytest.fixture
def pump(tmp_path: Path) -> Path:
    """Flow and pressure of a pump, each second from 10:00; the flow falls from row 700 to 800."""
    rng = np.random.default_rng(5)
    flow, pressure = 32 + 0.5 * rng.normal(size=ROWS), 4 + 0.1 * rng.normal(size=ROWS)
    flow[700:800] -= 3
    start = np.datetime64("2026-03-09T10:00:00")
    lines = [f"{str(start + i).replace('T', ' ')};{flow[i]:.4f};{pressure[i]:.4f}" for i in range(ROWS)]
    path = tmp_path / "pump.csv"
    path.write_text("\n".join(["datetime;flow;pressure", *lines]).replace(".", ",") + "\n", encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return RUN.invoke(app_of(score), [str(argument) for argument in arguments])


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and what stands on stderr, by the command line itself."""
    with pytest.raises(SystemExit) as ended:
        main(["score", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


def test_a_summary_says_what_was_learnt_and_what_was_found(pump: Path) -> None:
    told = run(pump, *FIT).stdout.splitlines()
    assert told[0] == "pump.csv\u00a0: 900 lignes, 2 voies, du 2026-03-09 10:00:00 au 2026-03-09 10:14:59"
    assert told[1] == "Appris sur les 400 premières lignes, tenues pour normales\u202f; 500 lignes jugées."
    assert told[2].startswith("Alertes\u00a0: 1, soit 2")
    assert "2026-03-09 10:11:4" in told[3]
    assert "flow (9" in told[3]
    assert told[4].startswith("Changements vus\u00a0: 2026-03-09 10:11:4")


@pytest.mark.parametrize(("lang", "word"), [("en", "Alerts: 1"), ("ar", "الإنذارات: 1")])
def test_it_speaks_three_languages(pump: Path, lang: str, word: str) -> None:
    assert word in run(pump, *FIT, "--lang", lang).stdout


def test_json_holds_the_verdict_of_every_row(pump: Path) -> None:
    found: dict[str, Any] = json.loads(run(pump, *FIT, "--json").stdout)
    rows = found["rows"]
    assert rows["row"] == list(range(400, ROWS))
    assert rows["datetime"][0] == "2026-03-09T10:06:40.000"
    assert rows["row"][rows["alarm"].index(True)] in range(700, 712)
    assert all(len(rows[name]) == 500 for name in ("score", "threshold", "changepoint", "share flow"))
    assert [alert["first_row"] in range(700, 712) for alert in found["alerts"]] == [True]
    assert found["refusal"] is None
    assert found["fit_rows"] == 400
    assert found["watched"] == ["flow", "pressure"]


def test_out_writes_a_row_for_each_row(pump: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    run(pump, *FIT, "--out", out, "-q")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ROWS
    assert rows[0]["score"] == ""
    assert (rows[750]["alarm"], rows[600]["alarm"]) == ("1", "0")
    assert float(rows[750]["score"]) > float(rows[750]["threshold"]) == 2.2
    assert float(rows[750]["share flow"]) > 0.9


def test_parquet_and_csv_hold_the_same(pump: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    outs = [tmp_path / f"scores.{suffix}" for suffix in ("csv", "parquet")]
    for out in outs:
        run(pump, *FIT, "--out", out)
    text, parquet = (read_table(out, columns=("score", "alarm", "share flow")) for out in outs)
    assert np.allclose(text.rows, parquet.rows, rtol=1e-5, equal_nan=True)
    assert text.times is not None
    assert parquet.times is not None
    assert np.array_equal(text.times, parquet.times)


@pytest.mark.parametrize(("fit", "rows"), [(("--fit-until", "2026-03-09 10:06:39"), 400), ((), 135)])
def test_where_learning_ends_is_a_time_or_a_share(pump: Path, fit: tuple[str, ...], rows: int) -> None:
    assert json.loads(run(pump, *fit, "--json").stdout)["fit_rows"] == rows


def test_an_alert_is_no_failure_unless_asked(pump: Path) -> None:
    assert run(pump, *FIT).exit_code == 0
    assert run(pump, *FIT, "--fail-on", "alert").exit_code == 1
    assert run(pump, "--fit-rows", "850", "--fail-on", "alert").exit_code == 0


def test_a_refusal_has_a_remedy_and_exit_code_1(pump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failed(capsys, pump, "--fit-rows", "50")
    assert code == 1
    assert said == (
        "pump.csv\u00a0: Non jugé\u00a0: les lignes d'apprentissage sont trop peu nombreuses. "
        "Remède\u00a0: apprendre sur au moins 100 lignes de marche normale.\n"
    )
    refused = run(pump, "--fit-rows", "50", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["refusal"] == {"reason": "fit_too_short", "remedy": "more_fit_rows"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--fit-rows", "900"), "--fit-rows 900 must leave rows to judge, and .* has 900 rows"),
        (("--fit-until", "2027-01-01"), "--fit-until 2027-01-01 must leave rows to judge"),
        (("--fit-until", "demain"), "--fit-until must be a time like 2026-03-09T10:20, got 'demain'"),
        ((*FIT, "--fit-until", "2026-03-09"), "must not both be given"),
        ((*FIT, "--out", "scores.xlsx"), "must end in .csv or .parquet"),
        ((*FIT, "--columns", "flux"), "has no column 'flux'"),
        ((*FIT, "--time", "flow"), "time column flow must hold times"),
        ((*FIT, "--lang", "de"), "the language must be one of"),
        ((*FIT, "--out", "no/folder/x.csv"), "--out: .* can't be written: No such file or directory"),
    ],
)
def test_wrong_usage_is_said_with_exit_code_2(
    pump: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, said = failed(capsys, pump, *arguments)
    assert code == 2
    assert re.search(sentence, said)


def spoilt(lines: list[str]) -> list[str]:
    """Text among the numbers, a hole of an hour, and a clock that goes back."""
    header, *rows = lines
    rows[500] = rows[500].partition(";")[0] + ";erreur;4,0"
    rows[600:] = [row.replace(" 10:", " 11:") for row in rows[600:]]
    rows[700:] = [row.replace(" 11:", " 10:") for row in rows[700:]]
    return [header + ";etat;zero;mort", *(f"{row};marche;0;" for row in rows)]


def test_what_limits_the_verdict_is_said_with_its_remedy(pump: Path) -> None:
    pump.write_text("\n".join(spoilt(pump.read_text("utf-8").splitlines())) + "\n", encoding="utf-8")
    told = run(pump, *FIT).stdout
    for part in (
        "constantes pendant l'apprentissage\u00a0: zero.",
        "trop de valeurs manquent pendant l'apprentissage\u00a0: mort.",
        "c'est du texte\u00a0: etat.",
        "flow\u00a0: 1 cases illisibles",
        "l'horloge recule 1 fois, d'abord à la ligne 701",
        "1 trous dans le temps, le plus long de 60 min",
    ):
        assert part in told
    assert "Alertes\u00a0: 1," in told


def test_rows_that_miss_too_much_are_counted_and_not_judged(pump: Path) -> None:
    lines = pump.read_text("utf-8").splitlines()
    lines[601:621] = [line.partition(";")[0] + ";;" for line in lines[601:621]]
    pump.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "480 lignes jugées. 20 lignes non jugées" in run(pump, *FIT).stdout
    rows = json.loads(run(pump, *FIT, "--json").stdout)["rows"]
    assert rows["score"][200:220] == [None] * 20


def test_a_large_table_is_judged_in_chunks_to_the_same_verdict(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "long.csv"
    np.savetxt(path, rng.normal(size=(CHUNK + 700, 2)), delimiter=",", header="a,b", comments="", fmt="%.5f")
    table = read_table(path)
    told: list[int] = []
    scored = score_table(table, 400, told.append)
    assert isinstance(scored, ScoredTable)
    assert told == [CHUNK, 300]
    monitor = TableMonitor.fit(table.rows[:400], table.channels)
    assert isinstance(monitor, TableMonitor)
    assert np.allclose(scored.scores.score, monitor.step(table.rows[400:]).score)


@pytest.mark.parametrize(("rows", "fit"), [(100, 100), (900, 135), (10_000, 1500)])
def test_how_much_is_learnt_where_nobody_says_it(rows: int, fit: int) -> None:
    assert default_fit_rows(rows) == fit


def test_a_recorded_run_is_told() -> None:
    path = data_folder("skab", "valve1", "1.csv")
    found = json.loads(run(path, *FIT, "--ignore", "anomaly,changepoint", "--json").stdout)
    assert [note["channel"] for note in found["channel_notes"]] == ["Temperature", "Thermocouple"]
    assert max(found["alerts"], key=lambda alert: alert["last_row"] - alert["first_row"])["channels"]


def test_the_python_of_the_page_runs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "score.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert names["scores"].alarm[310:].all()
