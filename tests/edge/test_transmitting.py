"""What an agent sends in each mode, and what it keeps until the host asks: on the disk, and over a broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from edge_agent.extraction import Extraction
from edge_agent.modes import Mode
from edge_agent.outbox import Kept, Outbox, OutboxFullError, open_outbox
from edge_agent.transmit_settings import TransmitSettings
from edge_agent.transmitting import LATE_NS, OfSource, Transmitting
from palier import ranges
from palier.frames import Features, Frame, Readings, Waveform
from palier.wire import compression, messages
from palier.wire.messages import Replay
from palier.wire.payload import DataType, Metric
from tests.support.edge_agent import START_NS, readings
from tests.support.edge_agent import waveform as small
from tests.support.fake_host import FakeHost
from tests.support.frames import frame_equal
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent
from tests.support.waiting import eventually

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
ADAPTIVE = TransmitSettings(Mode.ADAPTIVE)


def waveform(number: int = 0, machine: str = "P-101") -> Waveform:
    """Half a second, one each second."""
    return replace(small(number, 4096, machine), fs_hz=8192.0)


class Bench:
    """An outbox with what stands before it. `told` is what the link heard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = START_NS
        self.told: list[Kept] = []
        self.alarmed: set[str] = set()
        self.open(ADAPTIVE)

    def open(self, settings: TransmitSettings) -> None:
        self.outbox: Outbox = open_outbox(
            self.folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9
        )
        self.sending = Transmitting(
            self.outbox,
            self.outbox,
            settings,
            lambda: self.now_ns,
            released=self.told.append,
            alarmed=self.alarmed.__contains__,
        )

    def restart(self, settings: TransmitSettings = ADAPTIVE) -> None:
        self.outbox.close()
        self.open(settings)

    def put(self, *frames: Frame) -> Kept:
        self.now_ns = max(self.now_ns, *(frame.end_ns for frame in frames))
        return self.sending.put(frames, lost=0)

    def ask(self, asked: Replay) -> int:
        """As `Replays` does it; how many are told to come."""
        piece = self.outbox.replay(asked, above=0, before=0, now_ns=self.now_ns)
        self.sending.ask()
        self.sending.look()
        return piece.frames

    def waiting(self) -> list[tuple[str, int]]:
        """Kind and number of each frame that waits, by seq."""
        seqs = [seq for lo, hi in self.outbox.pending() for seq in range(lo, hi + 1)]
        found = [one[1] for one in map(self.outbox.load, seqs) if one is not None]
        return [(kind(frame), (frame.start_ns - START_NS) // SECOND) for frame in found]


def kind(frame: Frame) -> str:
    return {Waveform: "W", Features: "F", Readings: "R"}[type(frame)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def wish(first: int, last: int, request: str = "wish-0001") -> Replay:
    """For waveforms number first to last."""
    return Replay(request, START_NS + first * SECOND, START_NS + (last + 1) * SECOND, retained=True)


def test_features_always_a_waveform_a_day_and_readings_as_ever(bench: Bench) -> None:
    kept = bench.put(waveform(0), readings(0), waveform(1), waveform(2))
    assert (kept.seqs, kept.retained) == ((1, 5), 2)
    assert bench.waiting() == [("F", 0), ("W", 0), ("R", 0), ("F", 1), ("F", 2)]


def test_mode_waveform_sends_what_it_always_did(bench: Bench) -> None:
    bench.restart(TransmitSettings())
    kept = bench.put(waveform(0), waveform(1))
    assert (kept.seqs, kept.retained) == ((1, 2), 0)
    assert bench.waiting() == [("W", 0), ("W", 1)]


def test_mode_features_sends_no_waveform_by_itself(bench: Bench) -> None:
    bench.restart(TransmitSettings(Mode.FEATURES))
    bench.put(waveform(0), replace(waveform(1), urgent=True))
    assert bench.waiting() == [("F", 0), ("F", 1), ("W", 1)]


def test_the_day_has_one_waveform_across_restarts(bench: Bench) -> None:
    bench.put(waveform(0))
    bench.restart()
    assert bench.put(waveform(1)).retained == 1
    assert bench.put(waveform(86_400)).retained == 0


def test_a_wish_releases_what_was_kept_and_what_is_still_to_come(bench: Bench) -> None:
    bench.put(*(waveform(number) for number in range(10)))
    assert bench.ask(wish(4, 12)) == 6
    bench.put(waveform(10), waveform(11))
    bench.restart()
    bench.put(waveform(12), waveform(13))
    waves = [number for what, number in bench.waiting() if what == "W"]
    assert waves == [0, *range(4, 13)]
    assert ranges.count(seqs for kept in bench.told for seqs in [kept.seqs] if seqs) == 6
    assert bench.sending.values()['waveforms_sent_total{cause="wish"}'] == 1  # since the restart
    assert bench.sending.values()["waveforms_retained"] == 4


def test_a_wish_ends_when_its_time_is_over(bench: Bench) -> None:
    bench.put(waveform(0), waveform(1))
    bench.ask(wish(0, 3))
    bench.now_ns = START_NS + 4 * SECOND + LATE_NS
    bench.sending.ask()
    bench.sending.look()
    assert len(bench.outbox.wishes()) == 1
    bench.now_ns += 1
    bench.sending.ask()
    bench.sending.look()
    assert bench.outbox.wishes() == ()


def test_a_wish_beyond_the_budget_is_served_on_the_next_day(bench: Bench) -> None:
    bench.restart(TransmitSettings(Mode.ADAPTIVE, waveform_mb_per_day=1, one_a_day=False))
    most = 1_000_000 // 8_192
    bench.put(*(waveform(number) for number in range(most + 20)))
    bench.ask(wish(0, most + 20))
    for _ in range(3):
        bench.sending.ask()
        bench.sending.look()
    first = sum(what == "W" for what, _ in bench.waiting())
    assert most - 8 <= first <= most
    bench.restart(bench.sending.settings)
    bench.sending.look()
    assert sum(what == "W" for what, _ in bench.waiting()) == first
    bench.now_ns += 24 * HOUR
    bench.sending.ask()
    bench.sending.look()
    assert sum(what == "W" for what, _ in bench.waiting()) == most + 20
    assert bench.outbox.retained().rows == 0


def test_what_the_budget_refuses_is_kept_and_not_lost(bench: Bench) -> None:
    bench.restart(TransmitSettings(Mode.ADAPTIVE, waveform_mb_per_day=1))
    for number in range(40):
        bench.put(replace(small(number, 16_384), fs_hz=32_768.0, urgent=True))
    waves = sum(what == "W" for what, _ in bench.waiting())
    assert 18 < waves < 23  # three quarters of the budget, 33 kB each
    assert bench.outbox.retained().rows == 40 - waves


def test_a_machine_in_alarm_sends_waveforms_by_itself(bench: Bench) -> None:
    bench.put(waveform(0), waveform(0, "P-102"))
    bench.alarmed.add("P-101")
    kept = bench.put(waveform(1), waveform(1, "P-102"))
    assert kept.retained == 1
    assert ("W", 1) in bench.waiting()


def test_a_source_may_have_a_mode_of_its_own(bench: Bench) -> None:
    taken: list[Frame] = []

    class Recorder:
        def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
            taken.append(frame)
            return True

    stop = threading.Event()
    OfSource(bench.sending, Mode.WAVEFORM, Recorder()).put(waveform(0, "P-102"), stop)
    OfSource(bench.sending, None, Recorder()).put(waveform(0), stop)
    assert bench.put(*taken, waveform(1, "P-102"), waveform(1)).retained == 1
    assert [what for what, _ in bench.waiting()] == ["W", "F", "W", "W", "F"]


def test_a_block_whose_features_fail_is_sent_as_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put(waveform(0))

    def broken(self: Extraction, blocks: Sequence[Waveform]) -> list[Features | None]:
        raise FloatingPointError("no")

    monkeypatch.setattr(Extraction, "features", broken)
    assert bench.put(waveform(1), readings(1)).retained == 0
    assert bench.waiting()[2:] == [("W", 1), ("R", 60)]
    assert bench.sending.failures == 1


def test_a_block_too_short_for_features_is_sent(bench: Bench) -> None:
    bench.put(small(0, 4))
    assert bench.waiting() == [("W", 0)]


def test_a_disk_that_refuses_costs_neither_the_days_own_nor_a_wish(bench: Bench) -> None:
    bench.put(waveform(0))
    bench.outbox._opened().execute("PRAGMA query_only = ON")
    with pytest.raises(OutboxFullError):
        bench.put(waveform(86_400))
    bench.outbox._opened().execute("PRAGMA query_only = OFF")
    assert bench.put(waveform(86_400)).retained == 0
    bench.put(waveform(86_401))
    bench.outbox.replay(wish(86_401, 86_401), above=0, before=0, now_ns=bench.now_ns)
    bench.sending.ask()
    bench.outbox._opened().execute("PRAGMA query_only = ON")
    bench.sending.look()
    bench.outbox._opened().execute("PRAGMA query_only = OFF")
    bench.sending.ask()
    bench.sending.look()
    assert ("W", 86_401) in bench.waiting()


def test_the_ledger_adds_up_whatever_is_kept(bench: Bench) -> None:
    bench.put(*(waveform(number) for number in range(5)))
    bench.ask(wish(2, 3))
    report = bench.outbox.report()
    assert (report.seq, report.acquired, report.pending, report.dropped) == (8, 8, 8, ())


def test_a_look_that_has_nothing_to_do_costs_no_commit(bench: Bench) -> None:
    bench.sending.look()
    changes = bench.outbox._opened().total_changes
    for _ in range(5):
        bench.sending.ask()
        bench.sending.look()
    assert bench.outbox._opened().total_changes == changes


def test_a_configuration_from_afar_changes_what_is_sent(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = Agent(tmp_path / "outbox", mosquitto.port)
        try:
            agent.tap.queue.put(waveform(0))
            eventually(lambda: len(host.stored) == 1, 30, "the waveform")
            settings = replace(
                agent.service.settings, transmit=TransmitSettings(Mode.FEATURES, compress=True)
            )
            agent.service._transmit_by(settings)
            agent.tap.queue.put(waveform(1))
            agent.tap.queue.put(replace(waveform(2), urgent=True))
            eventually(lambda: len(host.stored) == 4, 30, "features of two, and a waveform")
            assert sorted(map(kind, host.stored.values())) == ["F", "F", "W", "W"]
            host.command(messages.rebirth_payload(1))
            eventually(lambda: host.births[-1].transmit == "features", 30, "a birth that says so")
        finally:
            agent.service.stop()


def test_packed_samples_are_the_same_at_the_host(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[DataType] = []
    real = compression.packed

    def counted(metric: Metric) -> Metric:
        packed.append(real(metric).datatype)
        return real(metric)

    monkeypatch.setattr(compression, "packed", counted)
    with FakeHost(mosquitto.port) as host:
        agent = Agent(tmp_path / "outbox", mosquitto.port, TransmitSettings(compress=True))
        try:
            for number in range(5):
                agent.tap.queue.put(waveform(number))
            eventually(lambda: len(host.stored) == 5, 30, "five waveforms")
            assert {*packed} == {DataType.BYTES}
            for frame_id, frame in host.stored.items():
                assert frame_equal(frame, waveform(frame_id.seq - 1))
        finally:
            agent.service.stop()


@pytest.fixture
def over_a_broker(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[tuple[FakeHost, Callable[[], Agent]]]:
    """A host, and what starts the agent, again and again."""
    running: list[Agent] = []

    def start() -> Agent:
        for one in running:
            one.service.stop()
        running[:] = [Agent(tmp_path / "outbox", mosquitto.port, ADAPTIVE)]
        return running[0]

    with FakeHost(mosquitto.port) as host:
        yield host, start
        for one in running:
            one.service.stop()


def test_the_time_around_an_alarm_arrives_across_a_restart(
    over_a_broker: tuple[FakeHost, Callable[[], Agent]],
) -> None:
    host, start = over_a_broker
    began_ns = time.time_ns() - 100 * SECOND  # not ahead of the clock: it would be doubted at the restart

    def give(agent: Agent, first: int, stop: int) -> None:
        for number in range(first, stop):
            agent.tap.queue.put(replace(waveform(number), start_ns=began_ns + number * SECOND))

    def arrived(which: str) -> list[int]:
        frames = [frame for frame in list(host.stored.values()) if kind(frame) == which]
        return sorted(round((frame.start_ns - began_ns) / SECOND) for frame in frames)

    agent = start()
    give(agent, 0, 30)
    eventually(lambda: arrived("F") == list(range(30)), 30, "features of all")
    assert host.births[-1].transmit == "adaptive"
    host.command(
        messages.replay_payload(
            Replay("request-one", began_ns + 10 * SECOND, began_ns + 40 * SECOND, retained=True), 1
        )
    )
    eventually(lambda: {*range(10, 30)} <= {*arrived("W")}, 30, "what was kept of that time")
    agent = start()
    give(agent, 30, 50)
    eventually(lambda: arrived("F") == list(range(50)), 30, "features of all")
    eventually(lambda: not agent.outbox.totals().pending, 30, "all acknowledged")
    of_days = {
        0,
        *(n for n in range(50) if (began_ns + n * SECOND) // (24 * HOUR) != began_ns // (24 * HOUR)),
    }
    waves = arrived("W")
    assert {*range(10, 40)} <= {*waves} <= {*range(10, 40), *of_days}
    assert len(waves) == len(set(waves)) >= 31
    assert agent.outbox.retained().rows == 50 - len(waves)
    assert not host.errors


def test_a_look_is_not_taken_at_each_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ask(wish(0, 1))
    calls: list[int] = []
    monkeypatch.setattr(bench.outbox, "release", lambda *_: calls.append(1))
    bench.sending.look()
    assert calls == []


def test_a_disk_that_can_not_be_read_for_a_moment_costs_no_wish(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(waveform(0), waveform(1))
    bench.outbox.replay(wish(0, 1), above=0, before=0, now_ns=bench.now_ns)
    bench.sending.ask()
    with monkeypatch.context() as away:
        away.setattr(bench.outbox, "wishes", Mock(side_effect=OutboxFullError("no")))
        bench.sending.look()
    bench.sending.look()
    assert ("W", 1) in bench.waiting()


def test_the_wish_of_one_machine_does_not_wait_for_one_of_everything(bench: Bench) -> None:
    bench.restart(TransmitSettings(Mode.ADAPTIVE, waveform_mb_per_day=1, one_a_day=False))
    bench.put(*(waveform(number) for number in range(250)), waveform(250, "P-102"))
    bench.ask(replace(wish(0, 249, "wish-wide"), retained=False))
    bench.ask(replace(wish(250, 250), machine="P-102"))
    bench.now_ns += 24 * HOUR
    bench.sending.ask()
    bench.sending.look()
    assert ("W", 250) in bench.waiting()


def test_the_days_own_takes_nothing_from_a_wish_that_waits_for_the_day(bench: Bench) -> None:
    numbers = 0, 1, 2, 3, 86_400, 172_800, 259_200
    blocks = [replace(small(number, 300_000), fs_hz=600_000.0) for number in numbers]
    bench.restart(TransmitSettings(Mode.ADAPTIVE, waveform_mb_per_day=1))
    bench.put(*blocks[:4])
    bench.ask(wish(1, 3))
    for block in blocks[4:]:  # each time one comes before anybody looks
        bench.put(block)
    assert {("W", 1), ("W", 2), ("W", 3)} <= {*bench.waiting()}
