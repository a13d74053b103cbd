"""Palier's own vocabulary over Sparkplug B: the public face of data, births, commands and reports.

| message | metrics |
|---|---|
| NBIRTH | `bdSeq`, `Node Control/Rebirth`, `Palier/Schema`, `/Epoch`, `/InFlight`, `/Config`; null: others |
| NBIRTH, NDATA | `Palier/Version`, `Palier/Status/…`, `Palier/Configuration/…`: see `status.py` |
| DBIRTH | null: what a DDATA holds; the channels with unit, scale, fs_hz, full_scale, mounting |
| DDATA | `Palier/Epoch`, `/Seq`, `/Kind`, `/Start`, `/Clock`, `/Speed`, `/Load`, `/Times`; `POINT/CHANNEL` |
| DDATA of features | as above, and what `features.py` says; packed samples: see `compression.py` |
| NDATA | `Palier/Epoch`, `Palier/Ledger/Seq`, `/Acquired`, `/Dropped`, `/Reasons`, `/Oldest`, `/Pending` |
| NBIRTH, NDATA of who keeps samples back | `Palier/Transmit`; `Palier/Ledger/Retained`, `/GivenUp` |
| NDATA | `Palier/Epoch`, `Palier/Replayed`: the answer to `Palier/Replay` |
| NCMD | `Palier/Stored`; `Node Control/Rebirth`; `Palier/Limits` with `/Limits/Values`; `Palier/Replay` |
| NCMD | `Palier/Configuration`: TOML, signed |
| NDEATH | `bdSeq` |

Every payload carries `palier/1`, the wire version, as its uuid. Seqs of frames start at 1.
"""

from __future__ import annotations

from .births import (
    NodeBirth,
    config_hash,
    device_birth,
    device_death,
    node_birth,
    node_death,
    read_bd_seq,
    read_device_birth,
    read_node_birth,
)
from .commands import (
    MAX_RANGE_LENGTH,
    DangerLimit,
    Replay,
    Stored,
    is_rebirth,
    limits_payload,
    read_attention,
    read_limits,
    read_replay,
    read_stored,
    rebirth_payload,
    replay_payload,
    stored_payload,
)
from .configuration import Configuration, configuration_payload, read_configuration
from .data import frame_payload, frame_pieces, is_frame, peek_id, read_frame, wire_bytes
from .fields import MAX_RANGES
from .payload import WIRE_VERSION
from .reports import (
    MAX_DROPPED,
    LedgerReport,
    Replayed,
    ledger_payload,
    read_ledger,
    read_replayed,
    replayed_payload,
)
from .status import GatewayStatus, read_status, status_payload

__all__ = [
    "MAX_DROPPED",
    "MAX_RANGES",
    "MAX_RANGE_LENGTH",
    "WIRE_VERSION",
    "Configuration",
    "DangerLimit",
    "GatewayStatus",
    "LedgerReport",
    "NodeBirth",
    "Replay",
    "Replayed",
    "Stored",
    "config_hash",
    "configuration_payload",
    "device_birth",
    "device_death",
    "frame_payload",
    "frame_pieces",
    "is_frame",
    "is_rebirth",
    "ledger_payload",
    "limits_payload",
    "node_birth",
    "node_death",
    "peek_id",
    "read_attention",
    "read_bd_seq",
    "read_configuration",
    "read_device_birth",
    "read_frame",
    "read_ledger",
    "read_limits",
    "read_node_birth",
    "read_replay",
    "read_replayed",
    "read_status",
    "read_stored",
    "rebirth_payload",
    "replay_payload",
    "replayed_payload",
    "status_payload",
    "stored_payload",
    "wire_bytes",
]
