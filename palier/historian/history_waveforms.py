"""Raw blocks for whoever reads the history: from the folder of an ingest, or through its page."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from palier.frames import FrameError, FrameId, Waveform, unpack

from .base import Unavailable
from .folder import DataFolder
from .history_table import HistoryError, Tidy, rows_table
from .holding import of_features
from .records import RecordsReader
from .waveforms import WaveformReader, parse

ANSWER_S: Final = 30.0
"""How long a page is waited for: a block is read in milliseconds, a plant's line may be slow."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of an answer: no block is as long as 4 MB, and an index of a hundred thousand blocks takes 10 MB."""

_INDEX: Final = {"time": "time", "machine": "key", "point": "key", "frame": "text", "alarm": "1"}


class WaveformSource(Protocol):
    """Where raw blocks come from."""

    def index(
        self, site: str, machine: str, points: tuple[str, ...], start_ns: int | None, end_ns: int | None
    ) -> Tidy:
        """The kept blocks of these points: time, machine, point, frame, alarm (1: kept longer)."""
        ...

    def read(self, frame: str) -> Waveform:
        """The block of a frame "edge:epoch:seq". Raises HistorianError."""
        ...


def source_of(where: str | Path) -> WaveformSource:
    """The source for a data folder of an ingest (or its folder `waveforms`), or the address of a page."""
    text = str(where)
    if text.startswith(("http://", "https://")):
        return Page(text)
    path = Path(where)
    folder = DataFolder(path.parent if path.name == "waveforms" else path)
    if not folder.records.is_file():
        raise HistoryError(
            f"waveforms must be the data folder of an ingest, or the address of its page; {folder.path} "
            "holds no records.sqlite, which says where each block lies"
        )
    return Folder(folder)


class Folder:
    """The data folder of an ingest: `records.sqlite` knows where in `waveforms` each block lies."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def index(
        self, site: str, machine: str, points: tuple[str, ...], start_ns: int | None, end_ns: int | None
    ) -> Tidy:
        """See `WaveformSource.index`."""
        with closing(RecordsReader(self._folder.records)) as records:
            rows = [
                row
                for point in points
                for row in records.waveforms(site, machine, point, start_ns=start_ns, end_ns=end_ns)
            ]
        rows.sort(key=lambda row: (row.start_ns, row.point))
        told = [
            {"time": row.start_ns, "machine": row.machine, "point": row.point}
            | {"frame": frame_name(row.frame), "alarm": float(row.alarm)}
            for row in rows
        ]
        return rows_table("waveforms", _INDEX, told)

    def read(self, frame: str) -> Waveform:
        """See `WaveformSource.read`."""
        wanted = frame_id(frame)
        with closing(RecordsReader(self._folder.records)) as records:
            row = records.waveform(wanted)
        if row is None:
            raise _not_kept(frame)
        return WaveformReader(self._folder.waveforms).read(row.ref)


class Page:
    """The page of a plant, for who has no access to the ingest's folder. Blocks come as they lie on disk,
    with the checksum that they were stored with.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def index(
        self, site: str, machine: str, points: tuple[str, ...], start_ns: int | None, end_ns: int | None
    ) -> Tidy:
        """See `WaveformSource.index`; the page shows one site, its own."""
        rows: list[Mapping[str, Any]] = []
        for point in points:
            rows += self._of_point(machine, point, start_ns, end_ns)
        rows.sort(key=lambda row: (row["time"], row["point"]))
        return rows_table("waveforms", _INDEX, rows)

    def _of_point(
        self, machine: str, point: str, start_ns: int | None, end_ns: int | None
    ) -> list[Mapping[str, Any]]:
        """All of a point: an answer holds the newest of them, so that those before it are asked for next."""
        rows: list[Mapping[str, Any]] = []
        while True:
            asked = {"point": point, "start_ns": start_ns, "end_ns": end_ns}
            query = urlencode({name: value for name, value in asked.items() if value is not None})
            answer = self._get(f"/api/machines/{quote(machine)}/waveforms?{query}")
            some, most = self._rows(answer, machine, point)
            rows += some
            if len(some) < most:
                return rows
            end_ns = min(row["time"] for row in some)

    def read(self, frame: str) -> Waveform:
        """See `WaveformSource.read`."""
        wanted = frame_id(frame)
        where = f"the block {frame!r} of the page at {self._url}"
        try:
            told, header, body = parse(self._get(f"/api/waveforms/{quote(frame, safe='')}"), where)
            block = unpack(header, body)
        except FrameError as error:
            raise HistoryError(f"{where}: {error}") from error
        if told != wanted or not isinstance(block, Waveform):
            raise HistoryError(f"{where} is another one: {frame_name(told)!r}")
        return block

    def _rows(self, answer: bytes, machine: str, point: str) -> tuple[list[Mapping[str, Any]], int]:
        """The rows of an answer, and how many it holds at most."""
        try:
            told = json.loads(answer)
            rows: list[Mapping[str, Any]] = [
                {"time": int(row["time_ns"]), "machine": machine, "point": point}
                | {"frame": str(row["frame"]), "alarm": float(row["alarm"])}
                for row in told["waveforms"]
            ]
            return rows, max(1, int(told["most"]))
        except (KeyError, TypeError, ValueError) as error:
            raise HistoryError(
                f"{self._url} answers what no page of Palier does: check the address"
            ) from error

    def _get(self, path: str) -> bytes:
        """The body of an answer. Raises HistoryError for a refusal, Unavailable where nobody answers."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=ANSWER_S) as answer:  # noqa: S310 - http(s)
                return bytes(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                told = _sentence(error.read(4096))
            raise HistoryError(f"the page at {self._url} refuses ({error.code}): {told}") from error
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"the page at {self._url} can't be reached: {error}; check its address, and that it runs"
            ) from error


def frame_name(frame: FrameId) -> str:
    """A frame as the series name it: "edge:epoch:seq"."""
    return f"{frame.edge}:{frame.epoch}:{frame.seq}"


def frame_id(name: str) -> FrameId:
    """The identity of a frame by its name in the series. Raises HistoryError."""
    if of_features(name):
        raise HistoryError(
            f"the samples of the block {name[:80]!r} stayed at its gateway, which sent their features: ask "
            "for them on the machine's page, and `waveforms` lists them once they are here"
        )
    parts = name.rsplit(":", 2) if isinstance(name, str) else ()
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()):
        raise HistoryError(
            f'a frame must be named as the series do, "site/gateway:epoch:seq", got {str(name)[:80]!r}'
        )
    return FrameId(parts[0], parts[1], int(parts[2]))


def _not_kept(frame: str) -> HistoryError:
    return HistoryError(
        f"the block of frame {frame[:80]!r} is not kept: it was thinned away to keep to the byte budget, or "
        "never came; `waveforms` lists those that are there"
    )


def _sentence(body: bytes) -> str:
    """What a page said, on one line."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return " ".join(body.decode("utf-8", "replace").split())[:200]
