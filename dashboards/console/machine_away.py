"""Waveforms that stayed at the gateway: which one has them, and what the form asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from palier.historian.holding import FEATURES_MARK, of_features

from .machine import Unread
from .series import Values

ASKED_NS: Final = 3600 * 10**9
"""What is asked for at once: on a slow line a day of waveforms would hold up the alarms of others."""


@dataclass(frozen=True, slots=True)
class Away:
    """Of a channel whose newest block came as features: its gateway ("site/node"), and the last hour; where
    the newest block is older the hour that begins with it."""

    edge: str
    from_ms: int
    to_ms: int


def away_of(values: Values | Unread | None, now_ns: int) -> Away | None:
    """Where the waveform of the newest block is, None where it is here (or nothing is known)."""
    if not isinstance(values, Values) or not of_features(values.frame):
        return None
    edge, *identity = str(values.frame).removeprefix(FEATURES_MARK).rsplit(":", 2)
    if len(identity) != 2:
        return None
    end_ns = min(now_ns, values.ts_ns + ASKED_NS)
    return Away(edge, (end_ns - ASKED_NS) // 1_000_000, end_ns // 1_000_000)
