"""A pump that came into danger after its last examination: page and order ask for what its state does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from models.detection.zones import judge
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from tests.page.conftest import make_app
from tests.support.degrading_pump import PUMP, degrading_pump
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, NS, Series

RAISED = "Gravité portée à 5 sur 5 par l&#39;état du point depuis le diagnostic\u00a0: danger."


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    plant, data = degrading_pump(tmp_path_factory.mktemp("danger"))
    times = np.array([NOW_NS + NS], dtype=np.int64)
    worse = judge(30.0, load_limits()["iso10816-7:cat2:over200kw"])
    writer = SqliteHistorian(data.historian)
    writer.write([Series(plant.site_id, PUMP, "1", "", times).states([worse])])
    writer.close()
    with page_client(make_app(data.historian, waveforms=data.waveforms)) as client:
        yield client


def test_the_diagnosis_that_leads_is_as_severe_and_as_urgent_as_the_state(page: httpx.Client) -> None:
    cards = re.findall(r'<article class="fault-card.*?</article>', page.get(f"/machine/{PUMP}").text, re.S)
    assert len(cards) == 3
    for text in ("tone-danger", "gravité 5 sur 5", "délai\u00a0: maintenant", RAISED):
        assert text in cards[0], text
    assert all("gravité 3 sur 5" in card and RAISED not in card for card in cards[1:])


def test_the_work_order_asks_for_the_same(page: httpx.Client) -> None:
    html = page.get(f"/machine/{PUMP}/order").text
    assert RAISED in html
    assert "<b>maintenant</b>" in html


def test_the_machine_page_leads_to_its_work_order_and_its_work(page: httpx.Client) -> None:
    html = page.get(f"/machine/{PUMP}").text
    assert f'<a href="/machine/{PUMP}/order">Ordre de travail</a>' in html
    assert f'<a href="/machine/{PUMP}/work">Interventions et référence</a>' in html


def test_a_tile_says_what_its_index_is_of(page: httpx.Client) -> None:
    (tile,) = re.findall(rf'<a class="tile[^>]*data-machine="{PUMP}">.*?</a>', page.get("/").text, re.S)
    (health,) = re.findall(r'<span class="health".*?</span>', tile, re.S)
    assert re.sub(r"<[^>]+>", "", health) == "santé 48/100"
