"""Sessions: how long they last, what ends them, and what is noted of them."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from dashboards.console import account_file, acting
from dashboards.console.access import Access
from dashboards.console.account_book import AccountBook
from dashboards.console.account_file import AccountError, AccountFile
from dashboards.console.known_browsers import COOKIE as BROWSER_COOKIE
from dashboards.console.passwords import Passwords
from dashboards.console.roles import Role
from dashboards.console.session_cookie import NAME
from dashboards.console.sessions import IDLE_S, LONGEST_S, MOST_SESSIONS, NOTED_EACH_S, VIEWERS_LONGEST_S
from tests.page.conftest import make_app
from tests.support.page_door import Time, book, inside, served
from tests.support.page_people import (
    ENGINEER,
    TECHNICIAN,
    VIEWER,
    log_in,
    made_accounts,
    password_of,
    token_in,
)
from tests.support.page_server import page_client


def test_a_login_opens_a_session_that_no_script_and_no_other_site_sees(page: httpx.Client) -> None:
    answer = log_in(page, TECHNICIAN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookies = {text.partition("=")[0]: text for text in answer.headers.get_list("set-cookie")}
    for name in (NAME, BROWSER_COOKIE):
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookies[name].split("; "))
        assert "Secure" not in cookies[name]  # this page is served in clear
    told = page.get("/session").json()
    assert told == {"name": TECHNICIAN, "role": "technician", "token": token_in(page)}
    assert TECHNICIAN in page.get("/").text


def test_a_session_that_somebody_planted_is_not_the_one_that_is_logged_in(page: httpx.Client) -> None:
    planted = "planted-by-somebody-who-knows-it"
    page.cookies.set(NAME, planted, domain="127.0.0.1")
    log_in(page, TECHNICIAN)
    mine = page.cookies.get(NAME, domain="127.0.0.1")
    assert mine != planted
    assert page.get("/session", headers={"cookie": f"{NAME}={planted}"}).status_code == 401
    log_in(page, TECHNICIAN)  # who logs in again has another one, and the one before is over
    page.cookies.clear()
    assert page.get("/session", headers={"cookie": f"{NAME}={mine}"}).status_code == 200


def test_a_logout_ends_the_session_itself(page: httpx.Client) -> None:
    log_in(page, TECHNICIAN)
    kept = page.cookies[NAME]
    answer = page.post("/logout", data={"token": token_in(page)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert page.get("/session", headers={"cookie": f"{NAME}={kept}"}).status_code == 401


def test_sessions_end_with_what_they_were_given_for(tmp_path: Path) -> None:
    def change(do: str, book: AccountBook) -> None:
        if do == "role":
            book.set_role(TECHNICIAN, Role.VIEWER, by="test", now_s=1)
        elif do == "password":
            book.set_password(TECHNICIAN, Passwords(8, 1).hashed(password_of(TECHNICIAN)), by="t", now_s=1)
        else:
            book.remove(TECHNICIAN, by="test", now_s=1)

    with served(tmp_path) as page:
        for do in ("role", "password", "remove"):
            assert log_in(page, TECHNICIAN).status_code == 303
            assert inside(page)
            with book(tmp_path) as accounts:
                change(do, accounts)
            assert not inside(page), do
        assert log_in(page, TECHNICIAN).status_code == 401


def test_an_open_stream_ends_with_its_session(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        log_in(page, TECHNICIAN)
        with page.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            with book(tmp_path) as accounts:
                accounts.remove(TECHNICIAN, by="test", now_s=1)
            for _ in lines:  # it ends: otherwise the test's own time would
                pass
        assert page.get("/events").status_code == 401


def test_sessions_outlive_a_restart_of_the_page(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        log_in(page, TECHNICIAN)
        kept = page.cookies[NAME]
    with served(tmp_path) as page:
        assert page.get("/session", headers={"cookie": f"{NAME}={kept}"}).json()["name"] == TECHNICIAN


def test_a_session_ends_after_a_shift_without_use_and_after_a_week_in_any_case(
    page: httpx.Client, clock: Time
) -> None:
    log_in(page, TECHNICIAN)
    clock.now_s += IDLE_S - 60
    assert page.get("/account").status_code == 200
    clock.now_s += IDLE_S - 60  # it was used meanwhile
    assert inside(page)
    clock.now_s += 120  # a page that is left open asks by itself: that is no use
    assert not inside(page)

    log_in(page, TECHNICIAN)
    for _ in range(LONGEST_S // (IDLE_S - 60)):
        clock.now_s += IDLE_S - 60
        assert page.get("/account").status_code == 200
    clock.now_s += IDLE_S - 60
    assert page.get("/account").status_code == 303


def test_a_wall_screen_that_only_reads_stays_logged_in(page: httpx.Client, clock: Time) -> None:
    log_in(page, VIEWER)
    for _ in range(3 * LONGEST_S // IDLE_S):
        clock.now_s += IDLE_S - 60
        assert inside(page)
    assert VIEWERS_LONGEST_S > LONGEST_S


def test_an_account_has_so_many_sessions_and_no_more(page: httpx.Client) -> None:
    kept = []
    for _ in range(MOST_SESSIONS + 2):
        page.cookies.clear()
        log_in(page, VIEWER)
        kept.append(page.cookies[NAME])
    page.cookies.clear()
    alive = [page.get("/session", headers={"cookie": f"{NAME}={one}"}).status_code for one in kept]
    assert alive.count(200) == MOST_SESSIONS
    assert alive[-1] == 200


def test_the_file_holds_no_password_and_no_session_that_could_be_used(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        log_in(page, TECHNICIAN)
        session = page.cookies[NAME]
        log_in(page, "Nobody", "what was typed in the wrong field")
    held = b"".join(path.read_bytes() for path in tmp_path.glob("accounts.sqlite*"))
    for secret in (password_of(TECHNICIAN), session, "what was typed", "Nobody"):
        assert secret.encode() not in held


def test_a_person_changes_their_own_password(page: httpx.Client) -> None:
    log_in(page, ENGINEER)
    elsewhere = page.cookies[NAME]

    def change(now: str, new: str, again: str | None = None) -> httpx.Response:
        form = {"token": token_in(page), "password": now, "new": new, "again": again or new}
        return page.post("/account", data=form)

    right, new = password_of(ENGINEER), "deux roulements et une poulie"
    assert "au moins 12" in change(right, "court").text
    assert "pas les mêmes" in change(right, new, new + "s").text
    assert "mot de passe actuel" in change("not this one, sorry", new).text
    answer = change(right, new)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?changed=1")
    assert "Le mot de passe est changé" in page.get("/account?changed=1").text
    assert page.get("/session", headers={"cookie": f"{NAME}={elsewhere}"}).status_code == 401
    page.cookies.clear()
    assert log_in(page, ENGINEER).status_code == 401
    assert log_in(page, ENGINEER, new).status_code == 303
    assert change(new, right).status_code == 303


def test_an_engineer_sees_who_came_and_who_was_refused(page: httpx.Client, folder: Path) -> None:
    log_in(page, TECHNICIAN, "not this one, sorry")
    log_in(page, "Nobody", "x" * 12)
    log_in(page, ENGINEER)
    with book(folder) as accounts:
        accounts.set_role(VIEWER, Role.TECHNICIAN, by="palier user, root", now_s=2)
        accounts.set_role(VIEWER, Role.VIEWER, by="palier user, root", now_s=2)
        noted = [(entry.what, entry.name) for entry in accounts.journal(5)]
    assert noted == [
        ("role_changed", VIEWER),
        ("role_changed", VIEWER),
        ("login", ENGINEER),
        ("login_failed", ""),
        ("login_failed", TECHNICIAN),
    ]
    html = page.get("/settings").text
    for text in (
        "connexion refusée",
        "127.0.0.1",
        "nom inconnu",
        "rôle changé",
        "technicien, palier user, root",
    ):
        assert text in html


def test_an_old_hash_is_brought_up_to_date_by_a_login(tmp_path: Path) -> None:
    made_accounts(tmp_path / "accounts.sqlite")
    newer = Passwords(memory_kib=16, passes=1)
    access = Access(tmp_path / "accounts.sqlite", passwords=newer)
    with page_client(make_app(tmp_path / "historian.sqlite", access=access)) as page:
        assert log_in(page, TECHNICIAN).status_code == 303
        assert inside(page)
    with book(tmp_path) as accounts:
        found = accounts.password(TECHNICIAN)
    assert found is not None
    assert "m=16," in found[1]


def test_accounts_that_cannot_be_read_let_nobody_in_and_say_so(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        log_in(page, TECHNICIAN)
        with closing(sqlite3.connect(tmp_path / "accounts.sqlite")) as other:
            other.execute("ALTER TABLE session RENAME TO gone")
        answer = page.get("/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "Les comptes ne peuvent pas être lus" in answer.text
        assert "session" not in answer.text.lower()
        page.cookies.clear()
        assert log_in(page, TECHNICIAN).status_code == 503


def test_a_full_disk_keeps_nobody_from_reading_who_is_logged_in(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: AccountFile) -> None:
        raise AccountError("disk full")

    with served(tmp_path, wall=clock) as page:
        log_in(page, TECHNICIAN)
        monkeypatch.setattr(AccountFile, "writing", full)
        clock.now_s += NOTED_EACH_S + 1
        assert page.get("/account").status_code == 200
        assert page.post("/logout", data={"token": token_in(page)}).status_code == 503


def test_somebody_who_writes_for_long_keeps_no_reader_waiting(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is being made of the file, say: it may hold the file for as long as it likes."""
    monkeypatch.setattr(account_file, "BUSY_S", 100.0)  # a write waits for another one longer than `page`
    with served(tmp_path, wall=clock) as page:
        log_in(page, TECHNICIAN)
        clock.now_s += NOTED_EACH_S + 1
        with closing(sqlite3.connect(tmp_path / "accounts.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert page.get("/account").status_code == 200
            other.execute("ROLLBACK")


def test_no_password_and_no_session_is_in_the_log_or_on_a_page(page: httpx.Client) -> None:
    with capture_logs() as lines:
        log_in(page, TECHNICIAN, "a wrong one, typed in a hurry")
        log_in(page, TECHNICIAN)
        html = "".join(page.get(path).text for path in ("/", "/account", "/settings"))
        form = {"token": token_in(page), "password": "not this one", "new": "x" * 11, "again": "x" * 11}
        html += page.post("/account", data=form).text
        page.post("/act", data={"token": token_in(page), "do": "take_out"})
        session = page.cookies[NAME]
        page.post("/logout", data={"token": token_in(page)})
    told = [line["event"] for line in lines]
    assert told == ["login_failed", "login", "role_needed", "logout"]
    assert all(line["user"] == TECHNICIAN for line in lines)
    for secret in (password_of(TECHNICIAN), "typed in a hurry", "not this one", "x" * 11, session):
        assert secret not in str(lines) + html


def test_a_form_that_does_not_end_is_given_up(page: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "FORM_S", 0.05)
    kind = "content-type: application/x-www-form-urlencoded"
    with socket.create_connection((page.base_url.host, page.base_url.port or 0), timeout=10) as connection:
        connection.sendall(
            f"POST /login HTTP/1.1\r\nhost: x\r\n{kind}\r\ncontent-length: 99\r\n\r\nn=".encode()
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 408 ")
