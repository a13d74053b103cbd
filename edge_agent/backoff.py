"""How long to wait before the next connection."""

from __future__ import annotations

from typing import Final

STEADY_S: Final = 5.0  # a connection that lasted so long was a good one: the next pause is a short one

BACKOFF_S: Final = (0.25, 5.0)
"""First and longest pause between connections, half to one and a half times as long: a plant's gateways come
back within seconds of their broker, and not all at once. Live frames must be seen 10 s after a link heals."""

REFUSED_BACKOFF_S: Final = (1.0, 60.0)
"""The same where the broker answers and refuses us (account, certificate): only a human can change that, and
each attempt costs the broker a handshake."""

FIRST_PAUSE_S: Final = BACKOFF_S[0]


def next_pause_s(before_s: float, *, steady: bool, refused: bool) -> float:
    """The pause before the next connection, without its jitter."""
    first_s, longest_s = REFUSED_BACKOFF_S if refused else BACKOFF_S
    return first_s if steady else min(max(2 * before_s, first_s), longest_s)
