"""Checking a folder: what is amiss is told, and a damaged original is never written over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from palier.provision.changes import Did
from palier.provision.checking import Verdict, check
from palier.provision.files import Folder, ProvisionError
from palier.provision.making import Outcome, Wanted, provision
from tests.support.provision_folder import NOW, amiss, make


def test_certificates_are_told_before_they_expire_and_after(made: Path) -> None:
    assert amiss(made, NOW + timedelta(days=825 - 31)) == {}
    soon = amiss(made, NOW + timedelta(days=825 - 30))
    assert {name: finding.verdict for name, finding in soon.items()} == {"broker/server.crt": Verdict.WARNING}
    assert "30 days from now" in soon["broker/server.crt"].text
    late = amiss(made, NOW + timedelta(days=825))["broker/server.crt"]
    assert (late.verdict, late.bad) == (Verdict.EXPIRED, True)
    assert "--renew server" in late.text
    early = amiss(made, NOW - timedelta(days=2))
    assert {"ca.crt", "broker/server.crt"} == set(early)
    assert "is this clock right?" in early["ca.crt"].text


FAULTS = {
    "secrets/influx_admin_token": (b"", "is empty"),
    "secrets/mqtt_ingest_password": (b" a b \n", "without blanks at its ends"),
    "gateways/gw-1/password": (b"\xff", "must be UTF-8 text"),
    "ca.crt": (b"nonsense", "is not a certificate in PEM"),
    "broker/server.crt": (b"nonsense", "is not a certificate in PEM"),
    "broker/server.key": (b"nonsense", "is not a private key in PEM"),
    "authority/ca.key": (b"nonsense", "is not a private key in PEM"),
    "broker/ca.crt": (b"nonsense", "does not fit the other files"),
    "broker/passwords": (b"nonsense", "does not fit the other files"),
    "broker/acl": (b"topic readwrite #\n", "does not fit the other files"),
    "gateways/gw-1/broker.toml": (b"", "does not fit the other files"),
}


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=str)
def test_a_file_that_was_damaged_is_told(made: Path, name: str, fault: tuple[bytes, str]) -> None:
    (made / name).write_bytes(fault[0])
    finding = amiss(made)[name]
    assert finding.verdict is Verdict.WRONG
    assert fault[1] in finding.text


@pytest.mark.parametrize("name", ["broker/ca.crt", "broker/passwords", "broker/acl"])
def test_a_damaged_file_that_follows_from_others_is_made_anew(made: Path, name: str) -> None:
    (made / name).write_bytes(b"nonsense")
    provision(made, Wanted(), NOW)
    assert amiss(made) == {}


@pytest.mark.parametrize(
    "name", ["secrets/mqtt_console_password", "ca.crt", "broker/server.crt", "broker/server.key"]
)
def test_a_damaged_original_is_not_written_over(made: Path, name: str) -> None:
    (made / name).write_bytes(b"\xff damaged")
    with pytest.raises(ProvisionError, match=name):
        provision(made, Wanted(), NOW)
    assert (made / name).read_bytes() == b"\xff damaged"


def test_a_foreign_certificate_is_told(made: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    (made / "broker/server.crt").write_bytes((other / "broker/server.crt").read_bytes())
    assert {"ca.crt", "broker/server.key"} <= set(amiss(made))


def test_what_others_may_read_is_told_and_closed(made: Path) -> None:
    (made / "secrets").chmod(0o755)
    (made / "secrets/mqtt_ingest_password").chmod(0o640)
    assert set(amiss(made)) == {"secrets", "secrets/mqtt_ingest_password"}
    outcome = provision(made, Wanted(), NOW)
    assert {change.did for change in outcome.changes} == {Did.CLOSED}
    assert amiss(made) == {}


def test_a_folder_where_a_file_must_be_is_told(made: Path) -> None:
    (made / "secrets/grafana_admin_password").unlink()
    (made / "secrets/grafana_admin_password").mkdir()
    assert "Docker" in amiss(made)["secrets/grafana_admin_password"].text
    with pytest.raises(ProvisionError, match="Docker makes one"):
        provision(made, Wanted(), NOW)


def test_no_secret_is_in_what_is_told(made: Path) -> None:
    outcome: Outcome = provision(made, Wanted(gateways=("gw-3",), renew=("server",)), NOW)
    told = repr(outcome) + repr(check(made, NOW)) + repr(Folder(made))
    secrets = [
        file.read_text() for name in ("secrets", "gateways") for file in (made / name).rglob("*password")
    ]
    assert len(secrets) > 5
    assert not [secret for secret in secrets if secret in told]
