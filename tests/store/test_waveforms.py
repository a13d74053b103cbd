"""Waveform segments: what is synced is read back, what is torn or unknown is recognised."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.historian import waveforms
from palier.historian.base import Unavailable
from palier.historian.waveforms import Cut, WaveformError, WaveformReader, WaveformRef, WaveformStore, parse
from tests.support.stores import frame_id, waveform

SMALL_BUDGET = 8 * 2000
"""Segments of 2,000 bytes: a few records of `waveform()` each."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "waveforms"


@pytest.fixture
def store(folder: Path) -> Iterator[WaveformStore]:
    opened = WaveformStore(folder, SMALL_BUDGET)
    yield opened
    opened.close()


def fill(store: WaveformStore, n: int) -> list[WaveformRef]:
    refs = [store.append(frame_id(k), waveform(k, value=k)) for k in range(n)]
    store.sync()
    return refs


def ends(refs: list[WaveformRef]) -> dict[int, int]:
    found: dict[int, int] = {}
    for ref in refs:
        found[ref.segment] = max(found.get(ref.segment, 0), ref.offset + ref.length)
    return found


def test_a_waveform_comes_back_as_it_was(store: WaveformStore, folder: Path) -> None:
    frame = waveform(123, value=-7)
    ref = store.append(frame_id(1), frame)
    store.sync()
    back = WaveformReader(folder).read(ref)
    np.testing.assert_array_equal(back.samples, frame.samples)
    assert (back.machine, back.point, back.channels, back.start_ns) == ("pompe-1", "palier-1", ("x",), 123)
    assert (back.scale, back.unit, back.fs_hz, back.speed_rpm) == ((0.01,), ("m/s2",), 25_600.0, None)


def test_segments_are_closed_when_full_and_all_is_found_again(store: WaveformStore, folder: Path) -> None:
    refs = fill(store, 20)
    assert len({ref.segment for ref in refs}) > 2
    assert max(store.sizes.values()) <= SMALL_BUDGET // 8
    reader = WaveformReader(folder)
    assert [int(reader.read(ref).samples[0, 0]) for ref in refs] == list(range(20))


def test_a_block_larger_than_a_segment_has_one_of_its_own(store: WaveformStore) -> None:
    fill(store, 1)
    big = store.append(frame_id(50), waveform(0, n=4096))
    after = store.append(frame_id(51), waveform(0))
    assert big.offset == after.offset == 0
    assert store.read(big).samples.shape == (1, 4096)


def test_a_segment_tells_whose_its_records_are(store: WaveformStore) -> None:
    (ref,) = fill(store, 1)
    identity, _, _ = parse(store.read_bytes(ref), "here")
    assert identity == frame_id(0)


def test_a_store_goes_on_where_the_last_one_ended(store: WaveformStore, folder: Path) -> None:
    first = fill(store, 2)
    store.close()
    again = WaveformStore(folder, SMALL_BUDGET)
    assert again.cut_tails(ends(first)) == Cut()
    ref = again.append(frame_id(9), waveform(0, value=9))
    again.close()
    assert (ref.segment, ref.offset) == (first[-1].segment, first[-1].offset + first[-1].length)
    assert [int(WaveformReader(folder).read(r).samples[0, 0]) for r in (*first, ref)] == [0, 1, 9]


def test_the_tail_of_a_commit_that_never_happened_is_cut(store: WaveformStore, folder: Path) -> None:
    refs = fill(store, 3)
    orphan = store.append(frame_id(99), waveform(0))
    store.close()
    again = WaveformStore(folder, SMALL_BUDGET)
    assert again.cut_tails(ends(refs)) == Cut(truncated_bytes=orphan.length)
    assert again.append(frame_id(100), waveform(0)).offset == orphan.offset
    again.close()


def test_a_segment_the_records_dropped_is_deleted(store: WaveformStore, folder: Path) -> None:
    refs = fill(store, 20)
    known = {segment: end for segment, end in ends(refs).items() if segment >= 2}
    store.close()
    again = WaveformStore(folder, SMALL_BUDGET)
    assert again.cut_tails(known).deleted == (0, 1)
    assert set(again.sizes) == set(known)
    with pytest.raises(WaveformError, match="thinned away"):
        again.read(refs[0])


def test_without_any_record_segments_are_set_aside_not_deleted(store: WaveformStore, folder: Path) -> None:
    fill(store, 10)
    store.close()
    again = WaveformStore(folder, SMALL_BUDGET)
    aside = again.cut_tails({}).set_aside
    assert aside
    assert all(path.exists() for path in aside)
    assert again.sizes == {}
    ref = again.append(frame_id(1), waveform(0))
    again.close()
    assert again.read(ref).start_ns == 0


def record_bytes() -> bytes:
    """A record as it lies on disk."""
    record = waveforms._record(frame_id(1), waveform(5))
    return record.head + record.body


@given(st.data())
def test_any_damaged_byte_is_noticed(data: st.DataObject) -> None:
    record = bytearray(record_bytes())
    place = data.draw(st.integers(0, len(record) - 1))
    record[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WaveformError, match="damaged"):
        parse(bytes(record), "the record")


@given(st.integers(0, 400))
def test_any_torn_end_is_noticed(length: int) -> None:
    record = record_bytes()
    with pytest.raises(WaveformError):
        parse(record[: min(length, len(record) - 1)], "the record")


def test_a_failed_write_leaves_the_end_where_it_was(
    store: WaveformStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = fill(store, 1)
    whole = os.writev

    def half_then_full(file: int, parts: Sequence[bytes]) -> int:
        monkeypatch.setattr(os, "writev", no_space)
        return whole(file, [parts[0][:20]])

    def no_space(file: int, parts: Sequence[bytes]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", half_then_full)
    with pytest.raises(Unavailable, match="No space left"):
        store.append(frame_id(2), waveform(0))
    monkeypatch.setattr(os, "writev", whole)
    ref = store.append(frame_id(3), waveform(0, value=3))
    assert ref.offset == before.offset + before.length
    assert int(store.read(ref).samples[0, 0]) == 3


def test_bytes_that_a_failed_write_leaves_behind_move_no_later_record(
    store: WaveformStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.writev

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:

        def half_then_fail(file: int, parts: Sequence[bytes]) -> int:
            patch.setattr(os, "writev", fail)
            return whole(file, [parts[0][:20]])

        patch.setattr(os, "writev", half_then_fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(Unavailable, match="Input/output error"):
            store.append(frame_id(1), waveform(0))
    ref = store.append(frame_id(2), waveform(0, value=2))
    assert int(store.read(ref).samples[0, 0]) == 2


def test_several_are_written_as_one_by_one_would_be(store: WaveformStore, folder: Path) -> None:
    """Also across the end of a segment, and where a call of the system takes only some bytes."""
    one_by_one = WaveformStore(folder.with_name("other"), SMALL_BUDGET)
    frames = [(frame_id(k), waveform(k, value=k)) for k in range(20)]
    refs = store.append_all(frames)
    assert refs == [one_by_one.append(*frame) for frame in frames]
    assert len({ref.segment for ref in refs}) > 1
    assert [int(store.read(ref).samples[0, 0]) for ref in refs] == list(range(20))
    assert store.append_all([]) == []
    one_by_one.close()


def test_a_call_that_takes_less_is_gone_on_with(
    store: WaveformStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.writev

    def some(file: int, parts: Sequence[bytes]) -> int:
        joined = b"".join(parts)
        return whole(file, [joined[: max(1, min(len(joined), 777))]])

    monkeypatch.setattr(os, "writev", some)
    refs = store.append_all([(frame_id(k), waveform(k, value=k)) for k in range(5)])
    assert [int(store.read(ref).samples[0, 0]) for ref in refs] == list(range(5))


def test_where_bytes_of_the_index_are_gone_no_other_waveform_comes_to_lie(
    store: WaveformStore, folder: Path
) -> None:
    refs = fill(store, 2)
    store.close()
    for segment in folder.iterdir():
        segment.unlink()
    again = WaveformStore(folder, SMALL_BUDGET)
    again.cut_tails(ends(refs))
    ref = again.append(frame_id(9), waveform(0, value=9))
    again.close()
    assert ref.segment > refs[-1].segment
    with pytest.raises(WaveformError, match="thinned away"):
        again.read(refs[0])


def test_after_a_failed_sync_a_new_segment_begins(
    store: WaveformStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = store.append(frame_id(1), waveform(0))

    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable, match="made durable"):
            store.sync()
    again = store.append(frame_id(1), waveform(0))
    assert again.segment == lost.segment + 1


def test_sync_is_fsync(store: WaveformStore, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store.append(frame_id(1), waveform(0))
    assert len(synced) == 1  # the folder: a new file's name
    store.sync()
    store.sync()
    assert len(synced) == 2


def test_a_full_segment_is_durable_before_the_next_begins(
    store: WaveformStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit may begin in one segment and end in the next; its `sync` reaches only the open one."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    first = store.append(frame_id(0), waveform(0))
    while store.append(frame_id(1), waveform(0)).segment == first.segment:
        continue
    assert (folder / f"{first.segment:08d}.wave").stat().st_ino in synced


def test_a_folder_that_can_not_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="can't be opened"):
        WaveformStore(tmp_path / "file" / "waveforms")
