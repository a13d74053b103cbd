"""A waveform that contradicts the features of its block: an event, one alarm; nothing where both agree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest import contradicted
from ingest.batch import GatewaySays
from ingest.contradicted import CALM_BLOCKS, EVENTS_PER_HOUR, MOST_TOLD, Contradictions, Found
from models.features.catalogue import NAMES
from palier.alarm_modes import Mode
from palier.frames import Features, Waveform
from palier.historian.base import Unavailable
from palier.historian.rows import Transition
from palier.plant import Plant
from tests.host.test_told_features import changed, host, noisy, stream
from tests.support.committing import SECOND, T0, AtOnce, Fakes, batch, committer, work
from tests.support.gateway import EPOCH, waveform
from tests.support.sent_features import features_of

EDGE = "usine/g1"


def commit(one: AtOnce, *works: object) -> Found:
    """Store a batch; what followed from comparing it."""
    attempt = one.begin(batch(*works))  # type: ignore[arg-type]
    one.compute(attempt)
    one.keep(attempt)
    assert one.store(attempt) == ()
    return attempt.found


def halved(frame: Features) -> Features:
    """As a gateway tells it whose sensitivity is twice what it should be."""
    return replace(frame, values=(frame.values * np.float32(0.5)).astype("<f4"))


def detail(event: Transition) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event.detail)
    return told


def test_it_is_an_event_with_both_values_and_one_alarm(plant: Plant, tmp_path: Path) -> None:
    block = waveform(T0, speed_rpm=1500.0)
    told = changed(features_of(block), "velocity_rms_mm_s", 1.5)
    with host(plant, tmp_path) as (one, stores):
        commit(one, work(1, told))
        found = commit(one, work(2, block, live=False))
        rows = stores.historian.read("event", ["kind", "detail"], site="usine", machine="pompe")
    (event,) = found.events
    assert (event.machine, event.point, event.ts_ns, event.kind) == ("pompe", "p1", T0, "contradiction")
    said = detail(event)
    assert (said["gateway"], said["block_ns"]) == (EDGE, T0)
    assert (said["features"], said["waveform"]) == (f"features:{EDGE}:{EPOCH}:1", f"{EDGE}:{EPOCH}:2")
    (difference,) = said["differences"]
    assert (difference["channel"], difference["feature"], difference["told"]) == (
        "h",
        "velocity_rms_mm_s",
        1.5,
    )
    assert difference["computed"] == pytest.approx(
        float(features_of(block).values[0][features_of(block).names.index("velocity_rms_mm_s")]), rel=1e-5
    )
    assert found.said == (GatewaySays(EDGE, Mode.CONTRADICTION, {"blocks": 1.0}, True),)
    kinds = list(zip(rows.columns["kind"], rows.columns["detail"], strict=True))
    assert [json.loads(str(text)) for kind, text in kinds if kind == "contradiction"] == [said]


def test_features_behind_the_waveform_are_compared_too(plant: Plant, tmp_path: Path) -> None:
    block = waveform(T0)
    with host(plant, tmp_path) as (one, _):
        assert commit(one, work(1, block)).events == ()
        assert len(commit(one, work(2, halved(features_of(block)), live=False)).events) == 1


def test_both_in_one_batch_are_compared(plant: Plant, tmp_path: Path) -> None:
    block = waveform(T0)
    with host(plant, tmp_path) as (one, _):
        found = commit(one, work(1, halved(features_of(block))), work(2, block, live=False))
    assert len(found.events) == 1
    assert len(detail(found.events[0])["differences"]) == MOST_TOLD


@pytest.mark.parametrize("restarted", [False, True])
def test_it_is_seen_over_a_restart_of_the_host(plant: Plant, tmp_path: Path, restarted: bool) -> None:
    block = waveform(T0)
    with host(plant, tmp_path) as (one, stores):
        commit(one, work(1, halved(features_of(block))))
        if not restarted:
            assert len(commit(one, work(2, block, live=False)).events) == 1
    if restarted:
        with host(plant, tmp_path) as (one, stores):
            assert len(commit(one, work(2, block, live=False)).events) == 1
            assert stores.records.states()


def test_the_honest_path_disagrees_nowhere(plant: Plant, tmp_path: Path) -> None:
    """Growing, bad, clipped, at rest, without a unit; the waveform behind, in one batch, and before."""
    with host(plant, tmp_path) as (one, _):
        for k, block in enumerate(stream()):
            features = features_of(block)
            if k % 3 == 0:
                found = [commit(one, work(2 * k + 1, features), work(2 * k + 2, block, live=False))]
            else:
                first, second = (features, block) if k % 3 == 1 else (block, features)
                found = [
                    commit(one, work(2 * k + 1, first)),
                    commit(one, work(2 * k + 2, second, live=False)),
                ]
            assert not any(some.events for some in found), k
        assert not any(word.active for some in found for word in some.said)


def test_a_backlog_of_waveforms_alone_is_compared_with_nothing(plant: Plant, tmp_path: Path) -> None:
    with host(plant, tmp_path) as (one, _):
        commit(one, work(9, noisy(9, 1.0)))
        for k in range(4):
            assert commit(one, work(k + 1, noisy(k, 1.0), live=False)) == contradicted.NOTHING


def test_a_difference_of_rounding_is_none_and_one_of_two_percent_is_one() -> None:
    table = dict.fromkeys(NAMES, 1.0)

    def of(factor: float) -> tuple[str, ...]:
        def told(value: float) -> dict[str, contradicted._Told]:
            row = np.array([table[name] * value for name in NAMES])
            return {"h": contradicted._Told(row, 1500.0, "features:usine/g1:e:1")}

        one = contradicted._compare(("usine", "pompe", "p1"), T0, told(factor), told(1.0))
        return tuple(difference.feature for difference in one.differences)

    assert of(1.0 + 2e-5) == ()
    assert "acceleration_rms_m_s2" in of(1.02)
    assert "velocity_rms_mm_s" in of(1.1)
    assert not {"ski_slope", "cepstrum_driving", "bpfo_band_hz"} & set(of(3.0))


def test_beside_gravity_a_small_level_is_rounding(plant: Plant, tmp_path: Path) -> None:
    """A sensor that shows gravity, on a machine that hardly moves, with samples as float32."""
    rng = np.random.default_rng(0)
    samples = (9.81 + rng.normal(0.0, 1e-4, (1, 25_600))).astype("<f4")
    block = Waveform("pompe", "p1", ("h",), samples, (1.0,), ("m/s²",), 25_600.0, T0)
    told = features_of(block)
    values = told.values * (1 + np.float32(1e-4) * rng.normal(size=told.values.shape).astype("<f4"))
    with host(plant, tmp_path) as (one, _):
        commit(one, work(1, replace(told, values=values.astype("<f4"))))
        assert commit(one, work(2, block, live=False)).events == ()


def test_of_rounding_alone_there_is_no_centre(plant: Plant, tmp_path: Path) -> None:
    """A tone that lies above what the filter leaves usable: below it, each processor rounds otherwise."""
    tone = 10.0 * np.sin(2 * np.pi * 0.41 * np.arange(25_600))
    block = Waveform("pompe", "p1", ("h",), tone.astype("<f4")[None], (1.0,), ("m/s²",), 25_600.0, T0)
    told = features_of(block)
    values = told.values.copy()
    values[0, told.names.index("spectral_centroid_hz")] *= 1.06
    with host(plant, tmp_path) as (one, _):
        commit(one, work(1, replace(told, values=values)))
        assert commit(one, work(2, block, live=False)).events == ()


def many(plant: Plant, folder: Path, n: int) -> list[Found]:
    """A gateway of which every block contradicts."""
    with host(plant, folder) as (one, _):
        found = []
        for k in range(n):
            block = waveform(T0 + k * 60 * SECOND)
            commit(one, work(2 * k + 1, halved(features_of(block))))
            found.append(commit(one, work(2 * k + 2, block, live=False)))
        assert one.contradictions.allowance.over == max(0, n - EVENTS_PER_HOUR)
        return found


def test_a_gateway_that_always_contradicts_fills_no_records(plant: Plant, tmp_path: Path) -> None:
    found = many(plant, tmp_path, EVENTS_PER_HOUR + 5)
    assert sum(len(some.events) for some in found) == EVENTS_PER_HOUR
    assert found[-1].said == (
        GatewaySays(EDGE, Mode.CONTRADICTION, {"blocks": float(EVENTS_PER_HOUR + 5)}, True),
    )


def test_it_is_over_when_a_row_of_blocks_agrees_again(plant: Plant, tmp_path: Path) -> None:
    with host(plant, tmp_path) as (one, _):
        said: list[GatewaySays] = []
        for k in range(CALM_BLOCKS + 1):
            block = noisy(k, 1.0)
            told = features_of(block)
            commit(one, work(2 * k + 1, told if k else halved(told)))
            said += commit(one, work(2 * k + 2, block, live=False)).said
    assert [word.active for word in said] == [True, False]


def test_a_store_that_fails_in_between_takes_nothing_back(plant: Plant, tmp_path: Path) -> None:
    """The rows are written, the records are not: tried again, the features are not there any more."""
    block = waveform(T0)
    with host(plant, tmp_path) as (one, stores):
        commit(one, work(1, halved(features_of(block))))
        attempt = one.begin(batch(work(2, block, live=False)))
        one.compute(attempt)
        one.keep(attempt)
        records, tries = one._stores.records, 0

        class Once:
            def commit(self, rows: object) -> None:
                nonlocal tries
                tries += 1
                if tries == 1:
                    raise Unavailable("full")
                records.commit(rows)  # type: ignore[arg-type]

        one._stores = replace(one._stores, records=Once())
        with pytest.raises(Unavailable):
            one.store(attempt)
        one.store(attempt)
        assert (tries, len(attempt.found.events)) == (2, 1)
        assert one.contradictions.blocks == 1

        kept = stores.historian.read("event", ["kind"], site="usine", machine="pompe").columns["kind"]
        assert list(kept).count("contradiction") == 1


def test_channels_that_came_in_frames_of_their_own_are_compared_each_with_its_own(
    plant: Plant, tmp_path: Path
) -> None:
    """The waveform of `h` is there, of `v` are features: the waveform of `v` follows."""
    h = waveform(T0)
    v = replace(h, channels=("v",))
    with host(plant, tmp_path) as (one, _):
        commit(one, work(1, h), work(2, halved(features_of(v)), live=False))
        found = commit(one, work(3, v, live=False))
        (event,) = found.events
        assert [word.edge for word in found.said] == [EDGE]
    assert (detail(event)["gateway"], detail(event)["features"]) == (EDGE, f"features:{EDGE}:{EPOCH}:2")
    assert {difference["channel"] for difference in detail(event)["differences"]} == {"v"}


def test_channels_in_frames_of_their_own_are_told_apart_in_one_batch(plant: Plant, tmp_path: Path) -> None:
    h = waveform(T0)
    v = replace(h, channels=("v",))
    told_h, told_v = features_of(h), halved(features_of(v))
    with host(plant, tmp_path) as (one, _):
        late = [work(n, frame, live=False) for n, frame in ((2, told_v), (3, h), (4, v))]
        (event,) = commit(one, work(1, told_h), *late).events
    assert (detail(event)["features"], detail(event)["waveform"]) == (
        f"features:{EDGE}:{EPOCH}:2",
        f"{EDGE}:{EPOCH}:4",
    )


def test_a_store_that_fails_in_reading_counts_nothing_twice(plant: Plant, tmp_path: Path) -> None:
    """It is down while the second point is looked up; the batch is tried again."""
    p1 = waveform(T0)
    fan = noisy(0, 1.0)
    with host(plant, tmp_path) as (one, stores):
        commit(one, work(1, halved(features_of(p1))), work(2, halved(features_of(fan))))
        attempt = one.begin(batch(work(3, p1, live=False), work(4, fan, live=False)))
        one.compute(attempt)
        one.keep(attempt)
        historian, down = one._stores.historian, True

        class Fails:
            write = historian.write

            def read(self, *which: Any, **bounds: Any) -> Any:
                if down and bounds["machine"] == fan.machine:
                    raise Unavailable("away")
                return stores.historian.read(*which, **bounds)

        one._stores = replace(one._stores, historian=Fails())  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            one.store(attempt)
        down = False
        one.store(attempt)
        assert (one.contradictions.blocks, len(attempt.found.events)) == (2, 2)


def test_live_blocks_ask_the_store_for_nothing(plant: Plant) -> None:
    class Deaf(Fakes):
        def read(self, *_which: object, **_bounds: object) -> Any:
            raise AssertionError("a live block was looked up")

    one = committer(plant, Deaf())
    for k in range(3):
        one.commit(batch(work(k + 1)))
    assert one.contradictions == Contradictions(allowance=one.contradictions.allowance)
