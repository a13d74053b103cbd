"""Rows of a period become the blocks and readings that they came of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ingest import rows
from ingest.knowledge import Speeds
from ingest.rescore_reading import FEATURES, READINGS, blocks_of, readings_of, surrounded
from models.types import MachineSpec
from palier.frames import Readings
from palier.historian.base import Rows, Table
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, POINT, PUMP

MINUTE_NS = 60 * 10**9


def machine() -> MachineSpec:
    found = pump.knowledge().plant.machine(PUMP)
    assert found is not None
    return found


def thermometer() -> str:
    point = machine().point(POINT)
    assert point is not None
    return next(c.id for c in point.channels if c.quantity == "temperature")


def table(of: Rows, fields: Sequence[str]) -> Table:
    """Rows as the historian gives them back."""
    tags = (tuple(of.machine), tuple(of.point), tuple(of.channel))
    columns: dict[str, Any] = {name: of.fields[name] for name in fields}
    return Table(of.ts_ns, *tags, columns)


def told(readings: Sequence[tuple[int, float, str, str]]) -> Table:
    """(time, value, point/channel, frame)."""
    places = [place.partition("/") for _, _, place, _ in readings]
    columns: dict[str, Any] = {
        "value": np.array([value for _, value, _, _ in readings]),
        "unit": ("°C",) * len(readings),
        "frame": tuple(frame for *_, frame in readings),
    }
    ts_ns = np.array([ts for ts, *_ in readings], dtype=np.int64)
    point, channel = (tuple(place[k] for place in places) for k in (0, 2))
    return Table(ts_ns, (PUMP,) * len(readings), point, channel, columns)


def test_a_block_comes_back_as_it_was_scored() -> None:
    assessed = [pump.healthy(k) for k in (1, 0)]
    place = {id(entry.work): i for i, entry in enumerate(assessed)}
    features = table(rows.feature_rows(assessed, place).rows, FEATURES)
    first, second = blocks_of(features, pump.knowledge(), machine())
    assert [first.block.start_ns, second.block.start_ns] == sorted(e.scored.block.start_ns for e in assessed)
    was = assessed[1].scored
    np.testing.assert_array_equal(first.features, was.features)
    assert (first.work.text, first.block.channels) == (was.work.text, was.block.channels)
    assert was.shaft_hz is not None
    assert first.shaft_hz is not None
    assert abs(first.shaft_hz - was.shaft_hz) < 1e-9
    assert (first.refusals, first.doubts, first.units) == (was.refusals, was.doubts, was.units)


def test_without_rows_there_is_nothing() -> None:
    empty = rows.feature_rows([], {}).rows
    assert blocks_of(table(empty, FEATURES), pump.knowledge(), machine()) == []
    assert readings_of(told([]), pump.knowledge(), machine()) == []
    assert READINGS == ("value", "unit", "frame")


def test_readings_are_the_frames_they_came_in_and_strangers_are_left_out() -> None:
    warm = f"{POINT}/{thermometer()}"
    works = readings_of(
        told(
            [(20, 50.0, warm, "s/g:e:2"), (10, 40.0, warm, "s/g:e:1"), (10, 1.0, f"{POINT}/odd", "s/g:e:1")]
        ),
        pump.knowledge(),
        machine(),
    )
    assert [work.text for work in works] == ["s/g:e:1", "s/g:e:2"]
    first = works[0].frame
    assert isinstance(first, Readings)
    assert (first.channels, first.values.tolist(), first.unit) == ((warm,), [[40.0]], ("°C",))


def test_a_block_has_the_temperature_of_its_time() -> None:
    warm, at_ns = f"{POINT}/{thermometer()}", pump.healthy(0).scored.block.start_ns
    blocks = [pump.healthy(0).scored, pump.healthy(1).scored]
    near = [(at_ns - MINUTE_NS, 40.0, warm, "s/g:e:1"), (at_ns + 5 * MINUTE_NS, 70.0, warm, "s/g:e:2")]
    works = readings_of(told(near), pump.knowledge(), machine())
    speeds = Speeds(pump.knowledge())
    found = surrounded(blocks, works, speeds)
    assert found[0].temperature_c == 40.0
    assert np.isnan(found[1].temperature_c)  # the last one is five minutes old
    assert np.isnan(found[0].load_percent)
    assert PLACE[1] == PUMP
