"""Several sites at one broker: who may write and read what there, tried with a real client for each account.

Each site has a listener of its own with its own accounts and access list, all of them one space of topics, so
that only the access list stands between two sites. What may be is computed here from the meaning of a topic,
not from the access list.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from palier.provision.accounts import password_line
from palier.provision.layout import (
    ACL,
    PASSWORDS,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    accounts,
)
from palier.provision.making import Wanted, provision
from tests.support.provisioned import Account, ProvisionedBroker, connected
from tests.support.services import free_port, mosquitto_path
from tests.support.waiting import eventually

ROOT = "root of all sites"
OF_NODE = ("NBIRTH", "NDEATH", "NDATA", "NCMD")
OF_DEVICE = ("DBIRTH", "DDEATH", "DDATA", "DCMD")
TO_NODES = ("NCMD", "DCMD")
STRANGER = "stranger"  # a node without an account


@dataclass(frozen=True)
class Sites:
    """The names of sites and their nodes, which are the same in each; a host id each."""

    sites: tuple[str, ...]
    nodes: tuple[str, ...]

    def topics(self) -> list[str]:
        """Every kind of topic of every site and node, and some that nobody has."""
        told = []
        for site in self.sites:
            for node in (*self.nodes, STRANGER):
                told += _of(site, node).values()
            told += [
                f"spBv1.0/STATE/host-{site}",
                f"palier/v1/{site}/command",
                f"palier/v1/{site}/reply/7f3a",
            ]
            told += [f"palier/v1/{site}/other", f"spBv1.0/{site}/DDATA/{self.nodes[0]}/P-101/more"]
        return [*told, "spBv1.0/STATE", "spBv1.0/STATE/palier", "palier/v1", "x", self.nodes[0]]

    def may_write(self) -> set[tuple[str, str, str]]:
        """(site, account, topic): a node its own, the ingest what nodes hear, its STATE and replies, people
        commands.
        """
        may = set()
        for site in self.sites:
            may |= {(site, who, f"palier/v1/{site}/command") for who in ("console", "operator")}
            may |= {
                (site, "ingest", f"palier/v1/{site}/reply/7f3a"),
                (site, "ingest", f"spBv1.0/STATE/host-{site}"),
            }
            for node in (*self.nodes, STRANGER):
                for kind, topic in _of(site, node).items():
                    may.add((site, "ingest" if kind in TO_NODES else node, topic))
        return may

    def may_read(self) -> set[tuple[str, str, str]]:
        """(site, account, topic): a node its own commands and STATE, the ingest its whole group and people's
        commands, people replies.
        """
        may = set()
        for site in self.sites:
            state, deeper = f"spBv1.0/STATE/host-{site}", f"spBv1.0/{site}/DDATA/{self.nodes[0]}/P-101/more"
            may |= {(site, who, f"palier/v1/{site}/reply/7f3a") for who in ("console", "operator")}
            may |= {(site, who, state) for who in (*self.nodes, "ingest")}
            may |= {(site, "ingest", f"palier/v1/{site}/command"), (site, "ingest", deeper)}
            for node in (*self.nodes, STRANGER):
                may |= {(site, "ingest", topic) for topic in _of(site, node).values()}
                may |= {(site, node, _of(site, node)[kind]) for kind in TO_NODES}
        return may


def _of(site: str, node: str) -> dict[str, str]:
    """A node's topics by their kind."""
    own = {kind: f"spBv1.0/{site}/{kind}/{node}" for kind in OF_NODE}
    return own | {kind: f"spBv1.0/{site}/{kind}/{node}/P-101" for kind in OF_DEVICE}


@dataclass
class Outcome:
    """What was tried. A crossing came where it may not; a lack did not come where it may."""

    written: int = 0
    read: int = 0
    crossings: list[tuple[str, str, str, str]] = field(default_factory=list)
    lacks: list[tuple[str, str, str, str]] = field(default_factory=list)

    def note(self, what: str, who: tuple[str, str], topic: str, *, may: bool, did: bool) -> None:
        if did and not may:
            self.crossings.append((what, *who, topic))
        if may and not did:
            self.lacks.append((what, *who, topic))

    def line(self, sites: Sites) -> str:
        return (
            f"{len(sites.sites)} sites x {len(sites.nodes)} nodes: {self.written} times written, {self.read} "
            f"times read, {len(self.crossings)} crossings, {len(self.lacks)} lacking"
        )


@contextmanager
def one_broker(
    sites: Sites, folder: Path, door: str = "", more_of_first: str = ""
) -> Iterator[Mapping[str, ProvisionedBroker]]:
    """A mosquitto with a listener for each site, one more account, ROOT, and `door` in each access list.

    `more_of_first` is one more line of the first listener's.
    """
    log, conf, text = folder / "log", folder / "mosquitto.conf", ["per_listener_settings true"]
    ports = {site: free_port() for site in sites.sites}
    for site, port in ports.items():
        made = folder / site
        provision(made, Wanted(site=site, host_id=f"host-{site}", gateways=sites.nodes), datetime.now(UTC))
        acl, passwords = folder / f"{site}.acl", folder / f"{site}.passwords"
        acl.write_text((made / ACL).read_text() + f"\nuser {ROOT}\ntopic readwrite #\n{door}")
        passwords.write_text((made / PASSWORDS).read_text() + password_line(ROOT, ROOT) + "\n")
        text += [
            f"listener {port} 127.0.0.1",
            *([more_of_first] if site == sites.sites[0] else []),
            f"certfile {made / SERVER_CERTIFICATE}",
            f"keyfile {made / SERVER_KEY}",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {acl}",
        ]
    text += [
        f"log_dest file {log}",
        "max_queued_messages 10000",
        *(["user root"] if os.geteuid() == 0 else []),
    ]
    conf.write_text("\n".join(text) + "\n")
    log.touch()
    process = subprocess.Popen([mosquitto_path(), "-c", conf], stderr=subprocess.DEVNULL)
    try:
        # Not by connecting: after two handshakes that were broken off 2.0.11 ends the next good connection.
        eventually(lambda: " running" in log.read_text(), 60, "mosquitto's listeners")
        yield {site: ProvisionedBroker(folder / site, port, log, process) for site, port in ports.items()}
    finally:
        process.kill()
        process.wait()


def tried(sites: Sites, brokers: Mapping[str, ProvisionedBroker]) -> Outcome:
    """Every account writes every topic and asks to read everything: what the broker said and what arrived."""
    outcome = Outcome()
    with ExitStack() as stack:
        clients = {
            (site, name): stack.enter_context(connected(broker, name, (broker.folder / file).read_text()))
            for site, broker in brokers.items()
            for name, file in accounts(sites.nodes).items()
        }
        root = stack.enter_context(connected(brokers[sites.sites[0]], ROOT, ROOT))
        _write(sites, clients, root, outcome)
        _read(sites, clients, root, outcome)
    return outcome


def _write(sites: Sites, clients: Mapping[tuple[str, str], Account], root: Account, outcome: Outcome) -> None:
    """Refused by the broker's word (135, not authorized) and not delivered to one who hears everything."""
    root.subscribe("#")
    topics, allowed = sites.topics(), sites.may_write()
    for (site, name), client in clients.items():
        before = len(root.heard)
        taken = client.may_publish(topics)
        assert {reason.value for reason in client.acks.values() if reason.is_failure} <= {135}
        assert root.may_publish(["x/end"])  # behind all of the client's
        eventually(lambda b=before: "x/end" in root.heard[b:], 60, "the end of what was written")
        arrived = set(root.heard[before:]) - {"x/end"}
        for topic in topics:
            outcome.written += 1
            may = (site, name, topic) in allowed
            outcome.note("write", (site, name), topic, may=may, did=topic in taken or topic in arrived)
            if may and topic not in arrived:
                outcome.lacks.append(("deliver", site, name, topic))


def _read(sites: Sites, clients: Mapping[tuple[str, str], Account], root: Account, outcome: Outcome) -> None:
    """Each asks for every single topic, and for all that a wildcard can name."""
    topics, allowed = sites.topics(), sites.may_read()
    for client in clients.values():
        client.heard.clear()
        client.subscribe(
            *topics,
            "#",
            "+/#",
            "spBv1.0/#",
            "spBv1.0/+/+/+",
            "spBv1.0/+/+/+/+",
            "palier/v1/+/command",
            qos=0,
        )
    assert root.may_publish(topics) == set(topics)
    # At QoS 0 nothing waits: what the broker answers to a client's own message comes behind it all.
    for client in clients.values():
        client.may_publish(["x/nothing"])
    for (site, name), client in clients.items():
        for topic in topics:
            outcome.read += 1
            may = (site, name, topic) in allowed
            outcome.note("read", (site, name), topic, may=may, did=topic in client.heard)
