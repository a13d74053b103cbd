"""Folders of `palier provision` for the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from palier.provision.checking import Finding, check
from palier.provision.making import Wanted, provision

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WANTED = Wanted(site="usine", gateways=("gw-1", "gw-2"), hosts=("broker.example.org",))


def make(path: Path) -> Path:
    """A folder for WANTED."""
    provision(path, WANTED, NOW)
    return path


def content(path: Path) -> dict[str, bytes]:
    """Every file, by its name in the folder."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def amiss(path: Path, now: datetime = NOW, site: str | None = None) -> dict[str, Finding]:
    """What a check has to say, by file."""
    return {finding.file: finding for finding in check(path, now, site=site) if not finding.fine}
