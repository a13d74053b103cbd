"""Births, commands and reports: what Sparkplug wants of them, and what is not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.ranges import Ranges
from palier.source import ChannelBirth, Device
from palier.wire import messages
from palier.wire.commands import MAX_LIMITS, MAX_RANGE_LENGTH
from palier.wire.fields import MAX_RANGES, MAX_SEQ
from palier.wire.payload import DataType, DecodeError, Metric, Payload, Reason, decode, encode
from palier.wire.reports import MAX_DROPPED
from tests.support import wire_examples as examples

EPOCH = examples.EPOCH


def names(data: bytes) -> set[str]:
    return {metric.name for metric in decode(data).metrics}


def changed(data: bytes, name: str, **to: object) -> Payload:
    payload = decode(data)
    metrics = tuple(replace(metric, **to) if metric.name == name else metric for metric in payload.metrics)
    return decode(encode(replace(payload, metrics=metrics)))


def pairs(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype="<u8")


@st.composite
def some_ranges(draw: st.DrawFn, longest: int = MAX_RANGE_LENGTH) -> Ranges:
    found, at = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, longest)), max_size=20)):
        found.append((at + gap, at + gap + length - 1))
        at += gap + length - 1
    return tuple(found)


def test_a_node_birth_holds_what_sparkplug_wants() -> None:
    """tck-id-payloads-nbirth-seq, -nbirth-bdseq, -nbirth-rebirth-req, -metric-datatype-req."""
    payload = decode(messages.node_birth(examples.NODE_BIRTH, timestamp_ms=5))
    metrics = {metric.name: metric for metric in payload.metrics}
    assert (payload.seq, payload.timestamp_ms) == (0, 5)
    assert (metrics["bdSeq"].datatype, metrics["bdSeq"].value) == (DataType.INT64, 7)
    assert metrics["Node Control/Rebirth"].value is False
    assert all(metric.datatype and metric.timestamp_ms == 5 for metric in payload.metrics)


def test_the_node_birth_announces_all_that_ever_follows() -> None:
    """tck-id-topics-nbirth-metrics."""
    made = examples.examples()
    follows = [data for name, data in made.items() if name.startswith(("ndata", "ncmd"))]
    assert set().union(*map(names, follows)) <= names(made["nbirth-status"])


def test_the_device_birth_announces_all_that_ever_follows() -> None:
    """tck-id-topics-dbirth-metrics."""
    made = examples.examples()
    assert {
        name for name in names(made["ddata-waveform"]) | names(made["ddata-readings"]) if name[:6] == "Palier"
    } <= (names(made["dbirth"]))


def test_the_will_has_the_bdseq_and_no_seq() -> None:
    """tck-id-payloads-ndeath-seq, tck-id-payloads-ndeath-bdseq."""
    payload = decode(messages.node_death(255))
    assert (payload.seq, payload.timestamp_ms, messages.read_bd_seq(payload)) == (None, None, 255)
    assert len(payload.metrics) == 1


@pytest.mark.parametrize("name", ["ncmd-stored", "ncmd-rebirth", "ncmd-limits", "ncmd-replay"])
def test_commands_have_a_time_and_no_seq(name: str) -> None:
    """tck-id-payloads-ncmd-timestamp, tck-id-payloads-ncmd-seq."""
    payload = decode(examples.examples()[name])
    assert (payload.timestamp_ms, payload.seq) == (examples.SENT_MS, None)


@given(
    some_ranges(),
    st.integers(0, 10**6),
    st.integers(0, 2**40),
    st.booleans(),
    st.none() | st.integers(0, MAX_SEQ),
)
def test_an_acknowledgement_comes_back(
    ranges: Ranges, frames: int, n_bytes: int, sync: bool, highest: int | None
) -> None:
    stored = messages.Stored(EPOCH, ranges, frames, n_bytes, sync, highest)
    assert messages.read_stored(decode(messages.stored_payload(stored, 1))) == stored


@pytest.mark.parametrize(
    "ranges",
    [
        ((0, 1),),
        ((2, 1),),
        ((1, 2), (2, 3)),
        ((5, 6), (1, 2)),
        ((1, MAX_SEQ + 1),),
        ((1, MAX_RANGE_LENGTH + 1),),
        tuple((2 * i + 1, 2 * i + 1) for i in range(MAX_RANGES + 1)),
    ],
    ids=["zero", "backwards", "overlap", "unsorted", "beyond", "long", "many"],
)
def test_ranges_that_are_none_are_neither_written_nor_believed(ranges: Ranges) -> None:
    with pytest.raises(ValueError, match=r"must|holds at most"):
        messages.stored_payload(messages.Stored(EPOCH, ranges, 1, 1), 1)
    flat = np.array(ranges, dtype="<u8").reshape(-1)
    with pytest.raises(DecodeError) as caught:
        messages.read_stored(changed(examples.examples()["ncmd-stored"], "Palier/Stored", value=flat))
    assert caught.value.reason in (Reason.RANGE, Reason.SIZE)


STORED = {"epoch": EPOCH, "credit_frames": 1, "credit_bytes": 1, "sync": False}


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ({"properties": {}}, Reason.SCHEMA),
        ({"properties": {**STORED, "epoch": "x"}}, Reason.SCHEMA),
        ({"properties": {**STORED, "epoch": 1}}, Reason.TYPE),
        ({"properties": {**STORED, "credit_frames": -1}}, Reason.RANGE),
        ({"properties": {**STORED, "credit_frames": 2**31}}, Reason.RANGE),
        ({"properties": {**STORED, "credit_frames": True}}, Reason.TYPE),
        ({"properties": {**STORED, "credit_bytes": 0.5}}, Reason.TYPE),
        ({"properties": {**STORED, "highest": -1}}, Reason.RANGE),
        ({"properties": {**STORED, "highest": MAX_SEQ + 1}}, Reason.RANGE),
        ({"properties": {**STORED, "highest": "7"}}, Reason.TYPE),
        ({"value": pairs(1, 2, 3)}, Reason.LENGTH),
        ({"value": None}, Reason.SCHEMA),
        ({"value": "1-2", "datatype": DataType.STRING}, Reason.TYPE),
    ],
)
def test_an_acknowledgement_that_is_none_is_refused(to: dict[str, object], reason: Reason) -> None:
    with pytest.raises(DecodeError) as caught:
        messages.read_stored(changed(examples.examples()["ncmd-stored"], "Palier/Stored", **to))
    assert caught.value.reason is reason


def test_one_command_is_not_another() -> None:
    read = {name: decode(data) for name, data in examples.examples().items() if name[:4] == "ncmd"}
    stored = [name for name, p in read.items() if messages.read_stored(p) is not None]
    assert stored == ["ncmd-stored", "ncmd-stored-highest"]
    assert [name for name, p in read.items() if messages.read_replay(p) is not None] == ["ncmd-replay"]
    assert [name for name, p in read.items() if messages.is_rebirth(p)] == ["ncmd-rebirth"]
    assert [name for name, p in read.items() if messages.read_limits(p) is not None] == ["ncmd-limits"]


def test_a_rebirth_that_is_false_or_no_boolean_is_none() -> None:
    rebirth = examples.examples()["ncmd-rebirth"]
    assert not messages.is_rebirth(changed(rebirth, "Node Control/Rebirth", value=False))
    assert not messages.is_rebirth(changed(rebirth, "Node Control/Rebirth", value=1, datatype=DataType.INT32))


@pytest.mark.parametrize(
    ("name", "to", "reason"),
    [
        ("Palier/Limits", ("m/p/c", "m/p/d"), Reason.LENGTH),
        ("Palier/Limits", ("m/p",), Reason.NAME),
        ("Palier/Limits", ("m/../c",), Reason.NAME),
        ("Palier/Limits", ("m p/p/c",), Reason.NAME),
        ("Palier/Limits/Values", np.array([np.nan]), Reason.RANGE),
        ("Palier/Limits/Values", None, Reason.SCHEMA),
    ],
)
def test_limits_that_do_not_fit_are_refused(name: str, to: object, reason: Reason) -> None:
    with pytest.raises(DecodeError) as caught:
        messages.read_limits(changed(examples.examples()["ncmd-limits"], name, value=to))
    assert caught.value.reason is reason


def test_limits_without_end_are_refused() -> None:
    many = tuple(messages.DangerLimit("m", f"p/c{i}", 1.0) for i in range(MAX_LIMITS + 1))
    with pytest.raises(DecodeError) as caught:
        messages.read_limits(decode(messages.limits_payload(many, 1)))
    assert caught.value.reason is Reason.LENGTH


def test_no_limits_are_limits() -> None:
    assert messages.read_limits(decode(messages.limits_payload((), 1))) == ()


@given(some_ranges(longest=10**9), st.integers(0, 10), st.none() | st.integers(1, 10), st.integers(0, 10))
def test_a_report_comes_back(ranges: Ranges, more: int, oldest: int | None, pending: int) -> None:
    seq = (ranges[-1][1] if ranges else 0) + 10 + more
    dropped = tuple((lo, hi, "space" if lo % 2 else "size") for lo, hi in ranges)
    report = messages.LedgerReport(EPOCH, seq, seq, dropped, oldest, pending)
    payload = decode(messages.ledger_payload(report, seq=9, timestamp_ms=1))
    assert messages.read_ledger(payload) == report
    assert payload.seq == 9


def test_a_report_of_an_empty_outbox_comes_back() -> None:
    report = messages.LedgerReport(EPOCH, 0, 0, (), None, 0)
    assert messages.read_ledger(decode(messages.ledger_payload(report, seq=9, timestamp_ms=1))) == report


@pytest.mark.parametrize(
    ("name", "to", "reason"),
    [
        ("Palier/Epoch", "x", Reason.SCHEMA),
        ("Palier/Ledger/Seq", None, Reason.SCHEMA),
        ("Palier/Ledger/Seq", 11, Reason.RANGE),
        ("Palier/Ledger/Acquired", 4243, Reason.RANGE),
        ("Palier/Ledger/Pending", 4243, Reason.RANGE),
        ("Palier/Ledger/Oldest", 4243, Reason.RANGE),
        ("Palier/Ledger/Oldest", 0, Reason.RANGE),
        ("Palier/Ledger/Dropped", pairs(1, 4243, 5000, 5001), Reason.RANGE),
        ("Palier/Ledger/Dropped", pairs(1, 2), Reason.LENGTH),
        ("Palier/Ledger/Reasons", ("a b", "c"), Reason.NAME),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(name: str, to: object, reason: Reason) -> None:
    with pytest.raises(DecodeError) as caught:
        messages.read_ledger(changed(examples.examples()["ndata-ledger"], name, value=to))
    assert caught.value.reason is reason


def test_a_report_with_too_many_ranges_is_not_written() -> None:
    many = tuple((2 * i + 1, 2 * i + 1, "space") for i in range(MAX_DROPPED + 1))
    with pytest.raises(ValueError, match="merge"):
        messages.ledger_payload(
            messages.LedgerReport(EPOCH, 10**6, 10**6, many, None, 0), seq=1, timestamp_ms=1
        )


def test_data_without_a_report_has_none() -> None:
    assert messages.read_ledger(decode(examples.examples()["ddata-waveform"])) is None


@pytest.mark.parametrize(
    ("name", "to", "reason"),
    [
        ("bdSeq", None, Reason.SCHEMA),
        ("Palier/Epoch", None, Reason.SCHEMA),
        ("Palier/Epoch", "x", Reason.SCHEMA),
        ("Palier/InFlight", pairs(3, 1), Reason.RANGE),
        ("Palier/Config", None, Reason.SCHEMA),
    ],
)
def test_a_node_birth_that_lacks_something_is_refused(name: str, to: object, reason: Reason) -> None:
    with pytest.raises(DecodeError) as caught:
        messages.read_node_birth(changed(examples.examples()["nbirth"], name, value=to))
    assert caught.value.reason is reason


def has(**more: object) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, properties={**metric.properties, **more})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (has(unit=None), Reason.UNIT),
        (has(scale=0.0), Reason.RANGE),
        (has(fs_hz=float("nan")), Reason.RANGE),
        (has(full_scale="2 g"), Reason.TYPE),
        (has(mounting=1), Reason.TYPE),
        (lambda metric: replace(metric, name="H"), Reason.NAME),
        (lambda metric: replace(metric, datatype=DataType.STRING), Reason.TYPE),
        (lambda metric: replace(metric, name="palier-CA/V"), Reason.SCHEMA),
    ],
)
def test_a_device_birth_that_is_none_is_refused(edit: Callable[[Metric], Metric], reason: Reason) -> None:
    payload = decode(examples.examples()["dbirth"])
    metrics = tuple(edit(m) if m.name == "palier-CA/H" else m for m in payload.metrics)
    with pytest.raises(DecodeError) as caught:
        messages.read_device_birth(decode(encode(replace(payload, metrics=metrics))), "pompe-3")
    assert caught.value.reason is reason


def test_a_channel_of_a_type_that_does_not_travel_is_not_announced() -> None:
    device = Device("m", (ChannelBirth("p/c", "g", "int24"),))
    with pytest.raises(ValueError, match="dtype must be one of int16"):
        messages.device_birth(device, seq=1, timestamp_ms=1)


def test_the_configuration_hash_changes_with_each_detail_and_not_with_the_order_of_machines() -> None:
    device = examples.device()
    other = replace(device, machine="autre")
    changed_channel = replace(device.channels[0], mounting="magnet")
    assert messages.config_hash((device, other)) == messages.config_hash((other, device))
    assert messages.config_hash((device,)) != messages.config_hash(
        (replace(device, channels=(changed_channel, *device.channels[1:])),)
    )
    assert len(messages.config_hash(())) == 16


def test_a_report_tells_what_is_kept_back() -> None:
    report = replace(examples.LEDGER, retained=2016, given_up=7)
    payload = decode(messages.ledger_payload(report, seq=1, timestamp_ms=2))
    assert messages.read_ledger(payload) == report
    birth = decode(messages.node_birth(replace(examples.NODE_BIRTH, transmit="adaptive"), timestamp_ms=2))
    assert {metric.name for metric in payload.metrics} <= {metric.name for metric in birth.metrics}
