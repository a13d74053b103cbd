"""The models in force, and the change to others between two batches. For the one thread that owns the stores.

    keeper.turn(plant_ns, desk)       after each commit: what the loader has ready is taken, durable first
    keeper.take_evidence()            what people are to be told as alarms

Everything that takes time was done by the loader. A change is one transaction of the records (which version
is in force, the models' texts, what they remember, the events) and then one reference: a batch is judged by
what was before or by what is after, and a crash leaves one or the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

import structlog

from palier.alarms import Mode
from palier.historian.base import Unavailable
from palier.historian.rows import RecordsBatch, StateRow, Transition

from .alarm_desk import Desk
from .alarm_life import Evidence
from .baseline_events import taken_events
from .model_baselines import take
from .model_loading import ModelLoader, Offer
from .model_standing import Trouble, changed, evidence, refused, row_of
from .watch_batch import Watched, Watching
from .watch_keeping import WatchKeeper

RETRY_S: Final = 5.0  # after the records failed

AT_ONCE: Final = 30
"""Rows of what models were trained on that are written between two batches: half a megabyte, some
milliseconds. Nothing that is judged depends on them."""

log = structlog.get_logger(__name__)


class RecordsWriter(Protocol):
    """What is needed of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...


class ModelKeeper:
    """Takes what the loader offers, and tells what it could not load."""

    def __init__(
        self,
        loader: ModelLoader,
        watch: WatchKeeper,
        records: RecordsWriter,
        *,
        troubles: Iterable[Trouble] = (),
    ) -> None:
        """`troubles` are of the start: models that the records have in force, and that can't be read."""
        self._loader = loader
        self._watch = watch
        self._records = records
        self._news: list[Transition] = []
        self._evidence: list[Evidence] = []
        self._told: dict[str, Trouble] = {}
        self._failing: dict[str, Trouble] = {one.name: one for one in troubles}
        self._later: list[StateRow] = []
        self._not_before_s = 0.0
        self._has_settled = False

    @property
    def _site(self) -> str:
        return self._watch.watching.knowledge.plant.site_id

    def start(self) -> None:
        """Begin to look at the registry."""
        self._loader.start()

    def stop(self, timeout_s: float) -> None:
        """End that."""
        self._loader.stop(timeout_s)

    def take_news(self) -> tuple[Transition, ...]:
        """Events that the records have and the series lack."""
        news, self._news = tuple(self._news), []
        return news

    def take_evidence(self) -> tuple[Evidence, ...]:
        """What alarms of models are to hear."""
        found, self._evidence = tuple(self._evidence), []
        return found

    def give_back(self, said: Iterable[Evidence]) -> None:
        """The alarms could not hear it."""
        self._evidence = [*said, *self._evidence]

    def turn(self, plant_ns: int, desk: Desk) -> Desk:
        """Take what is ready; tell what can't be loaded. Never raises for a store that is down."""
        if time.monotonic() < self._not_before_s:
            return desk
        self._loader.seen.watching = self._watch.watching
        for spec, why in self._watch.take_model_failures():  # in other words each time: told once
            name = spec.partition(":")[0]
            self._failing.setdefault(name, Trouble(name, _version(spec), "fails", why))
        try:
            offer = self._loader.offered()
            if offer is not None:
                desk = self._take(offer, plant_ns, desk)
            elif self._later:
                self._records.commit(RecordsBatch(states=tuple(self._later[:AT_ONCE])))
                del self._later[:AT_ONCE]
            self._tell(plant_ns, desk)
        except Unavailable as error:
            log.warning("models_postponed", error=str(error))
            self._not_before_s = time.monotonic() + RETRY_S
        return desk

    def _take(self, offer: Offer, plant_ns: int, desk: Desk) -> Desk:
        begun_s = time.monotonic()
        watching, standings = self._watch.watching, self._loader.seen.standings
        watched: Watched | None = Watched(watching)
        if offer.prepared is not None:
            if _is_behind(watching, desk, offer.prepared.versions):
                return desk  # what a person decided comes first: with the next batch
            watched = take(watching, offer.prepared, plant_ns)
        if watched is None:
            self._loader.again()
            return desk
        before = watched.after.models
        others = [one for one in before.installed if one.name != offer.name]
        models = before.having((*others, *offer.installed))
        site, now = watching.knowledge.plant.site_id, {**standings, offer.name: offer.standing}
        told = {"who": offer.who, "why": offer.why, "left_out": _left_out(offer)}
        events = (
            *changed((site, offer.name), standings.get(offer.name), offer.standing, plant_ns, told),
            *taken_events(watching, watched, offer.who, offer.why),
        )
        states = (*watched.states, *before.forgotten(models), row_of(site, now))
        self._records.commit(RecordsBatch(states=states, baselines=watched.baselines, transitions=events))
        desk = self._watch.install(replace(watched, after=replace(watched.after, models=models)), desk)
        self._failing.pop(offer.name, None)
        self._later += offer.prepared.later if offer.prepared else ()
        self._news += events
        self._loader.seen.watching, self._loader.seen.standings = self._watch.watching, now
        self._loader.settled()
        log.info(
            "model_taken",
            model=offer.name,
            in_force=offer.standing.in_force and offer.standing.in_force.version,
            shadow=offer.standing.shadow and offer.standing.shadow.version,
            who=offer.who,
            pause_ms=round(1000 * (time.monotonic() - begun_s), 1),
        )
        return desk

    def _tell(self, plant_ns: int, desk: Desk) -> None:
        """Alarms and events of what is new among the troubles, and of what is over; after a start also of
        alarms that stood, and whose trouble ended while nobody looked.
        """
        troubles, site = {**self._loader.troubles(), **self._failing}, self._site
        stood: list[str] = []
        if not self._has_settled and self._loader.looked:
            stood = [
                name for name in _standing(desk, site) if name not in troubles and name not in self._told
            ]
            self._has_settled = True
        if troubles == self._told and not stood:
            return
        news = [one for name, one in troubles.items() if not _is_told(one, self._told.get(name))]
        events = tuple(refused(site, one, plant_ns) for one in news)
        if events:
            self._records.commit(RecordsBatch(transitions=events))
        for one in news:
            log.error("model_not_taken", model=one.name, version=one.version, key=one.key, why=one.sentence)
        over = [*stood, *(name for name in self._told if name not in troubles)]
        self._evidence += [evidence(site, one.name, plant_ns, one) for one in news]
        self._evidence += [evidence(site, name, plant_ns, None) for name in over]
        self._news += events
        self._told = troubles


def _is_behind(watching: Watching, desk: Desk, versions: Mapping[str, int]) -> bool:
    """Whether a person opened or confirmed a baseline that the watch has not heard of yet."""
    return any(
        desk.baselines.get(m, watching.baselines.get(m)) != watching.baselines.get(m) for m in versions
    )


def _is_told(one: Trouble, told: Trouble | None) -> bool:
    """Whether people know of it: what is tried again may fail in other words, with other numbers."""
    return told is not None and (one.version, one.key) == (told.version, told.key)


def _standing(desk: Desk, site: str) -> list[str]:
    """The models of which an alarm stands."""
    known = desk.alarms.known.items()
    return [
        key.machine
        for key, alarm in known
        if (key.site, key.mode) == (site, Mode.MODEL) and alarm.standing is not None
    ]


def _left_out(offer: Offer) -> list[str]:
    found = offer.prepared.wanted.left_out if offer.prepared else ()
    return [f"{'/'.join(place)}: {why}" for place, why in found]


def _version(spec: str) -> int | None:
    number = spec.partition(":")[2]
    return int(number) if number.isdecimal() else None
