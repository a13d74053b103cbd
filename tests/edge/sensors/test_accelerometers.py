"""The accelerometers on a bus that behaves as their data sheets say, and on one that is wired wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from edge_agent.sensors import adxl345, adxl355, iis3dwb
from edge_agent.sensors.bursts import Burst
from edge_agent.sensors.bus import SpiRegisters
from edge_agent.sensors.i2c import I2cBus
from tests.support.fake_accelerometers import PERIOD, FakeAdxl345, FakeAdxl355, FakeIis3dwb, axes
from tests.support.fake_bus import FakeSmbus, FakeSpi, Fault, SimulatedTime, Turns

Chip = FakeIis3dwb | FakeAdxl355 | FakeAdxl345
Sensor = iis3dwb.Iis3dwb | adxl355.Adxl355 | adxl345.Adxl345


@dataclass
class Rig:
    """A driver, the chip that it drives, and the wires between them."""

    clock: SimulatedTime
    chip: Any
    bus: FakeSpi
    driver: Sensor

    def bursts(self, turns: int, late: dict[int, float] | None = None) -> list[Burst]:
        """What so many emptyings give."""
        return list(self.driver.bursts(Turns(self.clock, turns, late)))


KINDS: dict[str, tuple[Callable[..., Chip], Any, Any]] = {
    "IIS3DWB": (FakeIis3dwb, iis3dwb.CHIP, iis3dwb.Iis3dwb),
    "ADXL355": (FakeAdxl355, adxl355.CHIP, adxl355.Adxl355),
    "ADXL345": (FakeAdxl345, adxl345.CHIP, adxl345.Adxl345),
}


def make(kind: str, clock: SimulatedTime) -> Rig:
    """A rig, not opened."""
    fake, chip, driver = KINDS[kind]
    device = fake(clock)
    bus = FakeSpi(device, sleep=clock.sleep)
    return Rig(clock, device, bus, driver(SpiRegisters(bus, chip), monotonic_s=clock, pause=clock.sleep))


@pytest.fixture(params=list(KINDS))
def rig(request: pytest.FixtureRequest, clock: SimulatedTime) -> Rig:
    """Each kind in turn."""
    return make(request.param, clock)


def numbers(bursts: list[Burst]) -> list[int]:
    """The sample numbers that the x axis of the fakes counts."""
    return [int(x) + PERIOD // 2 for burst in bursts for x in burst.samples[0]]


def test_every_sample_comes_once_and_whole(rig: Rig) -> None:
    rig.driver.open()
    bursts = rig.bursts(100)

    found = numbers(bursts)
    assert found == list(range(len(found)))
    assert len(found) > 0.9 * 100 * rig.driver.interval_s * rig.driver.fs_nominal_hz
    assert not any(burst.overrun for burst in bursts)
    third = np.concatenate([burst.samples for burst in bursts], axis=1)[:, 3]
    assert tuple(third) == axes(3)
    assert third.dtype == rig.driver.dtype


def test_a_burst_says_when_its_last_sample_was_there(rig: Rig) -> None:
    rig.driver.open()
    began_s = rig.clock.now_s
    seen = 0
    for burst in rig.bursts(50):
        seen += burst.samples.shape[1]
        assert burst.end_s - began_s == pytest.approx(seen / rig.driver.fs_nominal_hz, abs=0.001)


def test_a_late_look_overruns_the_fifo_and_the_burst_after_it_says_so(rig: Rig) -> None:
    rig.driver.open()
    bursts = rig.bursts(30, {10: 0.05})

    gaps = [place for place, burst in enumerate(bursts) if burst.overrun]
    assert gaps == [9]
    assert rig.chip.fifo.lost > 0
    for part in (bursts[:9], bursts[9:]):
        found = numbers(part)
        assert found == list(range(found[0], found[0] + len(found)))


def test_its_self_test_passes_and_leaves_it_as_it_was(rig: Rig) -> None:
    rig.driver.open()
    assert rig.driver.self_test() is None
    assert len(numbers(rig.bursts(20))) > 100
    last = dict(rig.chip.written)
    assert last.get(0x14, 0) == 0  # IIS3DWB CTRL5_C
    assert last.get(0x2E, 0) == 0  # ADXL355 SELF_TEST


def test_a_mass_that_does_not_move_fails_the_self_test_with_a_sentence(rig: Rig) -> None:
    rig.chip.moves_by_g = 0.01 if isinstance(rig.chip, FakeIis3dwb) else (0.01, 0.01, 0.01)
    rig.driver.open()
    failed = rig.driver.self_test()
    assert failed is not None
    assert "axis x must move by" in failed
    assert "it moved by 0.01 g" in failed


def test_a_machine_that_shakes_it_does_not_fail_the_self_test(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.chip.shaken_g = 6.0
    rig.driver.open()
    assert rig.driver.self_test() is None
    rig.chip.moves_by_g = 0.5  # and one that is broken does
    assert "it moved by 0.5" in str(rig.driver.self_test())


@pytest.mark.parametrize(
    ("fault", "words"),
    [("low", "stands at 0"), ("high", "stands at 1"), ("garbage", "another device is wired there")],
)
def test_wrong_wires_are_told_apart_at_the_start(rig: Rig, fault: Fault, words: str) -> None:
    rig.bus.fault = fault
    with pytest.raises(OSError, match=words) as told:
        rig.driver.open()
    assert f"no {rig.driver.chip.name} on SPI 0.0" in str(told.value)


def test_another_device_is_told_by_its_number(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.chip.reset_values[0x0F] = rig.chip.values[0x0F] = 0x6C
    with pytest.raises(OSError, match="WHO_AM_I must be 0x7b, it is 0x6c; another device"):
        rig.driver.open()


def test_a_device_that_hears_nothing_is_found_by_reading_back(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.chip.put = lambda register, value: None  # MOSI is not connected
    with pytest.raises(OSError, match=r"does not keep what is written.*check MOSI"):
        rig.driver.open()


@pytest.mark.parametrize(("fault", "words"), [("low", "stands at 0"), ("high", "stands at 1")])
def test_a_plug_that_is_pulled_ends_it_with_a_sentence(rig: Rig, fault: Fault, words: str) -> None:
    rig.driver.open()
    stop = Turns(rig.clock, 1000)

    def pull(turn: int) -> None:
        if turn == 20:
            rig.bus.fault = fault

    stop.before = pull
    with pytest.raises(OSError, match=words):
        for _ in rig.driver.bursts(stop):
            pass
    assert rig.clock.now_s < 1003


def test_a_bus_that_is_gone_ends_it(rig: Rig) -> None:
    rig.driver.open()
    rig.bus.fault = "gone"
    with pytest.raises(OSError, match="No such device"):
        rig.bursts(5)


def test_a_device_that_lost_its_power_for_a_moment_is_found_out(rig: Rig) -> None:
    rig.driver.open()
    stop = Turns(rig.clock, 1000)
    stop.before = lambda turn: rig.chip.power_lost() if turn == 20 else None
    with pytest.raises(OSError, match="lost its power for a moment"):
        for _ in rig.driver.bursts(stop):
            pass


def test_a_disturbance_costs_a_gap_and_not_the_sensor(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.driver.open()
    stop = Turns(rig.clock, 30)

    def disturb(turn: int) -> None:
        rig.bus.fault = "garbage" if turn in {10, 11} else None

    stop.before = disturb
    bursts = list(rig.driver.bursts(stop))
    assert [burst.overrun for burst in bursts].count(True) == 1
    found = numbers(bursts)
    assert sorted(set(found)) == found  # none comes twice, and none that was never measured
    assert len(found) > 3000


def test_a_bus_that_only_gives_garbage_ends_it(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.driver.open()
    stop = Turns(rig.clock, 100)
    stop.before = lambda turn: setattr(rig.bus, "fault", "garbage" if turn > 10 else None)
    with pytest.raises(OSError, match=r"no IIS3DWB on SPI 0\.0|gives garbage"):
        for _ in rig.driver.bursts(stop):
            pass


def test_a_slow_bus_loses_samples_and_says_so_each_time(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.driver.open()
    rig.bus.slow_s = 0.02
    bursts = rig.bursts(20)
    assert all(burst.overrun for burst in bursts[1:])
    for burst in bursts:
        found = numbers([burst])
        assert found == list(range(found[0], found[0] + len(found)))


def test_a_device_that_does_not_number_its_words_is_believed(clock: SimulatedTime) -> None:
    rig = make("IIS3DWB", clock)
    rig.chip.counts_tags = False
    rig.driver.open()
    bursts = rig.bursts(20)
    assert not any(burst.overrun for burst in bursts)
    assert len(numbers(bursts)) > 2000


def test_a_set_that_was_torn_is_put_right(clock: SimulatedTime) -> None:
    rig = make("ADXL355", clock)
    rig.driver.open()
    stop = Turns(rig.clock, 20)

    def tear(turn: int) -> None:
        if turn == 10:
            rig.chip.fifo.read += 1  # an entry alone was read, by a transfer that was cut short

    stop.before = tear
    bursts = list(rig.driver.bursts(stop))
    assert [burst.overrun for burst in bursts].count(True) == 1
    found = numbers(bursts)
    assert sorted(set(found)) == found


@pytest.mark.parametrize(("bad", "well"), [(2, True), (9, False)])
def test_a_reset_that_loses_the_trim_values_is_done_again(
    clock: SimulatedTime, *, bad: int, well: bool
) -> None:
    rig = make("ADXL355", clock)
    rig.chip.bad_resets = bad
    if well:
        rig.driver.open()
    else:
        with pytest.raises(OSError, match="loses its trim values"):
            rig.driver.open()


def test_the_hobby_sensor_says_what_it_is_not_for(clock: SimulatedTime) -> None:
    (doubt,) = make("ADXL345", clock).driver.doubts
    assert "velocity from 10 to 1000 Hz and for nothing else" in doubt


def i2c_driver(smbus: FakeSmbus, clock: SimulatedTime) -> adxl345.Adxl345:
    """An ADXL345 on I²C."""
    bus = I2cBus(1, 0x53, make=lambda _bus: smbus)
    return adxl345.Adxl345(bus, 800, monotonic_s=clock, pause=clock.sleep)


def test_the_same_on_i2c(clock: SimulatedTime) -> None:
    driver = i2c_driver(FakeSmbus({0x53: FakeAdxl345(clock, 800.0)}), clock)
    driver.open()
    assert driver.self_test() is None
    found = numbers(list(driver.bursts(Turns(clock, 30))))
    assert found == list(range(len(found)))
    assert len(found) > 300


def test_an_address_that_nobody_acknowledges(clock: SimulatedTime) -> None:
    driver = i2c_driver(FakeSmbus({}), clock)
    with pytest.raises(OSError, match=r"I²C 1, address 0x53 does not answer.*nobody acknowledges"):
        driver.open()


def test_a_line_that_is_held_down(clock: SimulatedTime) -> None:
    smbus = FakeSmbus({0x53: FakeAdxl345(clock, 800.0)})
    driver = i2c_driver(smbus, clock)
    driver.open()
    smbus.held_down = True
    with pytest.raises(OSError, match="a line is held down"):
        list(driver.bursts(Turns(clock, 5)))
    driver.close()
    assert smbus.closed
