"""The commit: what makes a batch durable, in the one order that neither loses nor repeats.

    waveform bytes (fsync) -> series (idempotent by key) -> one transaction of records -> acknowledgement
                                                                                       -> events of alarms

A crash between two steps repeats the earlier ones without harm: orphaned bytes are cut at the next start,
the same series rows change nothing. The records are the authority: a frame is dealt with when they say so,
and only then may anybody be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from palier.frames import FrameId, Readings, Waveform
from palier.historian.base import Historian, Rows, Unavailable, WriteReport
from palier.historian.holding import REASON_SUPERSEDED
from palier.historian.rows import QuarantineRow, RecordsBatch, Transition
from palier.historian.space import NotKept
from palier.historian.waveforms import WaveformRef

from . import rows
from .alarm_feed import events_of
from .alarm_keeping import NO_ROWS, AlarmKeeper
from .alarm_records import together
from .attempt import Attempt
from .batch import Batch, Recall, WorkFrame
from .board import Advance, InForce, Key, advance
from .contradicted import Contradictions
from .doubts import Doubts
from .drift import DriftKeeper
from .failpoints import Failpoints
from .foreign_ends import Ends
from .gateway_rows import gateway_rows
from .hourly import dirty_hours
from .judging import Assessed, assess
from .knowledge import Knowledge, Speeds
from .model_keeping import ModelKeeper
from .plausible import Plausible
from .probation import ATTEMPTS, DEADLY, Probation
from .quarantine import SCORING_FAILED, Problem
from .recall import Recalled, first_alerts
from .scoring import Scored, Scorer
from .spectra import SpectraKept
from .thinned import forget_whole_bands
from .watch_batch import Watched, Watching
from .watch_keeping import WatchKeeper

log = structlog.get_logger(__name__)


class RecordsWriter(Protocol):
    """What a commit needs of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...


class WaveformWriter(Protocol):
    """What a commit needs of the waveform store."""

    def append_all(self, frames: Sequence[tuple[FrameId, Waveform]]) -> Sequence[WaveformRef]:
        """Write waveforms at the end. Raises Unavailable; NotKept where the disk is too short for them."""
        ...

    def sync(self) -> None:
        """Make it durable. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The three stores of an ingest."""

    historian: Historian
    records: RecordsWriter
    waveforms: WaveformWriter


class Committer:
    """Computes and stores batches. `in_force` are the states, which advance with each that is stored, as
    the alarms do; `doubts` are those of the sensors.

    One thread may compute a batch while another stores the one before it: what they share is the attempt.
    """

    def __init__(
        self,
        stores: Stores,
        knowledge: Knowledge,
        *,
        spectrum_interval_s: float,
        wall_ns: Callable[[], int],
        in_force: Mapping[Key, InForce] | None = None,
        spectra: Mapping[Key, int] | None = None,
        failpoints: Failpoints | None = None,
        probation: Probation | None = None,
        alarms: AlarmKeeper | None = None,
        watch: WatchKeeper | None = None,
        recalls: Iterable[Recall] = (),
    ) -> None:
        """`spectrum_interval_s` is in plant time; `spectra` says when they were last written. `probation`
        follows a run that did not end well. `recalls` are those that the records hold.
        """
        self.in_force: dict[Key, InForce] = dict(in_force or {})
        self.doubts = Doubts()
        self.contradictions = Contradictions()
        self._stores = stores
        self._knowledge = knowledge
        self._speeds = Speeds(knowledge)
        self._ends = Ends()
        self._scorer = Scorer(knowledge, self._speeds)
        self._plausible = Plausible()
        self._short = False  # whether the disk was too short for the last waveforms
        self._spectra = SpectraKept(spectrum_interval_s, spectra)
        self._wall_ns = wall_ns
        self._failpoints = failpoints or Failpoints()
        self._probation = probation
        self._alarms = alarms or AlarmKeeper(wall_ns=wall_ns)
        self._recalls = Recalled(recalls)
        self._watch = watch or WatchKeeper(Watching.restored(knowledge, {}))

    @property
    def left_out(self) -> int:
        """Blocks that the detector failed on, so that the limits alone judged them."""
        return self._watch.left_out

    def begin(self, batch: Batch) -> Attempt:
        """A batch to be computed and kept, then stored."""
        return Attempt(batch, list(batch.frames), unproven=self._probation is not None)

    def compute(self, attempt: Attempt) -> bool:
        """Features and judgements of a batch; batches in their order. Whether they are there: in probation
        it is storing that computes, one suspect after the other.
        """
        proven = not attempt.unproven
        if proven:
            self._hear(attempt)
            self._score(attempt, attempt.frames)
        attempt.computed.set()
        return proven

    def keep(self, attempt: Attempt) -> None:
        """Make the waveforms of a batch durable, whether its features are there or not. Raises Unavailable.

        What can't be scored leaves bytes that no record knows: thinning takes them.
        """
        if not attempt.unproven:
            self._failpoints.reach("before_waveforms")
            self._write_waveforms(attempt)

    def store(self, attempt: Attempt) -> tuple[QuarantineRow, ...]:
        """Make a batch durable that is computed and kept; what of it was put aside on the way. Batches in
        their order, one at a time. Raises Unavailable: keep and store the same again.
        """
        try:
            if attempt.unproven:
                self._prove(attempt)
                self.keep(attempt)
            self._make_durable(attempt)
        except Unavailable:
            if self._probation is not None:
                self._probation.acquit([work.id for work in attempt.batch.frames if work.id is not None])
            raise
        return (*attempt.moved_alone, *attempt.moved)

    def _make_durable(self, attempt: Attempt) -> None:
        """All that follows the waveforms."""
        self._compare(attempt)
        self._failpoints.reach("before_series")
        watched, advanced, spectra = self._write_series(attempt)
        events = events_of(
            watched.assessed,
            attempt.frames,
            self._knowledge,
            watched.examined,
            watched.verdicts,
            lasting=watched.after.lasting,
        )
        before = self._alarms.desk.alarms
        alarmed = self._alarms.after(events)
        recalls = first_alerts(before, alarmed.desk.alarms)
        self._failpoints.reach("before_records")
        batch = self._records(attempt, watched, advanced, spectra)
        if recalls:
            batch = replace(batch, states=(*batch.states, *self._recalls.rows(recalls)))
        # Most batches change no alarm: to put nothing together takes time too.
        batch = batch if alarmed.rows is NO_ROWS else together(batch, alarmed.rows)
        self._stores.records.commit(batch)
        self._recalls.kept(recalls)
        attempt.recalls += recalls
        self._alarms.keep(alarmed)
        self._alarms.desk = self._watch.keep(watched, self._alarms.desk)
        self.in_force.update(advanced.in_force)
        self._spectra.written(spectra)
        self.doubts.stored(entry.scored for entry in attempt.assessed)

    def keep_watch(self, plant_ns: int) -> None:
        """Between two commits: one thing that the watch has to read. Never raises for a store."""
        self._alarms.desk = self._watch.turn(plant_ns, self.in_force, self._alarms.desk)
        self._alarms.tell(self._watch.take_news())

    def keep_models(self, models: ModelKeeper, plant_ns: int) -> None:
        """Between two commits: take what of the registry is ready. Never raises for a store."""
        self._alarms.desk = models.turn(plant_ns, self._alarms.desk)
        self._alarms.tell(models.take_news())

    def keep_drift(self, drift: DriftKeeper, plant_ns: int) -> None:
        """Between two commits: a step of a look at how far points have moved. Never raises for a store."""
        drift.turn(self._watch.watching, plant_ns)

    def note(self, series: Sequence[Rows], transitions: tuple[Transition, ...] = ()) -> None:
        """Write what is not a frame's: ledger lines and their events. Raises Unavailable."""
        self._stores.historian.write([*series, rows.event_rows(transitions)])
        if transitions:
            self._stores.records.commit(RecordsBatch(transitions=transitions))

    def _hear(self, attempt: Attempt) -> None:
        """Learn the speeds that this batch brings, before its blocks are scored."""
        for work in attempt.batch.frames:
            if isinstance(work.frame, Readings):
                attempt.ended += self._ends.of(work, self._speeds)
                self._speeds.take(work.site, work.frame, live=work.live, hold=work.hold)

    def _prove(self, attempt: Attempt) -> None:
        """Make the suspects of an earlier end durable each alone, for what ends the process may be in the
        writing too; the others are noted, and computed together. What fails on the way begins anew.
        """
        attempt.frames = list(attempt.batch.frames)
        attempt.moved, attempt.moved_alone = [], []
        self._hear(attempt)
        if self._probation is not None:
            self._one_by_one(attempt, self._probation)
        self._score(attempt, attempt.frames)
        attempt.unproven = False

    def _one_by_one(self, attempt: Attempt, probation: Probation) -> None:
        suspects = probation.suspects(work.id for work in attempt.frames if work.id is not None)
        for work in [w for w in attempt.frames if w.id in suspects]:
            if work.id is not None and suspects[work.id] >= ATTEMPTS:
                attempt.put_aside(work, DEADLY, self._wall_ns())
            elif work.id is not None:
                probation.begin([work.id])
                alone = Attempt(Batch(frames=(work,)), [work])
                self._score(alone, [work])
                self.keep(alone)
                self._make_durable(alone)
                attempt.moved_alone += alone.moved
                attempt.recalls += alone.recalls
                attempt.found = attempt.found.and_then(alone.found)
        attempt.frames = [work for work in attempt.frames if work.id not in suspects]
        probation.begin([work.id for work in attempt.frames if work.id is not None])
        if probation.over:
            self._probation = None

    def _score(self, attempt: Attempt, works: Sequence[WorkFrame]) -> None:
        assessed, failed = self._score_apart(works)
        attempt.assessed = assessed
        for work, error in failed:
            problem = Problem(SCORING_FAILED, f"{type(error).__name__}: {error}")
            attempt.put_aside(work, problem, self._wall_ns())

    def _score_apart(
        self, works: Sequence[WorkFrame]
    ) -> tuple[list[Assessed], list[tuple[WorkFrame, Exception]]]:
        """All blocks scored and assessed; a frame that makes the computation fail is found by halving."""
        try:
            scored = self._scorer.score(works)
            forget_whole_bands(scored, self._knowledge)
            self._plausible.look(scored)
            return [assess(entry, self._knowledge) for entry in scored], []
        except Exception as error:  # noqa: BLE001 - whatever a stranger's samples provoke stays with that frame
            if len(works) == 1:
                log.warning("frame_not_scored", frame=works[0].text, error=repr(error))
                return [], [(works[0], error)]
            half = len(works) // 2
            first, second = self._score_apart(works[:half]), self._score_apart(works[half:])
            return first[0] + second[0], first[1] + second[1]

    def _write_waveforms(self, attempt: Attempt) -> None:
        try:
            new = [
                (work.id, work.frame)
                for work in attempt.frames
                if isinstance(work.frame, Waveform)
                and work.id is not None
                and work.id not in attempt.refs
                and not work.again
            ]
            refs = self._stores.waveforms.append_all(new)
            self._short = False
            attempt.refs.update(zip((frame_id for frame_id, _ in new), refs, strict=True))
            self._stores.waveforms.sync()
        except NotKept as short:
            self._tell_short(short)
        except Unavailable:
            attempt.refs.clear()  # what was appended and not synced can't be relied upon
            raise

    def _tell_short(self, short: NotKept) -> None:
        """Once: each block is stored without its waveform, which its records say by having none."""
        if not self._short:
            log.error("waveforms_not_kept", why=str(short))
        self._short = True

    def _compare(self, attempt: Attempt) -> None:
        """Once: what is tried again has replaced rows already."""
        if not attempt.compared:
            scored = [entry.scored for entry in attempt.assessed]
            found = self.contradictions.look(scored, self._stores.historian, self._wall_ns())
            attempt.found = attempt.found.and_then(found)
            attempt.compared = True

    def _write_series(self, attempt: Attempt) -> tuple[Watched, Advance, list[Scored]]:
        """Write all series of the attempt; again without the frames whose rows the historian did not take."""
        while True:
            watched = self._watch.step(attempt.assessed, self._alarms.desk)
            advanced = advance(
                watched.assessed, attempt.frames, attempt.batch.silences, self.in_force, self._knowledge
            )
            learned = self._watch.events_of(watched)
            advanced = replace(advanced, transitions=(*advanced.transitions, *learned))
            spectra = self._spectra.due([entry.scored for entry in attempt.assessed], advanced)
            place = {id(work): i for i, work in enumerate(attempt.frames)}
            owned = [
                rows.feature_rows(attempt.assessed, place),
                rows.reading_rows(attempt.frames),
            ]
            others = [
                rows.state_rows(advanced.lines),
                rows.event_rows((*attempt.transitions, *advanced.transitions)),
                rows.spectrum_rows(spectra),
                rows.envelope_rows(spectra),
                gateway_rows(attempt.batch.statuses),
                *watched.rows,
            ]
            # Most batches have no event and no spectrum: to check nothing takes time too.
            others = [some for some in others if len(some)]
            reports = self._stores.historian.write([*(o.rows for o in owned), *others])
            if not self._put_aside_rejected(attempt, owned, reports):
                return watched, advanced, spectra

    def _put_aside_rejected(
        self, attempt: Attempt, owned: Sequence[rows.OwnedRows], reports: Sequence[WriteReport]
    ) -> bool:
        """Whether a frame had to leave the attempt. A third-party node's rows are only counted by the log."""
        reasons: dict[int, str] = {}
        for entry, report in zip(owned, reports, strict=False):  # the other reports belong to no single frame
            for rejected in report.rejected:
                if rejected.reason == REASON_SUPERSEDED:  # the block's own samples are here: nothing is lost
                    continue
                reasons.setdefault(entry.owner[rejected.index], rejected.reason)
        leaving = {i: r for i, r in reasons.items() if attempt.frames[i].id is not None}
        if len(leaving) < len(reasons):
            log.warning("rows_rejected", reasons=sorted(set(reasons.values())))
        for work, reason in [(attempt.frames[i], reason) for i, reason in leaving.items()]:
            problem = Problem(reason, f"the historian did not take a row of this frame: {reason}")
            attempt.put_aside(work, problem, self._wall_ns())
        return bool(leaving)

    def _records(
        self, attempt: Attempt, watched: Watched, advanced: Advance, spectra: Sequence[Scored]
    ) -> RecordsBatch:
        waveforms = tuple(
            rows.waveform_row(
                entry, attempt.refs[entry.work.id], around_alert=self._recalls.covers(entry.work)
            )
            for entry in watched.assessed
            if entry.work.id is not None and entry.work.id in attempt.refs and not entry.work.again
        )
        return RecordsBatch(
            stored=tuple(work.id for work in attempt.frames if work.id is not None),
            states=(
                *attempt.batch.states,
                *advanced.state_rows,
                *self._spectra.state_rows(spectra),
                *watched.states,
            ),
            baselines=watched.baselines,
            transitions=(*attempt.transitions, *advanced.transitions),
            waveforms=waveforms,
            quarantine=(*attempt.batch.quarantine, *attempt.moved),
            ledgers=attempt.batch.ledgers,
            dirty_hours=dirty_hours(attempt.frames),
        )
