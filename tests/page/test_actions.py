"""What people ask from the page: who may, what is sent, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from dashboards.console.acting import VISIT_COOKIE, Acting, token_of
from palier.asking import AskError
from palier.operations import (
    Acknowledge,
    CauseCode,
    Command,
    Intervene,
    InterventionKind,
    Outcome,
    Reply,
    Shelve,
)
from tests.page.conftest import make_app
from tests.support.alarm_seeding import seeded_alarms
from tests.support.page_server import page_client

VISIT = "0123456789abcdef" * 2
FORM = {"token": token_of(VISIT), "do": "acknowledge", "id": "abcdef0123456789", "alarm": "P-101/2/vibration"}


@dataclass
class Host:
    """An ingest that remembers what it was asked; `error` in place of a reply."""

    asked: list[Command] = field(default_factory=list)
    error: Exception | None = None
    outcome: Outcome = Outcome.DONE
    reason: str = "acknowledged"

    def __call__(self, command: Command) -> Reply:
        self.asked.append(command)
        if self.error is not None:
            raise self.error
        return Reply(command.id, self.outcome, self.reason, {"version": 4, "expected": 3}, 4)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Host]]:
    folder, host = tmp_path_factory.mktemp("acting"), Host()
    seeded_alarms(folder)
    with page_client(make_app(folder / "historian.sqlite", acting=Acting(host))) as client:
        client.headers["origin"] = str(client.base_url).rstrip("/")
        client.headers["sec-fetch-site"] = "same-origin"
        yield client, host


@pytest.fixture
def host(served: tuple[httpx.Client, Host]) -> Host:
    host = served[1]
    host.asked.clear()
    host.error, host.outcome, host.reason = None, Outcome.DONE, "acknowledged"
    return host


@pytest.fixture
def page(served: tuple[httpx.Client, Host], host: Host) -> httpx.Client:
    client = served[0]
    client.cookies.clear()
    client.cookies.set(VISIT_COOKIE, VISIT)
    return client


def signed(page: httpx.Client, name: str = "Hanane Élami") -> httpx.Client:
    assert page.post("/sign", data={"token": token_of(VISIT), "user": name}).status_code == 200
    return page


def told(page: httpx.Client, **form: str) -> dict[str, str]:
    answer = page.post("/act", data=FORM | form, headers={"accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()
    return found


def test_a_name_is_given_once_and_every_command_carries_it(page: httpx.Client, host: Host) -> None:
    assert told(page)["outcome"] == "unsigned"
    assert not host.asked
    signed(page)
    said = told(page, expected_version="3", comment="vu")
    assert (said["outcome"], said["sentence"]) == ("done", "Alarme acquittée.")
    (command,) = host.asked
    assert (command.user, command.expected_version) == ("Hanane Élami", 3)
    assert command.ask == Acknowledge("P-101/2/vibration", "vu")
    assert "Hanane Élami" in page.get("/alarms").text


def test_a_button_carries_the_version_that_was_seen(page: httpx.Client, host: Host) -> None:
    form = {name: value for name, value in FORM.items() if name != "alarm"} | {"seen": "P-101/2/vibration@3"}
    signed(page).post("/act", data=form)
    assert host.asked[0].expected_version == 3
    html = page.get("/alarms").text
    assert 'value="P-101/2/vibration@3"' in html
    assert html.count('name="seen"') == 2  # only what waits


def test_the_forms_of_a_page_bring_what_they_need(page: httpx.Client) -> None:
    html = page.get("/alarm/P-101/2/vibration").text
    assert FORM["token"] in html
    ids = re.findall(r'name="id" value="([0-9a-f]+)"', html)
    assert len(set(ids)) == len(ids) >= 4
    assert all(8 <= len(one) <= 64 for one in ids)


def test_a_shelf_needs_a_reason_in_the_viewers_words(page: httpx.Client, host: Host) -> None:
    signed(page)
    said = told(page, do="shelve", why=" ", for_s="3600")
    assert (said["outcome"], said["sentence"]) == ("refused", "Il manque la raison\u00a0: quelqu'un la lira.")
    told(page, do="shelve", why="essai", for_s="")
    assert [command.ask for command in host.asked] == [Shelve("P-101/2/vibration", "essai", None)]


def test_work_is_dated_in_the_plants_own_time(page: httpx.Client, host: Host) -> None:
    form = {"token": FORM["token"], "id": FORM["id"], "do": "intervention", "machine": "P-101", "point": "2"}
    form |= {"kind": "bearing_changed", "text": "22220 E\r\nSKF", "cause": "5.1.2", "at": "2026-07-14T08:30"}
    signed(page).post("/act", data=form)
    at_ns = 1_784_014_200_000_000_000  # 07:30 UTC: Morocco is an hour ahead
    expected = Intervene(
        "P-101", InterventionKind.BEARING_CHANGED, at_ns, "2", "22220 E\nSKF", CauseCode.SUBSURFACE_FATIGUE
    )
    assert host.asked[0].ask == expected


def test_who_was_slower_is_told_so(page: httpx.Client, host: Host) -> None:
    host.outcome, host.reason = Outcome.CONFLICT, "changed"
    said = told(signed(page))
    assert said["outcome"] == "conflict"
    assert "plus rapide" in said["sentence"]


def test_without_a_reply_nothing_is_claimed(page: httpx.Client, host: Host) -> None:
    host.error = AskError("no reply within 10\u00a0s")
    said = told(signed(page))
    assert said["outcome"] == "unanswered"
    assert "Peut-être" in said["sentence"]


def test_without_a_script_a_page_says_what_became_of_it(page: httpx.Client) -> None:
    answer = signed(page).post("/act", data=FORM | {"back": "//evil.example/x"})
    assert "Alarme acquittée." in answer.text
    assert 'href="/"' in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "", "sec-fetch-site": ""},
        {"cookie": ""},
        {"cookie": f"{VISIT_COOKIE}={'f' * 32}"},
    ],
    ids=str,
)
def test_a_strangers_page_makes_nobody_act(page: httpx.Client, host: Host, headers: dict[str, str]) -> None:
    signed(page)
    request = page.build_request("POST", "/act", data=FORM)
    for name, value in headers.items():
        if value:
            request.headers[name] = value
        else:
            del request.headers[name]
    answer = page.send(request)
    assert answer.status_code == 403
    assert not host.asked


def test_a_name_that_somebody_elses_dns_gave_may_not_act(page: httpx.Client, host: Host) -> None:
    signed(page)
    headers = {"host": "evil.example", "origin": "http://evil.example"}
    assert page.post("/act", data=FORM, headers=headers).status_code == 403
    assert not host.asked
    assert "127.0.0.1 ou localhost" in page.get("/alarms", headers={"host": "evil.example"}).text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"\xff\xfe=1", "application/x-www-form-urlencoded", 403),
        (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded", 415),
    ],
)
def test_what_is_no_form_of_ours_is_refused(
    page: httpx.Client, host: Host, body: bytes, kind: str, status: int
) -> None:
    answer = signed(page).post("/act", content=body, headers={"content-type": kind})
    assert answer.status_code in (status, 415)
    assert not host.asked


@pytest.mark.parametrize(("why_not", "word"), [("no_broker", "[broker]"), ("network", "comptes")])
def test_a_page_that_only_reads_says_why_and_sends_nothing(tmp_path: Path, why_not: str, word: str) -> None:
    seeded_alarms(tmp_path)
    with page_client(make_app(tmp_path / "historian.sqlite", acting=Acting(None, why_not))) as client:
        html = client.get("/alarm/P-101/2/vibration").text
        assert word in html
        assert 'action="/act"' not in html
        client.cookies.set(VISIT_COOKIE, VISIT)
        headers = {"origin": str(client.base_url).rstrip("/")}
        answer = client.post("/act", data=FORM, headers=headers)
        assert answer.status_code == 403
        assert word in answer.text


def test_a_press_on_another_row_is_another_command_and_the_same_one_again_is_not(
    page: httpx.Client, host: Host
) -> None:
    """The rows of the list share a form, and so the id that it was drawn with."""
    signed(page)
    form = {name: value for name, value in FORM.items() if name != "alarm"}
    for seen in ("P-101/2/vibration@3", "V-301/1/vibration@1", "P-101/2/vibration@3"):
        told(page, **form, seen=seen)
    first, other, again = (command.id for command in host.asked)
    assert first == again != other


def test_acting_is_not_read_from_outside_by_a_get(page: httpx.Client, host: Host) -> None:
    assert signed(page).get("/act", params=FORM).status_code == 405
    assert not host.asked
