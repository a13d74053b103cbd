"""What the committing thread does for people: in which order, and when a store is down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest.alarm_keeping import AlarmKeeper
from ingest.batch import Contact
from ingest.failpoints import Failpoints
from ingest.notify import Pending
from ingest.people import RETRY_S, TICK_S, WAITING_COMMANDS, People
from palier.alarms import Life
from palier.clock import PlantClock
from palier.historian.rows import Transition
from palier.ledger import LedgerLine
from palier.operations import Acknowledge, Command, Shelve
from palier.wire.operations import encode_command
from tests.support.alarms import KEY, PLANT, SITE, alarm_of, command, velocity
from tests.support.committing import Fakes


@dataclass
class Bench:
    """People's part over stores of a test, with a clock one turns by hand."""

    fakes: Fakes = field(default_factory=Fakes)
    replies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: list[Pending] = field(default_factory=list)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.keeper = AlarmKeeper(wall_ns=lambda: 0, channels=("email",))
        self.people = People(
            self.keeper,
            PLANT,
            self.fakes,
            self.fakes,  # type: ignore[arg-type]
            PlantClock(),
            answer=self._answer,
            send=self._send,
            failpoints=Failpoints(),
            monotonic_s=lambda: self.now_s,
        )

    def _answer(self, topic: str, data: bytes) -> None:
        self.fakes.log.append("reply")
        self.replies.append((topic, json.loads(data)))

    def _send(self, messages: Any) -> None:
        self.fakes.log.append("send")
        self.messages += messages

    def ask(self, what: Command | bytes) -> None:
        self.people.offer(what if isinstance(what, bytes) else encode_command(what))
        self.people.turn()

    def turn(self, after_s: float = TICK_S) -> None:
        self.now_s += after_s
        self.people.turn()


@pytest.fixture
def bench() -> Bench:
    """An alert is there, and told."""
    one = Bench()
    one.people.heard([velocity(1, 5.0)])
    one.turn()
    assert one.fakes.log == ["records", "send", "series"]
    one.fakes.log.clear()
    return one


def test_a_command_is_durable_before_its_reply_and_its_event(bench: Bench) -> None:
    asked = command(Acknowledge(KEY.id))
    bench.ask(asked)
    assert bench.fakes.log == ["records", "reply", "series"]
    ((topic, reply),) = bench.replies
    assert (topic, reply["outcome"]) == (f"palier/v1/{SITE}/reply/{asked.id}", "done")
    assert alarm_of(bench.keeper.desk).life is Life.ACKNOWLEDGED


def test_a_command_whose_records_are_down_changes_nothing_and_gets_no_reply(bench: Bench) -> None:
    asked = command(Acknowledge(KEY.id))
    bench.fakes.down = {"records"}
    bench.ask(asked)
    assert (bench.replies, alarm_of(bench.keeper.desk).life) == ([], Life.UNACKNOWLEDGED)
    bench.fakes.down = set()
    bench.ask(asked)  # who asks sends it again
    assert [reply["outcome"] for _, reply in bench.replies] == ["done"]


def test_people_are_answered_while_the_series_are_down_and_the_event_follows(bench: Bench) -> None:
    bench.fakes.down = {"series"}
    written = len(bench.fakes.written)
    bench.ask(command(Acknowledge(KEY.id)))
    bench.ask(command(Shelve(KEY.id, "essai", 600)))
    assert [reply["outcome"] for _, reply in bench.replies] == ["done", "done"]
    assert bench.fakes.log.count("series") == 1, "a server that is down is not asked at each turn"
    bench.fakes.down = set()
    bench.turn(RETRY_S)
    (rows,) = bench.fakes.written[written:]
    assert [json.loads(str(detail))["what"] for detail in rows.fields["detail"]] == [
        "acknowledged",
        "shelved",
    ]


def test_what_cannot_be_read_is_refused_where_it_has_an_id(bench: Bench) -> None:
    bench.ask(b"{")
    bench.ask(b'{"id": "command-x", "do": "dance"}')
    bench.ask(b"x" * 20_000)
    assert [(reply["id"], reply["reason"]) for _, reply in bench.replies] == [("command-x", "malformed")]


def test_a_defect_that_one_command_shows_is_told_and_ends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.keeper, "decided", lambda *_: 1 / 0)
    bench.ask(command(Acknowledge(KEY.id)))
    assert [(reply["outcome"], reply["reason"]) for _, reply in bench.replies] == [("refused", "malformed")]


def test_more_commands_than_there_is_room_for_are_left(bench: Bench) -> None:
    for n in range(WAITING_COMMANDS + 50):
        bench.people.offer(encode_command(command(Acknowledge(KEY.id), id=f"crowd-{n:04d}")))
    bench.people.turn()
    assert len(bench.replies) == WAITING_COMMANDS


def test_a_shelf_ends_by_itself_and_tells_people(bench: Bench) -> None:
    now_ns = PlantClock().now_ns()
    turn, _ = bench.keeper.decided(command(Shelve(KEY.id, "essai", 60)), PLANT, now_ns - 61 * 10**9)
    bench.keeper.keep(turn)
    bench.turn()
    assert alarm_of(bench.keeper.desk).life is Life.UNACKNOWLEDGED
    assert [message.what for message in bench.messages] == ["raised", "raised"]


def test_a_gateway_is_heard_once_the_records_are_back(bench: Bench) -> None:
    bench.fakes.down = {"records"}
    bench.people.met(Contact(f"{SITE}/gw-1", False, 1))
    bench.people.met(Contact("ailleurs/gw-1", False, 1))
    bench.turn()
    assert len(bench.keeper.desk.alarms.known) == 1
    bench.fakes.down = set()
    bench.turn(RETRY_S)
    assert {key.id for key in bench.keeper.desk.alarms.known} == {KEY.id, "gw-1/gateway"}
    assert {key.site for key in bench.keeper.desk.alarms.known} == {SITE}


def test_what_others_made_durable_is_told_to_the_series(bench: Bench) -> None:
    learned = Transition("baseline:x", SITE, "P-101", "", "", 1, "baseline", "learned", "learning", "{}")
    bench.keeper.tell([learned])
    bench.turn()
    assert list(bench.fakes.written[-1].fields["event_id"]) == ["baseline:x"]


def line(edge: str, epoch: str, adds_up: bool | None) -> LedgerLine:
    return LedgerLine(edge, epoch, 1, 1, 1, 0, 0, 0, adds_up, 0, 0)


def test_a_ledger_speaks_for_all_outboxes_that_are_heard(bench: Bench) -> None:
    edge = f"{SITE}/gw-1"
    for n, (lines, life) in enumerate(
        (
            ([line(edge, "a", True), line(edge, "b", None)], None),
            ([line(edge, "a", True), line(edge, "b", False)], Life.UNACKNOWLEDGED),
            ([line(edge, "a", None), line(edge, "b", None)], Life.UNACKNOWLEDGED),
            ([line(edge, "a", True), line(edge, "b", None)], Life.RETURNED),
        ),
        1,
    ):
        bench.people.accounted([*lines, line("ailleurs/gw-2", "c", False)], n)
        found = {key.id: alarm.life for key, alarm in bench.keeper.desk.alarms.known.items()}
        assert found.get("gw-1/ledger") is life
        assert "gw-2/ledger" not in found
