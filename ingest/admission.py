"""At the door: what a data message is, before anything is computed from it.

A frame is recognised by its identity before its samples are looked at. What can't be read is put aside;
what was seen is acknowledged again and dropped; the rest is *live* or historical and waits to be committed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from palier.frames import NAME_PATTERN, Frame, FrameId, Readings, Waveform, split_channel
from palier.historian.rows import QuarantineRow
from palier.wire.messages import peek_id, read_frame
from palier.wire.payload import DecodeError, Metric, Payload
from palier.wire.topics import Topic

from .batch import Now, WorkFrame
from .knowledge import Knowledge
from .quarantine import CONFLICT, TOO_MANY_NEW, Problem, put_aside
from .seen import Seen, fingerprint, fingerprint_of

CLOCK_AHEAD_NS: Final = 300 * 10**9
"""A frame this far in the future is stored, but believed in nothing: as live it would silence all later
ones."""

NEW_PER_HOUR: Final = 500
"""Places of measurement unknown to the plant taken in an hour; a stranger inventing names must not fill the
store."""

HOUR_S: Final = 3600.0

CROWDED: Final = Problem(
    TOO_MANY_NEW, f"more than {NEW_PER_HOUR} places that the plant does not know were heard within an hour"
)
CONTRADICTION: Final = Problem(
    CONFLICT, "a frame of this identity with other samples is stored already: the first one stays"
)

LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01 UTC: a third-party time after it is in another unit than ms."""

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
        self._strangers: dict[tuple[str, ...], float] = {}  # and when each was taken in
        self.clock_suspect = 0

    def frame(self, message: Message, waiting: set[FrameId], now: Now) -> Admitted:
        """What to do with a Palier frame."""
        topic, payload = message.topic, message.payload
        peeked = peek_id(payload, topic.edge)
        if peeked is not None and peeked in self._seen:
            return self._again(message, peeked, now)
        if peeked is not None and peeked in waiting:
            return Waiting(peeked)
        try:
            frame_id, frame, historical = read_frame(payload, edge=topic.edge, machine=topic.device or "")
        except DecodeError as error:
            return message.aside(error, now, peeked)
        if not self._room_for(topic.group, frame, now):
            return message.aside(CROWDED, now, frame_id)
        live = not historical and self._is_live(topic.group, frame, now)
        return WorkFrame(
            frame_id, topic.group, frame, live, str(topic), message.data, fingerprint=fingerprint_of(frame)
        )

    def took(self, work: WorkFrame) -> None:
        """This frame waits to be committed: older blocks of its point are live no more."""
        if work.live and isinstance(work.frame, Waveform):
            self._newest_live[work.site, work.frame.machine, work.frame.point] = work.frame.start_ns

    def readings(self, message: Message, metrics: Iterable[Metric], now: Now) -> list[WorkFrame]:
        """The numbers of a third-party node as readings of the machine that its device names.

        Metrics that are no number, or whose name series can't carry, are left out.
        """
        topic = message.topic
        by_time: dict[int, dict[str, float]] = {}
        for metric in metrics:
            name, value = _channel_name(metric.name), _number(metric.value)
            at_ms = metric.timestamp_ms if metric.timestamp_ms is not None else message.payload.timestamp_ms
            if name is not None and value is not None and at_ms is not None and at_ms <= LATEST_MS:
                by_time.setdefault(at_ms, {})[name] = value
        frames = [_table(topic.device or topic.node, at_ms, told) for at_ms, told in sorted(by_time.items())]
        return [
            WorkFrame(None, topic.group, frame, live=False, topic=str(topic), payload=message.data)
            for frame in frames
            if self._room_for(topic.group, frame, now)
        ]

    def _again(self, message: Message, frame_id: FrameId, now: Now) -> Duplicate | QuarantineRow:
        if self._seen.contradicts(frame_id, fingerprint(message.payload)):
            return message.aside(CONTRADICTION, now, frame_id)
        return Duplicate(frame_id)

    def _is_live(self, site: str, frame: Frame, now: Now) -> bool:
        """Whether a frame may advance the state: newer than its point's last live one, and not of the
        future. The order of readings is for the board to see: a table holds several points.
        """
        if frame.end_ns > now.plant_ns + CLOCK_AHEAD_NS:
            self.clock_suspect += 1
            return False
        if not isinstance(frame, Waveform):
            return True
        return frame.start_ns > self._newest_live.get((site, frame.machine, frame.point), -1)

    def _room_for(self, site: str, frame: Frame, now: Now) -> bool:
        """Whether a frame's place is known, or one of the few new ones that an hour may bring."""
        places = [(site, frame.machine, *place) for place in _places(frame)]
        strangers = [
            p for p in places if self._knowledge.point(site, p[1], p[2]) is None and p not in self._strangers
        ]
        if not strangers:
            return True
        recent = sum(now.link_s - at < HOUR_S for at in self._strangers.values())
        if recent + len(strangers) > NEW_PER_HOUR:
            return False
        self._strangers.update(dict.fromkeys(strangers, now.link_s))
        return True


def _places(frame: Frame) -> list[tuple[str, str]]:
    """(point, channel) of each channel of a frame."""
    if isinstance(frame, Waveform):
        return [(frame.point, channel) for channel in frame.channels]
    return [split_channel(name) for name in frame.channels]


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


def _table(machine: str, at_ms: int, values: Mapping[str, float]) -> Readings:
    return Readings(
        machine=machine,
        channels=tuple(values),
        times_ns=np.array([at_ms * 1_000_000], dtype=np.int64),
        values=np.array([[value] for value in values.values()], dtype=np.float64),
        unit=("unknown",) * len(values),
    )
