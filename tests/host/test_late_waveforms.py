"""A diagnosis that waits for the waveform, and what the waveform of a block that was judged brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.alarm_feed import events_of
from ingest.alarms import Alarms, Diagnosed, step
from ingest.knowledge import Speeds
from ingest.scoring import Scored, Scorer
from ingest.watch_diagnosis import LATER_NS, WAVEFORM, WAVEFORM_AWAY, Examined, Looked, look, look_again
from models.diagnosis import Fault
from models.types import State
from palier.alarms import AlarmKey, Mode
from palier.locale import Catalogue
from tests.support import watched_pump as pump
from tests.support.sent_features import features_of
from tests.support.watched_pump import LEARNED, PLACE, Host

KEY = AlarmKey(*PLACE[:2], PLACE[2], Mode.VIBRATION)


def test_what_shows_in_features_is_looked_at_once_and_then_by_the_waveform() -> None:
    looked, due = look(Looked(), State.ALERT, counted=True, away=True)
    assert (looked, due) == (Looked(2, 0, True), True)
    for _ in range(6):
        looked, due = look(looked, State.ALERT, counted=True, away=True)
    assert due  # an hour later it waits still
    looked, due = look_again(looked)
    assert (looked, due) == (Looked(2), True)
    assert look_again(looked) == (looked, False)
    for _ in range(7):
        looked, due = look(looked, State.ALERT, counted=True, away=True)
    assert not due  # what the waveform showed stands
    assert look_again(looked) == (Looked(2), True)
    assert look(looked, State.DANGER, counted=True, away=True) == (Looked(3, 0, True), True)
    assert look_again(Looked()) == (Looked(), False)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


def spall(severity: float) -> tuple[Scored, Scored]:
    """A block of the pump with that spall: with its samples, and as its gateway tells of it."""
    (block,) = pump.simulated([severity], seed=900)
    known = pump.knowledge()
    told = replace(block.work, frame=features_of(block.block))  # type: ignore[arg-type]
    (features,) = Scorer(known, Speeds(known)).score([told])
    return block, features


def bearing_of(found: Examined) -> list[Fault]:
    return [one.fault for one in found.found] if isinstance(found.found, tuple) else []


def test_the_diagnosis_waits_for_the_waveform_and_runs_when_it_comes(host: Host) -> None:
    block, features = spall(0.5)
    first: list[Examined] = []
    k = LEARNED
    while not first and k < LEARNED + 20:
        k += 1
        first = list(host.commit([pump.at(features, k)]).examined)
    (waits,) = first
    named = waits.found if isinstance(waits.found, tuple) else ()
    assert waits.found == WAVEFORM_AWAY or (named and all(WAVEFORM in one.separate_by for one in named))
    assert Fault.OUTER_RING not in bearing_of(waits)
    before = host.in_force.copy()
    late = pump.at(block, k, live=False)
    step = host.commit_late([late])
    (found,) = step.examined
    assert (found.late, found.ts_ns) == (True, late.scored.block.start_ns + LATER_NS)
    assert bearing_of(found)[0] is Fault.OUTER_RING
    assert host.in_force == before
    newest = host.watching.rings[PLACE][-1]
    assert np.isfinite(newest.features).sum() > np.isfinite(features.features).sum()
    assert host.commit_late([late]).examined == ()  # the same again
    rows = host.historian.read("diagnosis", ["fault"], site=PLACE[0])
    assert rows.columns["fault"][-1] == "outer_ring"


def test_what_a_waveform_showed_stands_while_only_features_come(host: Host) -> None:
    block, features = spall(0.5)
    _, k = step_alarms(host, features)
    host.commit_late([pump.at(block, k, live=False)])
    found = len(host.examined)
    for later in range(1, 15):
        host.commit([pump.at(features, k + later)])
    assert len(host.examined) == found
    step = host.commit_late([pump.at(block, k + 14, live=False)])  # more than six blocks later
    assert bearing_of(step.examined[0])[0] is Fault.OUTER_RING


def test_a_waveform_of_a_block_long_ago_changes_nothing(host: Host) -> None:
    block, features = spall(0.5)
    for k in range(8):
        host.commit([pump.at(features, LEARNED + 1 + k)])
    step = host.watching.step([pump.at(block, LEARNED + 1, live=False)])
    assert (step.examined, step.states) == ((), ())
    assert pump.same(step.after, host.watching)


def test_the_alarm_hears_of_it_and_keeps_its_level(host: Host) -> None:
    block, features = spall(0.5)
    alarms, k = step_alarms(host, features)
    before = alarms.known[KEY]
    assert before.standing
    assert before.fault != "outer_ring"
    late = host.commit_late([pump.at(block, k, live=False)])
    events = events_of(late.assessed, [], pump.knowledge(), late.examined, late.verdicts)
    assert [type(one) for one in events] == [Diagnosed]
    alarms, effects = step(alarms, events)
    after = alarms.known[KEY]
    assert after.fault == "outer_ring"
    assert (after.standing, after.level, after.severity) == (before.standing, before.level, before.severity)
    assert len(effects) == 2  # kept, and told as diagnosed
    assert step(alarms, events) == (alarms, ())


def step_alarms(host: Host, features: Scored) -> tuple[Alarms, int]:
    """The alarms once these features raised one, and by which block."""
    alarms = Alarms()
    for k in range(LEARNED + 1, LEARNED + 20):
        said = host.commit([pump.at(features, k)])
        events = events_of(said.assessed, [], pump.knowledge(), said.examined, said.verdicts)
        alarms, _ = step(alarms, events)
        if KEY in alarms.known and alarms.known[KEY].standing:
            return alarms, k
    raise AssertionError("the features of a grown spall must raise an alarm")


def test_that_it_waits_is_told_in_every_language() -> None:
    for lang in ("fr", "en", "ar"):
        words = Catalogue(lang)
        refusal, remedy = f"refusal.{WAVEFORM_AWAY.reason}", f"remedy.{WAVEFORM_AWAY.remedy}"
        assert all(words.text(key) != key for key in (refusal, remedy, f"confirm.{WAVEFORM}"))
