"""The alarms in force, and what has to follow once a change of them is durable. For one thread.

    turn = keeper.after(events)           # or keeper.decided(command, ...)
    records.commit(turn.rows)             # with the rest of its moment; on Unavailable the turn is forgotten
    keeper.keep(turn)

What the records have is then to be told to the series and to people. Both are told again after a crash, from
the records: an event's row is the same row, a message has the same id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from palier.gateways import GatewayTold
from palier.historian.rows import RecordsBatch, Transition
from palier.operations import Command, Reply
from palier.plant import Plant

from . import notify
from .alarm_commands import decide
from .alarm_desk import Desk, DeskEffect
from .alarm_records import announcements, batch_of
from .alarms import Event, step
from .notify import Pending

NO_ROWS: Final = RecordsBatch()


@dataclass(frozen=True, slots=True)
class Turn:
    """What events or a command lead to: the desk after them, rows of the records, messages to people."""

    desk: Desk
    rows: RecordsBatch = NO_ROWS
    messages: tuple[Pending, ...] = ()


class AlarmKeeper:
    """Holds the desk in force. What is durable waits in it until it is taken, to be told."""

    def __init__(
        self, desk: Desk | None = None, *, wall_ns: Callable[[], int], channels: Iterable[str] = ()
    ) -> None:
        """`channels` are the ways in which people are told of alarms."""
        self.desk = desk or Desk()
        self._wall_ns = wall_ns
        self._channels = tuple(channels)
        self._transitions: list[Transition] = []
        self._messages: list[Pending] = []

    def after(self, events: Iterable[Event]) -> Turn:
        """What these events lead to."""
        alarms, effects = step(self.desk.alarms, events)
        desk = self.desk if alarms is self.desk.alarms else replace(self.desk, alarms=alarms)
        return self._turn(desk, effects)

    def decided(
        self,
        command: Command,
        plant: Plant,
        plant_ns: int,
        gateway: GatewayTold | None = None,
        nodes: frozenset[str] | None = None,
    ) -> tuple[Turn, Reply]:
        """What a person's command leads to, and the reply to it; `gateway` is the one that it is about,
        `nodes` are those that there are.
        """
        wall_ns = self._wall_ns()
        decision = decide(self.desk, command, plant, plant_ns, gateway=gateway, nodes=nodes, wall_ns=wall_ns)
        return self._turn(decision.desk, decision.effects), decision.reply

    def keep(self, turn: Turn) -> None:
        """The rows of this turn are durable: it is in force."""
        self.desk = turn.desk
        self._transitions += turn.rows.transitions
        self._messages += turn.messages

    @property
    def has_news(self) -> bool:
        """Whether something durable waits to be told."""
        return bool(self._transitions or self._messages)

    def tell(self, transitions: Iterable[Transition]) -> None:
        """The records have these of somebody else's, and the series lack them."""
        self._transitions += transitions

    def take_transitions(self) -> tuple[Transition, ...]:
        """Those that the records have and the series lack."""
        taken, self._transitions = tuple(self._transitions), []
        return taken

    def give_back(self, transitions: Iterable[Transition]) -> None:
        """The series did not take them."""
        self._transitions = [*transitions, *self._transitions]

    def take_messages(self) -> tuple[Pending, ...]:
        """Those that the records have and nobody sends yet."""
        taken, self._messages = tuple(self._messages), []
        return taken

    def _turn(self, desk: Desk, effects: Iterable[DeskEffect]) -> Turn:
        effects = tuple(effects)
        if not effects:
            return Turn(desk)
        messages = notify.plan(announcements(effects), self._channels, self._wall_ns())
        return Turn(desk, batch_of(effects, [message.row() for message in messages]), messages)
