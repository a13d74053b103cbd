"""The blocks of points as models learn from them, out of the historian."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.features.catalogue import NAMES
from palier.historian import history_reading
from palier.historian.history import History, HistoryError
from palier.historian.sqlite import SqliteHistorian
from tests.support import watched_pump as pump
from tests.support.stores import Columns, readings, rows

BLOCKS = 100
SECOND_NS = 10**9
T0_NS = round(pump.T0_S * 1e9)
END_NS = T0_NS + round((BLOCKS - 1) * pump.EVERY_S * 1e9)
SITE = pump.PLACE[0]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A pump's point as the ingest stores it: blocks ten minutes apart, the 11th at rest; work and warmth."""
    store = SqliteHistorian(tmp_path_factory.mktemp("points") / "historian.sqlite")
    host = pump.Host(store)
    host.commit([pump.standing(k) if k == 10 else pump.healthy(k) for k in range(BLOCKS)])
    place = {"site": SITE, "machine": pump.PUMP, "point": pump.POINT}
    store.write([readings([T0_NS, END_NS - SECOND_NS], [41.0, 45.0], channel="T", **place)])
    work = {"event_id": ["i:1"], "kind": ["intervention"], "state": ["greasing"], "detail": ["{}"]}
    store.write([rows("event", [T0_NS + 1], work, site=SITE, machine=pump.PUMP, point="", channel="")])
    with History(store, SITE, plant=pump.knowledge().plant, waveforms=None) as opened:
        yield opened


def test_a_point_has_the_features_of_its_channels_block_by_block(history: History) -> None:
    found = history.point(pump.PUMP, pump.POINT)
    block = pump.sound()[7 * 31 % pump.SOUND_BLOCKS]
    assert (found.place, found.kind) == (pump.PLACE, "pump")
    assert np.allclose(np.diff(found.time_s), pump.EVERY_S)
    assert len(found) == BLOCKS
    for c, channel in enumerate(block.block.channels):
        places = [found.names.index(f"{channel}/{name}") for name in NAMES]
        assert np.array_equal(found.x[7, places], block.features[c].astype(float), equal_nan=True)
    assert np.flatnonzero(~found.context.running).tolist() == [10]
    assert found.context.interventions_s == ((T0_NS + 1) / 1e9,)
    heat = found.x[:, found.names.index("T/temperature_c")]
    assert (heat[0], np.isnan(heat[50]), heat[-1]) == (41.0, True, 45.0)


def test_pieces_are_gathered_as_one(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = history.point(pump.PUMP, pump.POINT)
    monkeypatch.setattr(history_reading, "NUMBERS_AT_ONCE", 1)
    in_pieces = history.point(pump.PUMP, pump.POINT)
    assert np.array_equal(in_pieces.x, at_once.x, equal_nan=True)
    assert np.array_equal(in_pieces.time_s, at_once.time_s)


def test_all_points_of_the_machines_that_are_asked_for(history: History) -> None:
    (found,) = history.points(start=T0_NS + 3600 * SECOND_NS)
    assert (found.place, len(found)) == (pump.PLACE, BLOCKS - 6)
    assert not list(history.points(pump.PUMP, start=END_NS + 1))


def test_what_no_sensor_can_have_measured_is_no_history(tmp_path: Path) -> None:
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    stuck: Columns = dict.fromkeys(NAMES, np.zeros(3)) | {"frame": ["gw:e:1"] * 3}
    times = [T0_NS + k * 3600 * SECOND_NS for k in range(3)]
    store.write([rows("feature", times, stuck, site=SITE, machine=pump.PUMP, point=pump.POINT, channel="H")])
    with (
        History(store, SITE, plant=pump.knowledge().plant, waveforms=None) as history,
        pytest.raises(HistoryError, match=r"none of the blocks of P-101/2 in that time can be believed"),
    ):
        history.point(pump.PUMP, pump.POINT)


def test_what_has_no_blocks_says_when_there_are_some(history: History) -> None:
    with pytest.raises(
        HistoryError, match=r"P-101/2 has no blocks in that time; it has some from 2026-09-2\dT"
    ):
        history.point("P-101", "2", end=T0_NS)
    with pytest.raises(HistoryError, match=r"L-401/\S+ has no blocks at all: look at its gateway"):
        history.point("L-401", "1")
    with pytest.raises(HistoryError, match=r"no machine 'P-102' .did you mean \"P-101\""):
        history.point("P-102", "1")
    with pytest.raises(HistoryError, match=r"machine 'P-101' has no point '9'; there are 1, 2"):
        history.point("P-101", "9")
