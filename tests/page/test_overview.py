"""From the newest rows to tiles: pure rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.console.freshness import NS
from dashboards.console.overview import Present, overview, tile_of
from dashboards.console.snapshot import (
    VELOCITY,
    VELOCITY_LOW,
    ChannelValue,
    DefectLines,
    MachineData,
    Reading,
    Snapshot,
    StateRow,
)
from models.types import MachineSpec, PointSpec, State
from palier.limits import load_limits
from palier.plant import Plant, load_sample_plant

NOW = 1_000_000 * NS
SPEC = MachineSpec(
    "P-1", (PointSpec("1", ()), PointSpec("2", ())), name="Pompe", kind="pump", criticality="A"
)
ROW = StateRow(NOW - NS, "", "normal", "normal", False, "A", 1.2, "iso20816-3:g1:rigid", None, None, True)


def channel(ts_ns: int, velocity_mm_s: float, zone: str | None = None) -> ChannelValue:
    return ChannelValue(ts_ns, "1", "H", {VELOCITY: velocity_mm_s, VELOCITY_LOW: velocity_mm_s * 1.5}, zone)


def data(*rows: StateRow, **values: object) -> MachineData:
    return MachineData(states={row.point: row for row in rows}, **values)  # type: ignore[arg-type]


def test_a_fresh_row_is_shown_as_the_ingest_wrote_it() -> None:
    tile = tile_of(SPEC, data(ROW), Present(NOW))
    assert (tile.look.word, tile.value_mm_s, tile.zone, tile.note) == (State.NORMAL, 1.2, "A", None)


def test_a_machine_without_rows_is_unknown_and_says_so() -> None:
    tile = tile_of(SPEC, MachineData(), Present(NOW))
    assert (tile.look.word, tile.note, tile.since_ns) == (State.UNKNOWN, "no_data", None)


def test_silence_becomes_unknown_and_takes_the_value_away() -> None:
    old = replace(ROW, ts_ns=NOW - 61 * NS, state="danger", zone="D")
    tile = tile_of(SPEC, data(old), Present(NOW))
    assert (tile.look.word, tile.note, tile.since_ns) == (State.UNKNOWN, "silent", NOW - 61 * NS)
    assert (tile.value_mm_s, tile.zone) == (None, None)


def test_a_slow_machine_may_be_quiet_for_three_of_its_intervals() -> None:
    old = replace(ROW, ts_ns=NOW - 1700 * NS)
    given_interval = data(old, interval_ns={"": 600 * NS})
    assert tile_of(SPEC, given_interval, Present(NOW)).look.word is State.NORMAL


def test_the_reason_of_an_unknown_machine_outlives_its_silence() -> None:
    gone = replace(
        ROW, ts_ns=NOW - 900 * NS, state="unknown", reason="gateway_offline", remedy="check_gateway"
    )
    tile = tile_of(SPEC, data(gone), Present(NOW))
    assert (tile.note, tile.reason, tile.remedy) == ("silent", "gateway_offline", "check_gateway")


def test_blocks_that_come_too_late_are_told_apart_from_silence() -> None:
    old = replace(ROW, ts_ns=NOW - 900 * NS)
    arriving = channel(NOW - 5 * NS, 1.0)
    tile = tile_of(SPEC, data(old, channels=(arriving,)), Present(NOW))
    assert tile.note == "silent"
    assert tile.late


def test_a_measured_machine_that_nobody_judged_is_unknown() -> None:
    measured = channel(NOW, 1.0)
    tile = tile_of(SPEC, data(channels=(measured,)), Present(NOW))
    assert (tile.look.word, tile.since_ns) == (State.UNKNOWN, NOW)


def test_a_silent_point_is_unknown_on_a_machine_that_speaks() -> None:
    points = (replace(ROW, point="1"), replace(ROW, point="2", ts_ns=NOW - 300 * NS))
    tile = tile_of(SPEC, data(ROW, *points), Present(NOW))
    assert [mark.look.word for mark in tile.points] == [State.NORMAL, State.UNKNOWN]


@pytest.mark.parametrize(
    ("value", "name"), [(4.0, None), (4.6, "startup"), (8.0, "alarm"), (9.5, "shutdown")]
)
def test_a_value_is_named_by_the_highest_limit_that_it_exceeds(value: float, name: str | None) -> None:
    row = replace(ROW, zone=None, value=value, limit_name="iso14694:bv3:rigid")
    assert tile_of(SPEC, data(row), Present(NOW, limits=load_limits())).limit_name == name


def test_where_a_temperature_spoke_the_present_velocity_is_still_shown() -> None:
    hot = replace(ROW, state="alert", zone=None, value=None, limit_name="temperature:bearing:grease")
    readings = (Reading(NOW, "1", "T", 88.0, "°C"),)
    given_rows = data(hot, channels=(channel(NOW, 3.1, "B"),), readings=readings)
    tile = tile_of(SPEC, given_rows, Present(NOW, limits=load_limits()))
    assert (tile.value_mm_s, tile.zone, tile.limit_name) == (3.1, "B", None)
    assert (tile.temperature_c, tile.temperature_limit) == (88.0, "alert")


def test_a_refused_velocity_is_not_replaced_by_another() -> None:
    refused = replace(ROW, state="unknown", value=None, zone=None, reason="clipped", remedy="widen_range")
    assert tile_of(SPEC, data(refused, channels=(channel(NOW, 3.1),)), Present(NOW)).value_mm_s is None


def point_row(point: str, value: float, state: str = "normal", **values: object) -> StateRow:
    return replace(ROW, point=point, value=value, state=state, judged=state, **values)  # type: ignore[arg-type]


def test_a_learning_shaft_does_not_hide_the_point_that_shakes_most() -> None:
    learning = replace(ROW, state="learning", judged="learning", zone=None, value=0.4, limit_name=None)
    rows = (learning, point_row("1", 1.0), replace(learning, point="2"))
    tile = tile_of(SPEC, data(*rows), Present(NOW))
    assert (tile.look.word, tile.value_mm_s, tile.zone, tile.point) == (State.LEARNING, 1.0, "A", "1")


def test_the_velocity_shown_is_that_of_the_point_that_leads_the_state() -> None:
    leading = point_row("2", 3.0, "alert", zone="C")
    tile = tile_of(SPEC, data(replace(leading, point=""), leading, point_row("1", 4.0)), Present(NOW))
    assert (tile.value_mm_s, tile.zone, tile.point) == (3.0, "C", "2")


def test_defect_lines_are_told_while_their_channel_sends_and_change_no_state() -> None:
    lines = (DefectLines("1", "H", "bpfo"), DefectLines("2", "H", "bsf"))
    gone = replace(channel(NOW - 900 * NS, 1.0), point="2")
    tile = tile_of(SPEC, data(ROW, channels=(channel(NOW, 1.0), gone), lines=lines), Present(NOW))
    assert tile.lines == lines[:1]
    assert tile.look == tile_of(SPEC, data(ROW), Present(NOW)).look


def test_a_slow_shaft_is_shown_by_its_velocity_from_two_hertz_on() -> None:
    slow = replace(channel(NOW, 2.0), speed_rpm=300.0)
    fast = replace(channel(NOW, 2.0), speed_rpm=1500.0)
    assert (slow.velocity_mm_s, fast.velocity_mm_s) == (3.0, 2.0)


def test_the_hottest_present_temperature_is_shown() -> None:
    readings = (
        Reading(NOW - 30 * NS, "1", "T", 41.0, "°C"),
        Reading(NOW - 30 * NS, "2", "T", 47.0, "°C"),
        Reading(NOW - 3600 * NS, "3", "T", 99.0, "°C"),
        Reading(NOW, "1", "N", 1480.0, "r/min"),
    )
    assert tile_of(SPEC, data(ROW, readings=readings), Present(NOW)).temperature_c == 47.0


def test_a_machine_that_only_the_data_knows_is_unconfigured() -> None:
    plant = Plant("s", "S", "UTC", (SPEC,))
    stranger = MachineData(channels=(channel(NOW, 3.3),))
    tile = overview(plant, Snapshot({"X-9": stranger}), Present(NOW)).tile("X-9")
    assert tile is not None
    assert (tile.look.word, tile.note, tile.value_mm_s) == (State.UNCONFIGURED, "not_in_plant", 3.3)


def test_tiles_stand_worst_first_then_by_criticality_and_name() -> None:
    plant = load_sample_plant()
    said = {"P-101": "normal", "C-201": "normal", "V-301": "danger", "L-401": "watch"}
    rows = {name: data(replace(ROW, state=state)) for name, state in said.items()}
    board = overview(plant, Snapshot(rows), Present(NOW))
    assert [tile.machine for tile in board.tiles] == ["V-301", "L-401", "B-501", "P-101", "C-201"]
    assert board.counts == {State.DANGER: 1, State.WATCH: 1, State.UNKNOWN: 1, State.NORMAL: 2}


def test_machines_of_a_line_stand_together_the_line_with_the_worst_first() -> None:
    lines = {"P-101": "Broyage", "C-201": "Broyage", "V-301": "Séchage", "L-401": "Broyage", "B-501": ""}
    sample = load_sample_plant()
    machines = tuple(replace(machine, line=lines[machine.id]) for machine in sample.machines)
    said = {"P-101": "watch", "C-201": "normal", "V-301": "alert", "L-401": "danger"}
    rows = {name: data(replace(ROW, state=state)) for name, state in said.items()}
    board = overview(replace(sample, machines=machines), Snapshot(rows), Present(NOW))
    assert [tile.machine for tile in board.tiles] == ["L-401", "P-101", "C-201", "V-301", "B-501"]
    assert (board.lined, overview(sample, Snapshot(rows), Present(NOW)).lined) == (True, False)
