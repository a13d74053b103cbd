"""The table of the fault tests: a row for each run, the sum of all, and what must hold over all of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.support.counted import Counted

RECOVERY_P95_S: Final = 15.0
P95_OF: Final = 20
"""Runs. Of fewer the p95 is the longest of all, which a slow machine decides: it is told, and fails nothing.
"""

RESTART_S: Final = 3.0
"""Of the ingest, on a machine that has a core for it: the median of all starts, for the runs share two."""

_SUMMED: Final = (
    "sampled",
    "produced",
    "stored",
    "lost",
    "duplicated",
    "forged",
    "quarantined",
    "dropped",
    "unkept",
    "useful_bytes",
)

_HEAD: Final = (
    "scenario",
    "produced",
    "stored",
    "lost",
    "twice",
    "forged",
    "quarant.",
    "dropped",
    "unkept",
    "recovery s",
    "restart s",
    "wire/useful",
)


def row_text(counted: Counted) -> str:
    """As it travels from a test to the end of the session, and lies in the file of a soak."""
    return json.dumps(asdict(counted))


def read_row(text: str) -> Counted:
    """What `row_text` wrote."""
    fields = json.loads(text)
    return Counted(**{**fields, "amiss": tuple(fields["amiss"])})


def read_rows(file: Path) -> list[Counted]:
    """All rows of a soak so far."""
    return [read_row(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, of the sorted values the one at that place; 0 of none."""
    return sorted(values)[max(0, round(0.95 * len(values) + 0.5) - 1)] if values else 0.0


def merged(rows: Sequence[Counted]) -> list[Counted]:
    """One row a scenario: sums of counts, the longest times, the mean of wire/useful."""
    by_name: dict[str, list[Counted]] = {}
    for row in rows:
        by_name.setdefault(row.scenario, []).append(row)
    return [_merged(f"{name} ×{len(same)}", same) for name, same in sorted(by_name.items())]


def _merged(name: str, rows: Sequence[Counted]) -> Counted:
    sums = {field: sum(getattr(row, field) for row in rows) for field in _SUMMED}
    useful = max(1, sums["useful_bytes"])
    return Counted(
        scenario=name,
        **sums,
        recovery_s=max((row.recovery_s for row in rows if row.recovery_s is not None), default=None),
        restart_s=max((row.restart_s for row in rows if row.restart_s is not None), default=None),
        wire_per_useful=sum(row.wire_per_useful * row.useful_bytes for row in rows) / useful,
    )


def lines(rows: Sequence[Counted]) -> list[str]:
    """The table."""
    width = max([len(row.scenario) for row in rows] + [len(_HEAD[0])])
    table = [_HEAD, *(_cells(row) for row in rows), _sum(rows)]
    return [
        f"{first:<{width}}"
        + "".join(f"{cell:>{len(head) + 2}}" for head, cell in zip(_HEAD[1:], cells, strict=True))
        for first, *cells in table
    ]


def verdict(rows: Sequence[Counted]) -> tuple[bool, list[str]]:
    """Whether what must hold over all runs holds, and a sentence for each part of it."""
    recoveries = [row.recovery_s for row in rows if row.recovery_s is not None]
    restarts = [row.restart_s for row in rows if row.restart_s is not None]
    bad = sum(row.lost + row.duplicated + row.forged for row in rows)
    said = [
        f"{sum(row.produced for row in rows):,} frames in {len(rows)} runs of "
        f"{len({row.scenario for row in rows})} scenarios: {bad} lost, twice or forged"
    ]
    good = bad == 0
    if recoveries:
        good = good and (len(recoveries) < P95_OF or p95(recoveries) <= RECOVERY_P95_S)
        said.append(
            f"recovery: median {statistics.median(recoveries):.1f} s, p95 {p95(recoveries):.1f} s "
            f"(at most {RECOVERY_P95_S:g}), longest {max(recoveries):.1f} s"
        )
    if restarts:
        said.append(
            f"ingest started again: median {statistics.median(restarts):.1f} s (goal {RESTART_S:g}), "
            f"longest {max(restarts):.1f} s"
        )
    return good, said


def _cells(row: Counted) -> tuple[str, ...]:
    return (
        row.scenario,
        *(f"{n}" for n in (row.produced, row.stored, row.lost, row.duplicated, row.forged)),
        *(f"{n}" for n in (row.quarantined, row.dropped, row.unkept)),
        "" if row.recovery_s is None else f"{row.recovery_s:.1f}",
        "" if row.restart_s is None else f"{row.restart_s:.1f}",
        f"{row.wire_per_useful:.2f}",
    )


def _sum(rows: Sequence[Counted]) -> tuple[str, ...]:
    name, *counts, _, _, wire = _cells(_merged("all", rows))
    return (name, *counts, "", "", wire)
