"""How Linux IIO lays samples in its buffer: types, alignment, rates, time stamps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sensors.iio_scan import Element, gaps, parse_type, scan_layout
from edge_agent.sensors.iio_tree import nearest_rate


@pytest.mark.parametrize(
    ("text", "stored", "value"),
    [
        ("le:s16/16>>0", b"\xfe\xff", -2),
        ("be:s16/16>>0", b"\xff\xfe", -2),
        ("le:s12/16>>4", b"\xf0\xff", -1),
        ("le:s20/32>>4", (-5 << 4).to_bytes(4, "little", signed=True), -5),
        ("le:s20/32>>4", ((-5 << 4) & 0x00FFFFFF).to_bytes(4, "little"), -5),  # the upper bits not filled
        ("be:s24/32>>8", (-7 << 8).to_bytes(4, "big", signed=True), -7),
        ("le:u12/16", b"\xff\x0f", 4095),
        ("le:u16/16>>0", b"\xff\xff", 65535),
        ("le:s64/64>>0", (-3).to_bytes(8, "little", signed=True), -3),
    ],
)
def test_a_sample_is_read_as_its_type_says(text: str, stored: bytes, value: int) -> None:
    kind = parse_type(text)
    assert kind.values(np.frombuffer(stored, kind.dtype)).tolist() == [value]


@given(st.integers(1, 32), st.integers(0, 31), st.booleans(), st.data())
def test_what_is_stored_comes_back(bits: int, shift: int, big: bool, data: st.DataObject) -> None:
    if bits + shift > 32:
        return
    value = data.draw(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    noise = data.draw(st.integers(0, (1 << shift) - 1))  # the unused bits may hold anything
    stored = ((value << shift) | noise) & 0xFFFFFFFF
    kind = parse_type(f"{'be' if big else 'le'}:s{bits}/32>>{shift}")
    array = np.frombuffer(stored.to_bytes(4, "big" if big else "little"), kind.dtype)
    assert kind.values(array).tolist() == [value]


@pytest.mark.parametrize(
    "text", ["", "le:s16", "le:s20/24>>0", "le:s16/16>>4", "le:f32/32>>0", "le:s16/16X4>>0"]
)
def test_a_type_that_can_be_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="a sample"):
        parse_type(text)


def test_a_scan_is_aligned_as_the_kernel_does() -> None:
    kinds = ("be:u16/16>>0", "be:u32/32>>0", "be:u32/32>>0", "be:u64/64>>0")  # the kernel's own example
    elements = [Element(f"c{i}", i, parse_type(kind)) for i, kind in enumerate(kinds)]
    layout = scan_layout(elements[::-1])
    assert [layout.fields[f"c{i}"][1] for i in range(4)] == [0, 4, 8, 16]  # type: ignore[index]
    assert layout.itemsize == 24
    assert scan_layout([elements[0], elements[3]]).itemsize == 16


@pytest.mark.parametrize(
    ("available", "fs_hz", "text"),
    [
        ("12.5 25 50", 25.0, "25"),
        ("26666.67", 26667.0, "26666.67"),
        ("12.5 25", 30.0, None),
        ("[1 1 400]", 400.0, "400.000000"),
        ("[1 1 400]", 401.0, None),
    ],
)
def test_a_rate_is_taken_from_what_there_is(available: str, fs_hz: float, text: str | None) -> None:
    assert nearest_rate(available, fs_hz) == text


FS_HZ = 26667.0


def test_jitter_of_interpolated_stamps_cuts_nothing() -> None:
    stamps = (np.arange(1000) * 1e9 / FS_HZ).astype(np.int64)
    stamps[500:] += 2_000_000
    assert gaps(stamps, None, FS_HZ) == []
