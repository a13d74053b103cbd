"""[transmit] in agent.toml, and a source's own mode."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edge_agent.modes import Mode, Rules
from edge_agent.settings import AgentSettings, load_settings, settings_text
from edge_agent.transmit_settings import TransmitSettings
from palier.strict_toml import ConfigError
from palier.wire import compression

HEAD = """site = "usine"
node = "p1"
data = "outbox"
"""
SOURCE = """
[[source]]
type = "replay"
file = "rec.npz"
"""


def load(folder: Path, transmit: str, more: str = "") -> AgentSettings:
    file = folder / "agent.toml"
    file.write_text(HEAD + transmit + SOURCE + more, "utf-8")
    return load_settings(file)


def refused(folder: Path, transmit: str, more: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, transmit, more)
    return str(caught.value)


def test_without_a_table_everything_is_sent(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.transmit == TransmitSettings()
    assert (settings.mode, settings.transmit.rules) == (Mode.WAVEFORM, Rules())


def test_what_the_table_says(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[transmit]\nmode = "adaptive"\nwaveform_mb_per_day = 200\none_a_day = false\ncompress = true\n',
    )
    assert settings.transmit == TransmitSettings(Mode.ADAPTIVE, 200, one_a_day=False, compress=True)
    assert settings.transmit.rules == Rules(200_000_000, one_a_day=False)
    assert tomllib.loads(settings_text(settings))["transmit"]["mode"] == "adaptive"


def test_a_source_has_a_mode_of_its_own_and_its_driver_does_not_see_it(tmp_path: Path) -> None:
    settings = load(tmp_path, "", 'mode = "features"\n')
    (source,) = settings.sources
    assert (source.mode, settings.mode, settings.transmit.mode) == (
        Mode.FEATURES,
        Mode.FEATURES,
        Mode.WAVEFORM,
    )
    assert "mode" not in source.options
    assert tomllib.loads(settings_text(settings))["source"][0]["mode"] == "features"


def test_a_gateway_says_the_mode_that_keeps_most_back(tmp_path: Path) -> None:
    settings = load(tmp_path, '[transmit]\nmode = "adaptive"\n', 'mode = "waveform"\n' + SOURCE)
    assert [source.mode for source in settings.sources] == [Mode.WAVEFORM, None]
    assert settings.mode is Mode.ADAPTIVE


@pytest.mark.parametrize(
    ("transmit", "more", "words"),
    [
        ('[transmit]\nmode = "all"\n', "", "mode must be one of waveform, adaptive, features, got 'all'"),
        ("[transmit]\nwaveform_mb_per_day = 0\n", "", "waveform_mb_per_day"),
        ('[transmit]\nmodus = "adaptive"\n', "", "modus"),
        ("[transmit]\none_a_day = 1\n", "", "one_a_day"),
        ("", 'mode = "some"\n', "mode must be one of"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, transmit: str, more: str, words: str) -> None:
    told = refused(tmp_path, transmit, more)
    assert words in told
    assert "agent.toml:" in told


def test_compression_without_its_library_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "available", lambda: False)
    told = refused(tmp_path, "[transmit]\ncompress = true\n")
    assert "pip install 'palier[zstd]'" in told
