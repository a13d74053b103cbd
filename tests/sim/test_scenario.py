"""Scenarios: faults as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.plant import Plant, load_sample_plant
from simulators.faults import BearingDamage, Deposit
from simulators.machines.bearing import Place
from simulators.scenario import read_scenario, shipped_scenario


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_sample_plant()


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "faults.toml"
    file.write_text(text, "utf-8")
    return file


def test_healthy_is_empty(plant: Plant) -> None:
    assert shipped_scenario("healthy", plant) == {}


def test_the_demonstration_has_a_bearing_and_a_deposit(plant: Plant) -> None:
    scenario = shipped_scenario("demo", plant)
    assert {type(fault) for faults in scenario.values() for fault in faults} == {BearingDamage, Deposit}


def test_a_shipped_scenario_suits_any_plant() -> None:
    assert shipped_scenario("demo", Plant("s", "S", "UTC", ())) == {}


def test_a_file_of_faults(tmp_path: Path, plant: Plant) -> None:
    text = '[[fault]]\nmachine="C-201"\nkind="bearing"\npoint="1"\nplace="inner_ring"\nseverity=1\n'
    scenario = read_scenario(written(tmp_path, text * 2), plant)
    assert scenario == {"C-201": (BearingDamage("1", Place.INNER, 1.0),) * 2}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fault = ", "not TOML"),
        ("[machine]", r"\[\[fault\]\] tables only"),
        ('[[fault]]\nkind="deposit"', "fault 1 must name a machine"),
        ('[[fault]]\nmachine="P-101"\nkind="rust"', "one of bearing, deposit"),
        (
            '[[fault]]\nmachine="P-101"\nkind="deposit"\nstart=1',
            "keys start, growth_per_hour, limit",
        ),
        (
            '[[fault]]\nmachine="P-101"\nkind="bearing"\npoint="1"\nplace="lid"\nseverity=1',
            "'lid' is not a valid Place",
        ),
        ('[[fault]]\nmachine="Z-9"\nkind="gear_wear"\namount=1', "no machine 'Z-9'"),
        (
            '[[fault]]\nmachine="C-201"\nkind="bearing"\npoint="3"\nplace="inner_ring"\nseverity=1',
            "no point '3' with a bearing",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, plant: Plant, text: str, sentence: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_scenario(file, plant)
    assert str(file) in str(caught.value)


def test_a_scenario_nobody_knows_is_told_with_those_that_are(tmp_path: Path, plant: Plant) -> None:
    with pytest.raises(ValueError, match=r"can't be read: .*\(a scenario is healthy, demo, or a TOML file"):
        read_scenario(tmp_path / "demoo", plant)
