"""The annotated samples are the documentation of the settings: they must be what the services accept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edge_agent.settings as agent
import palier
from ingest.settings import IngestSettings
from palier.plant import load_plant
from palier.settings import load_settings
from palier.strict_toml import ConfigError

SAMPLES = Path(palier.__file__).parent / "samples"


def uncommented(name: str) -> str:
    """The sample with every key that it shows commented out in force."""
    text = (SAMPLES / name).read_text("utf-8")
    return re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)


def test_the_agents_sample_is_accepted() -> None:
    settings = agent.load_settings(SAMPLES / "agent.toml")
    assert settings.edge == "khouribga/gw-1"
    assert settings.sources[0].type == "simulated"


def test_the_ingests_sample_is_accepted_and_names_a_plant_that_is() -> None:
    settings = load_settings(IngestSettings, SAMPLES / "ingest.toml")
    assert load_plant(settings.plant).site_id == "khouribga"


def test_what_the_samples_comment_out_is_known_too(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(uncommented("agent.toml"), "utf-8")
    (tmp_path / "ingest.toml").write_text(uncommented("ingest.toml"), "utf-8")
    sources = agent.load_settings(tmp_path / "agent.toml").sources
    assert [source.type for source in sources] == ["simulated", "replay"]
    settings = load_settings(IngestSettings, tmp_path / "ingest.toml")
    assert (settings.groups, settings.clock.rate) == (("khouribga",), 60)


def test_a_misspelt_key_of_a_sample_would_be_caught(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").write_text(uncommented("ingest.toml").replace("groups", "group"), "utf-8")
    with pytest.raises(ConfigError, match="unknown key 'group'"):
        load_settings(IngestSettings, tmp_path / "ingest.toml")
