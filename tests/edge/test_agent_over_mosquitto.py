"""The agent as a process against a real broker and a small host."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

from edge_agent.outbox import open_outbox
from palier import ranges
from palier.frames import Waveform
from tests.support.edge_agent import running_agent, stop_agent, write_agent
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

BLOCKS = 4096 // 64


def test_every_frame_arrives_and_the_ledger_adds_up(mosquitto: Mosquitto, tmp_path: Path) -> None:
    config = write_agent(tmp_path, mosquitto.port)
    with running_agent(config) as agent, FakeHost(mosquitto.port) as host:
        eventually(lambda: len(host.stored) == BLOCKS, 30, "all frames at the host")
        eventually(lambda: host.reports and host.reports[-1].pending == 0, 30, "a round balance")
        code = stop_agent(agent)
        eventually(lambda: host.kinds and host.kinds[-1] == "NDEATH", 30, "the agent's NDEATH")
    assert code == 0
    assert re.search(r"health on port \d+", config.with_suffix(".log").read_text())
    assert not host.errors
    assert set(host.received.values()) == {1}
    last = host.reports[-1]
    assert (last.seq, last.acquired, last.pending, last.dropped) == (BLOCKS, BLOCKS, 0, ())
    frame = next(iter(host.stored.values()))
    assert isinstance(frame, Waveform)
    assert (frame.machine, frame.point, frame.unit, frame.scale) == ("r1", "1", ("g",), (0.01,))
    assert host.devices["r1"].channels[0].fs_hz == 1000


def test_kill_9_in_the_middle_loses_nothing_and_keeps_the_epoch(mosquitto: Mosquitto, tmp_path: Path) -> None:
    config = write_agent(tmp_path, mosquitto.port, rate="20")  # a block of 64 samples each 3.2 ms
    with FakeHost(mosquitto.port) as host:
        with running_agent(config):  # it ends by kill -9
            eventually(lambda: len(host.stored) > 20, 30, "some frames at the host")
        with running_agent(config) as agent:  # samples the whole recording once more
            eventually(lambda: len(host.births) > 1, 30, "the birth of the second process")
            eventually(lambda: len(host.stored) > 20 + BLOCKS, 30, "the second run's frames")
            assert stop_agent(agent) == 0
    assert len({birth.epoch for birth in host.births}) == 1
    with closing(
        open_outbox(tmp_path / "outbox", "usine/p1", draw_epoch=lambda: "0" * 16, cap_bytes=10**9)
    ) as outbox:
        kept = ranges.merge(host.seqs_of(outbox.epoch) + outbox.pending())
        assert kept == ((1, outbox.last_seq),)
    assert not host.errors
