"""Settings of services: file and environment, mistakes with their place, secrets masked; logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from palier.settings import (
    BrokerSettings,
    ClockSettings,
    Port,
    ServiceSettings,
    configure_logging,
    load_settings,
    settings_text,
)
from palier.strict_toml import ConfigError, parse_toml


class Settings(ServiceSettings):
    """A service's settings, as services declare them."""

    model_config = SettingsConfigDict(env_prefix="PALIER_TEST_")

    data: Path
    broker: BrokerSettings = BrokerSettings()
    health_port: Port = 0
    name: str = Field(default="palier", pattern="^[a-z]+$")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.toml"


def told(file: Path | None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(Settings, file)
    return str(caught.value).replace(str(file), "F").splitlines()


def test_the_file_gives_values_and_paths_relative_to_itself(file: Path) -> None:
    file.write_text('data = "d"\n[broker]\nport = 1884\ntls_ca = "/etc/ca.pem"\n[clock]\nrate = 60\n')
    settings = load_settings(Settings, file)
    assert settings.data == file.parent / "d"
    assert (settings.broker.port, settings.broker.tls_ca) == (1884, Path("/etc/ca.pem"))
    assert settings.clock.plant_clock().rate == 60


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('data = "d"\n[broker]\nport = 1884\nusername = "u"\n')
    monkeypatch.setenv("PALIER_TEST_BROKER__PORT", "1885")
    monkeypatch.setenv("PALIER_TEST_DATA", "/elsewhere")
    settings = load_settings(Settings, file)
    assert (settings.broker.port, settings.broker.username, settings.data) == (1885, "u", Path("/elsewhere"))


def test_a_service_can_run_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIER_TEST_DATA", "/d")
    assert load_settings(Settings, None).data == Path("/d")


def test_without_a_file_what_is_missing_says_how_to_give_it() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Settings, None)
    assert str(caught.value) == (
        "settings: data is missing: name a file with --config FILE, or set PALIER_TEST_DATA"
    )


def test_every_mistake_is_told_with_its_line(file: Path) -> None:
    file.write_text('dat = "d"\nname = "A"\n[broker]\nport = 70000\nhots = "x"\n[clock]\nrate = 0\n')
    assert told(file) == [
        "F: data is missing",
        "F:1: unknown key 'dat' (did you mean \"data\"?)",
        "F:2: name must match pattern '^[a-z]+$', got 'A'",
        "F:4: port must be less than or equal to 65535, got 70000",
        "F:5: unknown key 'hots' in [broker] (did you mean \"host\"?)",
        "F:7: rate must be greater than 0, got 0",
    ]


def test_a_mistake_in_the_environment_names_the_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('data = "d"\n[broker]\nport = 1\n')
    monkeypatch.setenv("PALIER_TEST_BROKER__PORT", "x")
    assert told(file)[0].startswith(
        "F: environment variable PALIER_TEST_BROKER__PORT: port must be a valid integer"
    )


@pytest.mark.parametrize("name", ["PALIER_TEST_DAAT", "PALIER_TEST_BROKER__PROT"])
def test_an_unknown_variable_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    file.write_text('data = "d"\n')
    monkeypatch.setenv(name, "x")
    assert f"unknown environment variable {name} (did you mean" in "\n".join(told(file))


def test_other_variables_of_palier_are_no_settings(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('data = "d"\n')
    monkeypatch.setenv("PALIER_HOME", "/h")
    assert load_settings(Settings, file).data == file.parent / "d"


@pytest.mark.parametrize(
    ("host", "fits"), [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.5", False)]
)
def test_plain_text_to_another_machine_needs_a_decision(file: Path, host: str, fits: bool) -> None:
    file.write_text(f'data = "d"\n[broker]\nhost = "{host}"\n')
    if fits:
        assert load_settings(Settings, file).broker.host == host
    else:
        (sentence,) = told(file)
        assert sentence.startswith("F:2: host '10.0.0.5' is another machine")
        file.write_text(file.read_text() + "insecure = true\n")
        assert load_settings(Settings, file).broker.insecure


def test_the_password_comes_from_its_file_and_is_masked(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    file.write_text('data = "d"\n[broker]\npassword_file = "secret"\n')
    assert load_settings(Settings, file).broker.password_text() == "s3cret"
    file.write_text('data = "d"\n[broker]\npassword = "s3cret"\n')
    settings = load_settings(Settings, file)
    assert settings.broker.password_text() == "s3cret"
    assert "s3cret" not in repr(settings) + settings_text(settings)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_password_that_everybody_may_read_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    path.chmod(mode)
    for _ in range(2):
        assert BrokerSettings(password_file=path).password_text() == "s3cret"
    sentence = f"every user of this machine may use {path}, which holds a secret: chmod o= {path}"
    assert caplog.messages == ([sentence] if warned else [])


def test_a_mistake_shows_no_account(file: Path) -> None:
    file.write_text('data = "d"\nbroker = "mqtt://me:geheim@h"\n')
    assert "geheim" not in "".join(told(file))
    file.write_text('data = "d"\n[broker]\npassword = 4711\n')
    assert "4711" not in "".join(told(file))


@pytest.mark.parametrize(("content", "why"), [(None, "can't be read"), ("\n", "is empty")])
def test_a_password_file_that_gives_none_is_a_sentence(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=why):
        BrokerSettings(password_file=path).password_text()


def test_the_settings_in_force_are_printed_as_toml_that_reads_back(file: Path) -> None:
    file.write_text('data = "d"\n[broker]\nusername = "é\\"x"\n')
    settings = load_settings(Settings, file)
    text = settings_text(settings)
    again = parse_toml(text, "printed").data
    assert again["data"] == str(file.parent / "d")
    assert again["broker"] == {"host": "127.0.0.1", "port": 1883, "username": 'é"x', "insecure": False}


def test_clocks_of_the_same_settings_agree() -> None:
    clock = ClockSettings(start_ns=10**18, wall_start_ns=0, rate=2.0).plant_clock()
    assert (clock.start_ns, clock.wall_start_ns, clock.rate) == (10**18, 0, 2.0)
    assert ClockSettings().plant_clock().wall_start_ns > 0


@pytest.fixture
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_own_logging")
def test_away_from_a_terminal_each_log_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("ingest")
    structlog.get_logger().info("démarré", port=1)
    structlog.get_logger().debug("left out")
    logging.getLogger("paho").warning("lost %s", "link")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(e["service"], e["level"], e["event"]) for e in lines] == [
        ("ingest", "info", "démarré"),
        ("ingest", "warning", "lost link"),
    ]
    assert lines[0]["port"] == 1
