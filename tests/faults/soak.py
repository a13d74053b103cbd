"""All scenarios again and again, until each was run five times and 200,000 frames were counted: `make soak`.

The rows are kept in a file, one line of JSON each, so a soak goes on where it was stopped. At the end, and
whenever its time is over, the table of all rows so far is printed; exit code 0 when what must hold holds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support import fault_table
from tests.support.counted import Counted

ROUNDS: Final = 5
FRAMES: Final = 200_000
ROWS: Final = Path(".soak/rows.jsonl")


def complete(rows: list[Counted]) -> bool:
    """Whether enough was run."""
    runs = Counter(row.scenario for row in rows)
    return bool(runs) and min(runs.values()) >= ROUNDS and sum(row.produced for row in rows) >= FRAMES


def one_round(until_s: float, jobs: int) -> int:
    """Each scenario once; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "-m", "faults", "tests/faults"]
    command += ["--rows", str(ROWS), "--until", str(until_s)]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="every fault five times, and 200,000 frames")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing after so long")
    parser.add_argument("--jobs", type=int, default=2, help="plants side by side")
    options = parser.parse_args()
    ROWS.parent.mkdir(exist_ok=True)
    until_s, failed = time.time() + 60 * options.minutes, 0
    while time.time() < until_s and not complete(fault_table.read_rows(ROWS)):
        failed += one_round(until_s, options.jobs) != 0
    rows = fault_table.read_rows(ROWS)
    good, said = fault_table.verdict(rows)
    load = os.getloadavg()[0]
    sys.stdout.write(
        "\n".join([*fault_table.lines(fault_table.merged(rows)), *said, f"load {load:.1f}"]) + "\n"
    )
    if not complete(rows):
        sys.stdout.write("not complete yet: start it again to go on\n")
    return 0 if good and not failed else 1


if __name__ == "__main__":
    raise SystemExit(main())
