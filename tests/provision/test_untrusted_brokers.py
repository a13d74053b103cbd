"""A broker that is not to be trusted, or trusts nobody: agent, ingest, page and command line say why, and no
frame is lost meanwhile."""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.__main__ import main as agent
from ingest.check import broker_answers
from ingest.inbox import Inbox
from ingest.link import HostLink
from palier.asking import AskError, Way, ask
from palier.operations import Command, SendAgain
from palier.provision.certificates import issue_server
from palier.provision.layout import SERVER_CERTIFICATE
from palier.provision.making import Wanted, provision
from palier.settings import BrokerSettings
from tests.support.bad_certificates import Authority, authority, shows
from tests.support.edge_agent import running_agent, stop_agent, write_agent
from tests.support.fake_host import FakeHost
from tests.support.provisioned import provisioned_broker
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

# The MQTT client leaves the socket of a handshake that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"begins": timedelta(days=-100)}, "has expired"),
    "early": ({"begins": timedelta(days=3)}, "not valid yet: is the clock of this machine right?"),
    "name": ({"names": ("broker.example.org",)}, "is not for 127.0.0.1: use a name that it holds"),
    "foreign": ({}, "is not of the authority in"),
}


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """While their warning is not heard."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    return authority(tmp_path_factory.mktemp("ours")), authority(tmp_path_factory.mktemp("theirs"))


def said_by_agent(folder: Path, capsys: pytest.CaptureFixture[str], **broker: object) -> str:
    """What `palier agent --check` prints of a broker."""
    config = write_agent(folder, 0)
    lines = "".join(f"{key} = {value!r}\n" for key, value in broker.items())
    config.write_text(config.read_text("utf-8").replace("[broker]\nport = 0\n", f"[broker]\n{lines}"))
    assert agent(["--config", str(config), "--check"]) == 1
    return capsys.readouterr().out


def said_by_link(settings: BrokerSettings) -> str:
    """What `/readyz` and the log of a running ingest tell."""
    link = HostLink(
        "palier",
        ("usine",),
        settings,
        Inbox(),
        wall_ms=lambda: 1_700_000_000_000,
        monotonic_s=time.monotonic,
        jitter=lambda: 0.0,
    )
    link.start()
    try:
        eventually(lambda: link.status.detail != "not connected yet", 60, "the link's first failure")
        return link.status.detail
    finally:
        link.stop()


def said_by_all(
    folder: Path, capsys: pytest.CaptureFixture[str], port: int, ca: Path | None
) -> dict[str, str]:
    """The sentence of each of them."""
    settings = BrokerSettings(port=port, tls_ca=ca)
    broker: dict[str, object] = {"port": port} | ({} if ca is None else {"tls_ca": str(ca)})
    with pytest.raises(AskError) as asked:  # the page and the command line ask by the same function
        ask(Way("usine", settings), Command("7f3a0000", "h.alami", SendAgain("usine/gw-1", 0, 1, "restored")))
    return {
        "agent": said_by_agent(folder, capsys, **broker),
        "ingest --check": broker_answers(settings) or "",
        "ingest": said_by_link(settings),
        "page and command line": str(asked.value),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_with_a_fault_is_refused_by_each_with_the_reason(
    authorities: tuple[Authority, Authority], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    ours, theirs = authorities
    issue, sentence = FAULTS[fault]
    issuer = theirs if fault == "foreign" else ours
    with shows(*issuer.issue(**issue)) as port:
        told = said_by_all(tmp_path, capsys, port, ours.ca)
    assert {name: sentence in text for name, text in told.items()} == dict.fromkeys(told, True), told


def test_plain_text_to_a_port_of_tls_and_tls_to_a_plain_one_are_told(
    authorities: tuple[Authority, Authority],
    mosquitto: Mosquitto,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, _ = authorities
    with shows(*ours.issue()) as port:
        told = said_by_all(tmp_path, capsys, port, None)
    wanted = f"where port {port} speaks TLS, give tls_ca"
    assert {name: wanted in text for name, text in told.items()} == dict.fromkeys(told, True), told
    told = said_by_all(tmp_path, capsys, mosquitto.port, ours.ca)
    wanted = "does not speak TLS: give the broker's port for TLS"
    assert {name: wanted in text for name, text in told.items()} == dict.fromkeys(told, True), told


@pytest.mark.long
@pytest.mark.parametrize(("days_off", "sentence"), [(-900, "has expired"), (+3, "is not valid yet")])
def test_frames_wait_in_the_outbox_until_the_certificate_is_right(
    tmp_path: Path, days_off: int, sentence: str
) -> None:
    made = tmp_path / "made"
    provision(made, Wanted(site="usine", gateways=("p1",)), datetime.now(UTC))
    right = (made / SERVER_CERTIFICATE).read_bytes()
    wrong = issue_server(
        (made / "broker/server.key").read_bytes(),
        ("127.0.0.1", "localhost"),
        site="usine",
        authority_pem=(made / "ca.crt").read_bytes(),
        authority_key_pem=(made / "authority/ca.key").read_bytes(),
        now=datetime.now(UTC) + timedelta(days=days_off),
    )
    (made / SERVER_CERTIFICATE).write_bytes(wrong)
    config = write_agent(tmp_path, 0)
    account = f'username = "p1"\npassword_file = "{made}/gateways/p1/password"\ntls_ca = "{made}/ca.crt"\n'
    log = config.with_suffix(".log")
    with provisioned_broker(made, tmp_path) as broker:
        text = config.read_text("utf-8").replace("port = 0\n", f"port = {broker.port}\n{account}")
        config.write_text(text)
        with running_agent(config) as running:
            eventually(lambda: sentence in log.read_text(), 60, "the agent's reason")
            eventually(
                lambda: (tmp_path / "outbox").exists() and pending(tmp_path) == 64, 60, "all frames kept"
            )
            (made / SERVER_CERTIFICATE).write_bytes(right)
            broker.reload()
            host = FakeHost(broker.port)
            host._client.tls_set(str(made / "ca.crt"))
            host._client.username_pw_set("ingest", (made / "secrets/mqtt_ingest_password").read_text())
            with host:
                eventually(lambda: len(host.stored) == 64, 90, "every frame at the host")
            assert stop_agent(running) == 0
    assert max(host.received.values()) == 1


def pending(folder: Path) -> int:
    """How many frames wait in the outbox."""
    (file,) = (folder / "outbox").glob("*.sqlite")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as outbox:
        return int(outbox.execute("SELECT count(*) FROM frame").fetchone()[0])
