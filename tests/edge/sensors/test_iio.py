"""Linux IIO: a tree in a temporary folder, a FIFO for the device, and a kernel that refuses."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sensors.bursts import Burst
from edge_agent.sensors.iio import IioDriver
from edge_agent.sensors.iio_options import IioOptions, read_options
from edge_agent.sensors.iio_tree import SysfsFiles
from tests.support.fake_iio import BUSY, DENIED, INVALID, SCALE, FakeIio, Kernel, scans

FS_HZ = 26667.0
OPTIONS = IioOptions("iis3dwb", FS_HZ)


def driver_of(fake: FakeIio, options: IioOptions = OPTIONS, files: SysfsFiles | None = None) -> IioDriver:
    return IioDriver(options, sysfs=fake.sysfs, dev=fake.dev, files=files)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeIio]:
    made = FakeIio(tmp_path)
    yield made
    made.unplug()


def take(driver: IioDriver, count: int) -> list[Burst]:
    stop = threading.Event()
    bursts = driver.bursts(stop)
    found = list(islice(bursts, count))
    stop.set()
    bursts.close()  # type: ignore[attr-defined]
    return found


def ramp(n: int, begin: int = 0) -> np.ndarray:
    return (np.arange(begin, begin + n)[:, None] * np.array([1, -2, 3])).astype(np.int16)


def test_its_facts_are_there_before_it_is_opened(fake: FakeIio) -> None:
    driver = driver_of(fake)
    assert (driver.n_channels, driver.dtype, driver.unit) == (3, "int16", "m/s²")
    assert driver.scale == (SCALE,) * 3
    assert driver.full_scale == pytest.approx((32768 * SCALE,) * 3)
    assert driver.axes == ("x", "y", "z")
    assert driver.address == "iio iio:device0"


def test_open_sets_it_up_and_close_gives_it_back(fake: FakeIio) -> None:
    driver = driver_of(fake)
    driver.open()
    assert fake.says("sampling_frequency") == "26667.000000"
    assert fake.says("current_timestamp_clock") == "monotonic"
    assert int(fake.says("buffer/length")) == 65536
    assert int(fake.says("buffer/watermark")) == 2667
    assert [fake.says(f"scan_elements/{one}_en") for one in fake.types] == ["1"] * 4
    assert fake.says("buffer/enable") == "1"
    driver.close()
    driver.close()
    assert fake.says("buffer/enable") == "0"


def test_samples_come_whole_whatever_the_reads_are(fake: FakeIio) -> None:
    driver = driver_of(fake)
    driver.open()
    now_ns = time.monotonic_ns()
    counts = ramp(3000)
    data = scans(counts, now_ns - (np.arange(3000)[::-1] * 1e9 / FS_HZ).astype(np.int64))
    cut = 1501 * 16 + 5  # in the middle of a scan
    fake.feed(data[:cut])
    stop = threading.Event()
    bursts = driver.bursts(stop)
    first = next(bursts)
    fake.feed(data[cut:])
    second = next(bursts)
    stop.set()
    assert np.array_equal(np.hstack([first.samples, second.samples]), counts.T)
    assert (first.overrun, second.overrun) == (False, False)
    assert second.end_s == pytest.approx(now_ns / 1e9)
    bursts.close()  # type: ignore[attr-defined]
    driver.close()


@settings(max_examples=30)
@given(st.lists(st.integers(1, 400), max_size=12))
def test_however_the_bytes_are_cut_the_samples_are_the_same(sizes: list[int]) -> None:
    counts, stop = ramp(300), threading.Event()
    left, chunks = scans(counts), [*sizes, 10_000]

    def read(descriptor: int, size: int) -> bytes:
        nonlocal left
        if not left:
            stop.set()
            raise BlockingIOError
        cut = chunks.pop(0)
        data, left = left[:cut], left[cut:]
        return data

    with TemporaryDirectory() as folder:
        fake = FakeIio(Path(folder), stamped=False)
        driver = IioDriver(
            OPTIONS, sysfs=fake.sysfs, dev=fake.dev, read=read, wait=lambda _stop, _seconds: True
        )
        driver.open()
        fake.feed(b"there is something")
        found = list(driver.bursts(stop))
        driver.close()
        fake.unplug()
    assert np.array_equal(np.hstack([burst.samples for burst in found]), counts.T)


def test_elements_come_in_the_order_of_the_table_and_others_stay_off(fake: FakeIio) -> None:
    driver = driver_of(fake, IioOptions("iio:device0", FS_HZ, ("in_accel_z", "in_accel_x")))
    driver.open()
    assert fake.says("scan_elements/in_accel_y_en") == "0"
    table = np.zeros(10, [("x", "<i2"), ("z", "<i2"), ("pad", "<i4"), ("t", "<i8")])
    table["x"], table["z"], table["t"] = 7, 9, time.monotonic_ns()
    fake.feed(table.tobytes())
    (burst,) = take(driver, 1)
    assert burst.samples[:, 0].tolist() == [9, 7]
    driver.close()


def test_a_voltage_becomes_g_by_the_sensitivity(tmp_path: Path) -> None:
    types = {"in_voltage0": "be:s24/32>>8"}
    fake = FakeIio(tmp_path, name="ad7768-1", types=types, attributes={"in_voltage0_scale": "0.000488"})
    driver = driver_of(fake, IioOptions("ad7768-1", FS_HZ, ("in_voltage0",), None, (100.0,)))
    assert (driver.unit, driver.dtype, driver.axes) == ("g", "int32", ("voltage0",))
    assert driver.scale == pytest.approx((0.00000488,))


def test_a_differential_voltage_has_the_scale_of_its_kind(tmp_path: Path) -> None:
    types = {"in_voltage0-voltage1": "be:s24/32>>8"}
    attributes = {"in_voltage-voltage_scale": "0.000488"}
    fake = FakeIio(tmp_path, name="ad4630-24", types=types, attributes=attributes)
    driver = driver_of(fake, IioOptions("ad4630-24", FS_HZ, ("in_voltage0-voltage1",), None, (100.0,)))
    assert driver.scale == pytest.approx((0.00000488,))


def test_an_offset_is_added_to_the_counts(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path, types={"in_accel_x": "le:u12/16>>0"}, attributes={"in_accel_offset": "-2048"})
    driver = driver_of(fake)
    assert driver.dtype == "int16"
    driver.open()
    table = np.zeros(5, [("x", "<u2"), ("pad", "V6"), ("t", "<i8")])
    table["x"], table["t"] = 2050, time.monotonic_ns()
    fake.feed(table.tobytes())
    assert take(driver, 1)[0].samples.tolist() == [[2] * 5]
    driver.close()
    fake.unplug()


def test_without_time_stamps_a_burst_is_dated_when_it_is_read(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path, stamped=False)
    driver = driver_of(fake)
    driver.open()
    before_s = time.monotonic()
    fake.feed(scans(ramp(100)))
    (burst,) = take(driver, 1)
    assert before_s <= burst.end_s <= time.monotonic()
    assert np.array_equal(burst.samples, ramp(100).T)
    driver.close()
    fake.unplug()


def test_a_leap_of_the_time_stamps_cuts(fake: FakeIio) -> None:
    driver = driver_of(fake)
    driver.open()
    stamps = time.monotonic_ns() - (np.arange(200)[::-1] * 1e9 / FS_HZ).astype(np.int64)
    stamps[:120] -= 20_000_000
    fake.feed(scans(ramp(200), stamps))
    before, after = take(driver, 2)
    assert (before.samples.shape[1], before.overrun) == (120, False)
    assert (after.samples.shape[1], after.overrun) == (80, True)
    driver.close()


def test_a_full_buffer_has_lost_what_came_after_it(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path, stamped=False)
    driver = driver_of(fake)
    driver.open()
    bursts = driver.bursts(threading.Event())
    overruns = []
    for there in ("65536", "100", "100"):
        fake.put("buffer/data_available", there)
        fake.feed(scans(ramp(100)))
        overruns.append(next(bursts).overrun)
    assert overruns == [False, True, False]
    bursts.close()  # type: ignore[attr-defined]
    driver.close()
    fake.unplug()


def test_an_unknown_device_is_a_sentence_with_those_there_are(fake: FakeIio) -> None:
    with pytest.raises(OSError, match=r"no IIO device is called 'adxl355' .*iio:device0 \(iis3dwb\)"):
        driver_of(fake, IioOptions("adxl355", FS_HZ))


def test_two_of_one_name_must_be_told_apart(fake: FakeIio, tmp_path: Path) -> None:
    FakeIio(tmp_path, number=1)
    with pytest.raises(OSError, match="2 IIO devices are called 'iis3dwb'; name one"):
        driver_of(fake)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (IioOptions("iis3dwb", 1000.0), r"fs_hz must be a rate .*1666\.000000 26667\.000000\), got 1000"),
        (IioOptions("iis3dwb", FS_HZ, ("in_accel_q",)), "elements must be of the buffer .*got in_accel_q"),
        (IioOptions("iis3dwb", FS_HZ, (), None, (100.0,)), "sensitivity_mv_per_g must have one number"),
    ],
)
def test_what_the_device_does_not_have_is_refused(fake: FakeIio, options: IioOptions, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        driver_of(fake, options)


def test_a_voltage_without_sensitivity_is_refused(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path, types={"in_voltage0": "le:s16/16"}, attributes={"in_voltage_scale": "0.1"})
    with pytest.raises(ValueError, match="sensitivity_mv_per_g must have one number for each voltage"):
        driver_of(fake, IioOptions("iis3dwb", FS_HZ, ("in_voltage0",)))


@pytest.mark.parametrize(
    ("refusals", "number", "sentence"),
    [
        ({"enable=1": INVALID}, INVALID, r"needs a trigger; write trigger = .*there are: palier-25k"),
        ({"length": BUSY}, BUSY, r"another program uses it \(iiod\?\)"),
        ({"sampling_frequency": DENIED}, DENIED, "permission denied: .*udev"),
        ({"enable": errno.ENODEV}, errno.ENODEV, "the device is gone"),
    ],
)
def test_what_the_kernel_refuses_is_a_sentence(
    fake: FakeIio, refusals: dict[str, int], number: int, sentence: str
) -> None:
    fake.trigger("palier-25k")
    driver = driver_of(fake, files=Kernel(refusals))
    with pytest.raises(OSError, match=sentence) as refused:
        driver.open()
    assert refused.value.errno == number


def test_a_device_that_another_program_has_is_left_as_it_is(
    fake: FakeIio, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put("buffer/enable", "1")
    real = os.open

    def taken(path: Path, flags: int) -> int:
        if path == fake.node:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(path, flags)

    driver = driver_of(fake)
    monkeypatch.setattr(os, "open", taken)
    with pytest.raises(OSError, match=r"iio:device0 can't be opened: another program uses it \(iiod\?\)"):
        driver.open()
    assert fake.says("buffer/enable") == "1"


def test_a_buffer_of_fixed_length_is_taken_as_it_is(fake: FakeIio) -> None:
    fake.put("buffer/length", "1024")
    driver = driver_of(fake, files=Kernel({"length": DENIED}))
    driver.open()
    assert fake.says("buffer/watermark") == "1024"
    driver.close()


def test_a_rate_that_is_not_taken_is_told(fake: FakeIio) -> None:
    class Stubborn(SysfsFiles):
        def put(self, file: Path, value: str) -> None:
            if file.name != "sampling_frequency":
                super().put(file, value)

    with pytest.raises(OSError, match="was set to 26667 Hz and says 1666 Hz"):
        driver_of(fake, files=Stubborn()).open()


def test_a_trigger_is_set_and_paces_it(tmp_path: Path) -> None:
    fake = FakeIio(tmp_path, attributes={"trigger/current_trigger": ""})
    (fake.device / "sampling_frequency").unlink()
    fake.trigger("palier-25k")
    driver = driver_of(fake, IioOptions("iis3dwb", FS_HZ, (), "palier-25k"))
    driver.open()
    assert fake.says("trigger/current_trigger") == "palier-25k"
    assert (fake.sysfs / "trigger0" / "sampling_frequency").read_text() == "26667"
    driver.close()
    with pytest.raises(OSError, match=r"no IIO trigger is called 'other' \(there are: palier-25k\)"):
        driver_of(fake, IioOptions("iis3dwb", FS_HZ, (), "other")).open()


def test_a_missing_node_and_a_device_without_buffer_are_sentences(fake: FakeIio) -> None:
    fake.node.unlink()
    with pytest.raises(OSError, match=r"iio:device0 can't be opened: the device is gone"):
        driver_of(fake).open()
    for file in (fake.device / "scan_elements").iterdir():
        file.unlink()
    (fake.device / "scan_elements").rmdir()
    with pytest.raises(OSError, match="has no buffer"):
        driver_of(fake)


def test_unplugged_while_it_reads(fake: FakeIio) -> None:
    gone = OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def read(descriptor: int, size: int) -> bytes:
        raise gone

    driver = IioDriver(OPTIONS, sysfs=fake.sysfs, dev=fake.dev, read=read)
    driver.open()
    fake.feed(scans(ramp(10), np.zeros(10, np.int64)))
    with pytest.raises(OSError, match="the device is gone: is it plugged in") as raised:
        take(driver, 1)
    assert raised.value.errno == errno.ENODEV
    driver.close()


def test_a_buffer_that_ends_is_told(fake: FakeIio) -> None:
    driver = driver_of(fake)
    driver.open()
    fake.feed(scans(ramp(10), np.full(10, time.monotonic_ns())))
    fake.unplug()
    with pytest.raises(OSError, match="gives no more"):
        take(driver, 2)
    driver.close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("enable", r"another program switched the buffer .* off"),
        ("none", r"gave no sample for 3 s with its buffer on: is its interrupt line wired"),
        ("folder", "is gone"),
    ],
)
def test_silence_has_a_reason(fake: FakeIio, change: str, sentence: str) -> None:
    later = iter(range(0, 1000, 10))
    driver = IioDriver(OPTIONS, sysfs=fake.sysfs, dev=fake.dev, monotonic_s=lambda: float(next(later)))
    driver.open()
    if change == "enable":
        fake.put("buffer/enable", "0")
    elif change == "folder":
        fake.device.rename(fake.sysfs / "elsewhere")
    with pytest.raises(OSError, match=sentence):
        take(driver, 1)
    driver.close()


def test_plugged_in_again_it_may_have_another_number(fake: FakeIio) -> None:
    driver = driver_of(fake)
    fake.device.rename(fake.sysfs / "iio:device3")
    fake.node.rename(fake.dev / "iio:device3")
    driver.open()
    assert driver.address == "iio iio:device3"
    driver.close()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"fs_hz": 1000}, "device must be given"),
        ({"device": "x"}, "fs_hz must be a number above 0"),
        ({"device": "x", "fs_hz": True}, "fs_hz must be a number above 0"),
        ({"device": "x", "fs_hz": 1, "elements": "in_accel_x"}, "elements must be a list"),
        ({"device": "x", "fs_hz": 1, "trigger": 3}, "trigger must be text"),
        ({"device": "x", "fs_hz": 1, "sensitivity_mv_per_g": [0]}, "sensitivity_mv_per_g must be a list"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_options(table)
