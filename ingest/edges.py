"""The edge nodes that the host hears: session, births, epoch, and who has fallen silent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from palier.gateways import CONFIGURED_BY
from palier.historian.rows import StateRow
from palier.wire import session
from palier.wire.births import WAVEFORM
from palier.wire.messages import NodeBirth, read_node_birth
from palier.wire.payload import Metric, Payload
from palier.wire.session import HostSession
from palier.wire.topics import Topic

from .batch import Contact, Counts, Now, Silence
from .credit import ACTIVE_S
from .edge_words import EdgeWords
from .gateways import Gateways

MAX_EDGES: Final = 2_000
"""Edge nodes remembered. A plant has some hundreds; names invented by a stranger must not fill the memory."""

FORGET_S: Final = 3_600.0
"""An edge node silent for an hour makes room for a new one when the table is full."""

GRACE_S: Final = 10.0
"""Between the death of a node or device and its machines becoming unknown; it may be born again meanwhile."""

ABSENT_S: Final = 60.0
"""Between the death of a node and a word of it to people: a gateway that restarts, or flaps, is no news."""


@dataclass(slots=True)
class _Edge:
    session: HostSession = field(default_factory=HostSession)
    heard_s: float = 0.0
    epoch: str | None = None  # of its outbox; None for a third-party node
    there: bool | None = None  # what was last told of it
    keeps_back: bool = False  # samples, until somebody wants them


class Edges:
    """The table of edge nodes."""

    def __init__(self, counts: Counts, configurations: Mapping[str, str] | None = None) -> None:
        """`configurations` are the hashes that the records remember, by edge node."""
        self._counts = counts
        self._configurations = dict(configurations or {})
        self._edges: dict[str, _Edge] = {}
        self._dying: dict[
            tuple[str, str], tuple[float, int]
        ] = {}  # (edge, device): due, plant time of the death
        self._absent: dict[str, tuple[float, int]] = {}  # edge: likewise
        self._contacts: list[Contact] = []
        self.words = EdgeWords()
        self.gateways = Gateways()

    def __len__(self) -> int:
        return len(self._edges)

    def spoke(self, edge: str) -> bool:
        """Whether an edge node was born, died or sent a frame since the start."""
        entry = self._edges.get(edge)
        return entry is not None and (
            entry.there is not None or entry.epoch is not None or edge in self._absent
        )

    def admit(self, edge: str, at_s: float) -> bool:
        """Whether there is room for this edge node in the table."""
        if edge not in self._edges and len(self._edges) >= MAX_EDGES:
            oldest = min(self._edges, key=lambda name: self._edges[name].heard_s)
            if at_s - self._edges[oldest].heard_s < FORGET_S:
                return False
            del self._edges[oldest]
        self._edges.setdefault(edge, _Edge()).heard_s = at_s
        return True

    def heard(self, topic: Topic, payload: Payload, at_s: float, now: Now) -> bool:
        """Advance the session by a message; whether births must be asked for."""
        event = session.event_of(topic, payload, at_s)
        return event is not None and self._step(topic.edge, event, now)

    def passed(self, topic: Topic, sparkplug_seq: int | None, at_s: float) -> bool:
        """Advance the session by a message that was discarded unread; whether births must be asked for."""
        event = session.Data(at_s, topic.device or session.NODE, sparkplug_seq)
        return self._step(topic.edge, event, None)

    def unreadable(self, edge: str, at_s: float) -> bool:
        """A message could not be read; whether births must be asked for."""
        return self._step(edge, session.Unreadable(at_s), None)

    def birth(self, edge: str, payload: Payload) -> NodeBirth:
        """What an NBIRTH says. Its epoch is in force from now on. DecodeError."""
        birth = read_node_birth(payload)
        self._edges[edge].epoch = birth.epoch
        self._edges[edge].keeps_back = birth.epoch is not None and birth.transmit != WAVEFORM
        return birth

    def keeping_back(self) -> dict[tuple[str, str], list[str]]:
        """By (site, machine) the gateways that are there, carry it, and do not send all its samples."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, edge in self._edges.items():
            if edge.keeps_back and edge.session.online:
                for device in edge.session.births:
                    found.setdefault((name.partition("/")[0], device), []).append(name)
        return found

    def configured(self, edge: str, config_hash: str) -> str | None:
        """The hash of a node's configuration before this one, "" for none; None where it is the same, or
        there is no room to remember one more.
        """
        before = self._configurations.get(edge, "")
        if before == config_hash or not (before or len(self._configurations) < MAX_EDGES):
            return None
        self._configurations[edge] = config_hash
        return before

    def speaks(self, edge: str, epoch: str | None) -> None:
        """A frame of this epoch was heard: enough to know whom to tell a credit, before any birth."""
        self._edges[edge].epoch = epoch or self._edges[edge].epoch

    def is_online(self, edge: str) -> bool:
        """Whether a node was born and has not died since."""
        entry = self._edges.get(edge)
        return entry is not None and entry.session.online

    def resolve(self, topic: Topic, payload: Payload) -> tuple[Metric, ...]:
        """Metrics of a third-party node with the names and types of its births. Raises DecodeError."""
        return session.resolve(self._edges[topic.edge].session, topic.device or session.NODE, payload.metrics)

    def of_palier(self) -> list[tuple[str, str]]:
        """(edge, epoch) of every Palier node in the table: one that died may be back before its birth is
        heard, and a word to one that is gone costs nothing.
        """
        return [(name, edge.epoch) for name, edge in self._edges.items() if edge.epoch is not None]

    def active(self, at_s: float) -> int:
        """How many were heard recently, and so share the credit."""
        return sum(at_s - edge.heard_s < ACTIVE_S for edge in self._edges.values())

    def gone(self, now: Now) -> list[Silence]:
        """Who died long enough ago to be believed, with the machines that are unknown since."""
        due = [key for key, (at_s, _) in self._dying.items() if now.link_s >= at_s]
        silences = []
        for edge, device in due:
            _, since_ns = self._dying.pop((edge, device))
            silences.append(Silence(edge, (device,), since_ns))
        return silences

    def contacts(self, now: Now) -> list[Contact]:
        """Who was born, and who died so long ago that it is no restart: each once."""
        for edge in [name for name, (at_s, _) in self._absent.items() if now.link_s >= at_s]:
            self._contact(edge, there=False, since_ns=self._absent.pop(edge)[1])
        told, self._contacts = self._contacts, []
        return told

    def _contact(self, edge: str, *, there: bool, since_ns: int) -> None:
        entry = self._edges.get(edge)
        if entry is not None and entry.there is not there:
            entry.there = there
            self._contacts.append(Contact(edge, there, since_ns))

    def _step(self, edge: str, event: session.Event, now: Now | None) -> bool:
        entry = self._edges[edge]
        entry.session, effects = session.step(entry.session, event)
        asked = False
        for effect in effects:
            match effect:
                case session.RequestRebirth():
                    asked = True
                case session.Gap():
                    self._counts.gaps += 1
                case session.NodeOnline(_, rebirth) if now is not None:
                    if not rebirth:
                        self.words.born(edge, now)
                    self._absent.pop(edge, None)
                    self._contact(edge, there=True, since_ns=now.plant_ns)
                case session.NodeOffline(devices) if now is not None:
                    self._dies(edge, devices, now)
                    self._absent.setdefault(edge, (now.link_s + ABSENT_S, now.plant_ns))
                case session.DeviceOffline(device) if now is not None:
                    self._dies(edge, (device,), now)
                case session.DeviceOnline(device):
                    self._dying.pop((edge, device), None)
        return asked

    def _dies(self, edge: str, devices: tuple[str, ...], now: Now) -> None:
        """Machines of Palier's own gateways are unknown soon. That a PLC is gone says nothing of a machine
        whose vibration comes from elsewhere."""
        if self._edges[edge].epoch is None:
            return
        for device in devices:
            self._dying.setdefault((edge, device), (now.link_s + GRACE_S, now.plant_ns))


def configuration_row(edge: str, config_hash: str) -> StateRow:
    """What the records remember of a gateway's configuration."""
    site, _, node = edge.partition("/")
    return StateRow(site, node + CONFIGURED_BY, json.dumps(config_hash))


def read_configurations(states: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The hashes by edge node, of the states in the records. What can't be read is not remembered."""
    found: dict[str, str] = {}
    for (site, key), text in states.items():
        if key.endswith(CONFIGURED_BY):
            with suppress(ValueError):
                found[f"{site}/{key.removesuffix(CONFIGURED_BY)}"] = str(json.loads(text))
    return found
