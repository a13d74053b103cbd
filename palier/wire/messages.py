"""Palier's own vocabulary over Sparkplug B: the public face of data, births, commands and reports.

| message | metrics |
|---|---|
| NBIRTH | `bdSeq`, `Node Control/Rebirth`, `Palier/Schema`, `/Epoch`, `/InFlight`, `/Config`; null: others |
| DBIRTH | null: what a DDATA holds; the channels with unit, scale, fs_hz, full_scale, mounting |
| DDATA | `Palier/Epoch`, `/Seq`, `/Kind`, `/Start`, `/Clock`, `/Speed`, `/Load`, `/Times`; `POINT/CHANNEL` |
| NDATA | `Palier/Epoch`, `Palier/Ledger/Seq`, `/Acquired`, `/Dropped`, `/Reasons`, `/Oldest`, `/Pending` |
| NCMD | `Palier/Stored`, or `Node Control/Rebirth`, or `Palier/Limits` with `Palier/Limits/Values` |
| NDEATH | `bdSeq` |

Every payload carries `palier/1`, the wire version, as its uuid. Seqs of frames start at 1.
"""

from __future__ import annotations

from .births import (
    NodeBirth,
    config_hash,
    device_birth,
    node_birth,
    node_death,
    read_bd_seq,
    read_device_birth,
    read_node_birth,
)
from .commands import (
    MAX_RANGE_LENGTH,
    DangerLimit,
    Stored,
    is_rebirth,
    limits_payload,
    read_limits,
    read_stored,
    rebirth_payload,
    stored_payload,
)
from .data import frame_payload, is_frame, peek_id, read_frame, wire_bytes
from .fields import MAX_RANGES
from .payload import WIRE_VERSION
from .reports import MAX_DROPPED, LedgerReport, ledger_payload, read_ledger

__all__ = [
    "MAX_DROPPED",
    "MAX_RANGES",
    "MAX_RANGE_LENGTH",
    "WIRE_VERSION",
    "DangerLimit",
    "LedgerReport",
    "NodeBirth",
    "Stored",
    "config_hash",
    "device_birth",
    "frame_payload",
    "is_frame",
    "is_rebirth",
    "ledger_payload",
    "limits_payload",
    "node_birth",
    "node_death",
    "peek_id",
    "read_bd_seq",
    "read_device_birth",
    "read_frame",
    "read_ledger",
    "read_limits",
    "read_node_birth",
    "read_stored",
    "rebirth_payload",
    "stored_payload",
    "wire_bytes",
]
