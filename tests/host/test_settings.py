"""Settings, the command's --check and --print-config, failpoints, and the accounts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.accounting import Accounts
from ingest.failpoints import Failpoints
from ingest.settings import IngestSettings
from palier.historian.rows import Transition
from palier.ledger import LedgerLine
from palier.settings import load_settings
from palier.strict_toml import ConfigError
from tests.host.conftest import Ingest
from tests.support.services import Mosquitto, free_port

MINIMAL = 'plant = "plant.toml"\ndata = "data"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ingest.toml"
    path.write_text(text, encoding="utf-8")
    return path


def palier(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "palier", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(IngestSettings, written(tmp_path, MINIMAL))
    assert settings.plant == tmp_path / "plant.toml"
    assert settings.data == tmp_path / "data"
    assert (settings.host_id, settings.groups, settings.spectrum_interval_s) == ("palier", (), 86_400.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('host_id = "a/b"', "a name must match"),
        ('groups = ["a b"]', "a name must match"),
        ("spectrum_interval_s = 0", "spectrum_interval_s"),
        ("waveform_budget_bytes = 1000", "waveform_budget_bytes"),
        ("typo = 1", "typo"),
        ('[broker]\nhost = "10.0.0.5"', "another machine"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_settings(IngestSettings, written(tmp_path, MINIMAL + line + "\n"))
    assert "ingest.toml:" in str(caught.value)


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_INGEST_BROKER__PORT", "2883")
    assert load_settings(IngestSettings, written(tmp_path, MINIMAL)).broker.port == 2883


def test_print_config_masks_secrets(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL + '[broker]\nusername = "ingest"\npassword = "hunter2"\n')
    run = palier("ingest", "--config", str(path), "--print-config")
    assert run.returncode == 0
    assert "hunter2" not in run.stdout + run.stderr
    assert 'username = "ingest"' in run.stdout


def test_check_says_what_works(mosquitto: Mosquitto, ingest: Ingest) -> None:
    run = palier("ingest", "--config", str(ingest.config), "--check")
    assert run.returncode == 0, run.stderr
    assert "usine, 3 machines" in run.stdout
    assert not ingest.data.path.exists()


def test_check_says_what_does_not(tmp_path: Path, plant_file: Path) -> None:
    port = free_port()
    path = written(tmp_path, f'plant = "{plant_file}"\ndata = "data"\n[broker]\nport = {port}\n')
    run = palier("ingest", "--config", str(path), "--check")
    assert run.returncode == 1
    assert "no connection" in run.stderr


def test_a_plant_that_is_wrong_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("[site]\nid = 3\n", encoding="utf-8")
    run = palier("ingest", "--config", str(written(tmp_path, MINIMAL)))
    assert run.returncode == 2
    assert "plant.toml:" in run.stderr


# Failpoints ------------------------------------------------------------------------------------------------


def test_failpoints_are_none_without_the_variable() -> None:
    slept: list[float] = []
    points = Failpoints.from_environment({})
    points._sleep = slept.append
    points.reach("before_records")
    assert slept == []


def test_a_failpoint_sleeps_at_its_place_only() -> None:
    slept: list[float] = []
    points = Failpoints.parse("before_records:sleep=30,before_series:sleep=0.5")
    points._sleep = slept.append
    for place in ("before_waveforms", "before_series", "before_records", "before_acknowledgement"):
        points.reach(place)
    assert slept == [0.5, 30.0]


@pytest.mark.parametrize(
    "text", ["nowhere:sleep=1", "before_records", "before_records:burn=1", "before_records:sleep=x"]
)
def test_a_failpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Failpoints.parse(text)


# Accounts --------------------------------------------------------------------------------------------------


def line(*, adds_up: bool | None, seq: int = 10, missing: int = 0) -> LedgerLine:
    return LedgerLine("usine/g1", "e", seq, 10, 10 - missing, 0, 0, 0, adds_up, missing, 0)


def told_of(accounts: Accounts, entry: LedgerLine) -> tuple[LedgerLine, ...]:
    told, _ = accounts.news([entry], 1)
    accounts.written(told)
    return told


def test_a_line_is_written_each_time_and_a_silent_gateway_once() -> None:
    accounts = Accounts()
    told = [len(told_of(accounts, line(adds_up=up))) for up in (True, True, None, None, None, True)]
    assert told == [1, 1, 1, 0, 0, 1]


def test_what_could_not_be_written_is_told_again() -> None:
    accounts = Accounts()
    told_of(accounts, line(adds_up=True))
    for _ in range(2):
        _, events = accounts.news([line(adds_up=False)], 5)
        assert [event.state for event in events] == ["does_not_add_up"]


def test_what_does_not_add_up_is_an_event_once() -> None:
    accounts = Accounts()
    lines = [
        line(adds_up=True),
        line(adds_up=False, missing=2),
        line(adds_up=False, missing=2),
        line(adds_up=True),
    ]
    events: list[Transition] = []
    for entry in lines:
        events += accounts.news([entry], 5)[1]
        accounts.written([entry])
    assert [(event.previous, event.state) for event in events] == [
        ("adds_up", "does_not_add_up"),
        ("does_not_add_up", "adds_up"),
    ]
    assert json.loads(events[0].detail)["missing"] == 2


def test_a_ledger_that_adds_up_from_the_first_is_no_event() -> None:
    assert Accounts().news([line(adds_up=True)], 5)[1] == ()


def test_a_table_that_may_be_left_out_may_come_from_the_environment(
    tmp_path: Path, plant_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ingest.toml"
    path.write_text(f'plant = "{plant_file}"\ndata = "data"\n', "utf-8")
    for key, value in (
        ("HOST", "smtp"),
        ("SENDER", "p@x.org"),
        ("TO", '["a@x.org"]'),
        ("PASSWORD_FILE", "s"),
    ):
        monkeypatch.setenv(f"PALIER_INGEST_NOTIFY__EMAIL__{key}", value)
    email = load_settings(IngestSettings, path).notify.email
    assert email is not None
    assert (email.host, email.to) == ("smtp", ("a@x.org",))
    monkeypatch.setenv("PALIER_INGEST_NOTIFY__EMAIL__HOTS", "smtp")
    with pytest.raises(ConfigError, match="unknown environment variable"):
        load_settings(IngestSettings, path)


def test_check_wants_the_secret_of_a_message(mosquitto: Mosquitto, ingest: Ingest) -> None:
    with ingest.config.open("a") as config:
        config.write('[notify.webhook]\nurl = "https://x.org/h"\ntoken_file = "webhook_token"\n')
    run = palier("ingest", "--config", str(ingest.config), "--check")
    assert run.returncode == 2
    assert "webhook_token" in run.stderr
    (ingest.config.parent / "webhook_token").write_text("secret", "utf-8")
    run = palier("ingest", "--config", str(ingest.config), "--check")
    assert (run.returncode, "messages: webhook" in run.stdout) == (0, True), run.stderr
