"""What decisions on people's commands need and lead to. Value types, and how they come from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from palier.alarms import Alarm
from palier.gateways import GatewayTold, nobody
from palier.historian.rows import BaselineRow, CommandRow, InterventionRow, VerdictRow
from palier.operations import Baseline, Command, Outcome, Reply
from palier.plant import Plant

from .alarms import Alarms, Effect
from .watch_restoring import present_baselines


@dataclass(frozen=True, slots=True)
class Desk:
    """What decisions need: the alarms, each machine's present baseline and last intervention (plant time it
    was done at), by machine, and the last replies, by id of their command. `work` is when each kind of it was
    last done, by (machine, kind).
    """

    alarms: Alarms = field(default_factory=Alarms)
    baselines: Mapping[str, Baseline] = field(default_factory=lambda: MappingProxyType({}))
    intervened: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    answered: Mapping[str, CommandRow] = field(default_factory=lambda: MappingProxyType({}))
    work: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Write:
    """Effect: this row belongs into the records."""

    row: InterventionRow | VerdictRow | BaselineRow | CommandRow


DeskEffect = Effect | Write


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a command."""

    desk: Desk
    reply: Reply
    effects: tuple[DeskEffect, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A command with what surrounds it: the desk, the plant, and the plant time; the gateway that it is
    about, as the records know it, and the time by the wall's clock, which that was told by; and the gateways
    that there are ("site/node"), None where nobody looked.
    """

    desk: Desk
    command: Command
    plant: Plant
    now_ns: int
    gateway: GatewayTold | None = None
    wall_ns: int = 0
    nodes: frozenset[str] | None = None

    @property
    def site(self) -> str:
        """The plant's site."""
        return self.plant.site_id

    def refuse(self, reason: str, alarm: Alarm | None = None, **params: str | int) -> Decision:
        """Not done, and why."""
        version, present = (alarm.version, alarm.told()) if alarm else (None, None)
        reply = Reply(self.command.id, Outcome.REFUSED, reason, params, version, present)
        return Decision(self.desk, reply)

    def refuse_stranger(self, edge: str) -> Decision | None:
        """The answer to somebody who names a gateway that nobody knows; None where it is known."""
        if edge.partition("/")[0] != self.site:
            return self.refuse("not_our_gateway", None, name=edge)
        if self.nodes is None or edge in self.nodes:
            return None
        reason, params = nobody(edge, self.nodes)
        return self.refuse(reason, None, **params)

    def done(
        self,
        reason: str,
        desk: Desk,
        effects: tuple[DeskEffect, ...],
        *,
        version: int | None = None,
        present: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Done."""
        reply = Reply(self.command.id, Outcome.DONE, reason, {}, version, present)
        return Decision(desk, reply, effects)

    def conflict(self, version: int, present: Mapping[str, Any]) -> Decision | None:
        """The answer to somebody who looked at another version; None where it is the present one."""
        expected = self.command.expected_version
        if expected is None or expected == version:
            return None
        params: dict[str, str | int] = {"expected": expected, "version": version}
        reply = Reply(self.command.id, Outcome.CONFLICT, "changed", params, version, present)
        return Decision(self.desk, reply)


def restore(
    alarms: Alarms,
    interventions: Iterable[InterventionRow],
    baselines: Iterable[BaselineRow],
    commands: Iterable[CommandRow],
) -> Desk:
    """The desk as the records hold it."""
    intervened: dict[str, int] = {}
    work: dict[tuple[str, str], int] = {}
    for row in interventions:
        intervened[row.machine] = max(row.at_ns, intervened.get(row.machine, row.at_ns))
        kind = (row.machine, row.kind)
        work[kind] = max(row.at_ns, work.get(kind, row.at_ns))
    present, _ = present_baselines(baselines)
    return Desk(alarms, present, intervened, {row.id: row for row in commands}, work)
