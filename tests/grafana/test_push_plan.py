"""The plan of a push: what is there and what should be, to steps; nothing here knows of HTTP."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.grafana.push_plan import (
    HOURLY,
    RAW,
    Action,
    Dashboard,
    DataSource,
    Found,
    FoundDashboard,
    FoundDataSource,
    FoundFolder,
    Kind,
    Step,
    Wanted,
    folder_uid,
    plan,
)

BOARD = Dashboard("palier-machine", "Machine", {"uid": "palier-machine", "title": "Machine", "panels": []})
SOURCE = DataSource(RAW, "http://influx:8086", "palier")
FOLDER = FoundFolder("palier", "Palier")
PUSHED = FoundDashboard("palier", "Palier", 3, (BOARD.message(), "palier grafana push 00"), "sa-palier")


def steps(*, found: Found, force: bool = False, folder: str = "Palier") -> tuple[Step, ...]:
    return plan(Wanted(folder, (), (BOARD,)), found, force=force)


def board_step(there: FoundDashboard, *, force: bool = False) -> Step:
    return steps(found=Found((FOLDER,), {}, {BOARD.uid: there}), force=force)[-1]


def source_step(body: dict[str, Any], answers: bool | None = True, *, force: bool = False) -> Step:
    found = Found((FOLDER,), {RAW: FoundDataSource(body, answers)})
    return plan(Wanted("Palier", (SOURCE,), ()), found, force=force)[-1]


def kept(source: DataSource = SOURCE, **changed: Any) -> dict[str, Any]:
    """A data source as Grafana gives it after we wrote it."""
    secrets = dict.fromkeys(source.secret_fields(), True)
    return {**source.settings(), "id": 4, "version": 2, "secureJsonFields": secrets, **changed}


def test_an_empty_grafana_gets_all_in_the_order_folder_data_sources_dashboards() -> None:
    wanted = Wanted("Palier", (SOURCE, replace(SOURCE, name=HOURLY)), (BOARD,))
    made = plan(wanted, Found())
    assert [s.kind for s in made] == [Kind.FOLDER, Kind.DATA_SOURCE, Kind.DATA_SOURCE, Kind.DASHBOARD]
    assert {s.action for s in made} == {Action.CREATE}


def test_what_we_pushed_and_nobody_touched_is_unchanged() -> None:
    assert {s.action for s in steps(found=Found((FOLDER,), {}, {BOARD.uid: PUSHED}))} == {Action.UNCHANGED}


def test_another_dashboard_of_ours_is_updated_under_the_version_that_was_seen() -> None:
    step = board_step(replace(PUSHED, messages=("palier grafana push 00",)))
    assert step.action is Action.UPDATE
    assert step.body["dashboard"]["version"] == 3
    assert step.body["overwrite"] is False


@pytest.mark.parametrize("message", ["", "Restored from version 2", "by marie"])
def test_a_dashboard_changed_by_hand_is_written_over_only_by_force(message: str) -> None:
    there = replace(PUSHED, messages=(message, *PUSHED.messages), version=4, by="marie")
    step = board_step(there)
    assert step.action is Action.REFUSED
    assert "changed by hand by marie since the last push (version 4)" in step.reason
    assert "--force" in step.reason
    assert not step.body
    assert board_step(there, force=True).action is Action.UPDATE


def test_a_dashboard_that_no_push_wrote_is_told_apart() -> None:
    assert "that no push wrote" in board_step(replace(PUSHED, messages=("Initial save",))).reason


def test_a_dashboard_in_another_folder_stays_there() -> None:
    there = replace(PUSHED, folder_uid="x", folder_title="Maintenance")
    step = board_step(there)
    assert step.action is Action.REFUSED
    assert "'Maintenance'" in step.reason
    assert board_step(there, force=True).action is Action.UPDATE


def test_a_dashboard_provisioned_by_a_file_is_never_ours() -> None:
    assert board_step(replace(PUSHED, provisioned=True), force=True).action is Action.REFUSED


def test_a_folder_is_found_by_our_uid_when_it_was_renamed_and_by_its_title_when_it_is_not_ours() -> None:
    renamed = steps(found=Found((FoundFolder("palier", "Vibrations"),)))[0]
    assert (renamed.action, renamed.uid) == (Action.UNCHANGED, "palier")
    assert "'Vibrations'" in renamed.reason
    theirs = steps(found=Found((FoundFolder("x1", "Maintenance"),)), folder="Maintenance")[0]
    assert (theirs.action, theirs.uid) == (Action.UNCHANGED, "x1")


def test_a_data_source_keeps_what_the_push_does_not_decide() -> None:
    body = kept(url="http://old:8086", isDefault=True, jsonData={"dbName": "palier", "maxSeries": 5000})
    step = source_step(body)
    assert step.action is Action.UPDATE
    assert "address" in step.reason
    assert step.body["isDefault"] is True
    assert step.body["jsonData"]["maxSeries"] == 5000
    assert step.body["jsonData"]["httpMode"] == "POST"
    assert step.body["version"] == 2


def test_a_data_source_as_wanted_is_unchanged_whatever_else_it_has() -> None:
    assert source_step(kept(isDefault=True)).action is Action.UNCHANGED
    more = {**SOURCE.settings()["jsonData"], "timeInterval": "10s"}
    assert source_step(kept(jsonData=more), None).action is Action.UNCHANGED


def test_secrets_are_sent_again_where_they_are_missing_or_fail_or_by_force() -> None:
    assert source_step(kept(secureJsonFields={})).action is Action.UPDATE
    failing = source_step(kept(), False)
    assert failing.action is Action.UPDATE
    assert "does not answer" in failing.reason
    assert source_step(kept(), force=True).action is Action.UPDATE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"uid": "P123"}, "another data source of this name.*'P123'"),
        ({"type": "prometheus"}, "of type 'prometheus'"),
        ({"readOnly": True, "url": "http://old"}, "provisioned by a file.*address"),
    ],
)
def test_a_data_source_of_somebody_else_is_refused_even_by_force(change: dict[str, Any], reason: str) -> None:
    step = source_step(kept(**change), force=True)
    assert step.action is Action.REFUSED
    assert re.search(reason, step.reason)


def test_a_provisioned_data_source_that_is_right_is_unchanged() -> None:
    assert source_step(kept(readOnly=True), force=True).action is Action.UNCHANGED


def test_1x_and_2x_differ_in_account_and_header() -> None:
    assert SOURCE.settings()["jsonData"]["httpHeaderName1"] == "Authorization"
    old = replace(SOURCE, user="palier_reader")
    assert "httpHeaderName1" not in old.settings()["jsonData"]
    assert old.settings()["user"] == "palier_reader"
    assert (SOURCE.secret_fields(), old.secret_fields()) == ({"httpHeaderValue1"}, {"password"})
    assert replace(old, own_ca=True).settings()["jsonData"]["tlsAuthWithCACert"] is True


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"apiVersion": "dashboard.grafana.app/v2", "spec": {}}', "classic JSON"),
        (b"[]", "classic JSON"),
        (b'{"schemaVersion": 42, "title": "x"}', "a uid and a title"),
        (b"{", "Expecting"),
    ],
)
def test_a_file_that_is_no_classic_dashboard_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Dashboard.parse(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.integers(), st.integers())
def test_a_digest_is_of_the_content_alone(panel: dict[str, Any], number: int, version: int) -> None:
    body = {"uid": "u", "title": "t", "schemaVersion": 42, "panels": [panel]}
    plain = Dashboard.parse(json.dumps(body).encode())
    saved = dict(reversed(list(body.items()))) | {"id": number, "version": version}
    assert Dashboard.parse(json.dumps(saved, indent=2).encode()).message() == plain.message()
    other = {**body, "panels": [panel, 1]}
    assert Dashboard.parse(json.dumps(other).encode()).message() != plain.message()


@given(st.text(min_size=1, max_size=200))
def test_a_folder_uid_is_one_that_grafana_takes(title: str) -> None:
    """At most 40 characters of letters, digits, - and _."""
    uid = folder_uid(title)
    assert len(uid) <= 40
    assert uid.replace("-", "").isalnum()
    assert uid == folder_uid(title)
