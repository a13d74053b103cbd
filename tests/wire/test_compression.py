"""Samples packed for the wire: the same frame to who reads it, and no bomb to who is sent one."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.seen import fingerprint, fingerprint_of
from palier.frames import MAX_FRAME_BYTES, Features, Frame, Readings, Waveform
from palier.wire import compression, data, messages
from palier.wire.payload import DataType, DecodeError, Metric, Payload, Reason, decode, encode
from tests.support import wire_examples as examples
from tests.support.frames import frame_equal, frames, waveforms

SENT = {"seq": 3, "timestamp_ms": examples.SENT_MS, "historical": False}


def sent(frame: Frame, *, compress: bool = True) -> Payload:
    return decode(messages.frame_payload(frame, examples.FRAME_ID, compress=compress, **SENT))  # type: ignore[arg-type]


def read(payload: Payload, machine: str = "pompe-3") -> Frame:
    return messages.read_frame(payload, edge=examples.EDGE, machine=machine)[1]


def long(dtype: str = "<i2") -> Waveform:
    """What packs well: a slow sine in counts."""
    t = np.arange(20_000) / 25_600
    x = np.stack([3000 * np.sin(2 * np.pi * 25 * t), 100 * np.sin(2 * np.pi * 50 * t)])
    return replace(
        examples.waveform(channels=2), samples=x.astype(dtype) if dtype == "<f4" else np.rint(x).astype(dtype)
    )


@settings(max_examples=40)
@given(frame=frames())
def test_any_frame_reads_back_packed_or_not(frame: Frame) -> None:
    payload = sent(frame)
    assert frame_equal(read(payload, frame.machine), frame)


@settings(max_examples=40)
@given(frame=waveforms())
def test_a_frame_is_the_same_to_a_host_however_it_came(frame: Waveform) -> None:
    packed, plain = sent(frame), sent(frame, compress=False)
    assert fingerprint(packed) == fingerprint(plain) == fingerprint_of(read(packed, frame.machine))


@pytest.mark.parametrize("dtype", ["<i2", "<i4", "<f4"])
def test_what_packs_well_is_sent_packed(dtype: str) -> None:
    frame = long(dtype)
    packed, plain = sent(frame), sent(frame, compress=False)
    assert {metric.datatype for metric in packed.metrics if "/" in metric.name[7:]} == {DataType.BYTES}
    assert len(encode(packed)) < 0.9 * len(encode(plain))
    assert frame_equal(read(packed), frame)
    assert fingerprint(packed) == fingerprint(plain)


def test_the_whole_range_of_a_type_survives_its_differences() -> None:
    edges = np.tile(np.array([-32768, 32767, 0, -1], "<i2"), (1, 4096))
    frame = replace(examples.waveform(channels=1), samples=edges)
    assert frame_equal(read(sent(frame)), frame)


def test_what_does_not_pack_is_sent_as_it_is() -> None:
    noise = np.random.default_rng(1).integers(-32768, 32767, (1, 4096)).astype("<i2")
    frame = replace(examples.waveform(channels=1), samples=noise)
    assert encode(sent(frame)) == encode(sent(frame, compress=False))


PACKED = encode(sent(replace(long(), samples=long().samples[:, :400])))


def channel(payload: Payload) -> Metric:
    return next(metric for metric in payload.metrics if metric.datatype is DataType.BYTES)


def changed(payload: Payload, **told: object) -> Payload:
    """With another value, or other properties, of the first packed channel."""
    one = channel(payload)
    other = replace(
        one,
        value=told.pop("value", one.value),  # type: ignore[arg-type]
        properties={**one.properties, **told},  # type: ignore[dict-item]
    )
    return replace(payload, metrics=tuple(other if metric is one else metric for metric in payload.metrics))


BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000))


@pytest.mark.parametrize(
    ("told", "reason", "words"),
    [
        ({"value": BOMB}, Reason.LENGTH, "must unpack to 40000 bytes"),
        ({"value": BOMB, "n_samples": 100_000_000}, Reason.SIZE, "at most 4194304 bytes unpacked"),
        ({"value": b"\x28\xb5\x2f\xfd"}, Reason.LENGTH, "must unpack to 40000 bytes"),
        ({"value": b"no zstd"}, Reason.TYPE, "can't be unpacked"),
        ({"value": b""}, Reason.LENGTH, "must unpack"),
        ({"n_samples": 19_999}, Reason.LENGTH, "must unpack to 39998 bytes"),
        ({"n_samples": 20_001}, Reason.LENGTH, "must unpack to 40002 bytes"),
        ({"n_samples": "many"}, Reason.TYPE, "must be an integer"),
        ({"codec": "lzma"}, Reason.TYPE, "must be packed as zstd or zstd-delta"),
        ({"dtype": "float64"}, Reason.TYPE, "got 'zstd-delta' of 'float64'"),
        ({"dtype": "float32"}, Reason.TYPE, "got 'zstd-delta' of 'float32'"),
    ],
)
def test_what_can_not_be_unpacked_is_refused_with_its_reason(
    told: dict[str, object], reason: Reason, words: str
) -> None:
    payload = changed(sent(long()), **told)
    with pytest.raises(DecodeError, match=words) as refused:
        read(payload)
    assert refused.value.reason == reason
    assert isinstance(fingerprint(payload), int)
    assert fingerprint(payload) != fingerprint(sent(long()))


def test_channels_that_are_too_large_together_are_not_unpacked() -> None:
    half = MAX_FRAME_BYTES // 4 + 1
    zeros = Metric("p/a", DataType.INT16_ARRAY, np.zeros(half, "<i2"))
    packed = [compression.packed(replace(zeros, name=name)) for name in ("p/a", "p/b")]
    assert len(compression.unpacked(packed[:1])[0].value) == half  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match="at most 4194304 bytes"):
        compression.unpacked(packed)


def test_a_host_of_before_puts_it_aside_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = sent(long())
    monkeypatch.setattr(compression, "unpacked", list)
    with pytest.raises(DecodeError, match="channels must be arrays of one type, got BYTES"):
        read(payload)
    assert messages.peek_id(payload, examples.EDGE) == examples.FRAME_ID


def test_a_host_without_the_extra_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = sent(long())
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DecodeError, match=r"pip install 'palier\[zstd\]'"):
        read(payload)


def test_features_and_readings_are_never_packed() -> None:
    for frame in (examples.features(), examples.readings()):
        assert encode(sent(frame)) == encode(sent(frame, compress=False))
    assert data.wire_bytes(examples.features()) >= len(encode(sent(examples.features())))


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0), byte=st.integers(0, 255))
def test_a_packed_frame_that_was_changed_is_read_or_refused(place: int, byte: int) -> None:
    broken = bytearray(PACKED)
    broken[place % len(broken)] = byte
    with suppress(DecodeError):
        payload = decode(bytes(broken))
        fingerprint(payload)
        assert isinstance(read(payload), Waveform | Readings | Features)
