"""Answers that no InfluxDB would give, or gives only in a bad hour: nothing lost, nothing misread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from palier import extras
from palier.historian import opening
from palier.historian.base import HistorianError, SchemaError, Unavailable
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.opening import HistorianSettings
from tests.support.influx_scripted import EMPTY, Answer, Scripted, running_scripted, well
from tests.support.stores import SITE, readings


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with running_scripted() as server:
        yield server


@pytest.fixture
def historian(scripted: Scripted) -> Iterator[InfluxHistorian]:
    store = InfluxHistorian(Server(scripted.url, Account(token="planted-secret"), org="o"))
    yield store
    store.close()


def on(path: str, status: int, body: bytes, headers: dict[str, str] | None = None) -> Callable[..., Answer]:
    """All is well but that path."""

    def answer(asked: str, given: bytes) -> Answer:
        return (status, headers or {}, body) if asked == path and given else well(asked, given)

    return answer


def without_v2(answer: Callable[[str, bytes], Answer]) -> Callable[[str, bytes], Answer]:
    """As 1.6: there is no `/api/v2/write`."""

    def answered(path: str, body: bytes) -> Answer:
        return (404, {}, b"404 page not found\n") if path == "/api/v2/write" else answer(path, body)

    return answered


def write(historian: InfluxHistorian) -> None:
    historian.write([readings([1], [1.0])])


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("status", [200, 202])
def test_only_what_says_that_it_is_stored_is_stored(
    historian: InfluxHistorian, scripted: Scripted, v2: bool, status: int
) -> None:
    answer = on("/api/v2/write" if v2 else "/write", status, b"<html>log in</html>")
    scripted.answer = answer if v2 else without_v2(answer)
    with pytest.raises(Unavailable, match="no InfluxDB"):
        write(historian)


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "body",
    [b"Client sent an HTTP request to an HTTPS server.\n", b"<html>400 Bad Request</html>", b"", b"[]"],
)
def test_a_refusal_that_is_none_of_influxdb_puts_no_row_aside(
    historian: InfluxHistorian, scripted: Scripted, v2: bool, status: int, body: bytes
) -> None:
    answer = on("/api/v2/write" if v2 else "/write", status, body)
    scripted.answer = answer if v2 else without_v2(answer)
    with pytest.raises(Unavailable, match="no InfluxDB"):
        write(historian)


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    historian: InfluxHistorian, scripted: Scripted, v2: bool, status: int
) -> None:
    answer = on("/api/v2/write" if v2 else "/write", status, b"", {"Location": f"{scripted.url}/elsewhere"})
    scripted.answer = answer if v2 else without_v2(answer)
    with pytest.raises(HistorianError, match=str(status)):
        write(historian)
    assert "/elsewhere" not in {path for path, _ in scripted.seen}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"",
        b"[1]",
        b'{"results":[{"statement_id":0,"series":[{"na',
        b'{"results":[]}',
        b'{"results":7}',
        b"null",
    ],
)
def test_an_answer_that_is_none_is_waited_out(
    historian: InfluxHistorian, scripted: Scripted, body: bytes
) -> None:
    scripted.answer = on("/query", 200, body)
    for ask in (
        lambda: historian.read("reading", ["value"], site=SITE),
        historian.sites,
        lambda: write(historian),
    ):
        with pytest.raises(Unavailable, match="no InfluxDB"):
            ask()


def test_an_answer_that_is_cut_is_no_answer(historian: InfluxHistorian, scripted: Scripted) -> None:
    scripted.answer = on("/query", 200, EMPTY, {"Content-Length": "1000"})
    with pytest.raises(Unavailable, match="does not answer"):
        historian.sites()


@pytest.mark.parametrize(
    "error",
    [
        "max-concurrent-queries limit exceeded(5, 5)",
        "query-timeout limit exceeded",
        "timeout",
        "engine is closed",
        "query interrupted",
        "shard is disabled",
        "unauthorized",
    ],
)
def test_a_query_that_fails_for_the_servers_reasons_is_waited_for(
    historian: InfluxHistorian, scripted: Scripted, error: str
) -> None:
    scripted.answer = on("/query", 200, b'{"results":[{"statement_id":0,"error":"%s"}]}' % error.encode())
    with pytest.raises(Unavailable, match=error.partition("(")[0]):
        write(historian)


def test_an_error_after_a_part_of_the_answer_is_an_error(
    historian: InfluxHistorian, scripted: Scripted
) -> None:
    series = b'{"name":"r","columns":["time"],"values":[[1]],"partial":true}'
    part = b'{"results":[{"statement_id":0,"series":[%s],"partial":true}]}\n' % series
    scripted.answer = on("/query", 200, part + b'{"error":"timeout"}\n')
    with pytest.raises(Unavailable, match="timeout"):
        historian.sites()


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_half_up_is_not_taken_for_another(
    historian: InfluxHistorian, scripted: Scripted, status: int
) -> None:
    up = False

    def answer(path: str, body: bytes) -> Answer:
        if up or path == "/ping":
            return without_v2(well)(path, body)
        return status, {}, b"<html>starting</html>"

    scripted.answer = answer
    with pytest.raises(Unavailable):
        write(historian)
    up = True
    write(historian)
    assert scripted.seen[-1][0] == "/write"


def test_a_proxy_that_has_not_the_newer_path_leaves_the_older(
    historian: InfluxHistorian, scripted: Scripted
) -> None:
    scripted.answer = lambda path, body: (
        (404, {}, b"<html>404 Not Found</html>") if path == "/api/v2/write" else well(path, body)
    )
    write(historian)
    assert scripted.seen[-1][0] == "/write"


def test_a_server_that_was_replaced_is_asked_anew_what_it_can(
    historian: InfluxHistorian, scripted: Scripted
) -> None:
    write(historian)
    assert scripted.seen[-1][0] == "/api/v2/write"
    scripted.answer = lambda *_: (503, {}, b"")
    with pytest.raises(Unavailable):
        write(historian)
    scripted.answer = without_v2(well)
    write(historian)
    assert scripted.seen[-1][0] == "/write"


def test_an_organisation_that_is_not_there_is_said(historian: InfluxHistorian, scripted: Scripted) -> None:
    scripted.answer = on(
        "/api/v2/write", 404, b'{"code":"not found","message":"organization name \\"o\\" not found"}'
    )
    with pytest.raises(Unavailable, match="org"):
        write(historian)


@pytest.mark.parametrize("url", ["http://me:planted-secret@127.0.0.1:8086", "http://planted-secret@h"])
def test_an_account_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(HistorianError, match="account") as raised:
        Server(url, Account())
    assert "planted-secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://h:port", "http://h:99999", "http://h:8086?db=x", "http://h#x"])
def test_a_url_with_more_or_less_than_a_server_is_refused(url: str) -> None:
    with pytest.raises(HistorianError, match="must be http"):
        Server(url, Account())


@pytest.mark.parametrize("secret", ["planted\nsecret", "planted-secret\r", "planted\x00secret"])
@pytest.mark.parametrize("what", ["token", "password"])
def test_a_secret_of_two_lines_is_refused_and_not_repeated(secret: str, what: str) -> None:
    with pytest.raises(HistorianError, match=f"the {what} must be one line") as raised:
        Server("http://h", Account(**{"username": "me", what: secret}))
    assert "planted" not in str(raised.value)


def test_no_proxy_of_the_environment_gets_the_account(
    historian: InfluxHistorian, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    write(historian)


def test_a_closed_historian_stays_closed(historian: InfluxHistorian) -> None:
    write(historian)
    historian.close()
    for ask in (lambda: write(historian), historian.sites):
        with pytest.raises(Unavailable, match="closed"):
            ask()


def test_a_refused_query_says_so(historian: InfluxHistorian, scripted: Scripted) -> None:
    scripted.answer = on("/query", 400, b'{"error":"error parsing query"}')
    with pytest.raises(SchemaError, match="error parsing query"):
        historian.sites()


def test_without_the_client_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(SchemaError, match=r"pip install '\.\[influx\]'"):
        opening.open_historian(HistorianSettings(url="http://127.0.0.1:8086"), tmp_path / "none")


@pytest.mark.parametrize("status", [404, 405, 501])
def test_another_web_server_is_named_in_one_line_without_its_page(
    historian: InfluxHistorian, scripted: Scripted, status: int
) -> None:
    page = b"<!DOCTYPE html>\n<html>\n<body>File not found</body></html>\n"
    scripted.answer = lambda *_: (status, {"Content-Type": "text/html"}, page)
    for ask in (lambda: write(historian), historian.sites, historian.may_write):
        with pytest.raises(Unavailable, match=r"is no InfluxDB.*check host and port") as raised:
            ask()
        assert "\n" not in str(raised.value)
        assert "<" not in str(raised.value)


def test_what_a_server_says_in_lines_is_told_in_one(historian: InfluxHistorian, scripted: Scripted) -> None:
    scripted.answer = on("/query", 503, b"first line\nsecond line\r\n\nthird")
    with pytest.raises(Unavailable, match="first line second line third"):
        historian.sites()


def test_a_missing_database_is_still_told_as_such(historian: InfluxHistorian, scripted: Scripted) -> None:
    scripted.answer = on("/api/v2/write", 404, b'{"code":"not found","message":"bucket not found"}')
    with pytest.raises(Unavailable, match="has no database"):
        write(historian)
