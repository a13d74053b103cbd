"""What is said of gateways beside contact and ledger: told once, kept over a restart, bounded."""

from __future__ import annotations

import pytest

from ingest.alarms import restore
from ingest.gateway_words import MOST_WORDS, NUMBERS_S, GatewayWords
from ingest.people import RETRY_S, TICK_S
from palier.alarm_modes import GATEWAY_KINDS
from palier.alarm_text import measured_lines, to_do_line
from palier.alarms import Alarm, Life
from palier.historian.rows import AlarmRow
from palier.locale import LANGUAGES, Catalogue
from tests.host.test_people import Bench
from tests.support.alarms import SITE

EDGE = f"{SITE}/gw-1"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def alarm(bench: Bench, kind: str, node: str = "gw-1") -> Alarm | None:
    found = {key.id: one for key, one in bench.keeper.desk.alarms.known.items()}
    return found.get(f"{node}/{kind}")


def test_a_condition_comes_and_goes_with_its_numbers_and_what_to_do(bench: Bench) -> None:
    bench.people.gateway_says(EDGE, "dropped", {"cap": 120, "disk": 3}, active=True)
    bench.turn()
    raised = alarm(bench, "dropped")
    assert raised is not None
    assert raised.life is Life.UNACKNOWLEDGED
    french = Catalogue("fr")
    said = measured_lines(raised, french)
    assert any(line.startswith("Blocs abandonnés, la file d") and "120" in line for line in said)
    assert "disque" in to_do_line(raised, french)
    assert [message.what for message in bench.messages] == ["raised"]
    bench.people.gateway_says(EDGE, "dropped", {}, active=False)
    bench.turn()
    after = alarm(bench, "dropped")
    assert after is not None
    assert after.life is Life.RETURNED


def test_a_burst_of_the_same_word_costs_nothing(bench: Bench) -> None:
    for _ in range(1000):
        bench.people.gateway_says(EDGE, "clock", {"unsynced": 5}, active=True)
    bench.turn()
    assert bench.fakes.log.count("records") == 1
    for n in range(50):
        bench.people.gateway_says(EDGE, "clock", {"unsynced": 5}, active=True)
        bench.people.gateway_says(EDGE, "clock", {"unsynced": 6 + n}, active=True)
        bench.turn()
    assert bench.fakes.log.count("records") == 1, "numbers alone are told once a minute"
    bench.turn(NUMBERS_S)
    assert bench.fakes.log.count("records") == 2
    standing = alarm(bench, "clock")
    assert standing is not None
    assert standing.causes[0].value == 55
    assert len(bench.messages) == 1


def test_calm_of_what_never_stood_is_no_news(bench: Bench) -> None:
    bench.people.gateway_says(EDGE, "takeover", {}, active=False)
    bench.turn()
    assert (alarm(bench, "takeover"), bench.fakes.log) == (None, [])


def test_what_came_and_went_between_two_turns_is_told(bench: Bench) -> None:
    bench.people.gateway_says(EDGE, "takeover", {"per_minute": 4}, active=True)
    bench.people.gateway_says(EDGE, "takeover", {}, active=False)
    bench.turn()
    after = alarm(bench, "takeover")
    assert after is not None
    assert (after.life, after.raises) == (Life.RETURNED, 1)


def test_over_a_restart_nothing_is_repeated_or_forgotten(bench: Bench) -> None:
    bench.people.gateway_says(EDGE, "quarantine", {"messages": 7}, active=True)
    bench.turn()
    rows = [AlarmRow(a.key.site, a.key.id, a.to_json()) for a in bench.keeper.desk.alarms.known.values()]
    again = Bench()
    again.keeper.desk = type(again.keeper.desk)(alarms=restore(rows)[0])
    again.people.gateway_says(EDGE, "quarantine", {"messages": 9}, active=True)
    again.turn()
    still = alarm(again, "quarantine")
    assert still is not None
    assert (still.life, still.raises, still.causes[0].value) == (Life.UNACKNOWLEDGED, 1, 9)
    assert again.messages == []
    again.people.gateway_says(EDGE, "quarantine", {}, active=False)
    again.turn()
    assert [message.what for message in again.messages] == ["returned"]


def test_a_clock_that_was_set_back_makes_nobody_deaf(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.people.gateway_says(EDGE, "disk", {"days": 3}, active=True)
    bench.turn()
    early = bench.people._clock.now_ns() - 3600 * 10**9
    monkeypatch.setattr(type(bench.people._clock), "now_ns", lambda _: early)
    bench.people.gateway_says(EDGE, "disk", {}, active=False)
    bench.turn()
    after = alarm(bench, "disk")
    assert after is not None
    assert after.life is Life.RETURNED


def test_words_wait_while_the_records_are_down(bench: Bench) -> None:
    bench.fakes.down = {"records"}
    bench.people.gateway_says(EDGE, "new_outbox", {}, active=True)
    bench.turn()
    assert alarm(bench, "new_outbox") is None
    bench.fakes.down = set()
    bench.turn(RETRY_S + TICK_S)
    assert alarm(bench, "new_outbox") is not None


def test_another_sites_gateway_raises_nothing_and_an_unknown_kind_is_refused(bench: Bench) -> None:
    bench.people.gateway_says("ailleurs/gw-1", "clock", {}, active=True)
    bench.turn()
    assert not bench.keeper.desk.alarms.known
    with pytest.raises(ValueError, match="one of broker_dropping"):
        bench.people.gateway_says(EDGE, "gateway", {}, active=True)


def test_words_of_more_gateways_than_there_can_be_give_way() -> None:
    words = GatewayWords()
    for n in range(MOST_WORDS + 10):
        words.say(f"{SITE}/g{n}", "clock", {}, active=True, ts_ns=n)
    assert len(words.waiting(0.0)) == MOST_WORDS
    assert words.merged == 10


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_kind_has_words(lang: str) -> None:
    words = Catalogue(lang)
    wanted = {f"{key}{kind}" for kind in GATEWAY_KINDS for key in ("alarm.mode_", "alarm.cause_", "action.")}
    assert not wanted - words.keys()
