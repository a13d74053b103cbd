"""Whatever arrives, the host puts aside what it can't use, under its reason, and goes on with the rest.

Each case is real bytes through pipeline, committer and stores, between two good frames of a neighbour.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ingest.gathering import WAITING_ASIDE_BYTES, WAITING_FRAMES
from ingest.inbox import Inbox
from palier.frames import MAX_FRAME_BYTES, Clock, Frame, Readings, Waveform
from palier.historian.base import Unavailable
from palier.historian.quarantine_tables import KEPT_WHOLE
from palier.historian.rows import Verdict
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_plant
from palier.wire.payload import DataType, Metric, Payload, decode, encode
from palier.wire.sparkplug_pb2 import Payload as WirePayload
from palier.wire.topics import Kind, Topic
from tests.host.conftest import PLANT
from tests.support.gateway import EPOCH, readings, waveform
from tests.support.host_at_hand import SECOND, T0, HostAtHand, host_at_hand
from tests.wire.test_data import READINGS_EDITS, WAVEFORM_EDITS, edited

IDENTITY = ("Palier/Epoch", "Palier/Seq")
DDATA = str(Topic("usine", Kind.DDATA, "g1", "pompe"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostAtHand]:
    """One host for all cases: what one of them leaves behind would show in the next."""
    with _made(tmp_path_factory.mktemp("host")) as host:
        host.born()
        yield host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostAtHand]:
    with _made(tmp_path) as host:
        host.born()
        yield host


def _made(folder: Path):  # type: ignore[no-untyped-def]
    (folder / "plant.toml").write_text(PLANT, "utf-8")
    return host_at_hand(load_plant(folder / "plant.toml"), folder / "data")


@dataclass(frozen=True)
class Case:
    """Bytes made of a good frame (or of nothing), what they are put aside for, and whether they show who they
    are.
    """

    make: Callable[[bytes], bytes]
    reason: str
    acked: bool | None = False  # None: either is right
    topic: str = DDATA
    of: Callable[[int], Frame] = lambda start_ns: waveform(start_ns, n=64, channels=("h", "a"))


def raw(data: bytes) -> Callable[[bytes], bytes]:
    return lambda _: data


def wired(change: Callable[[WirePayload], None]) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        wire = WirePayload.FromString(data)
        change(wire)
        return bytes(wire.SerializeToString())

    return make


def _odd(wire: WirePayload) -> None:
    wire.metrics[-1].bytes_value = wire.metrics[-1].bytes_value[:-1]


def _mistyped(wire: WirePayload) -> None:
    wire.metrics[-1].datatype = int(DataType.DOUBLE_ARRAY)


def _no_version(wire: WirePayload) -> None:
    wire.ClearField("uuid")


def _from_a_test(
    edits: dict[str, tuple], name: str, of: Callable[[int], Frame]
) -> Iterator[tuple[str, Case]]:  # type: ignore[type-arg]
    renamed = {"palier-CA/H": "p1/h", "palier-CA/V": "p1/a", "palier-CA/T": "p1/t"}
    for case, (metric, edit, reason) in edits.items():
        where = renamed.get(metric, metric)

        def make(data: bytes, where: str = where, edit: Callable[[Metric], Metric] = edit) -> bytes:
            return encode(edited(decode(data), where, edit))

        yield f"{name}: {case}", Case(make, str(reason), None if metric in IDENTITY else True, of=of)


def _table(start_ns: int) -> Readings:
    return replace(
        readings(start_ns, "p1/t", [60.0, 61.0, 62.0]),
        channels=("p1/t", "p1/n"),
        quality=(),
        values=np.array([[60.0, 61.0, 62.0], [1.0, 2.0, 3.0]]),
        unit=("°C", "r/min"),
    )


def _all(start_ns: int) -> Waveform:
    block = waveform(start_ns, n=64, channels=("h", "a"), speed_rpm=1480.0)
    return replace(block, load_percent=50.0)


SKIPPED = (
    *("waveform: seq of another type", "waveform: channel twice", "waveform: unsigned samples"),
    *("waveform: one channel shorter", "waveform: one channel wider", "readings: times that fall"),
    *("readings: times that stand", "readings: a time in 2200", "readings: a time more"),
    "readings: samples of a waveform",
)
"""Made for the sizes and names of that test's own frames."""

CASES: dict[str, Case] = {
    "empty": Case(raw(b""), "decode"),
    "one byte": Case(raw(b"\x08"), "decode"),
    "random bytes": Case(raw(np.random.default_rng(8).bytes(5_000)), "decode"),
    "cut in the middle": Case(lambda data: data[: len(data) // 2], "decode", None),
    "trailing bytes": Case(lambda data: data + b"\x07\x07\x07", "decode"),
    "no wire version": Case(wired(_no_version), "schema"),
    "nothing but a time": Case(raw(encode(Payload(1, (), 1, "palier/1"))), "schema"),
    "odd number of bytes": Case(wired(_odd), "length", acked=True),
    "another datatype": Case(wired(_mistyped), "type", acked=True),
    "beyond 4 MiB": Case(raw(b"\x0a" * (MAX_FRAME_BYTES + 1)), "size"),
    "a gzip bomb": Case(raw(gzip.compress(bytes(20_000_000))), "decode"),
    "a zlib bomb": Case(raw(zlib.compress(bytes(20_000_000))), "decode"),
    "a JSON sensor": Case(raw(b'{"rms": 1.2, "at": NaN}'), "decode"),
    "a topic without a device": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g1"),
    "a node with a blank": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g 1/pompe"),
    "a device of two lines": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g1/po\nmpe"),
    "a device that leads out": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g1/.."),
    "a device of 64 kB": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g1/" + "a" * 65_000),
    "a bidi mark": Case(raw(b"x"), "topic", topic="spBv1.0/usine/DDATA/g1/\u202epmop"),
    **{k: c for k, c in _from_a_test(WAVEFORM_EDITS, "waveform", _all) if k not in SKIPPED},
    **{k: c for k, c in _from_a_test(READINGS_EDITS, "readings", _table) if k not in SKIPPED},
}

_count = iter(range(1, 10**6))


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_put_aside_with_its_reason(shared: HostAtHand, name: str) -> None:
    case, host = CASES[name], shared
    before, bad, after = (next(_count) for _ in range(3))
    counted = host.pipeline.counts.quarantined.get(case.reason, 0)
    host.link_s += 3_600.0  # another hour: of no reason so much that only a sample is kept
    start_ns = host.now.plant_ns
    good = [waveform(start_ns + k * SECOND, machine="ventilateur", n=64) for k in range(2)]
    host.frame(before, good[0])
    host.message(case.topic, case.make(host.bytes_of(bad, case.of(start_ns))))
    host.frame(after, good[1])
    host.settle()

    newest = host.stores.records.quarantine(1)[0]
    assert (newest.reason, newest.topic) == (case.reason, case.topic)
    assert host.pipeline.counts.quarantined[case.reason] == counted + 1
    assert host.has(before)
    assert host.has(after)
    assert not host.has(bad)
    told = {seq for _, _, seq in host.acked}
    assert {before, after} <= told
    if case.acked is not None:
        assert (bad in told) is case.acked
        assert host.has(bad, Verdict.QUARANTINED) is case.acked
    series = host.stores.historian.read("feature", ["frame"], site="usine", start_ns=start_ns)
    assert sorted(cast("tuple[str, ...]", series.columns["frame"])) == [
        f"usine/g1:{EPOCH}:{seq}" for seq in sorted((before, after), key=str)
    ]
    assert len(host.stores.historian.read("reading", ["frame"], site="usine")) == 0


def test_another_wire_version_is_counted_by_version_and_stays_in_its_outbox(host: HostAtHand) -> None:
    frame = waveform(T0, n=64)
    for seq, version in ((1, "palier/2"), (2, "palier/2"), (3, "palier/9"), (4, "palier/\u202e\n")):
        data = WirePayload.FromString(host.bytes_of(seq, frame))
        data.uuid = version
        host.message(DDATA, data.SerializeToString())
    host.settle()
    assert host.pipeline.counts.versions == {"palier/2": 2, "palier/9": 1, "other": 1}
    assert host.pipeline.counts.quarantined == {"version": 4}
    assert host.acked == []


def test_a_frame_belongs_to_the_topic_it_came_on(host: HostAtHand) -> None:
    """What is in it of another gateway, machine or site changes nothing."""
    host.born("g2")
    data = host.bytes_of(1, waveform(T0, machine="ventilateur", n=64), node="g1")
    host.message(str(Topic("usine", Kind.DDATA, "g2", "pompe")), data)
    host.settle()
    assert host.has(1, node="g2")
    assert not host.has(1, node="g1")
    table = host.stores.historian.read("feature", ["frame"], site="usine")
    assert (table.machine, table.columns["frame"]) == (("pompe",), (f"usine/g2:{EPOCH}:1",))
    assert host.acked == [("usine/g2", EPOCH, 1)]


# Times --------------------------------------------------------------------------------------------------


def test_a_frame_of_the_future_is_stored_at_its_arrival(host: HostAtHand) -> None:
    later = waveform(T0 + 40 * 365 * 86_400 * SECOND, velocity_mm_s=30.0)
    host.frame(1, later)
    host.frame(2, readings(T0 + 86_400 * SECOND, "p1/t", [61.0, 99.0]))
    host.frame(3, waveform(T0 - 5 * SECOND, velocity_mm_s=1.0))
    host.frame(4, replace(later, start_ns=later.start_ns + SECOND))
    host.settle()
    assert [host.has(seq) for seq in (1, 2, 3, 4)] == [True] * 4
    table = host.stores.historian.read("feature", ["frame"], site="usine")
    assert table.ts_ns.max() <= host.now.plant_ns - SECOND + 3
    held = host.stores.records.waveforms("usine", "pompe", "p1")
    first = next(row for row in held if row.frame.seq == 1)
    block = host.stores.waveforms.read(first.ref)
    assert (block.clock, block.end_ns) == (Clock.UNSYNCED, T0)
    temperatures = host.stores.historian.read("reading", ["value"], site="usine")
    assert temperatures.ts_ns.tolist() == [T0 + 1 - SECOND, T0 + 1]
    assert str(host.committer.in_force["usine", "pompe"].judgement.state) == "normal"
    assert host.pipeline.counts.clock_suspect == 3


def test_a_table_that_reaches_from_the_past_into_the_future_is_put_aside(host: HostAtHand) -> None:
    table = readings(T0, "p1/t", [60.0, 61.0])
    host.frame(1, replace(table, times_ns=np.array([T0, T0 + 50 * 365 * 86_400 * SECOND], dtype=np.int64)))
    host.settle()
    assert host.has(1, Verdict.QUARANTINED)
    assert host.pipeline.counts.quarantined == {"clock": 1}


def third_party(values: list[tuple[str, DataType, object, int]]) -> bytes:
    metrics = tuple(Metric(n, kind, value, timestamp_ms=at) for n, kind, value, at in values)  # type: ignore[arg-type]
    return encode(Payload(T0 // 10**6, metrics, 2))


def test_of_a_third_party_only_numbers_at_possible_times_are_taken(host: HostAtHand) -> None:
    ms = T0 // 10**6
    node = encode(Payload(ms, (Metric("bdSeq", DataType.INT64, 0, timestamp_ms=ms),), 0))
    host.message(str(Topic("usine", Kind.NBIRTH, "plc")), node)
    told: list[tuple[str, DataType, object, int]] = [
        ("good", DataType.DOUBLE, 61.5, ms),
        ("text", DataType.STRING, "61.5", ms),
        ("switch", DataType.BOOLEAN, True, ms),
        ("infinite", DataType.DOUBLE, math.inf, ms),
        ("seconds", DataType.DOUBLE, 1.0, ms // 1000),
        ("nanoseconds", DataType.DOUBLE, 2.0, ms * 10**6),
        ("ahead", DataType.DOUBLE, 3.0, ms + 86_400_000),
    ]
    host.message(
        str(Topic("usine", Kind.DBIRTH, "plc", "pompe")),
        replace_seq(third_party([(n, k, v, ms) for n, k, v, _ in told]), 1),
    )
    host.message(str(Topic("usine", Kind.DDATA, "plc", "pompe")), third_party(told))
    host.settle()
    table = host.stores.historian.read("reading", ["value"], site="usine")
    found = dict(zip(table.point, table.ts_ns.tolist(), strict=True))
    assert found == {"good": T0, "ahead": T0}
    assert host.pipeline.counts.quarantined == {"clock": 1}


def replace_seq(data: bytes, seq: int) -> bytes:
    return encode(replace(decode(data), seq=seq))


def test_an_old_backlog_raises_no_alarm_and_advances_nothing(host: HostAtHand) -> None:
    host.frame(1, waveform(T0 - SECOND, velocity_mm_s=1.0))
    host.settle()
    year = 365 * 86_400 * SECOND
    for k in range(60):  # ten years would begin before 2020: that is another row
        host.frame(2 + k, waveform(T0 - 6 * year + k * year // 11, velocity_mm_s=40.0), historical=True)
    host.settle()
    table = host.stores.historian.read("feature", ["zone"], site="usine")
    assert cast("tuple[str, ...]", table.columns["zone"]).count("D") == 60
    assert str(host.committer.in_force["usine", "pompe"].judgement.state) == "normal"
    assert host.stores.records.transitions(kind="alarm") == ()
    assert host.pipeline.counts.historical == 60


# Floods -------------------------------------------------------------------------------------------------


def test_of_a_flood_of_bad_input_a_sample_is_kept_and_all_is_counted(host: HostAtHand) -> None:
    n = 4 * KEPT_WHOLE
    good = waveform(T0, machine="ventilateur", n=64)
    host.frame(1, good)
    for seq in range(2, 2 + n):
        data = host.bytes_of(seq, waveform(T0 + seq, n=64)).replace(b"synced", b"wished")
        host.message(DDATA, data)
    host.settle()
    assert host.pipeline.counts.quarantined == {"clock": n}
    assert len(host.stores.records.quarantine(10 * n)) == KEPT_WHOLE
    assert host.stores.records.ranges("usine/g1", EPOCH, Verdict.QUARANTINED) == ((2, n + 1),)
    assert {seq for _, _, seq in host.acked} == set(range(1, n + 2))


def test_a_store_that_is_down_bounds_what_waits_of_bad_input_too(
    host: HostAtHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise Unavailable("down for this test")

    host.frame(1, waveform(T0, n=64))
    with monkeypatch.context() as broken:
        broken.setattr(SqliteHistorian, "write", down)
        host.settle()
        assert not host.pipeline.store_up
        large = b"\xff" * (MAX_FRAME_BYTES - 100)
        for node in range(12):  # each its own: no sample of a flood
            host.message(str(Topic("usine", Kind.DDATA, f"n{node}", "pompe")), large)
        for seq in range(2, 2 + 2 * WAITING_FRAMES):
            host.frame(seq, waveform(T0 + seq * SECOND, n=64))
        gathering = host.pipeline._gathering
        assert sum(len(row.payload) for row in gathering.quarantine) <= WAITING_ASIDE_BYTES
        assert host.pipeline.waiting <= WAITING_FRAMES + 1
        assert host.acked == []
    host.link_s += 60.0
    for _ in range(10):
        host.settle()
    assert host.has(1)
    assert host.pipeline.store_up
    assert len(host.acked) == WAITING_FRAMES + 1


def test_a_thousand_births_hold_up_no_frame(host: HostAtHand) -> None:
    """Births that come at once find room, and frames that come with them are stored."""
    inbox = Inbox()
    frame = host.bytes_of(1, waveform(T0, n=64))
    offered = 0
    for k in range(1_000):
        before = host.pipeline.counts.received
        host.born(f"n{k}", machines=("pompe",))
        offered += host.pipeline.counts.received - before
        inbox.offer(f"spBv1.0/usine/NBIRTH/n{k}", b"birth", 0.0)
    inbox.offer(DDATA, frame, 0.0)
    assert (offered, inbox.refused, len(inbox)) == (2_000, 0, 1_001)
    host.message(DDATA, frame)
    host.settle()
    assert host.has(1)
    assert len(host.pipeline.edges) == 1_001
