"""Sparkplug nodes that are not Palier's and feed channels of the plant: what of theirs is whose value. Pure.

Rules:
1. Only what plant.toml names is a channel's value, in the plant's unit (`palier.foreign_metrics`).
2. Such a node tells what changes (report by exception): a value is in force until the next one, however long
   that takes, until its node or device is gone, or until this host was away itself and can't know. Births say
   what is in force.
3. Quality counts: 192 is good, 500 is stale, all else is bad, as is a value that is null or no number. What
   is bad ends what was in force.
4. What is historical is stored under its time, and moves nothing.
5. A node may have a name that no node of Palier's may have (blanks, accents). Inside it has another: `topic`.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.types import ChannelSpec, ForeignMetric
from palier.frames import NAME_PATTERN, QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE, Readings
from palier.plant import Plant
from palier.wire.data import EARLIEST_NS, LATEST_NS
from palier.wire.payload import Metric
from palier.wire.topics import NAMESPACE, Kind, Topic, TopicError

MOST_TIMES: Final = 100
"""Times of one message that are taken, of each machine; each costs what a frame costs."""

CLOCK_NS: Final = 10 * 10**9
"""A message is on its way for less: where it says that it was sent earlier, or later, a clock is wrong."""

COMES_S: Final = 10.0
"""A node's devices are born right after it; one that is not has been taken away."""

ASKED_S: Final = 43_200.0
"""Half of the time after which a value that did not change says nothing any more (`knowledge.HOLD_S`)."""

_QUALITY: Final = ("Quality", "quality")  # the standard's name, and what others write


@dataclass(frozen=True, slots=True)
class Fed:
    """A channel ("POINT/CHANNEL") that a metric feeds."""

    machine: str
    channel: str
    unit: str
    scale: float
    offset: float


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a message says of one machine at one time."""

    readings: Readings
    historical: bool


Feeds = Mapping[str, tuple[Fed, ...]]
"""The channels that each metric of a device feeds, by the metric's name."""


class Foreign:
    """The table of what feeds what. `edges` are the nodes that feed, "group/node" by their inner names."""

    def __init__(self, plant: Plant) -> None:
        self.site = plant.site_id
        self._feeds: dict[tuple[str, str], dict[str, tuple[Fed, ...]]] = {}
        self._names: dict[str, tuple[str, str]] = {}  # inner name of a node: its group and node
        for machine in plant.machines:
            for point in machine.points:
                for channel in point.channels:
                    self._feed(machine.id, point.id, channel)
        self._inner = {names: edge for edge, names in self._names.items()}
        self.missed = False  # a word found no room: what was in force before it may be so no more
        self.ended_ns: dict[tuple[str, str], int] = {}  # (node, device): when all of it was over
        self._there: set[tuple[str, str]] = set()
        self._to_come: dict[tuple[str, str], float] = {}  # who must be born again until when, monotonic s
        self._to_ask: tuple[str, ...] = ()
        self._ask_at_s: float | None = None
        self._in_doubt: tuple[str, ...] = ()

    def _feed(self, machine: str, point: str, channel: ChannelSpec) -> None:
        told = channel.foreign
        if told is None:
            return
        edge = f"{inner_name(told.group)}/{inner_name(told.node)}"
        self._names[edge] = (told.group, told.node)
        one = _fed(machine, point, channel, told)
        device = self._feeds.setdefault((edge, inner_name(told.device)), {})
        device[told.name] = (*device.get(told.name, ()), one)

    @property
    def edges(self) -> tuple[str, ...]:
        """The nodes that feed."""
        return tuple(self._names)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of these nodes, as they are called at the broker."""
        return tuple(dict.fromkeys(group for group, _ in self._names.values()))

    def were_away(self) -> None:
        """The broker was not heard for a while: who died, or changed, nobody told. Ask, believe nothing."""
        self._to_ask = self._in_doubt = self.edges

    def asked(self, at_s: float = 0.0, *, room: bool = True) -> tuple[str, ...]:
        """Nodes that are to be asked for their births, each once; all where something was missed, as soon as
        there is room for what they say, and twice a day (`at_s`, monotonic): what never changes is told so.
        """
        self._ask_at_s = at_s + ASKED_S if self._ask_at_s is None else self._ask_at_s
        if at_s >= self._ask_at_s:
            self._to_ask, self._ask_at_s = self.edges, at_s + ASKED_S
        if self.missed and room:
            self.missed = False
            self.were_away()
        asked, self._to_ask = self._to_ask, ()
        return asked

    def in_doubt(self) -> tuple[str, ...]:
        """Nodes of which nothing is in force until they are heard, each once."""
        doubted, self._in_doubt = self._in_doubt, ()
        return doubted

    def born(self, edge: str, device: str | None, at_s: float) -> None:
        """A device is there; or a node is, and has yet to say which devices it still has."""
        if device is not None:
            self._there.add((edge, device))
            self._to_come.pop((edge, device), None)
            return
        for key in self._there:
            if key[0] == edge:
                self._to_come.setdefault(key, at_s + COMES_S)

    def left_out(self, at_s: float) -> list[tuple[str, str]]:
        """(node, device) that a new birth of its node left out, each once."""
        due = [key for key, until_s in self._to_come.items() if at_s >= until_s]
        for key in due:
            del self._to_come[key]
            self._there.discard(key)
        return due

    def feeds(self, edge: str, device: str | None) -> Feeds:
        """What a device of a node feeds, or the node itself."""
        return self._feeds.get((edge, device or ""), {})

    def devices(self, edge: str) -> tuple[str, ...]:
        """The devices of a node that feed, "" for the node itself."""
        return tuple(device for node, device in self._feeds if node == edge)

    def topic(self, text: str) -> Topic | None:
        """The topic of a node that feeds, under its inner names; None for all others. TopicError for one that
        bears the inner name of another: it would speak for it.
        """
        parts = text.split("/")
        if len(parts) not in (4, 5) or parts[0] != NAMESPACE or parts[2] not in Kind.__members__:
            return None
        edge = self._inner.get((parts[1], parts[3]))
        kind = Kind(parts[2])
        if edge is None and f"{parts[1]}/{parts[3]}" in self._names:
            raise TopicError(f"a node must not bear the name that another has here, got {text[:80]!r}")
        if edge is None or kind.of_device != (len(parts) == 5):
            return None
        group, _, node = edge.partition("/")
        return Topic(group, kind, node, inner_name(parts[4]) if len(parts) == 5 else None)

    def command_topic(self, edge: str) -> str | None:
        """Where a node that feeds hears commands; None for all others."""
        names = self._names.get(edge)
        return None if names is None else f"{NAMESPACE}/{names[0]}/{Kind.NCMD}/{names[1]}"


def inner_name(name: str) -> str:
    """A name as topics, series and records may carry it: itself where it can be, else with its checksum."""
    if not name or NAME_PATTERN.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:55]
    return f"{readable}-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"


def _fed(machine: str, point: str, channel: ChannelSpec, told: ForeignMetric) -> Fed:
    return Fed(machine, f"{point}/{channel.id}", channel.unit, told.scale, told.offset)


def said(
    feeds: Feeds,
    metrics: Iterable[Metric],
    sent_ms: int | None,
    now_ns: int,
    *,
    born: bool,
    ended_ns: int = 0,
) -> list[Said]:
    """What metrics say, by machine and time. `born`: as a birth, whose values are in force from then on,
    whenever they were taken. A time that can't be one, or is ahead, is that of the arrival. What is not
    historical is put right by how wrong the node's clock is, and comes after `ended_ns`, when all before it
    ended: else a PLC whose clock is behind would stay unknown until its next change.
    """
    wrong_ns = _wrong_ns(sent_ms, now_ns)
    found: defaultdict[tuple[str, int, bool], dict[str, tuple[Fed, float, int]]] = defaultdict(dict)
    for metric in metrics:
        for fed in feeds.get(metric.name, ()):
            historical = metric.is_historical and not born
            at_ms = sent_ms if born or metric.timestamp_ms is None else metric.timestamp_ms
            at_ns = _time(at_ms, now_ns, 0 if historical else wrong_ns)
            at_ns = at_ns if historical else max(at_ns, ended_ns + 1)
            value, quality = _value(fed, metric)
            found[fed.machine, at_ns, historical][fed.channel] = (fed, value, quality)
    times: defaultdict[str, int] = defaultdict(int)
    taken = []
    for (machine, at_ns, historical), channels in sorted(found.items(), reverse=True):
        times[machine] += 1
        if times[machine] <= MOST_TIMES:
            taken.append(Said(_readings(machine, at_ns, channels.values()), historical))
    return taken[::-1]


def over(feeds: Feeds, now_ns: int) -> Iterator[Readings]:
    """Every channel that these metrics feed has no value from now on."""
    machines: defaultdict[str, list[tuple[Fed, float, int]]] = defaultdict(list)
    for several in feeds.values():
        for fed in several:
            machines[fed.machine].append((fed, math.nan, QUALITY_BAD))
    for machine, channels in machines.items():
        yield _readings(machine, now_ns, channels)


def _time(at_ms: int | None, now_ns: int, wrong_ns: int = 0) -> int:
    if at_ms is None or not EARLIEST_NS <= at_ms * 1_000_000 <= LATEST_NS:
        return now_ns
    return min(at_ms * 1_000_000 + wrong_ns, now_ns)


def _wrong_ns(sent_ms: int | None, now_ns: int) -> int:
    """How far behind the clock of a node is, by when it says that it sends; 0 where it is right."""
    if sent_ms is None or not EARLIEST_NS <= sent_ms * 1_000_000 <= LATEST_NS:
        return 0
    behind_ns = now_ns - sent_ms * 1_000_000
    return behind_ns if abs(behind_ns) > CLOCK_NS else 0


def quality_of(metric: Metric) -> int:
    """What the node says of its value; good where it says nothing."""
    told = next((metric.properties[key] for key in _QUALITY if key in metric.properties), QUALITY_GOOD)
    return told if isinstance(told, int) and told in (QUALITY_GOOD, QUALITY_STALE) else QUALITY_BAD


def _value(fed: Fed, metric: Metric) -> tuple[float, int]:
    """(value in the channel's unit, quality); NaN is bad. A switch is 0 or 1."""
    quality, raw = quality_of(metric), metric.value
    if quality == QUALITY_BAD or not isinstance(raw, bool | int | float):
        return math.nan, QUALITY_BAD
    value = float(raw) * fed.scale + fed.offset
    return (value, quality) if math.isfinite(value) else (math.nan, QUALITY_BAD)


def _readings(machine: str, at_ns: int, channels: Iterable[tuple[Fed, float, int]]) -> Readings:
    told = tuple(channels)
    return Readings(
        machine=machine,
        channels=tuple(fed.channel for fed, _, _ in told),
        times_ns=np.array([at_ns], dtype=np.int64),
        values=np.array([[value] for _, value, _ in told], dtype=np.float64),
        unit=tuple(fed.unit for fed, _, _ in told),
        quality=tuple(quality for _, _, quality in told),
    )
