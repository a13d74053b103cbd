"""What a host's NCMD asks of the link: pure reading."""

from __future__ import annotations

from typing import Final

from palier.wire import messages
from palier.wire.payload import DecodeError, Payload, Reason

from . import events as ev
from .window import Link

MAX_FORGOTTEN: Final = 2**40
"""Frames that a disk may have forgotten: more than a gateway takes in a lifetime. A host that tells of more
is mistaken, and its number would use up those there are."""


def read_events(payload: Payload, link: Link) -> list[ev.Event]:
    """The acknowledgement and the rebirth in it. DecodeError where it must not be believed."""
    found: list[ev.Event] = []
    stored = messages.read_stored(payload)
    if stored is not None:
        found.append(_stored(stored, link))
    if messages.is_rebirth(payload):
        found.append(ev.RebirthRequested())
    return found


def _stored(stored: messages.Stored, link: Link) -> ev.StoredReceived:
    if stored.epoch == link.epoch and (stored.highest or 0) > link.last_seq + MAX_FORGOTTEN:
        raise DecodeError(
            Reason.RANGE, f"the host can't have seq {stored.highest}: {link.last_seq} were given"
        )
    return ev.StoredReceived(
        stored.epoch,
        stored.ranges,
        stored.credit_frames,
        stored.credit_bytes,
        stored.sync,
        stored.highest,
    )
