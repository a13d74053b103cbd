"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import Counter

from palier.health import Health, HealthServer


def status(health: Health, path: str) -> int:
    answer = health.answer(path)
    assert answer is not None
    return answer.status


def test_ready_when_every_condition_holds() -> None:
    health = Health("ingest", ("broker", "store"))
    assert status(health, "/readyz") == 503
    health.set("broker", True)
    health.set("store", False, "disk full")
    answer = health.answer("/readyz")
    assert answer is not None
    assert json.loads(answer.body) == {
        "service": "ingest",
        "ready": False,
        "conditions": {"broker": {"ok": True, "detail": ""}, "store": {"ok": False, "detail": "disk full"}},
    }
    health.set("store", True)
    assert status(health, "/readyz") == 200


def test_not_ready_is_no_reason_to_restart_but_a_failure_is() -> None:
    health = Health("ingest", ("broker",))
    assert status(health, "/healthz") == 200
    health.fail("the link's thread died")
    assert status(health, "/healthz") == 500
    health.set("broker", True)
    assert not health.ready


def test_metrics_are_those_of_the_service() -> None:
    health = Health("ingest")
    Counter("palier_frames", "Frames", registry=health.registry).inc(3)
    answer = health.answer("/metrics")
    assert answer is not None
    assert b"palier_frames_total 3.0" in answer.body
    assert b'palier_ready{service="ingest"} 1.0' in answer.body


def test_other_paths_have_no_answer() -> None:
    assert Health("ingest").answer("/") is None


def test_served_on_loopback_until_it_is_left() -> None:
    with HealthServer(Health("ingest"), 0) as server:
        url = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{url}/healthz?x=1", timeout=60) as answer:
            assert json.load(answer)["ok"] is True
        with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(f"{url}/x", timeout=60):
            pass
        caught.value.close()
        assert caught.value.code == 404
    with pytest.raises(urllib.error.URLError), urllib.request.urlopen(f"{url}/healthz", timeout=60):
        pass


def test_a_taken_port_is_an_os_error_that_says_what_to_do() -> None:
    with (
        HealthServer(Health("a"), 0) as first,
        pytest.raises(OSError, match=r"health_port \d+ .* in use; name another"),
    ):
        HealthServer(Health("b"), first.port).__enter__()
