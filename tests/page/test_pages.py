"""The pages as a browser gets them: languages, escaping, headers, and a historian that is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from dashboards.console.context import first_ranges
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant, load_sample_plant
from tests.page.conftest import StandingClock, make_app
from tests.support.page_server import page_client
from tests.support.seeding import CLIPPED, EVERY_NS, NOW_NS, NS, SAMPLE_COURSES, Series, seeded_plant


def tiles_of(html: str) -> list[str]:
    return re.findall(r'data-machine="([^"]+)"', html)


def test_the_overview_has_a_tile_for_each_machine_in_french(client: httpx.Client) -> None:
    html = client.get("/").text
    assert tiles_of(html) == ["V-301", "P-101", "B-501", "L-401", "C-201"]
    assert '<html lang="fr" dir="ltr">' in html
    for text in (
        "Ventilateur de tirage",
        "mm/s eff.",
        "seuil d&#39;arrêt",
        "il y a 2\u00a0s",
        "danger · apprentissage",
    ):
        assert text in html


@pytest.mark.parametrize(
    ("lang", "direction", "word"), [("fr", "ltr", "alerte"), ("en", "ltr", "alert"), ("ar", "rtl", "إنذار")]
)
def test_each_language_has_its_words_and_direction(
    client: httpx.Client, lang: str, direction: str, word: str
) -> None:
    html = client.get(f"/?lang={lang}").text
    client.cookies.clear()
    assert f'<html lang="{lang}" dir="{direction}">' in html
    assert word in html


def test_a_chosen_language_is_remembered(client: httpx.Client) -> None:
    client.get("/?lang=ar")
    html = client.get("/").text
    client.cookies.clear()
    assert '<html lang="ar"' in html


def test_the_machine_page_names_state_points_limits_and_values(client: httpx.Client) -> None:
    html = client.get("/machine/P-101").text
    for text in (
        "Pompe à pulpe",
        "criticité A",
        "250&nbsp;kW",
        "890",
        "zone C",
        "ISO 10816-7",
        "Facteur de crête",
    ):
        assert text in html
    assert html.count('class="point ') == 2


def test_a_machine_without_limits_says_that_it_learns(client: httpx.Client) -> None:
    assert "pas de limites\u00a0: apprentissage" in client.get("/machine/B-501").text


def test_no_page_needs_another_host_or_an_inline_script_or_style(client: httpx.Client) -> None:
    for path in ("/", "/machine/P-101"):
        answer = client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", answer.text)
        assert not re.search(r"<script>|<script (?!src=|type=)", answer.text)


def test_static_files_are_asked_for_again_and_states_never_kept(client: httpx.Client) -> None:
    assert client.get("/").headers["cache-control"] == "no-store"
    style = client.get("/static/console.css")
    assert style.headers["cache-control"] == "no-cache"
    again = client.get("/static/console.css", headers={"if-none-match": style.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/vendor/../../app.py"]
)
def test_nothing_but_static_files_is_served_as_one(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_speaks_the_plants_language_whatever_the_browser_prefers(seeded: Path) -> None:
    with page_client(make_app(seeded, lang="ar")) as client:
        assert client.headers["accept-language"].startswith("en")
        assert '<html lang="ar"' in client.get("/").text
        assert '<html lang="fr"' in client.get("/?lang=fr").text
        assert '<html lang="fr"' in client.get("/").text  # remembered
        assert '<html lang="ar"' in client.get("/?lang=xx").text  # an error page


@pytest.mark.parametrize(("minutes", "first"), [(10, "15m"), (50, "15m"), (70, "1h")])
def test_the_first_range_is_one_that_the_history_can_fill(tmp_path: Path, minutes: int, first: str) -> None:
    _, path = seeded_plant(tmp_path, blocks=minutes * 12)
    with page_client(make_app(path)) as client:
        html = client.get("/machine/P-101").text
        assert f'"range": "{first}"' in html
        assert re.search(rf'range={first}" aria-current="true"', html)
        assert '"range": "24h"' in client.get("/machine/P-101?range=24h").text


@pytest.mark.parametrize(
    ("rate", "ranges"),
    [
        (1.0, ("1h", "15m")),
        (20.0, ("1h", "15m")),
        (60.0, ("24h", "1h")),
        (1440.0, ("7d", "24h")),
        (1e6, ("30d", "7d")),
    ],
)
def test_the_first_range_fits_the_plant_s_clock(rate: float, ranges: tuple[str, str]) -> None:
    """An hour of a clock on which a day takes a minute passes in 2.5 s: nobody sees anything in it."""
    assert first_ranges(rate) == ranges


def test_a_page_on_a_fast_clock_begins_with_a_longer_range(tmp_path: Path) -> None:
    _, path = seeded_plant(tmp_path, blocks=120)
    with page_client(make_app(path, clock=StandingClock(rate=1440.0))) as client:
        assert '"range": "24h"' in client.get("/machine/P-101").text


def test_an_error_page_speaks_and_leads_back(client: httpx.Client) -> None:
    answer = client.get("/machine/NOPE")
    assert answer.status_code == 404
    assert "La machine NOPE n&#39;est ni dans plant.toml ni dans les données." in answer.text
    assert 'href="/"' in answer.text


def test_health_readiness_and_metrics_are_on_the_same_port(client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    metrics = client.get("/metrics").text
    assert 'palier_console_machines{state="danger"} 1.0' in metrics
    assert "palier_console_historian_up 1.0" in metrics


def test_without_a_historian_the_page_says_so_and_fills_by_itself(tmp_path: Path) -> None:
    clock = StandingClock()
    with page_client(make_app(tmp_path / "historian.sqlite", clock=clock)) as client:
        html = client.get("/").text
        assert len(tiles_of(html)) == 5
        assert html.count("tone-unknown") >= 5
        assert "Pas encore d&#39;historique." in html
        assert client.get("/readyz").status_code == 503
        assert client.get("/api/machines/P-101/trend").status_code == 503
        assert client.get("/machine/P-101").status_code == 200

        seeded_plant(tmp_path)
        from tests.support.waiting import eventually

        assert eventually(
            lambda: "Pas encore" not in client.get("/").text, what="the page without its banner"
        )
        assert client.get("/readyz").status_code == 200


def test_a_file_that_is_no_historian_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "historian.sqlite"
    path.write_bytes(b"not a database, but long enough to look like a file of something" * 20)
    with page_client(make_app(path)) as client:
        answer = client.get("/")
        assert answer.status_code == 200
        assert "banner-text" in answer.text


def test_a_refusal_is_told_with_reason_and_remedy(tmp_path: Path) -> None:
    courses = [replace(c, judgement=CLIPPED) if c.machine == "L-401" else c for c in SAMPLE_COURSES]
    _, path = seeded_plant(tmp_path, courses=courses)
    with page_client(make_app(path)) as client:
        html = client.get("/machine/L-401").text
        assert "le signal est écrêté" in html
        assert "À faire\u00a0: choisir une étendue de mesure plus grande." in html


def test_a_silent_machine_and_a_stranger_are_shown(tmp_path: Path) -> None:
    courses = [replace(c, ends_before_ns=600 * NS) if c.machine == "P-101" else c for c in SAMPLE_COURSES]
    plant, path = seeded_plant(tmp_path, courses=courses)
    ts = NOW_NS - EVERY_NS * np.arange(3, dtype=np.int64)
    writer = SqliteHistorian(path)
    writer.write([Series(plant.site_id, "X-900", "1", "H", ts).features(np.full(3, 1.7))])
    writer.close()
    with page_client(make_app(path)) as client:
        html = client.get("/").text
        assert tiles_of(html) == ["V-301", "P-101", "X-900", "B-501", "L-401", "C-201"]
        assert "pas de données depuis 10\u00a0min" in html
        stranger = client.get("/machine/X-900")
        assert stranger.status_code == 200
        assert "plant.toml" in stranger.text


def test_text_of_the_plant_is_escaped(tmp_path: Path) -> None:
    sample = load_sample_plant()
    evil = "<img src=x onerror=alert(1)>"
    machines = (replace(sample.machines[0], name=evil, line=evil), *sample.machines[1:])
    plant = Plant(sample.site_id, "</title><script>1</script>", sample.timezone, machines)
    with page_client(make_app(tmp_path / "none.sqlite", plant)) as client:
        for path in ("/", "/machine/P-101"):
            html = client.get(path).text
            assert "<img" not in html
            assert "<script>1" not in html


def test_pages_are_compressed_and_streams_are_not(client: httpx.Client) -> None:
    """A stream that waits for more to compress would tell nothing."""
    assert client.get("/").headers["content-encoding"] == "gzip"
    with client.stream("GET", "/events") as answer:
        assert "content-encoding" not in answer.headers


def test_a_head_stands_over_the_machines_of_each_line(tmp_path: Path) -> None:
    sample = load_sample_plant()
    machines = (replace(sample.machines[0], line="Broyage"), *sample.machines[1:])
    _, path = seeded_plant(tmp_path)
    with page_client(make_app(path, replace(sample, machines=machines))) as client:
        html = client.get("/").text
    order = ["/", "V-301", "B-501", "L-401", "C-201", "/Broyage", "P-101"]
    assert tiles_of(html) == order
    assert re.findall(r'<h2 class="line-head"[^>]*>([^<]+)</h2>', html) == ["Sans ligne", "Broyage"]
