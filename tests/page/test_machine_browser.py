"""The machine page in Debian's Chromium: its charts come when they are looked at, by keyboard too."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from palier.clock import PlantClock
from palier.historian.sqlite import SqliteHistorian
from palier.local_time import local
from tests.page.conftest import StandingClock, make_app
from tests.support.browsing import DRAWN, opened
from tests.support.degrading_pump import PUMP, degrading_pump
from tests.support.page_server import running_page
from tests.support.seeding import NS, Course, add_blocks, seeded_plant

IS_DRAWN = "id => !!document.querySelector(`#${id} canvas`)"
CHARTS = (
    "trend",
    "temperature",
    "residual",
    "bands",
    "speed",
    "spectrum",
    "envelope",
    "waveform",
    "health-trend",
    "fan",
)
SENT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
"""Bytes of the page and of all that it loads, as they were sent."""

PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    _, data = degrading_pump(tmp_path_factory.mktemp("pump"))
    with running_page(make_app(data.historian, waveforms=data.waveforms)) as served:
        yield f"{served}/machine/{PUMP}"


def shown(page: Page, chart: str) -> str:
    """Look at a chart until it is drawn; its picture."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    page.wait_for_function(IS_DRAWN, arg=chart)
    return str(page.evaluate(DRAWN, chart))


def test_every_chart_is_drawn_once_it_is_looked_at_and_says_the_same_in_words(
    browser: Browser, address: str
) -> None:
    with opened(browser) as (page, seen):
        page.goto(f"{address}?range=30d")
        page.wait_for_function(IS_DRAWN, arg="trend")
        assert not page.evaluate(IS_DRAWN, "fan")  # below the fold: not yet asked for
        assert 20_000 < page.evaluate(SENT) < 300_000
        for chart in CHARTS:
            shown(page, chart)
            expect(page.locator(f"#{chart}-said")).not_to_be_empty()
        page.locator("#waterfall").scroll_into_view_if_needed()
        expect(page.locator("#waterfall-said")).to_contain_text("29 spectres")
        expect(page.locator("#sensor-table table")).to_be_visible()
        expect(page.locator("#flags li")).to_have_count(4)
        assert seen.hosts == {address.split("/")[2]}


FRAMES = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
"""What a page does before it draws the second picture from now."""


def test_no_chart_is_drawn_between_press_and_release_and_moves_what_is_pressed(
    browser: Browser, address: str
) -> None:
    with opened(browser, viewport={"width": 800, "height": 600}) as (page, _):
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/families/speed*", hold)
        with page.expect_request("**/families/speed*"):
            page.goto(f"{address}?range=30d")
            page.locator("#speed").scroll_into_view_if_needed()
        pressed = page.locator("#spectrum-log")
        pressed.scroll_into_view_if_needed()
        pressed.hover()
        page.mouse.down()
        with page.expect_event("requestfinished"):
            held[0].continue_()
        page.evaluate(FRAMES)
        assert not page.evaluate(IS_DRAWN, "speed")
        page.mouse.up()
        expect(pressed).to_have_attribute("aria-pressed", "true")
        page.wait_for_function(IS_DRAWN, arg="speed")


def test_the_spectrum_changes_its_scale_its_axis_and_its_kind(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}?range=30d")
        before = shown(page, "spectrum")
        for name in ("échelle log", "ordres", "repères", "accélération", "toute la bande"):
            button = page.get_by_role("button", name=name)
            button.click()
            page.wait_for_function(f"before => ({DRAWN})('spectrum') !== before", arg=before)
            before = page.evaluate(DRAWN, "spectrum")
        expect(page.locator("#spectrum-note")).to_contain_text("m/s² crête")


def test_cursors_go_by_arrow_keys_and_tell_where_they_are(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}?range=30d")
        shown(page, "envelope")
        page.locator("#envelope").focus()
        page.keyboard.press("Home")
        page.keyboard.press("p")
        readout = page.locator("#envelope-readout")
        expect(readout).to_contain_text("BPFO (")
        told = readout.text_content()
        page.keyboard.press("ArrowRight")
        expect(readout).not_to_have_text(told or "")
        page.locator("#spectrum-cursor").select_option("harmonics")
        page.locator("#envelope").focus()
        page.keyboard.press("Home")
        page.keyboard.press("p")
        expect(readout).to_contain_text("harmoniques 1 à 8 marquées")
        assert page.locator("#envelope .cursor-line:not([hidden])").count() == 7
        page.locator("#spectrum-cursor").select_option("sidebands")
        page.locator("#envelope").focus()
        page.keyboard.press("ArrowRight")
        expect(readout).to_contain_text("bandes latérales à 14,83\u00a0Hz")


def test_a_part_is_enlarged_and_left_again(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}?range=30d")
        whole = shown(page, "spectrum")
        page.locator("#spectrum").focus()
        page.keyboard.press("End")
        with page.expect_response(lambda answer: "/lines" in answer.url and "from=" in answer.url):
            page.keyboard.press("+")
        page.wait_for_function(f"before => ({DRAWN})('spectrum') !== before", arg=whole)
        with page.expect_response(lambda answer: "/lines" in answer.url and "from=" not in answer.url):
            page.keyboard.press("Escape")


HELD = """(() => {
    const was = fetch;
    window.held = [];
    window.fetch = async (url, options) => {
        if (window.holds && /kind=velocity/.test(url) && !/from=/.test(url)) {
            await new Promise((release) => held.push(release));
        }
        return was(url, options);
    };
})()"""
"""The whole velocity spectrum is asked for once it is released."""


def test_lines_that_come_after_later_ones_are_not_shown(browser: Browser, address: str) -> None:
    """The whole was asked for, then a part; the part's lines come first."""
    with opened(browser) as (page, _):
        page.add_init_script(HELD)
        page.goto(f"{address}?range=30d")
        whole = shown(page, "spectrum")
        page.evaluate("holds = true")
        page.locator("#spectrum").focus()
        page.keyboard.press("End")
        page.keyboard.press("Escape")
        page.wait_for_function("held.length")
        page.keyboard.press("+")
        page.wait_for_function(f"before => ({DRAWN})('spectrum') !== before", arg=whole)
        part = page.evaluate(DRAWN, "spectrum")
        with page.expect_event(
            "requestfinished", lambda one: "kind=velocity" in one.url and "from=" not in one.url
        ):
            page.evaluate("held.forEach((release) => release())")
        page.evaluate("() => new Promise((done) => requestIdleCallback(done))")  # what came is drawn
        assert page.evaluate(DRAWN, "spectrum") == part


@pytest.mark.long
def test_another_date_stands_behind_and_beside(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}?range=30d")
        before = shown(page, "spectrum")
        page.locator("#compare-at").fill("2026-11-01T08:00")
        expect(page.locator("#compared-table tbody tr").first).to_contain_text("×")
        page.wait_for_function(f"before => ({DRAWN})('spectrum') !== before", arg=before)
        expect(page.locator("#spectrum-note")).to_contain_text("alors")
        page.get_by_role("button", name="Ne plus comparer").click()
        expect(page.locator("#compared")).to_be_hidden()


def test_synoptic_and_values_select_what_is_shown_and_keep_the_period(browser: Browser, address: str) -> None:
    with opened(browser) as (page, _):
        page.goto(f"{address}?range=24h")
        page.locator(".synoptic a").nth(1).focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**point=2&channel=H&range=24h")
        expect(page.locator(".synoptic a[aria-current]")).to_contain_text("Point 2")
        page.get_by_role("link", name="Kurtosis (coefficient d'aplatissement)").click()
        page.wait_for_url("**range=24h**")
        expect(page.locator("#trend-title")).to_contain_text("Kurtosis")


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, address: str) -> None:
    """In Arabic: from right to left what is too wide sticks out on the side that scrolls."""
    with opened(browser, viewport=PHONE) as (page, _):
        page.goto(f"{address}?range=30d&lang=ar")
        for chart in ("trend", "spectrum", "waterfall", "fan"):
            shown(page, chart)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_new_block_moves_the_trend_and_what_is_said(browser: Browser, tmp_path: Path) -> None:
    plant, path = seeded_plant(tmp_path, now_ns=time.time_ns() - 2 * NS)
    with running_page(make_app(path, clock=PlantClock())) as served, opened(browser) as (page, _):
        page.goto(f"{served}/machine/{PUMP}?range=15m")
        before = shown(page, "trend")
        expect(page.locator("#link-text")).to_have_text("en direct")
        historian = SqliteHistorian(path)
        ts = np.array([time.time_ns()], dtype=np.int64)
        add_blocks(historian, plant, Course(PUMP, 12.3), ts, np.array([12.3]))
        historian.close()
        page.wait_for_function(f"before => ({DRAWN})('trend') !== before", arg=before)
        for place in ("#head", "#values", "#judgement"):
            expect(page.locator(place)).to_contain_text("12,3")


def test_an_empty_period_says_so_and_leads_to_the_newest_data(browser: Browser, tmp_path: Path) -> None:
    _, path = seeded_plant(tmp_path, now_ns=time.time_ns() - 7200 * NS)
    with running_page(make_app(path, clock=PlantClock())) as served, opened(browser) as (page, _):
        page.goto(f"{served}/machine/{PUMP}?range=15m")
        expect(page.locator("#head")).to_contain_text("pas de données depuis 2\u00a0h")
        expect(page.locator("#trend")).to_contain_text("Aucune mesure dans cette période.")
        page.get_by_role("button", name="Voir les dernières mesures").click()
        expect(page.locator("#trend .empty")).to_be_hidden()


ONLY_UTC = """(() => {
    const was = Intl.DateTimeFormat;
    Intl.DateTimeFormat = function (locale, options) {
        if (options && options.timeZone !== "UTC") throw new Error(`a browser's zone: ${options.timeZone}`);
        return new was(locale, options);
    };
})()"""
"""A browser whose knowledge of time zones nobody may ask for."""


@pytest.mark.long
def test_scripts_tell_the_times_of_the_server_whatever_the_browser_knows(
    browser: Browser, tmp_path: Path
) -> None:
    """In November 2026 Morocco is at UTC; a browser (or a system) of the year before says UTC+1."""
    at_ns = 1_795_349_000 * NS  # 22 November 2026 12:03:20 UTC
    _, path = seeded_plant(tmp_path, now_ns=at_ns)
    told = local(at_ns, "Africa/Casablanca")
    app = make_app(path, clock=StandingClock(moment_ns=at_ns))
    with running_page(app) as served, opened(browser, timezone_id="America/New_York") as (page, _):
        page.add_init_script(ONLY_UTC)
        page.goto(f"{served}/machine/{PUMP}?range=15m")
        shown(page, "trend")
        expect(page.locator("#now-text")).to_have_text(f"{told:%H:%M}")
        expect(page.locator("#head time.age").first).to_have_attribute(
            "title", re.compile(f"{told:%H:%M:%S}")
        )
