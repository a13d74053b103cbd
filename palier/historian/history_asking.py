"""What is asked of the history, looked at before it is read: times, names, columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from palier.strict_toml import did_you_mean

from .base import SchemaError
from .history_table import HistoryError
from .schema import Field, Measurement, measurement

Moment = datetime | str | int | np.datetime64
"""A time: an aware datetime, ISO 8601 text (of UTC where it names no zone), ns since 1970 UTC, or a
datetime64 of UTC."""

Names = str | Sequence[str] | None
"""One name, several, or None for all."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows of one measurement: `machines` one after the other, `point` and `channel` None for any; times with
    start <= t < end, None without a bound. `newest_ns` is the time of the newest such row of each machine
    that has any.
    """

    measurement: Measurement
    fields: tuple[Field, ...]
    machines: tuple[str, ...]
    point: str | None
    channel: str | None
    start_ns: int | None
    end_ns: int | None
    newest_ns: Mapping[str, int]


def moment_ns(what: str, moment: Moment | None) -> int | None:
    """The time in ns since 1970 UTC, None for None. Raises HistoryError."""
    if moment is None:
        return None
    if isinstance(moment, int | np.integer) and not isinstance(moment, bool):
        return int(moment)
    if isinstance(moment, np.datetime64) and not np.isnat(moment):
        return int(moment.astype("M8[ns]").astype(np.int64))
    told = _told(moment) if isinstance(moment, str) else moment
    if not isinstance(told, datetime):
        raise HistoryError(
            f"{what} must be a time: an aware datetime, text like 2026-11-01T06:00 (UTC), or ns since 1970; "
            f"got {str(moment)[:60]!r}"
        )
    if told.tzinfo is None:
        raise HistoryError(
            f"{what} must say its time zone, got {told.isoformat()}: give it tzinfo=UTC, or write it as text"
        )
    return (told - _EPOCH) // _MICROSECOND * 1000


def _told(text: str) -> datetime | None:
    """The time of an ISO 8601 text, of UTC where it names no zone; None for any other text."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def period(start: Moment | None, end: Moment | None) -> tuple[int | None, int | None]:
    """(start, end) in ns. Raises HistoryError for a time that is none, and for an end before its start."""
    start_ns, end_ns = moment_ns("start", start), moment_ns("end", end)
    if start_ns is not None and end_ns is not None and end_ns <= start_ns:
        raise HistoryError(f"the period is empty: end ({end}) must be later than start ({start})")
    return start_ns, end_ns


def of_measurement(name: str) -> Measurement:
    """The measurement of that name. Raises SchemaError with what there is."""
    try:
        return measurement(name)
    except SchemaError as error:
        raise HistoryError(str(error)) from None


def fields_of(table: Measurement, columns: Sequence[str] | None) -> tuple[Field, ...]:
    """The fields that are meant, all for None, each once. Raises HistoryError."""
    if columns is None:
        return table.fields
    wanted = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
    return tuple(table.field(_known("column", name, table.names, f"{table.name!r}")) for name in wanted)


def names_of(what: str, names: Names, known: Collection[str], where: str) -> tuple[str, ...]:
    """The names that are meant, all known ones for None. Raises HistoryError for one that is not known."""
    if names is None:
        return tuple(sorted(known))
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    return tuple(_known(what, name, sorted(known), where) for name in wanted)


def _known(what: str, name: object, known: Iterable[str], where: str) -> str:
    known = list(known)
    if isinstance(name, str) and name in known:
        return name
    told = ", ".join(known[:40]) or "none yet"
    near = did_you_mean(str(name), known) or f"; there are {told}"
    raise HistoryError(f"{where} has no {what} {str(name)[:80]!r}{near}")
