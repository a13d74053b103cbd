"""A candidate over the plant's own past, beside what is in force: would it have been better? Pure.

    report = replay(histories, candidate, in_force, start_s=..., end_s=..., prices=Prices(500, 80_000))

Both go through the past in order of time by the rules of the watch, and neither sees a block before its time.
What counts:

1. Alerts of a machine's points that overlap are one call: somebody goes there once. One that was raised in
   the month before a failure was over is its detection (`replay_truth`), one that was followed within a
   month by work that may be meant for it is answered, any other is false, or open while the month is not
   over.
2. Time that either model was trained on is left out on both sides, with its calls, and failures that were on
   then are not compared: of what it has seen, a model always knows. The report says how much that is.
3. Of each model the time counts in which it judged: a silence of more than `GAP_S`, a machine at rest, a
   regime it does not know and sensors that were not to be believed are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.decision import Level
from models.detection.measured import Part
from models.features.gate import DoubleArray

from .dataset import PointHistory
from .replay_calls import BY_WEIGHT, Episode, Words, overlapping, words_of
from .replay_courses import Became, Course, Place, Score, course_of_scores, courses_of_parts
from .replay_naming import NameFaults, Naming, naming_of
from .replay_report import (
    Call,
    Compared,
    Fate,
    MachineReplay,
    Note,
    Prices,
    Rate,
    ReplayReport,
    Side,
    Verdict,
)
from .replay_truth import ANSWERED_S, DAY_S, MONTH_S, Failure, Stretch, Truth, truth_of

GAP_S: Final = 6 * 3600.0
"""A silence that is longer is no time in which anything was judged; machines speak each hour at least."""

SAME_S: Final = 3600.0
"""Detections closer than this are the same: three blocks of ten minutes are needed for either."""

LEAST_DAYS: Final = 7.0
"""Judged days of a machine below which a rate of false calls says nothing of a month."""


class ReplayError(ValueError):
    """The replay can't be done: the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """A model as the replay takes it: `name` "NAME:VERSION", and by place either `parts` (baselines),
    `scores` (a detector) or `names` (a classifier). `trained` says what time each place
    was trained on.

    `least` is the level that calls somebody: an alert; a detector never says more than watch, and what is
    compared with one is taken from watch on.
    """

    name: str
    parts: Mapping[Place, Part] = field(default_factory=dict)
    scores: Mapping[Place, Score] = field(default_factory=dict)
    names: Mapping[Place, NameFaults] = field(default_factory=dict)
    trained: Mapping[Place, Stretch] = field(default_factory=dict)

    @property
    def least(self) -> Level:
        """From which level on it can call."""
        return Level.WATCH if self.scores else Level.ALERT

    @property
    def only_names(self) -> bool:
        """Whether it is a classifier: it names faults, and calls nobody."""
        return bool(self.names) and not self.parts and not self.scores

    def knows(self, place: Place) -> bool:
        """Whether it judges that point."""
        return place in self.parts or place in self.scores or place in self.names


def replay(
    histories: Sequence[PointHistory],
    candidate: Judge,
    in_force: Judge | None,
    *,
    start_s: float,
    end_s: float,
    prices: Prices | None = None,
) -> ReplayReport:
    """The report over start <= t < end. Histories may begin earlier: that only leads up to it (a week is what
    slopes look back). Labels and interventions are the histories' own.

    Raises ReplayError where no history is of a point that the candidate knows, or its columns are others.
    """
    if not start_s < end_s:
        raise ReplayError(f"the replayed period must end after it starts, got {start_s} to {end_s}")
    known = [one for one in histories if candidate.knows(one.place) and len(one)]
    if not known:
        raise ReplayError(
            f"there are no blocks of a point that {candidate.name} knows: it was trained on "
            f"{_places(candidate)}; look at the machines and the times that were asked for"
        )
    _refuse_disorder(known)
    courses, others = _courses(known, candidate, in_force)
    least = max(Level.WATCH, min(candidate.least, in_force.least if in_force else candidate.least))
    period = Stretch(start_s, end_s)
    found = []
    for machine in dict.fromkeys(one.machine for one in known):
        some = [one for one in known if one.machine == machine]
        run = _Machine(machine, some, period, least, _trained(some, (candidate, in_force)))
        mine = [c for c in courses if c.place[1] == machine]
        theirs = [c for c in others if c.place[1] == machine]
        compared = run.compared(mine, theirs if in_force else None)
        found.append(run.named(compared, candidate, in_force))
    named = in_force.name if in_force else ""
    return ReplayReport(candidate.name, named, start_s, end_s, tuple(found), prices)


def _refuse_disorder(histories: Sequence[PointHistory]) -> None:
    for one in histories:
        if (np.diff(one.time_s) < 0).any():
            raise ReplayError(f"the blocks of {'/'.join(one.place)} must be in order of time: sort them")


def _courses(
    histories: Sequence[PointHistory], candidate: Judge, in_force: Judge | None
) -> tuple[list[Course], list[Course]]:
    """What both said. Baselines of both go through the monitor together: it takes many parts at once."""
    sides = [candidate, *([in_force] if in_force else [])]
    jobs = [(h, side.parts[h.place]) for side in sides for h in histories if h.place in side.parts]
    try:
        judged = iter(courses_of_parts(jobs))
        found: list[list[Course]] = []
        for side in sides:
            by_parts = [next(judged) for h in histories if h.place in side.parts]
            by_score = [
                course_of_scores(h, side.scores[h.place])
                for h in histories
                if h.place in side.scores and h.place not in side.parts
            ]
            found.append([*by_parts, *by_score])
    except ReplayError:
        raise
    except ValueError as error:
        raise ReplayError(f"the model and the history are of other columns: {error}") from error
    return found[0], found[1] if in_force else []


def _places(judge: Judge) -> str:
    known = ["/".join(place[1:]) for place in (*judge.parts, *judge.scores, *judge.names)]
    return ", ".join(known[:8]) + (", ..." if len(known) > 8 else "") or "none"


def _trained(histories: Sequence[PointHistory], judges: Sequence[Judge | None]) -> tuple[Stretch, ...]:
    """The times of a machine that any of its models was trained on."""
    found = {
        judge.trained[h.place]
        for judge in judges
        if judge is not None
        for h in histories
        if h.place in judge.trained
    }
    return tuple(sorted(found, key=lambda one: one.start_s))


@dataclass(frozen=True, slots=True, eq=False)
class _Machine:
    """One machine while it is replayed."""

    machine: str
    histories: Sequence[PointHistory]
    period: Stretch
    least: Level
    trained: tuple[Stretch, ...]

    def compared(self, candidate: Sequence[Course], in_force: Sequence[Course] | None) -> MachineReplay:
        truth = truth_of(self.machine, self.histories)
        mine, words = self._side(candidate, truth)
        theirs, others = (None, None) if in_force is None else self._side(in_force, truth)
        failures = tuple(
            Compared(
                one,
                words.first.get(i),
                others.first.get(i) if others else None,
                self._verdict(i, one, words, others),
            )
            for i, one in enumerate(truth.failures)
            if one.known.meets(self.period)
        )
        against = tuple(c for c in truth.contradictions if c.stretch.meets(self.period))
        found = MachineReplay(self.machine, mine, theirs, failures, against, ())
        return replace(found, notes=self._notes(found))

    def named(self, found: MachineReplay, candidate: Judge, in_force: Judge | None) -> MachineReplay:
        """With what classifiers called the failures."""
        truth = truth_of(self.machine, self.histories)
        mine = replace(found.candidate, naming=self._naming(candidate, truth))
        theirs, notes, failures = found.in_force, found.notes, found.failures
        if theirs is not None and in_force is not None:
            theirs = replace(theirs, naming=self._naming(in_force, truth))
        if mine.naming is not None and not candidate.trained:
            notes = (*notes, Note("trained_unknown", {}))
        if candidate.only_names:
            notes = tuple(note for note in notes if note.key != "too_short")
            failures = tuple(replace(one, verdict=Verdict.UNASKED) if one.counts else one for one in failures)
        return replace(found, candidate=mine, in_force=theirs, notes=notes, failures=failures)

    def _naming(self, judge: Judge, truth: Truth) -> Naming | None:
        asked = [(one, judge.names[one.place]) for one in self.histories if one.place in judge.names]
        if not asked:
            return None
        try:
            answers = [(one, np.asarray(name(one)), self._counted(one.time_s)) for one, name in asked]
            return naming_of(answers, truth)
        except ValueError as error:
            raise ReplayError(f"the model and the history are of other columns: {error}") from error

    def _side(self, courses: Sequence[Course], truth: Truth) -> tuple[Side, Words]:
        """What one model did, and when it first told of each failure."""
        episodes = [one for course in courses for one in self._episodes(course, truth)]
        words = words_of(episodes)
        calls = self._calls(episodes, words.first)
        false = [call for call in calls if call.fate is Fate.FALSE]
        hours = sum((call.ended_s or self.period.end_s) - call.raised_s for call in false) / 3600
        counts = [0] * len(Became)
        for course in courses:
            here = self._counted(course.time_s)
            for code, n in zip(*np.unique(course.became[here], return_counts=True), strict=True):
                counts[int(code)] += int(n)
        rate = Rate(len(false), self._observed(courses) / MONTH_S)
        return Side(tuple(calls), rate, hours, tuple(counts)), words

    def _counted(self, time_s: DoubleArray) -> npt.NDArray[np.bool_]:
        """Blocks of the period that no model was trained on."""
        here = (time_s >= self.period.start_s) & (time_s < self.period.end_s)
        for one in self.trained:
            here &= ~((time_s >= one.start_s) & (time_s < one.end_s))
        return np.asarray(here)

    def _observed(self, courses: Sequence[Course]) -> float:
        """Seconds in which at least one point of the machine was judged."""
        spans: list[tuple[float, float]] = []
        for course in courses:
            t = course.time_s
            judged = self._counted(t) & (course.became == Became.JUDGED)
            until_next = judged[:-1] & (np.diff(t) <= GAP_S)
            spans += zip(t[:-1][until_next].tolist(), t[1:][until_next].tolist(), strict=True)
        return _length(spans)

    def _episodes(self, course: Course, truth: Truth) -> list[Episode]:
        """Each time that the course was at `least` or above, with what became of it."""
        on = course.level >= self.least
        turns = np.diff(on.astype(np.int8), prepend=0, append=0)
        found = []
        for first, last in zip(np.flatnonzero(turns > 0), np.flatnonzero(turns < 0), strict=True):
            raised = float(course.time_s[first])
            if raised < self.period.end_s:
                ended = float(course.time_s[last]) if last < len(on) else None
                cause, point = course.causes.get(int(first), ""), course.place[2]
                told = truth.told_by(point, raised, ended)
                fate = self._fate(point, raised, truth, told=bool(told))
                here = any(truth.failures[i].known.meets(self.period) for i in told)
                found.append(Episode(point, raised, ended, cause, fate, told, here))
        return found

    def _calls(self, episodes: Sequence[Episode], first: Mapping[int, float]) -> list[Call]:
        """Overlapping episodes as one call each; the first of a failure is its detection. Asked for are those
        of the period, and before it the words of a failure in it.
        """
        calls = []
        for some in overlapping(episodes):
            words = [one for one in some if one.fate is Fate.DETECTION]
            if not self.period.holds(some[0].raised_s) and not any(one.here for one in words):
                continue
            fate = min((one.fate for one in some), key=BY_WEIGHT.index)
            told = any(first[i] == one.raised_s for one in words for i in one.failures)
            if fate is Fate.DETECTION and not told:
                fate = Fate.REPEAT
            ends = [one.ended_s for one in some]
            ended = None if None in ends else max(end for end in ends if end is not None)
            points = tuple(sorted({one.point for one in some}))
            calls.append(Call(self.machine, points, some[0].raised_s, ended, some[0].cause, fate))
        return calls

    def _fate(self, point: str, at: float, truth: Truth, *, told: bool) -> Fate:
        """What became of an alert; `told`: it is word of a failure."""
        if any(one.holds(at) for one in self.trained):
            return Fate.TRAINED
        if any(one.stretch.holds(at) for one in truth.contradictions):
            return Fate.CONTESTED
        if any(one.holds(at) for one in truth.healthy[point]):
            return Fate.FALSE
        if told:
            return Fate.DETECTION
        if truth.answers(point, at):
            return Fate.ANSWERED
        last = max(float(h.time_s[-1]) for h in self.histories)
        return Fate.OPEN if last < at + ANSWERED_S else Fate.FALSE

    def _verdict(self, i: int, failure: Failure, words: Words, others: Words | None) -> Verdict:
        sides = [words, *([others] if others else [])]
        mine, theirs = words.first.get(i), others.first.get(i) if others else None
        of_trained = any(i in side.of_trained and i not in side.first for side in sides)
        if of_trained or any(one.meets(failure.known) for one in self.trained):
            return Verdict.TRAINED
        looked = failure.looked
        if not any(((h.time_s >= looked.start_s) & (h.time_s < looked.end_s)).any() for h in self.histories):
            return Verdict.UNOBSERVED
        if mine is None:
            return Verdict.MISSED if theirs is None else Verdict.LOST
        if theirs is None:
            return Verdict.SEEN if others is None else Verdict.EXTRA
        if abs(mine - theirs) < SAME_S:
            return Verdict.SAME
        return Verdict.EARLIER if mine < theirs else Verdict.LATER

    def _notes(self, found: MachineReplay) -> tuple[Note, ...]:
        notes = []
        overlap = _length([_cut(one, self.period) for one in self.trained])
        if overlap >= SAME_S:
            notes.append(Note("trained_here", {"days": overlap / DAY_S}))
        days = found.candidate.false.months * MONTH_S / DAY_S
        if days < LEAST_DAYS:
            notes.append(Note("too_short", {"days": days, "least": LEAST_DAYS}))
        if (gaps := self._gaps()) > DAY_S:
            notes.append(Note("gaps", {"days": gaps / DAY_S}))
        if found.contradictions:
            notes.append(Note("contradicting_labels", {"n": len(found.contradictions)}))
        if not found.failures:
            notes.append(Note("no_failures", {}))
        return tuple(notes)

    def _gaps(self) -> float:
        """Seconds of the period in which no point of the machine brought a block."""
        t = np.sort(np.concatenate([h.time_s for h in self.histories]))
        t = t[(t >= self.period.start_s) & (t < self.period.end_s)]
        apart = np.diff(np.concatenate(([self.period.start_s], t, [self.period.end_s])))
        return float(apart[apart > GAP_S].sum())


def _cut(one: Stretch, period: Stretch) -> tuple[float, float]:
    return max(one.start_s, period.start_s), min(one.end_s, period.end_s)


def _length(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds that spans cover together."""
    total, until = 0.0, -np.inf
    for start, end in sorted(spans):
        if end > until:
            total += end - max(start, until)
            until = end
    return float(total)
