"""The provisioning files are of the shape that Grafana reads, hold no secret, and belong together."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dashboards.grafana import push_plan
from dashboards.grafana.alerts import FOLDER, alerting
from dashboards.grafana.variables import HOURLY_UID, RAW_UID

Body = dict[str, Any]

PROVISIONING = FOLDER.parent
SCHEMAS = Path(__file__).parent / "schemas"
FILES = sorted(PROVISIONING.rglob("*.yaml*"))


@cache
def parsed(file: Path) -> Body:
    body: Body = yaml.safe_load(file.read_text())
    return body


def read(name: str) -> Body:
    """The content of a file, which a test may change."""
    return deepcopy(parsed(PROVISIONING / name))


def mistakes(folder: str, body: Body) -> list[str]:
    return [error.message for error in validator(folder).iter_errors(body)]


@cache
def validator(folder: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{folder}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_of_its_schema(file: Path) -> None:
    assert mistakes(file.parent.name, parsed(file)) == []


def test_there_is_a_file_of_each_kind() -> None:
    assert {file.parent.name for file in FILES} == {"datasources", "dashboards", "alerting"}
    active = {file.name for file in FILES if file.suffix == ".yaml"}
    assert active == {"palier.yaml", "contact-points.yaml", "policies.yaml", "rules.yaml"}


def test_the_rules_are_those_that_the_code_makes() -> None:
    for name, data in alerting().items():
        assert (FOLDER / name).read_bytes() == data, "make them anew: python -m dashboards.grafana.alerts"


def test_the_rules_speak_english_too() -> None:
    assert alerting("en") != alerting("fr")
    assert mistakes("alerting", yaml.safe_load(alerting("en")["rules.yaml"])) == []


def a_misspelt_key(body: Body) -> None:
    body["groups"][0]["rules"][0]["titel"] = body["groups"][0]["rules"][0].pop("title")


def an_interval_of_no_unit(body: Body) -> None:
    body["groups"][0]["interval"] = "60"


def an_unknown_state(body: Body) -> None:
    body["groups"][0]["rules"][0]["noDataState"] = "Ok"


def a_query_beside_its_model(body: Body) -> None:
    query = body["groups"][0]["rules"][0]["data"][0]
    query["query"] = query["model"].pop("query")


def a_threshold_of_a_machine(body: Body) -> None:
    conditions = body["groups"][0]["rules"][1]["data"][2]["model"]["conditions"]
    conditions[0]["evaluator"]["params"] = [7.1]


def a_variable_that_no_alert_has(body: Body) -> None:
    model = body["groups"][0]["rules"][0]["data"][0]["model"]
    model["query"] = model["query"].replace("$timeFilter", "$timeFilter AND ${site:regex}", 1)


def a_folder_that_is_missing(body: Body) -> None:
    del body["groups"][0]["folder"]


@pytest.mark.parametrize(
    "fault",
    [
        a_misspelt_key,
        an_interval_of_no_unit,
        an_unknown_state,
        a_query_beside_its_model,
        a_threshold_of_a_machine,
        a_variable_that_no_alert_has,
        a_folder_that_is_missing,
    ],
)
def test_a_seeded_fault_in_the_rules_is_caught(fault: Callable[[Body], None]) -> None:
    body = read("alerting/rules.yaml")
    fault(body)
    assert mistakes("alerting", body)


def a_token_in_the_file(body: Body) -> None:
    body["datasources"][0]["secureJsonData"]["httpHeaderValue1"] = "Token abcdef"


def flux(body: Body) -> None:
    body["datasources"][0]["jsonData"]["version"] = "Flux"


def a_database_beside_the_json(body: Body) -> None:
    body["datasources"][0]["database"] = body["datasources"][0]["jsonData"].pop("dbName")


def a_header_without_a_name(body: Body) -> None:
    del body["datasources"][0]["jsonData"]["httpHeaderName1"]


@pytest.mark.parametrize(
    "fault", [a_token_in_the_file, flux, a_database_beside_the_json, a_header_without_a_name]
)
def test_a_seeded_fault_in_the_data_sources_is_caught(fault: Callable[[Body], None]) -> None:
    body = read("datasources/palier.yaml")
    fault(body)
    assert mistakes("datasources", body)


@pytest.mark.parametrize(
    ("name", "key"), [("telegram.yaml.sample", "bottoken"), ("webhook.yaml.sample", "password")]
)
def test_a_secret_in_a_contact_point_is_caught(name: str, key: str) -> None:
    body = read(f"alerting/{name}")
    body["contactPoints"][0]["receivers"][0]["settings"][key] = "123456:secret"
    assert mistakes("alerting", body)


def test_an_unknown_comparison_in_a_policy_is_caught() -> None:
    body = read("alerting/policies.yaml")
    body["policies"][0]["routes"][0]["object_matchers"][0][1] = "=="
    assert mistakes("alerting", body)


def test_a_provider_of_no_path_is_caught() -> None:
    body = read("dashboards/palier.yaml")
    body["providers"][0]["path"] = body["providers"][0]["options"].pop("path")
    assert mistakes("dashboards", body)


def test_every_receiver_of_a_policy_is_a_contact_point() -> None:
    policy = read("alerting/policies.yaml")["policies"][0]
    known = {point["name"] for point in read("alerting/contact-points.yaml")["contactPoints"]}
    assert {policy["receiver"], *(route["receiver"] for route in policy["routes"])} <= known


def test_optional_contact_points_join_the_same_one() -> None:
    names = {
        point["name"]
        for file in FOLDER.glob("*.sample")
        for point in yaml.safe_load(file.read_text())["contactPoints"]
    }
    assert names == {"Palier"}


def test_rules_ask_data_sources_that_are_provisioned() -> None:
    provisioned = {source["uid"] for source in read("datasources/palier.yaml")["datasources"]}
    asked = {
        query["datasourceUid"]
        for group in read("alerting/rules.yaml")["groups"]
        for rule in group["rules"]
        for query in rule["data"]
    }
    assert asked == {RAW_UID, "__expr__"}
    assert provisioned == {RAW_UID, HOURLY_UID} == {push_plan.RAW, push_plan.HOURLY}


@pytest.mark.parametrize("name", ["palier.yaml", "influxdb-1.x.yaml.sample"])
def test_files_and_push_make_the_same_data_sources(name: str) -> None:
    for source in read(f"datasources/{name}")["datasources"]:
        json_data = source["jsonData"]
        pushed = push_plan.DataSource(source["name"], source["url"], json_data["dbName"], source.get("user"))
        settings = pushed.settings()
        assert {key: settings[key] for key in ("uid", "name", "type", "access", "url")} == {
            key: source[key] for key in ("uid", "name", "type", "access", "url")
        }
        assert settings["jsonData"] == json_data
        assert pushed.secret_fields() == set(source["secureJsonData"])


def test_rules_read_events_and_one_reads_whether_the_ingest_writes() -> None:
    (group,) = read("alerting/rules.yaml")["groups"]
    queries = {rule["uid"]: rule["data"][0]["model"]["query"] for rule in group["rules"]}
    others = [uid for uid, query in queries.items() if 'FROM "event"' not in query]
    assert others == ["palier-silent"]
    silent = next(rule for rule in group["rules"] if rule["uid"] == "palier-silent")
    assert (silent["noDataState"], silent["execErrState"]) == ("Alerting", "Alerting")
