"""The annotated samples are the documentation of the settings: they must be what the services accept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edge_agent.settings as agent
import palier
from dashboards.console.settings import ConsoleSettings
from edge_agent.opening import open_source
from ingest.settings import IngestSettings
from palier.clock import PlantClock
from palier.plant import load_plant
from palier.settings import ServiceSettings, load_settings
from palier.strict_toml import ConfigError

SAMPLES = Path(palier.__file__).parent / "samples"


BY_NAME = ("username", "password_file")
BY_TOKEN = ("org", "token_file")
"""Keys of [historian] that exclude each other: the account of InfluxDB 1.x and that of 2.x."""


def uncommented(name: str, *, but: tuple[str, ...] = ()) -> str:
    """The sample with every key that it shows commented out in force, but for some of [historian]."""
    text = (SAMPLES / name).read_text("utf-8")
    shown = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    before, table, after = shown.partition("[historian]")
    return before + table + re.sub(rf"^({'|'.join(but) or '-'}) = .*\n", "", after, flags=re.MULTILINE)


def test_the_agents_sample_is_accepted() -> None:
    settings = agent.load_settings(SAMPLES / "agent.toml")
    assert settings.edge == "khouribga/gw-1"
    assert settings.sources[0].type == "simulated"


def test_the_ingests_sample_is_accepted_and_names_a_plant_that_is() -> None:
    settings = load_settings(IngestSettings, SAMPLES / "ingest.toml")
    assert load_plant(settings.plant).site_id == "khouribga"


def test_what_the_samples_comment_out_is_known_too(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(uncommented("agent.toml"), "utf-8")
    (tmp_path / "ingest.toml").write_text(uncommented("ingest.toml", but=BY_TOKEN), "utf-8")
    sources = agent.load_settings(tmp_path / "agent.toml").sources
    assert [source.type for source in sources] == [
        *("simulated", "replay", "iis3dwb", "w1", "modbus", "opcua", "json_mqtt")
    ]
    for source in sources[2:]:  # read by the source itself; none touches its device here
        assert open_source(source, PlantClock()).devices()
    settings = load_settings(IngestSettings, tmp_path / "ingest.toml")
    assert (settings.groups, settings.clock.rate) == (("khouribga",), 60)
    email, webhook = settings.notify.email, settings.notify.webhook
    assert email is not None
    assert webhook is not None
    assert email.ca_file == tmp_path / "ca.pem", "relative to the file, like every path"


def test_the_pages_sample_is_accepted_and_reads_what_the_ingests_writes() -> None:
    page = load_settings(ConsoleSettings, SAMPLES / "console.toml")
    ingest = load_settings(IngestSettings, SAMPLES / "ingest.toml")
    assert (page.plant, page.data, page.historian) == (ingest.plant, ingest.data, ingest.historian)


@pytest.mark.parametrize(("but", "given"), [(BY_TOKEN, BY_NAME), (BY_NAME, BY_TOKEN)])
@pytest.mark.parametrize(
    ("name", "kind"), [("ingest.toml", IngestSettings), ("console.toml", ConsoleSettings)]
)
def test_the_historian_that_the_samples_comment_out_is_known(
    name: str,
    kind: type[ServiceSettings],
    but: tuple[str, ...],
    given: tuple[str, ...],
    tmp_path: Path,
) -> None:
    (tmp_path / name).write_text(uncommented(name, but=but), "utf-8")
    settings = load_settings(kind, tmp_path / name)
    assert isinstance(settings, IngestSettings | ConsoleSettings)
    historian = settings.historian
    assert (historian.url, historian.database) == ("http://127.0.0.1:8086", "palier")
    assert all(getattr(historian, key) for key in given)
    file = historian.password_file or historian.token_file
    assert file is not None
    assert file.name.startswith("influx_writer" if kind is IngestSettings else "influx_reader")
    assert historian.ca_file == tmp_path / "ca.pem"


def test_a_misspelt_key_of_a_sample_would_be_caught(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").write_text(
        uncommented("ingest.toml", but=BY_TOKEN).replace("groups", "group"), "utf-8"
    )
    with pytest.raises(ConfigError, match="unknown key 'group'"):
        load_settings(IngestSettings, tmp_path / "ingest.toml")
