"""Tables kept as Parquet, which needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .extras import how_to_install
from .recording_formats import RecordingError


def read_columns(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The columns by name: numbers, times, or text where they are neither. Raises RecordingError."""
    pa, pq = _pyarrow()
    try:
        table = pq.read_table(path)
        columns = {name: table.column(name) for name in table.schema.names}
        return {name: _column(pa, column) for name, column in columns.items()}
    except (pa.ArrowException, OSError) as error:
        raise RecordingError(f"{path}: is no Parquet file: {error}") from error


def write_columns(path: Path, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write columns of one length. Raises RecordingError where pyarrow is not installed, OSError."""
    pa, pq = _pyarrow()
    pq.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), path)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RecordingError(
            f"Parquet needs pyarrow, which is not installed: {how_to_install('parquet')}"
        ) from error
    return pa, pq


def _column(pa: Any, column: Any) -> npt.NDArray[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return np.asarray(column.cast(pa.timestamp("ms")).to_numpy(), dtype="datetime64[ms]")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy())
    return np.array(["" if cell is None else str(cell) for cell in column.to_pylist()], dtype=str)
