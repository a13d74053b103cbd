"""Damage to a Sparkplug payload as a whole: metrics lost, doubled, renamed, retyped, beyond all bounds.

Random bytes seldom stay a payload; these always are one, so that what is behind the first door is tried too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from google.protobuf.message import DecodeError

from palier.wire.sparkplug_pb2 import Metric, PropertySet
from palier.wire.sparkplug_pb2 import Payload as Wire
from tests.support.mutations import NUMBERS, WORDS

INTEGERS: Final = (0, 1, 2, 100, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
REALS: Final = (0.0, -0.0, 1.0, -1.0, 1e-308, 1e308, float("inf"), float("-inf"), float("nan"), 25_600.0)
TEXTS: Final = (
    "",
    "x" * 70,
    "a/b",
    "../..",
    "a b",
    "a,b=c",
    "\n",
    "é",
    "m/s²",
    "synced",
    "waveform",
    "0" * 16,
)
DATATYPES: Final = (*range(36), 255, 2**32 - 1)


class PayloadMutator:
    """Draws from payloads and damages them as payloads. The same seed gives the same, in the same order."""

    def __init__(self, seed: int, corpus: Sequence[bytes]) -> None:
        self._random = random.Random(seed)
        self._corpus = tuple(Wire.FromString(data) for data in corpus)
        names = {metric.name for wire in self._corpus for metric in wire.metrics}
        self._names = (*sorted(names), "", "x/y", "Palier/Unknown", "a/b/c", "é/è", "p" * 200)

    def one(self) -> bytes:
        """One payload with one to four damages."""
        wire = Wire()
        wire.CopyFrom(self._random.choice(self._corpus))
        for _ in range(1 + int(4 * self._random.random() ** 2)):
            self._random.choice(_DAMAGES)(self, wire)
        return bytes(wire.SerializeToString())

    def _metric(self, wire: Wire) -> Metric:
        return self._random.choice(wire.metrics) if wire.metrics else wire.metrics.add()

    def _lose(self, wire: Wire) -> None:
        if wire.metrics:
            del wire.metrics[self._random.randrange(len(wire.metrics))]

    def _double(self, wire: Wire) -> None:
        for _ in range(self._random.choice((1, 1, 1, 300))):
            wire.metrics.add().CopyFrom(self._metric(wire))

    def _rename(self, wire: Wire) -> None:
        self._metric(wire).name = self._random.choice(self._names)

    def _alias(self, wire: Wire) -> None:
        metric = self._metric(wire)
        metric.ClearField("name")
        metric.alias = self._random.choice(INTEGERS)

    def _retype(self, wire: Wire) -> None:
        self._metric(wire).datatype = self._random.choice(DATATYPES)

    def _null(self, wire: Wire) -> None:
        self._metric(wire).is_null = True

    def _history(self, wire: Wire) -> None:
        metric = self._metric(wire)
        metric.is_historical = self._random.random() < 0.5
        metric.timestamp = self._random.choice(INTEGERS)

    def _value(self, wire: Wire) -> None:
        metric, choose = self._metric(wire), self._random.choice
        match self._random.randrange(7):
            case 0:
                metric.int_value = choose(INTEGERS) % 2**32
            case 1:
                metric.long_value = choose(INTEGERS)
            case 2:
                metric.double_value = choose(REALS)
            case 3:
                metric.float_value = choose((*REALS[:4], *REALS[6:]))
            case 4:
                metric.boolean_value = choose((True, False))
            case 5:
                metric.string_value = choose((*TEXTS, *self._names))
            case 6:
                metric.bytes_value = self._random.randbytes(self._random.choice((0, 1, 7, 8, 16, 4096)))

    def _samples(self, wire: Wire) -> None:
        """Bytes of an array, some of them another number or gone."""
        metric = self._metric(wire)
        data = bytearray(metric.bytes_value)
        at = int(self._random.random() * (len(data) + 1))
        number = self._random.choice((*NUMBERS, *WORDS))
        data[at : at + self._random.choice((0, 1, len(number)))] = number
        metric.bytes_value = bytes(data)

    def _properties(self, wire: Wire) -> None:
        metric, choose = self._metric(wire), self._random.choice
        if self._random.random() < 0.3:
            metric.properties = self._random.randbytes(choose((0, 3, 60, 70_000)))
            return
        properties = PropertySet()
        with suppress(DecodeError):  # damaged already
            properties.ParseFromString(metric.properties)
        key = choose((*properties.keys, "unit", "scale", "fs_hz", "Quality", "epoch", "sync", "highest"))
        properties.keys.append(key)
        value = properties.values.add(type=choose(DATATYPES))
        match self._random.randrange(4):
            case 0:
                value.string_value = choose(TEXTS)
            case 1:
                value.double_value = choose(REALS)
            case 2:
                value.long_value = choose(INTEGERS)
            case 3:
                value.is_null = True
        if self._random.random() < 0.5 and len(properties.keys) > 1:
            del properties.keys[0], properties.values[0]
        metric.properties = properties.SerializeToString()

    def _head(self, wire: Wire) -> None:
        match self._random.randrange(3):
            case 0:
                wire.uuid = self._random.choice(("", "palier/1", "palier/2", "palier/", "x" * 300))
            case 1:
                wire.seq = self._random.choice(INTEGERS)
            case 2:
                wire.timestamp = self._random.choice(INTEGERS)


_DAMAGES: Final[tuple[Callable[[PayloadMutator, Wire], None], ...]] = (
    *(PayloadMutator._lose, PayloadMutator._double, PayloadMutator._rename, PayloadMutator._alias),
    *(PayloadMutator._retype, PayloadMutator._null, PayloadMutator._history, PayloadMutator._value),
    *(PayloadMutator._value, PayloadMutator._samples, PayloadMutator._properties, PayloadMutator._properties),
    PayloadMutator._head,
)
