"""`palier calibrate`, from recordings and from a sensor of agent.toml whose driver is a made-up one."""

from __future__ import annotations

import io
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_agent import taking
from edge_agent.outbox_file import Guard
from edge_agent.sensors.bursts import Burst
from edge_agent.sensors.continuous import ContinuousSource, source_of
from edge_agent.settings import AgentSettings, SourceSettings
from models.calibration.static import STANDARD_G_M_S2
from palier.cli import main
from palier.clock import PlantClock

FS_HZ = 6400.0
TRUE_GAIN = np.array([0.97, 1.02, 1.0])


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command as the command line calls it."""

    def run(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        told = capsys.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return run


def rest(axis: int, sign: int) -> np.ndarray:
    direction = np.zeros(3)
    direction[axis] = sign * STANDARD_G_M_S2
    noise = 0.05 * np.random.default_rng(3 * axis + sign + 1).standard_normal((3, 6400))
    return ((direction * TRUE_GAIN)[:, None] + noise).astype(np.float32)


def tone(seconds: float = 1.0, rms: float = 9.5) -> np.ndarray:
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    return (np.sqrt(2) * rms * np.sin(2 * np.pi * 159.155 * t)).astype(np.float32)


def knocks() -> np.ndarray:
    x = 0.02 * np.random.default_rng(0).standard_normal(round(4 * FS_HZ))
    for i in range(6):
        start = round((0.3 + 0.6 * i) * FS_HZ)
        t = np.arange(x.size - start) / FS_HZ
        x[start:] += 40 * np.exp(-0.03 * 2 * np.pi * 1900 * t) * np.sin(2 * np.pi * 1900 * t)
    return x.astype(np.float32)


def recording(folder: Path, name: str, samples: np.ndarray) -> str:
    np.save(folder / f"{name}.npy", samples)
    return str(folder / f"{name}.npy")


MS2 = ("--fs", f"{FS_HZ:g}", "--unit", "m/s²")


def test_six_rests_give_the_line_for_agent_toml(tmp_path: Path, run: Callable[..., Done]) -> None:
    files = [recording(tmp_path, f"{a}{s}", rest(a, s)) for s in (1, -1) for a in range(3)]
    done = run("calibrate", "static", *files, *MS2)
    assert done.code == 0, done.err
    line = next(one.strip() for one in done.out.splitlines() if one.strip().startswith("gain = "))
    assert tomllib.loads(line)["gain"] == pytest.approx(1 / TRUE_GAIN, abs=1e-3)
    assert "À écrire sous la [[source]] d'agent.toml" in done.out


def test_a_tone_is_told_in_words_and_as_json(tmp_path: Path, run: Callable[..., Done]) -> None:
    file = recording(tmp_path, "tone", tone())
    said = run("calibrate", "tone", file, *MS2).out.replace("\xa0", " ")
    assert "lu 9,500 m/s² eff. à 159,2 Hz pour 10,000 m/s² eff. (correction 5,26 %)" in said
    told = json.loads(run("calibrate", "tone", file, *MS2, "--json").out)
    assert told["gain"] == [pytest.approx(10 / 9.5, abs=1e-4)]
    assert (told["kind"], told["reference_rms_m_s2"]) == ("tone", 10.0)


def test_knocks_give_the_line_for_plant_toml(tmp_path: Path, run: Callable[..., Done]) -> None:
    plant = tmp_path / "plant.toml"
    plant.write_text(PLANT, encoding="utf-8")
    file = recording(tmp_path, "knocks", knocks())
    done = run("calibrate", "bump", file, *MS2, "--plant", str(plant), "--point", "pompe/p1")
    assert done.code == 0, done.err
    assert "Le palier résonne à 1" in done.out
    line = next(one.strip() for one in done.out.splitlines() if "demodulation_hz" in one)
    low, high = tomllib.loads(line)["demodulation_hz"]
    assert low < 1900 < high
    plant.write_text(PLANT.replace('mounting = "stud"', f'mounting = "stud"\n{line}'), encoding="utf-8")
    assert run("plant", "check", str(plant)).code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("static",), "give recordings, or --config agent.toml"),
        (("tone", "{tone}"), "the unit is 'unknown'; a calibration needs m/s² or g"),
        (("tone", "{short}", *MS2), "too short for a tone"),
        (("tone", "{three}", *MS2), "--channel must be one of"),
        (("bump", "{tone}", *MS2), "knocks were found, 3 are needed"),
        (("bump", "{tone}", *MS2, "--point", "a/b"), "--plant and --point belong together"),
        (("static", "{three}", *MS2), "these rests are missing"),
    ],
)
def test_what_can_not_be_calibrated_is_a_sentence(
    tmp_path: Path, run: Callable[..., Done], arguments: tuple[str, ...], sentence: str
) -> None:
    files = {
        "tone": recording(tmp_path, "tone", tone()),
        "short": recording(tmp_path, "short", tone(0.1)),
        "three": recording(tmp_path, "three", rest(0, 1)),
    }
    if "unknown" in sentence:
        arguments = (*arguments, "--fs", "6400")
    done = run("calibrate", *(one.format(**files) for one in arguments))
    assert done.code in (1, 2)
    assert sentence in " ".join(done.err.split())


class Shown:
    """A driver that shows one thing after the other, in bursts; before burst `gap_at` samples are lost."""

    name, address, dtype, unit = "made-up sensor", None, "float32", "g"
    fs_nominal_hz, n_channels, scale, full_scale = FS_HZ, 3, (0.001, 0.001, 0.001), 16.0
    doubts: tuple[str, ...] = ()

    def __init__(self, *things: np.ndarray, gap_at: int | None = None, ends_at: int | None = None) -> None:
        self.things, self.gap_at, self.ends_at = list(things), gap_at, ends_at
        self.opened = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.opened -= 1

    def self_test(self) -> str | None:
        return None

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        counts = (self.things.pop(0) / 9.80665 / 0.001).astype(np.float32)
        for i in range(10_000):
            if stop.is_set() or i == self.ends_at:
                return
            part = counts[:, (64 * i) % 6400 : (64 * i) % 6400 + 64]
            yield Burst(part, 100.0 + 64 * (i + 1) / FS_HZ, overrun=i == self.gap_at)


def source(driver: Shown, **table: object) -> ContinuousSource:
    return source_of(driver, {"machine": "pompe", "point": "p1", **table}, PlantClock(), ())  # type: ignore[arg-type]


def test_a_sensor_of_the_gateway_is_sampled_through_its_gain() -> None:
    driver = Shown(rest(2, 1), gap_at=5)
    taken = taking.of_sensor(source(driver, gain=[1.0, 1.0, 1.1]), 0.5)
    assert taken.samples_m_s2.mean(axis=1) == pytest.approx([0, 0, 1.1 * STANDARD_G_M_S2], abs=0.02)
    assert taken.samples_m_s2.shape[1] == pytest.approx(3200, abs=64)
    assert (taken.gain, taken.fs_hz) == ((1.0, 1.0, 1.1), pytest.approx(FS_HZ, rel=0.02))
    assert driver.opened == 0


def test_a_sensor_that_ends_is_told_and_let_go() -> None:
    driver = Shown(rest(2, 1), ends_at=3)
    with pytest.raises(OSError, match="gave no 1 s of samples without a gap"):
        taking.of_sensor(source(driver), 1.0)
    assert driver.opened == 0


def test_a_gateways_rests_are_asked_for_one_by_one_and_recorded(
    tmp_path: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = [rest(a, s) for s in (1, -1) for a in range(3)]
    sensor = source(Shown(faces[0], faces[0], *faces[1:]))  # one of them twice
    monkeypatch.setattr(taking, "find_sensor", lambda *_: (SourceSettings("made-up"), sensor))
    monkeypatch.setattr("edge_agent.settings.load_settings", lambda _file: None)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n" * 7))
    done = run("calibrate", "static", "--config", str(tmp_path / "agent.toml"), "--seconds", "0.5")
    assert done.code == 0, done.err
    assert done.out.count(": pris") == 6
    assert "déjà prise" in done.out
    kept = json.loads((tmp_path / "calibrations.jsonl").read_text())
    assert kept["gain"] == pytest.approx(1 / TRUE_GAIN, abs=1e-3)
    assert kept["by"]


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Whose sensor shows these things; the name of its agent.toml."""

    def gateway(*things: np.ndarray) -> str:
        sensor = source(Shown(*things))
        monkeypatch.setattr(taking, "find_sensor", lambda *_: (SourceSettings("made-up"), sensor))
        monkeypatch.setattr("edge_agent.settings.load_settings", lambda _file: None)
        monkeypatch.setattr("sys.stdin", io.StringIO("\n" * 9))
        return str(tmp_path / "agent.toml")

    return gateway


FACES = [(a, s) for s in (1, -1) for a in range(3)]


def test_a_rest_during_which_the_sensor_is_silent_is_asked_for_again(
    gateway: Callable[..., str], run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = gateway(*(rest(*face) for face in FACES))
    real, calls = taking.of_sensor, iter(range(99))

    def of_sensor(sensor: ContinuousSource, seconds: float) -> taking.Taken:
        if next(calls) == 4:
            raise OSError("made-up sensor gave no 0.5 s of samples without a gap")
        return real(sensor, seconds)

    monkeypatch.setattr("edge_agent.rests.of_sensor", of_sensor)
    done = run("calibrate", "static", "--config", config, "--seconds", "0.5")
    assert done.code == 0, done.err
    assert done.out.count(": pris") == 6
    assert "without a gap" in done.err


def test_what_was_found_is_told_even_where_it_can_not_be_kept(
    tmp_path: Path, gateway: Callable[..., str], run: Callable[..., Done]
) -> None:
    (tmp_path / "calibrations.jsonl").mkdir()
    done = run(
        "calibrate", "static", "--config", gateway(*(rest(*f) for f in FACES)), "--seconds", "0.5", "--json"
    )
    assert json.loads(done.out)["gain"] == pytest.approx(1 / TRUE_GAIN, abs=1e-3)  # and nothing else in it
    assert done.code == 1
    assert "calibrations.jsonl" in done.err
    assert "not kept" in done.err


def test_a_band_lies_inside_what_rate_and_sensor_leave(tmp_path: Path, run: Callable[..., Done]) -> None:
    plant = tmp_path / "plant.toml"
    plant.write_text(PLANT.replace("fs_hz = 6400\n", "fs_hz = 6400\nusable_hz = 1955.0\n"), encoding="utf-8")
    file = recording(tmp_path, "knocks", knocks())
    done = run("calibrate", "bump", file, *MS2, "--plant", str(plant), "--point", "pompe/p1", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["band_hz"][1] == 1950.0


def test_a_sensor_that_the_running_agent_reads_is_left_to_it(tmp_path: Path) -> None:
    settings = AgentSettings(site="usine", node="g1", data=tmp_path, sources=(SourceSettings("iis3dwb", {}),))
    running = Guard(tmp_path)
    with pytest.raises(ValueError, match="systemctl stop palier-agent"):
        taking.find_sensor(settings, None)
    running.release()
    with pytest.raises(ValueError, match="--source must name one sensor"):
        taking.find_sensor(settings, None)


def test_a_source_that_can_not_be_opened_says_why(tmp_path: Path) -> None:
    table = {"machine": "p", "point": "1", "spi": "0.0", "range_g": 3}
    settings = AgentSettings(
        site="usine", node="g1", data=tmp_path, sources=(SourceSettings("iis3dwb", table),)
    )
    with pytest.raises(ValueError, match="range_g must be one of 2, 4, 8, 16, got 3"):
        taking.find_sensor(settings, "iis3dwb")
    with pytest.raises(ValueError, match="range_g must be one of 2, 4, 8, 16, got 3"):
        taking.find_sensor(settings, None)


def test_a_source_that_is_no_sensor_can_not_be_meant(tmp_path: Path) -> None:
    settings = AgentSettings(
        site="usine", node="g1", data=tmp_path, sources=(SourceSettings("replay", {"file": "none.npz"}),)
    )
    with pytest.raises(ValueError, match=r"--source must name one sensor .* this gateway has replay"):
        taking.find_sensor(settings, None)


@pytest.mark.parametrize("gain", [[1.0, 1.0], "1", [1.0, 1.0, 9.81], [1.0, True, 1.0]])
def test_a_gain_that_is_none_is_refused(gain: object) -> None:
    with pytest.raises(ValueError, match=r"gain must be 3 numbers from 0\.5 to 2"):
        source(Shown(), gain=gain)


PLANT = """
[site]
id = "usine"
name = "Usine"
timezone = "Africa/Casablanca"

[[machine]]
id = "pompe"
name = "Pompe"
kind = "pump"
criticality = "A"
power_kw = 250.0
speed = { source = "fixed", rpm = 1500.0 }
limits = "none"

[[machine.point]]
id = "p1"
bearing = "22220"
mounting = "stud"

[[machine.point.channel]]
id = "h"
quantity = "acceleration"
unit = "m/s²"
fs_hz = 6400
samples = 6400
"""
