"""What can go wrong between a push and a Grafana: each a sentence with what to do, and nothing changed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboards.grafana.push import Grafana
from tests.support.grafana_push import Pusher, run, server_certificate
from tests.support.grafana_stub import TOKEN, GrafanaStub, running_grafana
from tests.support.services import free_port


@pytest.fixture
def pusher(tmp_path: Path) -> Iterator[Pusher]:
    with running_grafana(GrafanaStub()) as stub:
        yield Pusher(stub, tmp_path)


def failed(pusher: Pusher, *options: str) -> str:
    ran = pusher.push(*options)
    assert ran.code == 1, ran
    assert "\n" not in ran.err.strip(), "more than one sentence"
    assert "Traceback" not in ran.err
    return ran.err


def pushed_to(url: str, pusher: Pusher, *options: str) -> str:
    pusher.stub.url = url
    return failed(pusher, *options)


def test_a_host_that_does_not_exist(pusher: Pusher) -> None:
    assert "no host of this name" in pushed_to("https://grafana.invalid", pusher)


def test_nothing_listens(pusher: Pusher) -> None:
    assert "connection refused" in pushed_to(f"http://127.0.0.1:{free_port()}", pusher)


def test_a_connection_that_is_cut(pusher: Pusher) -> None:
    pusher.stub.fail("GET", "/folders", cut=True)
    assert "run the same command again" in failed(pusher)


def test_an_unknown_token(pusher: Pusher) -> None:
    pusher.file("grafana-token", "glsa_another")
    said = failed(pusher)
    assert "does not know this token (401)" in said
    assert said.endswith("(nothing was changed)")
    assert "glsa_another" not in said
    assert pusher.stub.writes == []


DENIED = [
    ("folders:read", "list folders", "Editor"),
    ("folders:create", "create the folder 'Palier'", "Editor"),
    ("datasources:read", "look for the data source 'palier'", "Admin"),
    ("datasources:create", "create the data source 'palier'", "Admin"),
    ("dashboards:create", "create the dashboard 'Machine'", "Editor"),
]


@pytest.mark.parametrize(("permission", "what", "role"), DENIED)
@pytest.mark.parametrize("named", [True, False])
def test_a_permission_that_is_missing_is_named(
    pusher: Pusher, permission: str, what: str, role: str, named: bool
) -> None:
    pusher.stub.denied = {permission}
    pusher.stub.names_what_is_missing = named
    said = failed(pusher, *pusher.with_2x)
    assert f"does not allow this token to {what} (403)" in said
    assert f"needs the permission {permission}, which the role {role} has" in said


@pytest.mark.parametrize("permission", ["dashboards:write", "datasources:write"])
def test_a_permission_to_change_what_is_there(pusher: Pusher, permission: str) -> None:
    pusher.push(*pusher.with_2x)
    before = len(pusher.stub.writes)
    pusher.stub.denied = {permission}
    pusher.stub.data_sources["palier"]["url"] = "http://old:8086"
    said = failed(pusher, *pusher.with_2x)
    assert permission in said
    assert len([w for w in pusher.stub.writes[before:] if w[0] == "POST"]) == 0


def test_a_wrong_path(pusher: Pusher) -> None:
    said = pushed_to(pusher.stub.url + "/grafana", pusher)
    assert "no Grafana API under" in said
    assert "https://host/grafana" in said


@pytest.mark.parametrize("body", ["<html>Sign in</html>", ["a", "list"], {}])
def test_something_else_that_answers_well(pusher: Pusher, body: Any) -> None:
    pusher.stub.fail("GET", "/health", status=200, body=body)
    assert "is not Grafana's API" in failed(pusher)


def test_a_proxy_that_asks_for_a_login_after_the_health_check(pusher: Pusher) -> None:
    pusher.stub.fail("GET", "/folders", status=200, body="<html>Sign in</html>")
    assert "is not Grafana's API" in failed(pusher)


def test_a_redirect_is_not_followed_with_the_token(pusher: Pusher) -> None:
    to = {"Location": "https://login.plant/start?rd=secret"}
    pusher.stub.fail("GET", "/health", status=302, headers=to)
    said = failed(pusher)
    assert "sends on to https://login.plant/start," in said
    assert len(pusher.stub.requests) == 1


def test_a_version_that_is_too_old(tmp_path: Path, pusher: Pusher) -> None:
    pusher.stub.version = "9.5.21"
    said = failed(pusher)
    assert "is version 9.5.21" in said
    assert "10 or newer" in said
    assert pusher.stub.writes == []


@pytest.mark.parametrize("version", ["", "10.0.0", "13.2.3+security-01"])
def test_a_version_that_is_new_enough_or_hidden(pusher: Pusher, version: str) -> None:
    pusher.stub.version = version
    assert pusher.push().code == 0


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (400, "failed to create the dashboard 'Machine' (400) (it said: injected)"),
        (404, "failed to create the dashboard 'Machine' (404)"),
        (409, "somebody else changed it just now"),
        (412, "somebody else changed it just now"),
        (429, "no more requests for now (429): wait"),
        (500, "its own log says why"),
        (503, "is not ready"),
    ],
)
def test_a_status_is_told_with_what_to_do_and_how_far_it_came(
    pusher: Pusher, status: int, sentence: str
) -> None:
    pusher.stub.fail("POST", "/dashboards", status=status)
    said = failed(pusher)
    assert sentence in said
    assert "(1 of 3 changes were made before)" in said


def test_a_proxys_error_page_is_not_printed(pusher: Pusher) -> None:
    pusher.stub.fail("POST", "/dashboards", status=502, body="<html><body>" + "x" * 5000)
    said = failed(pusher)
    assert "is not ready, or its proxy can't reach it (502) (it said: a web page)" in said


def test_a_server_that_does_not_answer_in_time(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grafana.__init__, "__kwdefaults__", {"ca": None, "hidden": (), "timeout_s": 0.3})
    pusher.stub.fail("GET", "/folders", delay_s=1.0)
    assert "did not answer in time to list folders" in failed(pusher)


def test_a_host_that_takes_no_connection(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grafana.__init__, "__kwdefaults__", {"ca": None, "hidden": (), "timeout_s": 0.3})
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))  # bound and half-open: it listens, and never says a word
        full.listen(1)
        said = pushed_to(f"http://127.0.0.1:{full.getsockname()[1]}", pusher)
    assert "in time" in said


def test_a_certificate_of_the_plants_own_authority(tmp_path: Path) -> None:
    context, authority = server_certificate(tmp_path)
    with running_grafana(GrafanaStub(), context) as stub:
        pusher = Pusher(stub, tmp_path)
        assert "signed by no authority that this machine knows" in failed(pusher)
        assert pusher.push("--ca", str(authority)).code == 0


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    context, authority = server_certificate(tmp_path, "DNS:grafana.plant")
    with running_grafana(GrafanaStub(), context) as stub:
        pusher = Pusher(stub, tmp_path)
        assert "its certificate is for another name" in failed(pusher, "--ca", str(authority))


def test_https_to_a_port_that_speaks_http(pusher: Pusher) -> None:
    assert "does not speak TLS" in pushed_to(pusher.stub.url.replace("http:", "https:"), pusher)


def test_the_connection_shows_no_token(pusher: Pusher) -> None:
    with Grafana(pusher.stub.url, SecretStr(TOKEN)) as grafana:
        assert TOKEN not in repr(grafana)


def test_without_grafana_client_it_is_said_what_to_install(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grafana_client.api", None)
    ran = pusher.push()
    assert ran.code == 2
    assert "'.[grafana]'" in ran.err


def test_an_address_is_missing() -> None:
    assert run("push").code == 2
