"""Recordings written by tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_npz(path: Path, arrays: Mapping[str, object]) -> Path:
    """An npz of these arrays, under names that need not be identifiers."""
    keywords: dict[str, Any] = dict(arrays)
    np.savez(path, **keywords)
    return path
