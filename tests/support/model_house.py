"""An ingest's models on a learned pump, without threads: real records, a real registry, models of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.alarm_desk import Desk
from ingest.alarm_life import Evidence
from ingest.model_keeping import ModelKeeper
from ingest.model_loading import ModelLoader, Seen
from ingest.model_opening import opened
from ingest.watch_batch import Watched, Watching
from ingest.watch_keeping import WatchKeeper
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch, StateRow, Transition
from palier.registry import Note, Registry
from tests.support import watched_pump as pump
from tests.support.fake_models import loading, put
from tests.support.watched_pump import Host


@dataclass(eq=False)
class House:
    """`bundles` are what files of a tag are loaded as; `events` and `evidence` what was told so far."""

    folder: Path
    records: Records
    watch: WatchKeeper
    registry: Registry
    bundles: dict[bytes, Any]
    now_ns: int = pump.LEARNED_NS
    desk: Desk = field(default_factory=Desk)
    events: list[Transition] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    clock_s: float = 0.0
    load_s: float = 60.0
    """What a model may take to be loaded: real seconds, for it is done in a thread."""

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """As a start does: from the records and the copies."""
        load = loading(self.bundles)
        found = opened(load, self.folder / "copies", self.watch.watching, self.records.states())
        self.watch.watching, standings, troubles = found
        self.loader = ModelLoader(
            self.registry,
            self.folder / "copies",
            self.folder / "records.sqlite",
            Seen(self.watch.watching, standings),
            load,
            load_s=self.load_s,
            monotonic_s=lambda: self.clock_s,
        )
        self.keeper = ModelKeeper(self.loader, self.watch, self.records, troubles=troubles)

    def restart(self) -> None:
        """A new process on the same records."""
        watching = Watching.restored(pump.knowledge(), self.records.states(), self.records.baselines())
        self.watch = WatchKeeper(watching, None, self.records)
        self.open()

    def look(self) -> None:
        """Some seconds of an ingest: the loader looks, and between two batches it is taken."""
        self.clock_s += 10
        self.now_ns += 10 * 10**9
        self.loader.look()
        self.turn()

    def turn(self) -> None:
        """Between two batches."""
        self.desk = self.keeper.turn(self.now_ns, self.desk)
        self.events += self.keeper.take_news()
        self.evidence += self.keeper.take_evidence()

    def commit(self, k: int) -> Watched:
        """One block of the pump in good health."""
        watched = self.watch.step([pump.healthy(k)], self.desk)
        self.records.commit(RecordsBatch(states=watched.states, baselines=watched.baselines))
        self.desk = self.watch.keep(watched, self.desk)
        return watched

    def put(self, name: str, tag: bytes, bundle: Any, *, promote: bool = True) -> int:
        """A version in the registry, in force at once."""
        self.bundles[tag] = bundle
        kind = getattr(bundle, "kind", "detector")
        version = put(self.registry, name, tag, kind).version
        if promote:
            self.registry.promote(name, version, self.note("the new one is calmer"), forced=True)
        return version

    def note(self, why: str) -> Note:
        """By the data scientist."""
        return Note("s.idrissi", why, self.now_ns)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """On a host that has learned its pump."""
    host: Host = pump.learned_host(folder)
    records = Records(folder / "records.sqlite")
    states = tuple(StateRow(*key, value) for key, value in host.told.items())
    records.commit(RecordsBatch(states=states, baselines=tuple(host.baselines.values())))
    try:
        watching = replace(host.watching, rings={})
        yield House(folder, records, WatchKeeper(watching, None, records), Registry(folder / "registry"), {})
    finally:
        records.close()
        host.historian.close()
