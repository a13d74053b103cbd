"""The history of a plant as tables and as blocks to learn from. Reads only, while the ingest goes on writing.

from palier import historian

with historian.open("/var/lib/palier/ingest") as history:
    week = history.features("P-101", columns=["velocity_rms_mm_s"], start="2026-11-01", end="2026-11-08")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, TypedDict, Unpack

from palier.frames import Waveform

from . import history_people as people
from .base import Historian, Table
from .history_asking import Asked, Moment, Names, fields_of, names_of, of_measurement, period
from .history_reading import first_ns, pieces
from .history_table import KEYS, HistoryError, Tidy, empty, joined, rows_table, tidy_of
from .history_waveforms import WaveformSource
from .schema import MEASUREMENTS

if TYPE_CHECKING:
    from models.training.dataset import Label, PointHistory
    from palier.plant import Plant

__all__ = ["History", "HistoryError", "Tidy"]

MACHINES_OF = ("feature", "reading", "state")
"""What a machine has rows of when anything of it is known."""


class Which(TypedDict, total=False):
    """Which rows of a machine: what is None, or not given, stands for any; start <= time < end."""

    point: str | None
    channel: str | None
    columns: Sequence[str] | None
    start: Moment | None
    end: Moment | None


class When(TypedDict, total=False):
    """A stretch of time: start <= time < end, without a bound where it is not given."""

    start: Moment | None
    end: Moment | None


class History:
    """What a historian holds of one site. Made by `palier.historian.open`; use it in a `with`, or close it.

    Every table is a `Tidy`, its rows machine by machine and in order of time. Times that are asked for may be
    aware datetimes, ISO 8601 text (of UTC where it names no zone), or ns since 1970. Raises HistorianError,
    of it HistoryError for a question that can't be answered: always a sentence.
    """

    def __init__(
        self,
        historian: Historian,
        site: str,
        *,
        plant: Plant | None,
        waveforms: WaveformSource | None,
        at_once: int = 1,
    ) -> None:
        """`at_once` is how many machines are asked for at a time: a server answers several, a file one."""
        self.site = site
        self._historian = historian
        self._plant = plant
        self._waveforms = waveforms
        self._at_once = at_once

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store. Closing twice is allowed."""
        self._historian.close()

    @property
    def plant(self) -> Plant:
        """The plant as it is judged. Raises HistoryError where none was given."""
        if self._plant is None:
            raise HistoryError(
                "what is watched at a point stands in plant.toml, and none was found: give its path to open, "
                "plant=..."
            )
        return self._plant

    def machines(self) -> tuple[str, ...]:
        """The machines that have rows, in order of their names."""
        return tuple(sorted({name for of in MACHINES_OF for name, _, _ in self._series(of)}))

    def series(self, measurement: str = "feature") -> Tidy:
        """A row a series of a measurement: machine, point, channel, and the time of its newest row."""
        table = of_measurement(measurement)
        found = sorted(self._series(table.name).items())
        rows = [
            {"machine": machine, "point": point, "channel": channel, "time": ts_ns}
            for (machine, point, channel), ts_ns in found
        ]
        return rows_table(table.name, {**dict.fromkeys(KEYS[1:], "key"), "time": "time"}, rows)

    def read(self, measurement: str, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Rows of a measurement of `palier.historian.schema`: time, machine, point, channel, its columns."""
        asked = self._asked(measurement, machine, which)
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="history") as threads:
            parts = threads.map(lambda name: list(self._tables(asked, (name,))), asked.machines)
            found = [piece for some in parts for piece in some]
        return joined(found) if found else empty(asked.measurement, asked.fields)

    def chunks(self, measurement: str, machine: Names = None, **which: Unpack[Which]) -> Iterator[Tidy]:
        """The same rows in the same order, in pieces of bounded size."""
        asked = self._asked(measurement, machine, which)
        yield from self._tables(asked, asked.machines)

    def features(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Features of the blocks, a row a channel; float32, as they were computed."""
        return self.read("feature", machine, **which)

    def features_hourly(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Mean, least and greatest of each feature in each hour, kept for years."""
        return self.read("feature_hourly", machine, **which)

    def readings(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Slow values: temperature, speed, load, each with its unit in the column `unit`."""
        return self.read("reading", machine, **which)

    def readings_hourly(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Mean, least and greatest of the slow values in each hour, kept for years."""
        return self.read("reading_hourly", machine, **which)

    def temperatures(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """The slow values that are temperatures: time, machine, point, channel, value in °C."""
        wanted: Which = {**which, "columns": ("value", "unit")}
        found = self.read("reading", machine, **wanted)
        warm = found.where(found["unit"] == "°C")
        columns = {name: column for name, column in warm.columns.items() if name != "unit"}
        return Tidy("reading", columns, {"value": "°C"})

    def states(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """What machines (point empty) and points were said to be in."""
        return self.read("state", machine, **which)

    def scores(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """How far points were off their baselines."""
        return self.read("score", machine, **which)

    def diagnoses(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """What was found when points were examined, the surest of rank 1."""
        return self.read("diagnosis", machine, **which)

    def health(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Health indices, 100 to 0."""
        return self.read("health", machine, **which)

    def life(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Remaining lives in hours, with their intervals."""
        return self.read("life", machine, **which)

    def events(self, machine: Names = None, **which: Unpack[Which]) -> Tidy:
        """Transitions of states and alarms, links, and what people did; `detail` is JSON."""
        return self.read("event", machine, **which)

    def alarms(self, machine: Names = None, **when: Unpack[When]) -> Tidy:
        """Alarms as episodes that touch the period: raised, acknowledged, returned (the condition is gone),
        ended (nothing is left to do), NaT for what has not happened; what was said of it, and by whom.
        """
        start_ns, end_ns = period(when.get("start"), when.get("end"))
        episodes = people.episodes_of(self._events(machine))
        first, last = _bound(start_ns, -(2**63)), _bound(end_ns, 2**63)
        touching = [
            one
            for one in episodes
            if one.raised_ns < last and (one.ended_ns is None or one.ended_ns >= first)
        ]
        return people.alarms_table(touching)

    def labels(self, machine: Names = None, **when: Unpack[When]) -> Tidy:
        """What people found, by the time it was told: verdicts on alarms ("verdict") and work that was closed
        with a cause of ISO 15243 ("work_order").

        `start` and `end` are the stretch that the alarm stood, NaT where there was none; `fault` a key of
        `models.diagnosis.types.Fault`, "none" where nothing was wrong, None where nobody knows by it.
        """
        start_ns, end_ns = period(when.get("start"), when.get("end"))
        events = self._events(machine)
        found = people.labels_table(events, people.episodes_of(events))
        return _between(found, "told", start_ns, end_ns)

    def interventions(self, machine: Names = None, **when: Unpack[When]) -> Tidy:
        """What was done to machines, at the time it was done."""
        start_ns, end_ns = period(when.get("start"), when.get("end"))
        return _between(people.interventions_table(self._events(machine)), "time", start_ns, end_ns)

    def baselines(self, machine: Names = None, **when: Unpack[When]) -> Tidy:
        """What became of baselines: learned, confirmed, opened again, put in force."""
        start_ns, end_ns = period(when.get("start"), when.get("end"))
        return _between(people.baselines_table(self._events(machine)), "time", start_ns, end_ns)

    def waveforms(self, machine: str, point: str | None = None, **when: Unpack[When]) -> Tidy:
        """The raw blocks that are kept of a machine: time, machine, point, frame, alarm."""
        start_ns, end_ns = period(when.get("start"), when.get("end"))
        known = self._points(machine)
        points = known if point is None else names_of("point", point, known, machine)
        return self._source().index(self.site, machine, tuple(points), start_ns, end_ns)

    def waveform(self, frame: str) -> Waveform:
        """The raw block of a frame, named as in the column `frame` of features and waveforms."""
        return self._source().read(frame)

    def point(self, machine: str, point: str, **when: Unpack[When]) -> PointHistory:
        """The blocks of a point to learn from. Raises HistoryError where there are none in that time."""
        from .history_points import point_history

        return point_history(self, machine, point, **when)

    def points(self, machine: Names = None, **when: Unpack[When]) -> Iterator[PointHistory]:
        """The blocks of every point with an acceleration channel that has any in that time to be believed,
        one after the other: all of them at once may be more than fits in memory.
        """
        from .history_points import point_histories

        return point_histories(self, machine, **when)

    def label_stretches(self, machine: str, point: str) -> tuple[Label, ...]:
        """What people found at a point, as `PointHistory.labels` holds it."""
        from .history_points import labels_of

        return labels_of(self.labels(machine), point)

    def stretches(
        self, measurement: str, machine: Names = None, **which: Unpack[Which]
    ) -> Iterator[tuple[int, int, Table]]:
        """(start, end, rows) of each piece that has rows, as the historian gives them; both times in ns."""
        asked = self._asked(measurement, machine, which)
        yield from self._stretches(asked, asked.machines)

    def stretch(
        self,
        measurement: str,
        columns: Sequence[str],
        *,
        machine: str,
        point: str,
        channel: str | None = None,
        start_ns: int,
        end_ns: int,
    ) -> Table:
        """The rows of a point in one stretch that is known to be short, as the historian gives them."""
        return self._historian.read(
            measurement,
            columns,
            site=self.site,
            machine=machine,
            point=point,
            channel=channel,
            start_ns=start_ns,
            end_ns=end_ns,
        )

    def span_ns(
        self, measurement: str, machine: Names = None, **which: Unpack[Which]
    ) -> tuple[int, int] | None:
        """(start, end) in ns of all that is asked for, bounded by what there is; None where nothing is."""
        asked = self._asked(measurement, machine, which)
        bounds = [b for name in asked.machines if (b := self._bounds(asked, name)) is not None]
        return (min(b[0] for b in bounds), max(b[1] for b in bounds)) if bounds else None

    def machines_of(self, measurement: str, machine: Names = None) -> tuple[str, ...]:
        """The machines that are meant, all with rows of a measurement for None. Raises HistoryError."""
        return self._machines(self._series(of_measurement(measurement).name), machine)

    def _asked(self, measurement: str, machine: Names, which: Which) -> Asked:
        table = of_measurement(measurement)
        fields = fields_of(table, which.get("columns"))
        start_ns, end_ns = period(which.get("start"), which.get("end"))
        point, channel = which.get("point"), which.get("channel")
        series = self._series(table.name)
        machines = self._machines(series, machine)
        if point or channel:
            self._refuse_unknown(series, machines, point, channel)
        newest: dict[str, int] = {}
        for (name, of_point, of_channel), ts_ns in series.items():
            if point in (None, of_point) and channel in (None, of_channel):
                newest[name] = max(ts_ns, newest.get(name, ts_ns))
        return Asked(table, fields, machines, point, channel, start_ns, end_ns, newest)

    def _machines(self, series: Iterable[tuple[str, str, str]], wanted: Names) -> tuple[str, ...]:
        """The machines that are meant; one that only has no rows of this measurement is not refused."""
        here = {name for name, _, _ in series}
        if wanted is None:
            return tuple(sorted(here))
        asked = {wanted} if isinstance(wanted, str) else set(wanted)
        known = here if asked <= here else here | set(self.machines()) | self._planned()
        return names_of("machine", wanted, known, f"site {self.site!r}")

    def _refuse_unknown(
        self,
        series: Iterable[tuple[str, str, str]],
        machines: Sequence[str],
        point: str | None,
        channel: str | None,
    ) -> None:
        """HistoryError for a point or channel that none of these machines has."""
        known_series = {*series, *self._series("feature"), *self._series("reading")}
        mine = {(p, c) for name, p, c in known_series if name in machines}
        mine |= set(self._planned_channels(machines))
        where = f"{', '.join(machines[:5])}{' ...' if len(machines) > 5 else ''}"
        if point:
            names_of("point", point, {p for p, _ in mine if p}, where)
        if channel:
            known = {c for p, c in mine if c and point in (None, p)}
            names_of("channel", channel, known, f"{where} {point or ''}".rstrip())

    def _points(self, machine: str) -> tuple[str, ...]:
        """The points of a machine by the historian and the plant."""
        series = {one for of in MACHINES_OF for one in self._series(of)}
        (name,) = self._machines(series, machine)
        found = {p for m, p, _ in series if m == name and p}
        return tuple(sorted(found | {p for p, _ in self._planned_channels([name])}))

    def _planned(self) -> set[str]:
        return set() if self._plant is None else {machine.id for machine in self._plant.machines}

    def _planned_channels(self, machines: Sequence[str]) -> Iterator[tuple[str, str]]:
        for spec in () if self._plant is None else self._plant.machines:
            if spec.id in machines:
                yield from ((point.id, channel.id) for point in spec.points for channel in point.channels)

    def _series(self, measurement: str) -> dict[tuple[str, str, str], int]:
        """(machine, point, channel) of a measurement, each with the time of its newest row."""
        always = MEASUREMENTS[measurement].always
        newest = self._historian.latest(measurement, [always], site=self.site)
        names = zip(newest.machine, newest.point, newest.channel, strict=True)
        return dict(zip(names, newest.ts_ns.tolist(), strict=True))

    def _bounds(self, asked: Asked, machine: str) -> tuple[int, int] | None:
        """(start, end) in ns of what is asked of a machine, None where nothing is."""
        newest_ns = asked.newest_ns.get(machine)
        if newest_ns is None:
            return None
        end_ns = min(newest_ns + 1, _bound(asked.end_ns, 2**63))
        start_ns = asked.start_ns
        if start_ns is None:
            start_ns = first_ns(self._historian, asked, self.site, machine, newest_ns)
        return (start_ns, end_ns) if start_ns < end_ns else None

    def _tables(self, asked: Asked, machines: Sequence[str]) -> Iterator[Tidy]:
        for _, _, table in self._stretches(asked, machines):
            yield tidy_of(table, asked.measurement, asked.fields)

    def _stretches(self, asked: Asked, machines: Sequence[str]) -> Iterator[tuple[int, int, Table]]:
        for machine in machines:
            if (bounds := self._bounds(asked, machine)) is not None:
                yield from pieces(self._historian, asked, self.site, machine, bounds)

    def _events(self, machine: Names) -> list[people.Event]:
        return people.events_of(self.read("event", machine, columns=people.COLUMNS))

    def _source(self) -> WaveformSource:
        if self._waveforms is None:
            raise HistoryError(
                "raw blocks are neither beside this historian nor was their place given: give open "
                "waveforms=FOLDER (the data folder of the ingest) or waveforms=URL (that of its page)"
            )
        return self._waveforms


def _bound(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _between(table: Tidy, column: str, start_ns: int | None, end_ns: int | None) -> Tidy:
    at = table[column].astype("int64")
    return table.where((at >= _bound(start_ns, -(2**63))) & (at <= _bound(end_ns, 2**63 - 1) - 1))
