"""What a run changed, and in which order the rest has to follow.

mosquitto keeps one password of an account (of two lines of one name it takes the last), so an old and a new
one do not hold side by side. Nothing is lost in between: a gateway that is refused keeps its frames and
connects again. The new password goes to its user first, and the broker reads its files then: at that moment
it ends the connections of the account, which comes back with the new password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .files import ProvisionError
from .layout import (
    ACL,
    AUTHORITY_CERTIFICATE,
    BROKER_AUTHORITY,
    CONFIGURATION_KEY,
    HEALTH,
    PASSWORDS,
    SERVER_CERTIFICATE,
    SERVICE_ACCOUNTS,
    accounts,
)


class Did(StrEnum):
    """What was done to a file."""

    MADE = "made"
    RENEWED = "renewed"
    """A certificate was issued again, or a file that follows from others was written again."""
    ROTATED = "rotated"
    """It holds another password than before."""
    WITHDRAWN = "withdrawn"
    """A gateway's folder was removed, and with it its account."""
    CLOSED = "closed"
    """Others could read it and now can't."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file and what was done to it."""

    file: str
    did: Did


def refuse_strangers(
    rotate: Sequence[str], withdraw: Sequence[str], added: Sequence[str], gateways: tuple[str, ...]
) -> None:
    """Raises ProvisionError for a name that has no account, or is asked to go and to stay.

    `gateways` are all that are there, those that are `added` now included.
    """
    known = accounts(gateways)
    for name in rotate:
        if name not in known:
            raise ProvisionError(f"there is no account {name[:80]!r}: {', '.join(sorted(known))}", usage=True)
    for node in withdraw:
        if node in SERVICE_ACCOUNTS:
            raise ProvisionError(
                f"{node} is a service, not a gateway: --rotate shuts its old password out", usage=True
            )
        if node not in gateways:
            raise ProvisionError(
                f"there is no gateway {node[:80]!r}: {', '.join(gateways) or 'none is there'}", usage=True
            )
        if node in (*rotate, *added):
            raise ProvisionError(f"{node} can't be withdrawn and go on at once: say which", usage=True)


def advice(changes: Sequence[Change]) -> tuple[str, ...]:
    """What somebody has to do after these changes, in that order."""
    did = {change.file: change.did for change in changes}
    told = [*_carry(did)]
    # A gateway that had another one before: the authority is a new one, whose own file was made.
    other = any(done is Did.RENEWED and file.endswith("/ca.crt") for file, done in did.items())
    read_by_broker = (PASSWORDS, ACL, SERVER_CERTIFICATE, BROKER_AUTHORITY)
    if other or any(did.get(name) is Did.RENEWED for name in read_by_broker):
        told.append(
            f"{'then ' if told else ''}broker/ has changed: tell the broker to read it again (SIGHUP); it "
            "ends the connections of accounts that changed or are gone"
        )
    if other or did.get(AUTHORITY_CERTIFICATE) is Did.RENEWED:
        told.append("ca.crt has changed: copy it to every gateway, and restart ingest and page")
    if any(done is Did.RENEWED and file.endswith("/configuration.pub") for file, done in did.items()):
        told.append(
            "configuration.pub has changed: copy it beside agent.toml of every gateway; until then it takes "
            "what the old key signed"
        )
    if did.get(CONFIGURATION_KEY) is Did.MADE:
        told.append(
            f"{CONFIGURATION_KEY} signs what gateways sample from: move it to the engineer's own computer, "
            "nothing here needs it"
        )
    return tuple(told)


def _carry(did: dict[str, Did]) -> list[str]:
    """Whom a new password has to reach first; the health check finds its own beside the broker's files."""
    files = [file for file, done in did.items() if done is Did.ROTATED]
    services = {file: name for name, file in SERVICE_ACCOUNTS.items()}
    told = []
    for file in files:
        if file not in services:
            node = file.split("/")[1]
            told.append(f"copy {file} beside agent.toml of {node}: it reads it when it connects next")
        elif services[file] != HEALTH:
            told.append(
                f"put {file} where password_file of {services[file]} is: it is read at each connection "
                "(in containers restart the service)"
            )
    return told
