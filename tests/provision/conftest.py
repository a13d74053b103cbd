"""A folder that one run has made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.provision_folder import make


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("first") / "made")


@pytest.fixture
def made(first: Path, tmp_path: Path) -> Path:
    """A folder that was made by one run: a copy, for it takes a disk some time to keep thirty files."""
    return shutil.copytree(first, tmp_path / "made")
