"""The session of an edge node, as the table at the head of the module says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.wire import session as s
from palier.wire.payload import DataType, DecodeError, Metric, Payload, Reason
from palier.wire.topics import parse

METRICS = (Metric("Inputs/A", DataType.INT16, None, alias=4), Metric("Inputs/B", DataType.FLOAT, None))


def run(state: s.HostSession, *events: s.Event) -> tuple[s.HostSession, list[s.Effect]]:
    effects: list[s.Effect] = []
    for event in events:
        state, more = s.step(state, event)
        effects += more
    return state, effects


def born(at_s: float = 0.0, bd_seq: int | None = 7, seq: int | None = 0) -> s.NodeBorn:
    return s.NodeBorn(at_s, bd_seq, seq, METRICS)


def online() -> s.HostSession:
    """Born with bdSeq 7 and one device "d": the next seq is 2."""
    return run(s.HostSession(), born(), s.DeviceBorn(0.0, "d", 1, METRICS))[0]


OFFLINE = s.HostSession()
ASK = s.RequestRebirth

TABLE: dict[str, tuple[s.HostSession, s.Event, tuple[s.Effect, ...]]] = {
    "born, never heard": (OFFLINE, born(), (s.NodeOnline(7, rebirth=False),)),
    "born again, same session": (online(), born(), (s.NodeOnline(7, rebirth=True),)),
    "born again, new session": (online(), born(bd_seq=8), (s.NodeOnline(8, rebirth=False),)),
    "died": (online(), s.NodeDied(1.0, 7), (s.NodeOffline(("d",)),)),
    "late will of an earlier connection": (online(), s.NodeDied(1.0, 6), ()),
    "will without bdSeq": (online(), s.NodeDied(1.0, None), ()),
    "died, never heard": (OFFLINE, s.NodeDied(1.0, 7), ()),
    "device born, node not": (OFFLINE, s.DeviceBorn(1.0, "d", 1, METRICS), (ASK("before_birth"),)),
    "device died, node not born": (OFFLINE, s.DeviceDied(1.0, "d", 1), (ASK("before_birth"),)),
    "data, node not born": (OFFLINE, s.Data(1.0, "d", 1), (ASK("before_birth"),)),
    "unreadable, node not born": (OFFLINE, s.Unreadable(1.0), (ASK("before_birth"),)),
    "device born": (online(), s.DeviceBorn(1.0, "e", 2, METRICS), (s.DeviceOnline("e"),)),
    "device died": (online(), s.DeviceDied(1.0, "d", 2), (s.DeviceOffline("d"),)),
    "device died that was not there": (online(), s.DeviceDied(1.0, "e", 2), ()),
    "data of a device": (online(), s.Data(1.0, "d", 2), ()),
    "data of the node": (online(), s.Data(1.0, s.NODE, 2), ()),
    "data of a device not born": (online(), s.Data(1.0, "e", 2), (ASK("before_birth"),)),
    "a message missing": (online(), s.Data(1.0, "d", 3), (s.Gap(2, 3), ASK("gap"))),
    "a message twice": (online(), s.Data(1.0, "d", 1), (s.Gap(2, 1), ASK("gap"))),
    "no seq": (online(), s.Data(1.0, "d", None), (s.Gap(2, None), ASK("gap"))),
    "a seq beyond 255": (online(), s.Data(1.0, "d", 2**64 - 1), (s.Gap(2, 2**64 - 1), ASK("gap"))),
    "a gap before a device's birth": (
        online(),
        s.DeviceBorn(1.0, "e", 9, METRICS),
        (s.Gap(2, 9), s.DeviceOnline("e"), ASK("gap")),
    ),
    "a gap before a device's death": (
        online(),
        s.DeviceDied(1.0, "d", 9),
        (s.Gap(2, 9), s.DeviceOffline("d"), ASK("gap")),
    ),
    "unreadable": (online(), s.Unreadable(1.0), (ASK("unreadable"),)),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_host_steps_by_the_table(case: str) -> None:
    state, event, effects = TABLE[case]
    assert s.step(state, event)[1] == effects


def test_after_a_death_nothing_is_known() -> None:
    """tck-id-payloads-ndeath-bdseq."""
    state, _ = run(online(), s.NodeDied(1.0, 7))
    assert (state.online, state.bd_seq, state.next_seq, dict(state.births)) == (False, None, None, {})


def test_a_birth_replaces_all_devices() -> None:
    state, _ = run(online(), born(1.0))
    assert set(state.births) == {s.NODE}


def test_after_a_gap_the_sequence_goes_on_from_what_came() -> None:
    _, effects = run(online(), s.Data(1.0, "d", 9), s.Data(1.1, "d", 10), s.Data(1.2, "d", 11))
    assert [effect for effect in effects if isinstance(effect, s.Gap)] == [s.Gap(2, 9)]


@given(st.integers(0, 255), st.integers(1, 600))
def test_a_whole_sequence_has_no_gap_wherever_it_wraps(first: int, n: int) -> None:
    """tck-id-payloads-sequence-num-incrementing."""
    state, effects = run(s.HostSession(), born(seq=first))
    for i in range(1, n + 1):
        state, more = s.step(state, s.Data(0.0, s.NODE, (first + i) % 256))
        effects += more
    assert effects == [s.NodeOnline(7, rebirth=False)]


@given(st.lists(st.sampled_from(["lost", "heard"]), min_size=1, max_size=300))
def test_each_loss_of_fewer_than_256_messages_is_one_gap(fates: list[str]) -> None:
    state, _ = run(s.HostSession(), born())
    node, gaps = s.NodeSession().connecting().born(), 0
    for fate in fates:
        node, seq = node.sent()
        if fate == "heard":
            state, effects = s.step(state, s.Data(0.0, s.NODE, seq))
            gaps += sum(isinstance(effect, s.Gap) for effect in effects)
    runs = "".join("x" if fate == "lost" else "." for fate in fates).rstrip("x").split(".")
    assert gaps == sum(1 for lost in runs if len(lost) % 256)


def test_a_rebirth_is_requested_at_most_once_in_five_seconds_while_needed() -> None:
    """tck-id-operational-behavior-host-reordering-rebirth."""
    times = [1.0 + 0.5 * i for i in range(24)]
    _, effects = run(OFFLINE, *(s.Data(at, "d", 0) for at in times))
    assert effects == [ASK("before_birth")] * 3


def test_a_birth_ends_the_need_but_not_the_wait_between_two_requests() -> None:
    state, effects = run(online(), s.Data(1.0, "d", 9), born(2.0), s.DeviceBorn(2.0, "d", 1, METRICS))
    assert effects[-3:] == [ASK("gap"), s.NodeOnline(7, rebirth=True), s.DeviceOnline("d")]
    state, effects = run(state, s.Data(3.0, "d", 2), s.Data(4.0, "d", 9))
    assert effects == [s.Gap(3, 9)]
    assert run(state, s.Data(6.0, "d", 10))[1] == [ASK("gap")]


def test_a_node_that_dies_and_comes_back_is_not_asked_more_often() -> None:
    state, _ = run(online(), s.Data(1.0, "d", 9), s.NodeDied(1.5, 7))
    assert run(state, s.Data(2.0, "d", 3))[1] == []


def test_devices_without_end_are_refused() -> None:
    state = online()
    full = {**state.births, **{f"d{i}": state.births["d"] for i in range(s.MAX_DEVICES)}}
    state = replace(state, births=full)
    assert run(state, s.DeviceBorn(1.0, "one-more", 2, METRICS))[1] == [s.DeviceRefused("one-more")]
    assert run(state, s.DeviceBorn(1.0, "d", 2, METRICS))[1] == [s.DeviceOnline("d")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NBIRTH/n", (s.NodeBorn, 2.0, 7, 5)),
        ("NDEATH/n", (s.NodeDied, 2.0, 7)),
        ("DBIRTH/n/d", (s.DeviceBorn, 2.0, "d", 5)),
        ("DDEATH/n/d", (s.DeviceDied, 2.0, "d", 5)),
        ("NDATA/n", (s.Data, 2.0, s.NODE, 5)),
        ("DDATA/n/d", (s.Data, 2.0, "d", 5)),
        ("NCMD/n", None),
        ("DCMD/n/d", None),
    ],
)
def test_each_kind_of_message_is_its_event(kind: str, expected: tuple[object, ...] | None) -> None:
    payload = Payload(1, (Metric("bdSeq", DataType.INT64, 7),), 5)
    event = s.event_of(parse(f"spBv1.0/g/{kind}"), payload, 2.0)
    told = None if event is None else (type(event), *(getattr(event, name) for name in event.__slots__))
    births = (s.NodeBorn, s.DeviceBorn)
    assert told == (
        expected if expected is None or expected[0] not in births else (*expected, payload.metrics)
    )


def test_aliases_and_names_are_resolved_by_the_birth_of_their_device() -> None:
    """tck-id-payloads-alias-data-cmd-requirement, tck-id-payloads-metric-datatype-not-req."""
    raw = (Metric("", DataType.UNKNOWN, 65535, alias=4), Metric("Inputs/B", DataType.UNKNOWN, 1.5))
    resolved = s.resolve(online(), "d", raw)
    assert [(m.name, m.datatype, m.value) for m in resolved] == [
        ("Inputs/A", DataType.INT16, -1),
        ("Inputs/B", DataType.FLOAT, 1.5),
    ]


@pytest.mark.parametrize(
    ("device", "metric"),
    [
        ("e", METRICS[0]),
        ("d", Metric("", DataType.UNKNOWN, 1, alias=5)),
        ("d", Metric("Inputs/C", DataType.INT16, 1)),
        ("d", Metric("", DataType.INT16, 1)),
    ],
    ids=["device not born", "alias", "name", "neither"],
)
def test_what_no_birth_explains_is_refused(device: str, metric: Metric) -> None:
    with pytest.raises(DecodeError) as caught:
        s.resolve(online(), device, (metric,))
    assert caught.value.reason is Reason.SCHEMA


def test_the_nodes_bdseq_rises_with_each_connection_and_wraps() -> None:
    """tck-id-payloads-nbirth-bdseq-inc, -ndeath-bdseq: will and births of a connection have the same."""
    node, seen = s.NodeSession(), []
    for _ in range(258):
        node = node.connecting()
        assert node.born().born().bd_seq == node.bd_seq
        seen.append(node.bd_seq)
    assert seen == [*range(256), 0, 1]


def test_a_birth_starts_the_nodes_sequence_again() -> None:
    """tck-id-payloads-sequence-num-zero-nbirth, tck-id-payloads-sequence-num-incrementing."""
    node, seen = s.NodeSession().connecting().born(), []
    for _ in range(257):
        node, seq = node.sent()
        seen.append(seq)
    assert seen == [*range(1, 256), 0, 1]
    assert node.born().sent()[1] == 1
