"""What the ingest does for the long run when nothing else waits: hourly rows, and letting go of old rows.

Each turn is a little work, and at least four times as long as it took belongs to the frames again. A store
that is down postpones it: the marks in the records say what is still to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

from palier.historian.base import Historian, HistorianError, Rows, WriteReport
from palier.historian.rows import HOUR_NS, DirtyHour
from palier.historian.schema import RAW_DAYS

from .failpoints import Failpoints
from .hourly import HOURLY, fields_of, hour_rows, worth_writing

GRACE_NS: Final = 300 * 10**9
"""After the end of an hour its last blocks are still on their way: some seconds of acquisition, 30 s to be
sent as live ones, readings once a minute. What comes later has the hour computed once more."""

TURN_S: Final = 0.02  # a turn takes no further hour after so long: what a commit may have to wait
REST: Final = 4  # times as long as a turn took nothing is done
LOOK_S: Final = 1.0  # how often it is asked whether there is something to do
RETRY_S: Final = 30.0  # after a store failed
ROOM_S: Final = 60.0  # how often the byte budgets are looked at while they hold
HOURS_AT_ONCE: Final = 50
"""Hours looked at in a turn: hours without rows take well below a millisecond each."""

DAY_NS: Final = 24 * HOUR_NS
MARGIN_NS: Final = DAY_NS
"""A server lets go of whole groups of hours, and by its own clock."""

log = structlog.get_logger(__name__)


class HoursKept(Protocol):
    """What the upkeep needs of the records."""

    def dirty_hours(self, before_ns: int, limit: int) -> tuple[DirtyHour, ...]:
        """The newest hours that wait for their hourly rows and start before a time."""
        ...

    def forget_hours(self, hours: Iterable[DirtyHour]) -> None:
        """The hourly rows of these hours are durable."""
        ...


class Upkeep:
    """Works in turns, in the one thread that commits: what a turn reads of an hour is all that was marked."""

    def __init__(
        self,
        historian: Historian,
        records: HoursKept,
        failpoints: Failpoints | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        make_room: Callable[[int], int] | None = None,
    ) -> None:
        """`make_room` takes a step towards the byte budgets at a plant time, and tells how many rows went."""
        self._make_room = make_room or (lambda plant_ns: 0)
        self._room_at_s = monotonic_s()
        self._historian = historian
        self._records = records
        self._failpoints = failpoints or Failpoints()
        self._monotonic_s = monotonic_s
        self._not_before_s = monotonic_s()
        self._expired_ns: int | None = None  # plant time when nothing too old was left

    def turn(self, plant_ns: int) -> None:
        """A bounded step at a plant time (ns): hours that are closed, or else old rows once a day.

        Never raises for a store: hourly rows are no reason to stop storing frames.
        """
        began_s = self._monotonic_s()
        if began_s < self._not_before_s:
            return
        try:
            worked = self._hours(plant_ns, began_s + TURN_S) or self._expire(plant_ns) or self._room(plant_ns)
        except HistorianError as error:
            log.warning("upkeep_postponed", error=str(error))
            self._not_before_s = self._monotonic_s() + RETRY_S
            return
        ended_s = self._monotonic_s()
        self._not_before_s = ended_s + (REST * (ended_s - began_s) if worked else LOOK_S)

    def _hours(self, plant_ns: int, until_s: float) -> bool:
        """Write hourly rows of the oldest closed hours; whether there was one."""
        closed = self._records.dirty_hours(plant_ns - HOUR_NS - GRACE_NS + 1, HOURS_AT_ONCE)
        done: list[DirtyHour] = []
        found: list[Rows] = []
        for hour in closed:
            found += self._rows_of(hour, plant_ns)
            done.append(hour)
            if self._monotonic_s() >= until_s:
                break
        if found:
            _tell(self._historian.write(found))
        if done:
            self._failpoints.reach("before_hours_forgotten")
            self._records.forget_hours(done)
        return bool(done)

    def _rows_of(self, hour: DirtyHour, plant_ns: int) -> list[Rows]:
        """The hourly rows of an hour that are worth writing."""
        start_ns, end_ns = hour.start_ns, hour.start_ns + HOUR_NS
        old = start_ns < plant_ns - RAW_DAYS * DAY_NS + MARGIN_NS
        found = []
        for name in HOURLY:
            raw = self._historian.read(
                name, fields_of(name), site=hour.site, machine=hour.machine, start_ns=start_ns, end_ns=end_ns
            )
            if not len(raw):
                continue
            kept = self._historian.read(
                f"{name}_hourly",
                ("blocks",),
                site=hour.site,
                machine=hour.machine,
                start_ns=start_ns,
                end_ns=end_ns,
            )
            rows = hour_rows(name, raw, site=hour.site, hour_ns=start_ns)
            found.append(worth_writing(rows, kept, raw_may_be_gone=old))
        return [rows for rows in found if len(rows)]

    def _expire(self, plant_ns: int) -> bool:
        """Let go of rows that are kept no longer; only when no hour waits for them. Whether some went."""
        last_ns = self._expired_ns
        if last_ns is not None and 0 <= plant_ns - last_ns < DAY_NS:
            return False
        gone = self._historian.expire(plant_ns)
        if not gone:
            self._expired_ns = plant_ns
        return gone > 0

    def _room(self, plant_ns: int) -> bool:
        """Let go of rows that stand over a byte budget: what they hold is in the hourly rows by now."""
        now_s = self._monotonic_s()
        if now_s < self._room_at_s:
            return False
        gone = self._make_room(plant_ns)
        if not gone:
            self._room_at_s = now_s + ROOM_S
        return gone > 0


def _tell(reports: Iterable[WriteReport]) -> None:
    """Log rows that were refused: what is wrong with them will not be better the next time."""
    reasons = sorted({rejected.reason for report in reports for rejected in report.rejected})
    if reasons:
        log.warning("hourly_rows_rejected", reasons=reasons)
