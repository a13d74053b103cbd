"""What an ingest is told of models before it starts: its settings, and `--check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.check import models_are_there
from ingest.model_opening import loader_of
from ingest.settings import IngestSettings, ModelsSettings
from palier.registry import JOURNAL, Registry
from palier.registry_keys import make_keys
from palier.settings import load_settings
from palier.strict_toml import ConfigError
from tests.support.fake_models import put


def test_paths_are_relative_to_the_file_and_without_the_table_there_are_no_models(tmp_path: Path) -> None:
    config = tmp_path / "ingest.toml"
    config.write_text('plant = "plant.toml"\ndata = "data"\n')
    assert load_settings(IngestSettings, config).models.folder is None
    config.write_text('plant = "plant.toml"\ndata = "data"\n[models]\nfolder = "models"\n')
    assert load_settings(IngestSettings, config).models.folder == tmp_path / "models"


def test_the_check_says_what_is_wrong_with_the_registry(tmp_path: Path) -> None:
    assert models_are_there(ModelsSettings()) is None
    settings = ModelsSettings(folder=tmp_path / "models")
    assert "there is no registry" in (models_are_there(settings) or "")
    registry = Registry(tmp_path / "models")
    put(registry, "forest", b"1")
    assert models_are_there(settings) is None
    (registry.path / "forest" / "1" / "arrays.npz").unlink()
    assert "not whole" in (models_are_there(settings) or "")
    (registry.path / "forest" / JOURNAL).write_text("{}\n")
    assert "can't be read" in (models_are_there(settings) or "")


def test_a_public_key_that_is_none_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "site")
    loader_of(ModelsSettings(public_key_file=public))
    for wrong in (private, tmp_path / "none.pub"):
        with pytest.raises(ConfigError, match="key"):
            loader_of(ModelsSettings(public_key_file=wrong))
