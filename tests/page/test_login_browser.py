"""People log in with a real browser, by keyboard, on a wall and on a phone, and are told when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.console.account_book import AccountBook
from dashboards.console.account_file import AccountFile
from dashboards.console.acting import Acting
from palier.clock import PlantClock
from palier.operations import Command, Intervene, Outcome, Reply
from palier.plant import Plant, load_sample_plant
from tests.page.conftest import make_app
from tests.support.alarm_seeding import alarm, seeded_alarms, write_alarms
from tests.support.browsing import opened
from tests.support.page_looks import BY_LOOKS, PHONE, WALL, faults, look
from tests.support.page_people import ENGINEER, TECHNICIAN, VIEWER, access_of, password_of
from tests.support.page_server import running_page

pytestmark = pytest.mark.long  # a browser is two seconds before it does anything

ALARM = "/alarm/P-101/2/vibration"


@dataclass
class House:
    """A page with accounts, and what its people asked."""

    folder: Path
    address: str = ""
    asked: list[Command] = field(default_factory=list)

    def __call__(self, command: Command) -> Reply:
        self.asked.append(command)
        return Reply(command.id, Outcome.DONE, "acknowledged", {}, 4)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    seeded_alarms(house.folder, time.time_ns())
    app = make_app(
        house.folder / "historian.sqlite",
        clock=PlantClock(),
        acting=Acting(house),
        access=access_of(house.folder),
    )
    with running_page(app) as house.address:
        yield house


def enter(page: Page, name: str, password: str = "") -> None:
    """By keyboard alone, as the page is opened."""
    expect(page.locator('input[name="name"]')).to_be_focused()  # the browser does so a moment after the load
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password or password_of(name))
    page.keyboard.press("Enter")


def test_a_technician_logs_in_by_keyboard_and_signs_what_they_do(browser: Browser, house: House) -> None:
    with opened(browser) as (page, seen):
        page.goto(house.address + ALARM)
        enter(page, TECHNICIAN, "not the password")
        expect(page.locator("#refused")).to_have_text("Le nom ou le mot de passe n'est pas le bon.")
        expect(page.locator('input[name="password"]')).to_be_focused()  # the name stands
        page.keyboard.type(password_of(TECHNICIAN))
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{ALARM}")
        expect(page.locator("#user")).to_have_text(TECHNICIAN)
        page.locator('[data-can="acknowledge"] button').click()
        expect(page.locator("#said")).to_have_text("Alarme acquittée.")
        page.locator(".who summary").click()
        page.get_by_role("button", name="Se déconnecter").click()
        page.wait_for_url("**/login")
        page.goto(house.address + ALARM)
        expect(page.get_by_label("Mot de passe")).to_be_visible()
        seen.complaints[:] = [text for text in seen.complaints if "401" not in text]
    assert [command.user for command in house.asked] == [TECHNICIAN]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("lang", ["fr", "ar"])
def test_the_pages_of_the_login_are_whole_in_every_colour_and_size(
    browser: Browser, house: House, lang: str
) -> None:
    wrong: list[str] = []
    with opened(browser, reduced_motion="reduce") as (page, _):
        page.goto(house.address)
        for path in ("/login", "/account", "/settings", ALARM):
            page.set_viewport_size(WALL)
            page.emulate_media(color_scheme="light")
            page.goto(f"{house.address}{path}?lang={lang}")
            wrong += [*look(page, path, lang), *(f"{path}: {fault}" for fault in faults(page))]
            page.set_viewport_size(PHONE)
            page.emulate_media(color_scheme="dark")
            wrong += [*look(page, path, lang), *(f"{path}: {fault}" for fault in faults(page, *BY_LOOKS))]
            if path == "/login":
                enter(page, ENGINEER)
                page.wait_for_url(f"{house.address}/")
    assert wrong == []


def test_who_is_no_longer_known_is_told_so_and_led_back(browser: Browser, house: House) -> None:
    with closing(AccountFile(house.folder / "accounts.sqlite")) as file:
        kept = AccountBook(file).password(VIEWER)
        assert kept is not None
        with opened(browser) as (page, seen):
            page.goto(f"{house.address}/alarms")
            enter(page, VIEWER)
            page.wait_for_url("**/alarms")
            expect(page.locator("body.live")).to_be_attached()
            expect(page.locator("#alarms button")).to_have_count(2)
            expect(page.locator("#alarms button").first).to_be_hidden()
            AccountBook(file).set_password(VIEWER, kept[1], by="test", now_s=1)
            expect(page.locator("#session-over")).to_contain_text("La session est finie.")
            page.get_by_role("link", name="Se connecter").click()
            enter(page, VIEWER)
            page.wait_for_url("**/alarms")
            seen.complaints[:] = [text for text in seen.complaints if "401" not in text]


def test_what_was_being_written_when_the_session_ended_is_sent_after_the_next_login(
    browser: Browser, house: House
) -> None:
    house.asked.clear()
    with closing(AccountFile(house.folder / "accounts.sqlite")) as file:
        kept = AccountBook(file).password(TECHNICIAN)
        assert kept is not None
        with opened(browser) as (page, seen):
            page.goto(f"{house.address}/machine/P-101/work")
            enter(page, TECHNICIAN)
            expect(page.locator("body.live")).to_be_attached()
            page.locator("summary", has_text="remarque").first.click()
            page.get_by_text("graissage", exact=False).first.click()
            page.locator("textarea").fill("graisse noire, copeaux")
            AccountBook(file).set_password(TECHNICIAN, kept[1], by="test", now_s=1)
            record = page.locator(".act-form button.primary")
            record.click()
            expect(page.locator("#said")).to_contain_text("se connecter")
            expect(page.locator("#session-over")).to_contain_text("Ce qui est écrit ici reste")
            for name, said in ((ENGINEER, "La recharger"), (TECHNICIAN, "Alarme acquittée")):
                with page.context.expect_page() as another:
                    page.get_by_role("link", name="Se connecter").click()
                another.value.get_by_label("Mot de passe").wait_for()
                enter(another.value, name)
                another.value.wait_for_url("**/work")
                record.click()
                expect(page.locator("#said")).to_contain_text(said)
                another.value.locator(".who summary").click()
                another.value.get_by_role("button", name="Se déconnecter").click()
                expect(page.locator("#session-over")).to_be_attached()
            seen.complaints.clear()  # the refusals
    (command,) = house.asked  # what one wrote, nobody else signs
    assert isinstance(command.ask, Intervene)
    assert (command.user, command.ask.text) == (TECHNICIAN, "graisse noire, copeaux")


def test_names_are_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    """Of the plant, its machines and points, and of who acted, whatever the records hold of them."""
    bad = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
    sample = load_sample_plant()
    pump = sample.machines[0]
    points = tuple(replace(point, name=bad) for point in pump.points)
    plant = Plant(sample.site_id, bad, sample.timezone, (replace(pump, name=bad, line=bad, points=points),))
    write_alarms(tmp_path / "records.sqlite", [alarm("P-101", "2", now_ns=time.time_ns(), by=bad)])
    app = make_app(tmp_path / "historian.sqlite", plant, clock=PlantClock())
    with running_page(app) as address, opened(browser) as (page, seen):
        for path in ("/", "/alarms", ALARM, "/machine/P-101", "/machine/P-101/work", "/settings", "/ledger"):
            page.goto(address + path)
            expect(page.locator(".site")).to_have_text(bad)
            assert page.title().endswith(bad), path  # and not 1 or 2
            assert page.locator("img").count() == 0
        assert seen.hosts == {address.removeprefix("http://")}
        seen.complaints[:] = [text for text in seen.complaints if "503" not in text]  # there is no historian


def test_no_page_can_be_laid_under_a_strangers(browser: Browser, house: House, tmp_path: Path) -> None:
    with running_page(make_app(tmp_path / "historian.sqlite")) as stranger, opened(browser) as (page, seen):
        page.goto(stranger)
        frame = "src => {const f = document.createElement('iframe'); f.src = src; document.body.append(f);}"
        with page.expect_console_message(
            lambda said: said.type == "error"
        ):  # the browser says that it refused
            page.evaluate(frame, f"{house.address}/login")
        assert page.frame(url=f"{house.address}/login") is None
        seen.complaints.clear()
