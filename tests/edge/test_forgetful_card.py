"""A card that confirms what it then forgets: no number is given to two frames, and none of them is lost."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge_agent import events as ev
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.window import Phase
from palier import ranges
from palier.frames import Waveform
from palier.ledger import balance
from palier.wire import messages
from palier.wire.messages import LedgerReport
from tests.support.edge_agent import waveform
from tests.support.fake_host import FakeHost
from tests.support.forgetful_edge import EPOCH, ForgetfulEdge, Host, put_back, take_image
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent
from tests.support.waiting import eventually


def opened(folder: Path) -> Outbox:
    return open_outbox(folder, "usine/p1", draw_epoch=lambda: EPOCH, cap_bytes=10**9)


def numbers(outbox: Outbox, seqs: ranges.Ranges) -> list[int]:
    """What stands in the frames of these seqs."""
    found = [outbox.load(seq) for lo, hi in seqs for seq in range(lo, hi + 1)]
    return [int(one[1].samples[0, 0]) for one in found if one is not None and isinstance(one[1], Waveform)]


@pytest.fixture
def forgot(tmp_path: Path) -> Iterator[Outbox]:
    """Ten frames, the last four forgotten with the power; three were taken since, one of them lost."""
    folder = tmp_path / "outbox"
    outbox = opened(folder)
    assert outbox.sure is None
    outbox.put([waveform(number) for number in range(6)])
    image = take_image(folder, tmp_path / "image")
    outbox.put([waveform(number) for number in range(6, 10)])
    outbox.close()
    put_back(folder, image)
    outbox = opened(folder)
    outbox.put([waveform(number) for number in range(10, 12)], lost=1)
    yield outbox
    outbox.close()


def test_frames_taken_since_get_numbers_above_the_hosts_highest(forgot: Outbox) -> None:
    assert (forgot.sure, forgot.pending()) == (6, ((1, 6), (8, 9)))
    settled = forgot.settle(10, 9, EPOCH)
    assert settled.lost == ((7, 10),)
    assert settled.pending == forgot.pending() == ((1, 6), (11, 12))
    assert numbers(forgot, ((11, 12),)) == [10, 11]
    assert forgot.report() == LedgerReport(EPOCH, 13, 13, ((7, 10, "lost_by_card"), (13, 13, "disk")), 1, 8)
    assert forgot.put([waveform(12)]).seqs == (14, 14)


def test_the_ledger_adds_up_and_the_host_has_the_last_word(forgot: Outbox) -> None:
    forgot.settle(10, 9, EPOCH)
    line = balance("usine/p1", forgot.report(), ((1, 6), (8, 8), (10, 10)), ())
    assert line.adds_up
    assert (line.acquired, line.stored, line.dropped, line.pending) == (13, 8, 3, 2)
    forgot.acknowledge(((8, 8), (10, 10)))  # the host's answer to the numbers that were asked for
    assert forgot.report().dropped == ((7, 7, "lost_by_card"), (9, 9, "lost_by_card"), (13, 13, "disk"))


def test_the_doubt_outlives_restarts_and_ends_with_the_answer(forgot: Outbox, tmp_path: Path) -> None:
    forgot.close()
    again = opened(tmp_path / "outbox")
    assert again.sure == 6  # and not 9, which the numbers in the file would say
    again.settle(10, 9, EPOCH)
    assert again.sure is None
    again.close()
    third = opened(tmp_path / "outbox")
    assert third.sure == 13
    assert third.settle(10, 13, EPOCH).lost == ()
    third.close()


def test_a_host_that_does_not_tell_ends_the_doubt(forgot: Outbox) -> None:
    assert forgot.settle(None, 9, EPOCH).lost == ()
    assert (forgot.sure, forgot.pending()) == (None, ((1, 6), (8, 9)))


def test_an_answer_for_another_epoch_changes_nothing(forgot: Outbox) -> None:
    assert forgot.settle(10, 9, "cd" * 8).lost == ()
    assert forgot.last_seq == 9


def test_an_answer_that_is_heard_again_counts_no_frame_twice(forgot: Outbox) -> None:
    """The disk took it, or half of it, and could not say so."""
    forgot.settle(10, 6, EPOCH)
    before = forgot.report()
    forgot.settle(10, 6, EPOCH)
    assert forgot.report() == before


def test_a_file_that_is_opened_again_by_its_own_process_is_in_no_doubt(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.put([waveform(0)])
    assert outbox._db is not None
    outbox._db.close()
    outbox._db = None  # a damage that could not be set aside, and was none
    outbox.put([waveform(1)])
    outbox.close()
    again = opened(tmp_path)
    assert again.sure == 2
    again.close()


def test_many_rows_get_their_numbers_piece_by_piece(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.close()
    outbox = opened(tmp_path)
    outbox.put([waveform(number) for number in range(200)])
    assert outbox.sure == 0
    assert outbox.settle(150, 200, EPOCH).pending == ((151, 350),)
    assert numbers(outbox, ((151, 350),)) == [*range(150, 200), *range(150)]
    assert outbox.report().dropped == ((1, 150, "lost_by_card"),)
    outbox.close()


def test_large_rows_are_renumbered_one_by_one(tmp_path: Path) -> None:
    """64 of 4 MB in one commit would need 270 MB of a disk that may have 16."""
    outbox = opened(tmp_path)
    outbox.close()
    outbox = opened(tmp_path)
    for number in range(6):
        outbox.put([waveform(number, n_samples=700_000)])
    outbox.settle(5, 0, EPOCH)
    written = (tmp_path / "outbox.sqlite-wal").stat().st_size
    assert outbox.report().dropped == ((1, 5, "lost_by_card"),)
    assert numbers(outbox, outbox.pending()) == [5, 0, 1, 2, 3, 4]
    outbox.close()
    assert written < 6_500_000  # SQLite tidies the WAL up at 4 MB


class LyingCard(RuleBasedStateMachine):
    """Everything in any order; the checks are in `ForgetfulEdge` and `Host`, as it happens."""

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")  # a disk that is sure at once
        self.folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.home = Path(self.folder.name)
        (self.home / "outbox").mkdir()
        self.host = Host()
        self.edge = ForgetfulEdge(self.home / "outbox", self.host)
        self.images: list[tuple[Path, bool]] = []
        self.taken = 0
        self.remember()
        self.twice = False  # whether a forgotten answer may have given a frame a second number

    def remember(self) -> None:
        """The card may turn out to be as it is now."""
        self.taken += 1
        unsure = self.edge.outbox.sure is not None and self.edge.outbox.last_seq > self.edge.outbox.sure
        image = take_image(self.home / "outbox", self.home / f"image-{self.taken}")
        self.images.append((image, unsure))

    @rule(count=st.integers(1, 12), lost=st.sampled_from((0, 0, 0, 2)), connected=st.booleans())
    def acquire(self, count: int, lost: int, connected: bool) -> None:
        self.edge.acquire(count, lost)
        self.remember()
        if connected:
            self.edge.connect()

    @rule(messages=st.integers(1, 30), answered=st.booleans(), remembered=st.booleans())
    def work(self, messages: int, answered: bool, remembered: bool) -> None:
        self.edge.connect()
        self.edge.work(messages, answered)
        if remembered:
            self.remember()

    @rule()
    def disconnect(self) -> None:
        self.edge.disconnect()

    @rule(seconds=st.sampled_from((0.5, 3.0, 15.0)))
    def time_passes(self, seconds: float) -> None:
        self.edge.now += seconds
        self.edge.feed(ev.Tick())

    @rule(forgets=st.integers(0, 4), taken=st.integers(0, 5))
    def the_agent_ends(self, forgets: int, taken: int) -> None:
        """kill -9, or the power goes and the card is as it was some moments ago.

        What was on its way comes to the host before the next birth.
        """
        self.edge.disconnect()
        del self.images[max(1, len(self.images) - forgets) :]
        image, unsure = self.images[-1]
        self.twice = self.twice or (unsure and forgets > 0)
        self.edge.kill(image if forgets else None)
        self.edge.start()
        if taken:
            self.edge.acquire(taken)
        self.remember()

    def teardown(self) -> None:
        if not hasattr(self, "edge"):
            return
        self.edge.drain()
        report = self.edge.outbox.report()
        line = balance("usine/p1", report, ranges.of(self.host.stored), ())
        assert line.adds_up, line
        assert line.pending == 0
        if not self.twice:
            assert max(Counter(self.host.stored.values()).values(), default=1) == 1, "stored twice"
        self.edge.outbox.close()
        self.folder.cleanup()


LyingCard.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLyingCard = pytest.mark.long(LyingCard.TestCase)


def test_what_a_card_forgot_is_found_at_the_next_birth(
    mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "outbox"
    with FakeHost(mosquitto.port) as host, caplog.at_level(logging.ERROR):
        agent = Agent(folder, mosquitto.port)
        agent.tap.give(10)
        eventually(lambda: agent.outbox.last_seq == 10 and agent.outbox.pending() == (), 30, "ten frames")
        image = take_image(folder, tmp_path / "image")
        agent.tap.give(10, first=10)
        eventually(lambda: host.seqs_of(EPOCH) == ((1, 20),), 30, "twenty frames at the host")
        agent.service.stop()
        put_back(folder, image)
        outbox = opened(folder)  # a start without a network
        outbox.put([waveform(number) for number in range(20, 25)])
        outbox.close()
        second = Agent(folder, mosquitto.port)
        try:
            second.tap.give(5, first=25)
            eventually(lambda: len(host.stored) == 30, 30, "all frames at the host")
            eventually(lambda: second.outbox.pending() == (), 30, "an empty outbox")
            held = [int(frame.samples[0, 0]) for frame in host.stored.values() if isinstance(frame, Waveform)]
            assert sorted(held) == list(range(30))
            assert set(host.received.values()) == {1}
            eventually(lambda: second.outbox.report().dropped == (), 30, "the host's word on what was lost")
            assert second.service.link.counters.forgotten == 10
            assert any("forgot 10 frames" in note for note in second.service.report().notes)
            assert second.service.report().ready
            assert "the disk forgot the frames 11 to 20" in caplog.text
        finally:
            second.service.stop()
        assert not host.errors


def test_nothing_is_sent_of_an_opened_outbox_before_the_host_has_answered(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    outbox = opened(tmp_path / "outbox")
    outbox.put([waveform(number) for number in range(3)])
    outbox.close()
    host = FakeHost(mosquitto.port)
    host.acknowledging = False
    with host:
        agent = Agent(tmp_path / "outbox", mosquitto.port)
        try:
            eventually(lambda: len(host.births) > 1, 30, "a second birth, for want of an answer")
            assert agent.phase is Phase.SYNCING
            assert not host.received
            host.acknowledging, host.tells_highest = True, False
            host.command(messages.rebirth_payload(1))
            eventually(lambda: host.seqs_of(EPOCH) == ((1, 3),), 30, "the frames")
        finally:
            agent.service.stop()
