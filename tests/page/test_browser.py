"""The pages in Debian's Chromium: what people see, that it moves, and that nothing leaves this machine."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from palier.clock import PlantClock
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant, load_sample_plant
from tests.page.conftest import make_app
from tests.support.browsing import opened
from tests.support.page_server import running_page
from tests.support.seeding import NS, SAMPLE_COURSES, Course, add_blocks, seeded_plant
from tests.support.services import free_port

IS_DRAWN = "id => !!document.querySelector(`#${id} canvas`)"


@dataclass
class Site:
    """A served page over a historian that a test goes on writing."""

    address: str
    path: Path
    plant: Plant

    def write(self, course: Course) -> None:
        historian = SqliteHistorian(self.path)
        try:
            ts = np.array([time.time_ns()], dtype=np.int64)
            add_blocks(historian, self.plant, course, ts, np.array([course.velocity_mm_s]))
        finally:
            historian.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    plant, path = seeded_plant(tmp_path, now_ns=time.time_ns() - 2 * NS)
    with running_page(make_app(path, clock=PlantClock())) as address:
        yield Site(address, path, plant)


def test_the_overview_shows_five_tiles_and_asks_no_other_host(browser: Browser, site: Site) -> None:
    with opened(browser) as (page, seen):
        page.goto(site.address)
        expect(page.locator(".tile")).to_have_count(5)
        expect(page.locator("#link-text")).to_have_text("en direct")
        expect(page.locator(".tile").first).to_contain_text("Ventilateur de tirage")
        expect(page.locator("#summary")).to_contain_text("1 danger")
        assert seen.hosts == {site.address.removeprefix("http://")}


def test_a_new_block_moves_tile_age_and_order_without_a_reload(browser: Browser, site: Site) -> None:
    with opened(browser) as (page, _):
        page.goto(site.address)
        conveyor = page.locator('[data-machine="C-201"]')
        expect(conveyor).to_contain_text("zone A")
        site.write(Course("C-201", 8.8))
        expect(conveyor).to_contain_text("8,8")
        expect(conveyor).to_contain_text("zone D")
        expect(page.locator(".tile").nth(1)).to_have_attribute("data-machine", "C-201")
        expect(page.locator("#announce")).to_contain_text("2 danger")
        counted = re.compile(r"il y a ([3-9]|[1-5]\d)\u00a0s")  # by itself; who looks may miss any one second
        expect(conveyor.locator("time.age")).to_have_text(counted)


def test_a_tile_keeps_the_focus_when_it_changes_and_opens_with_enter(browser: Browser, site: Site) -> None:
    with opened(browser) as (page, _):
        page.goto(site.address)
        expect(page.locator("#link-text")).to_have_text("en direct")
        page.locator('[data-machine="C-201"]').focus()
        site.write(Course("C-201", 8.8))
        expect(page.locator('[data-machine="C-201"]')).to_contain_text("8,8")
        expect(page.locator('[data-machine="C-201"]')).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**/machine/C-201")


def test_arabic_reads_from_right_to_left(browser: Browser, site: Site) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{site.address}/?lang=ar")
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(page.locator("#link-text")).to_have_text("مباشر")
        first, second = (page.locator(".tile").nth(i).bounding_box() for i in (0, 1))
        assert first is not None
        assert second is not None
        assert first["x"] > second["x"]  # the worst stands at the right, where reading begins


REDRAWN = """(() => {
    const Was = EventSource;
    let stream;
    window.EventSource = class extends Was {
        constructor(...of) { super(...of); stream = this; }
    };
    addEventListener("mousedown", () => {
        const tiles = [...document.querySelectorAll("#tiles > *")];
        const drawn = document.querySelector('[data-machine="C-201"]').cloneNode(true);
        drawn.querySelector("strong").textContent += "*";
        stream.dispatchEvent(new MessageEvent("overview", { data: JSON.stringify({
            now_ms: Date.now(),
            order: tiles.map((tile) => tile.dataset.machine),
            tiles: { "C-201": drawn.outerHTML },
        }) }));
    });
})()"""
"""A tile that is drawn anew while a button of the mouse is down."""


def test_a_press_is_not_lost_when_its_tile_is_drawn_anew_before_the_release(
    browser: Browser, site: Site
) -> None:
    with opened(browser) as (page, _):
        page.add_init_script(REDRAWN)
        page.goto(site.address)
        conveyor = page.locator('[data-machine="C-201"]')
        expect(page.locator("body.live")).to_be_attached()
        page.locator("#now").click()  # what came meanwhile is shown after it
        expect(conveyor).to_contain_text("*")
        conveyor.click()
        page.wait_for_url("**/machine/C-201")


@pytest.mark.long
def test_a_lost_link_takes_the_states_their_colour_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """The page's own server stops and starts again on the same port: complaints are expected here."""
    _, path = seeded_plant(tmp_path, now_ns=time.time_ns())
    with ExitStack() as stack:
        context = browser.new_context(locale="fr-FR")
        stack.callback(context.close)
        page = context.new_page()
        port = free_port()  # no outgoing connection takes it while nobody listens there
        with running_page(make_app(path, clock=PlantClock()), port) as address:
            page.goto(address)
            expect(page.locator("body.live")).to_be_attached()
        expect(page.locator("body.offline")).to_be_attached()
        expect(page.locator("#lost")).to_contain_text("ne sont plus à jour")
        with running_page(make_app(path, clock=PlantClock()), port):
            expect(page.locator("body.live")).to_be_attached()
            expect(page.locator("#lost")).to_have_count(0)


def test_the_page_before_the_first_ingest_fills_by_itself(browser: Browser, tmp_path: Path) -> None:
    app = make_app(tmp_path / "historian.sqlite", clock=PlantClock())
    with running_page(app) as address, opened(browser) as (page, _):
        page.goto(address)
        expect(page.locator(".tile.tone-unknown")).to_have_count(5)
        expect(page.locator("#banner")).to_contain_text("Pas encore d'historique.")
        writer = threading.Thread(target=seeded_plant, args=(tmp_path,), kwargs={"now_ns": time.time_ns()})
        writer.start()
        writer.join()
        expect(page.locator(".tile.tone-danger")).to_have_count(1)
        expect(page.locator("#banner")).to_be_empty()


def test_the_sample_plant_has_the_machines_that_the_tests_speak_of() -> None:
    assert {machine.id for machine in load_sample_plant().machines} == {c.machine for c in SAMPLE_COURSES}
