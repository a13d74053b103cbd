"""TLS to a broker: who is refused, in which words, and until when it holds."""

from __future__ import annotations

import socket
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palier.tls import certificate_ends, client_context, why_not
from tests.support.bad_certificates import Authority, authority, shows


@dataclass(frozen=True)
class Broker:
    port: int
    tls_ca: Path | None
    host: str = "127.0.0.1"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("other"))


def refusal(broker: Broker) -> str:
    """Why a client does not connect."""
    assert broker.tls_ca is not None
    with (
        pytest.raises(OSError, match=r".") as told,
        socket.create_connection((broker.host, broker.port), 5) as s,
    ):
        client_context(broker.tls_ca).wrap_socket(s, server_hostname=broker.host).close()
    return why_not(told.value, broker)


def test_a_certificate_that_is_good_is_taken_and_its_end_told(ours: Authority) -> None:
    with shows(*ours.issue(days=90)) as port:
        ends = certificate_ends(Broker(port, ours.ca))
    assert ends is not None
    assert abs(ends - datetime.now(UTC) - timedelta(days=90)) < timedelta(hours=1)


def test_the_end_is_the_authority_s_where_that_comes_first(ours: Authority, tmp_path: Path) -> None:
    from palier.provision.certificates import AUTHORITY_DAYS, issue_authority

    began = datetime.now(UTC) - timedelta(days=AUTHORITY_DAYS - 10)
    old = tmp_path / "old.crt"
    old.write_bytes(issue_authority(ours.key, "usine", began))
    both = tmp_path / "both.crt"
    both.write_bytes(old.read_bytes() + ours.pem)
    with shows(*ours.issue(days=90)) as port:
        left = [certificate_ends(Broker(port, ca)) for ca in (old, both)]
    assert [(end - datetime.now(UTC)).days for end in left if end is not None] == [9, 89]


def test_nobody_who_answers_has_no_end(ours: Authority, other: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert certificate_ends(Broker(port, None)) is None
    assert certificate_ends(Broker(port, ours.ca)) is None
    assert certificate_ends(Broker(port, ours.folder / "none")) is None
    with shows(*ours.issue()) as port:
        assert certificate_ends(Broker(port, other.ca)) is None


@pytest.mark.parametrize(
    ("issue", "sentence"),
    [
        ({"begins": timedelta(days=-100)}, "has expired"),
        ({"begins": timedelta(days=3)}, "not valid yet: is the clock of this machine right?"),
        ({"names": ("broker.example.org",)}, "is not for 127.0.0.1: use a name that it holds"),
    ],
    ids=["expired", "early", "name"],
)
def test_a_certificate_with_a_fault_is_refused(
    ours: Authority, issue: dict[str, object], sentence: str
) -> None:
    with shows(*ours.issue(**issue)) as port:  # type: ignore[arg-type]
        assert sentence in refusal(Broker(port, ours.ca))


def test_another_authority_of_the_same_name_is_refused(ours: Authority, other: Authority) -> None:
    with shows(*other.issue()) as port:
        assert f"not of the authority in {ours.ca}" in refusal(Broker(port, ours.ca))


def test_tls_before_1_2_is_refused(ours: Authority) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with shows(*ours.issue(), oldest=ssl.TLSVersion.TLSv1, newest=ssl.TLSVersion.TLSv1_1) as port:
            assert "update the broker" in refusal(Broker(port, ours.ca))


def test_the_system_s_authorities_are_not_trusted(ours: Authority) -> None:
    assert len(client_context(ours.ca).get_ca_certs()) == 1


def test_a_port_without_tls_is_told(ours: Authority) -> None:
    class Plain(Broker):
        pass

    for error in (ConnectionResetError(104, "reset"), _ssl("WRONG_VERSION_NUMBER")):
        assert "does not speak TLS: give the broker's port for TLS" in why_not(error, Plain(1883, ours.ca))


def _ssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def test_what_is_wrong_on_the_way_is_told(tmp_path: Path) -> None:
    broker = Broker(8883, tmp_path / "ca.crt", "nowhere.invalid")
    with pytest.raises(OSError, match="No such file") as missing:
        client_context(tmp_path / "ca.crt")
    assert (
        why_not(missing.value, broker)
        == f"tls_ca {tmp_path / 'ca.crt'} can't be read: No such file or directory"
    )
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(ssl.SSLError) as none:
        client_context(tmp_path / "ca.crt")
    assert "holds no certificate in PEM" in why_not(none.value, broker)
    assert "nothing listens there" in why_not(ConnectionRefusedError(111, "refused"), broker)
    assert "did not answer in time" in why_not(TimeoutError("timed out"), broker)
    with pytest.raises(socket.gaierror) as unknown:
        socket.getaddrinfo("nowhere.invalid", 8883)
    assert "host name is not known here" in why_not(unknown.value, broker)
