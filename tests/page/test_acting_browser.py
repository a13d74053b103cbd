"""People act on the page: a real browser, a real broker, a real ingest, and what the records then say."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette

from dashboards.console import live
from dashboards.console.acting import Acting
from dashboards.console.app import create_app
from palier.alarms import Alarm, Life
from palier.asking import Way, ask
from palier.clock import PlantClock
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.operations import Command, Outcome, Reply
from palier.plant import load_plant
from palier.settings import BrokerSettings
from tests.host.conftest import PLANT, Ingest
from tests.page.conftest import make_app
from tests.support.alarm_seeding import seeded_alarms
from tests.support.browsing import opened
from tests.support.gateway import Gateway, waveform
from tests.support.page_server import running_page
from tests.support.sent_features import features_of
from tests.support.services import free_port, running_mosquitto
from tests.support.waiting import eventually

SECOND = 10**9
ALARM = "pompe/p1/vibration"


@dataclass
class House:
    """Broker, ingest and page of a plant."""

    data: DataFolder
    plant_file: Path
    broker_port: int
    gateway: Gateway
    sent: int = 0

    def app(self) -> Starlette:
        way = Way("usine", BrokerSettings(port=self.broker_port))
        return create_app(
            load_plant(self.plant_file),
            historian=self.data.historian,
            open_historian=lambda: SqliteHistorian(self.data.historian, read_only=True),
            limits=load_limits(),
            records=self.data.records,
            waveforms=self.data.waveforms,
            acting=Acting(partial(ask, way)),
        )

    def send(self, velocity_mm_s: float, machine: str = "pompe") -> None:
        """A block of now, and wait until it is stored."""
        self.sent += 1
        block = waveform(time.time_ns() - SECOND, machine=machine, velocity_mm_s=velocity_mm_s)
        self.gateway.send(self.sent, block)
        self.gateway.wait_acked([self.sent])

    def alarm(self, name: str = ALARM) -> Alarm | None:
        """What the records say."""
        records = RecordsReader(self.data.records)
        try:
            rows = [Alarm.from_json(row.value) for row in records.alarms() if row.id == name]
        finally:
            records.close()
        return rows[0] if rows else None

    def lives(self, life: Life) -> bool:
        found = self.alarm()
        return found is not None and found.life is life


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    plant_file, data, port = folder / "plant.toml", DataFolder(folder / "data"), free_port()
    plant_file.write_text(PLANT, "utf-8")
    with ExitStack() as stack:
        broker = stack.enter_context(running_mosquitto(folder))
        config = folder / "ingest.toml"
        settings = f'plant = "{plant_file}"\ndata = "{data.path}"\nhealth_port = {port}\n'
        config.write_text(f"{settings}[broker]\nport = {broker.port}\n", "utf-8")
        ingest = Ingest(config, data, port)
        ingest.start()
        stack.callback(ingest.stop)
        ingest.wait_ready()
        gateway = stack.enter_context(Gateway(broker.port))
        house = House(data, plant_file, broker.port, gateway)
        for _ in range(3):
            house.send(12.0)
        eventually(lambda: house.lives(Life.UNACKNOWLEDGED), what="the danger")
        yield house


def sign(page: Page, name: str = "H. Alami") -> None:
    page.locator("#sign summary").click()
    page.get_by_label("Votre nom").fill(name)
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(page.locator("#said")).to_contain_text(name)


def test_an_alarm_is_acknowledged_and_shelved_from_the_page_and_all_viewers_see_it(
    browser: Browser, house: House
) -> None:
    with (
        running_page(house.app()) as address,
        opened(browser) as (mine, _),
        opened(browser, viewport={"width": 390, "height": 844}) as (other, _),
    ):
        for page in (mine, other):
            page.goto(f"{address}/alarms")
            expect(page.locator("body.live")).to_be_attached()
            expect(page.locator("#waiting-n")).to_have_text("1")
        row = mine.locator(f'[data-alarm="{ALARM}"]')
        expect(row).to_contain_text("à acquitter")

        row.get_by_role("button").click()  # nobody has signed yet
        expect(mine.locator("#said")).to_contain_text("Donnez d'abord votre nom")
        mine.get_by_label("Votre nom").fill("H. Alami")
        mine.keyboard.press("Enter")
        expect(mine.locator("#user")).to_have_text("H. Alami")
        row.get_by_role("button").click()
        expect(mine.locator("#said")).to_have_text("Alarme acquittée.")
        for page in (mine, other):
            seen = page.locator(f'[data-alarm="{ALARM}"]')
            expect(seen).to_contain_text("acquittée par H. Alami")
            expect(seen.get_by_role("button")).to_have_count(0)
            expect(page.locator("#waiting")).to_be_hidden()
        found = house.alarm()
        assert found is not None
        assert (found.life, found.by) == (Life.ACKNOWLEDGED, "H. Alami")

        other.locator(f'[data-alarm="{ALARM}"] a.button').click()
        sign(other, "S. Idrissi")
        other.locator('[data-can="shelve"] summary').click()
        other.get_by_label("Pendant").select_option("7200")
        other.locator('[data-can="shelve"]').get_by_label("Raison").fill("essai en charge")
        other.locator('[data-can="shelve"] button').click()
        expect(other.locator("#said")).to_have_text("Alarme mise en veille.")
        expect(other.locator("#facts")).to_contain_text("par S. Idrissi\u00a0: essai en charge")
        expect(other.locator("#story")).to_contain_text("mise en veille")
        expect(other.locator('[data-can="unshelve"]')).to_be_visible()
        expect(other.locator('[data-can="shelve"]')).to_be_hidden()
        expect(mine.locator(f'[data-alarm="{ALARM}"]')).to_contain_text("essai en charge")
        found = house.alarm()
        assert found is not None
        assert found.shelf is not None
        assert (found.life, found.shelf.why) == (Life.SHELVED, "essai en charge")
        assert 7100 * SECOND < found.shelf.until_ns - time.time_ns() <= 7200 * SECOND

        other.get_by_role("button", name="Sortir de veille").click()
        expect(other.locator('[data-can="unshelve"]')).to_be_hidden()
        expect(mine.locator(f'[data-alarm="{ALARM}"]')).not_to_contain_text("essai en charge")


def test_a_value_is_on_the_page_within_a_second_of_its_commit(
    browser: Browser, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by its commit: the page would look by itself in an hour. How soon then is counted, not timed."""
    with running_page(house.app()) as address, opened(browser) as (page, _):
        page.goto(address)
        tile = page.locator('[data-machine="pompe"]')
        expect(page.locator("body.live")).to_be_attached()
        monkeypatch.setattr(live, "READ_EVERY_S", 3600.0)
        for value in (12.1, 12.2, 12.3):
            house.send(value)  # returns when it is acknowledged: committed
            expect(tile).to_contain_text(str(value).replace(".", ","))
    assert live.LOOK_EVERY_S + live.LEAST_S < 1.0


@pytest.mark.long
def test_work_and_a_verdict_are_recorded_from_a_phone(browser: Browser, house: House) -> None:
    with (
        running_page(house.app()) as address,
        opened(browser, viewport={"width": 390, "height": 844}) as (page, _),
    ):
        page.goto(f"{address}/machine/pompe/work")
        sign(page)
        page.get_by_label("roulement remplacé").check()
        page.get_by_label("p1").check()
        page.locator("summary", has_text="Cause").click()
        page.get_by_label("Cause (ISO 15243)").select_option("5.1.2")
        page.get_by_role("button", name="Enregistrer l'intervention").click()
        expect(page.locator("#said")).to_have_text("Intervention enregistrée.")
        expect(page.locator("#done")).to_contain_text("roulement remplacé")  # read back from the records
        page.goto(f"{address}/alarm/{ALARM}")
        verdict = page.locator('[data-can="verdict"]')
        verdict.locator("summary").click()
        verdict.get_by_label("confirmé", exact=True).check()
        verdict.get_by_label("Défaut trouvé").select_option("outer_ring")
        verdict.locator("button").click()
        expect(page.locator("#said")).to_have_text("Verdict enregistré.")
        page.reload()
        expect(page.locator("#story")).to_contain_text("bague externe du roulement")
    with closing(RecordsReader(house.data.records)) as records:
        (work,), (found,) = records.interventions("pompe"), records.verdicts()
    assert (work.point, work.kind, work.cause, work.user) == ("p1", "bearing_changed", "5.1.2", "H. Alami")
    assert (found.alarm, found.verdict, found.found) == (ALARM, "confirmed", "outer_ring")


@pytest.mark.long
def test_two_alarms_are_acknowledged_although_the_first_is_still_on_its_way(
    browser: Browser, tmp_path: Path
) -> None:
    seeded_alarms(tmp_path, time.time_ns())
    asked: list[Command] = []
    pressed = threading.Event()  # an answer before the last click would make that click a press of its own

    def answered(command: Command) -> Reply:
        asked.append(command)
        assert pressed.wait(60), "the presses took too long"
        return Reply(command.id, Outcome.DONE, "acknowledged", {}, 2)

    app = make_app(tmp_path / "historian.sqlite", clock=PlantClock(), acting=Acting(answered))
    with running_page(app) as address, opened(browser) as (page, _):
        page.goto(f"{address}/alarms")
        sign(page)
        expect(page.locator("body.live")).to_be_attached()
        expect(page.locator("#alarms button")).to_have_count(2)
        for button in page.locator("#alarms button").all():
            button.dblclick()
        eventually(lambda: len(asked) == 2, what="the second press")
        pressed.set()
        expect(page.locator("#said")).to_have_text("Alarme acquittée.")
    assert len({command.id for command in asked}) == len(asked) == 2


REDRAWN = """() => document.querySelectorAll("#alarms > *").forEach((row) => {
    const drawn = row.cloneNode(true);
    const button = drawn.querySelector("button");
    if (button) delete button.dataset.busy;
    row.replaceWith(drawn);
})"""
"""As the stream replaces rows."""


@pytest.mark.long
def test_a_second_press_is_none_although_its_row_was_drawn_anew_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    seeded_alarms(tmp_path, time.time_ns())
    pressed = threading.Event()

    def answered(command: Command) -> Reply:
        assert pressed.wait(60), "the presses took too long"
        return Reply(command.id, Outcome.DONE, "acknowledged", {}, 2)

    app = make_app(tmp_path / "historian.sqlite", clock=PlantClock(), acting=Acting(answered))
    with running_page(app) as address, opened(browser) as (page, _):
        page.goto(f"{address}/alarms")
        sign(page)
        expect(page.locator("body.live")).to_be_attached()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        button = page.locator("#alarms button").first
        button.click()
        page.evaluate(REDRAWN)
        button.click()
        pressed.set()
        expect(page.locator("#said")).to_have_text("Alarme acquittée.")
    assert sent == [f"{address}/act"]


@pytest.mark.long
def test_the_waveform_that_a_gateway_kept_is_asked_for_from_the_page_and_shown(
    browser: Browser, house: House
) -> None:
    block = waveform(time.time_ns() - SECOND, machine="ventilateur", velocity_mm_s=2.0)
    house.sent += 2
    house.gateway.send(house.sent - 1, features_of(block))
    house.gateway.wait_acked([house.sent - 1])
    with running_page(house.app()) as address, opened(browser) as (page, _):
        page.goto(f"{address}/machine/ventilateur")
        away = page.locator(".away")
        expect(away).to_contain_text("Signal brut sur demande")
        page.locator("#waveform").scroll_into_view_if_needed()
        expect(page.locator("#waveform")).to_contain_text("la passerelle le garde")
        sign(page)
        away.get_by_role("button", name="Demander le signal brut de la dernière heure").click()
        expect(page.locator("#said")).to_contain_text("Période redemandée à la passerelle")
        eventually(lambda: house.gateway.replays, what="the question")
        (wanted,) = house.gateway.replays
        assert (wanted.machine, wanted.retained) == ("ventilateur", True)
        assert wanted.start_ns <= block.start_ns <= wanted.end_ns
        house.gateway.send(house.sent, block, historical=True)
        house.gateway.wait_acked([house.sent])
        page.locator("#waveform").scroll_into_view_if_needed()
        expect(page.locator("#waveform-said")).to_contain_text("Crête")
