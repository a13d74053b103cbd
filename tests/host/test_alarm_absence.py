"""Who should speak and does not, and who speaks under our name: gateways at a start, words kept, rivals."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from ingest.alarm_evidence import of_gateway, of_host
from ingest.alarm_life import take_out
from ingest.alarm_records import batch_of
from ingest.alarms import Alarms, Announce, amend, restore, step
from ingest.batch import Contact, Now
from ingest.contacts import Contacts
from ingest.edges import ABSENT_S, MAX_EDGES
from ingest.expected import LATELY_NS, Expected, reported_lately
from ingest.link import HostLink
from ingest.rival import QUIET_S, SHORT_S, Rival
from palier.alarms import Life
from palier.historian.rows import LedgerReceipt
from palier.locale import LANGUAGES, Catalogue
from palier.plant import Plant
from palier.wire.reports import LedgerReport
from tests.host.test_link import linked
from tests.support.pipeline_bench import EDGE, Bench
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

OTHER = "usine/g2"


# Words on gateways while the records are down ---------------------------------------------------------------


def word(edge: str, there: bool, at: int) -> Contact:
    return Contact(edge, there, at)


def test_of_a_gateway_that_flaps_the_last_two_words_are_kept_and_the_rest_counted() -> None:
    contacts = Contacts()
    said = [word(EDGE, at % 2 == 1, at) for at in range(10)]
    for one in said:
        contacts.add(one)
    assert contacts.waiting() == tuple(said[-2:])  # that it was away, and that it is back
    assert contacts.merged == 8


def test_the_room_is_bounded_whatever_names_are_invented() -> None:
    contacts = Contacts()
    for n in range(MAX_EDGES + 5):
        contacts.add(word(f"usine/g{n}", False, n))
    assert len(contacts.waiting()) == MAX_EDGES
    assert contacts.merged == 5
    assert contacts.waiting()[0].edge == "usine/g5"


def test_what_came_while_the_others_were_told_waits_on() -> None:
    contacts = Contacts()
    contacts.add(word(EDGE, False, 1))
    told = contacts.waiting()
    contacts.add(word(EDGE, True, 2))
    contacts.told(told)
    assert [c.since_ns for c in contacts.waiting()] == [2]
    contacts.told(contacts.waiting())
    assert contacts.waiting() == ()


# Gateways at a start ----------------------------------------------------------------------------------------


def at(link_s: float) -> Now:
    return Now(link_s, round(link_s), 0)


def test_a_gateway_that_is_not_heard_within_a_minute_is_gone_and_said_so_once() -> None:
    expected = Expected([EDGE, OTHER])
    assert expected.turn(at(0), lambda _: False, up=True) == ()
    assert expected.turn(at(ABSENT_S - 1), lambda edge: edge == OTHER, up=True) == ()
    assert expected.turn(at(ABSENT_S), lambda _: False, up=True) == (Contact(EDGE, False, 60),)
    assert expected.turn(at(2 * ABSENT_S), lambda _: False, up=True) == ()


def test_the_minute_begins_with_a_link_that_stays_up() -> None:
    expected = Expected([EDGE])
    for link_s, up in ((0, False), (100, True), (150, False), (151, True), (210, True)):
        assert expected.turn(at(link_s), lambda _: False, up=up) == ()
    assert expected.turn(at(211), lambda _: False, up=True) != ()


def test_who_has_not_reported_for_a_month_is_not_waited_for() -> None:
    report = LedgerReport("e", 1, 1, (), None, 0)
    receipts = [LedgerReceipt(EDGE, 2 * LATELY_NS, report), LedgerReceipt(OTHER, LATELY_NS, report)]
    assert reported_lately(receipts, 2 * LATELY_NS + 1) == {EDGE}


def test_a_gateway_spoke_when_it_was_born_or_sent_a_frame(plant: Plant) -> None:
    for speak in (Bench.born, lambda bench: bench.frame(1)):
        bench = Bench(plant)
        assert not bench.pipeline.edges.spoke(EDGE)
        speak(bench)
        assert bench.pipeline.edges.spoke(EDGE)


def test_of_a_gateway_that_was_taken_away_and_out_of_service_no_start_tells_anybody() -> None:
    alarms, _ = step(Alarms(), [of_gateway("usine", "g2", 1, offline=True)])
    (alarm,) = alarms.open
    out, _ = amend(alarms, take_out(alarm, 2, "h.alami", "scrapped"))
    back, _ = step(out, [of_gateway("usine", "g2", 3, offline=False)])
    for before in (out, back):  # and where it was heard once more
        _, effects = step(before, [of_gateway("usine", "g2", 4, offline=True)])
        assert not any(isinstance(effect, Announce) for effect in effects)


# Two hosts of one name --------------------------------------------------------------------------------------


def cut_short(rival: Rival, at_s: float, ours: int, *seen: int, thrown_out: bool = False) -> None:
    rival.connecting(ours)
    rival.online(at_s)
    for state_ms in (*seen, ours):
        rival.saw(state_ms)
    rival.ended(at_s + 1, thrown_out=thrown_out)


def test_times_of_others_and_connections_that_are_cut_are_a_rival() -> None:
    rival = Rival()
    cut_short(rival, 0, 100, 90)  # 90: what an earlier run left
    cut_short(rival, 2, 200)
    assert not rival.there
    cut_short(rival, 4, 300, 250)
    assert rival.there
    rival.online(10)
    rival.turn(10 + QUIET_S)
    assert not rival.there


def test_the_reason_of_mqtt_5_needs_no_times_but_once_is_a_restart_of_ours() -> None:
    rival = Rival()
    cut_short(rival, 0, 100, thrown_out=True)
    assert not rival.there
    cut_short(rival, 2, 200, thrown_out=True)
    assert rival.there


def test_a_broker_that_restarts_again_and_again_is_no_rival() -> None:
    rival = Rival()
    for n in range(10):
        cut_short(rival, n * 3, n, 90 if n == 0 else n)
    assert not rival.there


def test_connections_that_last_are_no_cuts_whatever_times_are_seen() -> None:
    rival = Rival()
    for n in range(5):
        rival.connecting(10 * n)
        rival.online(100 * n)
        rival.saw(10 * n + 5)
        rival.ended(100 * n + SHORT_S + 1, thrown_out=False)
    assert not rival.there


def test_that_nobody_else_is_there_is_known_once_a_connection_lasts() -> None:
    rival = Rival()
    rival.connecting(1)
    rival.online(5)
    rival.turn(5 + QUIET_S - 1)
    assert rival.there is None
    rival.turn(5 + QUIET_S)
    assert rival.there is False


def test_a_word_that_nobody_else_is_there_ends_the_alarm_of_an_earlier_run_and_makes_none() -> None:
    alone = of_host("usine", "palier", 2, taken=False)
    assert step(Alarms(), [alone])[1] == ()
    _, effects = step(Alarms(), [of_host("usine", "palier", 1, taken=True)])
    kept, _ = restore(batch_of(effects).alarms)
    after, _ = step(kept, [alone])
    assert [alarm.life for alarm in after.open] == [Life.RETURNED]


def test_two_hosts_of_one_name_find_each_other_out(mosquitto: Mosquitto) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(linked(mosquitto.port)) for _ in range(2)]

        def told(link: HostLink) -> bool:
            status = link.status  # as a whole: it may be another the next time
            return bool(status.rival) and "host_id 'palier'" in status.detail

        eventually(lambda: any(map(told, links)), 60, "a rival found out, and told")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_rival_is_an_alarm_with_words(lang: str) -> None:
    raised = of_host("usine", "palier", 1, taken=True)
    alarms, _ = step(Alarms(), [raised])
    assert alarms.get(raised.key).life is Life.UNACKNOWLEDGED
    words = Catalogue(lang)
    assert raised.action in words
    assert f"refusal.{raised.causes[0].feature}" in words
    alarms, _ = step(alarms, [of_host("usine", "palier", 2, taken=False)])
    assert alarms.get(raised.key).life is Life.RETURNED
