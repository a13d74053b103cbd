"""What the records hold of the watch, read again for a start. Pure.

Rules:
1. What cannot be read (a later version wrote it, or it is damaged) never ends a start: that part begins anew,
   and is `strange`, to be logged.
2. What is learned is worth weeks. A model that cannot be used stays in the records: its text is `unread`, and
   is put beside the one that comes in its place.
3. A baseline that a person confirmed is not fitted again by itself where its model cannot be used: it is
   *lost*, and waits for a person. One whose own row cannot be read may have been confirmed: it is lost too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from models.detection.housing import Housing
from palier.historian.rows import BaselineRow
from palier.operations import Baseline, BaselineStatus

from .watch import MODEL, Watch
from .watch_diagnosis import Looked
from .watch_housing import HOUSING, from_text, key_of
from .watch_learning import LEARNING, Learning, reopened
from .watch_parts import Place, PointModel

LOOKED: Final = "#looked"
"""Key of when a point was last examined, in the records."""

INTERVENED: Final = "#intervened"
"""Key of the last intervention that the watch knows of: "MACHINE#intervened"."""

KEPT: Final = ":kept"
"""Added to the key of a model that could not be used when another came in its place."""

UNREADABLE: Final = "baseline_unreadable"
OTHER_COLUMNS: Final = "baseline_of_other_columns"

Told = Mapping[tuple[str, str], str]
"""The states of the records, by (site, key)."""


@dataclass(frozen=True, slots=True)
class Strange:
    """A text of the records that could not be used, and why."""

    where: str
    why: str


@dataclass(slots=True)
class Restored:
    """What could be read."""

    baselines: dict[str, Baseline] = field(default_factory=dict)
    learning: dict[Place, Learning] = field(default_factory=dict)
    behind: set[Place] = field(default_factory=set)  # opened again, and no batch came before the end
    models: dict[Place, PointModel] = field(default_factory=dict)
    housings: dict[Place, Housing] = field(default_factory=dict)
    unread: dict[Place, str] = field(default_factory=dict)
    lost: dict[Place, str] = field(default_factory=dict)
    looked: dict[Place, Looked] = field(default_factory=dict)
    intervened: dict[str, int] = field(default_factory=dict)
    strange: list[Strange] = field(default_factory=list)


def present_baselines(rows: Iterable[BaselineRow]) -> tuple[dict[str, Baseline], list[Strange]]:
    """The newest baseline of each machine; one whose row cannot be read is lost."""
    found: dict[str, Baseline] = {}
    strange = []
    for row in sorted(rows, key=lambda row: row.version):
        try:
            found[row.machine] = Baseline.from_told(json.loads(row.value))
        except (ValueError, TypeError) as error:
            strange.append(Strange(f"baseline {row.version} of {row.machine}", str(error)))
            found[row.machine] = Baseline(
                row.machine, version=row.version, status=BaselineStatus.LOST, why=UNREADABLE
            )
    return found, strange


def restored(watch: Watch, told: Told, baselines: Iterable[BaselineRow]) -> Restored:
    """What the records hold of the points of a watch without models."""
    present, strange = present_baselines(baselines)
    found = Restored(baselines=present, strange=strange)
    for one in (one for group in watch.groups for one in group.points):
        _read_learning(found, told, one.place)
        _read_model(found, told, one.place, (one.channels, one.names))
        _read_housing(found, told, one.place)
        _read_looked(found, told, one.place)
    for machine in {one.place[:2] for group in watch.groups for one in group.points}:
        _read_intervened(found, told, machine)
    return found


def version_of(baseline: Baseline | None) -> int:
    """The version that a machine's points learn for."""
    return 1 if baseline is None else baseline.version


def judged_by(baseline: Baseline, *, lost: bool, anew: bool, now_ns: int) -> Baseline:
    """What people see of a baseline where models of it are `lost` or, at a later start, are there again; or
    where nothing is left of what nobody had confirmed, and all of it is learned `anew`.
    """
    if anew and baseline.status is BaselineStatus.LEARNED:
        return replace(baseline, status=BaselineStatus.LEARNING, since_ns=now_ns, progress=0.0)
    if lost and baseline.status is BaselineStatus.CONFIRMED:
        return replace(baseline, status=BaselineStatus.LOST, since_ns=now_ns)
    if not lost and baseline.status is BaselineStatus.LOST and baseline.why != UNREADABLE:
        return replace(baseline, status=BaselineStatus.CONFIRMED, since_ns=now_ns)
    return baseline


def _read_learning(found: Restored, told: Told, place: Place) -> None:
    text = told.get(_key(place, LEARNING))
    if text is None:
        return
    learning = Learning.from_json(text)
    if learning is None:
        found.strange.append(Strange("/".join(place) + LEARNING, "no learning of this version"))
        return
    present = found.baselines.get(place[1])
    if present is not None and learning.version < present.version:
        found.behind.add(place)
        learning = reopened(present, ())
    found.learning[place] = learning


def _read_model(
    found: Restored, told: Told, place: Place, columns: tuple[Sequence[str], Sequence[str]]
) -> None:
    baseline = found.baselines.get(place[1])
    text = told.get(_key(place, f"{MODEL}:{version_of(baseline)}"))
    if text is None:
        return
    try:
        model = PointModel.from_text(text)
        if (model.channels, model.baseline.names) == columns:
            found.models[place] = model
            return
        why, detail = OTHER_COLUMNS, f"it is of {', '.join(model.channels)}, or of other features"
    except (ValueError, TypeError) as error:
        why, detail = UNREADABLE, str(error)
    found.unread[place] = text
    found.strange.append(Strange("/".join(place) + MODEL, f"{why}: {detail}"))
    if baseline is not None and baseline.status in (BaselineStatus.CONFIRMED, BaselineStatus.LOST):
        found.lost[place] = why


def _read_housing(found: Restored, told: Told, place: Place) -> None:
    text = told.get(key_of(place, version_of(found.baselines.get(place[1]))))
    if text is None:
        return
    try:
        found.housings[place] = from_text(text)
    except (ValueError, TypeError) as error:
        found.strange.append(Strange("/".join(place) + HOUSING, str(error)))


def _read_looked(found: Restored, told: Told, place: Place) -> None:
    text = told.get(_key(place, LOOKED))
    if text is None:
        return
    try:
        found.looked[place] = Looked(**json.loads(text))
    except (ValueError, TypeError) as error:
        found.strange.append(Strange("/".join(place) + LOOKED, str(error)))


def _read_intervened(found: Restored, told: Told, machine: tuple[str, str]) -> None:
    text = told.get((machine[0], f"{machine[1]}{INTERVENED}"), "")
    if text.isdecimal():
        found.intervened[machine[1]] = int(text)


def _key(place: Place, what: str) -> tuple[str, str]:
    site, machine, point = place
    return site, f"{machine}/{point}{what}"
