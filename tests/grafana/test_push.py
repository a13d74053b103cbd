"""`palier grafana push` through the real grafana-client over HTTP, into a stand-in for a Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.grafana.command import GENERATED
from tests.support.grafana_push import BOARDS, READER_PASSWORD, READER_TOKEN, Pusher, Ran
from tests.support.grafana_stub import TOKEN, GrafanaStub, running_grafana


@pytest.fixture
def pusher(tmp_path: Path) -> Iterator[Pusher]:
    with running_grafana(GrafanaStub()) as stub:
        yield Pusher(stub, tmp_path)


def test_the_first_push_makes_folder_data_sources_and_dashboards_in_that_order(pusher: Pusher) -> None:
    ran = pusher.push(*pusher.with_2x)
    assert (ran.code, ran.err) == (0, "")
    assert pusher.stub.writes == [
        ("POST", "/folders"),
        ("POST", "/datasources"),
        ("POST", "/datasources"),
        ("POST", "/dashboards/db"),
        ("POST", "/dashboards/db"),
    ]
    assert {board["folder"] for board in pusher.stub.dashboards.values()} == {"palier"}
    assert ran.out.count("created") == 5


def test_the_second_push_writes_nothing(pusher: Pusher) -> None:
    pusher.push(*pusher.with_2x)
    writes = len(pusher.stub.writes)
    ran = pusher.push(*pusher.with_2x, "--json")
    assert ran.code == 0
    assert set(ran.actions.values()) == {"unchanged"}
    assert len(pusher.stub.writes) == writes


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(pusher: Pusher) -> None:
    ran = pusher.push(*pusher.with_2x, "--dry-run")
    assert (ran.code, pusher.stub.writes) == (0, [])
    assert ran.out.count("would create") == 5
    assert pusher.push(*pusher.with_2x, "--dry-run", "--json").json["dry_run"] is True


def test_a_changed_dashboard_alone_is_written(pusher: Pusher) -> None:
    pusher.push()
    pusher.write({"machine.json": {**BOARDS["machine.json"], "panels": []}})
    ran = pusher.push("--json")
    assert ran.actions == {"Palier": "unchanged", "Machine": "update", "Vue d'usine": "unchanged"}
    assert pusher.stub.dashboards["palier-machine"]["versions"][0]["version"] == 2
    assert set(pusher.push("--json").actions.values()) == {"unchanged"}


def test_the_other_language_stands_beside_the_first(pusher: Pusher) -> None:
    pusher.push()
    first = set(pusher.stub.dashboards)
    pusher.write({"usine.json": {**BOARDS["usine.json"], "uid": "palier-usine-en", "title": "Plant"}}, "en")
    assert pusher.push("--lang", "en", "--json").actions == {
        "Palier": "unchanged",
        "Plant": "create",
    }
    assert set(pusher.stub.dashboards) == first | {"palier-usine-en"}


def test_the_links_lead_to_the_page_of_the_plant(pusher: Pusher) -> None:
    constant = {"name": "console", "type": "constant", "query": "http://127.0.0.1:8080"}
    site = {"name": "site", "type": "query", "query": "http://127.0.0.1:8080"}
    board = {**BOARDS["machine.json"], "templating": {"list": [site, constant], "more": 1}}
    pusher.write({"machine.json": board})
    page = ("--console-url", "https://page.plant/")
    assert pusher.push(*page).code == 0
    kept = pusher.stub.dashboards["palier-machine"]["body"]["templating"]
    assert kept["list"][0] == site
    assert kept["list"][1]["query"] == kept["list"][1]["current"]["value"] == "https://page.plant"
    assert kept["more"] == 1
    assert set(pusher.push(*page, "--json").actions.values()) == {"unchanged"}
    assert pusher.push("--console-url", "page.plant").code == 2


def test_a_dashboard_changed_by_hand_is_kept_and_the_others_are_written(pusher: Pusher) -> None:
    pusher.push()
    pusher.stub.save_by_hand("palier-machine")
    pusher.write({name: {**body, "refresh": "1m"} for name, body in BOARDS.items()})
    ran = pusher.push()
    assert ran.code == 1
    assert "refused: it was changed by hand by marie" in ran.out
    assert pusher.stub.dashboards["palier-machine"]["body"]["description"] == "changed"
    assert pusher.stub.dashboards["palier-usine"]["body"]["refresh"] == "1m"
    assert pusher.push("--force").code == 0
    assert "description" not in pusher.stub.dashboards["palier-machine"]["body"]


def test_versions_listed_as_older_servers_do_are_understood(pusher: Pusher) -> None:
    pusher.stub.versions_as_list = True
    pusher.push()
    assert set(pusher.push("--json").actions.values()) == {"unchanged"}


def test_a_save_between_look_and_write_is_not_written_over(pusher: Pusher) -> None:
    pusher.push()
    pusher.write({"machine.json": {**BOARDS["machine.json"], "panels": []}})

    def saves(request: object) -> None:
        if "versions" in str(request):
            pusher.stub.after = lambda _: None
            pusher.stub.save_by_hand("palier-machine")

    pusher.stub.after = saves
    ran = pusher.push()
    assert ran.code == 1
    assert "(412)" in ran.err
    assert "run the same command again" in ran.err
    assert pusher.stub.dashboards["palier-machine"]["body"]["description"] == "changed"


def test_a_folder_of_the_plant_is_used(pusher: Pusher) -> None:
    pusher.stub.folders["x1"] = {"uid": "x1", "title": "Maintenance"}
    assert pusher.push("--folder", "Maintenance").code == 0
    assert {board["folder"] for board in pusher.stub.dashboards.values()} == {"x1"}


def test_dashboards_are_not_moved_to_another_folder_unasked(pusher: Pusher) -> None:
    pusher.push()
    ran = pusher.push("--folder", "Autre")
    assert ran.code == 1
    assert "it is in the folder 'Palier'" in ran.out
    assert pusher.push("--folder", "Autre", "--force").code == 0
    assert {board["folder"] for board in pusher.stub.dashboards.values()} == {
        next(uid for uid, folder in pusher.stub.folders.items() if folder["title"] == "Autre")
    }


def test_the_data_source_of_2x_has_a_token_header_and_that_of_1x_an_account(pusher: Pusher) -> None:
    pusher.push(*pusher.with_2x, "--database", "usine")
    source = pusher.stub.data_sources["palier_hourly"]
    assert source["jsonData"]["dbName"] == "usine_hourly"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"] == {"httpHeaderValue1": f"Token {READER_TOKEN}"}
    assert pusher.push(*pusher.with_1x, "--database", "usine").code == 0
    source = pusher.stub.data_sources["palier_hourly"]
    assert source["user"] == "palier_reader"
    assert source["secureJsonData"]["password"] == READER_PASSWORD


def test_without_an_influx_address_no_data_source_is_even_looked_at(pusher: Pusher) -> None:
    pusher.stub.denied = {"datasources:read"}
    assert pusher.push().code == 0
    assert not [r for r in pusher.stub.requests if "datasources" in r.path]


def test_a_wrong_reader_secret_is_told_and_sent_again_when_it_is_right(pusher: Pusher) -> None:
    pusher.stub.influx_secret = f"Token {READER_TOKEN}"
    options = pusher.with_2x
    pusher.file("reader-token", "old-and-revoked")
    first = pusher.push(*options)
    assert first.code == 1
    assert first.err.count("does not work yet") == 2
    assert "old-and-revoked" not in first.err
    pusher.file("reader-token", READER_TOKEN)
    ran = pusher.push(*options, "--json")
    assert (ran.code, ran.actions["palier"]) == (0, "update")


def test_a_grafana_that_can_not_try_a_data_source_is_believed(pusher: Pusher) -> None:
    pusher.stub.denied = {"datasources:query"}
    assert pusher.push(*pusher.with_2x).code == 0
    assert set(pusher.push(*pusher.with_2x, "--json").actions.values()) == {"unchanged"}


def test_a_data_source_of_somebody_else_is_left_and_the_dashboards_are_pushed(pusher: Pusher) -> None:
    theirs = {"uid": "P1", "name": "palier", "type": "influxdb", "readOnly": False, "version": 1}
    pusher.stub.data_sources["P1"] = dict(theirs)
    ran = pusher.push(*pusher.with_2x)
    assert ran.code == 1
    assert "another data source of this name" in ran.out
    assert pusher.stub.data_sources["P1"] == theirs
    assert set(pusher.stub.dashboards) == {"palier-machine", "palier-usine"}


def test_a_grafana_below_a_path_is_reached_with_or_without_a_last_slash(tmp_path: Path) -> None:
    with running_grafana(GrafanaStub(path="/outils/grafana")) as stub:
        pusher = Pusher(stub, tmp_path)
        assert pusher.push().code == 0
        stub.url += "/"
        assert pusher.push().code == 0


def everything_shown(ran: Ran, log: str) -> str:
    return ran.out + ran.err + log


@pytest.mark.parametrize("json_output", [False, True])
def test_no_secret_is_shown_or_logged_even_when_the_server_echoes_it(
    pusher: Pusher, json_output: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    pusher.stub.fail("POST", "/dashboards", status=400, body={"message": f"{TOKEN} {READER_TOKEN}"})
    ran = pusher.push(*pusher.with_2x, *(["--json"] if json_output else []))
    assert ran.code == 1
    shown = everything_shown(ran, caplog.text)
    assert TOKEN not in shown
    assert READER_TOKEN not in shown
    assert "***" in ran.err


def test_the_dashboards_that_ship_are_pushed_in_both_languages_and_found_again(pusher: Pusher) -> None:
    for lang in ("fr", "en"):
        shipped = ("--dashboards", str(GENERATED), "--console-url", "https://page.plant", "--lang", lang)
        assert set(list(pusher.push(*shipped, "--json").actions.values())[1:]) == {"create"}
        assert set(pusher.push(*shipped, "--json").actions.values()) == {"unchanged"}
    assert len(pusher.stub.dashboards) == len(list(GENERATED.glob("*/*.json")))
    for board in pusher.stub.dashboards.values():
        console = [v for v in board["body"]["templating"]["list"] if v["name"] == "console"]
        assert [v["query"] for v in console] == ["https://page.plant"] * len(console)


def test_quiet_says_nothing_where_nothing_is_wrong(pusher: Pusher) -> None:
    ran = pusher.push("--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_json_tells_the_steps_that_were_done_before_an_error(pusher: Pusher) -> None:
    pusher.stub.fail("POST", "/dashboards", status=500)
    ran = pusher.push("--json")
    assert ran.code == 1
    assert ran.json["ok"] is False
    assert ran.actions == {"Palier": "create"}
    assert "(1 of 3 changes were made before)" in ran.json["error"]
    pusher.stub.faults.clear()
    assert pusher.push("--json").actions == {
        "Palier": "unchanged",
        "Machine": "create",
        "Vue d'usine": "create",
    }
