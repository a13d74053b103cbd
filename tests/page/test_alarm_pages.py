"""The alarm list and what belongs to it: what is shown, what may be asked, what stays calm."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from dashboards.console.alarm_board import AlarmBoard, AlarmsReader
from dashboards.console.alarm_history import steps_of
from dashboards.console.alarm_rows import ALL, Wanted, row_of, rows_of
from dashboards.console.context import Console
from dashboards.console.events import Follower
from dashboards.console.news import Audience
from palier.alarms import Alarm, Level, Life, What
from palier.historian.records import Records, RecordsReader
from palier.historian.rows import AlarmRow, RecordsBatch
from palier.plant import load_sample_plant
from tests.page.conftest import make_app
from tests.support.alarm_seeding import alarm, sample_alarms, seeded_alarms, transition, write_alarms
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, NS

PLANT = load_sample_plant()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("alarms")
    seeded_alarms(folder)
    with page_client(make_app(folder / "historian.sqlite")) as client:
        yield client


def listed(html: str) -> list[str]:
    return re.findall(r'data-alarm="([^"]+)"', html)


def test_the_list_has_the_open_alarms_those_that_wait_and_are_worst_first(page: httpx.Client) -> None:
    html = page.get("/alarms").text
    assert listed(html)[:2] == ["V-301/1/vibration", "P-101/2/vibration"]
    assert len(listed(html)) == 5
    for text in (
        "DANGER",
        "arrêter la machine",
        "9,90\u00a0mm/s",
        "acquittée par H. Alami",
        "essai en charge",
    ):
        assert text in html
    assert re.search(r'id="waiting-n">2<', html)


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("machine=P-101", 2),
        ("mode=sensor", 1),
        ("kind=aside", 2),
        ("kind=waiting&machine=P-101", 1),
        ("kind=zzz&machine=%3Cscript%3E&mode=1", 5),
    ],
)
def test_a_list_is_narrowed_and_nonsense_narrows_nothing(page: httpx.Client, query: str, n: int) -> None:
    answer = page.get(f"/alarms?{query}")
    assert len(listed(answer.text)) == n
    assert "<script>alert" not in answer.text


def test_all_is_calm_where_nothing_is_open(tmp_path: Path) -> None:
    over = replace(alarm("P-101"), level=None, standing=None, acknowledged=True)
    write_alarms(tmp_path / "records.sqlite", [over])
    with page_client(make_app(tmp_path / "historian.sqlite")) as client:
        html = client.get("/alarms").text
        assert "Aucune alarme ouverte." in html
        assert listed(html) == []
        assert client.get("/alarm/P-101/1/vibration").status_code == 200  # its story is still there


def test_without_records_the_page_says_so_and_claims_no_calm(tmp_path: Path) -> None:
    with page_client(make_app(tmp_path / "historian.sqlite")) as client:
        html = client.get("/alarms").text
        assert re.search(r'id="calm" hidden', html)
        assert "ne peuvent pas être lues" in html
        for path in ("/alarms/history", "/alarms/figures", "/gateways", "/ledger", "/machine/P-101/work"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "ne peuvent pas être lues" in answer.text, path
        assert client.get("/alarm/P-101/1/vibration").status_code == 503


@pytest.mark.parametrize("path", ["/alarm/x", "/alarm/P-101/9/vibration", "/alarm/a/b/c/d", "/alarm/%00/1/x"])
def test_an_alarm_that_is_not_there_is_told(page: httpx.Client, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert "n&#39;existe pas" in answer.text


def test_what_may_be_asked_is_what_the_ingest_would_do() -> None:
    def can(one: Alarm) -> set[str]:
        return set(row_of(one, PLANT).can)

    danger, alert, seen, shelved, out = sample_alarms()
    assert can(danger) == {"acknowledge"}  # latched: it is acknowledged first
    assert can(alert) == {"acknowledge", "shelve", "take_out"}
    assert can(seen) == {"shelve", "take_out"}
    assert can(shelved) == {"acknowledge", "unshelve", "take_out"}
    assert can(out) == {"acknowledge", "put_back"}


def test_what_is_put_aside_keeps_its_colour_to_itself() -> None:
    rows = {row.id: row for row in rows_of(sample_alarms(), PLANT, ALL)}
    assert rows["V-301/1/vibration"].look.tone == "danger"
    assert (rows["C-201/1/vibration"].look.tone, rows["C-201/1/vibration"].calm) == ("stopped", True)
    assert rows["P-101/1/temperature"].look.tone == "alert"
    assert not rows["P-101/1/temperature"].waiting


def test_an_alarm_of_another_version_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    with closing(Records(tmp_path / "records.sqlite")) as records:
        records.commit(RecordsBatch(alarms=(AlarmRow("khouribga", "P-101/1/vibration", "{}"),)))
    with page_client(make_app(tmp_path / "historian.sqlite")) as client:
        assert "ne peuvent pas être lues" in client.get("/alarms").text
        assert client.get("/").status_code == 200


def test_alarms_of_another_site_are_not_this_pages(tmp_path: Path) -> None:
    path = seeded_alarms(tmp_path)
    with closing(RecordsReader(path)) as records:
        assert AlarmsReader("elsewhere").read(records) == ()
        reader = AlarmsReader("khouribga")
        first, again = reader.read(records), reader.read(records)
    assert [id(one) for one in first] == [id(one) for one in again]  # what has not changed is not read anew
    board = AlarmBoard(first)
    assert (board.waiting, len(board.of("P-101"))) == (2, 2)


def test_the_history_tells_who_did_what_and_why(tmp_path: Path) -> None:
    one = alarm("P-101", version=2, acknowledged=True)
    told = [
        transition(alarm("P-101"), What.RAISED, NOW_NS - 60 * NS),
        transition(one, What.ACKNOWLEDGED, NOW_NS, who="H. Alami", why="<b>vu</b>"),
        replace(transition(one, What.SHELVED, NOW_NS), event_id="broken", detail="{"),
    ]
    assert [step.what for step in steps_of(told, ALL, 10)] == ["raised", "acknowledged"]
    assert steps_of(told, Wanted(mode="sensor"), 10) == []
    assert len(steps_of(told, ALL, 1)) == 1
    write_alarms(tmp_path / "records.sqlite", [one], told)
    with page_client(make_app(tmp_path / "historian.sqlite")) as client:
        html = client.get("/alarms/history?range=24h").text
        assert "&lt;b&gt;vu" in html
        assert "apparue" in html
        assert "acquittée" in client.get("/alarm/P-101/1/vibration").text


def test_the_figures_name_the_worst_and_what_chatters(tmp_path: Path) -> None:
    raised = [
        replace(transition(alarm("P-101"), What.RAISED, NOW_NS - k * NS), event_id=str(k)) for k in range(4)
    ]
    raised.append(transition(alarm("V-301", level=Level.DANGER), What.RAISED, NOW_NS - 3600 * NS))
    write_alarms(tmp_path / "records.sqlite", [alarm("P-101")], raised)
    with page_client(make_app(tmp_path / "historian.sqlite")) as client:
        html = client.get("/alarms/figures?range=24h").text
    assert html.index("P-101/1/vibration") < html.index("V-301/1/vibration")
    assert "4 fois en une minute" in html
    assert ">80<" in html


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    seeded_alarms(tmp_path)
    return make_app(tmp_path / "historian.sqlite")


def test_a_list_is_told_what_changed_once_for_all_viewers(app: Starlette, tmp_path: Path) -> None:
    console: Console = app.state.console

    async def story() -> None:
        viewers = [Follower(console, Audience(console.words["fr"], "", "alarms")) for _ in range(2)]
        before = await console.live.board()
        for viewer in viewers:
            _, alarms = await viewer.news(before)
            assert len(json.loads(alarms.split("data: ")[1])["rows"]) == 5
        seen = replace(alarm("V-301", level=Level.DANGER), acknowledged=True, by="H. Alami", version=2)
        write_alarms(tmp_path / "records.sqlite", [seen])
        console.live._read_at = -10.0
        after = await console.live.board()
        first, second = [await viewer.news(after) for viewer in viewers]
        assert first == second
        told = json.loads(first[1].split("data: ")[1])
        assert list(told["rows"]) == ["V-301/1/vibration"]
        assert told["order"][-1] != "V-301/1/vibration"
        assert json.loads(first[0].split("data: ")[1])["waiting"] == 1
        assert await viewers[0].news(after) == []

    asyncio.run(story())


def test_the_page_of_an_alarm_follows_it(app: Starlette, tmp_path: Path) -> None:
    console: Console = app.state.console
    one = alarm("P-101", "2", version=3)

    async def story() -> None:
        follower = Follower(console, Audience(console.words["en"], ""), alarm=one.key)
        _, told = await follower.news(await console.live.board())
        assert json.loads(told.split("data: ")[1])["version"] == 3
        over = replace(one, level=None, standing=None, acknowledged=True, version=4)
        assert over.life is Life.NORMAL
        write_alarms(tmp_path / "records.sqlite", [over])
        console.live._read_at = -10.0
        news = await follower.news(await console.live.board())
        data = json.loads(news[-1].split("data: ")[1])
        assert (data["version"], data["can"]) == (4, ["take_out"])
        assert "gone" in data["fragments"]["facts"]

    asyncio.run(story())
