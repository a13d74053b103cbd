"""What is done at the stores beside commits: people's commands, the accounts of the gateways, old waveforms,
the long run.

It belongs to the one thread that commits, so that nothing moves under a commit and no commit under it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from palier.clock import PlantClock
from palier.historian.base import Unavailable

from . import rows
from .accounting import INTERVAL_S, REST, Accounts
from .commit import Committer
from .conditions import CertificateWatch, Conditions
from .disk import Disk
from .drift import DriftKeeper
from .model_keeping import ModelKeeper
from .people import People
from .stores import OpenStores
from .upkeep import Upkeep

UPKEEP_WAITS_S: Final = 30.0
"""Under full load there is always a batch that waits. The long run must not wait for ever: a turn of it takes
as long as a commit."""

WATCH_EVERY_S: Final = 0.05
"""How often the watch is asked whether a point is due: it goes through all points of the plant, a millisecond
for two hundred, which is not for every pause between two frames."""

log = structlog.get_logger(__name__)


class Housekeeping:
    """Looks in each turn what is due. Never raises for a store that is down: it is done later."""

    def __init__(
        self,
        stores: OpenStores,
        committer: Committer,
        upkeep: Upkeep,
        people: People,
        *,
        clock: PlantClock,
        models: ModelKeeper | None = None,
        drift: DriftKeeper | None = None,
        disk: Disk | None = None,
        conditions: Conditions | None = None,
        certificate: CertificateWatch | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = stores
        self._committer = committer
        self._upkeep = upkeep
        self._people = people
        self._clock = clock
        self._models = models
        self._drift = drift
        self._disk = disk
        self._conditions = conditions
        self._certificate = certificate
        self._monotonic_s = monotonic_s
        self._accounts = Accounts()
        self._events_rewritten = False
        self._account_at_s = self._account_not_before_s = 0.0
        self._upkeep_at_s = monotonic_s() + UPKEEP_WAITS_S
        self._watch_at_s = 0.0

    def reported(self) -> None:
        """A gateway reported its ledger: the accounts are due, but not before they have rested."""
        self._account_at_s = min(self._account_at_s, self._account_not_before_s)

    def turn(self, *, idle: bool) -> None:
        """Between two commits; `idle` where none waits."""
        self._people.turn()
        if self._models is not None:
            self._keep_models(self._models)
        if self._disk is not None:
            self._disk.turn()
        now_s = self._monotonic_s()
        if self._certificate is not None:
            self._certificate.turn(now_s)
        if now_s >= self._account_at_s:
            self.account()
            ended_s = self._monotonic_s()
            self._account_not_before_s = ended_s + REST * (ended_s - now_s)
            self._account_at_s = now_s + INTERVAL_S
            self._thin()
        if idle or now_s >= self._upkeep_at_s:
            self._upkeep.turn(self._clock.now_ns())
            if self._drift is not None:
                self._committer.keep_drift(self._drift, self._clock.now_ns())
            if now_s >= self._watch_at_s:
                self._committer.keep_watch(self._clock.now_ns())
                self._watch_at_s = self._monotonic_s() + WATCH_EVERY_S
            self._upkeep_at_s = now_s + UPKEEP_WAITS_S

    def _keep_models(self, models: ModelKeeper) -> None:
        self._committer.keep_models(models, self._clock.now_ns())
        if said := models.take_evidence():
            try:
                self._people.heard(said)
            except Unavailable as error:
                log.warning("alarms_not_advanced", error=str(error))
                models.give_back(said)

    def meanwhile(self) -> None:
        """While a batch can't be made durable: people are answered, and told of the disk, if the records
        are up.
        """
        if self._disk is not None:
            self._disk.turn()
        self._people.turn()

    def account(self) -> None:
        """Write what the ledgers say now."""
        plant_ns = self._clock.now_ns()
        try:
            if not self._events_rewritten:
                self._stores.rewrite_events(plant_ns)
                self._events_rewritten = True
            wall_ns = time.time_ns()
            balances = self._stores.records.ledger_lines(wall_ns)
            lines, events = self._accounts.news(balances, plant_ns)
            if lines:
                self._committer.note([rows.ledger_rows(lines, plant_ns, wall_ns)], events)
                self._accounts.written(lines, plant_ns)
            self._people.accounted(self._accounts.judged(balances), plant_ns)
            if self._conditions is not None:
                self._conditions.turn(balances, self._people.standing, plant_ns, wall_ns)
        except Unavailable as error:
            log.warning("ledger_not_written", error=str(error))
            return
        for event in events:
            log.warning(
                "ledger", edge=f"{event.site}/{event.machine}", state=event.state, detail=event.detail
            )

    def _thin(self) -> None:
        try:
            self._stores.thin()
        except Unavailable as error:
            log.warning("waveforms_not_thinned", error=str(error))
