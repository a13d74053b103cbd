"""The blocks of points as models learn from them: read from the historian, gathered as the ingest does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Unpack

import numpy as np

from models.features.catalogue import NAMES
from models.training.dataset import Label, PointHistory, Work
from models.training.gathering import Gathering, features_of, velocity_of
from models.types import MachineSpec, PointSpec, Quantity
from palier.limits import LimitsError, load_limits

from .history_asking import names_of
from .history_table import HistoryError, Tidy
from .schema import measurement

if TYPE_CHECKING:
    from models.detection.zones import LimitSet

    from .history import History, When

CAUSES: Final = tuple(name for name in ("speed_rpm", "load_percent") if name in measurement("feature").names)
"""What is read of a block beside its features: what explains their level."""


def point_history(history: History, machine: str, point: str, **when: Unpack[When]) -> PointHistory:
    """See `History.point`."""
    spec = _machine(history, machine)
    names_of("point", point, {one.id for one in spec.points}, f"machine {machine!r}")
    one = next(one for one in spec.points if one.id == point)
    if not _is_watched(one):
        raise HistoryError(
            f"{machine}/{point} has no acceleration channel in plant.toml: only such points are learned from"
        )
    found = _gathered(history, spec, one, **when)
    if found is None:
        raise _no_blocks(history, machine, point)
    if not len(found):
        raise HistoryError(
            f"none of the blocks of {machine}/{point} in that time can be believed: look at its sensor's "
            "alarms"
        )
    return found


def point_histories(history: History, machine: object, **when: Unpack[When]) -> Iterator[PointHistory]:
    """See `History.points`."""
    known = {one.id for one in history.plant.machines}
    wanted = names_of("machine", machine, known, f"the plant of site {history.site!r}")  # type: ignore[arg-type]
    for name in wanted:
        spec = _machine(history, name)
        for point in spec.points:
            if _is_watched(point) and (found := _gathered(history, spec, point, **when)):
                yield found


def labels_of(labels: Tidy, point: str) -> tuple[Label, ...]:
    """The labels that tell something of a point; those told later come later, and win."""
    known = labels.where((labels["point"] == point) & ~np.isnat(labels["start"]))
    told = zip(
        (known["start"].astype("int64") / 1e9).tolist(),
        (known["end"].astype("int64") / 1e9).tolist(),
        known["fault"].tolist(),
        known["source"].tolist(),
        strict=True,
    )
    return tuple(Label(*row) for row in told if row[2] is not None and row[0] < row[1])


def _gathered(
    history: History, machine: MachineSpec, point: PointSpec, **when: Unpack[When]
) -> PointHistory | None:
    """The blocks of a point, None where there are none in that time."""
    limits = _limits(history).get(point.limits or "")
    velocity = velocity_of(machine, point, limits)
    gathering = Gathering(history.site, machine, point, features=features_of(machine, point, velocity))
    rows = 0
    for start_ns, end_ns, blocks in history.stretches(
        "feature", machine.id, point=point.id, columns=(*NAMES, *CAUSES), **when
    ):
        states, readings = (
            history.stretch(
                of, (field,), machine=machine.id, point=point.id, start_ns=start_ns, end_ns=end_ns
            )
            for of, field in (("state", "state"), ("reading", "value"))
        )
        gathering.add(blocks, states, readings)
        rows += len(blocks)
    if not rows:
        return None
    done = history.interventions(machine.id)
    times_s = (done["time"].astype("int64") / 1e9).tolist()
    found = gathering.history(interventions_s=times_s, labels=history.label_stretches(machine.id, point.id))
    told = zip(times_s, done["point"].tolist(), done["kind"].tolist(), strict=True)
    return replace(found, work=tuple(Work(at_s, where or "", kind or "") for at_s, where, kind in told))


def _machine(history: History, machine: str) -> MachineSpec:
    known = {one.id: one for one in history.plant.machines}
    (name,) = names_of("machine", machine, known, f"the plant of site {history.site!r}")
    return known[name]


def _limits(history: History) -> dict[str, LimitSet]:
    try:
        return dict(load_limits(history.plant.limits_file))
    except LimitsError as error:
        raise HistoryError(f"the limits of the plant can't be read: {error}") from error


def _is_watched(point: PointSpec) -> bool:
    return any(channel.quantity is Quantity.ACCELERATION for channel in point.channels)


def _no_blocks(history: History, machine: str, point: str) -> HistoryError:
    """There are none in that time: when there are."""
    there = history.span_ns("feature", machine, point=point, columns=())
    if there is None:
        return HistoryError(f"{machine}/{point} has no blocks at all: look at its gateway by `palier ledger`")
    first, last = (datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="minutes") for ns in there)
    return HistoryError(f"{machine}/{point} has no blocks in that time; it has some from {first} to {last}")
