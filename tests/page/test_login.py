"""The login: what it gives, what it refuses, how fast, and that nobody is let in by a trick."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest

from dashboards.console import access
from dashboards.console.acting import VISIT_COOKIE, token_of
from dashboards.console.known_browsers import COOKIE as BROWSER_COOKIE
from dashboards.console.passwords import Passwords
from dashboards.console.session_cookie import NAME
from tests.support.page_door import Time, inside, served
from tests.support.page_people import (
    TECHNICIAN,
    VIEWER,
    log_in,
    password_of,
    token_in,
)


def test_over_https_the_cookies_are_secure_and_of_this_host_only(tmp_path: Path) -> None:
    with served(tmp_path) as page:  # the test's server believes its own machine, as behind_proxy does
        page.headers["x-forwarded-proto"] = "https"
        page.headers["origin"] = str(page.base_url).rstrip("/")
        got = page.get("/login").headers["set-cookie"]
        assert "Secure" in got
        visit = re.search(rf"{VISIT_COOKIE}=([0-9a-f]+)", got)
        assert visit is not None
        form = {"token": token_of(visit[1]), "name": VIEWER, "password": password_of(VIEWER)}
        headers = {"cookie": f"{VISIT_COOKIE}={visit[1]}"}
        cookies = page.post("/login", data=form, headers=headers).headers.get_list("set-cookie")
    (session,) = [text for text in cookies if NAME in text]
    assert session.startswith(f"__Host-{NAME}=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(session.split("; "))
    assert "omain=" not in session


def test_a_name_is_found_however_its_capitals_and_accents_are_written(page: httpx.Client) -> None:
    assert log_in(page, "hanane e\u0301LAMI", password_of(TECHNICIAN)).status_code == 303
    assert page.get("/session").json()["name"] == TECHNICIAN


def test_what_was_wrong_is_not_told(page: httpx.Client) -> None:
    answers = [log_in(page, name, "nobody knows this") for name in (TECHNICIAN, "Nobody", "", "../../etc")]
    assert {answer.status_code for answer in answers} == {401}
    told = {re.sub(r'value="[^"]*"', "", answer.text) for answer in answers[:2]}
    assert len(told) == 1
    assert "Le nom ou le mot de passe n&#39;est pas le bon." in told.pop()
    assert not inside(page)


def test_an_unknown_name_costs_a_comparison_of_the_same_price(tmp_path: Path) -> None:
    """Counted and timed: real hashes, one for a wrong password and one for a name that there is not."""
    passwords = Passwords(memory_kib=4096, passes=2)
    kept = passwords.hashed("la courroie chante bien")
    assert re.sub(r"\$[^$]+\$[^$]+$", "", kept) == re.sub(r"\$[^$]+\$[^$]+$", "", passwords.decoy)
    took_s: dict[str, list[float]] = {kept: [], passwords.decoy: []}
    for _ in range(5):
        for hashed, times in took_s.items():
            began_s = time.process_time()
            assert not passwords.fits(hashed, "la courroie se tait")
            times.append(time.process_time() - began_s)
    wrong, unknown = (min(times) for times in took_s.values())
    assert 0.5 < wrong / unknown < 2.0


def test_without_the_token_of_our_form_nobody_is_logged_in(page: httpx.Client) -> None:
    page.headers["origin"] = str(page.base_url).rstrip("/")
    page.get("/login")
    form = {"name": TECHNICIAN, "password": password_of(TECHNICIAN)}
    assert page.post("/login", data=form).status_code == 403
    assert page.post("/login", data=form | {"token": token_of("0" * 32)}).status_code == 403
    good = form | {"token": token_of(page.cookies[VISIT_COOKIE])}
    assert page.post("/login", data=good, headers={"origin": "http://evil.example"}).status_code == 403
    assert not inside(page)


@pytest.mark.parametrize("path", ["/act", "/logout", "/account"])
def test_a_strangers_form_does_nothing_for_who_is_logged_in(page: httpx.Client, path: str) -> None:
    log_in(page, TECHNICIAN)
    token = token_in(page)
    visitors = token_of(page.cookies[VISIT_COOKIE])
    assert token != visitors
    for data, headers in (
        ({"token": ""}, {}),
        ({"token": visitors}, {}),
        ({"token": token}, {"origin": "http://evil.example"}),
        ({"token": token}, {"sec-fetch-site": "cross-site"}),
        ({"token": token}, {"origin": "null"}),
    ):
        assert page.post(path, data=data, headers=headers).status_code == 403
    assert inside(page)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/alarm/P-101/2/vibration", "/alarm/P-101/2/vibration"),
        ("/machine/P-101?range=24h", "/machine/P-101?range=24h"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/login?next=/login", "/"),
        ("/x\r\nset-cookie: a=b", "/"),
    ],
)
def test_a_login_leads_to_pages_of_ours_only(page: httpx.Client, wanted: str, got: str) -> None:
    assert log_in(page, VIEWER, next=wanted).headers["location"] == got
    assert page.get("/login", params={"next": wanted}).headers["location"] == got  # who is there goes on


def test_who_asks_for_a_page_comes_back_to_it(page: httpx.Client) -> None:
    answer = page.get("/machine/P-101?range=24h")
    assert answer.headers["location"] == "/login?next=/machine/P-101%3Frange%3D24h"
    assert 'name="next" value="/machine/P-101?range=24h"' in page.get(answer.headers["location"]).text


def test_the_way_in_tells_a_stranger_nothing_of_the_plant(page: httpx.Client) -> None:
    for path in ("/login", "/static/none"):
        text = page.get(path).text
        assert "Laverie" not in text
        assert 'id="waiting"' not in text
    assert page.get("/api/overview").json() == {
        "error": "La session est finie, ou n'a pas commencé\u00a0: se connecter."
    }
    assert page.get("/events").status_code == 401


def test_guesses_cost_growing_pauses(page: httpx.Client, clock: Time) -> None:
    waited = []
    for guess in range(12):
        answer = log_in(page, TECHNICIAN, f"guess number {guess}")
        while answer.status_code == 429:
            waited.append(int(answer.headers["retry-after"]))
            assert "Réessayer dans" in answer.text
            clock.now_s += waited[-1]
            answer = log_in(page, TECHNICIAN, f"guess number {guess}")
        assert answer.status_code == 401
    assert waited == [1, 2, 4, 8, 16, 32, 60]
    clock.now_s += 60
    assert log_in(page, TECHNICIAN).status_code == 303  # the right one, after its pause


def test_a_right_password_within_a_pause_is_answered_like_a_wrong_one(page: httpx.Client) -> None:
    for guess in range(6):
        log_in(page, "Nobody", f"guess number {guess}")
    right, wrong = (log_in(page, "Nobody", text) for text in (password_of(TECHNICIAN), "x" * 12))
    assert right.status_code == wrong.status_code == 429
    assert log_in(page, TECHNICIAN).status_code == 429  # the address has to wait, whatever the name


def test_a_browser_that_was_used_before_is_not_locked_out_by_a_strangers_guesses(page: httpx.Client) -> None:
    log_in(page, TECHNICIAN)
    known = page.cookies[BROWSER_COOKIE]
    page.cookies.clear()
    for guess in range(8):
        last = log_in(page, TECHNICIAN, f"guess number {guess}")
        page.cookies.clear()
    assert last.status_code == 429
    page.cookies.set(BROWSER_COOKIE, known)
    assert log_in(page, TECHNICIAN).status_code == 303


def test_commands_come_at_the_pace_of_people(page: httpx.Client) -> None:
    log_in(page, TECHNICIAN)
    form = {"token": token_in(page), "do": "acknowledge", "alarm": "P-101/2/vibration"}
    answers = [page.post("/act", data=form | {"id": f"command-{n}"}) for n in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "Trop de demandes en peu de temps. Réessayer dans 1" in answers[-1].text


def test_an_address_is_answered_generously_and_not_without_end(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst, per_s = access.REQUESTS
    assert burst >= 20 * 20  # people behind one address, each of whom opens a page with its files
    monkeypatch.setattr(access, "REQUESTS", (30, per_s))
    with served(tmp_path, monotonic=clock) as page:
        answers = [page.get("/healthz").status_code for _ in range(31)]
        said = page.get("/api/overview")
    assert answers == [200] * 30 + [429]
    assert (said.status_code, said.headers["retry-after"]) == (429, "1")
    assert "Trop de demandes" in said.json()["error"]


def test_a_password_is_not_taken_in_clear_from_the_network(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        page.headers["x-forwarded-for"] = "192.0.2.7"  # the proxy says: from there, in clear
        answer = log_in(page, TECHNICIAN)
        assert answer.status_code == 403
        assert "chiffrée" in answer.text
    with served(tmp_path, plain=True) as page:
        page.headers["x-forwarded-for"] = "192.0.2.7"
        assert log_in(page, TECHNICIAN).status_code == 303
