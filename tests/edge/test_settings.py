"""agent.toml is read strictly: every mistake with its line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.process_values import Attachment
from edge_agent.settings import AgentSettings, BrokerSettings, load_settings, settings_text
from palier.strict_toml import ConfigError

SMALL = """site = "usine"
node = "p1"
data = "outbox"
[[source]]
type = "replay"
file = "rec.npz"
"""

FULL = """site = "usine"
node = "p1"
host_id = "hall2"
data = "/var/lib/palier/outbox"
health_port = 9101
outbox_mb = 100

[broker]
host = "broker.usine.ma"
port = 8883
username = "p1"
password_file = "secret"
tls_ca = "ca.pem"

[clock]
start_ns = 1700000000000000000
wall_start_ns = 1700000000000000001
rate = 60.0

[[attach]]
machine = "P-101"
speed = "1/n"
load = "m/p"
load_full = 37.0
max_age_s = 20

[[source]]
type = "simulated"
seed = 3
machines = ["P-101", "B-501"]

[[source]]
type = "replay"
file = "rec.npz"
index_file = "index.csv"
"""


def load(folder: Path, text: str) -> AgentSettings:
    (folder / "agent.toml").write_text(text, "utf-8")
    return load_settings(folder / "agent.toml")


def test_defaults_and_paths_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALL)
    assert settings.edge == "usine/p1"
    assert settings.data == tmp_path / "outbox"
    assert settings.host_id == "palier"
    assert settings.broker == BrokerSettings("127.0.0.1", 1883)
    assert settings.sources[0].options == {"file": str(tmp_path / "rec.npz")}


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    assert settings.broker.tls_ca == tmp_path / "ca.pem"
    assert settings.clock.plant_clock().rate == 60
    assert settings.outbox_mb == 100
    assert settings.attachments == (Attachment("P-101", "1/n", "m/p", 37.0, 20.0),)
    assert [source.type for source in settings.sources] == ["simulated", "replay"]
    assert settings.sources[0].options == {"seed": 3, "machines": ["P-101", "B-501"]}
    assert settings.sources[1].options["index_file"] == str(tmp_path / "index.csv")


def test_what_is_printed_is_toml_and_reads_back_the_same(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    (tmp_path / "again").mkdir()
    text = settings_text(settings)
    assert load(tmp_path / "again", text) == settings
    assert tomllib.loads(text)["broker"]["port"] == 8883


def test_the_password_is_read_when_needed_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim-4711\n")
    settings = load(tmp_path, FULL)
    assert settings.broker.password() == "geheim-4711"
    assert "4711" not in repr(settings) + settings_text(settings)
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match="the broker's password can't be read"):
        settings.broker.password()


def test_a_password_that_everybody_may_read_is_doubted(tmp_path: Path) -> None:
    settings, secret = load(tmp_path, FULL), tmp_path / "secret"
    secret.write_text("geheim-4711\n")
    secret.chmod(0o644)
    assert any(f"chmod o= {secret}" in doubt for doubt in settings.doubts)
    secret.chmod(0o640)
    assert not any("chmod" in doubt for doubt in settings.doubts)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SMALL.replace("node", "nod"), r"agent\.toml:2: unknown key 'nod' \(did you mean \"node\"\?\)"),
        (SMALL.replace('"usine"', '"us ine"'), r"agent\.toml:1: site must be 1 to 64"),
        (SMALL.replace('"p1"', "1"), r"agent\.toml:2: node must be text"),
        (SMALL.partition("[[")[0], r"at least one \[\[source\]\] is needed"),
        ("broker = 3\n" + SMALL, "broker must be a table"),
        (
            SMALL + '[broker]\nhost = "10.0.0.1"\n',
            r"agent\.toml:8: the broker '10\.0\.0\.1' is not on this machine",
        ),
        (SMALL + "[broker]\nport = 70000\n", r"agent\.toml:8: port must be at most 65535"),
        (SMALL + "[clock]\nrate = -1\n", r"agent\.toml:8: rate must be above 0"),
        ("outbox_mb = 1\n" + SMALL, r"agent\.toml:1: outbox_mb must be at least 64"),
        ("site = ", r"agent\.toml:1: is not TOML"),
        (SMALL + '[[attach]]\nmachine = "P"\n', r"agent\.toml:7: \[\[attach\]\] needs a speed or a load"),
        (
            SMALL + '[[attach]]\nmachine = "P"\nspeed = "n"\n',
            r"toml:9: speed: a channel must be named POINT/CHA",
        ),
        (SMALL + '[[attach]]\nmachine = "P"\nspeed = "1/n"\nload_full = 3\n', "and no load is given"),
        (
            SMALL + 2 * '[[attach]]\nmachine = "P"\nspeed = "1/n"\n',
            r"toml:11: machine 'P' has an \[\[attach\]\] already",
        ),
    ],
)
def test_a_mistake_is_a_sentence_with_file_and_line(
    tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(tmp_path, text)
    assert main(["--config", str(tmp_path / "agent.toml")]) == 2
    assert "agent.toml" in capsys.readouterr().err


def test_outside_this_machine_insecure_must_be_said(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALL + '[broker]\nhost = "10.0.0.1"\ninsecure = true\n')
    assert settings.broker.insecure


def test_sources_of_one_type_are_told_apart_and_may_have_a_time_of_their_own(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALL + 'timeout_s = 90\n[[source]]\ntype = "replay"\nfile = "b.npz"\n')
    assert [(one.name, one.timeout_s) for one in settings.sources] == [("replay", 90), ("replay-2", None)]
    assert "timeout_s" not in settings.sources[0].options


def test_print_config_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, SMALL)
    assert main(["--config", str(tmp_path / "agent.toml"), "--print-config"]) == 0
    assert 'type = "replay"' in capsys.readouterr().out


def test_a_source_that_cannot_be_opened_is_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(tmp_path, SMALL)
    assert main(["--config", str(tmp_path / "agent.toml")]) == 2
    assert "rec.npz" in capsys.readouterr().err
    load(tmp_path, SMALL.replace('"replay"', '"replai"'))
    assert main(["--config", str(tmp_path / "agent.toml")]) == 2
    assert "a source's type must be one of" in capsys.readouterr().err
