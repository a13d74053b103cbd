"""Every route, every role, every method: who may what. The routes are the application's own, so that a new
one is looked at too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from dashboards.console.acting import Acting
from dashboards.console.roles import Role, needed_for
from palier.operations import Command, Outcome, Reply
from palier.wire.operations import ASKS
from tests.page.conftest import make_app
from tests.support.alarm_seeding import seeded_alarms
from tests.support.page_people import ENGINEER, PEOPLE, TECHNICIAN, VIEWER, access_of, log_in, token_in
from tests.support.page_server import running_page
from tests.support.seeding import seeded_plant

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

FREE = {"/login", "/healthz", "/static"}
OF_THIS_MACHINE = {"/readyz", "/metrics"}
ORDERS = {"/machine/{machine}/order", "/alarm/{alarm:path}/order"}
WRITTEN = {"/act": Role.TECHNICIAN, "/account": Role.VIEWER, "/logout": Role.VIEWER}
"""What may be written to, and by whom at least; all else is for nobody."""

FILLED = {
    "{machine}": "P-101",
    "{alarm:path}": "P-101/2/vibration",
    "{family}": "bands",
    "{frame:path}": "edge:epoch:1",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    folder = tmp_path_factory.mktemp("roles")
    _, path = seeded_plant(folder)
    seeded_alarms(folder)
    done: list[Command] = []

    def host(command: Command) -> Reply:
        done.append(command)
        return Reply(command.id, Outcome.DONE, "acknowledged", {}, 4)

    app = make_app(path, acting=Acting(host), access=access_of(folder, monotonic=count(0, 60).__next__))
    app.state.done = done
    return app


@pytest.fixture(scope="module")
def address(app: Starlette) -> Iterator[str]:
    with running_page(app) as served:
        yield served


@contextmanager
def client(address: str, name: str = "") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as opened:
        if name:
            assert log_in(opened, name).status_code == 303
        yield opened


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in, and what their forms carry."""

    client: httpx.Client
    token: str


@pytest.fixture(scope="module")
def people(address: str) -> Iterator[dict[str, Visitor]]:
    """Each of them, logged in for all tests of this file."""
    with ExitStack() as stack:
        found = {}
        for name in PEOPLE:
            opened = stack.enter_context(client(address, name))
            found[name] = Visitor(opened, token_in(opened))
        yield found


def routes(app: Starlette) -> list[tuple[str, str]]:
    """Each route's own path, and one that leads there."""
    found = []
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        url = route.path
        for name, value in FILLED.items():
            url = url.replace(name, value)
        assert "{" not in url, f"FILLED needs a value for {route.path}"
        found.append((route.path, "/static/console.css" if route.path == "/static" else url))
    return found


def asked(client: httpx.Client, method: str, url: str) -> httpx.Response:
    """The head of an answer; a stream is not read."""
    with client.stream(method, url) as answer:
        return answer


def led_to_login(answer: httpx.Response) -> bool:
    return answer.status_code == 401 or (
        answer.status_code == 303 and answer.headers["location"].startswith("/login")
    )


def test_without_a_login_nothing_is_answered_that_is_not_named_here(app: Starlette, address: str) -> None:
    with client(address) as stranger:
        # By this name the machine itself is not asked: as from anywhere else.
        stranger.headers["host"] = "palier.plant"
        for path, url in routes(app):
            for method in METHODS:
                answer = asked(stranger, method, url)
                assert led_to_login(answer) == (path not in FREE), f"{method} {url}: {answer.status_code}"
        for unknown in ("/nothing", "/api/nothing", "/static/../settings", "//settings", "/login/x"):
            assert asked(stranger, "GET", unknown).status_code in (303, 401, 404)
            assert "Oued" not in stranger.get(unknown).text


@pytest.mark.parametrize("name", PEOPLE)
def test_a_role_reads_what_it_may_and_nothing_else(
    app: Starlette, people: dict[str, Visitor], name: str
) -> None:
    for path, url in routes(app):
        answer = asked(people[name].client, "GET", url)
        may = PEOPLE[name] is not Role.VIEWER or path not in ORDERS
        if path in {"/act", "/sign", "/logout"}:
            assert answer.status_code == 405
        elif path == "/login":
            assert answer.headers["location"] == "/"  # who is there goes on
        else:
            assert (answer.status_code != 403) == may, f"{url}: {answer.status_code}"
            assert not led_to_login(answer), url
        if path in ORDERS:
            assert asked(people[name].client, "HEAD", url).status_code == answer.status_code


@pytest.mark.parametrize("name", PEOPLE)
def test_a_role_writes_what_it_may_and_nothing_else(app: Starlette, address: str, name: str) -> None:
    with client(address, name) as person:
        data = {"token": token_in(person), "do": "acknowledge"}
        person.headers["accept"] = "application/json"
        for path, url in sorted(routes(app), key=lambda route: route[0] == "/logout"):  # that at last
            for method in ("PUT", "DELETE"):
                assert person.request(method, url, data=data).status_code == 405, f"{method} {url}"
            answer = person.post(url, data=data)
            if path == "/login":
                assert answer.status_code == 401  # of no name and no password
            elif answer.status_code != 405:
                needed = WRITTEN.get(path)
                may = needed is not None and PEOPLE[name].may(needed)
                assert (answer.status_code != 403) == may, f"{url}: {answer.status_code}"
        assert led_to_login(person.get("/"))


ON_ALARM = {"alarm": "P-101/2/vibration"}
ON_MACHINE = {"machine": "P-101"}
FORMS = {
    "acknowledge": (Role.TECHNICIAN, ON_ALARM),
    "shelve": (Role.TECHNICIAN, ON_ALARM | {"why": "essai"}),
    "unshelve": (Role.TECHNICIAN, ON_ALARM),
    "verdict": (Role.TECHNICIAN, ON_ALARM | {"verdict": "confirmed"}),
    "intervention": (Role.TECHNICIAN, ON_MACHINE | {"kind": "greasing"}),
    "replay": (
        Role.TECHNICIAN,
        {"edge": "usine/g1", "waveforms_of": "P-101", "from_ms": "1", "to_ms": "2", "why": "essai"},
    ),
    "take_out": (Role.ENGINEER, ON_ALARM | {"why": "essai"}),
    "put_back": (Role.ENGINEER, ON_ALARM),
    "confirm_baseline": (Role.ENGINEER, ON_MACHINE),
    "relearn_baseline": (Role.ENGINEER, ON_MACHINE | {"why": "essai"}),
}
"""The commands that the page has forms for."""


@pytest.mark.parametrize("verb", FORMS)
def test_a_command_needs_its_role_and_carries_its_user(
    app: Starlette, people: dict[str, Visitor], verb: str
) -> None:
    needed, fields = FORMS[verb]
    for name, role in PEOPLE.items():
        app.state.done.clear()
        person = people[name]
        form = fields | {"do": verb, "id": "abcdef0123456789", "token": person.token, "user": "Mallory"}
        answer = person.client.post("/act", data=form)
        assert [command.user for command in app.state.done] == ([name] if role.may(needed) else [])
        assert answer.status_code == (200 if role.may(needed) else 403)
        if role is Role.TECHNICIAN and needed is Role.ENGINEER:
            assert "Il faut le rôle ingénieur" in answer.text
            assert "le vôtre est technicien" in answer.text


@pytest.mark.parametrize("machine", ["", " "])
def test_a_replay_of_all_that_a_gateway_sent_is_an_engineer_s(
    app: Starlette, people: dict[str, Visitor], machine: str
) -> None:
    for name, role in PEOPLE.items():
        person = people[name]
        form = FORMS["replay"][1] | {"do": "replay", "id": "abcdef0123456789", "token": person.token}
        app.state.done.clear()
        person.client.post("/act", data=form | {"waveforms_of": machine})
        assert len(app.state.done) == role.may(Role.ENGINEER)


def test_a_command_that_the_page_has_no_form_for_is_an_engineers() -> None:
    for verb in {*ASKS, "format_the_disk", ""} - FORMS.keys():
        assert needed_for(verb) is Role.ENGINEER


def test_what_a_role_may_not_is_not_offered(people: dict[str, Visitor]) -> None:
    offered = {}
    for name in PEOPLE:
        person = people[name].client
        alarm, work = person.get("/alarm/P-101/2/vibration").text, person.get("/machine/P-101/work").text
        settings = person.get("/settings").text
        offered[name] = (
            alarm.count('action="/act"'),
            'value="take_out"' in alarm,
            "/order" in alarm + person.get("/machine/P-101").text + work,
            'value="intervention"' in work,
            'id="journal"' in settings,
        )
        assert ("Réservé au rôle ingénieur" in alarm) == (name == TECHNICIAN)
        assert ("demandent le rôle technicien" in alarm) == (name == VIEWER)
        assert name in settings
    assert offered == {
        VIEWER: (0, False, False, False, False),
        TECHNICIAN: (4, False, True, True, False),
        ENGINEER: (6, True, True, True, True),
    }


def test_its_own_supervisor_reads_a_pages_state_and_nobody_elses(address: str) -> None:
    with client(address) as here:
        assert [here.get(path).status_code for path in sorted(OF_THIS_MACHINE)] == [200, 200]
        assert here.get("/healthz").json() == {"service": "console", "ok": True, "detail": ""}
