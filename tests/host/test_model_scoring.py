"""What models of the registry say beside the watch, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.model_scoring import BY, Installed, Models, key_of
from ingest.watch_batch import Watched
from models.bundle import load
from models.features.catalogue import NAMES
from models.types import State
from palier.historian.base import Rows
from tests.support import watched_pump as pump
from tests.support.fake_models import FakeBundle
from tests.support.trained import detector
from tests.support.watched_pump import PLACE, Host

FIRST = pump.LEARNED + 1
STRANGE, CALM, BETWEEN = 2.0, 0.0, 0.7


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


def strange_from(k: int, until: int = 10**9) -> Any:
    """Scores of a detector to which the blocks from the k-th on are strange, before another."""
    start_s, end_s = (pump.T0_S + n * pump.EVERY_S for n in (k, until))
    return lambda history: [STRANGE if start_s <= t < end_s else CALM for t in history.time_s]


def install(host: Host, *bundles: FakeBundle, stage: str = "in force", version: int = 4) -> None:
    found = [Installed.of(f"m{i}", version, stage, bundle) for i, bundle in enumerate(bundles)]  # type: ignore[arg-type]
    host.watching = replace(host.watching, models=host.watching.models.having(found))


def model_rows(step: Watched) -> list[Rows]:
    return [rows for rows in step.rows if rows.measurement == "model_score"]


def said(host: Host, ks: range, *, at_once: bool = False) -> list[State]:
    """What the point is in after each of these blocks, one batch each."""
    if at_once:
        step = host.commit([pump.healthy(k) for k in ks])
        return [entry.said.state for entry in step.assessed]
    return [host.commit([pump.healthy(k)]).assessed[0].said.state for k in ks]


@pytest.mark.parametrize("at_once", [False, True])
def test_three_strange_blocks_in_a_row_are_a_watch_and_six_calm_ones_end_it(
    host: Host, *, at_once: bool
) -> None:
    install(host, FakeBundle(places=(PLACE,), score_of=strange_from(FIRST + 1, FIRST + 5)))
    states = said(host, range(FIRST, FIRST + 12), at_once=at_once)
    watch, normal = State.WATCH, State.NORMAL
    assert states == [normal] * 3 + [watch] * 7 + [normal] * 2


def test_the_reason_names_the_model_and_the_score_its_version(host: Host) -> None:
    install(host, FakeBundle(places=(PLACE,), score_of=lambda history: [STRANGE] * len(history)))
    for k in range(FIRST, FIRST + 3):
        step = host.commit([pump.healthy(k)])
    assert step.assessed[0].said.reason == "by_model:m0:4"
    assert step.assessed[0].said.severity == 2
    assert step.examined  # a watch is looked into, whoever raised it
    (rows,) = model_rows(step)
    found = {name: list(column) for name, column in rows.fields.items()}
    assert (found["model"], found["version"], found["stage"]) == (["m0"], [4], ["in force"])
    assert (found["score"], found["threshold"], found["level"]) == ([STRANGE], [1.0], [1])
    table = host.historian.read("score", ["model"], site=PLACE[0])
    assert set(table.columns["model"]) == {"own:1"}


def test_what_is_worse_already_keeps_its_own_words(host: Host) -> None:
    install(host, FakeBundle(places=(PLACE,), score_of=lambda history: [STRANGE] * len(history)))
    loud = replace(pump.sound()[0], features=pump.sound()[0].features * np.float32(4))
    for k in range(FIRST, FIRST + 4):
        step = host.commit([pump.at(loud, k)])
    assert step.assessed[0].said.state in (State.ALERT, State.DANGER)
    assert step.assessed[0].said.reason is None


def test_what_can_not_be_scored_changes_nothing_and_writes_nothing(host: Host) -> None:
    scores = iter([STRANGE, STRANGE, np.nan, STRANGE])
    install(
        host, FakeBundle(places=(PLACE,), score_of=lambda history: [next(scores) for _ in history.time_s])
    )
    states = []
    for k in range(FIRST, FIRST + 4):
        step = host.commit([pump.healthy(k)])
        states.append(step.assessed[0].said.state)
        assert len(model_rows(step)) == (k != FIRST + 2)
    assert states == [State.NORMAL] * 3 + [State.WATCH]


def test_between_calm_and_strange_breaks_both_rows(host: Host) -> None:
    scores = iter([STRANGE, STRANGE, BETWEEN, STRANGE, STRANGE])
    install(
        host, FakeBundle(places=(PLACE,), score_of=lambda history: [next(scores) for _ in history.time_s])
    )
    assert said(host, range(FIRST, FIRST + 5)) == [State.NORMAL] * 5


def test_all_blocks_of_a_batch_are_one_call(host: Host) -> None:
    bundle = FakeBundle(places=(PLACE,))
    install(host, bundle)
    host.commit([pump.healthy(k) for k in range(FIRST, FIRST + 8)])
    ((history,),) = bundle.asked
    assert len(history) == 8
    assert history.names == tuple(f"{c}/{name}" for c in history.channels for name in NAMES)
    assert history.units[: len(NAMES)] == history.units[-len(NAMES) :]


def test_at_rest_and_between_the_pace_nobody_is_asked(host: Host) -> None:
    bundle = FakeBundle(places=(PLACE,))
    install(host, bundle)
    host.commit([pump.standing(FIRST)])
    assert bundle.asked == []
    host.commit([pump.healthy(FIRST + 2)])
    bundle.asked.clear()
    soon = pump.healthy(FIRST + 2)
    later = replace(soon.scored.block, start_ns=soon.scored.block.start_ns + 60 * 10**9)
    host.commit([replace(soon, scored=replace(soon.scored, block=later))])
    assert bundle.asked == []


def test_a_shadow_decides_nothing_and_its_scores_stand_beside_the_others(host: Host) -> None:
    strange = lambda history: [STRANGE] * len(history)  # noqa: E731
    install(host, FakeBundle(places=(PLACE,), score_of=strange), stage="shadow")
    for k in range(FIRST, FIRST + 4):
        step = host.commit([pump.healthy(k)])
    assert step.assessed[0].said.state is State.NORMAL
    (rows,) = model_rows(step)
    assert (list(rows.fields["stage"]), list(rows.fields["level"])) == (["shadow"], [1])


def test_a_classifier_is_asked_about_what_is_abnormal_alone(host: Host) -> None:
    namer = FakeBundle(kind="classifier", machine_kinds=("pump",))
    strange = FakeBundle(places=(PLACE,), score_of=strange_from(FIRST + 1))
    install(host, namer, strange)
    for k in range(FIRST, FIRST + 5):
        step = host.commit([pump.healthy(k)])
    assert [len(history) for (history,) in namer.asked] == [5, 5]  # from the block on that made it a watch
    labels = [label for rows in model_rows(step) for label in rows.fields["label"]]
    assert sorted(map(str, labels)) == ["None", "outer_ring"]


def test_a_classifier_of_another_kind_of_machine_is_not_asked(host: Host) -> None:
    namer = FakeBundle(kind="classifier", machine_kinds=("fan",))
    install(host, namer, FakeBundle(places=(PLACE,), score_of=strange_from(FIRST)))
    said(host, range(FIRST, FIRST + 4))
    assert namer.asked == []


def test_a_model_that_fails_is_told_and_the_others_go_on(host: Host) -> None:
    def broken(history: Any) -> list[float]:
        raise FloatingPointError("a strange number")

    install(host, FakeBundle(places=(PLACE,), score_of=broken), FakeBundle(places=(PLACE,)))
    step = host.commit([pump.healthy(FIRST)])
    assert step.model_failures == (("m0:4", "FloatingPointError: a strange number"),)
    assert [list(rows.fields["model"]) for rows in model_rows(step)] == [["m1"]]
    assert step.left_out == 0


def test_a_restart_goes_on_where_it_was(host: Host) -> None:
    bundle = FakeBundle(places=(PLACE,), score_of=strange_from(FIRST))
    install(host, bundle)
    said(host, range(FIRST, FIRST + 2))
    installed = host.watching.models.installed
    after = Models().having(installed, host.told)
    assert [(one.run, one.calm, one.on) for one in after.held.values()] == [(2, 0, False)]
    np.testing.assert_array_equal(after.held["m0:4", PLACE].memory["n"], [2.0])
    host.watching = replace(host.watching, models=after)
    assert said(host, range(FIRST + 2, FIRST + 3)) == [State.WATCH]


def test_the_same_version_goes_on_from_shadow_to_force_and_another_begins_anew(host: Host) -> None:
    bundle = FakeBundle(places=(PLACE,), score_of=strange_from(FIRST))
    install(host, bundle, stage="shadow")
    said(host, range(FIRST, FIRST + 3))
    install(host, bundle)
    assert said(host, range(FIRST + 3, FIRST + 4)) == [State.WATCH]
    before = host.watching.models
    install(host, bundle, version=5)
    assert host.watching.models.held == {}
    (gone,) = before.forgotten(host.watching.models)
    assert (gone.site, gone.key, gone.value) == (*key_of("m0:4", PLACE), None)
    assert BY in gone.key
    assert said(host, range(FIRST + 4, FIRST + 7)) == [State.NORMAL, State.NORMAL, State.WATCH]


def test_without_models_a_batch_costs_what_it_did(host: Host) -> None:
    entries = [pump.healthy(FIRST)]
    step = host.watching.models.step(entries, {})
    assert step.said is entries
    assert (step.rows, step.states, step.after) == ((), (), host.watching.models)


@pytest.mark.long
def test_a_trained_detector_sees_a_damaged_bearing_and_leaves_a_sound_pump_alone(host: Host) -> None:
    bundle = load(detector("pca"))
    install(host, bundle)  # type: ignore[arg-type]
    assert said(host, range(FIRST, FIRST + 6)) == [State.NORMAL] * 6
    damaged = pump.simulated([0.5] * 4, seed=7)
    steps = [host.commit([pump.at(entry, FIRST + 6 + k)]) for k, entry in enumerate(damaged)]
    (rows,) = model_rows(steps[-1])
    assert list(rows.fields["level"]) == [1]
    assert rows.fields["score"][0] > rows.fields["threshold"][0]  # type: ignore[operator]
    assert rows.fields["leading"][0]
