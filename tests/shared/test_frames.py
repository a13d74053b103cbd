"""Frames: what can be one, and that the outbox gives back what it was given."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.frames import (
    NAME_PATTERN,
    QUALITY_GOOD,
    Clock,
    Frame,
    FrameError,
    Readings,
    Waveform,
    check_name,
    pack,
    split_channel,
    unpack,
)
from tests.support.frames import frame_equal, frames
from tests.support.wire_examples import START_NS, readings, waveform


@given(frames())
def test_the_outbox_gives_back_what_it_was_given(frame: Frame) -> None:
    assert frame_equal(unpack(*pack(frame)), frame)


def test_numpys_own_numbers_are_kept_too() -> None:
    frame = replace(
        waveform(),
        scale=tuple(np.float32([0.5, 0.25, 2.0])),
        fs_hz=np.float32(25600.0),
        start_ns=np.int64(START_NS),
        speed_rpm=np.float32(1487.5),
        quality=tuple(np.int32([192, 500, 0])),
    )
    assert frame_equal(unpack(*pack(frame)), replace(waveform(), scale=(0.5, 0.25, 2.0)))


def test_arrays_that_are_not_contiguous_are_kept_in_order() -> None:
    table = readings()
    turned = replace(
        table, values=np.asfortranarray(table.values), times_ns=np.repeat(table.times_ns, 2)[::2]
    )
    assert frame_equal(unpack(*pack(turned)), table)
    block = replace(waveform(), samples=np.asfortranarray(waveform().samples))
    assert frame_equal(unpack(*pack(block)), waveform())


def test_accents_are_kept_as_they_are() -> None:
    header, _ = pack(readings())
    assert "°C" in header.decode()


def header_with(**changes: object) -> Callable[[Frame], tuple[bytes, bytes]]:
    def make(frame: Frame) -> tuple[bytes, bytes]:
        header, body = pack(frame)
        fields = {**json.loads(header), **changes}
        return json.dumps({k: v for k, v in fields.items() if v != "GONE"}).encode(), body

    return make


BROKEN: dict[str, Callable[[Frame], tuple[bytes, bytes]]] = {
    "empty": lambda frame: (b"", b""),
    "no JSON": lambda frame: (b"{", pack(frame)[1]),
    "not UTF-8": lambda frame: (b"\xff", pack(frame)[1]),
    "a list": lambda frame: (b"[]", pack(frame)[1]),
    "a text": lambda frame: (b'"waveform"', pack(frame)[1]),
    "deep": lambda frame: (b"[" * 100_000, pack(frame)[1]),
    "no body": lambda frame: (pack(frame)[0], b""),
    "body cut": lambda frame: (pack(frame)[0], pack(frame)[1][:-1]),
    "no kind": header_with(kind="GONE"),
    "another kind": header_with(kind="image"),
    "no channels": header_with(channels=[]),
    "channels a number": header_with(channels=1),
    "another field": header_with(colour="red"),
    "no unit": header_with(unit="GONE"),
    "another clock": header_with(clock="ntp"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("frame", [waveform(), readings()], ids=["waveform", "readings"])
def test_what_the_outbox_can_not_read_is_a_frame_error(frame: Frame, case: str) -> None:
    with pytest.raises(FrameError, match="can't be read back"):
        unpack(*BROKEN[case](frame))


@pytest.mark.parametrize("dtype", ["O", "<f8", ">i2", "S4", "nonsense", None, "<i2,<i2"])
def test_a_stored_frame_of_another_dtype_is_a_frame_error(dtype: object) -> None:
    with pytest.raises(FrameError):
        unpack(*header_with(dtype=dtype)(waveform()))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_in_the_outbox_are_a_frame_or_a_frame_error(header: bytes, body: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(header, body)


NO_WAVEFORM: dict[str, tuple[dict[str, object], str]] = {
    "machine": ({"machine": ""}, "name"),
    "point": ({"point": "a/b"}, "name"),
    "channel": ({"channels": ("H", "V", "..")}, "name"),
    "channel twice": ({"channels": ("H", "V", "H")}, "schema"),
    "no channel": (
        {"channels": (), "samples": np.zeros((0, 9), "<i2"), "unit": (), "scale": (), "quality": ()},
        "schema",
    ),
    "int64": ({"samples": np.zeros((3, 9), "<i8")}, "type"),
    "big-endian": ({"samples": np.zeros((3, 9), ">i2")}, "type"),
    "one dimension": ({"samples": np.zeros(9, "<i2")}, "range"),
    "two channels": ({"samples": np.zeros((2, 9), "<i2")}, "range"),
    "no sample": ({"samples": np.zeros((3, 0), "<i2")}, "range"),
    "one sample": ({"samples": np.zeros((3, 1), "<i2")}, "range"),
    "too few units": ({"unit": ("g", "g")}, "length"),
    "too few qualities": ({"quality": (192,)}, "length"),
    "too few scales": ({"scale": (1.0, 1.0)}, "range"),
    "unit empty": ({"unit": ("g", "g", "")}, "unit"),
    "unit long": ({"unit": ("g", "g", "x" * 17)}, "unit"),
    "unit not printable": ({"unit": ("g", "g", "\0")}, "unit"),
    "unit half a character": ({"unit": ("g", "g", "\ud800")}, "unit"),
    "quality": ({"quality": (192, 192, 1)}, "range"),
    "scale 0": ({"scale": (1.0, 1.0, 0.0)}, "range"),
    "scale NaN": ({"scale": (1.0, 1.0, math.nan)}, "range"),
    "scale infinite": ({"scale": (1.0, 1.0, math.inf)}, "range"),
    "rate 0": ({"fs_hz": 0.0}, "range"),
    "rate NaN": ({"fs_hz": math.nan}, "range"),
    "rate of 10 MHz": ({"fs_hz": 1e7}, "range"),
    "start negative": ({"start_ns": -1}, "clock"),
    "start beyond int64": ({"start_ns": 2**63}, "clock"),
    "end beyond int64": ({"start_ns": 2**63 - 1}, "clock"),
    "end beyond any number": ({"fs_hz": 5e-324}, "clock"),
    "speed negative": ({"speed_rpm": -1.0}, "range"),
    "speed NaN": ({"speed_rpm": math.nan}, "range"),
    "speed infinite": ({"speed_rpm": math.inf}, "range"),
    "load NaN": ({"load_percent": math.nan}, "range"),
}


@pytest.mark.parametrize("case", NO_WAVEFORM)
def test_what_is_no_waveform_is_refused_with_a_sentence_and_a_reason(case: str) -> None:
    changes, reason = NO_WAVEFORM[case]
    with pytest.raises(FrameError, match="must") as caught:
        replace(waveform(), **changes)
    assert caught.value.reason == reason


NO_READINGS: dict[str, tuple[dict[str, object], str]] = {
    "machine": ({"machine": "a b"}, "name"),
    "channel without point": ({"channels": ("T", "arbre/N")}, "name"),
    "channel of three": ({"channels": ("a/b/c", "arbre/N")}, "name"),
    "channel twice": ({"channels": ("arbre/N", "arbre/N")}, "schema"),
    "times in floats": ({"times_ns": np.zeros(3)}, "type"),
    "no time": ({"times_ns": np.zeros(0, "<i8"), "values": np.zeros((2, 0))}, "range"),
    "times in a table": ({"times_ns": np.zeros((1, 3), "<i8")}, "range"),
    "a time twice": ({"times_ns": np.array([1, 1, 2], "<i8")}, "clock"),
    "times that fall": ({"times_ns": np.array([3, 2, 1], "<i8")}, "clock"),
    "a time before 1970": ({"times_ns": np.array([-1, 0, 1], "<i8")}, "clock"),
    "values in float32": ({"values": np.zeros((2, 3), "<f4")}, "type"),
    "a value too few": ({"values": np.zeros((2, 2))}, "length"),
    "a channel too few": ({"values": np.zeros((1, 3))}, "length"),
    "an infinite value": ({"values": np.full((2, 3), -math.inf)}, "range"),
    "too few units": ({"unit": ("g",)}, "length"),
    "quality": ({"quality": (192, -1)}, "range"),
}


@pytest.mark.parametrize("case", NO_READINGS)
def test_what_are_no_readings_is_refused_with_a_sentence_and_a_reason(case: str) -> None:
    changes, reason = NO_READINGS[case]
    with pytest.raises(FrameError, match="must") as caught:
        replace(readings(), **changes)
    assert caught.value.reason == reason


def test_a_clock_that_was_never_set_is_no_reason_to_lose_a_frame() -> None:
    """A gateway without a battery starts in 1970: the outbox keeps the frame, its time is put right later."""
    frame = replace(waveform(), start_ns=0, clock=Clock.UNSYNCED)
    assert frame_equal(unpack(*pack(frame)), frame)


def test_a_frame_ends_after_its_last_sample_and_a_table_with_its_last_row() -> None:
    assert waveform(samples=256).end_ns == START_NS + 10_000_000
    assert (readings().start_ns, readings().end_ns) == (START_NS, START_NS + 120_000_000_000)


def test_quality_is_good_where_none_is_given() -> None:
    assert replace(waveform(), quality=()).quality == (QUALITY_GOOD,) * 3
    assert replace(readings(), quality=()).quality == (QUALITY_GOOD,) * 2


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "...", ".a", "a.", "a" * 64, "-"])
def test_names_that_are_allowed(name: str) -> None:
    check_name(name)
    assert split_channel(f"{name}/{name}") == (name, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a" * 65,
        "a b",
        "a/b",
        "a,b",
        "a=b",
        'a"',
        "a'",
        "a\\",
        "a\n",
        "\n",
        "a\0",
        "é",
        "+",
        "#",
        "a\u202eb",
    ],
)
def test_names_that_are_not_allowed(name: str) -> None:
    assert not NAME_PATTERN.fullmatch(name)
    with pytest.raises(FrameError) as caught:
        check_name(name)
    assert caught.value.reason == "name"


def test_a_long_name_is_not_repeated_in_full() -> None:
    with pytest.raises(FrameError) as caught:
        check_name("é" * 65_536)
    assert len(str(caught.value)) < 250


def test_frames_of_both_kinds_are_told_apart() -> None:
    assert isinstance(unpack(*pack(waveform())), Waveform)
    assert isinstance(unpack(*pack(readings())), Readings)
