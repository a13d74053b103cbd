"""What the machines of a class have taught: courses that ran into their danger and ended in a repair. Pure
but for `ClassLives.turn`, which reads.

Rules:
1. A life counts that a recorded intervention ended (work that was closed: a bearing changed, a rotor
   balanced), at a point of a machine of the same kind, whose course had reached its danger by then. What was
   repaired in time says only that it lived as long, and is left out.
2. A course begins with the repair before it, and is cut where it reached its danger. The limits and the
   baseline in force now are those it is held to.
3. A life is looked at a day after its end, when its last hours have come, and again where its limits changed.
4. Below two such lives there is no class history, and the answer says so: one slope is as likely as another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.features.gate import DoubleArray
from models.prognosis import ClassHistory, class_history, courses
from palier.historian.base import Historian, Table
from palier.historian.rows import HOUR_NS, InterventionRow
from palier.operations import InterventionKind

from .watch import Watch
from .watch_life import Course, courses_of, points_of
from .watch_parts import Place, Watched

NO_REPAIR: Final = frozenset({str(InterventionKind.GREASING), str(InterventionKind.TOOL_CHANGE)})
"""Work that ends no life."""

MOST_LIVES: Final = 20
"""The latest; more would teach a mean and a spread little."""

SETTLED_NS: Final = 24 * HOUR_NS
"""After its end a life is whole: means of an hour come with the next, what a gateway kept within a day."""

REACHED_OF: Final = 3
"""Hours whose median must stand at the danger: one alone may be a shock."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A repair that may have ended a life: `course` of the point, as it is judged now, and when (ns) it began
    and ended.
    """

    id: str
    kind: str
    course: Course
    start_ns: int
    end_ns: int


Lived = tuple[Course, DoubleArray, DoubleArray]
"""A life: its course, hours and values up to the danger."""


def ended_of(
    watch: Watch, site: str, kind: str, feature: str, done: Sequence[InterventionRow]
) -> list[Ended]:
    """The repairs that may have ended lives of a kind of machine, by this feature, the latest first."""
    repairs = sorted((row for row in done if row.kind not in NO_REPAIR), key=lambda row: row.at_ns)
    found = []
    last: dict[Place, int] = {}
    for row in repairs:
        for one in watch.of_machine(site, row.machine):
            if one.machine.kind != kind or not _is_of(row, one):
                continue
            before, last[one.place] = last.get(one.place, 0), row.at_ns
            course = next((c for c in courses_of(one) if c.feature == feature), None)
            if course is not None:
                found.append(Ended(f"{row.id}/{one.place[2]}", kind, course, before, row.at_ns))
    return found[::-1][:MOST_LIVES]


def lived(ended: Ended, hourly: Table) -> Lived | None:
    """The life from the rows of its course before the repair, None where it had not reached its danger."""
    hours, values, _ = points_of(ended.course, hourly)
    mine = (hours >= ended.start_ns / HOUR_NS) & (hours < ended.end_ns / HOUR_NS) & np.isfinite(values)
    hours, values = hours[mine], values[mine]
    if len(values) < REACHED_OF:
        return None
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, REACHED_OF), axis=1)
    reached = np.flatnonzero(middle >= ended.course.danger)
    if not reached.size:
        return None
    last = int(reached[0]) + REACHED_OF
    return ended.course, hours[:last], values[:last]


def taught(lives: Sequence[Lived]) -> ClassHistory | None:
    """What lives teach, None where they are too few."""
    if len(lives) < 2:
        return None
    longest = max(len(hours) for _, hours, _ in lives)
    hours, values = np.full((2, len(lives), longest), np.nan)
    for k, (course, t, x) in enumerate(lives):
        hours[k, : len(t)], values[k, : len(x)] = t - t[0], x**course.power
    of = [course for course, _, _ in lives]
    power = np.array([course.power for course in of])
    return class_history(
        courses(
            hours,
            values,
            threshold=np.array([course.danger for course in of]) ** power,
            alert=np.array([course.alert for course in of]) ** power,
            baseline=np.array([course.level for course in of]) ** power,
            spread=np.array([course.spread for course in of]) * power,
        )
    )


@dataclass(slots=True, eq=False)
class ClassLives:
    """The lives that were read, for the one thread that owns the stores: one a turn; no commit waits."""

    _read: dict[str, Lived | None] = field(default_factory=dict)
    _taught: dict[tuple[str, ...], ClassHistory | None] = field(default_factory=dict)

    def turn(
        self,
        historian: Historian,
        watch: Watch,
        one: Watched,
        done: Sequence[InterventionRow],
        now_ns: int,
    ) -> Mapping[str, ClassHistory | None] | None:
        """What is known of the class of a point, by feature; None where something was read: ask again.

        Raises HistorianError.
        """
        found: dict[str, ClassHistory | None] = {}
        whole = [row for row in done if row.at_ns <= now_ns - SETTLED_NS]
        for course in courses_of(one):
            ended = ended_of(watch, one.place[0], one.machine.kind, course.feature, whole)
            for life in ended:
                key = _key(life)
                if key not in self._read:
                    self._read[key] = lived(life, _rows_of(historian, life))
                    return None
            keys = tuple(_key(life) for life in ended)
            if keys not in self._taught:
                self._taught[keys] = taught([x for key in keys if (x := self._read[key]) is not None])
            found[course.feature] = self._taught[keys]
        return found


def _rows_of(historian: Historian, life: Ended) -> Table:
    ask = life.course.ask(life.end_ns)
    return historian.read(
        ask.measurement,
        ask.fields,
        site=ask.site,
        machine=ask.machine,
        point=ask.point,
        start_ns=max(ask.start_ns, life.start_ns),
        end_ns=ask.end_ns,
    )


def _key(life: Ended) -> str:
    """A life as it is judged now: with other limits it is another."""
    return f"{life.id}/{life.start_ns}/{life.course!r}"


def _is_of(row: InterventionRow, one: Watched) -> bool:
    return row.machine == one.place[1] and row.point in ("", one.place[2])
