"""Messages that are Sparkplug and Palier's in form, with metrics missing, doubled, mistyped or without end.

Each goes through the whole host between two good frames of another gateway. Whatever it holds, it is stored
or put aside with a reason from the list; the good frames are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.batch import Committed, Computed, Effect
from ingest.quarantine import CONFLICT, SCORING_FAILED, TOO_MANY_NEW
from palier.frames import FrameId
from palier.plant import Plant, load_plant
from palier.wire import messages
from palier.wire.payload import MAX_METRICS, Reason
from palier.wire.sparkplug_pb2 import Metric, PropertySet
from palier.wire.sparkplug_pb2 import Payload as Wire
from palier.wire.topics import Kind
from tests.host.conftest import PLANT
from tests.support import wire_examples as examples
from tests.support.committing import AtOnce, Fakes, committer
from tests.support.gateway import EPOCH, readings, waveform
from tests.support.pipeline_bench import SECOND, T0, Bench, commits

REASONS: Final = {*Reason, CONFLICT, SCORING_FAILED, TOO_MANY_NEW, "time", "retention", "refused"}
BAD: Final = "g2"
Edit = Callable[[Wire], None]

INTEGERS = st.integers(0, 2**64 - 1) | st.sampled_from((0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63))
NAMES = st.sampled_from(
    (
        *("Palier/Epoch", "Palier/Seq", "Palier/Kind", "Palier/Start", "Palier/Clock", "Palier/Speed"),
        *("Palier/Load", "Palier/Times", "Palier/Stored", "Palier/Ledger/Seq", "Palier/InFlight", "bdSeq"),
        *("p1/h", "p1/t", "p9/x", "h", "a/b/c", "../x", "p 1/h", "é/è", ""),
    )
) | st.text(max_size=70)
REALS = st.floats() | st.sampled_from((0.0, -1.0, 1e-300, 1e308))
VALUES = st.one_of(
    st.tuples(st.just("int_value"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("long_value"), INTEGERS),
    st.tuples(st.just("float_value"), st.floats(width=32)),
    st.tuples(st.just("double_value"), REALS),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), st.text(max_size=80) | st.sampled_from(("synced", "waveform", EPOCH))),
    st.tuples(st.just("bytes_value"), st.binary(max_size=64) | st.integers(0, 9000).map(bytes)),
)
PROPERTIES = st.tuples(
    st.sampled_from(("unit", "scale", "fs_hz", "Quality", "full_scale", "epoch", "sync", "highest")),
    st.integers(0, 36),
    VALUES.filter(lambda value: value[0] != "bytes_value"),
)


def at(wire: Wire, number: int) -> Metric:
    return wire.metrics[number % len(wire.metrics)] if wire.metrics else wire.metrics.add()


def lose(number: int) -> Edit:
    def edit(wire: Wire) -> None:
        if wire.metrics:
            del wire.metrics[number % len(wire.metrics)]

    return edit


def again(number: int, times: int) -> Edit:
    """A metric that is there so many times more."""

    def edit(wire: Wire) -> None:
        for n in range(min(times, MAX_METRICS + 1 - len(wire.metrics))):
            added = wire.metrics.add()
            added.CopyFrom(at(wire, number))
            if times > 1:
                added.name = f"p{n}/h"

    return edit


def put(number: int, **fields: Any) -> Edit:
    def edit(wire: Wire) -> None:
        for name, value in fields.items():
            setattr(at(wire, number), name, value)

    return edit


def told(number: int, key: str, kind: int, value: tuple[str, Any]) -> Edit:
    """A property more, or the one of that name changed."""

    def edit(wire: Wire) -> None:
        metric = at(wire, number)
        properties = PropertySet.FromString(metric.properties)
        if key in properties.keys:
            properties.values[list(properties.keys).index(key)].Clear()
        else:
            properties.keys.append(key)
            properties.values.add()
        changed = properties.values[list(properties.keys).index(key)]
        changed.type = kind
        setattr(changed, *value)
        metric.properties = properties.SerializeToString()

    return edit


def head(**fields: Any) -> Edit:
    def edit(wire: Wire) -> None:
        for name, value in fields.items():
            setattr(wire, name, value)

    return edit


WHICH = st.integers(0, 12)
EDITS = st.one_of(
    st.builds(lose, WHICH),
    st.builds(again, WHICH, st.sampled_from((1, 1, 2, 40, MAX_METRICS))),
    st.builds(lambda number, name: put(number, name=name), WHICH, NAMES),
    st.builds(lambda number, kind: put(number, datatype=kind), WHICH, st.integers(0, 40)),
    st.builds(lambda number, value: put(number, **dict((value,))), WHICH, VALUES),
    st.builds(lambda number: put(number, is_null=True), WHICH),
    st.builds(lambda number, ms: put(number, timestamp=ms, is_historical=True), WHICH, INTEGERS),
    st.builds(told, WHICH, *(PROPERTIES.map(lambda p, i=i: p[i]) for i in range(3))),
    st.builds(lambda ms, seq: head(timestamp=ms, seq=seq), INTEGERS, INTEGERS),
    st.sampled_from((head(uuid=""), head(uuid="palier/2"), head(uuid="x" * 200))),
)


def good(seq: int, frame: object = None) -> bytes:
    """A frame as the bad gateway would send it, were it a good one."""
    frame_id = FrameId(f"usine/{BAD}", EPOCH, seq)
    shown: Any = frame or waveform(T0 + seq * SECOND, machine="ventilateur", n=64)
    return messages.frame_payload(shown, frame_id, seq=3, timestamp_ms=1, historical=False)


WHOLE: Final = tuple(
    (kind, Wire.FromString(data))
    for kind, data in (
        *((Kind.DDATA, good(seq)) for seq in (7, 8)),
        (Kind.DDATA, good(9, readings(T0, "p1/t", [60.0, 61.0], machine="ventilateur"))),
        (Kind.DDATA, good(10, waveform(T0, machine="ventilateur", channels=("h", "v", "a"), n=32))),
        (Kind.NBIRTH, examples.examples()["nbirth"]),
        (Kind.DBIRTH, examples.examples()["dbirth"]),
        (Kind.NDATA, examples.examples()["ndata-ledger"]),
        (Kind.NDEATH, examples.examples()["ndeath"]),
    )
)


@st.composite
def messages_of_a_mad_gateway(draw: st.DrawFn) -> tuple[Kind, bytes]:
    kind, whole = draw(st.sampled_from(WHOLE))
    wire = Wire()
    wire.CopyFrom(whole)
    for edit in draw(st.lists(EDITS, min_size=1, max_size=4)):
        try:
            edit(wire)
        except (TypeError, ValueError):  # what protobuf itself does not take can't be sent
            continue
    return kind, wire.SerializeToString()


class Host:
    """The pipeline and the committer behind it, over stores that take everything."""

    def __init__(self, plant: Plant) -> None:
        self.bench, self.fakes = Bench(plant), Fakes()
        self.bench.by_hand = True
        self._committer: AtOnce = committer(plant, self.fakes)

    def settle(self, effects: list[Effect]) -> None:
        """Commit what is to be committed, and what follows from that, and close the gathering."""
        for effects_now in (effects, self.bench.empty()):
            for batch in commits(effects_now):
                self.bench.step(Computed(batch))
                moved = self._committer.commit(batch)
                self.settle(self.bench.step(Committed(batch, 0.01, moved)))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    path = tmp_path_factory.mktemp("plant") / "plant.toml"
    path.write_text(PLANT, encoding="utf-8")
    return load_plant(path)


def between_two_good_frames(plant: Plant, kind: Kind, data: bytes) -> None:
    """The property: see at the top."""
    host = Host(plant)
    host.settle(host.bench.born())
    host.settle(host.bench.frame(1))
    host.settle(host.bench.message(kind, data, BAD, "ventilateur" if kind.of_device else None))
    host.settle(host.bench.frame(2))

    stored = [frame for batch in host.fakes.batches for frame in batch.stored]
    aside = [row for batch in host.fakes.batches for row in batch.quarantine]
    assert [frame.seq for frame in stored if frame.edge == "usine/g1"] == [1, 2]
    assert {row.reason for row in aside} <= REASONS, [str(row.sentence) for row in aside]
    verdicts = [
        *(frame for frame in stored if frame.edge != "usine/g1"),
        *(row.frame for row in aside if row.frame),
    ]
    assert len(verdicts) == len(set(verdicts)) <= 1
    if kind is Kind.DDATA and b"Palier/Kind" in data and messages.peek_id(data, f"usine/{BAD}"):
        assert verdicts or host.bench.pipeline.counts.edges_refused


@settings(max_examples=25)
@given(messages_of_a_mad_gateway())
def test_it_has_a_verdict_and_its_neighbours_are_stored(plant: Plant, message: tuple[Kind, bytes]) -> None:
    between_two_good_frames(plant, *message)


@pytest.mark.faults
@pytest.mark.timeout(300)  # twenty seconds of a core that others use as well
@settings(max_examples=500)
@given(messages_of_a_mad_gateway())
def test_so_it_is_for_hundreds_of_them(plant: Plant, message: tuple[Kind, bytes]) -> None:
    between_two_good_frames(plant, *message)
