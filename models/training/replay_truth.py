"""What really happened to machines: failures from labels, work that was done, and what nobody can decide.

Rules:
1. A label with a fault is a failure: known from `start_s` on, over at `end_s` (it broke, or was put right).
   Labels of one machine that overlap with the same fault are one failure; so are those that follow each
   other within `ANSWERED_S` while nobody works on it: an alarm that comes and goes has a verdict each time.
2. A failure is looked for from `ANSWERED_S` before its end, or from its start where that is earlier, but not
   from before the work or the failure that came before it: what was on then was something else. An alert that
   still stood when it was known is its word too, raised within `ANSWERED_S` before that: labels begin with
   the alarm that was in force, and who was earlier must not be too early for it.
3. A label "nothing was wrong" makes alerts of its point in its stretch false, whatever was done after.
4. Work answers an alert of its own point, and of any where it names none. What is done by the calendar
   (`ROUTINE`) answers only where it names the point: else a monthly greasing would excuse every alert.
5. Of labels of one point that overlap and say different things the better source is believed (`examples`);
   where both are alike they contradict each other: nobody can be right or wrong there, and it is said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .dataset import HEALTHY, Label, PointHistory, Work
from .examples import contradictions, ranked

DAY_S: Final = 86_400.0
MONTH_S: Final = 30 * DAY_S

ANSWERED_S: Final = MONTH_S
"""An alert that asks for work within four weeks is answered by what is done within a month."""


ROUTINE: Final = frozenset({"greasing", "tool_change"})
"""Kinds of work that are done whatever a machine says."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some time: start <= t < end (s since 1970 UTC)."""

    start_s: float
    end_s: float

    def holds(self, at_s: float) -> bool:
        """Whether a time lies in it."""
        return self.start_s <= at_s < self.end_s

    def meets(self, other: Stretch) -> bool:
        """Whether they have some time in common."""
        return self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(frozen=True, slots=True)
class Failure:
    """A fault that a machine really had, at `points`; `looked` is when a warning of it counts, from `since_s`
    on one that still stands when it is known.
    """

    machine: str
    points: tuple[str, ...]
    fault: str
    source: str
    known: Stretch
    looked: Stretch
    since_s: float

    def is_told_by(self, raised_s: float, ended_s: float | None) -> bool:
        """Whether an alert in that time (`ended_s` None: it stands) is word of it."""
        known_s = self.known.start_s
        stood = self.since_s <= raised_s < known_s and (ended_s is None or ended_s > known_s)
        return stood or self.looked.holds(raised_s)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where labels of a point say different things."""

    machine: str
    point: str
    stretch: Stretch
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened to one machine; by point when it was `healthy`."""

    machine: str
    failures: tuple[Failure, ...]
    healthy: Mapping[str, tuple[Stretch, ...]]
    work: tuple[Work, ...]
    contradictions: tuple[Contradiction, ...]

    def answers(self, point: str, at_s: float) -> bool:
        """Whether an alert of a point, raised then, was followed by work that may be meant for it."""
        return any(
            at_s <= one.at_s <= at_s + ANSWERED_S
            and (one.point == point or (not one.point and one.kind not in ROUTINE))
            for one in self.work
        )

    def told_by(self, point: str, raised_s: float, ended_s: float | None) -> tuple[int, ...]:
        """The failures that an alert of a point is word of: those of that point, or else of its machine, for
        somebody goes there.
        """
        found = tuple(i for i, one in enumerate(self.failures) if one.is_told_by(raised_s, ended_s))
        return tuple(i for i in found if point in self.failures[i].points) or found


def truth_of(machine: str, histories: Sequence[PointHistory]) -> Truth:
    """From the labels and interventions of a machine's points."""
    work = sorted({one for history in histories for one in _work(history)}, key=lambda one: one.at_s)
    done = sorted({one.at_s for one in work})
    against = [one for history in histories for one in _contradictions(history)]
    told = [(history.point, label) for history in histories for label in _believed(history, against)]
    faulty = sorted(
        ((point, label) for point, label in told if label.fault != HEALTHY),
        key=lambda one: (one[1].start_s, one[1].end_s),
    )
    healthy = {
        h.point: tuple(
            Stretch(label.start_s, label.end_s)
            for point, label in told
            if point == h.point and label.fault == HEALTHY
        )
        for h in histories
    }
    return Truth(machine, _failures(machine, faulty, done), healthy, tuple(work), tuple(against))


def _work(history: PointHistory) -> tuple[Work, ...]:
    return history.work or tuple(Work(at_s) for at_s in history.context.interventions_s)


def _contradictions(history: PointHistory) -> Iterator[Contradiction]:
    for one in contradictions(history):
        stretch = Stretch(one.start_s, min(one.first.end_s, one.second.end_s))
        yield Contradiction(history.machine, history.point, stretch, (one.first.fault, one.second.fault))


def _believed(history: PointHistory, against: Sequence[Contradiction]) -> Iterator[Label]:
    """Labels that no better source overrules, and that are not part of a contradiction."""
    labels = ranked(history).labels
    for i, label in enumerate(labels):
        whole = Stretch(label.start_s, label.end_s)
        overruled = any(
            other.fault != label.fault and whole.meets(Stretch(other.start_s, other.end_s))
            for other in labels[i + 1 :]
        )
        contested = any(
            c.point == history.point and label.fault in c.faults and whole.meets(c.stretch) for c in against
        )
        if not overruled and not contested:
            yield label


def _failures(
    machine: str, faulty: Sequence[tuple[str, Label]], done: Sequence[float]
) -> tuple[Failure, ...]:
    """Labels of one fault that belong together as one failure each, in order of time."""
    found: list[Failure] = []
    for point, label in faulty:
        known = Stretch(label.start_s, label.end_s)
        alike = (i for i, f in enumerate(found) if f.fault == label.fault and _goes_on(f.known, known, done))
        same = next(alike, None)
        if same is None:
            found.append(Failure(machine, (point,), label.fault, label.source, known, known, known.start_s))
        else:
            was = found[same]
            points = tuple(dict.fromkeys((*was.points, point)))
            known = Stretch(was.known.start_s, max(was.known.end_s, known.end_s))
            found[same] = replace(was, points=points, known=known)
    return tuple(_looked(one, found, done) for one in found)


def _goes_on(was: Stretch, then: Stretch, done: Sequence[float]) -> bool:
    """Whether a later stretch of the same fault is still the same failure."""
    soon = then.start_s < was.end_s + ANSWERED_S
    return was.meets(then) or (soon and not any(was.start_s < at <= then.start_s for at in done))


def _looked(one: Failure, every: Sequence[Failure], done: Sequence[float]) -> Failure:
    known = one.known
    work = [at for at in done if at < known.start_s]
    ended = [other.known.end_s for other in every if other.known.end_s <= known.start_s]
    start = max([min(known.start_s, known.end_s - ANSWERED_S), *work, *ended])
    since = max([known.start_s - ANSWERED_S, *ended])
    return replace(one, looked=Stretch(start, known.end_s), since_s=since)
