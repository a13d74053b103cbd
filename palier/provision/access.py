"""Who may write and read which topic, and that as mosquitto's access list. What is not said is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from palier.wire.topics import Kind, Topic, group_filter, state_topic

from .layout import CONSOLE, HEALTH, INGEST, OPERATOR

COMMANDS: Final = (Kind.NCMD, Kind.DCMD)
"""What a host says to nodes and devices; all other kinds are said by a node."""

UPTIME: Final = "$SYS/broker/uptime"
"""What the broker's health check waits for."""

BROKERS_FIGURES: Final = ("$SYS/broker/publish/messages/dropped", "$SYS/broker/clients/+")
"""What the ingest watches of the broker: whether it throws messages away, and how many are connected."""

HEAD: Final = """\
# Who may write and read what at the broker of site {site}. Made by `palier provision`, and made anew by it:
# change nothing here. What is not granted is refused; a client without an account is granted nothing.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One account may write, read, or both, what matches one MQTT topic filter."""

    account: str
    verb: Literal["read", "write", "readwrite"]
    topic: str


def grants(site: str, host_id: str, gateways: Iterable[str]) -> tuple[Grant, ...]:
    """Everything that is allowed at the broker of a site. TopicError where a name is not one."""
    return (
        *(grant for node in gateways for grant in _gateway(site, host_id, node)),
        *_ingest(site, host_id),
        *_commander(site, CONSOLE),
        *_commander(site, OPERATOR),
        Grant(HEALTH, "read", UPTIME),
    )


def acl_text(site: str, granted: Iterable[Grant]) -> str:
    """mosquitto's `acl_file`. Each account stands once, with all that it is granted."""
    lines: dict[str, list[str]] = {}
    for grant in granted:
        lines.setdefault(grant.account, []).append(f"topic {grant.verb} {grant.topic}\n")
    blocks = (f"\nuser {account}\n{''.join(topics)}" for account, topics in lines.items())
    return HEAD.format(site=site) + "".join(blocks)


def command_topic(site: str) -> str:
    """Where people's commands to the ingest are written: acknowledge, shelve, record an intervention."""
    return f"palier/v1/{site}/command"


def reply_filter(site: str) -> str:
    """Where the ingest answers a command, below its id."""
    return f"palier/v1/{site}/reply/#"


def _gateway(site: str, host_id: str, node: str) -> Iterator[Grant]:
    for kind in Kind:
        yield Grant(node, "read" if kind in COMMANDS else "write", _of_node(site, kind, node))
    yield Grant(node, "read", state_topic(host_id))


def _of_node(site: str, kind: Kind, node: str) -> str:
    """The topic of a node's own messages, or the filter of its devices': exactly one level below it."""
    if not kind.of_device:
        return str(Topic(site, kind, node))
    return str(Topic(site, kind, node, "device")).removesuffix("device") + "+"


def _ingest(site: str, host_id: str) -> Iterator[Grant]:
    whole = group_filter(site)
    yield Grant(INGEST, "read", whole)
    yield Grant(INGEST, "write", whole.replace("#", f"{Kind.NCMD}/+"))
    yield Grant(INGEST, "write", whole.replace("#", f"{Kind.DCMD}/+/+"))
    yield Grant(INGEST, "readwrite", state_topic(host_id))
    yield Grant(INGEST, "read", command_topic(site))
    yield Grant(INGEST, "write", reply_filter(site))
    for figures in BROKERS_FIGURES:
        yield Grant(INGEST, "read", figures)


def _commander(site: str, account: str) -> Iterator[Grant]:
    yield Grant(account, "write", command_topic(site))
    yield Grant(account, "read", reply_filter(site))
