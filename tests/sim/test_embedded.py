"""A whole plant of child processes: started, read, killed, stopped."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from palier.brokers import BrokerKind
from palier.children import is_ready
from palier.clock import PlantClock
from palier.embedded import EmbeddedError, EmbeddedPlant, toml_text
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_sample_plant, sample_plant_path
from tests.support.processes import alive
from tests.support.services import answers, mosquitto_path
from tests.support.waiting import eventually

SOURCE = {"type": "simulated", "machines": ["P-101"], "interval_s": 1.0, "block_s": 0.5}


def require(kind: BrokerKind) -> None:
    if kind == "mosquitto":
        mosquitto_path()
    elif importlib.util.find_spec("iotcore") is None:
        pytest.skip("iotcore is not installed: pip install '.[demo]'")


def scored(plant: EmbeddedPlant) -> Callable[[], int]:
    """How many points have features by now."""
    site = load_sample_plant().site_id

    def count() -> int:
        historian = SqliteHistorian(plant.data.historian, read_only=True)
        try:
            return len(historian.latest("feature", ["velocity_rms_mm_s"], site=site))
        finally:
            historian.close()

    return count


@pytest.mark.parametrize("kind", ["mosquitto", pytest.param("iotcore", marks=pytest.mark.long)])
def test_a_block_crosses_the_whole_plant(kind: BrokerKind, tmp_path: Path) -> None:
    require(kind)
    with EmbeddedPlant(tmp_path / "run", sample_plant_path(), broker=kind, console_port=0) as plant:
        plant.add_agent(load_sample_plant().site_id, "atelier", [SOURCE])
        processes, ports = dict(plant.processes), dict(plant.health_ports)
        assert set(processes) == {f"broker {kind}", "ingest", "console", "agent atelier"}
        assert plant.page_url == f"http://127.0.0.1:{ports['console']}/"
        eventually(lambda: scored(plant)() == 2, 30, "features of both points")
        plant.check()
    assert not any(alive(pid) for pid in processes.values())
    assert not any(answers(port) for port in ports.values())


@pytest.mark.long
def test_a_part_that_dies_can_be_started_again_and_without_a_console_port_there_is_no_page(
    tmp_path: Path,
) -> None:
    require("mosquitto")
    with EmbeddedPlant(tmp_path / "run", sample_plant_path(), clock=PlantClock(rate=2.0)) as plant:
        assert "console" not in plant.processes
        config = tomllib.loads((plant.folder / "ingest.toml").read_text())
        plant.kill("ingest")
        assert "ingest" not in plant.processes
        plant.restart("ingest")
        assert is_ready(plant.health_ports["ingest"])
    assert config["clock"]["rate"] == 2.0


def test_a_plant_that_can_not_be_read_is_explained(tmp_path: Path) -> None:
    require("mosquitto")
    wrong = tmp_path / "plant.toml"
    wrong.write_text("[site]\nid = 3\n")
    plant = EmbeddedPlant(tmp_path / "run", wrong)
    with (
        pytest.raises(EmbeddedError, match=r"ingest ended at its start with exit code 2(?s:.*)plant\.toml"),
        plant,
    ):
        pass
    assert plant.processes == {}


def test_a_folder_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EmbeddedError, match="can't be written"),
        EmbeddedPlant(tmp_path / "file" / "run", Path("p")),
    ):
        pass


def test_toml_is_written_as_it_is_read() -> None:
    table = {
        "name": 'Cage "L-401" \\ é',
        "rate": 2.5,
        "port": 1883,
        "on": True,
        "list": ["a", "b"],
        "none": None,
        "broker": {"host": "127.0.0.1", "port": 1},
        "source": [{"type": "simulated", "machines": ["A"]}, {"type": "replay"}],
    }
    expected = {key: value for key, value in table.items() if value is not None}
    assert tomllib.loads(toml_text(table)) == expected
