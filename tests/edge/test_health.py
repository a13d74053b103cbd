"""/healthz, /readyz and /metrics of a running agent."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.health import HealthServer, Report, metrics_text
from edge_agent.outbox import open_outbox
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings
from edge_agent.timekeeping import Sense, Timekeeping, look
from palier.clock import PlantClock


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Known:
    """What the agent says of itself, for a test to change."""

    report = Report(alive=True, ready=False, detail="waiting for the host", values={"frames_pending": 3})


@pytest.fixture
def server() -> Iterator[HealthServer]:
    served = HealthServer(lambda: Known.report, 0)
    served.start()
    yield served
    served.stop()


def test_alive_but_not_ready(server: HealthServer) -> None:
    status, body = get(server.port, "/healthz")
    assert status == 200
    assert json.loads(body) == {
        "ok": True,
        "detail": "waiting for the host",
        "problems": [],
        "notes": [],
        "frames_pending": 3,
    }
    assert get(server.port, "/readyz")[0] == 503


def test_metrics_in_prometheus_text(server: HealthServer) -> None:
    status, body = get(server.port, "/metrics")
    assert status == 200
    assert "palier_agent_frames_pending 3\n" in body
    assert "palier_agent_ready 0\n" in body


def test_other_paths_are_not_found(server: HealthServer) -> None:
    assert get(server.port, "/")[0] == 404


def test_counters_and_gauges_are_told_apart_and_labels_kept() -> None:
    values = {'sent_total{cause="gap"}': 2, 'sent_total{cause="probe"}': 0, "outbox_bytes": 4_000_000_001}
    lines = metrics_text(Report(True, True, "", values)).splitlines()
    assert lines.count("# TYPE palier_agent_sent_total counter") == 1
    assert 'palier_agent_sent_total{cause="gap"} 2' in lines
    assert "# TYPE palier_agent_outbox_bytes gauge" in lines
    assert "palier_agent_outbox_bytes 4000000001" in lines


def test_prometheus_reads_the_text_back() -> None:
    values = {'sent_total{cause="gap"}': 2, "outbox_bytes": 4_000_000_001}
    families = {
        f.name: f for f in text_string_to_metric_families(metrics_text(Report(True, False, "", values)))
    }
    (sent,) = families["palier_agent_sent"].samples
    assert (sent.name, sent.labels, sent.value) == ("palier_agent_sent_total", {"cause": "gap"}, 2)
    assert families["palier_agent_outbox_bytes"].samples[0].value == 4_000_000_001
    assert families["palier_agent_ready"].samples[0].value == 0


def test_a_port_in_use_shows_at_once(server: HealthServer) -> None:
    with pytest.raises(OSError, match=f"health_port {server.port} can't be listened on: .*; name another"):
        HealthServer(lambda: Known.report, server.port)


def test_a_clock_that_no_time_server_has_set_is_a_note_and_no_unreadiness(tmp_path: Path) -> None:
    """A container without a time daemon would be unhealthy for ever."""
    with closing(open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)) as outbox:
        service = AgentService(
            AgentSettings("usine", "p1", tmp_path), outbox, [], clock=PlantClock(), serve_health=False
        )
        assert service.keeper is not None
        sense = Sense(1_800_000_000 * 10**9, 10**9, synced=False, daemon=False, battery=False)
        service.keeper.state = look(Timekeeping("this-boot"), sense, connected=True)
        assert service.report().problems == ()
        assert service.report().notes == ("no time server has set the clock: frames are marked unsynced",)
        service.link.stop()
