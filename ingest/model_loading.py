"""Looks at the registry, and loads what it asks for, in a thread of its own: nothing of it is done where
frames are.

    loader.start()
    offer = loader.offered()      at any time: what is ready to be taken between two batches, None for nothing
    loader.settled(offer)         it was taken; or `loader.again()`: it has to be made anew

A look each second costs a `stat` for each name. What is asked for is read, checked (hashes, signature, the
answers that its makers got) and copied into the ingest's own folder, so that a restart needs no registry.
What can't be taken is told as a `Trouble`: what is in force stays, and files that change are tried again."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.rows import BaselineRow
from palier.registry import Line, Registry, RegistryError, Version
from palier.registry_files import write_folder

from .model_baselines import Prepared, Wanted, fitting, of_origin, own, prepare
from .model_scoring import BASELINES, IN_FORCE, SHADOW, Installed
from .model_standing import Standing, Taken, Trouble, acts_of, cut_short
from .model_timed import LOAD_S, ModelError, Pace, TooSlow, timed
from .watch import MODEL
from .watch_batch import Watching
from .watch_parts import Place

if TYPE_CHECKING:
    from models.bundle import Bundle

LOOK_S: Final = 1.0
"""How often it is looked: what is promoted is in force within five seconds, and a look costs microseconds."""

RETRY_S: Final = 4.0
"""After trouble it is tried again though nothing seems to have changed: files may come after the journal."""

BUSY_S: Final = 60.0
"""After that a model that was too slow is tried again: the machine may have been busy."""

log = structlog.get_logger(__name__)

Load = Callable[[str, Mapping[str, bytes]], "Bundle"]
"""The model of a version ("pumps:3") and its files."""


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What the registry asks of one name, ready to be taken: how it stands then, the models that are to
    work, and the change of baselines, None without any. `who` and `why` are of the last act.
    """

    name: str
    standing: Standing
    installed: tuple[Installed, ...] = ()
    prepared: Prepared | None = None
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A version that could not be loaded: its files then, and when it is tried again with the same."""

    stamp: Hashable
    error: Exception
    again_s: float


@dataclass(slots=True, eq=False)
class Seen:
    """What the thread that owns the stores lets the loader see: values that never change, each replaced as a
    whole.
    """

    watching: Watching
    standings: Mapping[str, Standing] = field(default_factory=dict)


class ModelLoader:
    """The thread. `offered`, `settled`, `again` and `troubles` are for the thread that owns the stores."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        records: Path,
        seen: Seen,
        load: Load,
        *,
        load_s: float = LOAD_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` holds the ingest's own copies; `records` is the file of its records; `load` makes a bundle
        of a version's files, and raises BundleError. `looked` is whether every name was looked at, so that
        `troubles` has all there are.
        """
        self.seen = seen
        self._registry = registry
        self._folder = folder
        self._records = records
        self._load = load
        self._load_s = load_s
        self._monotonic_s = monotonic_s
        self.looked = False
        self._stamp: Hashable = None
        self._retry_at_s = 0.0
        self._bundles: dict[str, Bundle] = {}
        self._failed: dict[str, _Failed] = {}
        self._troubles: dict[str, Trouble] = {}
        self._offer: Offer | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-models", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread; one that is loading is left behind, it changes nothing."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def offered(self) -> Offer | None:
        """What is ready to be taken."""
        return self._offer

    def settled(self) -> None:
        """The offer was taken, and `seen` is as it is now."""
        self._offer = None
        self.again()

    def again(self) -> None:
        """The offer is of another moment: look again at once."""
        self._offer, self._stamp = None, None

    def troubles(self) -> Mapping[str, Trouble]:
        """What can't be taken now, by name; replaced as a whole."""
        return self._troubles

    def remember(self, spec: str, fingerprint: str, bundle: Bundle) -> None:
        """This was loaded at the start."""
        self._bundles[f"{spec}@{fingerprint}"] = bundle

    def look(self) -> None:
        """One look; nothing while an offer waits. Never raises."""
        if self._offer is not None:
            return
        try:
            stamp = self._registry.stamp()
            due = bool(self._troubles) and self._monotonic_s() >= self._retry_at_s
            if stamp == self._stamp and not due:
                return
            names = dict.fromkeys((*self._registry.names(), *self.seen.standings))
        except RegistryError as error:
            self._tell({"registry": Trouble("registry", None, error.key, str(error))})
            return
        self._stamp = stamp
        troubles: dict[str, Trouble] = {}
        left = 0
        for name in names:
            if self._offer is None:
                self._look_at(name, troubles)
                continue
            left += 1
            if name in self._troubles:  # not looked at this time
                troubles[name] = self._troubles[name]
        self._tell(troubles)
        self.looked = self.looked or not left

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:
                log.exception("models_not_looked_at", error=repr(error))

    def _tell(self, troubles: dict[str, Trouble]) -> None:
        self._troubles = troubles
        self._retry_at_s = self._monotonic_s() + RETRY_S

    def _look_at(self, name: str, troubles: dict[str, Trouble]) -> None:
        version: int | None = None
        try:
            line = self._registry.line(name)
            before = self.seen.standings.get(name)
            if sentence := cut_short(line, before):
                raise ModelError("not_there_yet", sentence)
            wanted = _wanted(line, before)
            if wanted == before:
                self._tidy(name, wanted)
            if wanted == before or (before is None and not (wanted.in_force or wanted.shadow)):
                return
            is_same = wanted.in_force == (before and before.in_force)
            asked = wanted.shadow if is_same else wanted.in_force
            version = None if asked is None else asked.version
            self._offer = self._prepared(line, before, wanted if is_same else self._loadable(line, wanted))
        except (RegistryError, ModelError) as error:
            troubles[name] = Trouble(name, version, error.key, str(error))
        except HistorianError as error:
            troubles[name] = Trouble(name, version, "unreadable", str(error))
        except Exception as error:  # noqa: BLE001 - bundles are strangers' files: whatever they provoke is told
            key = str(getattr(error, "key", "refused"))
            sentence = str(error) if hasattr(error, "key") else f"{type(error).__name__}: {error}"
            troubles[name] = Trouble(name, version, key, sentence)

    def _loadable(self, line: Line, wanted: Standing) -> Standing:
        """What is wanted, without a shadow that can't be loaded: it must hold up neither a promotion nor a
        rollback. What is wrong with it is told by the next look, which asks for it alone.
        """
        if wanted.shadow is None:
            return wanted
        try:
            one = line.version(wanted.shadow.version)
            self._refuse_strange(Installed.of(one.name, one.version, SHADOW, self._bundle(one)))
        except Exception as error:  # noqa: BLE001 - as in `_look_at`
            log.warning("shadow_left_out", model=line.name, version=wanted.shadow.version, why=str(error))
            return replace(wanted, shadow=None)
        return wanted

    def _prepared(self, line: Line, before: Standing | None, wanted: Standing) -> Offer:
        loaded = {
            stage: self._bundle(line.version(taken.version))
            for stage, taken in ((IN_FORCE, wanted.in_force), (SHADOW, wanted.shadow))
            if taken is not None
        }
        act = line.changed
        who, why = ("", "") if act is None else (act.note.who, act.note.why)
        prepared = None
        if wanted.kind == BASELINES and (before and before.in_force) != wanted.in_force:
            prepared = self._baselines(line.name, wanted, loaded.get(IN_FORCE), (who, why))
            loaded.pop(IN_FORCE, None)
        elif wanted.kind == BASELINES:
            loaded.pop(IN_FORCE, None)
        installed = tuple(
            Installed.of(line.name, taken.version, stage, loaded[stage], Pace())
            for stage, taken in ((IN_FORCE, wanted.in_force), (SHADOW, wanted.shadow))
            if stage in loaded and taken is not None
        )
        for one in installed:
            self._refuse_strange(one)
        return Offer(line.name, wanted, installed, prepared, who, why)

    def _bundle(self, one: Version) -> Bundle:
        """A version, loaded once, and copied. What failed is not read again until its files are others."""
        key, stamp = f"{one.spec}@{one.fingerprint}", self._registry.stamp_of(one)
        if key in self._bundles and self._folder_of(one).exists():
            return self._bundles[key]
        failed = self._failed.get(key)
        if failed is not None and failed.stamp == stamp and self._is_too_early(failed):
            raise failed.error
        try:
            files = self._registry.read(one)
            self._bundles[key] = timed(lambda: self._load(one.spec, files), one.spec, self._load_s)
        except Exception as error:
            again_s = self._monotonic_s() + BUSY_S if _is_slow(error) else math.inf
            self._failed[key] = _Failed(stamp, error, again_s)
            raise
        self._copy(one, files)
        return self._bundles[key]

    def _is_too_early(self, failed: _Failed) -> bool:
        error = failed.error
        return self._monotonic_s() < failed.again_s or (isinstance(error, TooSlow) and error.goes_on)

    def _folder_of(self, one: Version) -> Path:
        return self._folder / one.name / str(one.version)

    def _tidy(self, name: str, standing: Standing) -> None:
        """What is no more at work is neither kept in memory nor copied: the registry has it."""
        kept = [taken for taken in (standing.in_force, standing.shadow) if taken is not None]
        keys = {f"{name}:{taken.version}@{taken.fingerprint}" for taken in kept}
        for key in [key for key in self._bundles if key.startswith(f"{name}:") and key not in keys]:
            del self._bundles[key]
        versions = {str(taken.version) for taken in kept}
        for folder in (self._folder / name).glob("[0-9]*"):
            if folder.name not in versions:
                shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, one: Version, files: Mapping[str, bytes]) -> None:
        target = self._folder_of(one)
        try:
            if target.exists() and any(read_own(target).get(name) != data for name, data in files.items()):
                shutil.rmtree(target)
            if not target.exists():
                write_folder(target, files)
        except OSError as error:
            raise ModelError("not_writable", f"{target} can't be written: {error.strerror}") from error

    def _refuse_strange(self, one: Installed) -> None:
        """Raises ModelError for a model that has no point of this plant."""
        points = (p for group in self.seen.watching.watch.groups for p in group.points)
        if not any(one.judges(point) for point in points):
            raise ModelError(
                "nothing_fits",
                f"{one.spec} is for none of the points of this plant: it was trained for another one",
            )

    def _baselines(
        self, name: str, wanted: Standing, bundle: Bundle | None, note: tuple[str, str]
    ) -> Prepared:
        """The change of baselines: those of the bundle that fit, and what was before at the other points that
        a version of this name judges now.
        """
        watching, (who, why) = self.seen.watching, note
        found = Wanted({})
        if bundle is not None and wanted.in_force is not None:
            spec = f"{name}:{wanted.in_force.version}"
            found = fitting(watching, bundle.baselines, spec)
            _refuse_unfit(found, spec, watching)
            why = f"{spec}: {why}" if why else spec
        back = [place for place in of_origin(watching, name) if place not in found.models]
        models, former = own(back, *self._told(back))
        change = replace(found, models={**found.models, **models}, who=who, why=why, former=former)
        for place, reason in found.left_out:
            log.warning("model_left_out", model=name, place="/".join(place), why=reason)
        return prepare(watching, change)

    def _told(self, places: Collection[Place]) -> tuple[dict[tuple[str, str], str], Sequence[BaselineRow]]:
        """The models that the records hold of some points, and all versions of the baselines."""
        if not places:
            return {}, ()
        with closing(RecordsReader(self._records)) as reader:
            told: dict[tuple[str, str], str] = {}
            for site, machine, point in places:
                told |= reader.states(site, f"{machine}/{point}{MODEL}:")
            return told, reader.baselines()


def read_own(folder: Path) -> dict[str, bytes]:
    """The files of a copy of ours. Raises OSError."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _wanted(line: Line, before: Standing | None) -> Standing:
    in_force, shadow = line.in_force, line.shadow
    kinds = [one.kind for one in (in_force, shadow) if one is not None]
    kind = kinds[0] if kinds else (before.kind if before else "")
    return Standing(kind, _taken(in_force), _taken(shadow), *acts_of(line))


def _is_slow(error: Exception) -> bool:
    return getattr(error, "key", "") in ("slow", "too_slow")


def _taken(one: Version | None) -> Taken | None:
    return None if one is None else Taken(one.version, one.fingerprint)


def _refuse_unfit(found: Wanted, spec: str, watching: Watching) -> None:
    """Raises ModelError for baselines of no point of this plant, or of one that another name judges."""
    if not found.models:
        raise ModelError(
            "nothing_fits",
            f"{spec} fits none of the points of this plant: "
            + "; ".join(f"{'/'.join(place)} {why}" for place, why in found.left_out[:5]),
        )
    name = spec.partition(":")[0]
    for place in found.models:
        one = watching.watch.watched(place)
        origin = one.model.origin if one and one.model else ""
        if origin and origin.partition(":")[0] != name:
            raise ModelError(
                "overlaps",
                f"{spec} is of {'/'.join(place)}, which {origin} judges: retire one of them, or train "
                "without that point",
            )
