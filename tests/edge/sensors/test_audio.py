"""Audio interfaces: PortAudio over a real ALSA device (a file), and a module that can be unplugged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.sensors import audio_host
from edge_agent.sensors.audio import AudioDriver, AudioOptions, read_options
from edge_agent.sensors.audio_host import PortAudio, sounddevice, system_cards
from edge_agent.sensors.bursts import Burst
from tests.support.fake_sounddevice import FakeSounddevice, Interface

OPTIONS = AudioOptions("485B39", (1,), 48000.0, (98.1,), "m/s²")
TWO = AudioOptions("Scarlett", (2, 1), 48000.0, (50.0, 25.0), "g")


class Hands:
    """A monotonic clock that moves when somebody waits."""

    now_s = 1000.0

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.now_s += seconds
        return stop.is_set()


class Bench:
    """One PortAudio with what is plugged in."""

    def __init__(self, *plugged: Interface) -> None:
        self.module = FakeSounddevice(*plugged)
        self.host = PortAudio(lambda: self.module, self.module.cards)
        self.hands = Hands()

    def driver(self, options: AudioOptions = OPTIONS) -> AudioDriver:
        return AudioDriver(
            options, host=lambda: self.host, monotonic_s=lambda: self.hands.now_s, wait=self.hands.wait
        )

    def opened(self, options: AudioOptions = OPTIONS) -> Iterator[Burst]:
        driver = self.driver(options)
        driver.open()
        return driver.bursts(threading.Event())


def usb() -> Interface:
    return Interface("485B39: USB Audio (hw:1,0)")


def test_its_facts_are_there_before_it_is_opened() -> None:
    driver = AudioDriver(TWO)
    assert (driver.n_channels, driver.dtype, driver.unit) == (2, "int32", "g")
    assert driver.scale[0] * 2**23 == 50.0
    assert driver.full_scale == (50.0, 25.0)
    assert "gain" in driver.doubts[0]


def test_24_bits_become_counts_in_the_order_of_the_table() -> None:
    bench = Bench(Interface("Scarlett 4i4: USB Audio (hw:2,0)", inputs=4))
    first, second = islice(bench.opened(TWO), 2)
    numbers = 256 * np.arange(9600)
    samples = np.hstack([first.samples, second.samples])
    assert np.array_equal(samples, [-numbers, numbers])
    assert samples.dtype == np.int32
    assert not second.overrun


def test_a_burst_ended_as_long_ago_as_frames_still_wait() -> None:
    interface = usb()
    interface.waiting = 96000
    bench = Bench(interface)
    burst = next(bench.opened())
    assert burst.samples.shape == (1, 48000)
    assert burst.end_s == pytest.approx(bench.hands.now_s - 1.0)


def test_an_overflow_cuts() -> None:
    interface = usb()
    bursts = Bench(interface).opened()
    assert not next(bursts).overrun
    interface.overflow = True
    assert next(bursts).overrun
    assert not next(bursts).overrun


def test_unplugged_it_is_told_and_plugged_in_it_is_found_again() -> None:
    interface = usb()
    bench = Bench(interface)
    driver = bench.driver()
    driver.open()
    bursts = driver.bursts(threading.Event())
    next(bursts)
    interface.gone = True
    bench.module.plugged.clear()
    with pytest.raises(OSError, match=r"audio '485B39' is gone .*No such device.*: is it plugged in\?"):
        next(bursts)
    driver.close()
    with pytest.raises(OSError, match=r"no interface that records is called '485B39' \(there are: none\)"):
        driver.open()
    bench.module.plugged.append(usb())
    driver.open()
    assert next(driver.bursts(threading.Event())).samples.shape[1] == 4800


def test_one_that_falls_silent_is_told() -> None:
    interface = usb()
    bursts = Bench(interface).opened()
    next(bursts)
    interface.waiting = 0
    with pytest.raises(OSError, match="gave no sample for 3 s: is it still plugged in"):
        next(bursts)


def test_another_that_is_plugged_in_costs_the_first_one_cut() -> None:
    bench = Bench(usb())
    bursts = bench.opened()
    next(bursts)
    bench.module.plugged.append(Interface("Scarlett 4i4", inputs=4))
    second = bench.opened(TWO)
    after, later = islice(bursts, 2)
    assert (after.overrun, later.overrun) == (True, False)
    assert not next(second).overrun
    assert bench.module.looks == 2


def test_one_that_is_away_costs_the_others_nothing() -> None:
    bench = Bench(usb())
    bursts = bench.opened()
    next(bursts)
    for _ in range(3):
        with pytest.raises(OSError, match=r"no interface that records is called 'Scarlett'"):
            bench.driver(TWO).open()
    assert not any(burst.overrun for burst in islice(bursts, 5))
    assert bench.module.looks == 1


@pytest.mark.parametrize(
    ("plugged", "options", "sentence"),
    [
        ((usb(), usb()), OPTIONS, "2 interfaces are called '485B39'"),
        (
            (Interface("485B39", inputs=1),),
            AudioOptions("485B39", (2,), 48000.0, (1.0,), "g"),
            "has 1 inputs",
        ),
        ((usb(),), AudioOptions("485B39", (1,), 96000.0, (1.0,), "g"), "at 96000 Hz: .*Invalid sample rate"),
        ((usb(),), AudioOptions("playback", (1,), 48000.0, (1.0,), "g"), "no interface that records"),
    ],
)
def test_what_can_not_be_opened_is_a_sentence(
    plugged: tuple[Interface, ...], options: AudioOptions, sentence: str
) -> None:
    with pytest.raises(OSError, match=sentence):
        Bench(*plugged).driver(options).open()


def test_a_look_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def fails() -> None:
        raise bench.module.PortAudioError("Error initializing PortAudio")

    monkeypatch.setattr(bench.module, "_initialize", fails)
    with pytest.raises(OSError, match="PortAudio can't tell what there is: Error initializing"):
        bench.driver().open()


def test_one_that_another_program_has_is_a_sentence() -> None:
    bench = Bench(usb())
    bench.driver().open()
    with pytest.raises(OSError, match=r"Device unavailable.*; another program may use it"):
        bench.driver().open()


def test_the_cards_are_those_of_the_kernel(tmp_path: Path) -> None:
    for name, text in (("card1", "Scarlett\n"), ("card0", "U18dB\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "id").write_text(text)
    (tmp_path / "card7").mkdir()  # one that goes away just now
    (tmp_path / "controlC0").mkdir()
    assert system_cards(tmp_path) == "card0 U18dB\ncard1 Scarlett"
    assert system_cards(tmp_path / "nowhere") == ""


def test_the_whole_name_wins_over_a_part() -> None:
    bench = Bench(Interface("USB"), Interface("USB Audio"))
    assert next(bench.opened(AudioOptions("USB", (1,), 48000.0, (1.0,), "g"))).samples.shape[1] == 4800


def test_the_library_that_is_missing_is_a_sentence_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(OSError, match=r"sounddevice is not installed: pip install 'palier\[audio\]'"):
        sounddevice()

    def without(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(audio_host, "import_module", without)
    with pytest.raises(OSError, match=r"PortAudio is not installed .*apt install libportaudio2"):
        sounddevice()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "device must be given"),
        ({"device": "x"}, "full_scale must have one number for each input"),
        ({"device": "x", "full_scale": [1.0]}, "unit must be that of full_scale"),
        ({"device": "x", "full_scale": [1.0], "unit": "V"}, "unit must be that of full_scale"),
        ({"device": "x", "inputs": [0]}, "inputs must be a list of different numbers from 1"),
        ({"device": "x", "inputs": [1, 1]}, "inputs must be a list of different"),
        ({"device": "x", "inputs": [[1]]}, "inputs must be a list of different"),
        ({"device": "x", "full_scale": [1.0], "unit": "g", "fs_hz": 0}, "fs_hz must be a number above 0"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_options(table)


ALSA = """
pcm.palier_file {{
  type file
  slave.pcm {{ type null }}
  file "/dev/null"
  infile "{infile}"
  format "raw"
  hint {{ show on  description "a file" }}
}}
pcm.!default {{ type null }}
ctl.!default {{ type hw  card 0 }}
"""

CHILD = """
import json, threading
from itertools import islice
import numpy as np
from edge_agent.sensors.audio import AudioDriver, AudioOptions
driver = AudioDriver(AudioOptions("palier_file", (2, 1), 48000.0, (1.0, 1.0), "g"))
driver.open()
found = list(islice(driver.bursts(threading.Event()), 3))
driver.close()
samples = np.hstack([burst.samples for burst in found])
print(json.dumps({"overruns": [burst.overrun for burst in found], "n": samples.shape[1],
                  "ramp": bool((np.diff(samples[0]) == 1).all()), "first": samples[:, :2].tolist()}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ALSA is Linux's")
@pytest.mark.skipif(
    find_spec("sounddevice") is None, reason="sounddevice is missing: pip install 'palier[audio]'"
)
def test_portaudio_reads_24_bits_of_a_real_alsa_device(tmp_path: Path) -> None:
    """No card is in this: ALSA's `file` plugin plays the samples, PortAudio takes them as from any device."""
    infile = tmp_path / "recording.raw"
    ramp = np.arange(-100_000, 100_000, dtype="<i4")
    frames = np.stack([-2 * ramp, ramp], axis=1).view(np.uint8).reshape(len(ramp), 2, 4)
    infile.write_bytes(frames[:, :, :3].tobytes())
    config = tmp_path / "asound.conf"
    config.write_text(ALSA.format(infile=infile), "utf-8")
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "ALSA_CONFIG_PATH": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "PortAudio is not installed" in child.stderr:
        pytest.skip("PortAudio is missing: apt install libportaudio2")
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)
    assert told["first"] == [[-100_000, -99_999], [200_000, 199_998]]
    assert told["ramp"]
    assert told["overruns"] == [False, False, False]
    assert told["n"] >= 14_400
