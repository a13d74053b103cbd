"""The alarms of a site as the ingest's records have them now. Nothing is decided here, and nothing assumed:
what a person asked for is seen when the records have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from palier.alarms import Alarm, AlarmError, Life
from palier.historian.base import SchemaError
from palier.historian.records import RecordsReader

WAITING = frozenset({Life.UNACKNOWLEDGED, Life.RETURNED})
"""Lives in which an alarm waits for somebody to say that they saw it."""


@dataclass(frozen=True)
class AlarmBoard:
    """Alarms that are open, the most urgent first.

    `problem` is "absent", "unavailable", "schema" or None, as of a `Board`: with one, `open` is what was last
    read, or empty.
    """

    open: tuple[Alarm, ...] = ()
    problem: str | None = None

    @cached_property
    def waiting(self) -> int:
        """How many wait to be acknowledged."""
        return sum(is_waiting(alarm) for alarm in self.open)

    def of(self, machine: str) -> tuple[Alarm, ...]:
        """The open alarms of a machine, the most urgent first."""
        return self._by_machine.get(machine, ())

    @cached_property
    def _by_machine(self) -> dict[str, tuple[Alarm, ...]]:
        found: dict[str, tuple[Alarm, ...]] = {}
        for alarm in self.open:
            found[alarm.key.machine] = (*found.get(alarm.key.machine, ()), alarm)
        return found


def is_waiting(alarm: Alarm) -> bool:
    """Whether it waits for somebody to say that they saw it."""
    return alarm.life in WAITING


NO_ALARMS: Final = AlarmBoard()


class AlarmsReader:
    """Reads the alarms of one site; keeps those whose row has not changed."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._known: dict[str, tuple[str, Alarm]] = {}

    def read(self, records: RecordsReader) -> tuple[Alarm, ...]:
        """The open alarms, the most urgent first. Raises HistorianError."""
        return urgent_first(alarm for alarm in self.all(records) if alarm.is_open)

    def all(self, records: RecordsReader) -> tuple[Alarm, ...]:
        """Every alarm that ever was, as it is now. Raises HistorianError."""
        rows = {row.id: row.value for row in records.alarms() if row.site == self._site}
        self._known = {name: (value, self._alarm(name, value)) for name, value in rows.items()}
        return tuple(alarm for _, alarm in self._known.values())

    def _alarm(self, name: str, value: str) -> Alarm:
        known = self._known.get(name)
        if known is not None and known[0] == value:
            return known[1]
        try:
            return Alarm.from_json(value)
        except AlarmError as error:
            raise SchemaError(f"the records hold an alarm of another version of Palier: {error}") from error


def urgent_first(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Alarms in the order of a list."""
    return tuple(sorted(alarms, key=lambda alarm: alarm.urgency))
