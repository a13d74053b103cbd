"""Sources changed while the agent runs: only those that changed are reopened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import edge_agent.source_set as module
from edge_agent import starting
from edge_agent.configured import KEPT, ConfigurationFile, InForce
from edge_agent.configuring import Start
from edge_agent.opening import SourceError
from edge_agent.outbox import Outbox
from edge_agent.remote_settings import Local
from edge_agent.sampling import SourceThread
from edge_agent.settings import AgentSettings, SourceSettings
from edge_agent.source_set import ChangeError, SourceSet, pair
from edge_agent.starting import build_configured
from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import Device, Source
from tests.support.configuring import write_local
from tests.support.edge_agent import waveform
from tests.support.waiting import eventually


class Ticking:
    """A frame each few milliseconds until it is stopped."""

    opened: list[str]

    def __init__(self, name: str) -> None:
        self.name = name
        self.played = 0

    def devices(self) -> tuple[Device, ...]:
        return (Device(self.name, ()),)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        self.played += 1
        while not stop.wait(0.005):
            yield waveform(machine=self.name)


class House:
    """Opens sources by name; `broken` are those that can't be, with what they raise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.taken: list[str] = []
        monkeypatch.setattr(module, "open_or_later", self.open)
        monkeypatch.setattr(module, "open_source", self.open)

    def open(self, settings: SourceSettings, _clock: PlantClock) -> Source | None:
        name = str(settings.options["name"])
        self.opened.append(name)
        if name in self.broken:
            error = self.broken[name]
            if isinstance(error, OSError):
                return None
            raise error
        return Ticking(name)

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        self.taken.append(frame.machine)
        return True

    def thread(
        self, settings: SourceSettings, first: Source | None, again: Callable[[], Source]
    ) -> SourceThread:
        return SourceThread(settings.name, first, again, self)


def table(name: str, kind: str = "i2c", label: str = "", **options: Any) -> SourceSettings:
    told: Mapping[str, object] = {"name": name, **options}
    return SourceSettings(kind, told, name=label or name)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return House(monkeypatch)


@pytest.fixture
def sources(house: House) -> Iterator[SourceSet]:
    tables = [table("a"), table("b"), table("m", "modbus")]
    found = SourceSet(PlantClock(), house.thread, [(one, Ticking(one.name), lambda: None) for one in tables])  # type: ignore[arg-type,return-value]
    for thread in found.threads:
        thread.start()
    eventually(lambda: all(thread.frames > 1 for thread in found.threads), 30, "frames of all")
    yield found
    for thread in found.threads:
        thread.stop()
    for thread in found.threads:
        thread.join()


def test_only_what_changed_is_reopened(house: House, sources: SourceSet) -> None:
    a, b, m = sources.threads
    sources.change((table("a"), table("b", scale=2), table("m", "modbus"), table("new", "opcua")))
    assert house.opened == ["b", "new"]
    assert sources.threads[0] is a
    assert sources.threads[2] is m
    assert b not in sources.threads
    house.taken.clear()
    eventually(lambda: {"a", "b", "m", "new"} <= set(house.taken), 30, "frames of all")
    assert sources.gave == {"a", "b", "m", "new"}
    assert [device.machine for device in sources.devices] == ["a", "b", "m", "new"]


def test_what_is_gone_samples_no_more(house: House, sources: SourceSet) -> None:
    _, b, _ = sources.threads
    sources.change((table("a"), table("m", "modbus")))
    assert b.frames > 0
    house.taken.clear()
    eventually(lambda: {"a", "m"} <= set(house.taken), 30, "frames of those that stay")
    assert "b" not in house.taken


def test_sources_none_of_which_opens_leave_those_that_were(house: House, sources: SourceSet) -> None:
    house.broken["x"] = OSError(19, "no such device")
    with pytest.raises(ChangeError, match="none of its sources can be opened"):
        sources.change((table("x"),))
    house.taken.clear()
    eventually(lambda: {"a", "b", "m"} <= set(house.taken), 30, "frames of all that were")
    assert [one.options["name"] for one in sources.settings] == ["a", "b", "m"]


def test_a_mistake_in_one_table_leaves_those_that_were(house: House, sources: SourceSet) -> None:
    house.broken["b"] = SourceError("source 'i2c': address must be 0x08 to 0x77")
    with pytest.raises(ChangeError, match="address must be"):
        sources.change((table("a"), table("b", address=1), table("new", "opcua")))
    del house.broken["b"]
    house.taken.clear()
    eventually(lambda: {"a", "b", "m"} <= set(house.taken), 30, "frames of all that were")


def test_going_back_opens_what_can_be_opened_and_tries_the_rest_again(
    house: House, sources: SourceSet
) -> None:
    house.broken["x"] = SourceError("source 'i2c': broken meanwhile")
    sources.change((table("a"), table("x")), whatever=True)
    assert [one.options["name"] for one in sources.settings] == ["a", "x"]
    eventually(lambda: "broken meanwhile" in sources.failing.get("x", ""), 30, "its problem")


def test_what_worked_before_must_work_after(sources: SourceSet) -> None:
    now = (table("b"), table("c"), table("new", "opcua"))
    give, work = sources.awaited(now, within_s=300.0)
    assert give == work == ("b", "c")
    assert sources.awaited(now, within_s=0.0) == ((), ("b", "c"))


def test_sources_are_paired_by_their_tables_then_by_their_type() -> None:
    before = [table("a"), table("b"), table("m", "modbus")]
    now = [table("b", label="i2c"), table("x"), table("o", "opcua")]
    found = pair(before, now)
    assert (found.stay, found.follow) == (((1, 0),), ((0, 1),))
    assert (found.begin, found.end) == ((2,), (2,))


class Mistaken(Ticking):
    """A driver with a mistake in it."""

    def devices(self) -> tuple[Device, ...]:
        raise TypeError("a mistake of the driver's")


def test_whatever_a_driver_raises_leaves_those_that_were(
    house: House, sources: SourceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_or_later", lambda settings, _clock: Mistaken(settings.name))
    with pytest.raises(ChangeError, match="TypeError: a mistake of the driver's"):
        sources.change((table("a"), table("new")))
    house.taken.clear()
    eventually(lambda: {"a", "b", "m"} <= set(house.taken), 30, "frames of all that were")
    assert [one.name for one in sources.settings] == ["a", "b", "m"]


def test_a_thread_that_can_t_begin_leaves_those_that_were(
    house: House, sources: SourceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = SourceThread.start

    def started(thread: SourceThread) -> None:
        if thread.name == "d":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(SourceThread, "start", started)
    with pytest.raises(ChangeError, match="can't start new thread"):
        sources.change((table("a"), table("c"), table("d")))
    house.taken.clear()
    eventually(lambda: {"a", "b", "m"} <= set(house.taken), 30, "frames of all that were")
    assert "c" not in house.taken


class Hourly(Ticking):
    """One frame, and the next much later."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        yield waveform(machine=self.name)
        stop.wait()


def test_a_source_whose_pace_is_not_known_yet_must_only_not_fail(house: House) -> None:
    found = SourceSet(PlantClock(), house.thread, [(table("a"), Hourly("a"), lambda: Hourly("a"))])
    found.threads[0].start()
    eventually(lambda: found.threads[0].frames == 1, 30, "its only frame")
    assert found.awaited((table("a"),), within_s=300.0) == ((), ("a",))
    found.threads[0].stop()
    found.threads[0].join()


class Wired(Ticking):
    """It has a wire for itself."""

    addresses = ("spi 0.0",)


def test_a_source_that_opened_late_is_announced_and_keeps_its_wire(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SourceSet(PlantClock(), house.thread, [(table("a"), None, lambda: Wired("a"))])
    found.threads[0].start()
    eventually(lambda: "a" in house.taken, 30, "a frame")
    assert [device.machine for device in found.devices] == ["a"]
    monkeypatch.setattr(module, "open_or_later", lambda settings, _clock: Wired(settings.name))
    with pytest.raises(ChangeError, match=r"spi 0\.0 is taken by source a"):
        found.change((table("a"), table("b")))
    found.threads[0].stop()
    found.threads[0].join()


LINE = """[[source]]
type = "modbus"
device = "/dev/null"
machine = "P-101"
point = "p"
[[source.value]]
channel = "%s"
unit = "degC"
register = 1
type = "int16"
scale = 1
"""


class FakeAgent:
    """What an agent is begun with."""

    def __init__(self, settings: AgentSettings, outbox: Outbox, _sources: object) -> None:
        self.settings = settings
        outbox.close()

    def take_configurations(self, _local: Local, _file: ConfigurationFile, begun: Start) -> None:
        self.begun = begun


def test_an_agent_does_not_start_with_two_sources_on_one_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = write_local(tmp_path, LINE % "a" + LINE % "b")
    with pytest.raises(SourceError, match="is taken by source"):
        build_configured(local)
    file = ConfigurationFile(tmp_path / "data")
    local = write_local(tmp_path, LINE % "a")
    file.write(InForce(3, LINE % "a" + LINE % "b", 3, KEPT))
    agents: list[FakeAgent] = []

    def made(settings: AgentSettings, outbox: Outbox, sources: object, *, clock: PlantClock) -> FakeAgent:
        agents.append(FakeAgent(settings, outbox, sources))
        return agents[0]

    monkeypatch.setattr(starting, "AgentService", made)
    build_configured(local)
    (agent,) = agents
    assert [one.name for one in agent.settings.sources] == ["modbus"]
    assert "is taken by source" in agent.begun.problem
