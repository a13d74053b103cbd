"""People's configurations of gateways: decided here, signed by them, judged by the gateway. Pure."""

from __future__ import annotations

import json

from palier.gateways import GatewayTold, nobody
from palier.historian.rows import Transition
from palier.operations import Configure, Outcome, Reply, TellGateway
from palier.wire.configuration import Configuration, text_hash

from .alarm_desk import Asked, Decision
from .alarms import Record
from .gateways import CONFIGURATION


def decide(ask: Configure, asked: Asked) -> Decision:
    """Whether a configuration is passed on. It is recorded with who, when and why, whatever the gateway says.

    The signature is not looked at: the host has no key, and need not be trusted with one.
    """
    if (refused := asked.refuse_stranger(ask.edge)) is not None:
        return refused
    site, _, node = ask.edge.partition("/")
    told = asked.gateway
    if told is None or told.status.configuration_highest is None:
        return asked.refuse("gateway_unknown", None, name=node)
    if told.is_silent(asked.wall_ns):
        return asked.refuse("gateway_silent", None, name=node)
    if ask.version <= told.status.configuration_highest:
        highest = told.status.configuration_highest
        return asked.refuse("version_not_above", None, version=ask.version, highest=highest)
    detail = {
        "who": asked.command.user,
        "why": ask.why,
        "version": ask.version,
        "hash": text_hash(ask.toml),
        "before": told.status.configuration_hash,
    }
    event = Transition(
        event_id=f"{CONFIGURATION}:{asked.command.id}",
        site=site,
        machine=node,
        point="",
        channel="",
        ts_ns=asked.now_ns,
        kind=CONFIGURATION,
        state="sent",
        previous="",
        detail=json.dumps(detail, ensure_ascii=False),
    )
    return asked.done("configuration_sent", asked.desk, (Record(event),), version=ask.version)


def order(ask: Configure, command_id: str) -> Configuration:
    """What goes to the gateway."""
    return Configuration(ask.edge, ask.version, ask.toml, bytes.fromhex(ask.signature), command_id)


def tell(
    ask: TellGateway,
    command_id: str,
    site: str,
    told: GatewayTold | None,
    nodes: frozenset[str] | None = None,
) -> Reply:
    """A gateway's last word, for who asks; `nodes` are those that there are, None where nobody looked."""
    if ask.edge.partition("/")[0] != site:
        return Reply(command_id, Outcome.REFUSED, "not_our_gateway", {"name": ask.edge})
    if told is None and nodes is not None and ask.edge not in nodes:
        return Reply(command_id, Outcome.REFUSED, *nobody(ask.edge, nodes))
    if told is None:
        return Reply(command_id, Outcome.REFUSED, "gateway_unknown", {"name": ask.edge.partition("/")[2]})
    return Reply(command_id, Outcome.DONE, "gateway_told", present=told.told())
