"""Opens the three stores of a data folder, and restores from them what the ingest holds in memory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from palier import ranges
from palier.gateways import GatewayTold, known_nodes, read_gateways
from palier.historian.base import Historian, HistorianError, Unavailable
from palier.historian.budgets import Budgets
from palier.historian.folder import DataFolder
from palier.historian.opening import HistorianSettings, open_historian
from palier.historian.people_tables import MAX_COMMANDS
from palier.historian.records import Records
from palier.historian.rows import Transition, Verdict
from palier.historian.space import Space
from palier.historian.sqlite import SqliteHistorian
from palier.historian.thinning import thin
from palier.historian.waveforms import WaveformStore

from . import alarm_desk, alarms, rows
from .admission import LiveKey
from .alarm_commands import INTERVENTION, OLDEST_NS
from .alarm_desk import Desk
from .batch import Recall
from .board import VIBRATION, InForce, Key
from .edges import read_configurations
from .knowledge import Knowledge
from .recall import read_recalls
from .seen import Seen
from .spectra import read_spectra
from .watch_batch import Watching
from .watch_keeping import WatchKeeper, last_blocks

EVENTS_REWRITTEN_NS: Final = 30 * 86_400 * 10**9
"""Transitions written into the series again at start: a historian that was restored or replaced gets a
month back, and what is older and still matters."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenStores:
    """The stores of one data folder, held by this process alone."""

    historian: Historian
    records: Records
    waveforms: WaveformStore
    budgets: Budgets
    space: Space

    def seen(self) -> Seen:
        """What has a verdict, as the records have it."""
        seen = Seen()
        for edge, epoch in self.records.edges():
            verdicts = (self.records.ranges(edge, epoch, verdict) for verdict in Verdict)
            seen.load(edge, epoch, ranges.merge(r for verdict in verdicts for r in verdict))
        return seen

    def in_force(self) -> tuple[dict[Key, InForce], dict[Key, int]]:
        """The states in force when the ingest ended, and when spectra were last written."""
        told = self.records.states()
        read = {key: InForce.from_json(text) for key, text in told.items()}
        return {key: state for key, state in read.items() if state is not None}, read_spectra(told)

    def configurations(self) -> dict[str, str]:
        """The hash of each gateway's configuration, as it was told last."""
        return read_configurations(self.records.states())

    def recalls(self) -> dict[Recall, tuple[str, ...]]:
        """The alerts whose waveforms are wanted, and the gateways that answered."""
        return read_recalls(self.records.states())

    def gateways(self) -> dict[str, GatewayTold]:
        """How each gateway said last that it is."""
        return read_gateways(self.records.states())

    def gateway(self, edge: str) -> GatewayTold | None:
        """How one gateway ("site/node") said last that it is. Raises Unavailable."""
        site, _, node = edge.partition("/")
        return read_gateways(self.records.states(site, f"{node}#")).get(edge)

    def nodes(self, site: str) -> frozenset[str]:
        """The gateways of a site that were ever born, told of themselves or reported. Raises Unavailable."""
        reported = {one.edge for one in self.records.ledger_reports() if one.edge.startswith(f"{site}/")}
        return known_nodes(self.records.states(site)) | reported

    def desk(self) -> Desk:
        """The alarms and what people decided, as the records have it."""
        known, strange = alarms.restore(self.records.alarms())
        if strange:
            log.error("alarms_unreadable", alarms=list(strange), remedy="run the version that wrote them")
        return alarm_desk.restore(
            known,
            self.records.interventions(),
            self.records.baselines(),
            self.records.commands(MAX_COMMANDS),
        )

    def watch(self, knowledge: Knowledge, in_force: Mapping[Key, InForce]) -> WatchKeeper:
        """What is watched, as it was when the ingest ended."""
        told, baselines = self.records.states(), self.records.baselines()
        watching = Watching.restored(knowledge, told, baselines)
        for one in watching.strange:
            log.error("watch_not_read", where=one.where, why=one.why, what="this part begins anew")
        try:
            rings = last_blocks(self.historian, watching, in_force)
        except HistorianError as error:  # a server that is down must not keep us from starting
            log.warning("last_blocks_not_read", error=str(error), what="diagnoses begin with what comes now")
            rings = {}
        return WatchKeeper(replace(watching, rings=rings), self.historian, self.records)

    def rewrite_events(self, now_ns: int) -> None:
        """Write the transitions of the last month into the series once more: the same rows, unless they
        were lost. Of older ones those by which an alarm is what it is now, and work of a time before the
        month, which may have been told yesterday. Raises Unavailable.
        """
        month_ns = now_ns - EVENTS_REWRITTEN_NS
        work = self.records.transitions(now_ns - OLDEST_NS, INTERVENTION)
        older = (t for t in (*self._of_open_alarms(month_ns), *work) if t.ts_ns < month_ns)
        transitions = (*older, *self.records.transitions(month_ns))
        if transitions:
            self.historian.write([rows.event_rows(transitions)])

    def _of_open_alarms(self, before_ns: int) -> list[Transition]:
        """The last transition of each alarm that is open since before that time."""
        known, _ = alarms.restore(self.records.alarms())
        old = {
            (a.key.site, a.key.machine, a.key.point, a.since_ns) for a in known.open if a.since_ns < before_ns
        }
        if not old:
            return []
        found = self.records.transitions(min(since_ns for *_, since_ns in old), alarms.ALARM)
        return [t for t in found if (t.site, t.machine, t.point, t.ts_ns) in old]

    def make_room(self, plant_ns: int) -> int:
        """A bounded step towards the byte budgets of historian and records; how many rows went. A historian
        elsewhere has its own retention. Raises Unavailable.
        """
        gone = 0
        if isinstance(self.historian, SqliteHistorian):
            gone += self.historian.make_room(self.budgets.historian_bytes)
        before_ns = plant_ns - EVENTS_REWRITTEN_NS
        if self.records.used_bytes() > self.budgets.records_bytes:
            keep = {transition.event_id for transition in self._of_open_alarms(before_ns)}
            gone += self.records.make_room(self.budgets.records_bytes, before_ns, keep)
        return gone

    def thin(self) -> None:
        """Bring the waveforms within their budget, if they are beyond it."""
        if self.waveforms.over_budget:
            log.info("waveforms_thinned", gone=thin(self.waveforms, self.records))


def newest_live(in_force: dict[Key, InForce]) -> dict[LiveKey, int]:
    """The time of the last live block of each point."""
    found = {}
    for (site, key), state in in_force.items():
        if key.endswith(VIBRATION):
            machine, _, point = key.removesuffix(VIBRATION).partition("/")
            found[site, machine, point] = state.ts_ns
    return found


@contextmanager
def open_stores(
    path: Path,
    waveform_budget_bytes: int,
    series: HistorianSettings | None = None,
    budgets: Budgets | None = None,
) -> Iterator[OpenStores]:
    """The stores in that folder, made where they are missing; `series` may name a historian elsewhere.

    Raises HistorianError; ConfigError for an account whose file can't be read.
    """
    folder = DataFolder(path).create()
    with ExitStack() as stack:
        stack.enter_context(_sole_owner(folder.path / "ingest.lock"))
        budgets = budgets or Budgets()
        space = Space(folder.path, budgets.free_space_bytes)
        records = Records(folder.records, quarantine_bytes=budgets.quarantine_bytes)
        stack.callback(records.close)
        waveforms = WaveformStore(folder.waveforms, waveform_budget_bytes, space)
        stack.callback(waveforms.close)
        cut = waveforms.cut_tails(records.segment_ends())
        if cut.truncated_bytes or cut.deleted or cut.set_aside:
            log.warning(
                "waveform_tails_cut", bytes=cut.truncated_bytes, set_aside=[str(p) for p in cut.set_aside]
            )
        historian = open_historian(series or HistorianSettings(), folder.historian)
        stack.callback(historian.close)
        yield OpenStores(historian, records, waveforms, budgets, space)


@contextmanager
def _sole_owner(path: Path) -> Iterator[None]:
    """Holds the folder against a second ingest: two writers of one set of records would each undo the
    other's.
    """
    try:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"{path} can't be opened: {error.strerror}; check the folder's rights") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise HistorianError(
            f"another ingest already works in {path.parent}: stop it, or give this one its own"
        ) from error
    try:
        yield
    finally:
        os.close(lock)
