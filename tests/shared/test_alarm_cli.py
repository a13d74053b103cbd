"""`palier alarms`, `intervention`, `baseline`: asked over a real broker, listed from the records."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import palier.asking
from ingest.alarm_desk import Desk
from ingest.alarm_records import batch_of, together
from ingest.alarms import Alarms, step
from palier.alarm_finding import Finding
from palier.alarms import Life
from palier.commands.alarms import alarms
from palier.commands.baseline import baseline
from palier.commands.intervention import intervention
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.operations import (
    Acknowledge,
    Baseline,
    BaselineStatus,
    CauseCode,
    Found,
    Intervene,
    InterventionKind,
    RelearnBaseline,
    Shelve,
)
from palier.options import CommandError
from palier.strict_toml import ConfigError
from tests.support.alarms import KEY, MACHINE, SITE, alarm_of, ask, velocity
from tests.support.fake_alarm_host import FakeAlarmHost
from tests.support.services import Mosquitto, free_port

NOW_NS = 1_780_000_000 * 10**9
ID = KEY.id


def run(app: object, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))  # type: ignore[arg-type]


def words(value: str) -> Desk:
    state, _ = step(Alarms(), [velocity(1, {"alert": 5.0, "danger": 8.0}[value])])
    learned = Baseline(MACHINE, status=BaselineStatus.LEARNED, opened_ns=0)  # before any clock's time
    return Desk(state, {MACHINE: learned})


@pytest.fixture
def host(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAlarmHost]:
    monkeypatch.setenv("PALIER_OPERATOR_SITE", SITE)
    monkeypatch.setenv("PALIER_OPERATOR_USER", "h.alami")
    monkeypatch.setenv("PALIER_OPERATOR_BROKER__PORT", str(mosquitto.port))
    with FakeAlarmHost(mosquitto.port, words("alert"), NOW_NS) as fake:
        yield fake


def test_an_alarm_goes_through_its_life_by_commands(host: FakeAlarmHost) -> None:
    for arguments, life, sentence in (
        (("acknowledge", ID, "--comment", "vu", "--expect", "1"), Life.ACKNOWLEDGED, "Alarme acquittée."),
        (("shelve", ID, "--for", "4h", "--why", "essai"), Life.SHELVED, "Alarme mise en veille."),
        (("unshelve", ID), Life.UNACKNOWLEDGED, "Alarme de nouveau active."),
        (("take-out", ID, "--why", "travaux"), Life.OUT_OF_SERVICE, "Alarme mise hors service."),
        (("put-back", ID), Life.UNACKNOWLEDGED, "Alarme remise en service."),
    ):
        result = run(alarms, *arguments)
        assert (result.exit_code, result.output.strip()) == (0, sentence)
        assert alarm_of(host.desk).life is life
    assert alarm_of(host.desk).by == "h.alami"


def test_what_is_refused_or_overtaken_is_told_and_exits_with_1(host: FakeAlarmHost) -> None:
    host.desk = words("danger")
    result = run(alarms, "shelve", ID, "--why", "essai", "--lang", "en")
    assert (result.exit_code, result.output.strip()) == (1, "A danger is acknowledged first.")
    result = run(alarms, "acknowledge", ID, "--expect", "9", "--json")
    told = json.loads(result.output)
    assert (result.exit_code, told["outcome"], told["present"]["level"]) == (1, "conflict", "danger")


def test_a_reply_that_was_lost_comes_by_asking_again(
    host: FakeAlarmHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(palier.asking, "RESEND_S", 0.05)
    host.deaf = 2
    assert run(alarms, "acknowledge", ID).exit_code == 0
    assert len({command.id for command in host.commands}) == 1
    assert len(host.commands) >= 3


def test_no_reply_says_what_to_check(host: FakeAlarmHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_OPERATOR_ANSWER_S", "0.2")
    host.deaf = 1000
    result = run(alarms, "acknowledge", ID)
    assert isinstance(result.exception, CommandError)
    for hint in ("no reply within 0.2 s", repr(SITE), "palier/v1/", "look at what is now"):
        assert hint in str(result.exception)


def test_no_broker_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PALIER_OPERATOR_SITE", SITE)
    monkeypatch.setenv("PALIER_OPERATOR_BROKER__PORT", str(port))
    result = run(alarms, "acknowledge", ID)
    assert isinstance(result.exception, CommandError)
    assert f"127.0.0.1:{port} can't be reached" in str(result.exception)


def test_without_a_site_the_setting_is_named() -> None:
    result = run(alarms, "acknowledge", ID)
    assert isinstance(result.exception, ConfigError)
    assert "site is missing" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("acknowledge", "P-101"), "an alarm must be"),
        (("shelve", ID, "--why", "x", "--for", "9h"), "--for must be at least 1m and at most 8h"),
        (("shelve", ID, "--why", "x", "--for", "soon"), "--for must be like 4h"),
        (("shelve", ID, "--why", " "), "why must be there"),
        (("verdict", ID, "maybe"), "VERDICT must be one of"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.setenv("PALIER_OPERATOR_SITE", SITE)
    result = run(alarms, *arguments)
    assert isinstance(result.exception, CommandError)
    assert (result.exception.exit_code, sentence in str(result.exception)) == (2, True)


def test_operator_toml_names_everything(host: FakeAlarmHost, tmp_path: Path, mosquitto: Mosquitto) -> None:
    (tmp_path / "operator.toml").write_text(
        f'site = "{SITE}"\nuser = "autre"\n[broker]\nport = {mosquitto.port}\n', "utf-8"
    )
    result = run(
        alarms, "acknowledge", ID, "--config", str(tmp_path / "operator.toml"), "--user", "m.idrissi"
    )
    assert result.exit_code == 0
    assert host.commands[0].user == "m.idrissi"


def test_an_intervention_and_a_new_baseline(host: FakeAlarmHost) -> None:
    assert run(baseline, "confirm", MACHINE, "--expect", "1").output.strip() == "Référence confirmée."
    refused = run(baseline, "relearn", MACHINE, "--why", "roulement neuf")
    assert (refused.exit_code, "Enregistrer l'intervention d'abord" in refused.output) == (1, True)
    at = "2026-05-28T20:00+00:00"
    added = run(
        intervention, "add", MACHINE, "bearing_changed", "--at", at, "--cause", "5.1.2", "--text", "22220 E"
    )
    assert (added.exit_code, added.output.strip()) == (0, "Intervention enregistrée.")
    asked = host.commands[-1].ask
    assert (asked.kind, asked.cause) == (InterventionKind.BEARING_CHANGED, CauseCode.SUBSURFACE_FATIGUE)  # type: ignore[union-attr]
    assert run(baseline, "relearn", MACHINE, "--why", "roulement neuf").exit_code == 0
    assert host.desk.baselines[MACHINE].version == 2


def test_a_verdict(host: FakeAlarmHost) -> None:
    result = run(alarms, "verdict", ID, "other_cause", "--found", "unbalance", "--comment", "dépôt")
    assert (result.exit_code, result.output.strip()) == (0, "Verdict enregistré.")
    assert host.commands[-1].ask.verdict is Found.OTHER_CAUSE  # type: ignore[union-attr]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An ingest's folder with an acknowledged danger, a shelved alert, an intervention and a baseline."""
    folder = DataFolder(tmp_path / "data").create()
    other = replace(KEY, point="9")
    state, effects = step(Alarms(), [velocity(1, 8.0), velocity(2, 5.0, key=other)])
    desk = replace(words("alert"), alarms=state)
    now_ns, batches = time.time_ns(), [batch_of(effects)]
    for what in (
        Acknowledge(ID),
        Shelve(other.id, "essai", 3600),
        Intervene(MACHINE, InterventionKind.GREASING, text="30 g"),
        RelearnBaseline(MACHINE, "graissé"),
    ):
        decision = ask(desk, what, now_ns)
        desk = decision.desk
        batches.append(batch_of(decision.effects))
    with closing(Records(folder.records)) as records:
        records.commit(together(*batches))
    return folder.path


def test_the_list_is_read_from_the_records_the_most_urgent_first(data: Path) -> None:
    shown = run(alarms, "list", "--data", str(data)).output.splitlines()
    assert shown[0].startswith(f"{ID}  DANGER, acquittée, priorité haute, depuis 1970-01-01")
    assert "À faire" in shown[1]
    assert any("en veille jusqu'à" in line and "h.alami\u00a0: essai" in line for line in shown)
    told = [
        json.loads(line) for line in run(alarms, "list", "--data", str(data), "--json").output.splitlines()
    ]
    assert {one["state"] for one in told} == {"acknowledged", "shelved"}


def test_one_alarm_is_shown_with_its_cause_and_its_history(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data").create()
    found = Finding(1, "outer_ring", 0.87, 3, "plan", 672.0, "bearing", "2", (("inner_ring", 0.4),))
    state, effects = step(Alarms(), [replace(velocity(1, 5.0), found=found, deadline_h=672.0)])
    seen = ask(replace(words("alert"), alarms=state), Acknowledge(ID, "vu"), 10**15)
    with closing(Records(folder.records)) as records:
        records.commit(together(batch_of(effects), batch_of(seen.effects)))
    shown = run(alarms, "show", ID, "--data", str(folder.path)).output
    assert "bague externe" in shown
    assert "Peut-être aussi" in shown
    assert "remplacer le roulement" in shown
    assert "apparue" in shown
    assert "acquittée (h.alami\u00a0: vu)" in shown
    told = json.loads(run(alarms, "show", ID, "--data", str(folder.path), "--json").output)
    assert (told["fault"], told["confidence"], told["deadline_h"]) == ("outer_ring", 0.87, 672.0)
    assert [one["what"] for one in told["history"]] == ["raised", "acknowledged"]
    assert isinstance(run(alarms, "show", "X/vibration", "--data", str(folder.path)).exception, CommandError)


def test_times_are_those_of_the_plant_and_say_so(data: Path) -> None:
    DataFolder(data).note_timezone("Asia/Kolkata")  # half an hour off every zone of a computer nearby
    shown = run(alarms, "list", "--data", str(data)).output.splitlines()
    assert "depuis 1970-01-01 05:40" in shown[0]
    assert shown[-1] == "Heures du fuseau de l'usine\u00a0: Asia/Kolkata."
    quiet = run(alarms, "list", "--data", str(data), "--quiet").output
    assert "Asia/Kolkata" not in quiet
    assert "Asia/Kolkata" in run(intervention, "list", "--data", str(data)).output


def test_without_a_noted_zone_times_say_whose_they_are(data: Path) -> None:
    assert "fuseau de cet ordinateur" in run(baseline, "show", "--data", str(data)).output


def test_figures_are_read_from_the_records(data: Path) -> None:
    told = json.loads(run(alarms, "figures", "--data", str(data), "--json").output)
    assert told["raises"] == 0  # those of 1970 are not of the last month
    assert "6 par heure" in run(alarms, "figures", "--data", str(data)).output


def test_interventions_and_baselines_are_listed(data: Path) -> None:
    shown = run(intervention, "list", "--data", str(data)).output
    assert f"{MACHINE}  graissage, h.alami\n    30 g" in shown
    assert (
        run(intervention, "list", "--data", str(data), "--machine", "X").output.strip().startswith("Aucune")
    )
    shown = run(baseline, "show", "--data", str(data)).output
    assert f"{MACHINE}  version 2, apprentissage, 0\u00a0%" in shown


@pytest.mark.parametrize("lang", ["fr", "en", "ar"])
def test_nothing_open_is_said_so(tmp_path: Path, lang: str) -> None:
    folder = DataFolder(tmp_path / "data").create()
    Records(folder.records).close()
    result = run(alarms, "list", "--data", str(folder.path), "--lang", lang)
    assert (result.exit_code, bool(result.output.strip())) == (0, True)
    result = run(baseline, "show", "--data", str(tmp_path / "none"))
    assert isinstance(result.exception, CommandError)


def test_without_data_the_folder_of_the_last_demonstration_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    monkeypatch.delenv("PALIER_INGEST_DATA", raising=False)
    assert str(run(alarms, "list").exception) == "--data is missing: name the data folder of the ingest"
    last = tmp_path / "demo" / "run-20261102-080000" / "data"
    last.mkdir(parents=True)
    assert f"--data {last}" in str(run(alarms, "list").exception)


def test_a_time_without_a_zone_is_on_the_clocks_of_the_plant(
    host: FakeAlarmHost, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DataFolder(data).note_timezone("Asia/Tokyo")
    at = ("--at", "2026-05-28T20:00", "--data", str(data))
    assert run(intervention, "add", MACHINE, "greasing", *at).exit_code == 0
    assert host.commands[-1].ask.at_ns == 1_779_966_000 * 10**9  # type: ignore[union-attr]  # 11:00 UTC
    monkeypatch.setenv("PALIER_INGEST_DATA", str(data))
    wrong = run(intervention, "add", MACHINE, "greasing", "--at", "tantôt")
    assert "--at must be a time like" in str(wrong.exception)
