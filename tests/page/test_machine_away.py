"""A machine whose blocks came as features: its values as ever, and the form that asks for the waveforms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from dashboards.console.acting import Acting
from dashboards.console.machine_away import away_of
from dashboards.console.series import Values
from palier.historian.base import Rows
from palier.historian.sqlite import SqliteHistorian
from palier.locale import Catalogue
from palier.operations import Command, Outcome, Reply, SendAgain
from palier.plant import load_sample_plant
from tests.page.conftest import make_app
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, NS, seeded_plant

SITE = load_sample_plant().site_id
ASKED: list[Command] = []


def ask(command: Command) -> Reply:
    ASKED.append(command)
    return Reply(command.id, Outcome.DONE, "replay_asked")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    _, path = seeded_plant(tmp_path_factory.mktemp("away"))
    _as_features(path, "P-101", "2", "H")
    with page_client(make_app(path, acting=Acting(ask))) as opened:
        yield opened


def _as_features(path: Path, machine: str, point: str, channel: str) -> None:
    historian = SqliteHistorian(path)
    fields = {"velocity_rms_mm_s": np.array([2.5]), "frame": [f"features:{SITE}/g1:00000000000000e1:9"]}
    one = Rows("feature", [SITE], [machine], [point], [channel], np.array([NOW_NS + NS]), fields)
    historian.write([one])
    historian.close()


@pytest.mark.parametrize("lang", ["fr", "en", "ar"])
def test_the_page_says_that_the_waveform_is_there_on_request(page: httpx.Client, lang: str) -> None:
    words = Catalogue(lang)
    text = page.get(f"/machine/P-101?point=2&channel=H&lang={lang}").text
    for key in ("away", "away_note", "away_ask"):
        assert words.text(f"machine.{key}") in text
    assert '"away": true' in text or '"away":true' in text
    assert words.text("machine.away_ask") not in page.get(f"/machine/C-201?lang={lang}").text


def test_the_button_asks_the_gateway_for_the_last_hour_of_that_machine(page: httpx.Client) -> None:
    text = page.get("/machine/P-101?point=2&channel=H&lang=fr").text
    (form,) = re.findall(r'<form class="act-form".*?</form>', text, re.S)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    assert fields["do"] == "replay"
    page.cookies.set("palier_user", "H. Alami")
    answer = page.post(
        "/act", data=fields, headers={"accept": "application/json", "sec-fetch-site": "same-origin"}
    )
    assert answer.json()["outcome"] == "done"
    (command,) = ASKED
    assert isinstance(command.ask, SendAgain)
    assert (command.ask.edge, command.ask.waveforms_of, command.ask.again) == (f"{SITE}/g1", "P-101", False)
    assert command.ask.to_ns - command.ask.from_ns == 3600 * NS
    assert command.ask.to_ns >= NOW_NS
    assert command.ask.why


def test_a_block_that_came_whole_and_one_of_a_stranger_are_not_away() -> None:
    for frame in (None, "usine/g1:e:9", "features:usine"):
        assert away_of(Values(1, (), None, frame), NOW_NS) is None
    assert away_of("unread", NOW_NS) is None
    assert away_of(None, NOW_NS) is None


def test_of_a_block_of_yesterday_the_hour_that_begins_with_it_is_asked_for() -> None:
    then_ns = NOW_NS - 24 * 3600 * NS
    away = away_of(Values(then_ns, (), None, f"features:{SITE}/g1:e:9"), NOW_NS)
    assert away is not None
    assert away.from_ms * 1_000_000 <= then_ns < away.to_ms * 1_000_000 == then_ns + 3600 * NS
