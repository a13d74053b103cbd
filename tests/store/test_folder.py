"""The data directory names its stores, and is its owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.historian.base import Unavailable
from palier.historian.folder import DataFolder


def test_naming_makes_nothing(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert (folder.historian.name, folder.records.name) == ("historian.sqlite", "records.sqlite")
    assert folder.waveforms.parent == folder.historian.parent == folder.path
    assert not folder.path.exists()


def test_created_folders_are_the_owners_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "state" / "data").create().create()
    assert [path.stat().st_mode & 0o777 for path in (folder.path, folder.waveforms)] == [0o700, 0o700]


def test_a_path_that_can_not_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="can't be made"):
        DataFolder(tmp_path / "file" / "data").create()
