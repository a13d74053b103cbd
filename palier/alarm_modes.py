"""What an alarm may speak of: parts of a point, and what is no part of a machine."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """What part of a point, or of the plant, an alarm speaks of."""

    VIBRATION = "vibration"
    BEARING = "bearing"
    TEMPERATURE = "temperature"
    SENSOR = "sensor"
    GATEWAY = "gateway"  # `machine` is the gateway's node name, here and below; the host's name for the host
    LEDGER = "ledger"  # frames that do not add up
    DROPPED = "dropped"  # frames that the gateway gave up, with a reason
    NEW_OUTBOX = "new_outbox"  # an outbox begun anew: what waited in the old one may be gone
    CLOCK = "clock"  # frames without a time that can be believed
    QUARANTINE = "quarantine"  # messages that are put aside
    TAKEOVER = "takeover"  # two gateways under one name
    BROKER_DROPPING = "broker_dropping"  # the broker throws messages away
    CONTRADICTION = "contradiction"  # features and waveforms of the same blocks that differ
    CARD = "card"  # the disk of a gateway is nearly full
    DISK = "disk"  # a byte budget, or the free space, does not hold
    CERTIFICATE = "certificate"  # ends within the month
    STORE = "store"  # what arrives can't be stored, and waits at the gateways
    MODEL = "model"  # `machine` is the name of a model of the registry that can't be taken


GATEWAY_KINDS: Final = frozenset(
    {
        *(Mode.DROPPED, Mode.NEW_OUTBOX, Mode.CLOCK, Mode.QUARANTINE, Mode.TAKEOVER, Mode.CARD),
        Mode.CONTRADICTION,
        *(Mode.BROKER_DROPPING, Mode.DISK, Mode.CERTIFICATE, Mode.STORE),
    }
)
"""What is told of a gateway, or of the host, beside its contact and its ledger."""

OF_NO_MACHINE: Final = GATEWAY_KINDS | {Mode.GATEWAY, Mode.LEDGER, Mode.MODEL}
"""Alarms whose `machine` is a gateway, the host or a model."""

PROCESS_MODES: Final = frozenset({Mode.VIBRATION, Mode.BEARING})
"""What a machine at rest can't say: suppressed by design while it stands. A hot bearing stays hot."""
