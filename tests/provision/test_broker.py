"""What was made, used by a real mosquitto: TLS, accounts, and each line of the access list."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_agent.__main__ import main as agent
from palier.provision.accounts import password_line
from palier.provision.certificates import issue_authority, new_key
from palier.provision.layout import ACL, PASSWORDS, accounts
from palier.provision.making import Wanted, provision
from tests.support.provisioned import ProvisionedBroker, connected, provisioned_broker
from tests.support.services import program
from tests.support.waiting import eventually

NOW = datetime.now(UTC)
GATEWAYS = ("-odd.Name_1", "gw-1", "gw-2")
ROOT_PASSWORD = "every topic, for the test alone"

# Every kind of topic, for each gateway, another site, another host; and what each account may do with it.
OWN = {n: {f"spBv1.0/usine/{k}/{n}" for k in ("NBIRTH", "NDEATH", "NDATA")} for n in GATEWAYS}
OWN_DEVICES = {n: {f"spBv1.0/usine/{k}/{n}/P-101" for k in ("DBIRTH", "DDEATH", "DDATA")} for n in GATEWAYS}
TO_NODE = {n: {f"spBv1.0/usine/NCMD/{n}", f"spBv1.0/usine/DCMD/{n}/P-101"} for n in GATEWAYS}
STATE = {"spBv1.0/STATE/palier"}
COMMAND = {"palier/v1/usine/command"}
REPLY = {"palier/v1/usine/reply/7f3a"}
NOBODY = {
    "spBv1.0/usine/NDATA/gw-1/P-101",  # a node's kind below the node
    "spBv1.0/usine/DDATA/gw-1/P-101/more",
    "spBv1.0/usine/NDATA/gw-10",
    "spBv1.0/usine/NDATA/stranger",
    "spBv1.0/autre/NDATA/gw-1",
    "spBv1.0/autre/NCMD/gw-1",
    "spBv1.0/STATE/other",
    "spBv1.0/STATE",
    "palier/v1/autre/command",
    "palier/v1/usine/check",
    "palier/v1/usine/command/more",
    "gw-1",
    "x",
}
IN_GROUP = {topic for topic in NOBODY if topic.startswith("spBv1.0/usine/")}
ALL_OWN = set().union(*OWN.values(), *OWN_DEVICES.values())
ALL_TO_NODES = set().union(*TO_NODE.values())
EVERY = ALL_OWN | ALL_TO_NODES | STATE | COMMAND | REPLY | NOBODY

MAY_WRITE = {
    **{node: OWN[node] | OWN_DEVICES[node] for node in GATEWAYS},
    "ingest": ALL_TO_NODES | STATE | REPLY,
    "console": COMMAND,
    "operator": COMMAND,
    "health": set(),
}
MAY_READ = {
    **{node: TO_NODE[node] | STATE for node in GATEWAYS},
    "ingest": ALL_OWN | ALL_TO_NODES | IN_GROUP | STATE | COMMAND,
    "console": REPLY,
    "operator": REPLY,
    "health": set(),
}

FIGURES = re.compile(r"\$SYS/broker/(publish/messages/dropped|clients/\w+)")
"""What the ingest watches of the broker."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "secrets of usine"
    provision(path, Wanted(site="usine", gateways=GATEWAYS), NOW)
    return path


@pytest.fixture(scope="module")
def broker(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvisionedBroker]:
    """With one more account, `root`, which may do everything: it shows what the others are not given."""
    workspace = tmp_path_factory.mktemp("broker")
    acl, passwords = workspace / "acl", workspace / "passwords"
    acl.write_text((folder / ACL).read_text() + "\nuser root\ntopic readwrite #\n")
    passwords.write_text((folder / PASSWORDS).read_text() + password_line("root", ROOT_PASSWORD) + "\n")
    acl.chmod(0o600)
    passwords.chmod(0o600)
    with provisioned_broker(folder, workspace, acl=acl, passwords=passwords) as running:
        yield running


def password(folder: Path, account: str) -> str:
    return (folder / accounts(GATEWAYS)[account]).read_text()


def tls(broker: ProvisionedBroker) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=broker.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does by default from 3.13 on
    return context


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "broker"])
def test_the_certificate_is_good_for_the_broker_s_names_by_the_strict_rules(
    broker: ProvisionedBroker, name: str
) -> None:
    with (
        socket.create_connection(("127.0.0.1", broker.port), 5) as plain,
        tls(broker).wrap_socket(plain, server_hostname=name) as wrapped,
    ):
        assert wrapped.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["broker.example.org", "127.0.0.2"])
def test_the_certificate_is_good_for_no_other_name(broker: ProvisionedBroker, name: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", broker.port), 5) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="not valid for"),
        tls(broker).wrap_socket(plain, server_hostname=name),
    ):
        pass


def test_a_client_that_trusts_another_authority_of_the_same_name_does_not_connect(
    broker: ProvisionedBroker,
) -> None:
    other = ssl.create_default_context(cadata=issue_authority(new_key(), "usine", NOW).decode())
    with (
        socket.create_connection(("127.0.0.1", broker.port), 5) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
        other.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


def test_plain_mqtt_is_not_answered(broker: ProvisionedBroker) -> None:
    connect = bytes.fromhex("100c00044d5154540402000a0000")
    with socket.create_connection(("127.0.0.1", broker.port), 5) as plain:
        plain.sendall(connect)
        try:
            answer = plain.recv(16)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"\x20")  # a TLS alert at most, no CONNACK


@pytest.mark.parametrize("account", sorted(MAY_WRITE))
def test_each_account_opens_with_its_password_alone(
    broker: ProvisionedBroker, folder: Path, account: str
) -> None:
    with connected(broker, account, password(folder, account)) as good:
        assert good.refusal is None
    with connected(broker, account, password(folder, account)[:-1]) as bad:
        assert "Not authorized" in str(bad.refusal)


@pytest.mark.parametrize(("name", "secret"), [(None, None), ("gw-1", None), ("stranger", "x"), ("", "")])
def test_nobody_else_is_let_in(broker: ProvisionedBroker, name: str | None, secret: str | None) -> None:
    with connected(broker, name, secret) as stranger:
        assert "Not authorized" in str(stranger.refusal)


@pytest.mark.parametrize("account", sorted(MAY_WRITE))
def test_each_account_writes_what_it_must_and_nothing_else(
    broker: ProvisionedBroker, folder: Path, account: str
) -> None:
    with connected(broker, account, password(folder, account)) as client:
        assert client.may_publish(sorted(EVERY)) == MAY_WRITE[account]


def test_each_account_is_given_what_it_must_read_and_nothing_else(
    broker: ProvisionedBroker, folder: Path
) -> None:
    """All subscribe to everything; the last message of each is one that it may read."""
    with ExitStack() as stack:
        readers = {
            account: stack.enter_context(connected(broker, account, password(folder, account)))
            for account in MAY_READ
        }
        for reader in readers.values():
            reader.subscribe("#", "$SYS/#")
        root = stack.enter_context(connected(broker, "root", ROOT_PASSWORD))
        last = [topic for node in GATEWAYS for topic in sorted(TO_NODE[node])] + sorted(COMMAND | REPLY)
        assert root.may_publish(sorted(EVERY - set(last))) == EVERY - set(last)
        assert root.may_publish(last) == set(last)
        for account, reader in readers.items():
            end = max(MAY_READ[account] & set(last), key=last.index, default="$SYS/broker/uptime")
            reader.heard += [] if end in last else ["from here"]
            eventually(lambda r=reader, e=end: e in _after(r.heard), 60, f"the last message to {account}")
        heard = {account: set(reader.heard) - {"from here"} for account, reader in readers.items()}
    assert {topic for topic in heard["ingest"] if topic.startswith("$SYS/")} >= {
        "$SYS/broker/publish/messages/dropped",
        "$SYS/broker/clients/connected",
    }
    heard["ingest"] = {topic for topic in heard["ingest"] if not FIGURES.fullmatch(topic)}
    assert heard == MAY_READ | {"health": {"$SYS/broker/uptime"}}


def _after(heard: list[str]) -> list[str]:
    return heard[heard.index("from here") :] if "from here" in heard else heard


def test_a_refused_message_of_mqtt_3_and_a_refused_will_reach_nobody(
    broker: ProvisionedBroker, folder: Path
) -> None:
    with connected(broker, "root", ROOT_PASSWORD) as root:
        root.subscribe("spBv1.0/#")
        theirs, own = "spBv1.0/usine/NDATA/gw-2", "spBv1.0/usine/NDATA/gw-1"
        v3 = MQTTProtocolVersion.MQTTv311
        secret = password(folder, "gw-1")
        with connected(broker, "gw-1", secret, protocol=v3, will="spBv1.0/usine/NDEATH/gw-2") as client:
            # Answered as if it had been taken: 3.1.1 has no word for a refusal.
            assert client.may_publish([theirs, own]) == {theirs, own}
            _break(client.client.socket())
        with connected(broker, "gw-1", secret, protocol=v3, will="spBv1.0/usine/NDEATH/gw-1") as client:
            _break(client.client.socket())
        eventually(lambda: "spBv1.0/usine/NDEATH/gw-1" in root.heard, 60, "the will that is allowed")
        assert root.heard == [own, "spBv1.0/usine/NDEATH/gw-1"]


def _break(connection: object) -> None:
    """Without a DISCONNECT, so that the broker publishes the will."""
    assert isinstance(connection, ssl.SSLSocket)
    connection.shutdown(socket.SHUT_RDWR)


def test_the_broker_s_health_check_logs_in_without_a_password_in_its_arguments(
    broker: ProvisionedBroker, folder: Path
) -> None:
    command = [program("mosquitto_sub"), "-h", "localhost", "-p", str(broker.port), "--cafile", broker.ca]
    found = subprocess.run(
        [*command, "-t", "$SYS/broker/uptime", "-C", "1", "-W", "5"],
        env=os.environ | {"XDG_CONFIG_HOME": str(folder / "broker")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert "seconds" in found.stdout


def test_an_agent_connects_with_what_is_in_its_folder(
    broker: ProvisionedBroker, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (folder / "gateways" / "gw-1").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    snippet = (tmp_path / "broker.toml").read_text().replace("port = 8883", f"port = {broker.port}")
    config = tmp_path / "agent.toml"
    config.write_text(f'site = "usine"\nnode = "gw-1"\ndata = "data"\n{snippet}[[source]]\ntype = "none"\n')
    agent(["--config", str(config), "--check"])
    assert f"ok      broker localhost:{broker.port} accepts MQTT 5" in capsys.readouterr().out
    (tmp_path / "password").write_text("another")
    agent(["--config", str(config), "--check"])
    assert "Not authorized; check username and password_file in [broker]" in capsys.readouterr().out


def test_a_reload_withdraws_an_account_and_takes_a_new_certificate(tmp_path: Path) -> None:
    made = tmp_path / "made"
    provision(made, Wanted(site="usine", gateways=("gw-1", "gw-2")), NOW)
    old = password(made, "gw-1")
    with provisioned_broker(made, tmp_path) as broker:
        for file in (made / "gateways" / "gw-1").iterdir():
            file.unlink()
        (made / "gateways" / "gw-1").rmdir()
        outcome = provision(made, Wanted(gateways=("gw-3",), hosts=("new.example.org",)), NOW)
        assert "SIGHUP" in outcome.advice[0]
        broker.reload()
        with connected(broker, "gw-1", old) as withdrawn:
            assert withdrawn.refusal is not None
        with connected(broker, "gw-3", password_of(made, "gw-3")) as added:
            assert added.may_publish(["spBv1.0/usine/NDATA/gw-3"])
        with (
            socket.create_connection(("127.0.0.1", broker.port), 5) as plain,
            tls(broker).wrap_socket(plain, server_hostname="new.example.org") as wrapped,
        ):
            assert wrapped.version()


def password_of(folder: Path, node: str) -> str:
    return (folder / "gateways" / node / "password").read_text()
