"""Sensors in the running agent: who hangs is given up, who comes back works again, wires are not shared."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from edge_agent import sampling
from edge_agent.__main__ import main
from edge_agent.addresses import shared
from edge_agent.opening import open_source
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.recorder import Recorder
from edge_agent.sampling import LIVELY_SILENT_S, SourceThread
from edge_agent.sensors import iis3dwb
from edge_agent.sensors.bus import SpiRegisters
from edge_agent.sensors.continuous import ContinuousSource, source_of
from edge_agent.service import SourceError, build
from edge_agent.settings import AgentSettings, SourceSettings
from edge_agent.source_set import ChangeError, SourceSet
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import Device, LivelySource
from tests.support.fake_accelerometers import FakeIis3dwb
from tests.support.fake_bus import FakeSpi
from tests.support.waiting import eventually

TABLE: Mapping[str, object] = {"machine": "P-101", "point": "2", "speed_rpm": 1480}


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    yield opened
    opened.close()


class Beating:
    """A source that yields nothing; its beat is what the test says."""

    def __init__(self) -> None:
        self.beat_s: float | None = None

    def devices(self) -> tuple[Device, ...]:
        return ()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        stop.wait()
        yield from ()


def test_a_sensor_that_is_heard_may_give_a_block_an_hour_and_one_that_is_not_hangs(outbox: Outbox) -> None:
    now = [1000.0]
    made: list[Beating] = []

    def make() -> Beating:
        made.append(Beating())
        return made[-1]

    assert isinstance(Beating(), LivelySource)
    source = SourceThread("bus", make(), make, Recorder(outbox, lambda _: None), monotonic_s=lambda: now[0])
    source.start()
    eventually(lambda: source._turn.source is made[0] and source._turn.since_s, 30, "the first turn")
    for _ in range(60):
        now[0] += 60.0
        made[0].beat_s = now[0]
        source.look()
    assert source.timeouts == 0
    now[0] += LIVELY_SILENT_S + 1
    source.look()
    assert source.timeouts == 1
    assert "nothing for 31 s" in source.problem
    eventually(lambda: len(made) == 2 and source._turn.source is made[1], 30, "the second turn")
    now[0] += 1
    made[1].beat_s = now[0]
    source.look()
    assert source.problem == ""
    source.stop()
    source.join()


class Unhurried:
    """A clock that waits for who looks late: a FIFO of 19 ms never overflows on a machine that is busy."""

    MOST_S = 0.004

    def __init__(self) -> None:
        self._now_s = self._looked_s = time.monotonic()

    def __call__(self) -> float:
        before_s, self._looked_s = self._looked_s, time.monotonic()
        self._now_s += min(self._looked_s - before_s, self.MOST_S)
        return self._now_s


@pytest.mark.long
def test_a_sensor_that_is_unplugged_and_plugged_in_again_works_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "RETRY_S", (0.05, 0.1))
    clock = Unhurried()
    chip = FakeIis3dwb(clock)
    bus = FakeSpi(chip)

    def make() -> ContinuousSource:
        registers = SpiRegisters(bus, iis3dwb.CHIP)
        driver = iis3dwb.Iis3dwb(registers, monotonic_s=clock, pause=lambda _s: None)
        plan = {"h_every_s": 0.5, "h_s": 0.25, "danger": False, "l_every_s": 60, "l_s": 16}
        table = {**TABLE, "speed_rpm": 6000, "plan": plan}
        return source_of(driver, table, PlantClock(), ())

    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    source = SourceThread("iis3dwb", make(), make, recorder)
    source.start()
    eventually(lambda: source.frames >= 2, 60, "two blocks")
    bus.fault = "high"
    eventually(lambda: "stands at 1" in source.problem, 60, "the sentence of the unplugged sensor")
    chip.power_lost()
    bus.fault = None
    frames = source.frames
    eventually(lambda: source.frames >= frames + 2, 60, "blocks again")
    assert source.problem == ""
    source.stop()
    source.join()
    recorder.stop()
    assert not bus.is_open


def test_two_sources_on_one_chip_select_are_refused(tmp_path: Path) -> None:
    tables = [{**TABLE, "spi": "0.0"}, {**TABLE, "machine": "P-102", "spi": "0.0"}]
    settings = AgentSettings(
        site="usine",
        node="p1",
        data=tmp_path,
        sources=tuple(
            SourceSettings("iis3dwb", table, name) for table, name in zip(tables, ("a", "b"), strict=True)
        ),
    )
    with pytest.raises(
        SourceError, match=r"source b: spi 0\.0 is taken by source a: two sources on one device"
    ):
        build(settings)


def test_a_configuration_that_comes_later_may_not_share_wires_either(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)
    sources = SourceSet(
        PlantClock(), lambda one, first, again: SourceThread(one.name, first, again, recorder), []
    )
    tables = [{**TABLE, "spi": "0.0"}, {**TABLE, "machine": "P-102", "spi": "0.0"}]
    wanted = [SourceSettings("iis3dwb", one, name) for one, name in zip(tables, ("a", "b"), strict=True)]
    with pytest.raises(ChangeError, match=r"source b: spi 0\.0 is taken by source a"):
        sources.change(wanted)
    assert not sources.threads


def test_wires_of_their_own_are_well() -> None:
    assert shared([("a", ("spi 0.0",)), ("b", ("spi 0.1",)), ("c", ()), ("d", ())]) == ()
    assert "source b: spi 0.0 is taken by source a" in str(shared([("a", ("spi 0.0",)), ("b", ("spi 0.0",))]))


def test_a_check_tries_the_wires(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        'site = "usine"\nnode = "p1"\ndata = "d"\n[broker]\nport = 9\n'
        '[[source]]\ntype = "iis3dwb"\nmachine = "P-101"\npoint = "2"\nspi = "9.9"\n'
        '[[source]]\ntype = "max31865"\n[[source.value]]\nmachine = "P-101"\npoint = "2"\nchannel = "T"\n'
        'unit = "°C"\nspi = "9.9"\n'
    )
    assert main(["--config", str(config), "--check"]) == 1
    told = capsys.readouterr().out
    assert len([line for line in told.splitlines() if "FAILED" in line and "spidev" in line]) == 2
    assert "source max31865: spi 9.9 is taken by source iis3dwb" in told


def test_every_type_is_found_by_its_name() -> None:
    opened = partial(SourceSettings, options={**TABLE, "spi": "0.0"})
    for kind in ("iis3dwb", "adxl355", "adxl345"):
        source = open_source(opened(kind), PlantClock())
        assert isinstance(source, ContinuousSource)
        assert source.driver.name.startswith(kind.upper())
