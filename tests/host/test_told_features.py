"""Frames of features: what of them is believed, and that they are judged as the blocks that they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest import told_features
from ingest.batch import WorkFrame
from ingest.commit import Stores
from ingest.knowledge import Knowledge
from ingest.ranges_told import RangesTold
from ingest.stores import OpenStores, open_stores
from models.features.catalogue import NAMES
from palier.frames import QUALITY_BAD, Features, Frame, Spectrum, Waveform
from palier.historian.base import Table
from palier.historian.schema import measurement
from palier.limits import load_limits
from palier.plant import Plant
from palier.source import ChannelBirth, Device
from tests.support.committing import SECOND, T0, AtOnce, batch, work
from tests.support.gateway import waveform
from tests.support.host_at_hand import HostAtHand, host_at_hand
from tests.support.sent_features import features_of

EVERY = 600 * SECOND
FAN = "ventilateur"


@contextmanager
def host(plant: Plant, folder: Path) -> Iterator[tuple[AtOnce, OpenStores]]:
    with open_stores(folder, 64 * 1024 * 1024) as stores:
        yield (
            AtOnce(
                Stores(stores.historian, stores.records, stores.waveforms),
                Knowledge(plant, load_limits()),
                spectrum_interval_s=3600.0,
                wall_ns=lambda: T0,
            ),
            stores,
        )


def noisy(k: int, velocity_mm_s: float, **more: object) -> Waveform:
    block = waveform(T0 + k * EVERY, velocity_mm_s=velocity_mm_s, speed_rpm=990.0, machine=FAN, **more)  # type: ignore[arg-type]
    noise = np.random.default_rng(k).normal(0.0, 300.0, block.samples.shape)
    return replace(block, samples=(block.samples + noise).astype("<i2"))


def stream() -> list[Waveform]:
    """A fan that gets worse, with a block of bad quality, one clipped, one at rest, one without a unit."""
    blocks = [noisy(k, velocity) for k, velocity in enumerate([1.0] * 6 + [6.0] * 4 + [15.0] * 4 + [1.0] * 8)]
    blocks[2] = replace(blocks[2], quality=(QUALITY_BAD,))
    blocks[3] = replace(blocks[3], samples=np.clip(blocks[3].samples, -400, 400))
    blocks[4] = replace(blocks[4], speed_rpm=0.0)
    blocks[5] = replace(blocks[5], unit=("unknown",))
    return blocks


def table(stores: OpenStores, name: str) -> Table:
    fields = [field for field in measurement(name).names if field != "frame"]
    return stores.historian.read(name, fields, site="usine")


def same(left: Table, right: Table) -> bool:
    columns = all(
        np.array_equal(a, right.columns[name], equal_nan=True)
        if isinstance(a, np.ndarray)
        else a == right.columns[name]
        for name, a in left.columns.items()
    )
    return bool(columns and (left.ts_ns == right.ts_ns).all() and left.channel == right.channel)


def test_a_stream_of_features_leads_to_what_its_blocks_lead_to(plant: Plant, tmp_path: Path) -> None:
    """Features, zones, states, events, health, alarms and what is remembered: to the last bit."""
    with host(plant, tmp_path / "w") as (one, blocks), host(plant, tmp_path / "f") as (two, told):
        for k, block in enumerate(stream()):
            frame = features_of(block)
            assert one.commit(batch(work(k + 1, block))) == two.commit(batch(work(k + 1, frame))) == ()
        for name in ("feature", "state", "score", "health"):
            assert same(table(blocks, name), table(told, name)), name
        assert len(table(told, "feature")) == 22
        kept = [
            {
                key: text.replace("features:", "")
                for key, text in stores.records.states().items()
                if "#spectra" not in key[1]
            }
            for stores in (blocks, told)
        ]
        assert {k: v for k, v in kept[0].items() if "#looked" not in k[1]} == {
            k: v for k, v in kept[1].items() if "#looked" not in k[1]
        }
        alarms = [
            [
                (a.key, a.standing, a.life, a.severity, a.since_ns)
                for a in h._alarms.desk.alarms.known.values()
            ]
            for h in (one, two)
        ]
        assert alarms[0] == alarms[1] != []


def test_the_waveform_of_a_block_takes_the_place_of_its_features(plant: Plant, tmp_path: Path) -> None:
    block = waveform(T0, speed_rpm=1500.0)
    with host(plant, tmp_path) as (one, stores):
        one.commit(batch(work(1, features_of(block))))
        before = table(stores, "feature")
        assert np.isnan(before.columns["bpfo_m_s2"]).all()  # the gateway knows no bearing
        for seq in (2, 2):
            assert one.commit(batch(work(seq, block, live=False))) == ()
        after = table(stores, "feature")
        assert (len(before), len(after)) == (1, 1)
        assert np.isfinite(after.columns["bpfo_m_s2"]).all()
        assert after.columns["velocity_rms_mm_s"] == before.columns["velocity_rms_mm_s"]
        assert (
            one.commit(batch(work(1, features_of(block), live=False))) == ()
        )  # it comes again: no quarantine
        (frame,) = stores.historian.read("feature", ["frame"], site="usine").columns["frame"]
        assert frame == "usine/g1:00000000000000e1:2"
        assert len(stores.records.waveforms("usine", "pompe", "p1")) == 1
        assert stores.records.states()["usine", "pompe/p1#vibration"].count("features:") == 1


def test_both_in_one_batch_are_one_row(plant: Plant, tmp_path: Path) -> None:
    block = waveform(T0, speed_rpm=1500.0)
    with host(plant, tmp_path) as (one, stores):
        works = work(1, features_of(block)), work(2, block, live=False)
        assert one.commit(batch(*works)) == ()
        assert stores.historian.read("feature", ["frame"], site="usine").columns["frame"] == (
            "usine/g1:00000000000000e1:2",
        )


def test_spectra_that_come_with_features_are_kept_for_display(plant: Plant, tmp_path: Path) -> None:
    lines = np.arange(1, 801, dtype="<f4")
    spectra = tuple(Spectrum("h", kind, lines, lines) for kind in ("velocity_mm_s", "envelope_m_s2"))
    with host(plant, tmp_path) as (one, stores):
        for k, some in enumerate([spectra, (), spectra]):
            frame = replace(features_of(waveform(T0 + k * SECOND)), spectra=some)
            one.commit(batch(work(k + 1, frame)))
        for name in ("spectrum", "envelope"):
            kept = stores.historian.read(name, ["amplitude", "kind"], site="usine")
            assert set(kept.ts_ns.tolist()) == {T0}  # the next ones come within the minute
            assert 200 < len(kept) <= 400


def test_spectra_of_a_backlog_are_kept_once_a_minute_too(plant: Plant, tmp_path: Path) -> None:
    lines = np.arange(1, 801, dtype="<f4")
    spectra = (Spectrum("h", "velocity_mm_s", lines, lines),)
    with host(plant, tmp_path) as (one, stores):
        one.commit(batch(work(1, waveform(T0))))
        for k in range(5):
            frame = replace(features_of(waveform(T0 - 3600 * SECOND + k * SECOND)), spectra=spectra)
            one.commit(batch(work(k + 2, frame, live=False)))
        kept = stores.historian.read("spectrum", ["amplitude"], site="usine")
        assert set(kept.ts_ns.tolist()) == {T0 - 3600 * SECOND, T0}


def changed(frame: Features, name: str, value: float) -> Features:
    values = frame.values.copy()
    values[:, frame.names.index(name)] = value
    return replace(frame, values=values)


def only(frame: Features, *names: str) -> Features:
    places = [frame.names.index(name) for name in names]
    return replace(frame, names=names, values=np.ascontiguousarray(frame.values[:, places]))


WRONG: dict[str, Callable[[Features], Features]] = {
    "velocity_rms_mm_s must be 0": lambda f: changed(f, "velocity_rms_mm_s", -1.0),
    "must rise": lambda f: changed(f, "acceleration_peak_m_s2", 1e-6),
    "can't be known at": lambda f: replace(
        f, names=(*f.names, "band_10000_20000_m_s2"), values=np.column_stack([f.values, [1.0]]).astype("<f4")
    ),
    "is less than": lambda f: changed(f, "velocity_rms_mm_s", 0.0),
    "must be told": lambda f: only(f, "velocity_rms_mm_s", "longest_hold"),
    "at most": lambda f: replace(f, n_samples=1 << 30),
    "names none": lambda f: replace(f, names=tuple(f"other_{i}" for i in range(len(f.names)))),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_no_block_has_is_put_aside(plant: Plant, tmp_path: Path, sentence: str) -> None:
    good = features_of(waveform(T0))
    with host_at_hand(plant, tmp_path) as hand:
        hand.born()
        hand.frame(1, WRONG[sentence](good))
        hand.frame(2, good)
        hand.settle()
        (row,) = hand.stores.records.quarantine()
        assert sentence in row.sentence
        assert hand.has(2)
        assert sorted(seq for *_, seq in hand.acked) == [1, 2]


def test_names_of_a_younger_gateway_are_left_out(plant: Plant, tmp_path: Path) -> None:
    told = features_of(waveform(T0))
    values = np.column_stack([[5.0], told.values]).astype("<f4")
    young = replace(told, names=("of_tomorrow", *told.names), values=values)
    assert told_features.problem_of(young) is None
    assert np.array_equal(told_features.table_of(young), told_features.table_of(told), equal_nan=True)


def test_lines_of_a_shaft_that_the_gateway_did_not_look_at_are_not_believed() -> None:
    frame = features_of(waveform(T0, speed_rpm=1500.0))
    table = told_features.table_of(frame)
    place = NAMES.index("order_1x_mm_s")

    def of(shaft_hz: float | None, has_gears: bool = False) -> np.ndarray:
        return told_features.believed(table, frame, shaft_hz=shaft_hz, has_gears=has_gears, units=("m/s²",))[
            0
        ]

    assert of(25.0)[place] == table[0, place]
    assert all(np.isnan(of(hz)[place]) for hz in (12.5, 0.0, None))
    quefrency = NAMES.index("cepstrum_driving")
    assert not np.isnan(of(25.0)[quefrency])
    assert np.isnan(of(25.0, has_gears=True)[quefrency])


def test_where_the_gateway_knows_no_unit_the_plant_makes_the_levels(plant: Plant) -> None:
    block = waveform(T0, unit="unknown")
    frame = features_of(block)
    table = told_features.table_of(frame)
    in_g = told_features.believed(table, frame, shaft_hz=None, has_gears=False, units=("g",))
    of_g = features_of(replace(block, unit=("g",)))
    assert np.allclose(in_g, told_features.table_of(of_g), rtol=1e-5, equal_nan=True)


def test_features_beyond_the_announced_range_are_not_judged() -> None:
    frame = features_of(waveform(T0, velocity_mm_s=10.0))  # 8.9 m/s² peak
    for full_scale, beyond in ((8.0, {"h"}), (8.8, set())):
        told = RangesTold()
        channel = ChannelBirth("p1/h", "m/s²", "int16", full_scale=full_scale)
        told.born("usine/g1", Device("pompe", (channel,)))
        assert told.beyond("usine/g1", frame) == beyond


def test_a_late_frame_of_features_advances_nothing(plant: Plant, tmp_path: Path) -> None:
    def live(hand: HostAtHand, seq: int, frame: Frame) -> bool:
        seen: list[WorkFrame] = []
        took = hand.pipeline._door.took
        hand.pipeline._door.took = lambda w, now: (seen.append(w), took(w, now))[1]  # type: ignore[method-assign]
        hand.frame(seq, frame)
        hand.settle()
        hand.pipeline._door.took = took  # type: ignore[method-assign]
        return seen[0].live

    first, later = waveform(T0 - 20 * SECOND), waveform(T0 - 10 * SECOND)
    with host_at_hand(plant, tmp_path) as hand:
        hand.born()
        assert live(hand, 1, features_of(later))
        assert not live(hand, 2, later)
        assert not live(hand, 3, features_of(first))
