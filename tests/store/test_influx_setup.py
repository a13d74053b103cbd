"""What an InfluxDB is given: databases, retention, and two accounts that can do no more than they need."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from palier.commands.historian import historian
from palier.historian.base import HistorianError, Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from palier.historian.schema import LONG_RUN_DAYS, RAW_DAYS
from tests.support.influxd import ADMIN, Influxd
from tests.support.stores import SITE, readings

PASSWORDS = {WRITER: "it's \\ writer", READER: "reader"}


@pytest.fixture
def database(influxd: Influxd) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    for each in (name, f"{name}_hourly"):
        influxd.query(f'DROP DATABASE "{each}"')


@pytest.fixture
def ready(influxd: Influxd, database: str) -> str:
    server = Server(influxd.url, Account(*ADMIN))
    set_up_1(server, database, PASSWORDS, Account(*ADMIN))
    server.close()
    return database


def as_account(influxd: Influxd, account: str, database: str) -> InfluxHistorian:
    return InfluxHistorian(Server(influxd.url, Account(account, PASSWORDS[account])), database)


def retention(influxd: Influxd, database: str) -> list[object]:
    _, body = influxd.query(f'SHOW RETENTION POLICIES ON "{database}"')
    (policy,) = json.loads(body)["results"][0]["series"][0]["values"]
    return policy[1:3]  # type: ignore[no-any-return]


def test_each_database_keeps_what_it_must(influxd: Influxd, ready: str) -> None:
    assert retention(influxd, ready) == [f"{RAW_DAYS * 24}h0m0s", "24h0m0s"]
    assert retention(influxd, f"{ready}_hourly") == [f"{LONG_RUN_DAYS * 24}h0m0s", f"{182 * 24}h0m0s"]


def test_the_writer_writes_and_reads_and_does_no_more(influxd: Influxd, ready: str) -> None:
    writer = as_account(influxd, WRITER, ready)
    now_ns = 4 * 10**18  # far ahead: no retention of the past touches it
    assert writer.write([readings([now_ns], [1.0])])[0].accepted == 1
    assert len(writer.read("reading", ["value"], site=SITE)) == 1
    with pytest.raises(Unavailable, match="refuses this account"):
        writer._server.command("CREATE DATABASE more")
    with pytest.raises(Unavailable, match="refuses this account"):
        as_account(influxd, WRITER, "_internal").write([readings([now_ns], [1.0])])
    writer.close()


def test_the_reader_reads_and_can_not_write(influxd: Influxd, ready: str) -> None:
    reader = as_account(influxd, READER, ready)
    assert len(reader.read("reading", ["value"], site=SITE)) == 0
    with pytest.raises(Unavailable, match="refuses this account"):
        reader._server.write(ready, [b"reading,site=a value=1 1"])
    with pytest.raises(Unavailable, match="refuses this account"):
        reader._server.command('DELETE FROM "reading"', ready)
    reader.close()


def asked(influxd: Influxd, account: str, query: str, database: str, *, by: str) -> int:
    """The status of a query by GET, as a dashboard may send it, or by POST."""
    who = {"u": account, "p": PASSWORDS[account], "db": database}
    what = {"q": query}
    url = f"{influxd.url}/query?{urlencode(who if by == 'POST' else who | what)}"
    try:
        with urlopen(Request(url, urlencode(what).encode() if by == "POST" else None), timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("by", ["GET", "POST"])
def test_the_reader_deletes_nothing_whatever_way_it_asks(influxd: Influxd, ready: str, by: str) -> None:
    """InfluxDB 1.x lets who may write also delete rows and retention: that account is the ingest's alone."""
    writer = as_account(influxd, WRITER, ready)
    writer.write([readings([4 * 10**18], [1.0])])
    whole = ("DROP MEASUREMENT reading", f'DROP DATABASE "{ready}"', "CREATE USER x WITH PASSWORD 'x'")
    for query in (*whole, f'DROP RETENTION POLICY "autogen" ON "{ready}"', "SHOW USERS"):
        assert asked(influxd, READER, query, ready, by=by) == 403, query
    for query in ("DROP SERIES FROM reading", "DELETE FROM reading", "SELECT * INTO x FROM reading"):
        assert asked(influxd, READER, query, ready, by=by) in (400, 403), query
        assert asked(influxd, READER, f"SHOW MEASUREMENTS; {query}", ready, by=by) in (400, 403), query
    for query in whole:
        assert asked(influxd, WRITER, query, ready, by=by) == 403, query
    assert len(writer.read("reading", ["value"], site=SITE)) == 1
    writer.close()


def test_a_second_time_changes_nothing_but_the_passwords(influxd: Influxd, ready: str) -> None:
    before = influxd.query("SHOW USERS")[1], retention(influxd, ready)
    server = Server(influxd.url, Account(*ADMIN))
    set_up_1(server, ready, {**PASSWORDS, READER: "changed"}, Account(*ADMIN))
    server.close()
    assert (influxd.query("SHOW USERS")[1], retention(influxd, ready)) == before
    with pytest.raises(Unavailable, match="refuses this account"):
        as_account(influxd, READER, ready).sites()
    changed = InfluxHistorian(Server(influxd.url, Account(READER, "changed")), ready)
    assert changed.sites() == ()
    changed.close()


def test_a_database_that_was_there_gets_its_retention(influxd: Influxd, database: str) -> None:
    influxd.query(f'CREATE DATABASE "{database}"')
    server = Server(influxd.url, Account(*ADMIN))
    set_up_1(server, database, PASSWORDS, Account(*ADMIN))
    server.close()
    assert retention(influxd, database)[0] == f"{RAW_DAYS * 24}h0m0s"


def test_rows_that_are_there_are_not_deleted_without_a_word(influxd: Influxd, database: str) -> None:
    influxd.query(f'CREATE DATABASE "{database}"')
    influxd.write(b"reading,site=usine,machine=m value=1 10", database)
    server = Server(influxd.url, Account(*ADMIN))
    with pytest.raises(HistorianError, match=r"holds rows and keeps them for ever.*give --shorten"):
        set_up_1(server, database, PASSWORDS, Account(*ADMIN))
    assert retention(influxd, database)[0] == "0s"
    set_up_1(server, database, PASSWORDS, Account(*ADMIN), shorten=True)
    server.close()
    assert retention(influxd, database)[0] == f"{RAW_DAYS * 24}h0m0s"


def test_a_fresh_server_gets_its_first_administrator(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    server = Influxd(tmp_path / "own")
    server.start(administrator=False)
    try:
        admin = Account("palier_admin", "secret")
        target = Server(server.url, admin)
        assert set_up_1(target, "palier", PASSWORDS, admin).databases == ("palier", "palier_hourly")
        target.close()
    finally:
        server.kill()


def test_the_command_makes_all_and_says_what(influxd: Influxd, database: str, tmp_path: Path) -> None:
    for name, text in (("admin", ADMIN[1]), ("writer", "planted-w\n"), ("reader", "planted-r\n")):
        (tmp_path / name).write_text(text)
    files = [f"--{name}-password-file={tmp_path / name}" for name in ("admin", "writer", "reader")]
    command = ["setup", "--url", influxd.url, "--database", database, "--admin-user", ADMIN[0], *files]
    done = CliRunner().invoke(historian, [*command, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["databases"] == [database, f"{database}_hourly"]
    assert found["accounts"] == [WRITER, READER]
    assert "planted" not in done.output
    told = CliRunner().invoke(historian, command)
    assert f"has {database} and {database}_hourly" in told.output


def test_what_is_missing_is_said(influxd: Influxd, tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(ADMIN[1])
    command = ["setup", "--url", influxd.url, f"--admin-password-file={tmp_path / 'admin'}"]
    done = CliRunner().invoke(historian, command)
    assert done.exit_code == 1
    assert "give --admin-password-file, --writer-password-file" in str(done.exception or done.output)


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:9", Account(*ADMIN))
    with pytest.raises(HistorianError, match="does not answer"):
        set_up_1(server, "palier", PASSWORDS, Account(*ADMIN))
