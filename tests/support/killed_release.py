"""A process that is killed at each statement of a release, one after the other: `python -m ... FOLDER`.

For each count of statements it forks: the child opens the outbox, releases all, and kills itself before
that statement. The parent looks at what is on the disk, and prints a line of JSON each time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from edge_agent.outbox import Outbox, open_outbox
from edge_agent.outbox_retained import Wish

FRAMES = 6
ALL = Wish("wish-of-all", 0, 2**62)


def opened(folder: Path) -> Outbox:
    """The outbox of the test."""
    return open_outbox(folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)


def look(folder: Path) -> dict[str, object]:
    """What the file holds: rows without a number, rows with one, bodies, and the highest number given."""
    outbox = opened(folder)
    db = outbox._opened()
    (bodies,) = db.execute("SELECT count(*) FROM body").fetchone()
    numbered = [seq for (seq,) in db.execute("SELECT seq FROM frame ORDER BY seq")]
    starts = [frame.start_ns for found in map(outbox.load, numbered) if found for frame in found[1:]]
    told = {
        "retained": outbox.retained().rows,
        "numbered": numbered,
        "starts": starts,
        "bodies": bodies,
        "bytes": outbox.totals().bytes,
        "sound": db.execute("PRAGMA integrity_check").fetchone()[0] == "ok",
    }
    outbox.close()
    return told


def release_until(folder: Path, statement: int) -> bool:
    """Release in a child that dies before that statement; whether it came to the end."""
    child = os.fork()
    if child == 0:
        outbox = opened(folder)
        left = iter(range(statement))

        def count(_sql: str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        outbox._opened().set_trace_callback(count)
        outbox.release(ALL)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main(folder: Path) -> None:
    """Until a release comes to its end."""
    statement = 0
    while True:
        ended = release_until(folder, statement)
        print(json.dumps({"statement": statement, "ended": ended, **look(folder)}))  # noqa: T201
        if ended:
            return
        statement += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
