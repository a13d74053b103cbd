"""What the records let go of when their file stands over its byte budget, in bounded steps.

First the reports of outboxes that younger ones took the place of, then the oldest transitions (the series
have them too). What was seen of each outbox stays: by it a frame that comes again is known. So does what
people did, and every alarm."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

OF_PEOPLE: Final = ("intervention", "verdict", "baseline", "model")
"""Kinds of transitions that stay: what people did and what was learned is told of years later."""

REPLACED: Final = (
    "SELECT edge, epoch FROM ledger_report AS old WHERE EXISTS (SELECT 1 FROM ledger_report AS young "
    "WHERE young.edge=old.edge AND young.received_ns>old.received_ns) ORDER BY received_ns LIMIT ?"
)


def step(connection: sqlite3.Connection, before_ns: int, keep: Collection[str], n: int) -> int:
    """Delete up to so many reports, or transitions older than a time but those ids; how many went."""
    replaced = connection.execute(REPLACED, (n,)).fetchall()
    for table in ("ledger_report", "dropped_frames"):
        connection.executemany(f"DELETE FROM {table} WHERE edge=? AND epoch=?", replaced)  # noqa: S608
    if replaced:
        return len(replaced)
    kinds = ",".join("?" * len(OF_PEOPLE))
    found = connection.execute(
        f"SELECT event_id FROM transition WHERE ts<? AND kind NOT IN ({kinds}) ORDER BY ts LIMIT ?",  # noqa: S608
        (before_ns, *OF_PEOPLE, n + len(keep)),
    )
    gone = [(event_id,) for (event_id,) in found if event_id not in keep][:n]
    connection.executemany("DELETE FROM transition WHERE event_id=?", gone)
    return len(gone)
