"""Against a real OPC UA server in a process of its own: whatever befalls it, values come again in time."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.sources.opcua import OpcUaSource, open_source
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD
from tests.support.listened import Listened, listened
from tests.support.opcua_certificates import application
from tests.support.opcua_server import ACCOUNT, URI, OpcUaServer, running_server
from tests.support.waiting import eventually

AGAIN_S = 15.0
"""What is promised: data again so soon after the server is there again, or after its silence began."""
BUSY_S = 60.0
"""Until a test that does not measure it gives up: the machine has other things to do."""

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def source(server: OpcUaServer, nodes: dict[str, str], **more: object) -> OpcUaSource:
    values = [
        {"channel": channel, "unit": "unknown", "node_id": f"nsu={URI};s=Pompe.{node}"}
        for channel, node in nodes.items()
    ]
    table = {
        "url": server.url,
        "security": "None",
        "machine": "pompe",
        "point": "p1",
        "every_s": 0.2,
        "send_every_s": 0.2,
    }
    return open_source({**table, "value": values, **more}, PlantClock())


@contextmanager
def heard(server: OpcUaServer, **more: object) -> Iterator[tuple[Listened, OpcUaSource]]:
    """A source that has given its first values."""
    one = source(server, {"n": "Vitesse", "l": "Charge"}, **more)
    with listened(one) as told:
        told.wait_good("p1/n")
        yield told, one


def test_numbers_come_as_they_change_and_the_rest_is_read_and_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    nodes = {
        "n": "Vitesse",
        "l": "Charge",
        "t": "Palier",
        "m": "Marche",
        "x": "Nom",
        "y": "Serie",
        "z": "Tard",
    }
    with running_server() as server, listened(source(server, nodes, read_s=1.0)) as told:
        eventually(lambda: len(told.good("p1/n")) > 8, 30, "changes of the speed")
        times = [t for _, frame in told.frames if "p1/n" in frame.channels for t in frame.times_ns.tolist()]
        assert abs(times[-1] - time.time_ns()) < 60e9  # the server's own, in the time of day
        eventually(lambda: len(told.good("p1/l")) > 2, 30, "the load, which never changes, read again")
        assert set(told.good("p1/l")) == {42.0}
        assert set(told.good("p1/m")) == {1.0}
        assert told.good("p1/x") == told.good("p1/y") == told.good("p1/z") == []
        assert set(told.qualities("p1/x")) == {QUALITY_BAD}
        assert "must hold a number, it holds str 'P-101'" in caplog.text
        assert "must hold a number, it holds list" in caplog.text
        assert caplog.text.count("BadNodeIdUnknown: it has no such node; look node_id up there") == 1
        server.tell("bad")
        eventually(lambda: told.qualities("p1/t")[-1] == QUALITY_BAD, 30, "a bad status")
        assert "BadSensorFailure" in caplog.text
        server.tell("good")
        eventually(lambda: told.good("p1/t")[-1] == 56.0, 30, "a good status again")
        server.tell("new")
        told.wait_good("p1/z")


def test_every_change_is_told_at_once_and_the_newest_travels_each_half_minute() -> None:
    heard_at_once: list[float] = []
    with running_server() as server:
        one = source(server, {"n": "Vitesse"}, send_every_s=30.0)
        one.tell(lambda readings: heard_at_once.extend(readings.values[0].tolist()))
        with listened(one) as told:
            eventually(lambda: len(heard_at_once) > 8, 30, "changes of the speed")
            eventually(lambda: told.good("p1/n"), 30, "the first that travels")
            assert len(told.good("p1/n")) == 1


def test_a_check_finds_the_server_and_names_a_node_that_is_not_there() -> None:
    with running_server() as server:
        source(server, {"n": "Vitesse"}).attempt()
        with pytest.raises(OSError, match=r"Pompe\.Rien: the server says BadNodeIdUnknown"):
            source(server, {"n": "Vitesse", "x": "Rien"}).attempt()
    with pytest.raises(OSError, match="nothing listens there"):
        source(server, {"n": "Vitesse"}).attempt()


def test_a_killed_server_is_told_as_bad_and_gives_values_again_in_time() -> None:
    with running_server() as server, heard(server) as (told, one):
        killed_s = time.monotonic()
        server.kill()
        eventually(lambda: QUALITY_BAD in told.qualities("p1/n", killed_s), BUSY_S, "bad values")
        eventually(lambda: "can't be reached" in one.problem, 30, "the reason")
        server.start()
        told.wait_good("p1/n", BUSY_S)
        assert one.problem == ""


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("security", ["None", "Basic256Sha256"])
def test_a_server_killed_twenty_times_gives_values_again_in_time(security: str, tmp_path: Path) -> None:
    folder = None if security == "None" else provided(tmp_path)
    more = {} if folder is None else secured(tmp_path)
    with running_server(folder) as server, heard(server, **more) as (told, _):
        took = []
        for _ in range(20):
            server.kill()
            server.start()
            took.append(told.wait_good("p1/n", BUSY_S))
        assert max(took) < AGAIN_S


@pytest.mark.faults
@pytest.mark.faults_ci
def test_a_server_that_stands_still_with_its_connections_open_is_left_and_found_again() -> None:
    with running_server() as server, heard(server) as (told, one):
        stopped_s = time.monotonic()
        server.signal(signal.SIGSTOP)
        try:
            eventually(lambda: QUALITY_BAD in told.qualities("p1/n", stopped_s), BUSY_S, "bad values")
            eventually(lambda: "does not answer" in one.problem, 30, "the reason")
        finally:
            server.signal(signal.SIGCONT)
        told.wait_good("p1/n", BUSY_S)


@pytest.mark.faults
@pytest.mark.parametrize("misdeed", ["mute", "drop", "forget"])
def test_a_server_that_forgets_without_a_word_is_found_out(misdeed: str) -> None:
    """Stopped publishing, a dropped subscription, a forgotten session: the connection stays open in all."""
    with running_server() as server, heard(server, read_s=60.0) as (told, one):
        server.tell(misdeed)
        began_s = time.monotonic()
        eventually(lambda: one.connections > 1, AGAIN_S, f"a new connection after {misdeed}")
        told.wait_good("p1/n", AGAIN_S, began_s)


@pytest.mark.faults
def test_an_item_that_is_lost_while_its_subscription_lives_is_found_out_by_reading() -> None:
    with running_server() as server, heard(server, read_s=1.0) as (told, one):
        server.tell("unhook")
        eventually(lambda: one.connections > 1, 60, "a new connection")
        told.wait_good("p1/n", AGAIN_S)


def provided(folder: Path, *, trusted: bool = True) -> Path:
    """The server's certificate and ours, in files; ours among those that the server trusts."""
    application("automate", which=0).write(folder, "server")
    application("passerelle", which=1).write(folder, "gateway")
    (folder / "trusted").mkdir()
    if trusted:
        (folder / "trusted" / "gateway.der").write_bytes((folder / "gateway.der").read_bytes())
    return folder


def secured(folder: Path) -> dict[str, object]:
    """What agent.toml says of it."""
    password = folder / "password"
    password.write_text(f"{ACCOUNT[1]}\n", encoding="utf-8")
    password.chmod(0o600)
    return {
        "security": "Basic256Sha256",
        "certificate_file": str(folder / "gateway.pem"),
        "key_file": str(folder / "gateway.key"),
        "server_certificate_file": str(folder / "server.pem"),
        "username": ACCOUNT[0],
        "password_file": str(password),
    }


def test_over_basic256sha256_with_an_account_values_come_and_no_secret_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running_server(provided(tmp_path)) as server, heard(server, **secured(tmp_path)) as (told, one):
        assert told.good("p1/l")[-1] == 42.0
        assert told.qualities("p1/l")[-1] == QUALITY_GOOD
        assert one.notes == ()
    assert ACCOUNT[1] not in caplog.text
    assert ACCOUNT[1] not in repr(vars(one))


def refusal(server: OpcUaServer, words: str, more: dict[str, object]) -> str:
    """The problem of a source that can't connect, once it holds those words."""
    one = source(server, {"n": "Vitesse"}, **more)
    with listened(one) as told:
        eventually(lambda: words in one.problem, 30, f"{words!r}")
        assert told.good("p1/n") == []
    return one.problem


def test_what_a_server_or_its_certificate_refuses_is_said(tmp_path: Path) -> None:
    folder = provided(tmp_path)
    with running_server(folder) as server:
        more = secured(folder)
        (folder / "password").write_text("faux", encoding="utf-8")
        assert "look at username and password_file" in refusal(server, "refuses palier", more)
        secured(folder)
        other = application("un autre", which=2).write(folder, "other")
        said = refusal(server, "another certificate", {**more, "server_certificate_file": str(other)})
        assert "somebody pretends to be the server" in said
        del more["server_certificate_file"]
        refusal(server, "was not issued by other.pem", {**more, "server_ca_file": str(other)})
        more = secured(folder)
        mine = str(application("inconnue", which=2).write(folder, "unknown"))
        more |= {"certificate_file": mine, "key_file": str(folder / "unknown.key")}
        assert "trust" in refusal(server, "certificate", more)


def test_a_server_of_an_authority_is_taken(tmp_path: Path) -> None:
    folder = provided(tmp_path)
    authority = application("autorité", which=2, authority=True, uri="")
    authority.write(folder, "ca")
    application("automate", which=0, issuer=authority).write(folder, "server")
    more = {**secured(folder), "server_ca_file": str(folder / "ca.pem")}
    del more["server_certificate_file"]
    with running_server(folder) as server, heard(server, **more) as (told, _):
        assert told.good("p1/l")
