"""A housing warmer than ambient, load and speed explain: learned from the historian, judged live, told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ingest.alarm_desk import Desk
from ingest.alarm_feed import RESIDUAL, events_of
from ingest.alarm_life import Evidence
from ingest.judging import Assessed
from ingest.knowledge import Speeds, ambient_of, housing_of
from ingest.model_baselines import Wanted, prepare, take
from ingest.watch_batch import Watched
from ingest.watch_housing import GREASED_NS
from ingest.watch_housing_learning import asked, learned
from ingest.watch_keeping import WatchKeeper
from models.detection.housing import ALERT_K, DANGER_K, Housing
from models.features.thermal_lag import first_order_lag
from models.types import Quantity, Refusal, State
from palier.alarms import Level, Mode
from palier.frames import Readings
from palier.historian.base import Rows, Table
from palier.historian.records import Records
from palier.historian.rows import HOUR_NS
from simulators.kinds import anatomy_of
from simulators.machines.machine import Machine
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, POINT, PUMP, Host

HOURS = 12 * 24
NOW_NS = pump.LEARNED_NS // HOUR_NS * HOUR_NS
SETTLED = 18
"""Blocks until 95 % of the housing's memory is known: 3 h."""


@cache
def machine() -> Machine:
    spec = pump.knowledge().plant.machine(PUMP)
    assert spec is not None
    return Machine(spec, anatomy_of(spec), seed=3)


def told_at(seconds: float) -> tuple[float, float, float]:
    """Housing, air (°C) and load (%) of the simulated pump."""
    one = machine()
    point = one.spec.point(POINT)
    assert point is not None
    return one.read(point, Quantity.TEMPERATURE, seconds), one.ambient_c(seconds), 100 * one.load(seconds)


def rows(measurement: str, point: str, channel: str, columns: dict[str, np.ndarray | list[str]]) -> Rows:
    times = NOW_NS - HOUR_NS * np.arange(HOURS, 0, -1, dtype=np.int64)
    tags = ([PLACE[0]] * HOURS, [PUMP] * HOURS, [point] * HOURS, [channel] * HOURS)
    return Rows(measurement, *tags, times, {**columns, "blocks": np.full(HOURS, 6)})


@cache
def past() -> tuple[Rows, ...]:
    """The hourly rows of twelve days in good order."""
    starts = NOW_NS / 1e9 - 3600 * np.arange(HOURS, 0, -1)
    warm, air, load = np.array([told_at(s + 1800) for s in starts]).T
    unit = ["°C"] * HOURS
    spec = machine().spec
    probe = ambient_of(spec)
    mine = housing_of(next(p for p in spec.points if p.id == POINT))
    assert (probe, mine) == ("1/ambiante", "2/T")
    work = {"speed_rpm_mean": np.full(HOURS, 890.0), "load_percent_mean": load, "zone": ["A"] * HOURS}
    return (
        rows("reading_hourly", POINT, "T", {"value_mean": warm, "unit": unit}),
        rows("reading_hourly", "1", "ambiante", {"value_mean": air, "unit": unit}),
        rows("feature_hourly", POINT, "H", work),
    )


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    one = Records(tmp_path / "records.sqlite")
    yield one
    one.close()


@pytest.fixture
def host(tmp_path: Path, records: Records) -> Iterator[Host]:
    """A host that has learned the pump and, from its historian, the housing."""
    one = pump.learned_host(tmp_path)
    one.historian.write(past())
    keeper = WatchKeeper(one.watching, one.historian, records)
    keeper.turn(NOW_NS, {}, Desk())
    one.watching = keeper.watching
    one.told |= records.states()
    yield one
    one.historian.close()


def block(k: int, more_k: float = 0.0, *, air: bool = True) -> Assessed:
    """The k-th block after the learning, its housing so much warmer than in good order."""
    entry = pump.healthy(pump.LEARNED + k)
    warm, ambient, load = told_at(entry.scored.block.start_ns / 1e9)
    told = {"temperature_c": warm + more_k, "ambient_c": ambient if air else np.nan, "load_percent": load}
    return replace(entry, scored=replace(entry.scored, **told))


def run(host: Host, blocks: list[Assessed]) -> list[Watched]:
    return [host.commit([one]) for one in blocks]


def residuals(steps: list[Watched]) -> np.ndarray:
    return np.array([step.verdicts[0].residual_k for step in steps])


def test_it_is_learned_from_hourly_means_once_the_point_has_a_baseline(host: Host) -> None:
    one = host.watching.watch.watched(PLACE)
    assert one is not None
    assert isinstance(one.housing, Housing)
    assert one.housing.sigma_k < 0.5
    assert one.part.residual_alert == ALERT_K


def test_a_sound_housing_is_as_expected_and_a_hot_one_alerts_after_half_an_hour(host: Host) -> None:
    calm = run(host, [block(k) for k in range(SETTLED + 12)])
    off = residuals(calm)
    assert np.isnan(off[: SETTLED - 6]).all()
    assert np.abs(off[SETTLED:]).max() < 1.0
    assert host.state().judgement.state is State.NORMAL
    hot = run(host, [block(SETTLED + 12 + k, 12.0) for k in range(3)])
    assert [step.assessed[0].said.state for step in hot] == [State.NORMAL, State.NORMAL, State.ALERT]
    assert hot[-1].verdicts[0].tests == {"residual": ()}
    (found,) = hot[-1].examined
    assert found.severity == 3  # 10 K above the model
    score = host.historian.read("score", ("residual_k", "tests"), site=PLACE[0], machine=PUMP, newest=1)
    assert float(score.columns["residual_k"][0]) == pytest.approx(12, abs=1)
    evidence = events_of(hot[-1].assessed, [], pump.knowledge(), (), hot[-1].verdicts)
    (alarm,) = [e for e in evidence if isinstance(e, Evidence) and e.key.mode is Mode.VIBRATION]
    (cause,) = alarm.causes
    assert (alarm.level, cause.feature, cause.unit, cause.limit()) == (Level.ALERT, RESIDUAL, "K", ALERT_K)


def test_what_it_remembers_outlasts_a_restart(host: Host) -> None:
    run(host, [block(k) for k in range(SETTLED + 6)])
    again = pump.restarted(host)
    assert pump.same(host.watching, again)
    for k in range(SETTLED + 6, SETTLED + 10):
        steps = [one.step([block(k, 12.0)]) for one in (host.watching, again)]
        host.watching, again = (step.after for step in steps)
        assert steps[0].verdicts[0].residual_k == steps[1].verdicts[0].residual_k
        assert not np.isnan(steps[0].verdicts[0].residual_k)


def test_without_the_probe_of_the_air_nothing_is_said(host: Host) -> None:
    steps = run(host, [block(k, 40.0, air=False) for k in range(SETTLED + 6)])
    assert np.isnan(residuals(steps)).all()
    assert host.state().judgement.state is State.NORMAL


def test_an_alert_whose_probe_is_gone_meanwhile_keeps_its_cause(host: Host) -> None:
    run(host, [block(k, 12.0 if k >= SETTLED else 0.0) for k in range(SETTLED + 3)])
    (step,) = run(host, [block(SETTLED + 3, 12.0, air=False)])
    evidence = events_of(step.assessed, [], pump.knowledge(), (), step.verdicts)
    (alarm,) = [e for e in evidence if isinstance(e, Evidence) and e.key.mode is Mode.VIBRATION]
    assert alarm.level is Level.ALERT
    assert [(cause.feature, cause.value) for cause in alarm.causes] == [(RESIDUAL, None)]


def test_fresh_grease_is_warm_and_alerts_nobody(host: Host) -> None:
    work = {(PUMP, "greasing"): round((pump.T0_S + (pump.LEARNED + SETTLED) * pump.EVERY_S) * 1e9)}
    said = []
    for k in range(SETTLED + 60):
        step = host.watching.step([block(k, 12.0 if k > SETTLED else 0.0)], work=work)
        host.watching = step.after
        said.append(step.assessed[0].said.state)
    shift = GREASED_NS // round(pump.EVERY_S * 1e9)
    assert set(said[: SETTLED + shift]) == {State.NORMAL}
    assert said[SETTLED + shift + 3] is State.ALERT


def test_fresh_grease_is_no_evidence_for_a_diagnosis(host: Host) -> None:
    work = {(PUMP, "greasing"): round((pump.T0_S + (pump.LEARNED + SETTLED) * pump.EVERY_S) * 1e9)}
    for k in range(SETTLED + 3):
        step = host.watching.step([block(k, 12.0 if k > SETTLED else 0.0)], work=work)
        host.watching = step.after
    assert step.verdicts[0].residual_k == pytest.approx(12, abs=1)  # what is shown
    assert np.isnan(host.watching.rings[PLACE][-1].residual_k)


def test_a_machine_that_rests_at_night_is_learned_at_work(host: Host) -> None:
    one = host.watching.watch.watched(PLACE)
    assert one is not None
    nominal = replace(one, machine=replace(one.machine, speed_source="fixed", speed_rpm=890.0))
    asks = asked(one, 0, NOW_NS)
    assert not isinstance(asks, Refusal)
    hours = (asks.warm.end_ns - asks.warm.start_ns) // HOUR_NS
    t = np.arange(hours)
    work = (t % 24 >= 8).astype(float)
    air = 22 + 6 * np.cos(t * 2 * np.pi / 24)
    _, felt = first_order_lag(t.astype(float), np.stack((air, work)), np.full(2, 0.75))
    told = {"speed_rpm_mean": 890.0 + 0 * work, "load_percent_mean": np.nan * work}
    quiet = {"velocity_rms_mm_s_mean": 0.05 + 2.3 * work, "zone": ("A",) * hours}

    def table(channel: str, columns: dict[str, object]) -> Table:
        times = asks.warm.start_ns + HOUR_NS * t.astype(np.int64)
        return Table(times, (PUMP,) * hours, (POINT,) * hours, (channel,) * hours, columns)  # type: ignore[arg-type]

    tables = (
        table("T", {"value_mean": air + 30 * felt}),
        table("ambiante", {"value_mean": air}),
        table("H", told | quiet),
    )
    model = learned(nominal, pump.knowledge(), asks, tables)
    assert isinstance(model, Housing)
    assert model.sigma_k < 1
    assert model.limits(5.0) == (ALERT_K, DANGER_K)


@pytest.mark.parametrize(("celsius", "known"), [(60.0, 60.0), (850.0, np.nan), (-242.0, np.nan)])
def test_a_broken_wire_is_no_temperature_of_a_housing(celsius: float, known: float) -> None:
    entry = pump.healthy(0)
    told = Speeds(pump.knowledge())
    times = np.array([entry.scored.block.start_ns])
    told.take(PLACE[0], Readings(PUMP, (f"{POINT}/T",), times, np.array([[celsius]]), ("°C",)))
    np.testing.assert_equal(told.temperature_c(PLACE[0], entry.scored.block), known)


def test_it_outlasts_a_restart_after_a_baseline_of_the_registry(host: Host) -> None:
    one = host.watching.watch.watched(PLACE)
    assert one is not None
    prepared = prepare(host.watching, Wanted({PLACE: one.model}))
    taken = take(host.watching, prepared, NOW_NS)
    assert taken is not None
    host.keep(taken)
    again = pump.restarted(host).watch.watched(PLACE)
    present = host.watching.watch.watched(PLACE)
    assert again is not None
    assert present is not None
    assert again.part.residual_alert == present.part.residual_alert == ALERT_K


def test_a_baseline_that_is_opened_again_forgets_it(host: Host) -> None:
    watch, _ = host.watching.watch.learned(host.watching.state, {PLACE: None})
    one = watch.watched(PLACE)
    assert one is not None
    assert one.housing is None
