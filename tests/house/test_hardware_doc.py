"""docs/hardware.md: each example is taken by its own reader, each figure follows from another."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_agent.opening import open_source
from edge_agent.sensors.continuous import source_of
from edge_agent.sensors.iio import IioDriver
from edge_agent.sensors.iio_options import IioOptions, read_options
from edge_agent.settings import SourceSettings, load_settings
from models.features.mounting import USABLE_HZ
from palier.clock import PlantClock
from palier.source import Source
from tests.support.fake_iio import FakeIio

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "hardware.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
HEAD = 'site = "atelier"\nnode = "gw-1"\ndata = "outbox"\n'
NOT_HARDWARE = {"replay", "simulated", "simulated_history", "simulated_exercises"}

IIO: Mapping[str, Mapping[str, object]] = {
    "adxl355": {"attributes": {"sampling_frequency_available": "3.906000 2000.000000 4000.000000"}},
    "ad7768-1": {
        "types": {"in_voltage0": "be:s24/32>>8"},
        "attributes": {"in_voltage0_scale": "0.00049", "sampling_frequency_available": "32000 256000"},
    },
}
"""What the kernel would show of the devices that the examples name."""


def opened(settings: SourceSettings, folder: Path) -> Source:
    if settings.type != "iio":
        return open_source(settings, PlantClock())
    options = read_options(settings.options)
    fake = FakeIio(folder / "iio", name=options.device, **IIO[options.device])  # type: ignore[arg-type]
    driver = IioDriver(options, sysfs=fake.sysfs, dev=fake.dev)
    return source_of(driver, settings.options, PlantClock(), IioOptions.__slots__, driver.axes)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: re.findall(r'type = "(\w+)"', text)[0])
def test_each_example_is_taken_by_its_own_reader(example: str, tmp_path: Path) -> None:
    for name in re.findall(r'^\w+_file = "([^"]+)"', example, re.MULTILINE):
        (tmp_path / name).touch(mode=0o600)
    file = tmp_path / "agent.toml"
    file.write_text(HEAD + example, "utf-8")
    settings = load_settings(file)
    machines = {device.machine for one in settings.sources for device in opened(one, tmp_path).devices()}
    assert machines == set(re.findall(r'^machine = "([^"]+)"', example, re.MULTILINE))


def test_each_kind_of_hardware_has_an_example() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    kinds = set(project["entry-points"]["palier.sources"]) - NOT_HARDWARE
    shown = {source["type"] for text in EXAMPLES for source in tomllib.loads(text)["source"]}
    assert shown == kinds


def test_each_key_is_explained_in_french_where_it_is_not_plain() -> None:
    comments = re.findall(r"# (.+)$", "\n".join(EXAMPLES), re.MULTILINE)
    assert len(comments) > 40
    assert [one for one in comments if re.search(r"\b(the|of|and|with)\b", one)] == []


def test_what_the_noise_makes_of_a_level_follows_from_its_density() -> None:
    """White noise: RMS over the band, and integrated from 10 to 1,000 Hz as velocity."""
    rows = re.findall(
        r"^\| `(\w+)` \| 3 \| [\d,]+ \| ([\d,]+) Hz \| ([\d.]+) µg/√Hz \| ([\d.]+) mg \| ([\d.]+) mm/s",
        TEXT,
        re.M,
    )
    assert len(rows) == 3
    for name, band, density, level_mg, velocity in rows:
        noise_g = float(density) * 1e-6
        assert 1000 * noise_g * math.sqrt(float(band.replace(",", ""))) == pytest.approx(
            float(level_mg), rel=0.05
        ), name
        mm_s = 9806.65 * noise_g / (2 * math.pi) * math.sqrt(1 / 10 - 1 / 1000)
        assert mm_s == pytest.approx(float(velocity), rel=0.05), name


def test_the_mountings_are_those_of_the_models() -> None:
    shown = re.findall(r"^\| `(\w+)` \([^|]+\| (?:what the sensor can|(\d+) kHz)", TEXT, re.MULTILINE)
    assert {name: float(khz) * 1000 if khz else math.inf for name, khz in shown} == dict(USABLE_HZ)


def test_what_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|edge_agent|deploy)/[\w./-]+)`", TEXT)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []
    for page in re.findall(r"\]\(([\w-]+\.md)", TEXT):
        assert (ROOT / "docs" / page).exists(), page
    for page in ("README.md", "docs/gateway.md"):
        assert "hardware.md" in (ROOT / page).read_text("utf-8")
