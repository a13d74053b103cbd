"""An agent whose time of day jumps: run as `python -P -m tests.support.stepped_agent FILE --config ...`.

FILE holds the seconds by which the time of day is off; without it there are none. Only this process is
lied to, at the one place where Python asks for the time of day; its monotonic time goes on as it is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def install(file: Path) -> None:
    """From now on `time.time` and `time.time_ns` of this process are off by what the file says."""
    true_ns = time.time_ns

    def stepped_ns() -> int:
        try:
            return true_ns() + round(float(file.read_text()) * 1e9)
        except (OSError, ValueError):
            return true_ns()

    time.time_ns = stepped_ns
    time.time = lambda: stepped_ns() / 1e9


if __name__ == "__main__":
    install(Path(sys.argv.pop(1)))
    from edge_agent.__main__ import main

    raise SystemExit(main())
