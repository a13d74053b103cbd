"""A load goes the whole way: rows, baseline, live verdict, diagnosis, and a period that is rescored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ingest import rows
from ingest.judging import Assessed
from ingest.rescore_reading import FEATURES, blocks_of
from ingest.watch_diagnosis import FIELDS as OF_BLOCK
from ingest.watch_diagnosis import remembered
from ingest.watch_learning import FIELDS, Gathering
from ingest.watch_parts import PointModel
from models.detection.decision import Basis
from palier.historian.base import Table
from tests.support import watched_pump as pump
from tests.support.watched_pump import LEARNED, PLACE

LOADS = np.random.default_rng(2).uniform(40, 95, LEARNED + 10)
GROWTH = 0.01  # of every level, by percent of load


def block(k: int, load: float | None = None) -> Assessed:
    """The k-th block of a pump whose levels follow its load, at a load of its own or another."""
    entry = pump.healthy(k)
    percent = float(LOADS[k]) if load is None else load
    grown = entry.scored.features * np.float32(np.exp(GROWTH * (percent - 70)))
    frame = replace(entry.scored.block, load_percent=percent)
    scored = replace(entry.scored, features=grown, block=frame, load_percent=percent)
    return replace(entry, scored=scored)


def table(blocks: list[Assessed], fields: tuple[str, ...]) -> Table:
    """Their `feature` rows, as a historian gives them back."""
    of = rows.feature_rows(blocks, {id(one.work): i for i, one in enumerate(blocks)}).rows
    tags = (tuple(of.machine), tuple(of.point), tuple(of.channel))
    return Table(of.ts_ns, *tags, {name: of.fields[name] for name in fields})


def no_states() -> Table:
    return Table(np.empty(0, np.int64), (), (), (), {"state": ()})


def learned() -> PointModel:
    one = pump.start().watch.watched(PLACE)
    assert one is not None
    gathering = Gathering(one)
    gathering.add(table([block(k) for k in range(LEARNED)], FIELDS), no_states())
    model = gathering.fit(version=1, features_of_machine=17)
    assert isinstance(model, PointModel)
    return model


def test_a_load_is_learned_and_judged_by_live() -> None:
    watching = pump.start()
    watching = watching.learned(PLACE, learned(), pump.LEARNED_NS).after
    one = watching.watch.watched(PLACE)
    assert one is not None
    assert one.model is not None
    low, high = one.model.baseline.low[1], one.model.baseline.high[1]
    assert (round(low), round(high)) == (41, 94)
    np.testing.assert_allclose(one.model.baseline.coefficients[:, 1], GROWTH, rtol=0.1)
    step = watching.step([block(LEARNED)])
    assert step.verdicts[0].basis is Basis.BASELINE
    assert np.nanmax(np.abs(step.verdicts[0].z)) < 5
    strange = watching.step([block(LEARNED, 150.0)])
    assert strange.verdicts[0].basis is Basis.STANDARD  # nobody has seen it at that load
    (kept,) = step.after.rings[PLACE]
    assert kept.load_percent == LOADS[LEARNED]


def test_what_is_stored_of_a_load_comes_back() -> None:
    blocks = [block(k) for k in range(2)]
    machine = pump.knowledge().plant.machine(pump.PUMP)
    assert machine is not None
    again = blocks_of(table(blocks, FEATURES), pump.knowledge(), machine)
    assert [one.load_percent for one in again] == [one.scored.load_percent for one in blocks]
    assert [one.block.load_percent for one in again] == [one.scored.load_percent for one in blocks]
    one = pump.start().watch.watched(PLACE)
    assert one is not None
    features = table(blocks, OF_BLOCK)
    states = Table(features.ts_ns, features.machine, features.point, ("",) * 2)
    ring = remembered(one, features, states)
    assert [kept.load_percent for kept in ring] == [one.scored.load_percent for one in blocks]
