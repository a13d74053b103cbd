"""The watch over a simulated pump: learned, normal, then a spall on the outer ring that grows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from ingest.scoring import Scored
from ingest.watch import Watch
from ingest.watch_diagnosis import Examined
from ingest.watch_parts import OF_SHAFT, watched_points
from models.detection.sensors import CLIPPED, LOOSE_MOUNT, SPIKES
from models.diagnosis import Fault
from models.types import Refusal, State
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, Host

LEARNED = 1010
YOUNG = [0.06] * 6
GROWN = np.arange(0.12, 0.46, 0.02).tolist()
GROWTH = [*YOUNG * 5, *np.repeat(GROWN, 2).tolist()]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


@cache
def growing() -> tuple[Scored, ...]:
    """Five hours of a young spall, then one that grows; each block twice, five times while it is young."""
    blocks = pump.simulated([*YOUNG, *GROWN], seed=900)
    return (*blocks[:6] * 5, *(blocks[6 + k // 2] for k in range(2 * len(GROWN))))


def test_a_growing_spall_is_watched_then_alerted_with_its_name(host: Host) -> None:
    for k in range(12):
        host.commit([pump.healthy(LEARNED + k)])
    assert host.state().judgement.state is State.NORMAL
    assert not host.state().judgement.learning
    states: list[State] = []
    named: dict[Fault, float] = {}
    for k, entry in enumerate(growing()):
        step = host.commit([pump.at(entry, LEARNED + 12 + k)])
        states.append(host.state().judgement.state)
        for one in step.examined:
            assert isinstance(one.found, tuple)
            named |= {d.fault: GROWTH[k] for d in reversed(one.found) if d.fault not in named}
    assert list(dict.fromkeys(states)) == [State.NORMAL, State.WATCH, State.ALERT]
    assert named[Fault.OUTER_RING] < 0.4
    last = host.examined[-1]
    assert isinstance(last.found, tuple)
    assert (last.found[0].fault, last.found[0].point) == (Fault.OUTER_RING, "2")
    assert last.found[0].confidence > 0.8
    assert last.advice[0].action == "plan"
    assert dict(host.watching.health[PLACE].modes)["vibration"] > 80
    assert host.watching.health[PLACE].worst[1] < 60  # type: ignore[index]


def test_what_is_found_can_be_read_again(host: Host) -> None:
    for k, entry in enumerate(growing()):
        host.commit([pump.at(entry, LEARNED + k)])
    read = partial(host.historian.read, site=PLACE[0], machine=PLACE[1])
    faults = read("diagnosis", ["fault", "severity", "rank"], point="2")
    assert faults.columns["fault"][-1] == "outer_ring"
    scores = read("score", ["score", "level", "leading", "frame"])
    assert len(scores) == len(GROWTH)
    assert scores.columns["level"][-1] == 2
    health = read("health", ["health_index", "mode"], point="")
    assert health.columns["mode"][-1] in ("bearing", "shocks", "high_frequency")


def test_a_restart_after_any_block_goes_on_as_if_nothing_were(host: Host) -> None:
    host.commit([pump.healthy(LEARNED + k) for k in range(5)])
    for k, entry in enumerate(growing()[25:45]):
        host.commit([pump.at(entry, LEARNED + 5 + k)])
        again = pump.restarted(host)
        assert pump.same(again, host.watching), k
        host.watching = again


def test_blocks_together_lead_to_what_they_lead_to_one_by_one(host: Host) -> None:
    blocks = [pump.at(entry, LEARNED + k) for k, entry in enumerate(growing()[20:44])]
    at_once = host.watching.step(blocks[::-1])
    one_by_one = host.watching
    found: list[Examined] = []
    for block in blocks:
        step = one_by_one.step([block])
        one_by_one, found = step.after, [*found, *step.examined]
    assert pump.same(at_once.after, one_by_one)
    assert [(e.ts_ns, e.found) for e in at_once.examined] == [(e.ts_ns, e.found) for e in found]


def test_a_batch_that_was_not_stored_is_stepped_again_to_the_same(host: Host) -> None:
    blocks = [pump.at(growing()[-1], LEARNED)]
    first, again = host.watching.step(blocks), host.watching.step(blocks)
    assert first.states == again.states
    assert pump.same(first.after, again.after)


def test_late_and_historical_blocks_change_nothing(host: Host) -> None:
    host.commit([pump.healthy(LEARNED + 5)])
    worst = growing()[-1]
    late, historical = pump.at(worst, LEARNED + 4), pump.at(worst, LEARNED + 6, live=False)
    step = host.watching.step([late, historical])
    assert pump.same(step.after, host.watching)
    assert (step.states, step.rows, step.examined) == ((), (), ())
    assert [entry.said for entry in step.assessed] == [late.said, historical.said]


def test_a_machine_at_rest_is_stopped_and_keeps_what_it_had(host: Host) -> None:
    for k, entry in enumerate(growing()[30:60]):
        host.commit([pump.at(entry, LEARNED + k)])
    assert host.state().judgement.state is State.ALERT
    examined = len(host.examined)
    host.commit([pump.standing(LEARNED + 31)])
    assert host.state().judgement.state is State.STOPPED
    assert len(host.examined) == examined
    host.commit([pump.at(growing()[60], LEARNED + 32)])
    assert host.state().judgement.state is State.ALERT


def test_a_channel_that_may_not_be_judged_is_unknown_to_the_watch(host: Host) -> None:
    block = pump.at(growing()[-1], LEARNED)
    refused = replace(block.scored, refusals=[CLIPPED])
    _, verdicts = host.watching.watch.step(host.watching.state, [refused])
    assert np.isnan(verdicts[0].x).all()
    assert not verdicts[0].counted


def test_every_point_is_watched_by_what_stands_there() -> None:
    points = {one.place[1:]: one for one in watched_points(pump.knowledge(), {})}
    of_pump = points["P-101", "2"]
    plain = next(one for one in points.values() if one.machine.impeller is None)
    assert of_pump.names[0] == "H/velocity_rms_mm_s"
    assert {"bpfo_modulation", "vane_pass_mm_s"} <= set(of_pump.features)
    assert "vane_pass_mm_s" not in plain.features
    assert (of_pump.alert, of_pump.danger) == (6.1, 9.5)
    assert Watch.of(pump.knowledge()).columns_of_machine(PLACE[0], "P-101") == 2 * len(of_pump.names)


def test_an_examination_that_fails_stops_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise ValueError("as a defect of a model would")

    monkeypatch.setattr("ingest.watch_step.examine", fail)
    steps = [host.commit([pump.at(entry, LEARNED + k)]) for k, entry in enumerate(growing()[-20:])]
    assert next(place for step in steps for place, _ in step.failed) == PLACE
    assert host.state().judgement.state is State.ALERT
    assert host.examined == []


@pytest.mark.parametrize("doubt", [SPIKES, LOOSE_MOUNT])
def test_shocks_of_a_doubted_sensor_are_not_the_machines(host: Host, doubt: Refusal) -> None:
    sound = pump.sound()[0]
    louder = np.where(OF_SHAFT, sound.features, sound.features * np.float32(20))
    shaken = replace(sound, features=louder)
    doubted = replace(shaken, doubts=[(doubt,)] * len(sound.block.channels))
    for k in range(12):
        host.commit([pump.at(doubted, LEARNED + k)])
    assert host.state().judgement.state is State.NORMAL
    for k in range(12, 24):
        host.commit([pump.at(shaken, LEARNED + k)])
    assert host.state().judgement.state in (State.ALERT, State.DANGER)
