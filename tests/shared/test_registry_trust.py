"""A registry is a folder that others may write to: what is in it is looked at before it is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from palier.registry import JOURNAL, Note, Registry, RegistryError

FILES = {"manifest.json": b"{}", "arrays.npz": b"numbers"}
NOTE = Note("s.idrissi", "tried on a week", 1)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    found.add("baselines", FILES, NOTE, kind="baselines")
    return found


@pytest.mark.parametrize(
    "told",
    [
        {"version": "../../waveforms"},
        {"version": True},
        {"version": 0},
        {"before": "1"},
        {"parent": [1]},
        {"report": "../../../etc/x"},
        {"sha256": {"manifest.json": 1}},
        {"sha256": ["manifest.json"]},
        {"at_ns": 2**70},
        {"at_ns": "yesterday"},
    ],
)
def test_a_journal_says_numbers_hashes_and_times_or_is_damaged(
    registry: Registry, told: dict[str, Any]
) -> None:
    journal = registry.path / "baselines" / JOURNAL
    journal.write_text(json.dumps(json.loads(journal.read_text()) | told) + "\n")
    with pytest.raises(RegistryError, match="line 1 of the journal of baselines can't be read") as error:
        registry.line("baselines")
    assert error.value.key == "journal_damaged"


def test_a_journal_says_nothing_twice(registry: Registry) -> None:
    journal = registry.path / "baselines" / JOURNAL
    journal.write_text(journal.read_text().replace('"version":1', '"version":1,"version":2'))
    with pytest.raises(RegistryError, match="'version' is there twice"):
        registry.line("baselines")


def test_a_rollback_is_no_way_round_the_replay(registry: Registry) -> None:
    registry.promote("baselines", 1, NOTE, forced=True)
    registry.add("baselines", FILES, NOTE, kind="baselines")
    with pytest.raises(RegistryError, match="baselines:2 never was in force"):
        registry.rollback("baselines", NOTE, to=2)
    assert registry.line("baselines").in_force == registry.line("baselines").version(1)


def test_a_new_version_is_not_given_its_number(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="without it"):
        registry.add("baselines:7", FILES, NOTE, kind="baselines")
    assert registry.names() == ("baselines",)
    assert not (registry.path / "baselines:7").exists()


def test_a_pipe_or_a_device_in_the_place_of_a_file_is_not_read(registry: Registry) -> None:
    folder = registry.path / "baselines" / "1"
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(RegistryError, match="is no file but"):
        registry.files("baselines", 1)
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").symlink_to("/dev/zero")  # says that it has no byte, and has no end
    with pytest.raises(RegistryError, match="is no file but"):
        registry.files("baselines", 1)
