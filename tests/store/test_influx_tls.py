"""An InfluxDB behind a certificate of a private authority: reading, both ways of writing, the set-up."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from palier.commands.historian import historian
from palier.historian.base import Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.provision.certificates import issue_authority, issue_server, new_key
from tests.support.influx_scripted import Answer, running_scripted, well
from tests.support.influx_v2_stub import ADMIN_TOKEN, running_v2_stub
from tests.support.stores import readings


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Of localhost and 127.0.0.1; its authority is in ca.crt."""
    now, key, authority_key = datetime.now(UTC), new_key(), new_key()
    authority = issue_authority(authority_key, "usine", now)
    names = ("localhost", "127.0.0.1")
    issued = issue_server(
        key, names, site="usine", authority_pem=authority, authority_key_pem=authority_key, now=now
    )
    for name, pem in (("ca.crt", authority), ("server.crt", issued), ("server.key", key)):
        (tmp_path / name).write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    return context


@pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
def test_both_ways_of_writing_trust_the_authority(tls: ssl.SSLContext, tmp_path: Path, path: str) -> None:
    def answer(asked: str, body: bytes) -> Answer:
        missing = asked == "/api/v2/write" and path == "/write"
        return (404, {}, b"404 page not found") if missing else well(asked, body)

    with running_scripted(tls) as server:
        server.answer = answer
        store = InfluxHistorian(Server(server.url, Account(token="t"), ca_file=tmp_path / "ca.crt"))
        assert store.write([readings([1], [1.0])])[0].accepted == 1
        assert store.sites() == ()
        store.close()
        assert path in {asked for asked, _ in server.seen}


@pytest.mark.parametrize("ca", [None, "server.key", "absent"])
def test_without_the_authority_nothing_is_said_to_it(
    tls: ssl.SSLContext, tmp_path: Path, ca: str | None
) -> None:
    with running_scripted(tls) as server:
        ca_file = tmp_path / ca if ca else None
        store = InfluxHistorian(Server(server.url, Account(token="t"), ca_file=ca_file))
        with pytest.raises(Unavailable, match="`ca_file` must be"):
            store.sites()
        store.close()
        assert server.seen == []


def test_a_set_up_trusts_the_authority_and_keeps_tokens_that_work(
    tls: ssl.SSLContext, tmp_path: Path
) -> None:
    (tmp_path / "admin").write_text(ADMIN_TOKEN)
    with running_v2_stub(tls) as stub:
        for _ in range(2):
            done = CliRunner().invoke(
                historian,
                [
                    *("setup", "--url", stub.url, "--ca-file", str(tmp_path / "ca.crt")),
                    f"--admin-token-file={tmp_path / 'admin'}",
                    *(f"--{who}-token-file={tmp_path / who}" for who in ("writer", "reader")),
                ],
            )
            assert done.exit_code == 0, f"{done.output}{done.exception or ''}"
        assert len(stub.tokens) == 2
