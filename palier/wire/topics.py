"""Sparkplug topics: spBv1.0/GROUP/KIND/NODE[/DEVICE], and spBv1.0/STATE/HOST."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from palier.frames import NAME_PATTERN

NAMESPACE: Final = "spBv1.0"


class TopicError(ValueError):
    """A topic that is none of ours: quarantine the message; the sentence says what is wrong with it."""


class Kind(StrEnum):
    """The message types of an edge node (N) and of a device on it (D)."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    NDATA = "NDATA"
    DDATA = "DDATA"
    NCMD = "NCMD"
    DCMD = "DCMD"

    @property
    def of_device(self) -> bool:
        """Whether its topic names a device."""
        return self.value.startswith("D")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of an edge node or of a device; `str()` writes it. TopicError where a name is not allowed."""

    group: str
    kind: Kind
    node: str
    device: str | None = None

    def __post_init__(self) -> None:
        if self.kind.of_device is not (self.device is not None):
            raise TopicError(f"{self.kind} must {'' if self.kind.of_device else 'not '}name a device")
        for name in (self.group, self.node) if self.device is None else (self.group, self.node, self.device):
            _check_name(name)

    def __str__(self) -> str:
        topic = f"{NAMESPACE}/{self.group}/{self.kind}/{self.node}"
        return topic if self.device is None else f"{topic}/{self.device}"

    @property
    def edge(self) -> str:
        """The edge node as frames name it: "site/node"."""
        return f"{self.group}/{self.node}"


@lru_cache(maxsize=4096)  # those of a plant come again with every frame; what is refused is not kept
def parse(topic: str) -> Topic:
    """The parts of a topic. TopicError where it is not a node's or a device's (STATE is neither)."""
    parts = topic.split("/")
    if len(parts) not in (4, 5) or parts[0] != NAMESPACE:
        raise TopicError(f"a topic must be {NAMESPACE}/GROUP/KIND/NODE[/DEVICE], got {_short(topic)}")
    if parts[2] not in Kind.__members__:
        raise TopicError(f"a message must be one of {', '.join(Kind)}, got {_short(parts[2])}")
    return Topic(parts[1], Kind(parts[2]), parts[3], parts[4] if len(parts) == 5 else None)


def state_topic(host_id: str) -> str:
    """Where a host tells, retained, that it is there. TopicError where the id is not a name."""
    _check_name(host_id)
    return f"{NAMESPACE}/STATE/{host_id}"


def group_filter(group: str) -> str:
    """What a host subscribes to for all nodes of a group. TopicError where the group is not a name."""
    _check_name(group)
    return f"{NAMESPACE}/{group}/#"


def foreign_group_filter(group: str) -> str:
    """The same for a group that somebody else named. TopicError where Sparkplug allows no such name
    (tck-id-topic-structure-namespace-valid-group-id).
    """
    if not group or set(group) & set("+#/\0"):
        raise TopicError(f"a group must not be empty nor hold +, # or /, got {_short(group)}")
    return f"{NAMESPACE}/{group}/#"


def _check_name(name: str) -> None:
    if not NAME_PATTERN.fullmatch(name):
        raise TopicError(f"a name in a topic must match {NAME_PATTERN.pattern}, got {_short(name)}")


def _short(text: str) -> str:
    """What a log can take of a text that a stranger sent."""
    return repr(text[:80]) + ("…" if len(text) > 80 else "")
