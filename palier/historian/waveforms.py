"""Waveforms on disk: append-only segment files, their index in the records.

A record is a head (magic, crc32 of the rest, three lengths), the frame's identity as JSON, and the two parts
that `palier.frames.pack` gives. So a torn end is recognised, and a segment can be read without the records.

Order of a commit: append, sync, then the records. What the records do not know is the tail of a commit that
never happened; `cut_tails` takes it away at start.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from palier.frames import FrameError, FrameId, Waveform, unpack, waveform_header

from .base import HistorianError, Unavailable
from .space import Space

DEFAULT_BUDGET_BYTES: Final = 8 * 1024**3
"""About 340,000 blocks of three channels x 4096 int16: ten points, one block a minute, three weeks."""

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Where a segment ends: large enough that one file holds thousands of blocks, small enough that thinning,
which works on whole segments, rewrites little at a time."""

SEGMENTS_AT_LEAST: Final = 8
"""A small budget is cut into at least so many segments, or thinning would take half of it at once."""

RECORDS_AT_ONCE: Final = 500
"""In one call of the system, two parts each: Linux takes 1,024."""

_HEAD: Final = struct.Struct("<4sIIII")
_MAGIC: Final = b"PLW1"
_SEGMENT_NAMES: Final = "[0-9]" * 8 + ".wave"


class WaveformError(HistorianError):
    """This waveform can't be read any more: it was thinned away, or its bytes are damaged."""


@dataclass(frozen=True, slots=True)
class WaveformRef:
    """Where a waveform lies: segment number, offset in it, length in bytes."""

    segment: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What `cut_tails` did: bytes cut from segment ends, segments deleted, segments set aside."""

    truncated_bytes: int = 0
    deleted: tuple[int, ...] = ()
    set_aside: tuple[Path, ...] = ()


class WaveformReader:
    """Reads waveforms that another process writes. Makes nothing, changes nothing; any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, ref: WaveformRef) -> Waveform:
        """The waveform, its samples a read-only view. Raises WaveformError or Unavailable."""
        _, header, body = parse(self.read_bytes(ref), self._where(ref))
        try:
            frame = unpack(header, body)
        except FrameError as error:
            raise WaveformError(f"{self._where(ref)}: {error}") from error
        if not isinstance(frame, Waveform):
            raise WaveformError(f"{self._where(ref)} must be a waveform, it is a table of readings")
        return frame

    def read_bytes(self, ref: WaveformRef) -> bytes:
        """The record as it lies on disk, not checked. Raises WaveformError or Unavailable."""
        try:
            with self._path(ref.segment).open("rb") as file:
                file.seek(ref.offset)
                return file.read(ref.length)
        except FileNotFoundError:
            raise WaveformError(
                f"{self._where(ref)} is not there any more: it was thinned away to keep to the byte budget"
            ) from None
        except OSError as error:
            raise Unavailable(f"{self._where(ref)} can't be read now: {error.strerror}") from error

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:08d}.wave"

    def _where(self, ref: WaveformRef) -> str:
        return f"the waveform at {self._path(ref.segment)}, byte {ref.offset}"


class WaveformStore(WaveformReader):
    """The ingest's own: the only writer, one thread at a time. Call `cut_tails` before the first `append`."""

    def __init__(
        self, folder: Path, budget_bytes: int = DEFAULT_BUDGET_BYTES, space: Space | None = None
    ) -> None:
        """`space` is asked before blocks are written; without it the disk itself refuses."""
        super().__init__(folder)
        self.budget_bytes = budget_bytes
        self._space = space
        self._segment_bytes = min(SEGMENT_BYTES, budget_bytes // SEGMENTS_AT_LEAST)
        with self._disk("be opened"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sizes = {int(path.stem): path.stat().st_size for path in folder.glob(_SEGMENT_NAMES)}
        self._file: int | None = None
        self._segment = max(self._sizes, default=0)
        self._unsynced = False

    @property
    def sizes(self) -> Mapping[int, int]:
        """Bytes of each segment."""
        return dict(self._sizes)

    @property
    def open_segment(self) -> int:
        """The segment that is written to."""
        return self._segment

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(self._sizes.values())

    @property
    def over_budget(self) -> bool:
        """Whether `palier.historian.thinning.thin` has work to do."""
        return self.size_bytes > self.budget_bytes

    def append(self, frame_id: FrameId, frame: Waveform) -> WaveformRef:
        """Write a waveform at the end; durable after `sync`.

        Raises Unavailable: append again all that came since the last `sync` that succeeded.
        """
        return self._append([_record(frame_id, frame)])[0]

    def append_all(self, frames: Sequence[tuple[FrameId, Waveform]]) -> list[WaveformRef]:
        """Write several, in as few calls of the system as there are segments; else as `append`.

        Raises NotKept where the disk is short: these waveforms are given up, what they belong to is not.
        """
        if self._space is not None:
            self._space.check()
        records = [_record(frame_id, frame) for frame_id, frame in frames]
        refs: list[WaveformRef] = []
        while len(refs) < len(records):
            refs += self._append(records[len(refs) :])
        return refs

    def append_bytes(self, record: bytes) -> WaveformRef:
        """Write a whole record as `read_bytes` gave it; else as `append`."""
        return self._append([_Record(record, b"", len(record))])[0]

    def _append(self, records: Sequence[_Record]) -> list[WaveformRef]:
        """Write the first of these records, and those behind it that the segment has room for."""
        with self._disk("be written"):
            file = self._open_for(records[0].length)
            offset = end = os.fstat(file).st_size  # not what was counted: a failed write may have left bytes
            refs: list[WaveformRef] = []
            for record in records[:RECORDS_AT_ONCE]:
                if refs and end + record.length > self._segment_bytes:
                    break
                refs.append(WaveformRef(self._segment, end, record.length))
                end += record.length
            try:
                _write_all(
                    file, [part for record in records[: len(refs)] for part in record[:2] if len(part)]
                )
            except OSError:
                with suppress(OSError):  # what stays behind belongs to no record
                    os.ftruncate(file, offset)
                raise
        self._sizes[self._segment] = end
        self._unsynced = True
        return refs

    def sync(self) -> None:
        """Make all that was appended survive a power cut.

        Raises Unavailable: what was appended since the last sync must be appended again. A second fsync of
        the same file could succeed without having written it, so the next append begins a new segment.
        """
        if self._file is None or not self._unsynced:
            return
        self._unsynced = False
        try:
            with self._disk("be made durable"):
                os.fsync(self._file)
        except Unavailable:
            self.close()
            self._segment += 1
            raise

    def cut_tails(self, ends: Mapping[int, int]) -> Cut:
        """At start, with `Records.segment_ends()`: cut what the records do not know.

        A whole unknown segment is what thinning or a crash left, and goes. Only where the records know no
        waveform at all (they were lost, or begun anew) are segments renamed `*.aside` and kept for a person.
        """
        self.close()
        unknown = sorted(set(self._sizes) - set(ends))
        truncated = 0
        with self._disk("be cut"):
            for segment, end in ends.items():
                size = self._sizes.get(segment, 0)
                if size > end:
                    os.truncate(self._path(segment), end)
                    self._sizes[segment] = end
                    truncated += size - end
            lost = [segment for segment, end in ends.items() if self._sizes.get(segment, 0) < end]
            # Where the index points at bytes that are gone, others must never come to lie.
            self._segment = max((self._segment, *(segment + 1 for segment in lost)))
            if ends:
                self.delete(unknown)
                return Cut(truncated, deleted=tuple(unknown))
            aside = tuple(self._set_aside(segment) for segment in unknown)
        return Cut(truncated, set_aside=aside)

    def delete(self, segments: list[int] | tuple[int, ...]) -> None:
        """Delete whole segments, never the open one. Raises Unavailable."""
        with self._disk("be deleted"):
            for segment in segments:
                self._path(segment).unlink(missing_ok=True)
                self._sizes.pop(segment, None)

    def close(self) -> None:
        """Let go of the open segment. Closing twice is allowed."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _open_for(self, length: int) -> int:
        """The open segment's descriptor at its end; a new segment where this one is full."""
        size = self._sizes.get(self._segment, 0)
        if self._file is not None and (size == 0 or size + length <= self._segment_bytes):
            return self._file
        self.sync()
        self.close()
        if size and size + length > self._segment_bytes:
            self._segment += 1
        self._file = os.open(self._path(self._segment), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sizes[self._segment] = os.fstat(self._file).st_size
        _sync_folder(self._folder)
        return self._file

    def _set_aside(self, segment: int) -> Path:
        path = self._path(segment)
        aside = path.with_suffix(".wave.aside")
        path.rename(aside)
        del self._sizes[segment]
        return aside

    @contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"the waveforms in {self._folder} can't {what}: {error.strerror}; "
                "check the disk's space and rights"
            ) from error


def parse(record: bytes, where: str) -> tuple[FrameId, bytes, bytes]:
    """(identity, header, body) of a record as it lies on disk. Raises WaveformError."""
    try:
        magic, crc, n_id, n_header, n_body = _HEAD.unpack_from(record)
    except struct.error:
        raise WaveformError(f"{where} is cut short: {len(record)} bytes are left") from None
    rest = memoryview(record)[_HEAD.size :]
    if magic != _MAGIC or len(rest) != n_id + n_header + n_body or zlib.crc32(rest) != crc:
        raise WaveformError(f"{where} is damaged: its checksum or its lengths do not fit its bytes")
    try:
        edge, epoch, seq = json.loads(bytes(rest[:n_id]))
        frame_id = FrameId(edge, epoch, seq)
    except (TypeError, ValueError, RecursionError):
        raise WaveformError(f"{where} is damaged: its identity can't be read") from None
    return frame_id, bytes(rest[n_id : n_id + n_header]), bytes(rest[n_id + n_header :])


class _Record(NamedTuple):
    """A record in two parts, so that samples are not copied to be written."""

    head: bytes
    body: bytes | memoryview
    length: int


def _record(frame_id: FrameId, frame: Waveform) -> _Record:
    header, body = waveform_header(frame), _bytes_of(frame.samples)
    identity = json.dumps([frame_id.edge, frame_id.epoch, frame_id.seq]).encode()
    crc = zlib.crc32(body, zlib.crc32(header, zlib.crc32(identity)))
    head = b"".join((_HEAD.pack(_MAGIC, crc, len(identity), len(header), len(body)), identity, header))
    return _Record(head, body, len(head) + len(body))


def _bytes_of(samples: npt.NDArray[np.generic]) -> memoryview:
    """What `tobytes` gives, without a copy where rows lie one behind the other."""
    return np.ascontiguousarray(samples).reshape(-1).view(np.uint8).data


def _write_all(file: int, parts: Sequence[bytes | memoryview]) -> None:
    """Write the parts one behind the other; a call that wrote less than all is gone on with."""
    written = os.writev(file, parts)
    if written == sum(map(len, parts)):
        return
    rest = [memoryview(part) for part in parts]
    while rest:
        done = rest[0][:written]
        written -= len(done)
        if len(done) < len(rest[0]):
            rest[0] = rest[0][len(done) :]
            written = os.writev(file, rest)
        else:
            rest.pop(0)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
