"""What the records hold of a gateway: how it said last that it is, and its configuration. Value types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from .ledger import SILENT_AFTER_S
from .wire.status import GatewayStatus

STATUS: Final = "#status"
TEXT: Final = "#configured"
"""Behind a node's name, in the records' states: no name may hold a #. The text stands apart: it is long, and
changes seldom, while the rest is told each minute."""

CONFIGURED_BY: Final = "#configuration"
"""Likewise: the hash of what hangs on it, of each that was ever born here."""

MOST_LISTED: Final = 12

_LISTS: Final = ("sources", "problems", "notes", "problem_codes", "note_codes")


@dataclass(frozen=True, slots=True)
class GatewayTold:
    """A gateway's last word of itself, `told_ns` by the host's wall clock (ns since 1970 UTC)."""

    edge: str
    told_ns: int
    status: GatewayStatus

    @property
    def node(self) -> str:
        """Its name within the site."""
        return self.edge.partition("/")[2]

    def is_silent(self, now_ns: int) -> bool:
        """Whether it should have spoken since; by the wall clock."""
        return now_ns - self.told_ns > SILENT_AFTER_S * 10**9

    def told(self) -> dict[str, Any]:
        """As JSON tells it."""
        return {"edge": self.edge, "told_ns": self.told_ns, "status": asdict(self.status)}

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> GatewayTold:
        """What `told` told. ValueError where it is none."""
        try:
            status = dict(told["status"])
            known = {name: status[name] for name in GatewayStatus.__slots__ if name in status}
            for name in _LISTS:
                known[name] = None if known.get(name) is None else tuple(known[name])
            return cls(str(told["edge"]), int(told["told_ns"]), GatewayStatus(**known))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a gateway of this version: {error!r}") from error


def state_values(told: GatewayTold) -> dict[str, str]:
    """Values of the records' states, by key; the text only where it was told."""
    found = {told.node + STATUS: json.dumps(replace(told, status=replace(told.status, text=None)).told())}
    if told.status.text is not None:
        found[told.node + TEXT] = json.dumps(told.status.text)
    return found


def read_gateways(states: Mapping[tuple[str, str], str]) -> dict[str, GatewayTold]:
    """The gateways by edge node, of the states in the records. What can't be read is left out."""
    found: dict[str, GatewayTold] = {}
    for (site, key), value in states.items():
        if key.endswith(STATUS):
            with suppress(ValueError):
                told = GatewayTold.from_told(json.loads(value))
                text = states.get((site, key.removesuffix(STATUS) + TEXT))
                status = replace(told.status, text=None if text is None else str(json.loads(text)))
                found[told.edge] = replace(told, status=status)
    return dict(sorted(found.items()))


def known_nodes(states: Mapping[tuple[str, str], str]) -> frozenset[str]:
    """The edge nodes that were ever born, or told of themselves, by the states in the records."""
    return frozenset(
        f"{site}/{key.removesuffix(mark)}"
        for site, key in states
        for mark in (STATUS, CONFIGURED_BY)
        if key.endswith(mark)
    )


def nobody(edge: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """(key of `reply`, parameters) of the sentence that no gateway has this name."""
    site, _, node = edge.rpartition("/")
    names = sorted(one.partition("/")[2] for one in known if not site or one.startswith(f"{site}/"))
    if not names:
        return "no_gateways", {"name": node}
    more = ", …" if len(names) > MOST_LISTED else ""
    return "no_such_gateway", {"name": node, "known": ", ".join(names[:MOST_LISTED]) + more}
