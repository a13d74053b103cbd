"""Every page in three languages, light and dark, on a wall and on a phone: nothing overflows or is missing,
nothing complains, and axe-core finds no serious fault."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dashboards.console.acting import Acting
from palier.clock import PlantClock
from palier.plant import Plant, load_sample_plant
from tests.page.conftest import make_app
from tests.support.alarm_seeding import alarm, seeded_accounts, seeded_alarms, write_alarms
from tests.support.browsing import opened
from tests.support.page_looks import BY_LOOKS, PHONE, WALL, faults, look
from tests.support.page_server import running_page
from tests.support.seeding import NS, seeded_plant

PAGES = (
    "/",
    "/alarms",
    "/alarms?kind=waiting&machine=P-101",
    "/alarms/history",
    "/alarms/figures",
    "/alarm/P-101/2/vibration",
    "/machine/P-101/work",
    "/machine/P-101/order",
    "/alarm/V-301/1/vibration/order",
    "/gateways",
    "/ledger",
    "/settings",
    "/machine/NOPE/work",
)
SENT = "performance.getEntriesByType('navigation')[0].encodedBodySize"
"""Bytes of a page as they were sent."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, now_ns = tmp_path_factory.mktemp("pages"), time.time_ns() - 2 * NS
    _, path = seeded_plant(folder, now_ns=now_ns)
    seeded_alarms(folder, now_ns)
    seeded_accounts(folder / "records.sqlite", now_ns)
    acting = Acting(lambda command: pytest.fail(f"nobody asked for {command}"))
    with running_page(make_app(path, clock=PlantClock(), acting=acting)) as served:
        yield served


@pytest.mark.timeout(300)  # each page in four looks, with all that axe-core asks of it
@pytest.mark.parametrize("lang", ["fr", *(pytest.param(one, marks=pytest.mark.long) for one in ("en", "ar"))])
def test_every_page_is_whole_in_every_language_colour_and_size(
    browser: Browser, address: str, lang: str
) -> None:
    """Light on a wall, then the same page dark on a phone."""
    wrong: list[str] = []
    with opened(browser, reduced_motion="reduce") as (page, seen):
        for path in PAGES:
            page.set_viewport_size(WALL)
            page.emulate_media(color_scheme="light")
            page.goto(f"{address}{path}{'&' if '?' in path else '?'}lang={lang}")
            expect(page.locator("html")).to_have_attribute("lang", lang)
            wrong += look(page, path, lang)
            if lang == "fr":
                wrong += [f"{path} light, wall: {fault}" for fault in faults(page)]
            page.set_viewport_size(PHONE)
            page.emulate_media(color_scheme="dark")
            wrong += look(page, path, lang)
            if lang == "fr":
                wrong += [f"{path} dark, phone: {fault}" for fault in faults(page, *BY_LOOKS)]
        hosts = {address.removeprefix("http://")}
        assert seen.hosts == hosts
        seen.complaints[:] = [text for text in seen.complaints if "404" not in text]  # the page that is not
    assert wrong == []


def test_the_colours_are_chosen_and_remembered(browser: Browser, address: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="light") as (page, _):
        page.goto(address)
        light = page.evaluate(ground)
        page.locator(".choices summary").click()
        page.get_by_role("link", name="Sombre").click()
        page.wait_for_url("**theme=dark")
        dark = page.evaluate(ground)
        page.goto(f"{address}/alarms")
        assert page.evaluate(ground) == dark != light


def test_a_page_can_be_walked_by_keyboard(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}/alarms")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('#alarms button')"):
                break
        assert page.evaluate("document.activeElement.value") == "V-301/1/vibration@1"


def test_what_is_touched_on_a_phone_is_large_enough(browser: Browser, address: str) -> None:
    with opened(browser, viewport=PHONE, has_touch=True) as (page, _):
        for path in ("/alarms", "/machine/P-101/work", "/alarm/P-101/2/vibration"):
            page.goto(address + path)
            small = page.evaluate(
                "() => [...document.querySelectorAll('main button, main .choose label, .nav a')]"
                ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 40).map(e => e.outerHTML)"
            )
            assert small == [], path


def test_the_order_prints_on_a_sheet_without_the_page_around_it(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}/machine/P-101/order")
        assert page.locator(".sheet figure svg").count() == 3
        page.emulate_media(media="print")
        for hidden in (".top", ".crumb", ".nav"):
            expect(page.locator(hidden).first).to_be_hidden()
        expect(page.locator(".sheet")).to_contain_text("41 g")
        pdf = page.pdf(prefer_css_page_size=True)
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 2


def test_names_at_their_longest_fit_a_phone(browser: Browser, tmp_path: Path) -> None:
    sample = load_sample_plant()
    longest = replace(sample.machines[0], id="M" * 64, name="Pompe-à-pulpe" * 12)
    plant = Plant(sample.site_id, "Laverie" * 12, sample.timezone, (longest, *sample.machines[1:]))
    write_alarms(tmp_path / "records.sqlite", [alarm("M" * 64, "2", now_ns=time.time_ns(), by="H" * 64)])
    app = make_app(tmp_path / "historian.sqlite", plant, clock=PlantClock())
    with running_page(app) as served, opened(browser, viewport=PHONE) as (page, _):
        for path in (
            "/",
            "/alarms",
            f"/alarm/{'M' * 64}/2/vibration",
            f"/machine/{'M' * 64}/work",
            "/settings",
        ):
            page.goto(served + path)
            assert look(page, path, "fr") == []


@pytest.mark.long
def test_five_hundred_machines_are_drawn_and_stay_light(browser: Browser, tmp_path: Path) -> None:
    sample = load_sample_plant()
    machines = tuple(replace(sample.machines[0], id=f"M-{k:03d}") for k in range(500))
    plant = Plant(sample.site_id, sample.site_name, sample.timezone, machines)
    app = make_app(tmp_path / "historian.sqlite", plant, clock=PlantClock())
    with running_page(app) as served, opened(browser) as (page, _):
        page.goto(served)
        assert page.evaluate(SENT) < 300_000
        expect(page.locator(".tile")).to_have_count(500)
        expect(page.locator("body.live")).to_be_attached()
