"""What the demonstration tells while it plays: what just happened, and where on the page it is to be seen.
Pure.

It knows nothing of the scenario: what it tells is what the ingest found out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.types import State
from palier.alarm_text import found_line, to_do_line
from palier.alarms import Alarm, Level, Mode
from palier.historian.base import Table
from palier.locale import Catalogue
from palier.operations import Baseline, BaselineStatus

from .status import MachineStatus

SHOWN: Final = frozenset({Mode.VIBRATION, Mode.BEARING, Mode.TEMPERATURE, Mode.SENSOR})
"""Alarms of machines; those of the gateway and its ledger have pages of their own."""

LIFE_FIELDS: Final = ("p10_h", "p50_h", "p90_h")


@dataclass(slots=True)
class Story:
    """Remembers what was told. `page` is the address of the page, with a slash at its end."""

    words: Catalogue
    page: str
    _told: set[tuple[object, ...]] = field(default_factory=set)

    def of_machines(self, machines: Iterable[MachineStatus]) -> Iterator[str]:
        """Machines that stand still."""
        for one in machines:
            if one.state == State.STOPPED and self._is_new("stopped", one.id):
                yield self._text("machine_stopped", one.id)

    def of_baselines(self, baselines: Iterable[Baseline]) -> Iterator[str]:
        """Machines of which is known by now what they are like in good health."""
        for one in baselines:
            if one.status is BaselineStatus.LEARNED and self._is_new("learned", one.machine, one.version):
                yield self._text("learned", one.machine)

    def of_alarms(self, alarms: Iterable[Alarm]) -> Iterator[str]:
        """Alarms that came, got worse, or of which is now known what is behind them."""
        for alarm in sorted(alarms, key=lambda one: one.raised_ns):
            key = alarm.key
            if key.mode not in SHOWN or alarm.standing is None or alarm.level is None:
                continue
            if not self._is_new("alarm", key.id, alarm.raises, alarm.level, alarm.fault):
                continue
            if key.mode is Mode.SENSOR:
                reason = alarm.causes[0].feature if alarm.causes else ""
                why = self.words.text(f"refusal.{reason}")
                yield self._text("sensor", key.machine, point=key.point, reason=why)
            else:
                yield self._text("alarm", key.machine, point=key.point, says=self._says(alarm))

    def of_lives(self, lives: Table) -> Iterator[str]:
        """How long abnormal points have by the newest estimate of each."""
        hours = np.column_stack([np.asarray(lives.columns[name], dtype=np.float64) for name in LIFE_FIELDS])
        for k in np.flatnonzero(hours[:, 2] > 0).tolist():  # at its limit its alarm has said so
            machine, point = lives.machine[k], lives.point[k]
            if self._is_new("life", machine, point, int(lives.ts_ns[k])):
                p10, p50, p90 = (self.words.number(h, 0 if h >= 10 else 1) for h in hours[k].tolist())
                yield self._text("life", machine, point=point, p10=p10, p50=p50, p90=p90)

    def _says(self, alarm: Alarm) -> str:
        level = "level_danger" if alarm.level is Level.DANGER else "level_alert"
        said = (
            self.words.text(f"alarm.{level}"),
            found_line(alarm, self.words),
            to_do_line(alarm, self.words),
        )
        return " ".join(part if part.endswith(".") else f"{part}." for part in said if part)

    def _text(self, key: str, machine: str, **params: object) -> str:
        where = f"{self.page}machine/{machine}"
        return self.words.text(f"demo.{key}", machine=machine, page=where, **params)

    def _is_new(self, *what: object) -> bool:
        if what in self._told:
            return False
        self._told.add(what)
        return True
