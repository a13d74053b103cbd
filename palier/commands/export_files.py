"""Files that `palier export` writes, piece by piece: CSV with its units beside it, Parquet with them inside.

Both are for programs: times are ISO 8601 of UTC to the nanosecond, decimals have a dot, what is not known is
an empty cell, in Parquet null. A file appears under its name when it is whole, and not before.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from palier.extras import how_to_install, missing
from palier.historian.history_table import Tidy
from palier.options import USAGE, CommandError

if TYPE_CHECKING:
    import pyarrow as pa

CSV: Final = (".csv", ".csv.gz")
PARQUET: Final = ".parquet"
GZIP_LEVEL: Final = 6
"""gzip's own default: level 9 takes three times as long for some percent."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a file says of itself: measurement and site, and of each column what it is (`docs`), its unit
    where it has one, and whether it holds whole numbers.
    """

    measurement: str
    site: str
    docs: Mapping[str, str]
    units: Mapping[str, str]
    whole: frozenset[str] = frozenset()


class TableFile(Protocol):
    """A file that is being written."""

    def write(self, piece: Tidy) -> None:
        """Rows more, of the same columns."""
        ...


def check_name(path: Path) -> None:
    """Refuse a file of another kind, and Parquet where it can't be written. Raises CommandError."""
    if path.name.endswith(PARQUET):
        if missing("parquet"):
            raise CommandError(
                f"Parquet needs pyarrow, which is not installed: {how_to_install('parquet')}, or give "
                "FILE.csv.gz"
            )
    elif not path.name.endswith(CSV):
        raise CommandError(
            f"the file must be FILE.csv, FILE.csv.gz or FILE.parquet, got {str(path)!r}", USAGE
        )


def units_file(path: Path) -> Path:
    """Where the units of a CSV stand."""
    return path.with_name(f"{path.name}.units.json")


@contextmanager
def writing(path: Path, heading: Heading) -> Iterator[TableFile]:
    """A file that takes its name, and the place of an older one, when the block ends without an error.

    Raises OSError.
    """
    if path.name.endswith(PARQUET):
        with _in_its_place(path) as part, part.open("wb") as file:
            parquet = _Parquet(file, heading)
            yield parquet
            parquet.close()
        return
    with _in_its_place(path) as part:
        with _text(part, zipped=path.name.endswith(".gz")) as text:
            yield _Csv(text, heading)
        with _in_its_place(units_file(path)) as beside:
            beside.write_text(_units_text(heading), "utf-8")


@contextmanager
def _in_its_place(path: Path) -> Iterator[Path]:
    """A file beside it to be written, which then takes its place; after an error nothing is left of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def _text(path: Path, *, zipped: bool) -> Iterator[io.TextIOBase]:
    """UTF-8 with the line ends of RFC 4180. A gzip has no time in it: the same rows, the same bytes."""
    if not zipped:
        with path.open("w", encoding="utf-8", newline="") as text:
            yield text
        return
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", newline="") as text,
    ):
        yield text


class _Csv:
    """RFC 4180 with a header, UTF-8."""

    def __init__(self, text: io.TextIOBase, heading: Heading) -> None:
        self._writer = csv.writer(text)
        self._writer.writerow(heading.docs)
        self._whole = heading.whole

    def write(self, piece: Tidy) -> None:
        """See `TableFile.write`."""
        cells = [_cells(column, whole=name in self._whole) for name, column in piece.columns.items()]
        self._writer.writerows(zip(*cells, strict=True))


class _Parquet:
    """Parquet with a row group a piece; unit and doc of a column stand in the metadata of its field."""

    def __init__(self, file: io.BufferedWriter, heading: Heading) -> None:
        self._file, self._heading = file, heading
        self._writer: Any = None

    def write(self, piece: Tidy) -> None:
        """See `TableFile.write`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrays = [_array(column, whole=name in self._heading.whole) for name, column in piece.columns.items()]
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._schema(piece, arrays), compression="zstd")
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._writer.schema))

    def close(self) -> None:
        """Write the footer; nothing without a piece."""
        if self._writer is not None:
            self._writer.close()

    def _schema(self, piece: Tidy, arrays: list[pa.Array]) -> pa.Schema:
        import pyarrow as pa

        heading = self._heading
        fields = [
            pa.field(
                name, array.type, metadata={"unit": heading.units.get(name, ""), "doc": heading.docs[name]}
            )
            for name, array in zip(piece.names, arrays, strict=True)
        ]
        return pa.schema(fields, metadata={"measurement": heading.measurement, "site": heading.site})


def _units_text(heading: Heading) -> str:
    columns = {name: {"unit": heading.units.get(name, ""), "doc": doc} for name, doc in heading.docs.items()}
    told = {
        "measurement": heading.measurement,
        "site": heading.site,
        "time": "ISO 8601, UTC",
        "columns": columns,
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _cells(column: npt.NDArray[Any], *, whole: bool) -> list[Any]:
    """The texts of a column; numbers with the fewest digits that give them back."""
    if column.dtype.kind == "M":
        told = np.datetime_as_string(column, unit="ns", timezone="UTC")
        return list(np.where(np.isnat(column), "", told).tolist())
    if column.dtype.kind != "f":
        return list(column.tolist())
    known = np.isfinite(column)
    if whole:
        return [
            int(v) if is_known else "" for v, is_known in zip(column.tolist(), known.tolist(), strict=True)
        ]
    digits = list((column.astype(np.str_) if column.dtype == np.float32 else column).tolist())
    return digits if known.all() else [v if k else "" for v, k in zip(digits, known.tolist(), strict=True)]


def _array(column: npt.NDArray[Any], *, whole: bool) -> pa.Array:
    """As Parquet's own types; what is not known is null."""
    import pyarrow as pa

    if column.dtype.kind == "M":
        return pa.array(column.astype(np.int64), pa.timestamp("ns", tz="UTC"), mask=np.isnat(column))
    if column.dtype.kind != "f":
        return pa.array(column.tolist(), pa.string())
    unknown = ~np.isfinite(column)
    if whole:
        return pa.array(np.where(unknown, 0, column).astype(np.int64), mask=unknown)
    return pa.array(column, mask=unknown)
