"""How a point comes by its baseline, from the features that the historian already has. Pure: the shell reads.

Rules:
1. Blocks that count are counted live (`count`), so that nothing has to be read to tell how far it is. Nothing
   counts in alarm, at rest, nor within 24 h after an intervention.
2. With 1,000 of them on seven days a fit is `due`: the shell reads what `asks` asks for, an hour at a time,
   and gives it to a `Gathering`; `fit` answers with a model or a refusal. After a refusal 50 more blocks are
   waited for.
3. Baselines have one version for the whole machine, each point its own model. It is *learned* when every
   point that brings blocks has one; one that falls behind the others holds nobody up, and joins later.
4. A machine that is opened again (a recorded intervention, and a person who asks) forgets its models at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np

from models.detection.baseline import LEAST_BLOCKS, LEAST_DAYS, SETTLED_AFTER_S, Baseline
from models.features.catalogue import NAMES
from models.training import gathering
from models.training.gathering import IN_ALARM
from models.types import Refusal, State
from palier import operations
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS
from palier.operations import BaselineStatus

from .watch import Verdict
from .watch_parts import PointModel, Watched

LEARNING: Final = "#learning"
"""Key of a point's learning in the records: "MACHINE/POINT#learning"."""

TRY_AGAIN_BLOCKS: Final = 50
"""Blocks until a fit is tried again: a working day of them, and rare enough for what it reads."""

LONGEST_NS: Final = 30 * 86_400 * 10**9
"""How far back a baseline is learned from: a month of it has what a year would bring but the seasons."""

DAY_NS: Final = 86_400 * 10**9
FIELDS: Final = (*NAMES, "speed_rpm", "load_percent")


@dataclass(frozen=True, slots=True)
class Learning:
    """How far a point has come: `blocks` that count on `days`, since `since_ns`; for which `version` of the
    machine's baseline. `try_at` is how many blocks the next fit waits for, `refused` why the last gave none.
    """

    version: int = 1
    since_ns: int = 0
    blocks: int = 0
    days: int = 0
    day: int = -1
    try_at: int = LEAST_BLOCKS
    refused: str = ""

    @property
    def progress(self) -> float:
        """The share of what is needed, 0 to 1."""
        return min(1.0, self.blocks / LEAST_BLOCKS, self.days / LEAST_DAYS)

    @property
    def due(self) -> bool:
        """Whether a fit should be tried."""
        return self.blocks >= self.try_at and self.days >= LEAST_DAYS

    def again(self, refusal: Refusal) -> Learning:
        """A fit was refused."""
        return replace(self, try_at=self.blocks + TRY_AGAIN_BLOCKS, refused=refusal.reason)

    def to_json(self) -> str:
        """As the records keep it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Learning | None:
        """What `to_json` wrote, None for anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            return None


def count(learning: Learning, verdict: Verdict, state: State) -> Learning:
    """After a live block of a point that is learning, and what the point is then said to be in."""
    counts = verdict.learning and verdict.advanced and verdict.counted
    if not counts or state in IN_ALARM or verdict.ts_ns < learning.since_ns:
        return learning
    day = verdict.ts_ns // DAY_NS
    days = learning.days + (day > learning.day)
    return replace(learning, blocks=learning.blocks + 1, days=days, day=max(day, learning.day))


def reopened(baseline: operations.Baseline, interventions_ns: Iterable[int]) -> Learning:
    """The learning of a machine's points once its baseline was opened again."""
    settled = [done + round(SETTLED_AFTER_S * 1e9) for done in interventions_ns]
    return Learning(baseline.version, max((baseline.opened_ns, *settled)))


def status(
    before: operations.Baseline, points: Sequence[tuple[Learning, bool]], now_ns: int
) -> operations.Baseline:
    """What people see of a machine's baseline, from its points: how far each is, and whether it has a model.

    Progress is told in percents: a row for each block would say no more.
    """
    if before.status is not BaselineStatus.LEARNING or not points:
        return before
    most = max(1.0 if has else learning.progress for learning, has in points)
    waited = [learning.progress for learning, has in points if not has and learning.progress > most / 2]
    some = any(has for _, has in points)
    if some and not waited:
        return replace(before, status=BaselineStatus.LEARNED, since_ns=now_ns, progress=1.0)
    return replace(before, progress=np.floor(100 * min((*waited, most))).item() / 100)


@dataclass(frozen=True, slots=True)
class Ask:
    """What the shell reads of the historian: `Historian.read(measurement, fields, ...)`."""

    measurement: str
    fields: tuple[str, ...]
    site: str
    machine: str
    point: str
    start_ns: int
    end_ns: int


def asks(one: Watched, learning: Learning, now_ns: int) -> Iterator[tuple[Ask, Ask]]:
    """The features and the states of each hour that is learned from, oldest first: no read takes long."""
    site, machine, point = one.place
    start_ns = max(learning.since_ns, now_ns - LONGEST_NS)
    while start_ns < now_ns:
        end_ns = min(now_ns, (start_ns // HOUR_NS + 1) * HOUR_NS)
        yield (
            Ask("feature", FIELDS, site, machine, point, start_ns, end_ns),
            Ask("state", ("state",), site, machine, point, start_ns, end_ns),
        )
        start_ns = end_ns


@dataclass(slots=True, eq=False)
class Gathering:
    """What was read to learn a point from, and the fit of it."""

    one: Watched
    _blocks: gathering.Gathering = field(init=False)

    def __post_init__(self) -> None:
        one = self.one
        self._blocks = gathering.Gathering(one.place[0], one.machine, one.point, one.features)

    def add(self, features: Table, states: Table) -> None:
        """An hour more, in order of time."""
        self._blocks.add(features, states)

    def fit(
        self, *, version: int, features_of_machine: int, interventions_ns: Sequence[int] = ()
    ) -> PointModel | Refusal:
        """The point's model, or why there is none."""
        one, done_s = self.one, [done / 1e9 for done in interventions_ns]
        history = self._blocks.history(columns=one.names, interventions_s=done_s)
        baseline = Baseline.fit(
            history.x,
            history.context,
            names=one.names,
            features_of_machine=features_of_machine,
            version=version,
        )
        if isinstance(baseline, Refusal):
            return baseline
        return PointModel(version, one.channels, baseline, self._blocks.levels(done_s))
