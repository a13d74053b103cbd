"""What the doctor looks at."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palier import diagnostics, extras
from palier.diagnostics import (
    Verdict,
    check_access,
    check_broker,
    check_broker_over_tls,
    check_clock,
    check_disk,
    check_extras,
    check_places,
    check_stores,
)
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.sqlite import SqliteHistorian
from palier.provision.making import Wanted, provision
from tests.support.bad_certificates import authority
from tests.support.provisioned import provisioned_broker
from tests.support.services import Mosquitto, free_port


def test_every_fault_has_a_remedy(tmp_path: Path) -> None:
    for check in diagnostics.check_all(broker=f"127.0.0.1:{free_port()}", data=tmp_path):
        assert check.remedy or check.verdict is Verdict.OK, check


def test_this_installation_comes_from_one_place() -> None:
    assert check_places().verdict is Verdict.OK


def test_a_folder_that_shadows_a_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    check = check_places(("palier", "shadow"))
    assert check.verdict is Verdict.FAILED
    assert str(tmp_path) in check.found
    assert "shadow" not in sys.modules


def test_a_missing_package_is_found() -> None:
    assert "nowhere_to_be_found" in check_places(("palier", "nowhere_to_be_found")).found


def test_a_real_broker_answers(mosquitto: Mosquitto) -> None:
    assert check_broker(f"127.0.0.1:{mosquitto.port}").verdict is Verdict.OK


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers the first message of one client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(100)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "verdict", "told"),
    [
        (b"\x20\x02\x00\x00", Verdict.OK, "answers"),
        (b"\x20\x02\x00\x05", Verdict.OK, "asks for an account"),
        (b"\x20\x02\x00\x03", Verdict.FAILED, "refuses with code 3"),
        (b"HTTP/1.1 400", Verdict.FAILED, "not as MQTT"),
        (b"", Verdict.FAILED, "not as MQTT"),
    ],
)
def test_an_answer_is_understood(answer: bytes, verdict: Verdict, told: str) -> None:
    with answering(answer) as address:
        check = check_broker(address)
    assert check.verdict is verdict
    assert told in check.found


def test_a_broker_is_tried_by_tls_and_its_certificate_told(tmp_path: Path) -> None:
    made = tmp_path / "made"
    provision(made, Wanted(site="usine"), datetime.now(UTC))
    assert check_access(made).verdict is Verdict.OK
    ca = made / "ca.crt"
    with provisioned_broker(made, tmp_path) as broker:
        good = check_broker_over_tls(f"localhost:{broker.port}", ca)
        assert (good.verdict, "asks for an account, by TLS until 20" in good.found) == (Verdict.OK, True)
        other = authority(tmp_path / "other")
        foreign = check_broker_over_tls(f"localhost:{broker.port}", other.ca)
        assert (foreign.verdict, "not of the authority" in foreign.found) == (Verdict.FAILED, True)
        assert foreign.remedy.startswith("copy ca.crt")
        provision(made, Wanted(renew=("server",), days=29), datetime.now(UTC))
        broker.reload()
        soon = check_broker_over_tls(f"localhost:{broker.port}", ca)
        assert (soon.verdict, "--check" in soon.remedy) == (Verdict.FAILED, True)
        plain = check_broker(f"127.0.0.1:{broker.port}")
        assert (plain.verdict, plain.remedy != "") == (Verdict.FAILED, True)
    assert "broker/server.crt until" in check_access(made).found
    assert "there is no folder" in check_access(tmp_path / "none").found
    assert "is no HOST:PORT" in check_broker_over_tls("localhost:x", ca).found


@pytest.mark.parametrize("address", ["127.0.0.1:x", ":1883", "127.0.0.1:70000", "127.0.0.1:0"])
def test_an_address_that_is_none(address: str) -> None:
    assert "is no HOST:PORT" in check_broker(address).found


def test_a_clock_before_the_installation_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palier.diagnostics.time.time", lambda: 0.0)
    assert check_clock().verdict is Verdict.FAILED


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_disk(tmp_path / "not" / "yet").verdict is Verdict.OK
    monkeypatch.setattr(diagnostics, "FREE_BYTES", 2**62)
    assert check_disk(tmp_path).verdict is Verdict.FAILED


def test_stores_are_opened(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path).create()
    SqliteHistorian(folder.historian).close()
    Records(folder.records).close()
    assert [c.verdict for c in check_stores(tmp_path)] == [Verdict.OK, Verdict.OK]
    folder.records.write_bytes(b"not a database, but long enough to be read as the header of one" * 20)
    assert [c.verdict for c in check_stores(tmp_path)] == [Verdict.OK, Verdict.FAILED]


def test_series_in_an_influxdb_are_no_fault(tmp_path: Path) -> None:
    Records(DataFolder(tmp_path).create().records).close()
    series, records = check_stores(tmp_path)
    assert (series.name, series.verdict) == ("historian", Verdict.INFO)
    assert "palier ingest --config FILE --check" in series.remedy
    assert records.verdict is Verdict.OK


def test_extras_are_listed_with_advice_that_works_in_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    found = {check.name: check for check in check_extras()}
    assert {"extra influx", "extra provision", "extra web"} <= set(found)
    assert found["extra influx"].verdict is Verdict.INFO
    assert "pip install '.[influx]'" in found["extra influx"].remedy
