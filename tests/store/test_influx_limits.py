"""What a real server's limits, accounts, failures and other writers do: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from palier.historian import influx
from palier.historian.base import Rejected, Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from tests.support.influx_front import Front
from tests.support.influxd import ADMIN, Influxd, influx_historian, running_influxd
from tests.support.stores import SITE, readings, rows

FIRST, SECOND = "usine/gw:e:1", "usine/gw:e:2"


@pytest.fixture
def historian(influxd: Influxd) -> Iterator[InfluxHistorian]:
    with influx_historian(influxd, influxd.url) as store:
        yield store


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Influxd]:
    """A server that gives few rows in one answer and takes small bodies only."""
    limits = {"INFLUXDB_HTTP_MAX_ROW_LIMIT": "3", "INFLUXDB_HTTP_MAX_BODY_SIZE": "50000"}
    with running_influxd(tmp_path / "narrow", **limits) as server:
        yield server


def name_of(historian: InfluxHistorian) -> str:
    return historian._database


def numbers(historian: InfluxHistorian, field: str = "value") -> list[float]:
    return np.asarray(historian.read("reading", [field], site=SITE).columns[field], dtype=float).tolist()


def test_a_limit_of_rows_cuts_no_answer(narrow: Influxd) -> None:
    with influx_historian(narrow, narrow.url) as store:
        machines = ("a", "b", "c", "d", "e")
        store.write([readings([10, 20, 30, 40, 50], [1.0] * 5, machine=m, frame=FIRST) for m in machines])
        assert len(store.read("reading", ["value"], site=SITE)) == 25
        assert store.latest("reading", ["value"], site=SITE).machine == machines
        again = InfluxHistorian(Server(narrow.url, Account(*ADMIN)), name_of(store))
        reports = again.write([readings([20, 30], [9.0] * 2, machine=m, frame=SECOND) for m in machines])
        again.close()
        assert [report.accepted for report in reports] == [0] * 5


def test_a_body_that_is_too_large_is_sent_in_parts(narrow: Influxd) -> None:
    with influx_historian(narrow, narrow.url) as store:
        (report,) = store.write([readings(range(5000), [1.0] * 5000)])
        assert report.accepted == 5000
        status, body = narrow.query('SELECT count("value") FROM "reading"', name_of(store))
        assert (status, ",5000]" in body) == (200, True)


def test_a_long_answer_is_read_whole(historian: InfluxHistorian) -> None:
    for machine in ("a", "b"):
        historian.write([readings(range(12_000), [float(i) for i in range(12_000)], machine=machine)])
    table = historian.read("reading", ["value"], site=SITE, machine="b")
    assert table.ts_ns.tolist() == list(range(12_000))
    assert len(historian.read("reading", ["value"], site=SITE)) == 24_000


def test_two_threads_with_one_key_have_one_winner(historian: InfluxHistorian) -> None:
    start = threading.Barrier(4)

    def write(frame: int) -> int:
        start.wait()
        rows_of = [readings([k], [float(frame)], frame=f"a/b:e:{frame}") for k in range(20)]
        return sum(report.accepted for rows in rows_of for report in historian.write([rows]))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(write, range(4))) == 20


def test_what_was_written_before_a_failure_keeps_its_keys(
    historian: InfluxHistorian, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer got lost, and what is written next is another batch."""
    historian.write([readings([1], [1.0], frame=FIRST)])
    send = historian._server.write

    def lost(database: str, lines: list[bytes]) -> None:
        send(database, lines)
        raise Unavailable("the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr(historian._server, "write", lost)
        with pytest.raises(Unavailable):
            historian.write([readings([10], [1.0], frame=FIRST)])
    (report,) = historian.write([readings([10], [2.0], frame=SECOND)])
    assert report.rejected == (Rejected(0, "conflict"),)
    assert numbers(historian) == [1.0, 1.0]


def test_a_backup_restored_under_a_running_writer_keeps_its_keys(
    historian: InfluxHistorian, influxd: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    historian.write([readings([1], [1.0], machine="other")])
    influxd.write(
        b'reading,site=usine,machine=pompe-1,point=palier-1,channel=x frame="%s",value=1 10' % FIRST.encode(),
        name_of(historian),
    )
    with monkeypatch.context() as patched:
        patched.setattr(historian._server, "url", "http://127.0.0.1:9")
        with pytest.raises(Unavailable):
            historian.write([readings([2], [1.0], machine="other")])
    (report,) = historian.write([readings([10], [2.0], frame=SECOND)])
    assert report.rejected == (Rejected(0, "conflict"),)


@pytest.mark.parametrize("front", [False, True], ids=["1.6", "1.8"])
def test_a_password_may_have_any_character_of_a_line(
    influxd: Influxd, influx_front: Front, front: bool
) -> None:
    with influx_historian(influxd, influxd.url) as made:
        password = "clé: €'\\\" يد"
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        influxd.query(f"CREATE USER anyone WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES")
        url = influx_front.url if front else influxd.url
        store = InfluxHistorian(Server(url, Account("anyone", password)), name_of(made))
        try:
            assert store.write([readings([1], [1.0])])[0].accepted == 1
            assert numbers(store) == [1.0]
        finally:
            store.close()
            influxd.query("DROP USER anyone")


def test_fields_of_a_strangers_type_are_not_known(historian: InfluxHistorian, influxd: Influxd) -> None:
    name = name_of(historian)
    assert influxd.write(b'state,site=usine,machine=m state=3,severity="high",live=true 5', name)[0] == 204
    assert influxd.write(b'state,site=usine,machine=n state=0,severity="",live=false 6', name)[0] == 204
    table = historian.read("state", ["state", "severity", "live"], site=SITE)
    assert table.columns["state"] == (None, None)
    assert np.isnan(np.asarray(table.columns["severity"], dtype=float)).all()


def test_a_strangers_rows_without_our_keys_break_no_order(
    historian: InfluxHistorian, influxd: Influxd
) -> None:
    historian.write([rows("event", [10], {"event_id": ["e"], "kind": ["alarm"]})])
    influxd.write(
        b'event,site=usine,machine=pompe-1,point=palier-1,channel=x kind="note",event_id="" 10\n'
        b'event,site=usine,machine=pompe-1,point=palier-1,channel=x kind="note" 10',
        name_of(historian),
    )
    assert set(historian.read("event", ["kind"], site=SITE).columns["kind"]) == {"alarm", "note"}
    influxd.write(
        b'spectrum,site=usine,machine=m frame="a",amplitude=1 10\n'
        b'spectrum,site=usine,machine=m,point=p frame="a",line=3i,shift_ns=3i,amplitude=1 13\n'
        b'spectrum,site=usine,machine=m,point=p frame="a",amplitude=1 10',
        name_of(historian),
    )
    assert len(historian.read("spectrum", ["amplitude"], site=SITE)) == 3
    assert len(historian.latest("spectrum", ["amplitude"], site=SITE)) == 3


def test_keys_far_apart_are_looked_up_without_all_between(
    historian: InfluxHistorian, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 86_400 * 10**9
    historian.write([readings([k * day for k in range(40)], [1.0] * 40, frame=FIRST)])
    given: list[int] = []
    query = historian._server.query

    def counted(*args: object) -> object:
        answers = query(*args)  # type: ignore[arg-type]
        given.append(sum(len(series.columns["time"]) for answer in answers for series in answer))
        return answers

    monkeypatch.setattr(historian._server, "query", counted)
    (report,) = historian.write([readings([day, 30 * day], [2.0] * 2, frame=SECOND)])
    assert report.accepted == 0
    assert sum(given) <= 4


def test_the_latest_of_a_strangers_series_stays_there(historian: InfluxHistorian, influxd: Influxd) -> None:
    historian.write([rows("state", [10**18 + k], {"state": ["ok"]}, machine=f"m{k}") for k in range(15)])
    influxd.write(
        b'state,site=usine,machine=a\\ b\\,c\\=d,host=h state="odd" 5\nstate,site=usine state="none" 6',
        name_of(historian),
    )
    for _ in range(3):
        table = historian.latest("state", ["state"], site=SITE)
        assert len(table) == 17
        assert set(table.machine) >= {"a b,c=d", "", "m0"}


def test_many_quiet_series_are_found_at_once(
    historian: InfluxHistorian, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx, "MOST_QUIET", 3)
    historian.write([rows("state", [10**18], {"state": ["ok"]}, machine="late")])
    assert historian.latest("state", [], site=SITE).machine == ("late",)
    historian.write([rows("state", [k], {"state": ["ok"]}, machine=f"m{k}") for k in range(9)])
    assert len(historian.latest("state", [], site=SITE)) == 10
