"""The daily look at drift: bounded, off the hot path, once a day, and nothing but rows and one event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from ingest.drift import DriftKeeper
from ingest.drift_reading import trained_key
from ingest.housekeeping import Housekeeping
from ingest.upkeep import GRACE_NS, REST
from ingest.watch_learning import DAY_NS
from palier.clock import PlantClock
from palier.historian.base import Rows, Table, Unavailable
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch, StateRow
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant
from tests.support import watched_pump as pump
from tests.support.committing import Fakes, committer
from tests.support.watched_pump import LEARNED_NS, PLACE

FIRST_NS = (LEARNED_NS // DAY_NS + 1) * DAY_NS + GRACE_NS
"""When the first day after learning is over."""

SITE, MACHINE, POINT = PLACE


@dataclass
class Lab:
    """A pump that has learned, its stores, and a clock that each look at it moves on."""

    folder: Path
    step_s: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.host = pump.learned_host(self.folder)
        self.host.historian.close()
        path = self.folder / "historian.sqlite"
        if not path.exists():
            path.write_bytes(pump._gathered_once()[1])
        self.historian = SqliteHistorian(path)
        self.records = Records(self.folder / "records.sqlite")
        self.keeper = DriftKeeper(self.historian, self.records, self.clock)

    def clock(self) -> float:
        self.seconds += self.step_s
        return self.seconds

    def turns(self, plant_ns: int, n: int = 400) -> int:
        """So many turns whose time has come; how many had something to do."""
        worked = 0
        for _ in range(n):
            self.seconds += 1e6
            self.keeper.turn(self.host.watching, plant_ns)
            worked += self.keeper._work is not None
        return worked

    def rows(self, *fields: str) -> dict[str, Any]:
        """The columns of the series, of the point's own rows."""
        table = self.historian.read("drift", fields, site=SITE, machine=MACHINE, point=POINT, channel="")
        return {name: list(np.asarray(table.columns[name], dtype=object)) for name in fields}

    def noted_reads(self) -> list[tuple[str, int | None]]:
        """What is read from now on: the measurement, and from when on."""
        seen: list[tuple[str, int | None]] = []
        read = self.historian.read

        def noted(name: str, *arguments: Any, **which: Any) -> Table:
            seen.append((name, which.get("start_ns")))
            return read(name, *arguments, **which)

        self.historian.read = noted  # type: ignore[method-assign,assignment]
        return seen

    def close(self) -> None:
        self.historian.close()
        self.records.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    one = Lab(tmp_path)
    yield one
    one.close()


def test_a_day_that_is_over_is_looked_at_once(lab: Lab) -> None:
    lab.turns(FIRST_NS - 1, 3)
    before = len(lab.rows("blocks")["blocks"])
    lab.turns(FIRST_NS)
    found = lab.rows("blocks", "advice", "outside", "age_days", "model", "reason")
    assert len(found["blocks"]) == before + 1
    assert found["blocks"][-1] > 900
    assert (found["advice"][-1], found["outside"][-1], found["model"][-1]) == ("none", 0.0, "own:1")
    assert 0 < found["age_days"][-1] < 1
    columns = lab.historian.read("drift", ["feature", "psi"], site=SITE, machine=MACHINE, point=POINT)
    assert len(columns) > 20
    assert lab.turns(FIRST_NS, 5) == 0
    again = Lab(lab.folder)  # after a restart, too
    assert again.turns(FIRST_NS, 5) == 0
    again.close()


def test_what_the_baseline_was_trained_on_is_found_once_and_kept(lab: Lab) -> None:
    lab.turns(FIRST_NS)
    key = trained_key(PLACE, 1)
    kept = lab.records.states()[key]
    assert len(kept) > 100
    reads = lab.noted_reads()
    lab.turns(FIRST_NS + DAY_NS)
    assert (
        min(start_ns for _, start_ns in reads if start_ns is not None)
        >= FIRST_NS - GRACE_NS + DAY_NS - 28 * DAY_NS
    )
    assert lab.records.states()[key] == kept


def test_where_those_rows_are_gone_it_is_refused_with_a_remedy(lab: Lab) -> None:
    late = FIRST_NS + 40 * DAY_NS
    lab.historian.close()
    lab.historian = SqliteHistorian(lab.folder / "empty.sqlite")
    lab.keeper = DriftKeeper(lab.historian, lab.records, lab.clock)
    lab.turns(late)
    found = lab.rows("reason", "remedy", "age_days", "outside")
    assert (found["reason"][-1], found["remedy"][-1]) == ("drift_trained_unknown", "relearn_when_serviced")
    assert 40 < found["age_days"][-1] < 42


def test_a_model_of_the_registry_is_as_old_as_its_data_not_as_its_promotion(lab: Lab) -> None:
    lab.turns(FIRST_NS)  # what it was trained on is kept by now
    watching = lab.host.watching
    one = watching.watch.watched(PLACE)
    assert one is not None
    assert one.model is not None
    kept = lab.records.states()[trained_key(PLACE, 1)]
    lab.records.commit(RecordsBatch(states=(StateRow(*trained_key(PLACE, 2), kept),)))
    taken = {PLACE: replace(one.model, version=2, origin="baselines:5")}
    watch, state = watching.watch.learned(watching.state, taken)
    late_ns = LEARNED_NS + 300 * DAY_NS
    baselines = {MACHINE: replace(watching.baselines[MACHINE], version=2, since_ns=late_ns)}
    lab.host.watching = replace(watching, watch=watch, state=state, baselines=baselines)
    lab.turns(late_ns + 2 * DAY_NS)
    found = lab.rows("age_days", "model")
    assert (found["model"][-1], round(found["age_days"][-1], -1)) == ("baselines:5", 300)


def test_what_was_before_a_baseline_was_opened_again_is_not_read(lab: Lab) -> None:
    lab.turns(FIRST_NS)
    reads = lab.noted_reads()
    watching = lab.host.watching
    opened_ns = FIRST_NS - 2 * DAY_NS
    learning = {PLACE: replace(watching.learning[PLACE], since_ns=opened_ns)}
    lab.host.watching = replace(watching, learning=learning)
    lab.turns(FIRST_NS + DAY_NS)
    assert min(start_ns for _, start_ns in reads if start_ns is not None) == opened_ns


def test_a_baseline_of_an_imported_past_is_known_by_the_rows_of_that_past(lab: Lab) -> None:
    watching = lab.host.watching  # the machine is known, and its baseline opened, since its first live block
    baselines = {MACHINE: replace(watching.baselines[MACHINE], opened_ns=LEARNED_NS - 3600 * 10**9)}
    lab.host.watching = replace(watching, baselines=baselines)
    lab.turns(FIRST_NS)
    found = lab.rows("reason", "blocks")
    assert found["reason"][-1] is None
    assert found["blocks"][-1] > 900


def test_where_a_day_is_too_short_for_all_points_nobody_is_left_out(lab: Lab) -> None:
    lab.keeper._restored = True
    lab.keeper._looked = {(SITE, "A", "1"): 5, (SITE, "B", "1"): 4, (SITE, "C", "1"): 6}
    points = [Mock(place=place) for place in lab.keeper._looked]
    watching = Mock(watch=Mock(groups=[Mock(points=points)]))
    due = lab.keeper._due(watching, 6 * DAY_NS + GRACE_NS)
    assert due is points[1]


def test_an_advice_is_one_event_when_it_changes_and_touches_no_model(lab: Lab) -> None:
    models = dict(lab.host.told)
    watching = lab.host.watching
    one = watching.watch.watched(PLACE)
    assert one is not None
    assert one.model is not None
    moved = replace(one.model.baseline, intercept=one.model.baseline.intercept - 0.6)
    lab.turns(FIRST_NS)  # what it was trained on is kept by now
    other, state = watching.watch.learned(watching.state, {PLACE: replace(one.model, baseline=moved)})
    lab.host.watching = replace(watching, watch=other, state=state)
    lab.turns(FIRST_NS + DAY_NS)
    lab.turns(FIRST_NS + 2 * DAY_NS)
    (event,) = lab.records.transitions(0, "drift")
    assert (event.machine, event.point, event.state, event.previous) == (MACHINE, POINT, "retrain", "none")
    (reason,) = json.loads(event.detail)["reasons"]
    assert reason["key"] == "levels_moved"
    assert lab.rows("advice")["advice"][-2:] == ["retrain", "retrain"]
    series = lab.historian.read("event", ["kind"], site=SITE)
    assert list(series.columns["kind"]) == ["drift"]
    assert {k: v for k, v in lab.host.told.items() if "#trained" not in k[1]} == models
    assert lab.host.watching.baselines == watching.baselines


def test_a_turn_reads_no_longer_than_its_time_and_then_rests(tmp_path: Path) -> None:
    lab = Lab(tmp_path, step_s=0.015)
    reads = lab.noted_reads()
    lab.keeper.turn(lab.host.watching, FIRST_NS)
    assert 0 < [name for name, _ in reads].count("feature") <= 2
    began = lab.seconds
    lab.keeper.turn(lab.host.watching, FIRST_NS)  # too early
    assert [name for name, _ in reads].count("feature") <= 2
    assert lab.keeper._not_before_s > began + REST * 0.015
    lab.close()


def test_a_store_that_is_down_postpones_the_look(lab: Lab) -> None:
    def down(batch: list[Rows]) -> None:
        raise Unavailable("the historian is down")

    write, lab.historian.write = lab.historian.write, down  # type: ignore[method-assign,assignment]
    lab.turns(FIRST_NS, 12)
    lab.historian.write = write  # type: ignore[method-assign]
    assert lab.rows("blocks")["blocks"] == []
    lab.turns(FIRST_NS)
    assert len(lab.rows("blocks")["blocks"]) == 1


def test_a_defect_that_a_points_rows_show_ends_its_look_and_no_other_work(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ingest.drift.measure", broken)
    lab.turns(FIRST_NS)
    assert lab.turns(FIRST_NS, 3) == 0


def test_the_house_looks_when_nothing_waits(plant: Plant) -> None:
    keeper, host = Mock(), committer(plant, Fakes())
    house = Housekeeping(Mock(), host, Mock(), Mock(), clock=PlantClock(), drift=keeper)
    house._account_at_s = float("inf")
    house.turn(idle=False)
    keeper.turn.assert_not_called()
    house.turn(idle=True)
    (watching, plant_ns), _ = keeper.turn.call_args
    assert watching is host._watch.watching
    assert plant_ns > 10**18
