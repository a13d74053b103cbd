"""What happens to a machine's baseline by itself, as events: a point learned, all of it learned. Pure.

What people do to it (confirmed, opened again) is told with their command. An event's id follows from machine,
version and what happened, so that it is told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from palier.historian.rows import Transition
from palier.operations import Baseline, BaselineStatus

from .watch_batch import Watched, Watching

BASELINE: Final = "baseline"
"""Kind of the events of baselines."""


def events_of(before: Watching, watched: Watched, now_ns: int | None = None) -> tuple[Transition, ...]:
    """What a step made of the machines' baselines; or a fit, at a plant time."""
    site, after = before.knowledge.plant.site_id, watched.after
    found = [] if now_ns is None else list(_fitted(before, after, now_ns))
    for row in watched.baselines:
        was, now = before.baselines.get(row.machine), after.baselines[row.machine]
        if _is_news(was, now):
            found.append(_event(site, (now.machine, ""), now, was, _counts(after, site, now.machine)))
    return tuple(found)


def taken_events(before: Watching, watched: Watched, who: str, why: str) -> tuple[Transition, ...]:
    """A model of the registry came in the place of baselines, or went: each machine's, with who did that."""
    site, after = before.knowledge.plant.site_id, watched.after
    return tuple(
        _event(
            site,
            (row.machine, ""),
            after.baselines[row.machine],
            before.baselines.get(row.machine),
            {**_counts(after, site, row.machine), "who": who, "why": why},
        )
        for row in watched.baselines
    )


def _is_news(was: Baseline | None, now: Baseline) -> bool:
    """Progress is none; opened again, or confirmed by a person, is told with the command."""
    if now.status is BaselineStatus.LEARNING:
        return False
    if now.status is BaselineStatus.CONFIRMED:  # found again, after it was lost
        return was is not None and was.status not in (BaselineStatus.LEARNED, BaselineStatus.CONFIRMED)
    return was is None or (was.status, was.version) != (now.status, now.version)


def _fitted(before: Watching, after: Watching, now_ns: int) -> Iterator[Transition]:
    """Each point that has a model now, and had none."""
    for group in after.watch.groups:
        for one in group.points:
            was = before.watch.watched(one.place)
            if one.model is None or (was is not None and was.model is not None):
                continue
            site, machine, point = one.place
            learned = one.model.baseline
            counts = {"blocks": learned.blocks, "days": learned.days, "z": learned.z}
            counts["columns"] = len(learned.names)
            now = replace(after.baselines[machine], status=BaselineStatus.LEARNED, since_ns=now_ns)
            yield _event(site, (machine, point), now, None, counts)


def _counts(after: Watching, site: str, machine: str) -> dict[str, Any]:
    """How many blocks and days stand behind each point of a machine, None where it has no model yet."""
    points = {}
    for one in after.watch.of_machine(site, machine):
        learned = None if one.model is None else one.model.baseline
        points[one.place[2]] = learned and {"blocks": learned.blocks, "days": learned.days}
    return {"points": points}


def _event(
    site: str,
    place: tuple[str, str],
    now: Baseline,
    was: Baseline | None,
    counts: dict[str, Any],
) -> Transition:
    detail = {"who": "", "why": "", "version": now.version, "progress": now.progress, **counts}
    machine, point = place
    return Transition(
        event_id=f"{BASELINE}:{site}/{machine}/{point}:{now.version}:{now.status}:{now.since_ns}",
        site=site,
        machine=machine,
        point=point,
        channel="",
        ts_ns=now.since_ns,
        kind=BASELINE,
        state=now.status.value,
        previous=was.status.value if was else "",
        detail=json.dumps(detail, ensure_ascii=False, separators=(",", ":")),
    )
