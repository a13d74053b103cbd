"""What records, broker and certificate say of gateways and host: when an alarm comes, and when it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.conditions import (
    CERTIFICATE_AGAIN_S,
    CERTIFICATE_S,
    HOUR_NS,
    PUT_ASIDE,
    BrokerDrops,
    CertificateWatch,
    Conditions,
)
from ingest.gateway_events import gateway_event
from ingest.people import TICK_S
from palier.alarm_modes import Mode
from palier.frames import FrameId
from palier.historian.records import LedgerReceipt, QuarantineRow, Records, RecordsBatch
from palier.settings import BrokerSettings
from palier.wire.messages import LedgerReport
from tests.host.test_people import Bench
from tests.support.alarms import SITE

EDGE, HOST = f"{SITE}/gw-1", f"{SITE}/palier"
T0 = 1_800_000 * HOUR_NS
OLD, YOUNG = "0" * 16, "1" * 16

Said = dict[tuple[str, str], tuple[dict[str, float | None], bool]]


@dataclass
class House:
    """Conditions over real records; `said` is the last word of each kind."""

    records: Records
    said: Said = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.conditions = Conditions(self.records, self.say, host=HOST)

    def say(self, edge: str, kind: str, detail: Mapping[str, float | None], active: bool) -> None:
        self.said[edge, str(kind)] = (dict(detail), active)

    def turn(self, now_ns: int, standing: tuple[tuple[str, Mode], ...] = ()) -> Said:
        self.said.clear()
        self.conditions.turn(self.records.ledger_lines(now_ns), standing, now_ns, now_ns)
        return self.said

    def report(
        self, *given_up: tuple[int, int, str], epoch: str = OLD, pending: int = 0, at_ns: int = T0
    ) -> None:
        oldest = 90 - pending + 1 if pending else None
        told = LedgerReport(epoch, 90, 90, given_up, oldest, pending)
        self.records.commit(RecordsBatch(ledgers=(LedgerReceipt(EDGE, at_ns, told),)))

    def put_aside(self, n: int, edge: str = EDGE, at_ns: int = T0) -> None:
        rows = tuple(QuarantineRow(at_ns, edge, "t", "decode", "s", b"?") for _ in range(n))
        self.records.commit(RecordsBatch(quarantine=rows))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(Records(tmp_path / "records.sqlite")) as records:
        yield House(records)


def test_what_a_gateway_gave_up_is_told_by_reason_for_an_hour(house: House) -> None:
    house.report((1, 4, "cap"), (6, 6, "disk"))
    assert house.turn(T0 + HOUR_NS // 2)[EDGE, "dropped"] == ({"cap": 4, "disk": 1}, True)
    house.report((1, 4, "cap"), (6, 6, "disk"), at_ns=T0 + HOUR_NS)
    assert house.turn(T0 + HOUR_NS + 1)[EDGE, "dropped"] == ({}, False)
    house.report((1, 4, "cap"), (6, 6, "disk"), (9, 9, "unreadable"), at_ns=T0 + 2 * HOUR_NS)
    assert house.turn(T0 + 2 * HOUR_NS)[EDGE, "dropped"] == ({"unreadable": 1}, True)


def test_a_new_outbox_is_told_for_a_day_with_what_was_lost_in_the_old_one(house: House) -> None:
    house.report(pending=5)
    house.records.commit(RecordsBatch(transitions=(gateway_event(EDGE, "new_outbox", YOUNG, T0 + 1),)))
    assert house.turn(T0 + 1)[EDGE, "new_outbox"] == ({}, True)
    house.report(epoch=YOUNG, at_ns=T0 + 2)
    assert house.turn(T0 + 3)[EDGE, "new_outbox"] == ({"pending": 5}, True)
    assert house.turn(T0 + 25 * HOUR_NS)[EDGE, "new_outbox"] == ({}, False)


def test_messages_put_aside_are_told_where_they_are_more_than_strays(house: House) -> None:
    house.report()
    house.put_aside(PUT_ASIDE - 1)
    assert house.turn(T0)[EDGE, "quarantine"] == ({}, False)
    house.put_aside(1)
    house.put_aside(7, edge="")
    said = house.turn(T0 + HOUR_NS)
    assert said[EDGE, "quarantine"] == ({"messages": PUT_ASIDE}, True)
    assert said[HOST, "quarantine"] == ({"messages": 7}, True)
    assert house.turn(T0 + 2 * HOUR_NS)[EDGE, "quarantine"] == ({}, False)


def test_an_alarm_that_stands_from_an_earlier_run_ends_though_nobody_reports(house: House) -> None:
    plc = f"{SITE}/plc"  # speaks Sparkplug without a ledger
    said = house.turn(T0, standing=((plc, Mode.QUARANTINE), (plc, Mode.GATEWAY)))
    assert said == {(plc, "quarantine"): ({}, False)}


def test_frames_of_an_alarm_s_outbox_are_stored_and_nothing_is_said(house: House) -> None:
    house.records.commit(RecordsBatch(stored=tuple(FrameId(EDGE, OLD, seq) for seq in range(1, 91))))
    house.report()
    assert not any(active for _, active in house.turn(T0).values())


# The broker ------------------------------------------------------------------------------------------------


def test_what_the_broker_drops_is_an_alarm_for_an_hour_after_the_last() -> None:
    drops = BrokerDrops()
    assert drops.turn(None, 0.0) is None
    drops.heard(0)
    assert drops.turn(None, 1.0) == ({}, False)
    drops.heard(7)
    assert drops.turn(None, 2.0) == ({"messages": 7}, True)
    assert drops.turn(7, 3601.0) == ({"messages": 7}, True)
    assert drops.turn(7, 3603.0) == ({}, False)
    drops.heard(3)  # the broker began anew, and drops again
    assert drops.turn(None, 4000.0) == ({"messages": 3}, True)


def test_after_a_restart_the_number_that_was_told_is_told_no_more() -> None:
    drops = BrokerDrops()
    drops.heard(7)
    assert drops.turn(7, 10.0) == ({"messages": 7}, True), "it stands: its hour begins anew"
    assert drops.turn(7, 3611.0) == ({}, False)


def test_people_hear_of_the_broker() -> None:
    bench = Bench()
    bench.people.broker_dropped(12)
    bench.turn()
    bench.turn(TICK_S)
    (alarm,) = bench.keeper.desk.alarms.known.values()
    assert (alarm.key.id, alarm.causes[0].value) == ("palier/broker_dropping", 12)


# The certificate -------------------------------------------------------------------------------------------


class Answers:
    """A broker whose certificate ends in so many days; None: it does not answer."""

    def __init__(self, *days: float | None) -> None:
        self.days = [*days]
        self.said: list[tuple[Mapping[str, float | None], bool]] = []

    def ends(self, _: object) -> datetime | None:
        left = self.days.pop(0)
        return None if left is None else datetime.now(UTC) + timedelta(days=left)

    def say(self, edge: str, kind: str, detail: Mapping[str, float | None], active: bool) -> None:
        assert (edge, kind) == (HOST, "certificate")
        self.said.append((detail, active))


def test_a_certificate_is_looked_at_once_a_day_and_told_of_thirty_days_ahead(tmp_path: Path) -> None:
    answers = Answers(None, 31.5, 29.5)
    broker = BrokerSettings(tls_ca=tmp_path / "ca.crt")
    watch = CertificateWatch(broker, answers.say, host=HOST, ends=answers.ends)
    for at_s in (0.0, CERTIFICATE_AGAIN_S, CERTIFICATE_AGAIN_S + CERTIFICATE_S):
        watch.turn(at_s)
        assert watch._asking is not None
        watch._asking.join()
        watch.turn(at_s)  # it has answered: asked again later
        watch.turn(at_s + CERTIFICATE_AGAIN_S - 1)
    assert answers.said == [({}, False), ({"days": 29}, True)]


def test_without_tls_there_is_no_certificate_to_end() -> None:
    answers = Answers()
    watch = CertificateWatch(BrokerSettings(), answers.say, host=HOST, ends=answers.ends)
    for at_s in (0.0, 1.0, 10 * CERTIFICATE_S):
        watch.turn(at_s)
    assert answers.said == [({}, False)]
