"""DDATA: a frame is one message that needs no birth; what no frame may hold is refused with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.frames import MAX_FRAME_BYTES, Frame, FrameError, FrameId, Readings, Waveform
from palier.wire import messages
from palier.wire.fields import MAX_SEQ
from palier.wire.payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, decode, encode
from tests.support import wire_examples as examples
from tests.support.frames import frame_equal, frames


def sent(frame: Frame, frame_id: FrameId = examples.FRAME_ID, *, historical: bool = False) -> bytes:
    return messages.frame_payload(
        frame, frame_id, seq=3, timestamp_ms=examples.SENT_MS, historical=historical
    )


def read(payload: Payload) -> tuple[FrameId, Frame, bool]:
    return messages.read_frame(payload, edge=examples.EDGE, machine="pompe-3")


def edited(payload: Payload, name: str, edit: Callable[[Metric], Metric | None]) -> Payload:
    metrics = [edit(metric) if metric.name == name else metric for metric in payload.metrics]
    return replace(payload, metrics=tuple(metric for metric in metrics if metric is not None))


@given(frames(), st.booleans(), st.integers(1, MAX_SEQ))
def test_any_frame_comes_back_whole(frame: Frame, historical: bool, seq: int) -> None:
    frame_id = FrameId("s/n", "0123456789abcdef", seq)
    data = sent(frame, frame_id, historical=historical)
    payload = decode(data)
    assert messages.is_frame(payload)
    got_id, got, got_historical = messages.read_frame(payload, edge="s/n", machine=frame.machine)
    assert (got_id, got_historical) == (frame_id, historical)
    assert frame_equal(got, frame)
    assert messages.peek_id(payload, "s/n") == messages.peek_id(data, "s/n") == frame_id


@settings(max_examples=40)
@given(frames())
def test_the_bound_on_its_length_holds(frame: Frame) -> None:
    longest = sent(frame, replace(examples.FRAME_ID, seq=MAX_SEQ), historical=True)
    assert len(longest) <= messages.wire_bytes(frame)


@pytest.mark.parametrize(("samples", "ratio"), [(4096, 1.02), (8192, 1.01), (65536, 1.002)])
def test_a_frame_costs_little_more_than_its_samples(samples: int, ratio: float) -> None:
    """Three channels of int16. What stands around them takes some 480 bytes, whatever their length."""
    frame = replace(examples.waveform(samples=samples), load_percent=None, quality=(192, 192, 192))
    assert len(sent(frame)) <= ratio * frame.samples.nbytes


def test_every_metric_is_dated_with_the_acquisition_and_the_payload_with_the_sending() -> None:
    """tck-id-payloads-name-birth-data-requirement, tck-id-payloads-ddata-timestamp, -ddata-seq."""
    payload = decode(sent(examples.waveform()))
    assert {metric.timestamp_ms for metric in payload.metrics} == {examples.START_NS // 1_000_000}
    assert (payload.timestamp_ms, payload.seq, payload.uuid) == (examples.SENT_MS, 3, WIRE_VERSION)


def test_a_historical_frame_is_so_in_every_metric() -> None:
    payload = decode(sent(examples.waveform(), historical=True))
    assert all(metric.is_historical for metric in payload.metrics)


def test_the_quality_is_told_only_where_it_is_not_good() -> None:
    """tck-id-payloads-propertyset-quality-value-type, tck-id-payloads-propertyset-quality-value-value."""
    told = {
        metric.name: metric.properties.get("Quality") for metric in decode(sent(examples.waveform())).metrics
    }
    assert (told["palier-CA/H"], told["palier-CA/V"], told["palier-CA/A"]) == (None, 500, 0)


def test_unknown_speed_and_load_are_absent() -> None:
    frame = replace(examples.waveform(), speed_rpm=None, load_percent=None)
    payload = decode(sent(frame))
    assert not {"Palier/Speed", "Palier/Load"} & {metric.name for metric in payload.metrics}
    got = read(payload)[1]
    assert isinstance(got, Waveform)
    assert (got.speed_rpm, got.load_percent) == (None, None)


def test_samples_of_one_channel_are_not_copied() -> None:
    got = read(decode(sent(examples.waveform(channels=1))))[1]
    assert isinstance(got, Waveform)
    assert not got.samples.flags.owndata
    assert not got.samples.flags.writeable


def test_a_frame_too_long_for_the_broker_is_refused_at_the_edge() -> None:
    frame = examples.waveform(samples=MAX_FRAME_BYTES // 6)
    assert messages.wire_bytes(frame) > MAX_FRAME_BYTES
    with pytest.raises(FrameError, match="at most") as caught:
        sent(frame)
    assert caught.value.reason == "size"


@pytest.mark.parametrize("frame", [examples.waveform(), examples.readings()], ids=["waveform", "readings"])
def test_no_beginning_of_a_frame_is_a_frame(frame: Frame) -> None:
    """Cut anywhere, it is refused, also where a metric ends and protobuf sees nothing wrong."""
    data = sent(frame)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            read(decode(data[:length]))


def value(new: object) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, value=new, is_null=new is None)


def typed(datatype: DataType, new: object) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, datatype=datatype, value=new)


def has(**properties: object) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, properties={**metric.properties, **properties})


def lacks(key: str) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, properties={k: v for k, v in metric.properties.items() if k != key})


def named(name: str) -> Callable[[Metric], Metric]:
    return lambda metric: replace(metric, name=name)


def gone(metric: Metric) -> None:
    return None


H = "palier-CA/H"
T = "palier-CA/T"
SHORT = np.zeros(63, "<i2")

WAVEFORM_EDITS: dict[str, tuple[str, Callable[[Metric], Metric | None], Reason]] = {
    "no epoch": ("Palier/Epoch", gone, Reason.SCHEMA),
    "null epoch": ("Palier/Epoch", value(None), Reason.SCHEMA),
    "epoch not hex": ("Palier/Epoch", value("0123456789ABCDEF"), Reason.SCHEMA),
    "epoch too long": ("Palier/Epoch", value("0" * 17), Reason.SCHEMA),
    "no seq": ("Palier/Seq", gone, Reason.SCHEMA),
    "seq 0": ("Palier/Seq", value(0), Reason.RANGE),
    "seq beyond SQLite": ("Palier/Seq", value(2**63), Reason.RANGE),
    "seq of another type": ("Palier/Seq", typed(DataType.INT64, 3), Reason.TYPE),
    "no kind": ("Palier/Kind", gone, Reason.SCHEMA),
    "another kind": ("Palier/Kind", value("image"), Reason.SCHEMA),
    "no start": ("Palier/Start", gone, Reason.SCHEMA),
    "start in 1970": ("Palier/Start", value(3_600_000_000_000), Reason.CLOCK),
    "start in ms": ("Palier/Start", value(1_750_000_000_123), Reason.CLOCK),
    "start in 2200": ("Palier/Start", value(7_258_118_400_000_000_000), Reason.CLOCK),
    "start before 1970": ("Palier/Start", value(-1), Reason.RANGE),
    "no clock": ("Palier/Clock", gone, Reason.SCHEMA),
    "another clock": ("Palier/Clock", value("ntp"), Reason.CLOCK),
    "speed not a number": ("Palier/Speed", value(math.nan), Reason.RANGE),
    "speed infinite": ("Palier/Speed", value(math.inf), Reason.RANGE),
    "speed negative": ("Palier/Speed", value(-1.0), Reason.RANGE),
    "speed a text": ("Palier/Speed", typed(DataType.STRING, "1480"), Reason.TYPE),
    "load not a number": ("Palier/Load", value(math.nan), Reason.RANGE),
    "two starts": ("Palier/Load", named("Palier/Start"), Reason.SCHEMA),
    "fs not a number": (H, has(fs_hz=math.nan), Reason.RANGE),
    "fs infinite": (H, has(fs_hz=math.inf), Reason.RANGE),
    "fs 0": (H, has(fs_hz=0.0), Reason.RANGE),
    "fs negative": (H, has(fs_hz=-1.0), Reason.RANGE),
    "fs an integer": (H, has(fs_hz=25600), Reason.TYPE),
    "fs true": (H, has(fs_hz=True), Reason.TYPE),
    "no fs": (H, lacks("fs_hz"), Reason.SCHEMA),
    "another fs": (H, has(fs_hz=12800.0), Reason.SCHEMA),
    "scale not a number": (H, has(scale=math.nan), Reason.RANGE),
    "scale infinite": (H, has(scale=math.inf), Reason.RANGE),
    "scale 0": (H, has(scale=0.0), Reason.RANGE),
    "scale negative": (H, has(scale=-1.0), Reason.RANGE),
    "scale a text": (H, has(scale="1"), Reason.TYPE),
    "no scale": (H, lacks("scale"), Reason.SCHEMA),
    "no unit": (H, lacks("unit"), Reason.UNIT),
    "empty unit": (H, has(unit=""), Reason.UNIT),
    "unit a page": (H, has(unit="m" * 65_000), Reason.UNIT),
    "unit of two lines": (H, has(unit="m\ns"), Reason.UNIT),
    "unit written backwards": (H, has(unit="\u202eg"), Reason.UNIT),
    "unit a number": (H, has(unit=1.0), Reason.TYPE),
    "quality unheard of": (H, has(Quality=1), Reason.RANGE),
    "quality a text": (H, has(Quality="good"), Reason.TYPE),
    "name with a space": (H, named("palier CA/H"), Reason.NAME),
    "name with a line": (H, named("palier\nCA/H"), Reason.NAME),
    "name with a comma": (H, named("palier,CA/H"), Reason.NAME),
    "name with a dot dot": (H, named("../H"), Reason.NAME),
    "name without point": (H, named("H"), Reason.NAME),
    "name with two slashes": (H, named("palier-CA/H/x"), Reason.NAME),
    "name of 64 kB": (H, named("a" * 65_536 + "/H"), Reason.NAME),
    "no name": (H, named(""), Reason.NAME),
    "another point": (H, named("palier-CO/H"), Reason.SCHEMA),
    "channel twice": (H, named("palier-CA/V"), Reason.SCHEMA),
    "one channel shorter": (H, value(SHORT), Reason.LENGTH),
    "one channel wider": (H, typed(DataType.INT32_ARRAY, np.zeros(64, "<i4")), Reason.TYPE),
    "unsigned samples": (H, typed(DataType.UINT16_ARRAY, np.zeros(64, "<u2")), Reason.TYPE),
    "a number for samples": (H, typed(DataType.DOUBLE, 1.0), Reason.TYPE),
    "null samples": (H, value(None), Reason.TYPE),
}


@pytest.mark.parametrize("case", WAVEFORM_EDITS)
def test_what_no_waveform_may_hold_is_refused_with_its_reason(case: str) -> None:
    name, edit, reason = WAVEFORM_EDITS[case]
    payload = decode(encode(edited(decode(sent(examples.waveform())), name, edit)))
    with pytest.raises(DecodeError) as caught:
        read(payload)
    assert caught.value.reason is reason


READINGS_EDITS: dict[str, tuple[str, Callable[[Metric], Metric | None], Reason]] = {
    "no times": ("Palier/Times", gone, Reason.SCHEMA),
    "times in floats": ("Palier/Times", typed(DataType.DOUBLE_ARRAY, np.zeros(3)), Reason.TYPE),
    "times that stand": ("Palier/Times", value(np.full(3, examples.START_NS, "<i8")), Reason.CLOCK),
    "times that fall": ("Palier/Times", value(examples.START_NS - np.arange(3, dtype="<i8")), Reason.CLOCK),
    "a time in 1970": ("Palier/Times", value(np.arange(3, dtype="<i8")), Reason.SCHEMA),
    "a time in 2200": (
        "Palier/Times",
        value(np.array([examples.START_NS, examples.START_NS + 1, 7_258_118_400_000_000_000])),
        Reason.CLOCK,
    ),
    "a time more": ("Palier/Times", value(examples.START_NS + np.arange(4, dtype="<i8")), Reason.LENGTH),
    "no row": ("Palier/Times", value(np.zeros(0, "<i8")), Reason.RANGE),
    "another start": ("Palier/Start", value(examples.START_NS + 1), Reason.SCHEMA),
    "infinite value": (T, value(np.array([1.0, math.inf, 2.0])), Reason.RANGE),
    "one channel shorter": (T, value(np.zeros(2)), Reason.LENGTH),
    "no unit": (T, lacks("unit"), Reason.UNIT),
    "samples of a waveform": ("Palier/Kind", value("waveform"), Reason.SCHEMA),
}


@pytest.mark.parametrize("case", READINGS_EDITS)
def test_what_no_readings_may_hold_is_refused_with_its_reason(case: str) -> None:
    name, edit, reason = READINGS_EDITS[case]
    payload = decode(encode(edited(decode(sent(examples.readings())), name, edit)))
    with pytest.raises(DecodeError) as caught:
        read(payload)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("samples", "reason"), [(np.zeros(0, "<i2"), Reason.RANGE), (np.zeros(1, "<i2"), Reason.RANGE)]
)
def test_blocks_of_no_and_one_sample_are_refused(samples: np.ndarray, reason: Reason) -> None:
    payload = edited(decode(sent(examples.waveform(channels=1))), H, value(samples))
    with pytest.raises(DecodeError) as caught:
        read(payload)
    assert caught.value.reason is reason


def test_a_frame_without_channels_is_refused() -> None:
    payload = decode(sent(examples.waveform()))
    about = tuple(metric for metric in payload.metrics if metric.name.startswith("Palier/"))
    with pytest.raises(DecodeError, match="at least one channel"):
        read(replace(payload, metrics=about))


def test_a_machine_that_can_not_be_called_so_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        messages.read_frame(decode(sent(examples.waveform())), edge=examples.EDGE, machine="..")
    assert caught.value.reason is Reason.NAME


def test_nan_samples_and_missing_readings_are_no_reason_to_refuse() -> None:
    samples = np.array([[1.0, math.nan, math.inf]], "<f4")
    frame = replace(examples.waveform(channels=1), samples=samples)
    got = read(decode(sent(frame)))[1]
    assert isinstance(got, Waveform)
    np.testing.assert_array_equal(got.samples, samples)
    table = read(decode(sent(examples.readings())))[1]
    assert isinstance(table, Readings)
    assert math.isnan(table.values[0, 1])


def test_a_frame_without_the_wire_version_is_known_and_refused() -> None:
    payload = replace(decode(sent(examples.waveform())), uuid="")
    assert messages.is_frame(payload)
    with pytest.raises(DecodeError) as caught:
        read(payload)
    assert caught.value.reason is Reason.SCHEMA


def test_data_of_a_third_party_is_no_frame() -> None:
    assert not messages.is_frame(Payload(1, (Metric("Inputs/A", DataType.BOOLEAN, True),), 3))


def test_the_id_of_a_frame_whose_samples_are_broken_is_still_read() -> None:
    payload = decode(sent(examples.waveform()))
    data = encode(edited(payload, H, typed(DataType.BYTES, b"abc")))
    broken = data.replace(b"\x20\x11", b"\x20\x17", 1)  # Bytes -> Int16Array: 3 bytes are no int16
    assert broken != data
    with pytest.raises(DecodeError, match="multiple of 2"):
        decode(broken)
    assert messages.peek_id(broken, examples.EDGE) == examples.FRAME_ID


@pytest.mark.parametrize(
    "edit",
    [
        lambda payload: replace(payload, uuid="palier/2"),
        lambda payload: replace(payload, uuid=""),
        lambda payload: edited(payload, "Palier/Epoch", value("x")),
        lambda payload: edited(payload, "Palier/Seq", gone),
        lambda payload: edited(payload, "Palier/Seq", value(0)),
    ],
    ids=["version", "no version", "epoch", "no seq", "seq 0"],
)
def test_an_id_that_can_not_be_trusted_is_none(edit: Callable[[Payload], Payload]) -> None:
    data = encode(edit(decode(sent(examples.waveform()))))
    assert messages.peek_id(data, examples.EDGE) is None


def test_no_id_is_read_from_what_is_no_payload() -> None:
    assert messages.peek_id(b"", examples.EDGE) is None
    assert messages.peek_id(b"\xff" * 20, examples.EDGE) is None
