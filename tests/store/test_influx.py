"""What only a historian behind a network has: accounts, faults, refusals, a server's memory of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier.historian.base import HistorianError, Rejected, SchemaError, Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influxql import Value, Values, literal
from tests.support.influx_front import Front
from tests.support.influxd import ADMIN, Influxd, influx_historian, running_influxd
from tests.support.stores import SITE, readings, rows
from tests.support.waiting import eventually

NOW_NS = time.time_ns()


@pytest.fixture
def historian(influxd: Influxd) -> Iterator[InfluxHistorian]:
    with influx_historian(influxd, influxd.url) as store:
        yield store


@pytest.fixture
def fronted(influxd: Influxd, influx_front: Front) -> Iterator[InfluxHistorian]:
    with influx_historian(influxd, influx_front.url) as store:
        yield store
    influx_front.fault = None


def name_of(historian: InfluxHistorian) -> str:
    return historian._database


@pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
def test_a_wrong_password_is_said_with_what_to_do(influxd: Influxd, influx_front: Front, path: str) -> None:
    url = influxd.url if path == "/write" else influx_front.url
    store = InfluxHistorian(Server(url, Account("admin", "wrong")), "palier")
    with pytest.raises(Unavailable, match=r"refuses this account for 'palier'.*palier historian setup"):
        store.write([readings([1], [1.0])])
    with pytest.raises(Unavailable, match="check the token or password"):
        store.read("reading", ["value"], site=SITE)
    store.close()


def test_no_secret_is_in_a_sentence_or_a_repr(influxd: Influxd) -> None:
    account = Account("admin", "planted-secret")
    store = InfluxHistorian(Server(influxd.url, account), "palier")
    with pytest.raises(Unavailable) as raised:
        store.write([readings([1], [1.0])])
    store.close()
    assert "planted-secret" not in f"{raised.value!r} {account!r} {Account(token='planted-secret')!r}"


@pytest.mark.parametrize("front", [False, True], ids=["1.6", "1.8"])
def test_a_missing_database_is_said_with_what_to_do(
    influxd: Influxd, influx_front: Front, front: bool
) -> None:
    store = InfluxHistorian(Server(influx_front.url if front else influxd.url, Account(*ADMIN)), "absent")
    for ask in (
        lambda: store.write([readings([1], [1.0])]),
        lambda: store.read("reading", ["value"], site=SITE),
    ):
        with pytest.raises(Unavailable, match=r"no database 'absent'.*palier historian setup"):
            ask()
    store.close()


def test_a_server_that_is_gone_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    with running_influxd(tmp_path / "own") as server:
        server.query("CREATE DATABASE palier")
        store = InfluxHistorian(Server(server.url, Account(*ADMIN)), "palier")
        store.write([readings([1], [1.0])])
        server.kill()
        with pytest.raises(Unavailable, match=r"does not answer.*check that InfluxDB runs"):
            store.write([readings([2], [2.0])])
        server.start()
        (report,) = store.write([readings([2], [2.0])])
        assert report.accepted == 1
        assert store.read("reading", ["value"], site=SITE).ts_ns.tolist() == [1, 2]
        store.close()


def test_it_is_made_while_the_server_is_away(tmp_path: Path) -> None:
    store = InfluxHistorian(Server("http://127.0.0.1:9", Account()), "palier")
    with pytest.raises(Unavailable):
        store.sites()
    store.close()


@pytest.mark.parametrize("fault", [500, 503, 429])
def test_a_server_in_trouble_is_waited_for(fronted: InfluxHistorian, influx_front: Front, fault: int) -> None:
    fronted.write([readings([1], [1.0])])
    influx_front.fault = fault
    for ask in (
        lambda: fronted.write([readings([2], [2.0])]),
        lambda: fronted.read("reading", ["value"], site=SITE),
    ):
        with pytest.raises(Unavailable, match=r"can't answer now.*its log and its disk"):
            ask()
    influx_front.fault = None
    assert fronted.write([readings([2], [2.0])])[0].accepted == 1


def test_a_half_open_connection_is_given_up(
    fronted: InfluxHistorian, influx_front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fronted._server, "_read_s", 0.3)
    influx_front.fault = "silent"
    with pytest.raises(Unavailable, match="does not answer"):
        fronted.read("reading", ["value"], site=SITE)
    # A request that came late is held all the same: it was the client who gave up, not the server.
    eventually(lambda: influx_front.silent > 0, 60, "the request that is never answered")


def test_something_else_on_the_port_is_no_influxdb(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(5)
        store = InfluxHistorian(Server(url, Account()), "palier")
        listener.close()
        with pytest.raises(HistorianError):
            store.sites()
        store.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8086", "ftp://x", "http://", ""])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(HistorianError, match="must be http"):
        Server(url, Account())


@pytest.mark.parametrize("name", ["a/b", "", "x y", 'a"b', "n" * 65])
def test_a_database_name_that_could_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a database must be named"):
        InfluxHistorian(Server("http://127.0.0.1:8086", Account()), name)


@pytest.mark.parametrize("front", [False, True], ids=["1.6", "1.8"])
def test_rows_beyond_retention_are_refused_one_by_one(
    influxd: Influxd, influx_front: Front, front: bool
) -> None:
    with influx_historian(influxd, influx_front.url if front else influxd.url) as store:
        influxd.query(
            f'ALTER RETENTION POLICY autogen ON "{name_of(store)}" DURATION 1d SHARD DURATION 1h DEFAULT'
        )
        old_ns = NOW_NS - 3 * 86_400 * 10**9
        (report,) = store.write(
            [readings([NOW_NS - 2, old_ns, NOW_NS - 1, old_ns + 1], [1.0, 2.0, 3.0, 4.0])]
        )
        assert report.accepted == 2
        assert report.rejected == (Rejected(1, "retention"), Rejected(3, "retention"))
        assert store.write([readings([old_ns, old_ns + 1], [2.0, 4.0])])[0].rejected == (
            Rejected(0, "retention"),
            Rejected(1, "retention"),
        )
        assert store.read("reading", ["value"], site=SITE).columns["value"].tolist() == [1.0, 3.0]  # type: ignore[union-attr]


def test_a_field_of_a_strangers_type_refuses_its_rows_alone(
    historian: InfluxHistorian, influxd: Influxd
) -> None:
    influxd.write(b'state,site=usine,machine=m severity="high" 5', name_of(historian))
    fields = {"state": ["normal", "normal"], "severity": np.array([1.0, np.nan])}
    (report,) = historian.write([rows("state", [10, 20], fields, point="", channel="")])
    assert (report.accepted, report.rejected) == (1, (Rejected(0, "type"),))


def test_a_restored_backup_takes_its_rows_again(historian: InfluxHistorian, influxd: Influxd) -> None:
    batch = [readings([NOW_NS, NOW_NS + 1], [1.0, 2.0])]
    historian.write(batch)
    influxd.query('DELETE FROM "reading"', name_of(historian))
    assert historian.write(batch)[0].accepted == 2
    assert len(historian.read("reading", ["value"], site=SITE)) == 2


def test_a_conflict_with_what_another_run_wrote_is_found(
    historian: InfluxHistorian, influxd: Influxd
) -> None:
    historian.write([readings([10, 20, 30], [1.0, 2.0, 3.0], frame="usine/gw:e:1")])
    again = InfluxHistorian(Server(influxd.url, Account(*ADMIN)), name_of(historian))
    (report,) = again.write([readings([15, 20, 40], [5.0, 6.0, 7.0], frame="usine/gw:e:2")])
    again.close()
    assert (report.accepted, report.rejected) == (2, (Rejected(1, "conflict"),))


def test_live_rows_cost_no_question(historian: InfluxHistorian, monkeypatch: pytest.MonkeyPatch) -> None:
    historian.write([readings([10], [1.0])])
    asked: list[object] = []
    monkeypatch.setattr(historian._server, "query", lambda *args: asked.append(args) or [])
    assert historian.write([readings([11, 12], [2.0, 3.0], frame="usine/gw:e:2")])[0].accepted == 2
    assert [args for args in asked if args[1]] == []  # type: ignore[index]


def test_the_newest_of_shifted_rows_are_those_of_the_newest_time(historian: InfluxHistorian) -> None:
    events = {"event_id": [f"e{i}" for i in range(20)], "kind": ["alarm"] * 20}
    historian.write([rows("event", list(range(0, 400_000, 20_000)), events)])
    table = historian.read("event", ["event_id"], site=SITE, newest=3)
    assert table.columns["event_id"] == ("e17", "e18", "e19")
    (last,) = historian.latest("event", ["event_id"], site=SITE).columns["event_id"]
    assert last == "e19"


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["'", "\\", "\\'", "' OR 1=1 --", "\n", "$p0", "'; DROP DATABASE palier", '"', "%s", "\x00"]
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "quoted"])
def test_a_hostile_value_is_only_a_value(historian: InfluxHistorian, bound: bool, hostile: str) -> None:
    server = historian._server
    if not server.query(name_of(historian), [Values().statement("SHOW SERIES")])[0]:
        historian.write([readings([10], [1.0], machine="pompe-1")])
    statement = Values().statement('SELECT value FROM reading WHERE "machine" = ', Value(hostile))
    text = statement if bound else Values().statement(statement.rendered())
    try:
        found = server.query(name_of(historian), [text])[0]
    except SchemaError as error:  # a character that no query can hold is refused, not obeyed
        assert "refuses a query" in str(error)  # noqa: PT017
        found = []
    assert found == []
    assert len(historian.read("reading", ["value"], site=SITE)) == 1


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("a", "'a'"), ("l'eau", r"'l\'eau'"), ("\\", r"'\\'"), ("a\nb", r"'a\nb'"), (12, "12")],
)
def test_values_are_quoted_by_one_rule(value: str | int, quoted: str) -> None:
    assert literal(value) == quoted


def test_a_statement_without_a_basis_is_refused(historian: InfluxHistorian) -> None:
    with pytest.raises(SchemaError, match="refuses a query"):
        historian._server.command("SELEKT 1", name_of(historian))
