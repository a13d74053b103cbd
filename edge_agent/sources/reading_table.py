"""Slow values as agent.toml names them: the rows [[source.value]] that sources of readings have in common.

    [[source.value]]
    machine = "P-101"   # may stand in [[source]] for all of its values, as may point
    point = "2"
    channel = "T"
    unit = "°C"         # what the value is in after scale and offset; "unknown" where nobody knows
    scale = 0.1         # value = raw x scale + offset
    offset = 0.0
    low = -40.0         # outside of low and high the value is none: NaN, quality BAD, a line in the log
    high = 250.0

A row's further keys (a register, a node, a path) are the source's own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from palier.frames import QUALITY_BAD, QUALITY_GOOD, FrameError, Readings, check_name
from palier.source import ChannelBirth, Device
from palier.strict_toml import did_you_mean
from palier.table_mistakes import TableMistakes

ROWS: Final = "value"
KEYS: Final = ("machine", "point", "channel", "unit", "scale", "offset", "low", "high")
LONGEST_UNIT: Final = 16  # as `palier.frames` has it
UNKNOWN: Final = "?"  # in place of a name that is not right, while the rest of its row is looked at
SAID_AGAIN_NS: Final = 3_600 * 1_000_000_000
"""An input that comes and goes out of its range is told of once an hour, not each time."""

log = logging.getLogger(__name__)


class Told(NamedTuple):
    """One value as a device gave it: `value` raw, before scale and offset; None or NaN where it gave none.

    `place` is the row's in `ReadingTable.rows`.
    """

    place: int
    value: float | None
    time_ns: int
    quality: int = QUALITY_GOOD


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One [[source.value]]; `own` holds the keys that are the source's to judge."""

    place: int
    machine: str
    point: str
    channel: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    own: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """ "POINT/CHANNEL"."""
        return f"{self.point}/{self.channel}"

    def __str__(self) -> str:
        return f"{ROWS} {self.place + 1} ({self.machine} {self.name})"


class ReadingTable:
    """The rows of a source, and how values become frames. One thread at a time."""

    def __init__(self, rows: Iterable[ReadingRow]) -> None:
        self.rows = tuple(rows)
        self._said_ns: dict[int, int] = {}

    @classmethod
    def read(
        cls,
        table: Mapping[str, object],
        own: Collection[str] = (),
        *,
        address: Callable[[ReadingRow], Hashable] | None = None,
        scale_needed: Callable[[Mapping[str, object]], bool] = lambda _row: False,
        found: TableMistakes | None = None,
    ) -> ReadingTable:
        """The rows of a [[source]] table. Raises TableError with sentences that name the row and the key; or
        notes them in `found`, and rows that are not right hold something harmless.

        `own` are the keys of a row that the source adds; `address` gives what a row reads, which no other
        row may read, too (shown by str(); ValueError of it is noted; None: not known); `scale_needed` says
        whether a row counts in steps that mean nothing without a scale.
        """
        noted = TableMistakes() if found is None else found
        given = table.get(ROWS)
        rows = noted.read([], _rows, given)
        common = {key: table[key] for key in ("machine", "point") if key in table}
        read = [_row(place, common, one, own, scale_needed, noted) for place, one in rows]
        _each_once(read, _channel_of, lambda key: f"is channel {key}", noted)
        if address is not None:
            _each_once(read, address, lambda key: f"is read from {key}", noted)
        if found is None:
            noted.refuse()
        return cls(read)

    def devices(self) -> tuple[Device, ...]:
        """What to announce at birth: each machine with its channels."""
        machines: dict[str, list[ChannelBirth]] = {}
        for row in self.rows:
            machines.setdefault(row.machine, []).append(ChannelBirth(row.name, row.unit, "float64"))
        return tuple(Device(machine, tuple(channels)) for machine, channels in machines.items())

    def frames(self, told: Iterable[Told]) -> list[Readings]:
        """One for each machine of which something is told; channels and times of which nothing is are not in
        it. A channel's quality is that of its newest value; NaN stands for what was bad or is not told.
        """
        machines: dict[str, list[Told]] = {}
        for one in told:
            machines.setdefault(self.rows[one.place].machine, []).append(one)
        return [self._frame(machine, values) for machine, values in machines.items()]

    def _frame(self, machine: str, told: list[Told]) -> Readings:
        times = {at: column for column, at in enumerate(sorted({one.time_ns for one in told}))}
        places = {place: line for line, place in enumerate(sorted({one.place for one in told}))}
        values = np.full((len(places), len(times)), np.nan)
        quality = [QUALITY_BAD] * len(places)
        newest = [-1] * len(places)
        for one in told:
            line, row = places[one.place], self.rows[one.place]
            value = self._value(row, one)
            values[line, times[one.time_ns]] = value
            if one.time_ns >= newest[line]:
                newest[line] = one.time_ns
                quality[line] = QUALITY_BAD if math.isnan(value) else one.quality
        rows = [self.rows[place] for place in places]
        return Readings(
            machine=machine,
            channels=tuple(row.name for row in rows),
            times_ns=np.array(list(times), dtype=np.int64),
            values=values,
            unit=tuple(row.unit for row in rows),
            quality=tuple(quality),
        )

    def _value(self, row: ReadingRow, one: Told) -> float:
        """In the row's unit; NaN where there is none, it is bad, or can't be."""
        if one.value is None or one.quality == QUALITY_BAD or not math.isfinite(one.value):
            return math.nan
        value = one.value * row.scale + row.offset
        if row.low <= value <= row.high and math.isfinite(value):
            return value
        self._say_outside(row, value, one.time_ns)
        return math.nan

    def _say_outside(self, row: ReadingRow, value: float, at_ns: int) -> None:
        said_ns = self._said_ns.get(row.place)
        if said_ns is None or abs(at_ns - said_ns) >= SAID_AGAIN_NS:
            self._said_ns[row.place] = at_ns
            log.error(
                "%s must be from %g to %g %s, got %g: the sensor or its wire, or low and high are wrong; "
                "marked bad, and not told again for an hour",
                *(row, row.low, row.high, row.unit, value),
            )


def refuse_unknown_keys(table: Mapping[str, object], known: Collection[str], where: str) -> None:
    """TableError naming each key that nobody asked for, and the nearest name that there is."""
    found = TableMistakes()
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(sorted(known))})"
            found.note(f"{where}: unknown key {key!r}{hint}")
    found.refuse()


def _rows(given: object) -> list[tuple[int, Mapping[str, object]]]:
    if not isinstance(given, list) or not given:
        raise ValueError(f"at least one [[source.{ROWS}]] is needed: what to read, and of which machine")
    for place, row in enumerate(given):
        if not isinstance(row, Mapping):
            raise ValueError(f"{ROWS} {place + 1} must be a table written as [[source.{ROWS}]], got {row!r}")
    return list(enumerate(given))


def _row(  # noqa: PLR0917 - of `ReadingTable.read` alone
    place: int,
    common: Mapping[str, object],
    given: Mapping[str, object],
    own: Collection[str],
    scale_needed: Callable[[Mapping[str, object]], bool],
    found: TableMistakes,
) -> ReadingRow:
    where = f"{ROWS} {place + 1}"
    found.read(None, refuse_unknown_keys, given, {*KEYS, *own}, where)
    fields = {**common, **given}
    names = [found.read(UNKNOWN, _name, fields, key, where) for key in ("machine", "point", "channel")]
    machine, point, channel = names
    if UNKNOWN not in names:
        where = f"{where} ({machine} {point}/{channel})"
    unit = found.read("unknown", _unit, fields, where)
    row = ReadingRow(
        *(place, machine, point, channel, unit),
        scale=found.read(1.0, _scale, fields, where, needed=scale_needed(fields)),
        offset=found.read(0.0, _number, fields, "offset", 0.0, where),
        low=found.read(-math.inf, _number, fields, "low", -math.inf, where),
        high=found.read(math.inf, _number, fields, "high", math.inf, where),
        own={key: fields[key] for key in own if key in fields},
    )
    if not row.low < row.high:
        found.note(f"{where}: low must be below high, got {row.low:g} and {row.high:g}")
    return row


def _scale(fields: Mapping[str, object], where: str, *, needed: bool) -> float:
    if "scale" not in fields and needed:
        unit = fields.get("unit", "of its unit")
        raise ValueError(f"{where}: scale is missing: how many {unit} one count of it is, e.g. scale = 0.1")
    scale = _number(fields, "scale", 1.0, where)
    if scale == 0:
        raise ValueError(f"{where}: scale must not be 0: every value would be the offset")
    return scale


def _name(fields: Mapping[str, object], key: str, where: str) -> str:
    name = fields.get(key)
    if name is None:
        raise ValueError(f"{where}: {key} is missing: the {key} as plant.toml names it")
    if not isinstance(name, str):
        raise ValueError(f"{where}: {key} must be text in quotes, got {name!r}")
    try:
        check_name(name)
    except FrameError as error:
        raise ValueError(f"{where}: {key}: {error}") from error
    return name


def _unit(fields: Mapping[str, object], where: str) -> str:
    unit = fields.get("unit")
    if unit is None:
        raise ValueError(
            f'{where}: unit is missing: what the value is in, e.g. "°C", "r/min", "%", or "unknown"'
        )
    if not isinstance(unit, str) or not (0 < len(unit) <= LONGEST_UNIT and unit.isprintable()):
        raise ValueError(f"{where}: unit must be 1 to {LONGEST_UNIT} printable characters, got {unit!r}")
    return unit


def _number(fields: Mapping[str, object], key: str, default: float, where: str) -> float:
    value = fields.get(key, default)
    if key not in fields:
        return default
    try:
        if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        pass
    raise ValueError(f"{where}: {key} must be a number, got {str(value)[:60]!r}")


def _each_once(
    rows: Iterable[ReadingRow],
    of: Callable[[ReadingRow], Hashable],
    sentence: Callable[[Hashable], str],
    found: TableMistakes,
) -> None:
    met: dict[Hashable, ReadingRow] = {}
    for row in rows:
        key = found.read(None, of, row)
        if key is None:
            continue
        first = met.setdefault(key, row)
        if first is not row:
            found.note(f"{row}: {sentence(key)}, and so is {first}: take one of them away")


def _channel_of(row: ReadingRow) -> str | None:
    return None if UNKNOWN in (row.machine, row.point, row.channel) else f"{row.machine} {row.name}"
