"""At the door: what a data message is, before anything is computed from it.

A frame is recognised by its identity before its samples are looked at. What can't be read is put aside;
what was seen is acknowledged again and dropped; the rest is *live* or historical and waits to be committed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from palier.frames import NAME_PATTERN, QUALITY_GOOD, Clock, Features, Frame, FrameId, Readings, split_channel
from palier.historian.rows import QuarantineRow
from palier.wire.data import EARLIEST_NS, LATEST_NS
from palier.wire.messages import peek_id, read_frame
from palier.wire.payload import DecodeError, Metric, Payload, Reason
from palier.wire.topics import Kind, Topic

from .batch import Now, WorkFrame
from .foreign import Foreign, over, quality_of, said
from .knowledge import Knowledge
from .quarantine import CONFLICT, TOO_MANY_NEW, Problem, put_aside
from .ranges_told import RangesTold
from .replays import Replays
from .seen import Seen, fingerprint, fingerprint_of
from .told_features import problem_of

CLOCK_AHEAD_NS: Final = 300 * 10**9
"""A frame this far in the future is stored under the time of its arrival, and believed in nothing: as live it
would silence all later ones, and under its own time be the newest of its point for ever."""

NEW_PER_HOUR: Final = 500
"""Places of measurement unknown to the plant taken in an hour; a stranger inventing names must not fill the
store."""

MAX_STRANGERS: Final = 20_000
"""Places unknown to the plant taken in all: what a stranger may fill in two days, and far more than a site of
gateways that wait to be configured has."""

HOUR_S: Final = 3600.0

CROWDED: Final = Problem(
    TOO_MANY_NEW,
    f"more than {NEW_PER_HOUR} places that the plant does not know were heard within an hour, or "
    f"{MAX_STRANGERS} in all",
)
CONTRADICTION: Final = Problem(
    CONFLICT, "a frame of this identity with other samples is stored already: the first one stays"
)

WRONG_TIME: Final = Problem(
    Reason.CLOCK, "times must be ms since 1970 UTC, and lie between 2020 and 2100; some are not"
)
"""A third party's. Before 2020 a clock was not set; after 2100, or in 1970, the time is in another unit."""

MAX_TABLES: Final = 100
"""Tables of readings that one third-party message may become: as many sets of names, each with all its times.
Each costs what a frame costs, and a message holds up to ten thousand numbers."""

SCATTERED: Final = Problem(
    Reason.SIZE,
    f"the numbers of one message must have at most {MAX_TABLES} sets of names that share their times",
)

NODE_VALUE: Final = "value"
"""The channel of a third-party metric whose name has no slash: NAME becomes NAME/value."""

LiveKey = tuple[str, str, str]
"""(site, machine, point) whose frames must follow each other in time to be live."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A frame that has its verdict: acknowledge it again."""

    id: FrameId


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame that is being committed at this moment: its acknowledgement will follow by itself."""

    id: FrameId


Admitted = WorkFrame | Duplicate | Waiting | QuarantineRow


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message that could be decoded: its topic, its bytes as they came, and what they say."""

    topic: Topic
    data: bytes
    payload: Payload

    def aside(self, problem: Problem | DecodeError, now: Now, frame: FrameId | None) -> QuarantineRow:
        """The message put aside."""
        return put_aside(
            str(self.topic), self.data, self.topic.edge, problem, received_ns=now.wall_ns, frame=frame
        )


class Door:
    """Decides on data messages one by one. `newest_live` is the time of each point's last live block.

    A frame becomes the newest one only when it is `took`: one that found no room comes again, and is then as
    live as it was.
    """

    def __init__(self, seen: Seen, knowledge: Knowledge, newest_live: Mapping[LiveKey, int]) -> None:
        self._seen = seen
        self._knowledge = knowledge
        self._newest_live = dict(newest_live)
        self._strangers: set[tuple[str, ...]] = set()
        self._came_s: deque[float] = deque(maxlen=NEW_PER_HOUR)  # when the last of them were taken in
        self.clock_suspect = 0
        self._arrival_ns = 0  # under which the last frame of the future was stored
        self.told = RangesTold()
        self.replays = Replays()
        self.foreign = Foreign(knowledge.plant)

    def frame(self, message: Message, waiting: set[FrameId], now: Now) -> Admitted:
        """What to do with a Palier frame."""
        topic, payload = message.topic, message.payload
        peeked = peek_id(payload, topic.edge)
        if peeked is not None and peeked in waiting:
            return Waiting(peeked)
        if peeked is not None and peeked in self._seen:
            return self._again(message, peeked, now)
        try:
            frame_id, frame, historical = read_frame(payload, edge=topic.edge, machine=topic.device or "")
        except DecodeError as error:
            return message.aside(error, now, peeked)
        return self._admitted(message, frame_id, frame, now, historical=historical)

    def _admitted(
        self, message: Message, frame_id: FrameId, frame: Frame, now: Now, *, historical: bool
    ) -> WorkFrame | QuarantineRow:
        """A frame without a verdict, which could be read."""
        topic = message.topic
        if isinstance(frame, Features) and (problem := problem_of(frame)) is not None:
            return message.aside(problem, now, frame_id)
        if not self._room_for(topic.group, frame, now):
            return message.aside(CROWDED, now, frame_id)
        live = not historical and self._is_live(topic.group, frame, now)
        if frame.end_ns > now.plant_ns + CLOCK_AHEAD_NS:
            self.clock_suspect += 1
            self._arrival_ns = max(now.plant_ns, self._arrival_ns + 1)  # no two at one time
            try:
                frame = _at_arrival(frame, self._arrival_ns)
            except DecodeError as error:
                return message.aside(error, now, frame_id)
        return WorkFrame(
            frame_id,
            topic.group,
            frame,
            live,
            str(topic),
            message.data,
            fingerprint=fingerprint_of(frame),
            beyond=self.told.beyond(topic.edge, frame),
        )

    def took(self, work: WorkFrame, now: Now) -> None:
        """This frame waits to be committed: older blocks of its point are live no more."""
        if work.again and work.id is not None:
            self.replays.took(work.id, work.frame.start_ns, now.link_s)
        if work.live and not isinstance(work.frame, Readings):
            self._newest_live[work.site, work.frame.machine, work.frame.point] = work.frame.start_ns

    def readings(
        self, message: Message, metrics: Iterable[Metric], now: Now
    ) -> list[WorkFrame | QuarantineRow]:
        """The numbers of a third-party node as readings of the machine that its device names.

        Metrics that are no number or not good, or whose name series can't carry, are left out. Where a time
        can't be one, or there is no room for so many new places or tables, the message is put aside beside
        what could be taken.
        """
        topic = message.topic
        metrics = tuple(metrics)
        feeds = self.foreign.feeds(topic.edge, topic.device)
        fed = self._fed(message, metrics, now, born=False)
        by_time, wrong = self._by_time(message, [one for one in metrics if one.name not in feeds], now)
        alike = _alike(by_time)
        frames = [_table(topic.device or topic.node, times, by_time) for times in alike[:MAX_TABLES]]
        taken = [frame for frame in frames if self._room_for(topic.group, frame, now)]
        problems = [WRONG_TIME] * wrong + [CROWDED] * (len(taken) < len(frames))
        problems += [SCATTERED] * (len(frames) < len(alike))
        return [
            *fed,
            *(WorkFrame(None, topic.group, frame, False, str(topic), message.data) for frame in taken),
            *(message.aside(problem, now, None) for problem in problems[:1]),
        ]

    def told_by(self, message: Message, now: Now, *, online: bool) -> list[WorkFrame]:
        """What a birth of a node that feeds the plant says, or its death, or that of one of its devices."""
        edge, kind = message.topic.edge, message.topic.kind
        if edge not in self.foreign.edges:
            return []
        if kind in (Kind.NDEATH, Kind.DDEATH):
            gone = kind is Kind.DDEATH or not online  # a late will of an earlier connection is none
            return self.without(edge, message.topic.device, now) if gone else []
        if kind not in (Kind.NBIRTH, Kind.DBIRTH):
            return []
        if message.topic.device in (None, *self.foreign.devices(edge)):
            self.foreign.born(edge, message.topic.device, now.link_s)
        return self._fed(message, message.payload.metrics, now, born=True)

    def after_absence(self, now: Now) -> list[WorkFrame]:
        """What is to be believed no more: this host was away, or a device was not born again."""
        doubted = [(edge, None) for edge in self.foreign.in_doubt()]
        gone = [*doubted, *self.foreign.left_out(now.link_s)]
        return [work for edge, device in gone for work in self.without(edge, device, now)]

    def without(self, edge: str, device: str | None, now: Now) -> list[WorkFrame]:
        """A device of a node that feeds the plant is gone, or with None the node: with it its values."""
        devices = self.foreign.devices(edge) if device is None else (device,)
        site = self.foreign.site
        self.foreign.ended_ns |= {(edge, name): now.plant_ns for name in devices}
        return [
            WorkFrame(None, site, readings, True, f"{edge}/{name}", b"", hold=True)
            for name in devices
            for readings in over(self.foreign.feeds(edge, name), now.plant_ns)
        ]

    def _fed(self, message: Message, metrics: Iterable[Metric], now: Now, *, born: bool) -> list[WorkFrame]:
        """The readings of the plant's own channels among what a third-party node says."""
        topic, sent_ms = message.topic, message.payload.timestamp_ms
        feeds = self.foreign.feeds(topic.edge, topic.device)
        ended_ns = self.foreign.ended_ns.get((topic.edge, topic.device or ""), 0)
        heard = said(feeds, metrics, sent_ms, now.plant_ns, born=born, ended_ns=ended_ns) if feeds else ()
        return [
            WorkFrame(
                None,
                self.foreign.site,
                one.readings,
                not one.historical,
                str(topic),
                message.data,
                hold=not one.historical,
            )
            for one in heard
        ]

    def _by_time(
        self, message: Message, metrics: Iterable[Metric], now: Now
    ) -> tuple[dict[int, dict[str, float]], bool]:
        """(numbers by ms since 1970 UTC and name, whether a number had a time that can't be one)."""
        by_time: dict[int, dict[str, float]] = {}
        wrong = False
        for metric in metrics:
            name, value = _channel_name(metric.name), _number(metric.value)
            at_ms = metric.timestamp_ms if metric.timestamp_ms is not None else message.payload.timestamp_ms
            if name is None or value is None or at_ms is None or quality_of(metric) != QUALITY_GOOD:
                continue
            if not EARLIEST_NS <= at_ms * 1_000_000 <= LATEST_NS:
                wrong = True
                continue
            if at_ms * 1_000_000 > now.plant_ns + CLOCK_AHEAD_NS:
                self.clock_suspect += 1
                at_ms = now.plant_ns // 1_000_000
            by_time.setdefault(at_ms, {})[name] = value
        return by_time, wrong

    def _again(self, message: Message, frame_id: FrameId, now: Now) -> Admitted:
        if self._seen.contradicts(frame_id, fingerprint(message.payload)):
            return message.aside(CONTRADICTION, now, frame_id)
        return self._once_more(message, frame_id, now) or Duplicate(frame_id)

    def _once_more(self, message: Message, frame_id: FrameId, now: Now) -> WorkFrame | None:
        """A frame that the records know, and that a person wants stored once more; None for all others."""
        if not self.replays.wants(frame_id.edge, now.link_s):
            return None
        try:
            _, frame, _ = read_frame(message.payload, edge=frame_id.edge, machine=message.topic.device or "")
        except DecodeError:  # it was put aside the first time
            return None
        if not self.replays.takes(frame_id, frame.start_ns, now.link_s):
            return None
        if frame.end_ns > now.plant_ns + CLOCK_AHEAD_NS:  # its rows stand at its arrival, not at its time
            return None
        work = self._admitted(message, frame_id, frame, now, historical=True)
        return replace(work, again=True) if isinstance(work, WorkFrame) else None

    def _is_live(self, site: str, frame: Frame, now: Now) -> bool:
        """Whether a frame may advance the state: newer than its point's last live one, and not of the
        future. The order of readings is for the board to see: a table holds several points.
        """
        if frame.end_ns > now.plant_ns + CLOCK_AHEAD_NS:
            return False
        if isinstance(frame, Readings):
            return True
        return frame.start_ns > self._newest_live.get((site, frame.machine, frame.point), -1)

    def _room_for(self, site: str, frame: Frame, now: Now) -> bool:
        """Whether a frame's place is known, or one of the few new ones that an hour may bring."""
        places = [(site, frame.machine, *place) for place in _places(frame)]
        strangers = [p for p in places if not self._knowledge.has_channel(*p) and p not in self._strangers]
        if not strangers:
            return True
        while self._came_s and now.link_s - self._came_s[0] >= HOUR_S:
            self._came_s.popleft()
        new = len(strangers)
        if len(self._came_s) + new > NEW_PER_HOUR or len(self._strangers) + new > MAX_STRANGERS:
            return False
        self._strangers.update(strangers)
        self._came_s.extend([now.link_s] * new)
        return True


def _at_arrival(frame: Frame, now_ns: int) -> Frame:
    """A frame of the future as one that ends now: no clock says when it was. Should the process end between
    the series and the records, its second copy arrives at another time. DecodeError for a table that would
    begin before any clock was set.
    """
    ahead_ns = frame.end_ns - now_ns
    if frame.start_ns - ahead_ns < EARLIEST_NS:
        raise DecodeError(Reason.CLOCK, "a table must not reach from before now into years ahead")
    if isinstance(frame, Readings):
        return replace(frame, times_ns=frame.times_ns - ahead_ns, clock=Clock.UNSYNCED)
    return replace(frame, start_ns=frame.start_ns - ahead_ns, clock=Clock.UNSYNCED)


def _places(frame: Frame) -> list[tuple[str, str]]:
    """(point, channel) of each channel of a frame."""
    if isinstance(frame, Readings):
        return [split_channel(name) for name in frame.channels]
    return [(frame.point, channel) for channel in frame.channels]


def _channel_name(name: str) -> str | None:
    """POINT/CHANNEL for a third-party metric's name; None for one that series can't carry."""
    parts = name.split("/") if "/" in name else [name, NODE_VALUE]
    return "/".join(parts) if len(parts) == 2 and all(map(NAME_PATTERN.fullmatch, parts)) else None


def _number(value: object) -> float | None:
    """A finite number; None for all else: a switch is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _alike(by_time: Mapping[int, Mapping[str, float]]) -> list[list[int]]:
    """Times, rising, that have numbers of the same names."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for at_ms, told in sorted(by_time.items()):
        groups.setdefault(tuple(sorted(told)), []).append(at_ms)
    return list(groups.values())


def _table(machine: str, times_ms: Sequence[int], by_time: Mapping[int, Mapping[str, float]]) -> Readings:
    names = tuple(by_time[times_ms[0]])
    return Readings(
        machine=machine,
        channels=names,
        times_ns=np.array(times_ms, dtype=np.int64) * 1_000_000,
        values=np.array([[by_time[at_ms][name] for at_ms in times_ms] for name in names], dtype=np.float64),
        unit=("unknown",) * len(names),
    )
