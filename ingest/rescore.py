"""A closed period of a machine, judged again in order of time by the watch and the limits in force. Pure.

    replay = Replay(knowledge, watching, done)
    tables = replay.take(piece)          # again and again, oldest first: rows to write again
    replay.episodes                      # the alarms that would have been raised

What came late is judged as if it had come in time. Alarms are stepped beside, by the same engine, to tell
what would have been raised: nobody acknowledges them, and none of them leaves this module."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final

import numpy as np

from palier.alarms import AlarmKey, Level, Mode, What
from palier.historian.base import Rows
from palier.historian.rows import InterventionRow, Transition

from . import alarms, rows
from .alarm_evidence import finding_of
from .alarm_feed import events_of
from .alarms import Alarms, Record
from .batch import WorkFrame
from .board import InForce, Key, StateLine, advance
from .judging import Assessed, assess
from .knowledge import Knowledge
from .rescore_outcome import Episode
from .scoring import Scored
from .watch_apart import stepped
from .watch_batch import Watched, Watching
from .watch_parts import Place

LEAD_NS: Final = 7 * 86_400 * 10**9
"""How long before the period the replay begins, so that what looks back (slopes: a week) knows what was."""

LoadWaveform = Callable[[Scored], Scored]
"""Gives a block its samples, where they were kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some time of a machine: its blocks and readings in order, and which of its `state` rows, by point and
    time, came of live frames. What is not `counted` only leads up to the period.
    """

    blocks: Sequence[Scored]
    readings: Sequence[WorkFrame] = ()
    live: Mapping[tuple[str, int], bool] = field(default_factory=dict)
    counted: bool = True


class Replay:
    """One period while it is gone through. `blocks` counts those judged within it, `left_out` those that the
    watch failed on, also before.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        watching: Watching,
        done: Sequence[InterventionRow] = (),
        load: LoadWaveform = lambda entry: entry,
    ) -> None:
        """`watching` knows the models in force; `done` is what was done to the machine."""
        self.blocks = self.left_out = 0
        self.points: set[str] = set()
        self.episodes: list[Episode] = []
        self._knowledge = knowledge
        self._watching = watching
        self._done = sorted(done, key=lambda row: row.at_ns)
        self._done_ns = [row.at_ns for row in self._done]
        self._load = load
        self._alarms = Alarms()
        self._in_force: dict[Key, InForce] = {}

    def take(self, piece: Piece) -> list[Rows]:
        """Judge a piece; the rows of the period that are to be written again."""
        tables: list[Rows] = []
        works = list(piece.readings)
        for done_ns, some in groupby(piece.blocks, key=self._done_before):
            blocks = list(some)
            until_ns = blocks[-1].block.start_ns
            now = [work for work in works if work.frame.end_ns <= until_ns]
            works = works[len(now) :]
            tables += self._batch(piece, blocks, now, done_ns)
        if works:
            tables += self._batch(piece, [], works, None)
        return [table for table in tables if len(table)] if piece.counted else []

    def _done_before(self, entry: Scored) -> int | None:
        """When something was done last before a block."""
        place = bisect_right(self._done_ns, entry.block.start_ns)
        return self._done_ns[place - 1] if place else None

    def _batch(
        self, piece: Piece, blocks: Sequence[Scored], works: Sequence[WorkFrame], done_ns: int | None
    ) -> list[Rows]:
        watched = self._step(blocks, done_ns)
        self._watching = watched.after
        self.left_out += watched.left_out
        advanced = advance(watched.assessed, works, (), self._in_force, self._knowledge)
        self._in_force.update(advanced.in_force)
        events = events_of(watched.assessed, works, self._knowledge, watched.examined, watched.verdicts)
        self._alarms, effects = alarms.step(self._alarms, events)
        self._follow([e.transition for e in effects if isinstance(e, Record)], counted=piece.counted)
        for one in watched.examined:
            key = AlarmKey(*one.watched.place, Mode.VIBRATION)
            self.episodes = [e.named(finding_of(one)) if e.key == key else e for e in self.episodes]
        if piece.counted:
            self.blocks += len(blocks)
            self.points.update(entry.block.point for entry in blocks)
        return [*watched.rows, _state_rows(advanced.lines, piece.live)]

    def _step(self, blocks: Sequence[Scored], done_ns: int | None) -> Watched:
        """One step of the watch; once more with the samples of what is examined, where they were kept."""
        before = [row for row in self._done if done_ns is not None and row.at_ns <= done_ns]
        done = {row.machine: row.at_ns for row in before}
        work = {(row.machine, row.kind): row.at_ns for row in before}
        assessed = [assess(entry, self._knowledge) for entry in blocks]
        step = self._stepped(assessed, done, work)
        looked = {(one.watched.place[2], one.ts_ns) for one in step.examined}
        if not looked:
            return step
        loaded = [
            replace(one, scored=self._load(one.scored)) if _of(one.scored) in looked else one
            for one in assessed
        ]
        return self._stepped(loaded, done, work)

    def _stepped(
        self, assessed: Sequence[Assessed], done: Mapping[str, int], work: Mapping[tuple[str, str], int]
    ) -> Watched:
        watching = self._watching
        return stepped(assessed, lambda some: watching.step(some, intervened=done, work=work))[0]

    def _follow(self, transitions: Sequence[Transition], *, counted: bool) -> None:
        """Which alarms came, got worse, got a name and went."""
        for transition in transitions:
            if transition.kind != alarms.ALARM:
                continue
            told = json.loads(transition.detail)
            key = AlarmKey(transition.site, transition.machine, transition.point, Mode(told["mode"]))
            place = next((i for i, e in enumerate(self.episodes) if e.key == key and e.stands), None)
            if place is None and told["what"] == What.RAISED:
                self.episodes.append(Episode.begun(key, transition.ts_ns, told, counted=counted))
            elif place is not None:
                self.episodes[place] = _followed(self.episodes[place], transition.ts_ns, told)


def _followed(episode: Episode, ts_ns: int, told: Mapping[str, Any]) -> Episode:
    """The episode after one more transition of its alarm."""
    if told["what"] == What.RETURNED:
        return replace(episode, ended_ns=ts_ns)
    if told["level"] == Level.DANGER and episode.danger_ns is None:
        return replace(episode, danger_ns=ts_ns)
    return episode


def _of(entry: Scored) -> tuple[str, int]:
    return entry.block.point, entry.block.start_ns


def _state_rows(lines: Sequence[StateLine], live: Mapping[tuple[str, int], bool]) -> Rows:
    """Rows of `state`; those that came of a live frame stay marked so."""
    table = rows.state_rows(lines)
    flags = [live.get((line.point, line.in_force.ts_ns), False) for line in lines]
    return replace(table, fields={**table.fields, "live": np.array(flags, dtype=np.int64)})


def seeded(watching: Watching, health: Mapping[Place, Mapping[str, float]]) -> Watching:
    """With the health of each mode as it was told last before."""
    watch, state = watching.watch, watching.watch.with_health(watching.state, health)
    known = watch.health(state, [place for place in health if watch.watched(place)])
    return replace(watching, state=state, health={**watching.health, **known})
