"""Thermocouples, platinum resistors, 1-Wire thermometers: right to the formula, each fault a sentence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sensors import max31855, max31865
from edge_agent.sensors.polled import PolledSource
from edge_agent.sources import w1
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Readings
from tests.support.fake_bus import FakeSpi, Fault
from tests.support.fake_thermometers import FakeMax31855, FakeMax31865, w1_text

ROW: Mapping[str, object] = {"machine": "P-101", "point": "2", "channel": "T", "unit": "°C"}
CLOCK = PlantClock()


def once(source: PolledSource) -> list[Readings]:
    """What one round gives."""
    stop = threading.Event()
    found = []
    for frame in source.frames(stop):
        assert isinstance(frame, Readings)
        found.append(frame)
        if len(found) == len(source.devices()):
            stop.set()
    return found


def couple(chip: FakeMax31855, fault: Fault | None = None, **row: Any) -> PolledSource:
    """A source of one MAX31855."""
    spi = FakeSpi(chip, "0.1", fault)
    return max31855.open_source({"value": [{**ROW, "spi": "0.1", **row}]}, CLOCK, lambda _own: spi)


def resistor(chip: FakeMax31865, fault: Fault | None = None, **row: Any) -> max31865.Max31865:
    """One MAX31865, without its waits."""
    return max31865.Max31865(FakeSpi(chip, "0.1", fault), pause=lambda _s: None, **row)


@pytest.mark.parametrize("value", [1350.0, 75.25, 0.25, -0.25, -250.0])
def test_a_thermocouple_is_read(value: float) -> None:
    (frame,) = once(couple(FakeMax31855(value, 21.0), curve="linear"))
    assert frame.values[0, 0] == value
    assert frame.quality == (QUALITY_GOOD,)


def test_its_cold_junction_is_read_also_when_the_thermocouple_is_broken() -> None:
    chip = FakeMax31855(75.0, -5.0625, faults=1)
    (frame,) = once(couple(chip, reads="board"))
    assert frame.values[0, 0] == -5.0625


@pytest.mark.parametrize(
    ("bits", "words"), [(1, "is open"), (2, "touches ground"), (4, "touches the supply"), (5, "open.*supply")]
)
def test_a_fault_of_a_thermocouple_is_a_sentence_and_no_value(bits: int, words: str) -> None:
    source = couple(FakeMax31855(75.0, 21.0, faults=bits))
    (frame,) = once(source)
    assert np.isnan(frame.values).all()
    assert frame.quality == (QUALITY_BAD,)
    with pytest.raises(OSError, match=words):
        source.attempt()


@pytest.mark.parametrize(
    ("fault", "words"), [("low", "stands at 0"), ("high", "stands at 1"), ("garbage", "no MAX31855")]
)
def test_wrong_wires_of_a_thermocouple_are_a_sentence(fault: Fault, words: str) -> None:
    with pytest.raises(OSError, match=words):
        couple(FakeMax31855(75.0, 21.0), fault).attempt()


def test_a_fault_bit_without_the_bit_that_sums_them_up_is_garbage() -> None:
    chip = FakeMax31855(0.0, 0.0)
    chip.word = 0x0000_0001  # MISO that hangs in the air
    with pytest.raises(OSError, match=r"gives garbage \(0x00000001"):
        couple(chip).attempt()


def test_an_end_lets_the_bus_go() -> None:
    spi = FakeSpi(FakeMax31855(75.0, 21.0), "0.1")
    source = max31855.open_source({"value": [{**ROW, "spi": "0.1"}]}, CLOCK, lambda _own: spi)
    once(source)
    assert not spi.is_open
    source.attempt()
    assert not spi.is_open


def test_platinum_as_in_the_tables_of_iec_60751() -> None:
    for temperature_c, ohm in (
        (-200.0, 18.52),
        (-50.0, 80.31),
        (0.0, 100.0),
        (100.0, 138.51),
        (850.0, 390.48),
    ):
        assert max31865.resistance(temperature_c) == pytest.approx(ohm, abs=0.005)


@given(st.floats(-200.0, 850.0))
def test_temperature_is_the_inverse_of_resistance(temperature_c: float) -> None:
    found = max31865.temperature(max31865.resistance(temperature_c, 1000.0), 1000.0)
    assert found == pytest.approx(temperature_c, abs=1e-6)


@pytest.mark.parametrize("wires", [2, 3, 4])
def test_a_resistor_is_read_and_not_heated(wires: int) -> None:
    chip = FakeMax31865(138.5055)
    assert resistor(chip, wires=wires).read() == pytest.approx(100.0, abs=0.02)
    assert chip.three_wires == (wires == 3)
    assert not chip.get(0x00) & 0x80  # no bias between readings


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        (FakeMax31865(138.5, faults=0x20), "the sensor is open, or a wire"),
        (FakeMax31865(138.5, faults=0x08), r"RTDIN-.*FORCE- is open or shorted"),
        (FakeMax31865(0.0), "shorted"),
        (FakeMax31865(1e9), "is open: more than 430"),
        (FakeMax31865(5.0), r"must have 19 to 390 Ω, it has 5\.0"),
    ],
)
def test_a_fault_of_a_resistor_is_a_sentence(chip: FakeMax31865, words: str) -> None:
    with pytest.raises(OSError, match=words):
        resistor(chip).read()


@pytest.mark.parametrize(("fault", "words"), [("low", "stands at 0"), ("high", "stands at 1")])
def test_wrong_wires_of_a_resistor_are_a_sentence(fault: Fault, words: str) -> None:
    with pytest.raises(OSError, match=words):
        resistor(FakeMax31865(138.5), fault).read()


def test_a_chip_that_is_plugged_in_again_is_opened_again() -> None:
    chip = FakeMax31865(100.0)
    spi = FakeSpi(chip, "0.1", "gone")
    one = max31865.Max31865(spi, pause=lambda _s: None)
    with pytest.raises(OSError, match="No such device"):
        one.read()
    assert not spi.is_open
    spi.fault = None
    assert one.read() == pytest.approx(0.0, abs=0.02)


def thermometer(root: Path, name: str, text: str) -> None:
    """A folder as the kernel makes it."""
    (root / name).mkdir(exist_ok=True)
    (root / name / "w1_slave").write_text(text)


def w1_source(root: Path, *names: str) -> PolledSource:
    """A source of some thermometers."""
    rows = [{**ROW, "channel": f"T{place}", "sensor": name} for place, name in enumerate(names)]
    return w1.open_source({"value": rows}, CLOCK, root)


A, B = "28-0316a2794fff", "28-0316a2794aaa"


@pytest.mark.parametrize("value", [23.125, -10.0625, 125.0, 0.0])
def test_a_thermometer_is_read(tmp_path: Path, value: float) -> None:
    thermometer(tmp_path, A, w1_text(value))
    (frame,) = once(w1_source(tmp_path, A))
    assert frame.values[0, 0] == value


def test_one_that_is_missing_costs_the_others_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    thermometer(tmp_path, A, w1_text(23.125))
    source = w1_source(tmp_path, A, B)
    (frame,) = once(source)
    assert frame.values[0, 0] == 23.125
    assert np.isnan(frame.values[1, 0])
    assert frame.quality == (QUALITY_GOOD, QUALITY_BAD)
    assert f"thermometer {B} is missing" in source.problem
    assert f"there are: {A}" in source.problem
    once(source)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1  # not each time

    thermometer(tmp_path, B, w1_text(30.0))
    (frame,) = once(source)
    assert frame.values[1, 0] == 30.0
    assert source.problem == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (w1_text(23.0, crc="NO"), "fails its checksum"),
        (w1_text(85.0, memory_6=0x0C), "says 85 °C, as it does after it lost its power"),
        ("", "gives garbage"),
        ("00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", "gives nothing"),
        (w1_text(127.9), "must be from -55 to 125"),
    ],
)
def test_a_fault_of_a_thermometer_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    thermometer(tmp_path, A, text)
    with pytest.raises(OSError, match=words):
        w1_source(tmp_path, A).attempt()


def test_85_degrees_are_believed_of_a_bearing_that_was_near(tmp_path: Path) -> None:
    one = w1.Ds18b20(tmp_path / A)
    thermometer(tmp_path, A, w1_text(84.0))
    assert one.read() == 84.0
    thermometer(tmp_path, A, w1_text(85.0))
    assert one.read() == 85.0
    thermometer(tmp_path, A, w1_text(40.0))
    one.read()
    thermometer(tmp_path, A, w1_text(85.0))
    with pytest.raises(OSError, match="lost its power"):
        one.read()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**ROW}], "sensor must be the name of a folder"),
        ([{**ROW, "sensor": "../../etc"}], "sensor must be the name of a folder"),
        ([{**ROW, "sensor": A}, {**ROW, "channel": "U", "sensor": A}], f"is read from {A}, and so is"),
        ([{key: value for key, value in ROW.items() if key != "unit"} | {"sensor": A}], "unit is missing"),
    ],
)
def test_a_wrong_w1_table_is_a_sentence(rows: list[Mapping[str, object]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        w1.open_source({"value": rows}, CLOCK)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "spi must be"),
        ({"spi": "0.1", "wires": 5}, "wires must be one of 2, 3, 4"),
        ({"spi": "0.1", "mains_hz": 55}, "mains_hz must be one of 50, 60"),
        ({"spi": "0.1", "zero_ohm": "PT100"}, "zero_ohm must be a number"),
    ],
)
def test_a_wrong_max31865_table_is_a_sentence(row: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        max31865.open_source({"value": [{**ROW, **row}]}, CLOCK)


def test_the_two_values_of_a_chip_are_read_through_one_wire() -> None:
    rows = [{**ROW, "spi": "0.1"}, {**ROW, "channel": "Tc", "spi": "0.1", "reads": "board"}]
    spi = FakeSpi(FakeMax31855(75.0, 21.5), "0.1")
    source = max31855.open_source({"value": rows}, CLOCK, lambda _own: spi)
    (frame,) = once(source)
    assert frame.values[:, 0].tolist() == [pytest.approx(75.18, abs=0.01), 21.5]
    assert source.addresses == ("spi 0.1",)
    with pytest.raises(ValueError, match="is read from"):
        max31855.open_source({"value": [rows[0], {**rows[0], "channel": "U"}]}, CLOCK, lambda _own: spi)
