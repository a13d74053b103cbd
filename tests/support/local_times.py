"""What a script makes of the offsets that a page gives it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta


def told_by(offsets: Sequence[tuple[int, int]], at: datetime) -> datetime:
    """The plant's clock at a moment (UTC), as `wall` of live.js reads it."""
    minute = at.timestamp() / 60
    ahead = next((ahead for since, ahead in reversed(offsets) if since <= minute), offsets[0][1])
    return at.replace(tzinfo=None) + timedelta(minutes=ahead)
