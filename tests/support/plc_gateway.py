"""A plain Sparkplug B edge node, as the gateway of a PLC is one: aliases, births, no word of Palier's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from palier.wire.payload import DataType, Metric, Payload, Scalar, encode
from palier.wire.topics import NAMESPACE


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class PlcGateway:
    """`publish` takes a topic and bytes. `tags` are (device, name): (datatype, value); aliases are given in
    their order, over the whole node, as Sparkplug wants it.
    """

    publish: Callable[[str, bytes], object]
    tags: Mapping[tuple[str, str], tuple[DataType, Any]]
    group: str = "usine"
    node: str = "automate"
    clock_ms: Callable[[], int] = now_ms
    bd_seq: int = 0
    rebirths: int = 0
    _seq: int = 0
    _aliases: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._aliases = {tag: 100 + k for k, tag in enumerate(self.tags)}

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(device for device, _ in self.tags if device))

    def born(self, values: Mapping[tuple[str, str], Any] | None = None) -> None:
        """NBIRTH and DBIRTHs: names, aliases, datatypes and values."""
        told = {tag: value for tag, (_, value) in self.tags.items()} | dict(values or {})
        ms = self.clock_ms()
        node = [
            Metric("bdSeq", DataType.INT64, self.bd_seq, timestamp_ms=ms),
            Metric("Node Control/Rebirth", DataType.BOOLEAN, False, timestamp_ms=ms),
            *self._births("", told, ms),
        ]
        self._seq = 0
        self._send("NBIRTH", "", node, seq=0)
        for device in self.devices:
            self._send("DBIRTH", device, self._births(device, told, ms))

    def _births(self, of: str, told: Mapping[tuple[str, str], Any], ms: int) -> list[Metric]:
        return [
            Metric(name, kind, told[device, name], alias=self._aliases[device, name], timestamp_ms=ms)
            for (device, name), (kind, _) in self.tags.items()
            if device == of
        ]

    def say(
        self,
        device: str,
        values: Mapping[str, Any],
        *,
        at_ms: int | None = None,
        historical: bool = False,
        properties: Mapping[str, Scalar] | None = None,
    ) -> None:
        """DDATA (NDATA for device ""): aliases alone, no names and no datatypes."""
        metrics = [
            Metric(
                "",
                self.tags[device, name][0],
                value,
                alias=self._aliases[device, name],
                timestamp_ms=self.clock_ms() if at_ms is None else at_ms,
                is_historical=historical,
                is_null=value is None,
                properties=properties or {},
            )
            for name, value in values.items()
        ]
        self._send("DDATA" if device else "NDATA", device, metrics, with_datatypes=False)

    def device_dies(self, device: str) -> None:
        """DDEATH."""
        self._send("DDEATH", device, [])

    def die(self, bd_seq: int | None = None) -> None:
        """NDEATH, as the will says it."""
        told = Metric("bdSeq", DataType.INT64, self.bd_seq if bd_seq is None else bd_seq)
        self.publish(self._topic("NDEATH", ""), encode(Payload(None, (told,))))

    def topic_of_commands(self) -> str:
        return self._topic("NCMD", "")

    def _topic(self, kind: str, device: str) -> str:
        topic = f"{NAMESPACE}/{self.group}/{kind}/{self.node}"
        return f"{topic}/{device}" if device else topic

    def _send(
        self,
        kind: str,
        device: str,
        metrics: list[Metric],
        *,
        seq: int | None = None,
        with_datatypes: bool = True,
    ) -> None:
        if seq is None:
            self._seq = (self._seq + 1) % 256
        data = Payload(self.clock_ms(), tuple(metrics), self._seq if seq is None else seq)
        self.publish(self._topic(kind, device), encode(data, with_datatypes=with_datatypes))
