"""The codec: each datatype there and back, and what it refuses."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.frames import MAX_FRAME_BYTES
from palier.wire import payload as module
from palier.wire.datatypes import ARRAY_DTYPES
from palier.wire.payload import (
    MAX_METRICS,
    MAX_PROPERTIES_BYTES,
    DataType,
    DecodeError,
    Metric,
    Payload,
    Reason,
    Value,
    decode,
    encode,
    encode_pieces,
    peek_seq,
    retype,
)
from palier.wire.sparkplug_pb2 import Payload as WirePayload
from palier.wire.sparkplug_pb2 import PropertySet


def there_and_back(metric: Metric) -> Metric:
    return decode(encode(Payload(1, (metric,)))).metrics[0]


def refusal(data: bytes) -> Reason:
    with pytest.raises(DecodeError) as caught:
        decode(data)
    assert str(caught.value)
    return caught.value.reason


def wire(**fields: object) -> bytes:
    """A payload of one metric, by its protobuf fields."""
    made = WirePayload(timestamp=1)
    metric = made.metrics.add(name="a")
    for name, value in fields.items():
        setattr(metric, name, value)
    return made.SerializeToString()


INTEGER_RANGES = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1),
    DataType.UINT8: (0, 2**8 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.UINT64: (0, 2**64 - 1),
    DataType.DATETIME: (0, 2**64 - 1),
}


@pytest.mark.parametrize(("datatype", "limits"), INTEGER_RANGES.items(), ids=lambda v: getattr(v, "name", ""))
def test_integers_keep_their_sign_and_range(datatype: DataType, limits: tuple[int, int]) -> None:
    for value in (*limits, 0, 1, limits[0] // 3):
        assert there_and_back(Metric("a", datatype, value)).value == value
    for value in (limits[0] - 1, limits[1] + 1):
        with pytest.raises(ValueError, match="must be an integer from"):
            encode(Payload(1, (Metric("a", datatype, value),)))


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.FLOAT, 1.5),
        (DataType.DOUBLE, 0.1),
        (DataType.BOOLEAN, False),
        (DataType.STRING, "palier côté accouplement"),
        (DataType.STRING, ""),
        (DataType.TEXT, "a\0b"),
        (DataType.UUID, "6e7a"),
        (DataType.BYTES, b"\0\xff"),
        (DataType.STRING_ARRAY, ("", "é", "c")),
        (DataType.STRING_ARRAY, ()),
        (DataType.FLOAT, None),
    ],
)
def test_scalars_and_strings_come_back(datatype: DataType, value: Value) -> None:
    metric = there_and_back(Metric("a", datatype, value))
    assert (metric.datatype, metric.value, metric.is_null) == (datatype, value, value is None)


@pytest.mark.parametrize("datatype", ARRAY_DTYPES, ids=lambda datatype: datatype.name)
def test_arrays_come_back_as_read_only_views_of_little_endian_bytes(datatype: DataType) -> None:
    sent = np.array([0, 1, 100], dtype=ARRAY_DTYPES[datatype])
    value = there_and_back(Metric("a", datatype, sent)).value
    assert isinstance(value, np.ndarray)
    np.testing.assert_array_equal(value, sent)
    assert (value.dtype, value.flags.writeable, value.flags.owndata) == (sent.dtype, False, False)


@pytest.mark.parametrize("large", [1, 60, 10**9], ids=["all in pieces", "some", "none"])
def test_a_payload_in_pieces_has_the_bytes_of_one_that_protobuf_wrote(
    monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    metrics = [
        Metric(f"a/{kind}", kind, np.arange(count).astype(dtype), timestamp_ms=5, properties={"unit": "g"})
        for count in (0, 3, 200, 20_000)
        for kind, dtype in ARRAY_DTYPES.items()
    ]
    metrics[5:5] = [Metric("text", DataType.STRING, "é"), Metric("null", DataType.INT16_ARRAY, None)]
    payload = Payload(7, tuple(metrics), 255, "palier/1")
    monkeypatch.setattr(module, "LARGE_BYTES", large)
    pieces = encode_pieces(payload)
    assert len(pieces) > 50 or large > 10**6
    written = WirePayload.FromString(b"".join(pieces))
    assert b"".join(pieces) == encode(payload) == written.SerializeToString(deterministic=True)
    assert len(written.metrics) == len(metrics)


def test_pieces_are_views_of_the_samples() -> None:
    samples = np.zeros(100_000, "<i2")
    views = encode_pieces(Payload(1, (Metric("a", DataType.INT16_ARRAY, samples),), 1))
    samples[-1] = 0x0102
    assert bytes(views[2][-2:]) == b"\x02\x01"


def test_a_large_array_of_another_type_is_not_written() -> None:
    wrong = Metric("a", DataType.INT32_ARRAY, np.zeros(100_000, "<i2"))
    with pytest.raises(ValueError, match="must be an array of that type, got int16"):
        encode(Payload(1, (wrong,), 1))


def test_booleans_are_bits_highest_first_behind_a_count() -> None:
    """The example of the specification: 12 booleans are 0c 00 00 00 34 d0."""
    sent = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1], dtype=np.bool_)
    data = encode(Payload(1, (Metric("a", DataType.BOOLEAN_ARRAY, sent),)))
    assert bytes.fromhex("0c00000034d0") in data
    value = decode(data).metrics[0].value
    assert isinstance(value, np.ndarray)
    np.testing.assert_array_equal(value, sent)


def test_many_booleans_come_back() -> None:
    sent = np.arange(module.LARGE_BYTES) % 3 == 0
    found = decode(encode(Payload(1, (Metric("a", DataType.BOOLEAN_ARRAY, sent),), 1))).metrics[0].value
    assert np.array_equal(np.asarray(found), sent)


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        max_size=5,
    )
)
def test_properties_come_back_with_their_types(
    properties: dict[str, bool | int | float | str | None],
) -> None:
    read = there_and_back(Metric("a", DataType.INT8, 1, properties=properties)).properties
    assert read == properties
    assert [type(value) for value in read.values()] == [type(value) for value in properties.values()]


def test_what_stands_around_a_value_comes_back() -> None:
    metric = there_and_back(Metric("", DataType.INT8, 1, alias=0, timestamp_ms=0, is_historical=True))
    assert (metric.name, metric.alias, metric.timestamp_ms, metric.is_historical) == ("", 0, 0, True)
    payload = decode(encode(Payload(0, (), 0, "x")))
    assert (payload.timestamp_ms, payload.metrics, payload.seq, payload.uuid) == (0, (), 0, "x")


def test_absent_is_not_zero() -> None:
    metric = there_and_back(Metric("a", DataType.INT8, 0))
    assert (metric.value, metric.alias, metric.timestamp_ms) == (0, None, None)
    assert decode(encode(Payload(None, (Metric("a", DataType.INT8, 0),)))).seq is None


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.INT16_ARRAY, np.zeros(2, "<i4")),
        (DataType.INT16_ARRAY, np.zeros(2, ">i2")),
        (DataType.BOOLEAN_ARRAY, np.zeros(2, "<i4")),
        (DataType.STRING_ARRAY, ("a\0b",)),
        (DataType.STRING, ("a",)),
        (DataType.BYTES, "a"),
        (DataType.PROPERTY_SET, b"a"),
        (DataType.UNKNOWN, 1),
    ],
)
def test_a_value_of_another_type_is_not_written(datatype: DataType, value: Value) -> None:
    with pytest.raises(ValueError, match="must"):
        encode(Payload(1, (Metric("a", datatype, value),)))


REFUSED: dict[str, tuple[bytes, Reason]] = {
    "empty": (b"", Reason.DECODE),
    "one byte": (b"\x08", Reason.DECODE),
    "random": (b"\xff" * 40, Reason.DECODE),
    "not UTF-8": (b'\x08\x01"\x01\xff', Reason.DECODE),
    "parses, holds nothing": (b"\x78\x01", Reason.SCHEMA),
    "too long": (b"\0" * (MAX_FRAME_BYTES + 1), Reason.SIZE),
    "another version": (WirePayload(timestamp=1, uuid="palier/2").SerializeToString(), Reason.VERSION),
    "no version": (WirePayload(timestamp=1, uuid="palier/").SerializeToString(), Reason.VERSION),
    "millions of metrics": (b"\x12\x00" * (MAX_METRICS + 1), Reason.SIZE),
    "odd bytes": (wire(datatype=23, bytes_value=b"abc"), Reason.LENGTH),
    "cut booleans": (wire(datatype=32, bytes_value=b"\1\0\0"), Reason.LENGTH),
    "too few booleans": (wire(datatype=32, bytes_value=b"\xff\xff\xff\xff\0"), Reason.LENGTH),
    "string without end": (wire(datatype=33, bytes_value=b"a\0b"), Reason.LENGTH),
    "strings not UTF-8": (wire(datatype=33, bytes_value=b"\xff\0"), Reason.DECODE),
    "unheard-of type": (wire(datatype=35, int_value=1), Reason.TYPE),
    "huge type": (wire(datatype=2**32 - 1, int_value=1), Reason.TYPE),
    "float in an integer": (wire(datatype=3, float_value=1.0), Reason.TYPE),
    "string in an array": (wire(datatype=23, string_value="a"), Reason.TYPE),
    "value of a property set": (wire(datatype=20, bytes_value=b""), Reason.TYPE),
    "no property set": (wire(properties=b"\xff"), Reason.DECODE),
    "huge property set": (wire(properties=b"\0" * (MAX_PROPERTIES_BYTES + 1)), Reason.SIZE),
    "a key without value": (wire(properties=PropertySet(keys=["a"]).SerializeToString()), Reason.LENGTH),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_payload_is_refused_with_its_reason(case: str) -> None:
    data, reason = REFUSED[case]
    assert refusal(data) is reason


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data)
    peek_seq(data)


def test_integers_are_read_from_either_integer_field() -> None:
    assert decode(wire(datatype=4, int_value=7)).metrics[0].value == 7
    assert decode(wire(datatype=3, long_value=2**32 - 1)).metrics[0].value == -1


def test_null_is_not_read_even_with_a_value() -> None:
    assert decode(wire(datatype=3, int_value=7, is_null=True)).metrics[0].value is None


def test_without_a_datatype_the_raw_value_waits_for_its_birth() -> None:
    """tck-id-payloads-metric-datatype-not-req."""
    sent = Payload(
        1, (Metric("a", DataType.INT16, -2), Metric("b", DataType.INT16_ARRAY, np.arange(3, dtype="<i2")))
    )
    a, b = decode(encode(sent, with_datatypes=False)).metrics
    assert (a.datatype, a.value, b.value) == (DataType.UNKNOWN, 65534, b"\0\0\1\0\2\0")
    assert retype(a, DataType.INT16).value == -2
    np.testing.assert_array_equal(np.asarray(retype(b, DataType.INT16_ARRAY).value), [0, 1, 2])
    with pytest.raises(DecodeError, match="must stand in float_value"):
        retype(a, DataType.FLOAT)


def test_retyping_leaves_what_has_a_type_and_types_what_is_null() -> None:
    assert retype(Metric("a", DataType.INT16, -2), DataType.FLOAT).datatype is DataType.INT16
    assert (
        retype(Metric("a", DataType.UNKNOWN, None, is_null=True), DataType.FLOAT).datatype is DataType.FLOAT
    )


def test_seq_is_peeked_from_a_payload_that_is_refused() -> None:
    made = WirePayload.FromString(REFUSED["odd bytes"][0])
    made.seq = 0
    assert peek_seq(made.SerializeToString()) == 0
    assert peek_seq(b"") is None
    assert peek_seq(REFUSED["odd bytes"][0]) is None
