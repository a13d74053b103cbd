"""What an agent never shows, and what it refuses to do."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.settings import load_settings, settings_text
from palier.strict_toml import ConfigError
from palier.tls import client_context
from tests.support.edge_agent import running_agent, stop_agent, write_agent
from tests.support.services import Mosquitto, free_port, program
from tests.support.waiting import eventually

PLANTED = "geheim-4711-planted"


def planted(folder: Path, port: int) -> Path:
    """An agent with a password in its file, and one among a source's own keys."""
    config = write_agent(folder, port)
    (folder / "password").write_text(PLANTED + "\n")
    text = config.read_text("utf-8").replace(
        "[broker]\n", '[broker]\nusername = "p1"\npassword_file = "password"\n'
    )
    config.write_text(text + f'\n[[source]]\ntype = "opcua"\npassword = "{PLANTED}"\napi_key = "{PLANTED}"\n')
    return config


def test_a_planted_secret_is_in_no_repr_nor_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = planted(tmp_path, free_port())
    settings = load_settings(config)
    assert settings.broker.password() == PLANTED
    assert settings.sources[1].options["password"] == PLANTED
    assert PLANTED not in repr(settings) + str(settings) + settings_text(settings)
    with caplog.at_level(logging.DEBUG):
        assert main(["--config", str(config), "--print-config"]) == 0
        assert main(["--config", str(config), "--check"]) == 1
    shown = capsys.readouterr()
    assert 'password = "***"' in shown.out
    assert PLANTED not in shown.out + shown.err + caplog.text


def test_a_running_agent_shows_its_password_nowhere(mosquitto: Mosquitto, tmp_path: Path) -> None:
    config = planted(tmp_path, mosquitto.port)
    config.write_text(config.read_text("utf-8").partition('\n[[source]]\ntype = "opcua"')[0])
    log = config.with_suffix(".log")
    with running_agent(config) as agent:
        for said in ("connected to the broker", "health on port "):
            eventually(lambda said=said: said in log.read_text(), 20, said)
        port = log.read_text().partition("health on port ")[2].split()[0]
        told = b"".join(
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).read()
            for path in ("/healthz", "/metrics")
        )
        process = Path("/proc") / str(agent.pid)
        told += (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert stop_agent(agent) == 0
    assert PLANTED.encode() not in told + log.read_bytes()
    for kept in (tmp_path / "outbox").iterdir():
        assert PLANTED.encode() not in kept.read_bytes()


ELSEWHERE = '[broker]\nhost = "10.0.0.1"\n'
TLS = 'tls_ca = "ca.pem"\n'
ACCOUNT = 'username = "p1"\npassword_file = "secret"\n'


@pytest.mark.parametrize(
    ("broker", "sentence"),
    [
        (ELSEWHERE, "tls_ca must name its authority's certificate"),
        (ELSEWHERE + ACCOUNT, "tls_ca must name its authority's certificate"),
        (ELSEWHERE + TLS, "username and password_file must name this gateway's account"),
        (ELSEWHERE + TLS + 'username = "p1"\n', "username and password_file must name"),
    ],
)
def test_a_broker_elsewhere_is_encrypted_and_knows_us(tmp_path: Path, broker: str, sentence: str) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        'site = "usine"\nnode = "p1"\ndata = "outbox"\n'
        + broker
        + '[[source]]\ntype = "replay"\nfile = "r"\n'
    )
    with pytest.raises(ConfigError, match=sentence):
        load_settings(config)
    assert main(["--config", str(config)]) == 2
    assert load_settings(config, insecure=True).broker.insecure
    assert main(["--config", str(config), "--insecure", "--print-config"]) == 0


def test_tls_is_1_2_or_later_and_trusts_one_authority_only(tmp_path: Path) -> None:
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -days 1"
    made = subprocess.run(
        [program("openssl"), *asked.split(), "-subj", "/CN=plant"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    context = client_context(tmp_path / "ca.pem")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_the_agents_command_line_has_no_room_for_a_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "edge_agent", "--help"], capture_output=True, text=True, check=True
    )
    assert "passw" not in done.stdout.lower()
