"""What the blocks of a batch change in the watch, gone through in order of time: what is learned, the last
blocks of each point, its health, and what has to be examined. For one batch; what was
remembered before it is not changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.detection.decision import Basis
from models.types import State
from palier.frames import Features
from palier.historian.base import Rows
from palier.operations import Baseline

from . import watch_rows as rows
from .judging import Assessed
from .scoring import Scored
from .watch import Verdict
from .watch_diagnosis import (
    NOT_LOOKED,
    Around,
    Examined,
    Looked,
    Ring,
    completed,
    events_of,
    examine,
    look,
    look_again,
    remember,
)
from .watch_health import NO_HEALTH, Health, together
from .watch_housing import greased_of, unexplained
from .watch_learning import Learning, count, status
from .watch_parts import Place, Watched
from .watch_restoring import version_of
from .watch_states import ABNORMAL

if TYPE_CHECKING:
    from .watch_batch import Watching


class Step:
    """What a batch changes, while it is gone through in order of time."""

    def __init__(self, before: Watching, work: Mapping[tuple[str, str], int]) -> None:
        """`work` is when each kind of work was last done, by (machine, kind)."""
        self._before = before
        self._work, self._greased = work, greased_of(work)
        self.learning: dict[Place, Learning] = {}
        self.baselines: dict[str, Baseline] = {}
        self.rings: dict[Place, Ring] = {}
        self.looked: dict[Place, Looked] = {}
        self.health: dict[Place, Health] = {}
        self.examined: list[Examined] = []
        self.failed: list[tuple[Place, str]] = []
        self._scores: list[Verdict] = []
        self._lines: list[rows.HealthLine] = []

    def take(self, entry: Assessed, verdict: Verdict) -> None:
        """One live block more."""
        before, place = self._before, verdict.watched.place
        warmer = unexplained(verdict.residual_k, verdict.watched, verdict.ts_ns, self._greased)
        self.rings[place] = remember(self._ring(place), entry.scored, verdict.watched, warmer)
        if verdict.learning:
            self._count(verdict, entry.said.state)
        elif verdict.counted and verdict.basis is Basis.BASELINE:
            self._scores.append(verdict)
            self._healthy(verdict)
        was = self.looked.get(place) or before.looked.get(place, NOT_LOOKED)
        away = isinstance(entry.scored.block, Features)
        now, due = look(was, entry.said.state, counted=verdict.counted, away=away)
        if now is not was and now != was:
            self.looked[place] = now
        # What a waveform showed is not taken back for want of one: the next waveform will tell.
        shown = was.badness > 0 and not was.waits
        if due and entry.said.state in ABNORMAL and not (away and shown):
            self._examine(entry.scored, verdict.watched)

    def complete(self, entry: Scored) -> None:
        """The waveform of a block that was judged by its features."""
        place = (entry.work.site, entry.block.machine, entry.block.point)
        one = self._before.watch.watched(place)
        ring = None if one is None else completed(self._ring(place), entry, one)
        if one is None or ring is None:
            return
        self.rings[place] = ring
        was = self.looked.get(place) or self._before.looked.get(place, NOT_LOOKED)
        now, due = look_again(was)
        if due:
            self.looked[place] = now
            self._examine(entry, one, late=True)

    def _examine(self, entry: Scored, one: Watched, *, late: bool = False) -> None:
        before, place = self._before, one.place
        rings = [(other, self._ring(other.place)) for other in before.watch.of_machine(*place[:2])]
        around = Around(events_of(self._work, place[1]), before.doubling_days)
        try:
            self.examined.append(examine(entry, one, rings, before.knowledge, around, late=late))
        except Exception as error:  # noqa: BLE001 - what a stranger's samples provoke must not stop the storing
            self.failed.append((place, repr(error)))

    def rows(self) -> tuple[Rows, ...]:
        """What is to be written, without tables that are empty."""
        tables = []
        if self._scores:
            tables += [rows.score_rows(self._scores), rows.health_rows(self._lines)]
        if self.examined:
            tables.append(rows.diagnosis_rows(self.examined))
        return tuple(table for table in tables if len(table))

    def _ring(self, place: Place) -> Ring:
        found = self.rings.get(place)
        return self._before.rings.get(place, ()) if found is None else found

    def _count(self, verdict: Verdict, state: State) -> None:
        place = verdict.watched.place
        site, machine, _ = place
        was = self._learning(place)
        now = count(was, verdict, state)
        if now is was and machine in self._before.baselines:
            return
        self.learning[place] = now
        present = self.baselines.get(machine) or self._before.baselines.get(machine)
        opened = present or Baseline(machine, opened_ns=verdict.ts_ns, since_ns=verdict.ts_ns)
        points = [
            (self._learning(one.place), one.model is not None)
            for one in self._before.watch.of_machine(site, machine)
        ]
        told = status(opened, points, verdict.ts_ns)
        if told != present:
            self.baselines[machine] = told

    def _learning(self, place: Place) -> Learning:
        found = self.learning.get(place) or self._before.learning.get(place)
        # A point that is new to the plant learns for the baseline that its machine has by then.
        return found or Learning(version_of(self._before.baselines.get(place[1])))

    def _healthy(self, verdict: Verdict) -> None:
        place = verdict.watched.place
        site, machine, _ = place
        self.health[place] = verdict.health
        points = self._before.watch.of_machine(site, machine)
        whole = together([self._health(one.place) for one in points])
        self._lines.append(rows.HealthLine(place, verdict.ts_ns, verdict.health, verdict.frame))
        self._lines.append(rows.HealthLine((site, machine, ""), verdict.ts_ns, whole, verdict.frame))

    def _health(self, place: Place) -> Health:
        return self.health.get(place) or self._before.health.get(place, NO_HEALTH)
