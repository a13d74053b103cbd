"""Reads a closed period of a machine in pieces, has it judged again, and writes its rows again.

Of the ingest that may be at work on the same stores it asks nothing: records are only read, series written by
their keys, and what is still being written (an open period) is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from models.types import MachineSpec
from palier.historian.base import Historian, HistorianError, Table
from palier.historian.folder import DataFolder
from palier.historian.opening import open_historian
from palier.historian.records import RecordsReader
from palier.historian.rows import HOUR_NS
from palier.historian.waveforms import WaveformError, WaveformReader
from palier.limits import load_limits
from palier.plant import Plant, load_plant

from .board import VIBRATION, InForce
from .foreign_ends import ENDED, ends_of
from .knowledge import Knowledge, Speeds
from .model_opening import with_models
from .model_standing import REGISTRY
from .rescore import LEAD_NS, Piece, Replay, seeded
from .rescore_outcome import OF_MACHINE, Episode, Outcome, judged
from .rescore_reading import (
    FEATURES,
    READINGS,
    blocks_of,
    first_times,
    readings_of,
    surrounded,
    with_waveform,
)
from .scoring import Scored
from .settings import IngestSettings
from .watch import MODEL
from .watch_batch import Watching
from .watch_housing import HOUSING

OPEN_NS: Final = 600 * 10**9
"""What is within so much of the last live block may still be on its way: sending takes 30 s, a store that is
down and a commit the rest."""


class RescoreError(Exception):
    """The period can't be judged again: the sentence says why, and what to do. Nothing was written."""


Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A period (plant time, start <= t < end) of a machine; `write` is whether its rows are written again."""

    machine: str
    start_ns: int
    end_ns: int
    write: bool = True


def rescore(settings: IngestSettings, asked: Asked, progress: Progress = lambda _: None) -> Outcome:
    """Judge a period again. Raises RescoreError, ConfigError, HistorianError."""
    plant = load_plant(settings.plant)
    now_ns = settings.clock.plant_clock().now_ns()
    folder = DataFolder(settings.data)
    with ExitStack() as stack:
        records = RecordsReader(folder.records)
        stack.callback(records.close)
        _refuse_open(plant, asked, records, now_ns)
        historian = open_historian(settings.historian, folder.historian, read_only=not asked.write)
        stack.callback(historian.close)
        run = _Run(plant, asked, records, historian, WaveformReader(folder.waveforms), settings=settings)
        return run.done(progress, now_ns)


def _refuse_open(plant: Plant, asked: Asked, records: RecordsReader, now_ns: int) -> None:
    """Raises RescoreError for what is no closed period of a machine of the plant."""
    if plant.machine(asked.machine) is None:
        known = ", ".join(machine.id for machine in plant.machines)
        raise RescoreError(f"{asked.machine!r} is no machine of {plant.site_id}; there are {known}")
    if asked.start_ns >= asked.end_ns:
        raise RescoreError("--to must be later than --from")
    if asked.end_ns > now_ns:
        raise RescoreError(f"--to must not be in the future: it is {_utc(now_ns)} (UTC) in the plant")
    newest_ns = _last_live_ns(records, plant.site_id, asked.machine)
    if newest_ns is not None and asked.end_ns > newest_ns - OPEN_NS:
        raise RescoreError(
            f"the period is still open: the last live block of {asked.machine} is of {_utc(newest_ns)} UTC, "
            f"and --to must be {OPEN_NS // 60 // 10**9} minutes earlier: {_utc(newest_ns - OPEN_NS)}"
        )


def _last_live_ns(records: RecordsReader, site: str, machine: str) -> int | None:
    states = (
        InForce.from_json(text)
        for (_, key), text in records.states(site, f"{machine}/").items()
        if key.endswith(VIBRATION)
    )
    return max((state.ts_ns for state in states if state is not None), default=None)


class _Run:
    """One rescoring."""

    def __init__(
        self,
        plant: Plant,
        asked: Asked,
        records: RecordsReader,
        historian: Historian,
        waveforms: WaveformReader,
        *,
        settings: IngestSettings,
    ) -> None:
        machine = plant.machine(asked.machine)
        assert machine is not None  # noqa: S101 - it was looked up before
        self._machine: MachineSpec = machine
        self._asked = asked
        self._records = records
        self._historian = historian
        self._waveforms = waveforms
        self._settings = settings
        alone = replace(plant, machines=(machine,))
        self._knowledge = Knowledge(alone, load_limits(plant.limits_file))
        self._site = plant.site_id
        self._speeds = Speeds(self._knowledge)
        self._begin_ns: dict[str, int] = {}
        ended = records.transitions(max(0, asked.start_ns - LEAD_NS), ENDED)
        self._ends = ends_of(ended, machine, plant.site_id)

    def done(self, progress: Progress, now_ns: int) -> Outcome:
        """All of it."""
        asked, lead_ns = self._asked, self._asked.start_ns - LEAD_NS
        self._begin_ns = dict(first_times(self._read("score", ("level",), lead_ns, asked.start_ns)))
        done = self._records.interventions(asked.machine)
        before = [row.at_ns for row in done if row.at_ns < lead_ns]
        watching = self._watching(lead_ns)
        if before:  # it was heard of then
            watching = replace(watching, intervened={asked.machine: max(before)})
        replay = Replay(self._knowledge, watching, done, self._load)
        written: Counter[str] = Counter()
        for start_ns, end_ns in _hours(lead_ns, asked.start_ns, asked.end_ns):
            tables = replay.take(self._piece(start_ns, end_ns))
            if asked.write and tables:
                reports = self._historian.write(tables)
                written.update({t.measurement: r.accepted for t, r in zip(tables, reports, strict=True)})
            progress((end_ns - lead_ns) / (asked.end_ns - lead_ns))
        if not replay.blocks:
            raise RescoreError(
                f"there are no features of {asked.machine} from {_utc(asked.start_ns)} to "
                f"{_utc(asked.end_ns)} (UTC): look at the times; rows are kept for 90 days"
            )
        alerts = judged(replay.episodes, done, self._records.verdicts(), now_ns)
        return self._outcome(replay, watching, alerts, dict(written) if asked.write else None)

    def _outcome(
        self,
        replay: Replay,
        watching: Watching,
        alerts: tuple[Episode, ...],
        written: Mapping[str, int] | None,
    ) -> Outcome:
        asked, points = self._asked, watching.watch.of_machine(self._site, self._asked.machine)
        models = {one.place[2] for one in points if one.model is not None}
        unlearned = tuple(one.place[2] for one in points if one.model is None)
        return Outcome(
            asked.machine,
            asked.start_ns,
            asked.end_ns,
            replay.blocks,
            len(replay.points),
            watching.baselines.get(asked.machine) if models else None,
            unlearned,
            tuple(f"{one.where}: {one.why}" for one in watching.strange if MODEL in one.where),
            tuple(e for e in alerts if e.counted),
            tuple(e for e in alerts if not e.counted and (e.stands or (e.ended_ns or 0) >= asked.start_ns)),
            sum(e.counted and e.key.mode not in OF_MACHINE for e in replay.episodes),
            replay.left_out,
            written,
        )

    def _watching(self, lead_ns: int) -> Watching:
        """The watch with the models in force, and with nothing else behind it than the health of before."""
        told = self._records.states(self._site, f"{self._machine.id}/")
        models = {key: text for key, text in told.items() if MODEL in key[1] or HOUSING in key[1]}
        baselines = [
            row
            for row in self._records.baselines()
            if (row.site, row.machine) == (self._site, self._machine.id)
        ]
        watching = Watching.restored(self._knowledge, models, baselines)
        watching = with_models(self._settings, watching, self._records.states(self._site, REGISTRY))
        health = {}
        for point in self._machine.points:
            last = self._read("health", ("modes",), None, lead_ns, point.id, newest=1)
            if len(last) and (text := last.columns["modes"][0]):
                health[self._site, self._machine.id, point.id] = json.loads(str(text))
        return seeded(watching, health)

    def _piece(self, start_ns: int, end_ns: int) -> Piece:
        features = self._read("feature", FEATURES, start_ns, end_ns)
        rows = self._read("reading", READINGS, start_ns, end_ns)
        states = self._read("state", ("live",), start_ns, end_ns)
        ends = [w for w in self._ends if start_ns <= w.frame.start_ns < end_ns]
        readings = readings_of(rows, self._knowledge, self._machine)
        blocks = blocks_of(features, self._knowledge, self._machine)
        heard = sorted([*readings, *ends], key=lambda work: work.frame.start_ns)
        blocks = surrounded(blocks, heard, self._speeds)
        places = zip(states.point, states.ts_ns.tolist(), strict=True)
        return Piece(
            # From a block on that counted: so that the same blocks count as they did.
            [b for b in blocks if b.block.start_ns >= self._begin_ns.get(b.block.point, start_ns)],
            heard,
            {place: bool(live) for place, live in zip(places, states.columns["live"], strict=True)},
            counted=start_ns >= self._asked.start_ns,
        )

    def _load(self, entry: Scored) -> Scored:
        """The block with its samples, where they were kept."""
        frame_id = entry.work.id
        row = None if frame_id is None else self._records.waveform(frame_id)
        if row is None:
            return entry
        try:
            return with_waveform(entry, self._waveforms.read(row.ref))
        except (WaveformError, HistorianError):  # thinned meanwhile: the features alone speak
            return entry

    def _read(
        self,
        measurement: str,
        fields: tuple[str, ...],
        start_ns: int | None,
        end_ns: int,
        point: str | None = None,
        *,
        newest: int | None = None,
    ) -> Table:
        return self._historian.read(
            measurement,
            fields,
            site=self._site,
            machine=self._machine.id,
            point=point,
            start_ns=start_ns,
            end_ns=end_ns,
            newest=newest,
        )


def _hours(lead_ns: int, start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """The hours from the lead to the end; none lies across the start."""
    for first_ns, last_ns in ((lead_ns, start_ns), (start_ns, end_ns)):
        at_ns = first_ns
        while at_ns < last_ns:
            next_ns = min(last_ns, (at_ns // HOUR_NS + 1) * HOUR_NS)
            yield at_ns, next_ns
            at_ns = next_ns


def _utc(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 10**9, UTC):%Y-%m-%d %H:%M}"
