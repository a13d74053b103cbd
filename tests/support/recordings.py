"""Where the public recordings are. They are never part of the project: licences differ."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def data_folder(*names: str) -> Path:
    """The folder or file below the recordings; skips the test where it is absent."""
    folder = Path(os.environ.get("PALIER_DATA", ROOT.parent / "shared" / "data"))
    path = folder.joinpath(*names)
    if not path.exists():
        pytest.skip(f"the recordings {path} are absent: set PALIER_DATA to the folder that holds them")
    return path
