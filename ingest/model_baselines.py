"""Baselines of the registry in the place of those that points are judged by. Pure.

    prepared = prepare(watching, wanted)             anywhere: all that takes time
    watched = take(watching, prepared, now_ns)       between two batches; None: it is of another moment
    ... store `watched.states` and `watched.baselines`; `watched.after` is in force ...

Rules:
1. They become a version of their machine's baseline like one that was learned: the records hold each model's
   text, so that a restart, a rescoring and a report need no registry. Points of the machine that are not
   touched keep what they have, under the new version; so does what is known of how warm housings should be.
2. A person's word comes later than a model's: a machine whose baseline is opened again after that learns by
   itself, and gets the model only when another version is put in force.
3. What a rollback puts back is the newest that the plant had learned of a point by itself; where it never
   had, the point learns.
4. A point that was touched starts anew, as after any new baseline; all others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from models.detection.plain import encode
from palier.historian.rows import BaselineRow, StateRow
from palier.operations import Baseline, BaselineStatus

from .watch import MODEL, Watch, WatchState
from .watch_batch import Watched, Watching, baseline_row
from .watch_housing import key_of, to_text
from .watch_learning import LEARNING, Learning
from .watch_parts import Place, PointModel, with_model
from .watch_restoring import present_baselines

TRAINED: Final = "#trained"
"""Key of what a baseline was trained on, for drift: "MACHINE/POINT#trained:VERSION"."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What points are to be judged by: a model each, None for those that learn anew; what those of the
    registry were trained on (as text); who wants it and why; and of machines that get their own baseline back
    how it was. `left_out` says of which points the models do not fit, and why.
    """

    models: Mapping[Place, PointModel | None]
    trained: Mapping[Place, str] = field(default_factory=lambda: MappingProxyType({}))
    who: str = ""
    why: str = ""
    former: Mapping[str, Baseline] = field(default_factory=lambda: MappingProxyType({}))
    left_out: tuple[tuple[Place, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Everything of a change that takes time: the watch as it will be, the rows of the models, and those that
    may be written `later`. It fits where the watch is the `basis`, and the machines' baselines have these
    `versions`.
    """

    wanted: Wanted
    basis: Watch
    versions: Mapping[str, int]
    watch: Watch
    fresh: Mapping[Place, bytes]
    texts: tuple[StateRow, ...]
    later: tuple[StateRow, ...] = ()


def fitting(watching: Watching, found: Mapping[Place, Any], origin: str) -> Wanted:
    """The models of a bundle (each with `channels`, `baseline`, `levels`, `trained`) that fit points of the
    plant; what does not is left out, with the reason.
    """
    models: dict[Place, PointModel | None] = {}
    trained: dict[Place, str] = {}
    left_out: list[tuple[Place, str]] = []
    for place, one in found.items():
        watched = watching.watch.watched(place)
        if watched is None:
            left_out.append((place, "not_in_plant"))
            continue
        model = PointModel(1, tuple(one.channels), one.baseline, one.levels, origin)
        if with_model(watched, model).model is None:
            left_out.append((place, "other_columns"))
            continue
        models[place] = model
        if getattr(one, "trained", None) is not None:
            trained[place] = encode(one.trained.to_arrays())
    return Wanted(models, trained, left_out=tuple(left_out))


def of_origin(watching: Watching, name: str) -> tuple[Place, ...]:
    """Points that are judged by a version of this model of the registry now."""
    points = (one for group in watching.watch.groups for one in group.points)
    return tuple(one.place for one in points if one.model and one.model.origin.startswith(f"{name}:"))


def own(
    places: Iterable[Place], told: Mapping[tuple[str, str], str], rows: Sequence[BaselineRow]
) -> tuple[dict[Place, PointModel | None], dict[str, Baseline]]:
    """What the plant had learned of these points by itself, as the records tell (`told` by site and key), and
    what people saw of their machines' baselines then.
    """
    models: dict[Place, PointModel | None] = {}
    former: dict[str, Baseline] = {}
    for site, machine, point in places:
        model = _newest_own(told, site, f"{machine}/{point}{MODEL}:")
        models[site, machine, point] = model
        if model is not None:
            of_machine = [row for row in rows if (row.machine, row.version) == (machine, model.version)]
            found, _ = present_baselines(of_machine)
            seen = former.get(machine)
            if machine in found and (seen is None or seen.version < model.version):
                former[machine] = found[machine]
    return models, former


def _newest_own(told: Mapping[tuple[str, str], str], site: str, prefix: str) -> PointModel | None:
    versions = {
        int(key[len(prefix) :]): text
        for (s, key), text in told.items()
        if s == site and key.startswith(prefix) and key[len(prefix) :].isdecimal()
    }
    for version in sorted(versions, reverse=True):
        try:
            model = PointModel.from_text(versions[version])
        except (TypeError, ValueError):
            continue  # of another version of Palier
        if not model.origin:
            return model
    return None


def prepare(watching: Watching, wanted: Wanted) -> Prepared:
    """What takes time: to stack the models of all points anew, and to write each as text."""
    site = watching.knowledge.plant.site_id
    versions = {machine: _next(watching.baselines.get(machine)) for _, machine, _ in wanted.models}
    models: dict[Place, PointModel | None] = {}
    for machine, version in versions.items():
        for one in watching.watch.of_machine(site, machine):
            model = wanted.models.get(one.place, one.model)
            models[one.place] = None if model is None else replace(model, version=version)
    watch, state = watching.watch.learned(WatchState({}), models)
    texts = [
        StateRow(place[0], f"{place[1]}/{place[2]}{MODEL}:{model.version}", model.to_text())
        for place, model in models.items()
        if model is not None
    ]
    texts += [
        StateRow(*key_of(one.place, version), to_text(one.housing))
        for machine, version in versions.items()
        for one in watch.of_machine(site, machine)
        if one.housing is not None
    ]
    later = [
        StateRow(place[0], f"{place[1]}/{place[2]}{TRAINED}:{versions[place[1]]}", text)
        for place, text in wanted.trained.items()
    ]
    fresh = {place: state.rows[place] for place in wanted.models}
    return Prepared(wanted, watching.watch, versions, watch, fresh, tuple(texts), tuple(later))


def take(watching: Watching, prepared: Prepared, now_ns: int) -> Watched | None:
    """The watching with what was prepared; None where another baseline came or was opened meanwhile."""
    before = watching.baselines
    same = all(_next(before.get(machine)) == version for machine, version in prepared.versions.items())
    if watching.watch is not prepared.basis or not same:
        return None
    site, touched = watching.knowledge.plant.site_id, prepared.wanted.models
    state = WatchState({**watching.state.rows, **prepared.fresh})
    learning = _learning(watching, prepared)
    after = replace(
        watching,
        watch=prepared.watch,
        state=state,
        learning={**watching.learning, **learning},
        lost={place: why for place, why in watching.lost.items() if place not in touched},
        unread={place: text for place, text in watching.unread.items() if place not in touched},
    )
    told = {m: _told(after, m, prepared, now_ns) for m in prepared.versions}
    after = replace(after, baselines={**before, **told})
    kept = [StateRow(s, key, text) for (s, key), text in prepared.watch.texts(state, touched).items()]
    kept += [StateRow(s, f"{m}/{p}{LEARNING}", one.to_json()) for (s, m, p), one in learning.items()]
    rows = tuple(baseline_row(site, one) for one in told.values())
    return Watched(after, states=(*prepared.texts, *kept), baselines=rows)


def _learning(watching: Watching, prepared: Prepared) -> dict[Place, Learning]:
    """The points that go on to learn, or begin to, learn for the new version."""
    found = {}
    for machine, version in prepared.versions.items():
        for one in prepared.watch.of_machine(watching.knowledge.plant.site_id, machine):
            known = watching.learning.get(one.place)
            if one.model is None or known is not None:
                found[one.place] = replace(known or Learning(), version=version)
    return found


def _told(after: Watching, machine: str, prepared: Prepared, now_ns: int) -> Baseline:
    """What people see of a machine's baseline: learned, or as it was before the model came."""
    before, wanted = after.baselines.get(machine), prepared.wanted
    opened_ns = now_ns if before is None else before.opened_ns
    told = Baseline(
        machine,
        prepared.versions[machine],
        BaselineStatus.LEARNING,
        opened_ns,
        now_ns,
        0.0,
        wanted.who,
        wanted.why,
    )
    points = after.watch.of_machine(after.knowledge.plant.site_id, machine)
    if not any(one.model for one in points):
        site = after.knowledge.plant.site_id
        return replace(after, baselines={**after.baselines, machine: told}).baseline_of(site, machine, now_ns)
    own_one = wanted.former.get(machine)
    if own_one is not None and not any(one.model and one.model.origin for one in points):
        return replace(own_one, version=told.version, since_ns=now_ns)
    return replace(told, status=BaselineStatus.LEARNED, progress=1.0)


def _next(baseline: Baseline | None) -> int:
    return 1 if baseline is None else baseline.version + 1
