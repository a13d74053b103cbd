"""Files that hold a secret: whether the whole machine may read them. Standard library only."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

EVERYBODY: Final = stat.S_IROTH | stat.S_IWOTH
"""A group may be the service's own; everybody is not."""


def open_to_all(file: Path) -> str | None:
    """A warning with its remedy where every user of this machine may read or write that file, else None."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return None  # not there: told by who reads it
    if not mode & EVERYBODY:
        return None
    return f"every user of this machine may use {file}, which holds a secret: chmod o= {file}"
