"""What gateways do, as events of records and series. `machine` is the node, as in the ledger."""

from __future__ import annotations

import json

from palier.historian.rows import Transition
from palier.wire.messages import Replayed

from .replays import REPLAY


def gateway_event(edge: str, what: str, identity: str, ts_ns: int) -> Transition:
    """Something changed at a gateway."""
    site, _, node = edge.partition("/")
    event_id = f"gateway:{edge}:{what}:{identity}:{ts_ns}"
    return Transition(event_id, site, node, "", "", ts_ns, kind="gateway", state=what, previous="")


def replayed_event(edge: str, told: Replayed, ts_ns: int) -> Transition:
    """A gateway's word on what it was asked to send again, beside the event of who asked."""
    site, _, node = edge.partition("/")
    event_id = f"{REPLAY}:{told.request}:{edge}"
    detail = json.dumps({"request": told.request, "epoch": told.epoch, "frames": told.frames})
    return Transition(event_id, site, node, "", "", ts_ns, REPLAY, "answered", "asked", detail)
