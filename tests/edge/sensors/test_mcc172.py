"""The MCC 172 through a module `daqhats` that behaves as version 1.4.1.0 is documented and written."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from edge_agent.sensors.bursts import Burst
from edge_agent.sensors.mcc172 import Mcc172Driver, Mcc172Options, read_options
from tests.support.fake_daqhats import FakeDaqhats, HatIDs, OptionFlags, module

OPTIONS = Mcc172Options(0, (0, 1), 25600.0, (100.0, 50.0))
UNPOWERED = Mcc172Options(0, (0, 1), 25600.0, (100.0, 50.0), iepe=False)


class Hands:
    """A monotonic clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.now_s += seconds
        return stop.is_set()


@pytest.fixture
def hands() -> Hands:
    return Hands()


def driver_of(fake: FakeDaqhats, hands: Hands, options: Mcc172Options = OPTIONS) -> Mcc172Driver:
    fake.monotonic_s = lambda: hands.now_s
    return Mcc172Driver(options, library=lambda: fake, monotonic_s=lambda: hands.now_s, wait=hands.wait)


def opened(fake: FakeDaqhats, hands: Hands, options: Mcc172Options = OPTIONS) -> Iterator[Burst]:
    driver = driver_of(fake, hands, options)
    driver.open()
    return driver.bursts(threading.Event())


def test_its_facts_are_there_before_it_is_opened() -> None:
    driver = Mcc172Driver(OPTIONS)
    assert (driver.n_channels, driver.dtype, driver.unit) == (2, "int32", "g")
    assert driver.scale[0] * 2**23 == pytest.approx(50.0)  # 5 V at 100 mV/g
    assert driver.scale[1] * 2**23 == pytest.approx(100.0)
    assert driver.full_scale == pytest.approx((50.0, 100.0))
    assert driver.address == "mcc172 0"


def test_what_the_board_can_not_tell_is_said() -> None:
    (doubt,) = Mcc172Driver(OPTIONS).doubts
    assert "can't measure the bias voltage" in doubt
    assert Mcc172Driver(UNPOWERED).doubts == ()


def test_open_switches_the_supplies_and_waits_for_the_clock(hands: Hands) -> None:
    fake = FakeDaqhats()
    driver = driver_of(fake, hands)
    driver.open()
    (board,) = fake.opened
    assert board.iepe == [1, 1]
    assert board.rate_hz == 25600.0
    assert hands.now_s == pytest.approx(1000.02)
    driver.close()
    driver.close()
    assert board.iepe == [0, 0]


def test_no_sample_is_lost_and_the_settling_is_left_out(hands: Hands) -> None:
    bursts = list(islice(opened(FakeDaqhats(), hands), 50))
    assert not any(burst.overrun for burst in bursts)
    first = bursts[0].samples[0, 0]
    assert first == pytest.approx(5.0 * 25600 % 65536, abs=2560)
    numbers = np.hstack([burst.samples for burst in bursts])
    assert np.array_equal(numbers[0], (first + np.arange(numbers.shape[1])) % 65536)
    assert np.array_equal(numbers[1], (numbers[0] + 1) % 65536)
    assert numbers.dtype == np.int32


def test_counts_come_unscaled_and_calibrated(hands: Hands) -> None:
    fake = FakeDaqhats()
    next(opened(fake, hands))
    assert fake.opened[0]._options == OptionFlags.NOSCALEDATA | OptionFlags.CONTINUOUS
    assert fake.opened[0].sensitivity == [1000.0, 1000.0]  # its neutral default


def test_a_burst_ended_before_the_converters_delay(hands: Hands) -> None:
    burst = next(opened(FakeDaqhats(), hands, UNPOWERED))
    assert burst.end_s == pytest.approx(hands.now_s - 39 / 25600)


def test_the_order_of_the_inputs_is_the_tables(hands: Hands) -> None:
    options = Mcc172Options(0, (1, 0), 25600.0, (100.0, 50.0), iepe=False)
    burst = next(opened(FakeDaqhats(), hands, options))
    assert burst.samples[0, 0] == burst.samples[1, 0] + 1


def test_one_input_alone(hands: Hands) -> None:
    burst = next(opened(FakeDaqhats(), hands, Mcc172Options(0, (1,), 51200.0, (100.0,), iepe=False)))
    assert burst.samples.shape == (1, 5120)
    assert burst.samples[0, 0] == 1


def test_a_reader_that_is_late_loses_and_says_so(hands: Hands) -> None:
    bursts = opened(FakeDaqhats(), hands, UNPOWERED)
    next(bursts)
    hands.now_s += 10.0  # the library holds 4 s; what it holds then is old and new mixed
    after = next(bursts)
    assert after.overrun
    assert after.samples[0, 0] == 0  # of the new scan
    assert not next(bursts).overrun


def test_an_overrun_on_the_board_keeps_what_came_before_it(hands: Hands) -> None:
    fake = FakeDaqhats()
    bursts = opened(fake, hands, UNPOWERED)
    before = next(bursts)
    fake.hw_overrun = True
    last = next(bursts)
    assert not last.overrun
    assert last.samples[0, 0] == before.samples[0, -1] + 1
    assert next(bursts).overrun


def test_a_board_that_was_pulled_off_is_told(hands: Hands) -> None:
    fake = FakeDaqhats()
    bursts = opened(fake, hands, UNPOWERED)
    next(bursts)
    fake.alive = False
    with pytest.raises(OSError, match="MCC 172 at address 0 gave no sample for 3 s"):
        next(bursts)


@pytest.mark.parametrize(
    ("level", "sentence"),
    [(0.0, "input 0 .* gives the same number all the time"), (2.0**23 - 1, "stays at the end of its range")],
)
def test_a_dead_or_pegged_input_is_told_after_settling(hands: Hands, level: float, sentence: str) -> None:
    def signal(channel: int, numbers: np.ndarray) -> np.ndarray:
        return level * np.where(numbers % 1000, 1.0, 0.99)

    with pytest.raises(OSError, match=sentence):
        next(opened(FakeDaqhats(signal=signal), hands))


@pytest.mark.parametrize(
    ("fake", "sentence"),
    [
        (module(boards={}), r"there is no MCC 172 at address 0 \(there are: none\)"),
        (module(boards={0: HatIDs.MCC_118}), r"\(there are: MCC 118 at 0\): look at its jumpers"),
        (module(alive=False), "can't be set up: Addr 0: Incorrect response"),
        (module(stuck_iepe=True), "does not switch the IEPE supply of input 0 on"),
        (module(synced_after=10**6), "did not get into step within 2 s"),
    ],
)
def test_a_board_that_can_not_be_used_is_a_sentence(hands: Hands, fake: FakeDaqhats, sentence: str) -> None:
    driver = driver_of(fake, hands)
    with pytest.raises(OSError, match=sentence):
        driver.open()
    driver.close()


def test_another_rate_than_asked_is_told(hands: Hands) -> None:
    options = Mcc172Options(0, (0,), 30000.0, (100.0,))  # past the reader: as if another program set it
    with pytest.raises(OSError, match="was set to 30000 Hz and says 25600 Hz"):
        driver_of(FakeDaqhats(), hands, options).open()


def test_the_library_that_is_missing_is_a_sentence_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daqhats", None)
    with pytest.raises(OSError, match=r"daqhats is not installed: .*install\.sh"):
        Mcc172Driver(OPTIONS).open()


def test_its_shared_library_missing_is_a_sentence(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDaqhats()

    def without(address: int) -> None:
        raise Exception("daqhats shared library is not installed.")  # as it does

    monkeypatch.setattr(fake, "mcc172", without)
    with pytest.raises(OSError, match="can't be set up: daqhats shared library is not installed"):
        driver_of(fake, hands).open()


def test_it_ends_while_it_settles(hands: Hands) -> None:
    driver = driver_of(FakeDaqhats(), hands)
    driver.open()
    stop = threading.Event()
    stop.set()
    assert list(driver.bursts(stop)) == []


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "sensitivity_mv_per_g must have one number for each input"),
        ({"sensitivity_mv_per_g": [100]}, "got 1 for"),
        ({"sensitivity_mv_per_g": [100, 0]}, "sensitivity_mv_per_g must be a list of numbers above 0"),
        ({"sensitivity_mv_per_g": [100, 99]}, "fs_hz must be a number above 0"),
        ({"sensitivity_mv_per_g": [100, 99], "fs_hz": 48000}, r"51200 divided by .* e\.g\. 51200, got 48000"),
        ({"sensitivity_mv_per_g": [100, 99], "fs_hz": 100}, r"e\.g\. 200, got 100"),
        ({"inputs": [2]}, r"inputs must be \[0\], \[1\] or \[0, 1\]"),
        ({"inputs": [0], "sensitivity_mv_per_g": [9], "fs_hz": 200, "address": 8}, "address must be"),
        ({"sensitivity_mv_per_g": [1, 1], "iepe": "yes"}, "iepe must be true or false"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_options(table)


@pytest.mark.parametrize("divisor", [1, 2, 3, 20, 256])
def test_every_rate_of_the_board_is_taken(divisor: int) -> None:
    written = round(51200 / divisor, 2)  # as people write it
    table = {"sensitivity_mv_per_g": [100.0, 100.0], "fs_hz": written}
    assert read_options(table).fs_hz == 51200 / divisor
