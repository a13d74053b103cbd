"""`palier bench ingest`: that it measures what it says. How fast anything is, no test asserts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import machine
from benchmarks.ingest_fleet import (
    CHANNELS,
    EPOCH,
    FIRST_SEQ,
    N_SAMPLES,
    SAMPLE_BYTES,
    SITE,
    Fleet,
    Gateway,
    Templates,
    varint,
)
from benchmarks.ingest_naive import us_per_message
from benchmarks.ingest_probe import PARTS, CoreExtractor, Meter
from benchmarks.ingest_report import AIMS, CORE, SHIPPED, Apart, Part, Report, Run, goals
from benchmarks.ingest_services import STORES, missing
from benchmarks.ingest_tables import show
from benchmarks.subjects import FS_HZ, ORDERS, SCALE, SPINDLE, blocks, counts
from models.features import CORE as CORE_NAMES
from models.features import Extractor
from models.features.catalogue import NAMES
from palier.frames import FrameId, Waveform
from palier.plant import load_plant
from palier.wire.messages import frame_payload, read_device_birth, read_frame, read_node_birth
from palier.wire.payload import decode
from palier.wire.topics import Kind, parse
from tests.support.services import mosquitto_path

FLEET = Fleet(3, 2)
NOW = 1_790_000_000 * 10**9


def refuse(constant: str) -> float:
    raise AssertionError(f"JSON has no {constant}")


pytestmark = [pytest.mark.long, pytest.mark.xdist_group("bench_ingest")]  # one run for the file


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates()


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """What programs get, from the command itself."""
    mosquitto_path()
    done = subprocess.run(
        [sys.executable, "-m", "palier", "bench", "ingest", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout, parse_constant=refuse)
    return report


# The command ----------------------------------------------------------------------------------------


def test_the_json_has_the_keys_that_programs_rely_on(printed: dict[str, Any]) -> None:
    assert (printed["bench"], printed["version"], printed["quick"]) == ("ingest", 1, True)
    assert printed.keys() >= {"machine", "gateways", "points", "naive_us_per_message", "runs", "apart"}
    assert [goal["key"] for goal in printed["goals"]] == [aim.key for aim in AIMS]
    assert set(printed["missing"]) == {store for store in STORES if missing(store)}


def test_every_store_that_is_there_took_every_frame(printed: dict[str, Any]) -> None:
    assert {run["store"] for run in printed["runs"]} == set(STORES) - set(printed["missing"])
    for run in printed["runs"]:
        assert run["features"] == SHIPPED
        assert run["windows_per_s"] == pytest.approx(len(CHANNELS) * run["frames_per_s"])
        assert 0 < run["p50_ms"] <= run["p99_ms"]
        assert run["frames"] > 0
        assert run["rebirths"] == 0
        assert set(run["cpu_us"]) >= {"ingest", "mosquitto", "publisher"}


def test_a_message_is_a_little_more_than_its_samples(printed: dict[str, Any]) -> None:
    assert all(1 < run["frame_bytes"] / SAMPLE_BYTES < 1.03 for run in printed["runs"])


# The fleet ------------------------------------------------------------------------------------------


def test_the_plant_of_the_fleet_is_one(tmp_path: Any) -> None:
    (tmp_path / "plant.toml").write_text(FLEET.plant())
    plant = load_plant(tmp_path / "plant.toml")
    points = [point for machine_ in plant.machines for point in machine_.points]
    assert (plant.site_id, len(points)) == (SITE, FLEET.points)
    bearing = points[0].bearing
    assert bearing is not None
    assert bearing.orders == pytest.approx(ORDERS, abs=1e-3)


def test_births_announce_the_machines_in_sparkplugs_order(templates: Templates) -> None:
    births = Gateway(FLEET, 1, templates, NOW).births()
    topics = [parse(message.topic.decode()) for message in births]
    payloads = [decode(b"".join(message.parts)) for message in births]
    assert [topic.kind for topic in topics] == [Kind.NBIRTH, Kind.DBIRTH, Kind.DBIRTH]
    assert [payload.seq for payload in payloads] == [0, 1, 2]
    assert read_node_birth(payloads[0]).epoch == EPOCH
    assert len(read_device_birth(payloads[1], "M001-00").channels) == 2 * len(CHANNELS)


def test_frames_are_those_of_the_wire_with_times_and_seqs_of_their_own(templates: Templates) -> None:
    gateway = Gateway(FLEET, 1, templates, NOW)
    gateway.births()
    newest: dict[tuple[str, str], int] = {}
    for k in range(300):
        seq, message = gateway.next_frame()
        topic, payload = parse(message.topic.decode()), decode(b"".join(message.parts))
        assert topic.device is not None
        frame_id, frame, historical = read_frame(payload, edge=topic.edge, machine=topic.device)
        assert frame_id == FrameId(f"{SITE}/g001", EPOCH, FIRST_SEQ + k)
        assert (seq, payload.seq, historical) == (frame_id.seq, (3 + k) % 256, False)
        assert isinstance(frame, Waveform)
        assert frame.samples.shape == (len(CHANNELS), N_SAMPLES)
        assert frame.start_ns > newest.get((frame.machine, frame.point), NOW - 1)
        newest[frame.machine, frame.point] = frame.start_ns
    assert len(newest) == 4


def test_a_filled_template_is_as_long_as_what_a_gateway_encodes(templates: Templates) -> None:
    x = counts(blocks(len(CHANNELS), N_SAMPLES, SPINDLE))
    n = len(CHANNELS)
    frame = Waveform("M", "1", CHANNELS, x, (SCALE,) * n, ("m/s²",) * n, FS_HZ, NOW)
    encoded = frame_payload(
        frame, FrameId("bench/g000", EPOCH, FIRST_SEQ), seq=7, timestamp_ms=NOW // 10**6, historical=False
    )
    assert sum(map(len, templates.fill("1", FIRST_SEQ, NOW, 7, 0))) == len(encoded)


@pytest.mark.parametrize(("number", "data"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (300, b"\xac\2")])
def test_varints_are_protobufs(number: int, data: bytes) -> None:
    assert varint(number) == data


# The ingest taken apart -------------------------------------------------------------------------------


def test_a_part_has_not_the_time_of_what_it_calls() -> None:
    now = Counter[str]()
    meter = Meter(lambda: now["wall"], lambda: now["cpu"])

    def takes(wall: int, cpu: int) -> None:
        now.update(wall=wall, cpu=cpu)

    inner = meter.metered("inner", lambda: takes(20, 5))
    outer = meter.metered("outer", lambda: (inner(), takes(3, 2), inner()))
    outer()
    assert meter.calls == {"outer": 1, "inner": 2}
    assert meter.wall == {"inner": 40, "outer": 3}
    assert meter.cpu == {"inner": 10, "outer": 2}
    meter.forget()
    assert not meter.calls


def test_every_part_that_is_metered_is_there() -> None:
    before = {}
    for _, module, path in PARTS:
        __import__(module)
        owner: Any = sys.modules[module]
        for name in path.split("."):
            before[module, path] = owner = owner.__dict__[name]
    assert all(map(callable, before.values()))


def test_the_core_set_is_the_extractors_own_in_its_places() -> None:
    x = counts(blocks(3, N_SAMPLES, SPINDLE))
    table = CoreExtractor(FS_HZ, N_SAMPLES, compiled=False).extract(
        x, SCALE, speed_hz=SPINDLE.speed_hz, orders=ORDERS
    )
    core = Extractor(FS_HZ, N_SAMPLES, features=CORE_NAMES, compiled=False)
    expected = core.extract(x, SCALE, speed_hz=SPINDLE.speed_hz, orders=ORDERS)
    assert table.shape == (3, len(NAMES))
    np.testing.assert_allclose(table[:, [NAMES.index(name) for name in CORE_NAMES]], expected, rtol=1e-5)
    assert np.isnan(table).any(axis=0).sum() > len(NAMES) / 2


def test_the_naive_path_takes_time() -> None:
    pytest.importorskip("influxdb_client")
    found = us_per_message(1)
    assert found is not None
    assert found > 0


# Goals ----------------------------------------------------------------------------------------------


def run(store: str, features: str, frames_per_s: float) -> Run:
    return Run(
        store, features, frames_per_s, {"ingest": 99.0}, 50.0, 900.0, 899.5, 4.0, 60.0, 9000, 24_800.0, 0
    )


def report(*runs: Run, absent: dict[str, str] | None = None, naive_us: float | None = 9000.0) -> Report:
    parts = (Part("features", 70.0, 80.0), Part("door", 20.0, 21.0))
    apart = (Apart("influxdb", SHIPPED, parts),)
    made = Report(machine.look(), False, 20, 200, naive_us, runs, apart, absent or {})
    return replace(made, goals=goals(made))


def test_goals_are_judged_by_the_run_they_speak_of() -> None:
    both = report(run("influxdb", SHIPPED, 2000.0), run("influxdb", CORE, 6000.0))
    met = {goal.aim.key: goal.met for goal in both.goals}
    assert (met["windows_influxdb"], met["windows_influxdb_core"]) == (False, True)
    assert (met["naive_influxdb"], met["naive_influxdb_core"]) == (False, True)  # 18 and 54 times
    assert (met["p50_influxdb"], met["p99_influxdb"], met["bytes"]) == (True, False, True)
    assert met["windows_sqlite"] is None


def test_what_could_not_be_measured_says_why() -> None:
    none = report(absent=dict.fromkeys(STORES, "mosquitto is not installed"), naive_us=None)
    assert all(goal.met is None and "mosquitto" in goal.note for goal in none.goals)
    without = {goal.aim.key: goal for goal in report(run("sqlite", SHIPPED, 10.0), naive_us=None).goals}
    assert without["naive_sqlite"].met is None
    assert "influxdb-client" in without["naive_sqlite"].note


def test_people_get_all_of_it() -> None:
    out = io.StringIO()
    made = report(run("influxdb", SHIPPED, 2000.0), absent={"sqlite": "no reason"})
    show(made, Console(file=out, width=160))
    text = out.getvalue()
    assert "NOT MET" in text
    assert "6,000" in text  # windows a second
    assert "together" in text
    assert "Not measured with sqlite: no reason" in text
