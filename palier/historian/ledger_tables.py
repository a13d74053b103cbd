"""The gateways' reports in the records, and since when each has given frames up for each reason."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from palier.ledger import known_reason
from palier.wire.messages import LedgerReport

from .rows import LedgerReceipt

TABLES: Final = (
    """CREATE TABLE dropped_frames (
        edge TEXT NOT NULL, epoch TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
        changed_ns INTEGER NOT NULL, PRIMARY KEY (edge, epoch, reason)) WITHOUT ROWID""",
    # What was dropped before this version was written is no news.
    """INSERT INTO dropped_frames
        SELECT edge, epoch, json_extract(d.value, '$[2]') AS reason,
            sum(json_extract(d.value, '$[1]') - json_extract(d.value, '$[0]') + 1), 0
        FROM ledger_report, json_each(ledger_report.report, '$.dropped') AS d GROUP BY edge, epoch, reason""",
)

LATELY: Final = (
    "SELECT edge, reason, sum(n) FROM dropped_frames WHERE changed_ns>=? GROUP BY edge, reason "
    "ORDER BY edge, reason"
)
"""What gateways gave up, where more became of it at or after a time."""


def write(connection: sqlite3.Connection, rows: Iterable[LedgerReceipt]) -> None:
    """The last report of each edge and epoch, and when it first told of more that was dropped."""
    rows = tuple(rows)
    connection.executemany(
        "INSERT INTO ledger_report VALUES (?, ?, ?, ?) ON CONFLICT (edge, epoch) DO UPDATE "
        "SET received_ns=excluded.received_ns, report=excluded.report",
        [(row.edge, row.report.epoch, row.received_ns, json.dumps(asdict(row.report))) for row in rows],
    )
    connection.executemany(
        "INSERT INTO dropped_frames VALUES (?, ?, ?, ?, ?) ON CONFLICT (edge, epoch, reason) DO UPDATE "
        "SET changed_ns=CASE WHEN excluded.n>n THEN excluded.changed_ns ELSE changed_ns END, n=excluded.n",
        [
            (row.edge, row.report.epoch, reason, n, row.received_ns)
            for row in rows
            for reason, n in _dropped(row.report).items()
        ],
    )


def _dropped(report: LedgerReport) -> dict[str, int]:
    counts: dict[str, int] = {}
    for lo, hi, reason in report.dropped:
        known = known_reason(reason)
        counts[known] = counts.get(known, 0) + hi - lo + 1
    return counts
