"""`palier gateway`: what it shows of the records, and what it says before anything is sent."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import palier.asking
from palier.gateway_text import difference
from palier.gateways import GatewayTold, state_values
from palier.historian.folder import DataFolder
from palier.historian.records import Records, RecordsBatch
from palier.historian.rows import StateRow
from palier.operations import Command, Configure, Outcome, Reply, TellGateway
from tests.house.test_commands import run
from tests.support.configuring import write_keys
from tests.support.wire_examples import STATUS

EDGE = "usine/gw-1"
WELL = replace(STATUS, problems=(), state="kept", answer="kept")


def kept(folder: Path, *all_told: GatewayTold) -> Path:
    with closing(Records(DataFolder(folder).create().records)) as records:
        rows = [
            StateRow(told.edge.partition("/")[0], key, value)
            for told in all_told
            for key, value in state_values(told).items()
        ]
        records.commit(RecordsBatch(states=tuple(rows)))
    return folder


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    now_ns = time.time_ns()
    silent = GatewayTold("usine/gw-2", now_ns - 10**12, replace(WELL, clock=None, card_free=None))
    data = str(kept(tmp_path, GatewayTold(EDGE, now_ns, STATUS), silent))
    code, out, _ = run(capsys, "gateway", "list", "--data", data)
    head, first, second, _note = out.replace("\u202f", " ").replace("\xa0", " ").splitlines()
    assert code == 0
    assert head.split() == ["Passerelle", "Palier", "Horloge", "Carte", "Configuration", "Problèmes"]
    assert "à l'heure" in first
    assert "21 Go libres sur 31 Go" in first
    assert "version 7 à l'essai" in first
    assert first.endswith("1")
    assert "muette depuis" in second
    code, out, _ = run(capsys, "gateway", "list", "--data", data, "--json")
    assert [json.loads(line)["edge"] for line in out.splitlines()] == [EDGE, "usine/gw-2"]


def test_one_is_shown_with_its_problems_and_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = str(kept(tmp_path, GatewayTold(EDGE, time.time_ns(), STATUS)))
    code, out, _ = run(capsys, "gateway", "show", "gw-1", "--data", data, "--lang", "en")
    assert code == 1
    assert "Raspberry Pi 4 Model B" in out
    assert "source modbus: no answer" in out
    assert "version 7 on trial (0123456789abcdef)" in out
    code, out, _ = run(capsys, "gateway", "show", "gw-1", "--data", data, "--configuration")
    assert (code, out) == (0, STATUS.text)
    code, _, err = run(capsys, "gateway", "show", "gw-9", "--data", data, "--lang", "en")
    assert (code, "No gateway is called gw-9 here. Known are: gw-1." in err) == (2, True)


class Host:
    """An ingest that answers: `gateway` is what its gateway says, once it was sent something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: str = "taken", sentence: str = "") -> None:
        self.asked: list[Command] = []
        self.status = WELL
        self._answer = (answer, sentence)
        monkeypatch.setattr(palier.asking, "ask", self.ask)
        monkeypatch.setenv("PALIER_OPERATOR_SITE", "usine")
        monkeypatch.setenv("PALIER_OPERATOR_USER", "h.alami")

    def ask(self, _settings: object, command: Command) -> Reply:
        self.asked.append(command)
        if isinstance(command.ask, TellGateway):
            told = json.loads(json.dumps(GatewayTold(EDGE, time.time_ns(), self.status).told()))
            return Reply(command.id, Outcome.DONE, "gateway_told", present=told)
        assert isinstance(command.ask, Configure)
        answer, sentence = self._answer
        self.status = replace(
            self.status,
            answer_request=command.id,
            answer_version=command.ask.version,
            answer=answer,
            answer_sentence=sentence,
        )
        return Reply(command.id, Outcome.DONE, "configuration_sent")

    @property
    def sent(self) -> list[Configure]:
        return [command.ask for command in self.asked if isinstance(command.ask, Configure)]


def configure(capsys: pytest.CaptureFixture[str], folder: Path, *options: str, text: str = "") -> Any:
    file = folder / "sent.toml"
    file.write_text(text or '[[source]]\ntype = "replay"\nfile = "rec.npz"\n')
    return run(capsys, "gateway", "configure", "gw-1", str(file), "--lang", "en", *options)


def test_it_is_signed_with_the_next_version_and_the_answer_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, key = Host(monkeypatch), str(write_keys(tmp_path))
    code, out, err = configure(capsys, tmp_path, "--key", key, "--why", "essai", "--yes")
    assert (code, err) == (0, "")
    (sent,) = host.sent
    assert (sent.edge, sent.version, len(sent.signature), sent.why) == (EDGE, 8, 128, "essai")
    assert '-type = "simulated"' in out
    assert '+file = "rec.npz"' in out
    assert "version 8 taken, on trial" in out


def test_a_refusal_is_told_with_its_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(monkeypatch, "refused", "at least one [[source]] is needed")
    key = str(write_keys(tmp_path))
    code, _, err = configure(capsys, tmp_path, "--key", key, "--why", "essai", "--yes")
    assert (code, err) == (1, "version 8 refused: at least one [[source]] is needed\n")


def test_a_dry_run_and_a_no_send_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, key = Host(monkeypatch), str(write_keys(tmp_path))
    code, out, _ = configure(capsys, tmp_path, "--dry-run")
    assert (code, "version 8 would be sent" in out) == (0, True)
    monkeypatch.setattr("typer.confirm", lambda _question: False)
    code, out, _ = configure(capsys, tmp_path, "--key", key, "--why", "essai")
    assert (code, "Nothing was sent." in out) == (1, True)
    code, out, _ = configure(capsys, tmp_path, "--key", key, "--why", "x", text=f"# same\n{STATUS.text}")
    assert (code, "Nothing to send" in out) == (0, True)
    assert not host.sent


def test_a_mistake_in_the_call_sends_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(monkeypatch)
    for options, text, sentence in (
        (("--why", "x"), "", "--key is missing"),
        (("--key", "nowhere.key"), "", "--why is missing"),
        (("--key", "nowhere.key", "--why", "x", "--yes"), "", "the key nowhere.key can't be read"),
        (("--dry-run",), "x = 1\n", "FILE must have at least one [[source]]"),
        (("--dry-run",), "[[source]\n", "is not TOML"),
    ):
        code, _, err = configure(capsys, tmp_path, *options, text=text)
        assert (code, sentence in err) == (2, True), err
    assert not host.sent


def test_a_difference_is_of_what_is_said_not_of_how_it_is_written() -> None:
    before = "[[source]]\ntype = 'i2c'\nrow = [{a = 1}, {a = 2}]\npassword = 'x'\n"
    same = '# a remark\n[[source]]\ntype="i2c"\npassword = "y"\n[[source.row]]\na=1\n[[source.row]]\na=2\n'
    assert difference(before, same) == []
    assert [line for line in difference(before, same.replace("a=2", "a=3")) if line[0] in "+-"] == [
        "-a = 2",
        "+a = 3",
    ]


def test_a_gateway_that_never_told_of_itself_is_told_from_one_that_does_not_exist(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    with closing(Records(DataFolder(folder).create().records)) as records:
        records.commit(RecordsBatch(states=(StateRow("usine", "gw-2#configuration", '"cafe"'),)))
    for node, sentence in (
        ("gw-2", "gw-2 n'a encore rien dit d'elle-même"),
        ("gw-9", "Aucune passerelle ne s'appelle gw-9 ici. On connaît : gw-2."),
        ("autre/gw-2", "Aucune passerelle ne s'appelle gw-2 ici : aucune ne s'est encore annoncée."),
    ):
        code, _, err = run(capsys, "gateway", "show", node, "--data", str(folder))
        err = err.replace("\u202f", " ").replace("\xa0", " ").replace("\u2019", "'")
        assert (code, sentence in err) == (2, True), err
