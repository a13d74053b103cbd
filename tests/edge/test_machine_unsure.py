"""The link's rules for an outbox that was opened again: nothing is sent before the host told what it has."""

from __future__ import annotations

from edge_agent import events as ev
from edge_agent.machine import begin, step
from edge_agent.window import Link, Phase
from palier.wire.state import HostState
from tests.support.link_simulation import EPOCH

CREDIT = (100, 8_000_000)


def at_the_sync(sure: int | None, last_seq: int = 12) -> tuple[Link, list[ev.Effect]]:
    """Rows 5 to `last_seq` wait; the births are sent, the host's answer is not there."""
    link = begin(EPOCH, last_seq, ((5, last_seq),), sure)
    effects: list[ev.Effect] = []
    for event in (ev.Connected(), HostState(True, 1)):
        link, more = step(link, event, 0.0)
        effects += more
    return link, effects


def answer(*ranges: tuple[int, int], highest: int | None, sync: bool = True) -> ev.StoredReceived:
    return ev.StoredReceived(EPOCH, ranges, *CREDIT, sync, highest)


def test_only_what_an_earlier_process_can_have_sent_is_asked_for() -> None:
    _, effects = at_the_sync(sure=9)
    assert effects == [ev.SendBirth(((5, 9),))]
    assert at_the_sync(sure=0)[1] == [ev.SendBirth(())]


def test_what_was_numbered_since_is_not_acknowledged_by_what_the_host_has_under_those_numbers() -> None:
    link, _ = at_the_sync(sure=9)
    link, effects = step(link, answer((5, 11), highest=None, sync=False), 0.1)
    assert effects == (ev.Release(((5, 9),)),)  # a late word to the process before
    assert link.phase is Phase.SYNCING


def test_births_are_repeated_until_the_host_answers() -> None:
    link, _ = at_the_sync(sure=9)
    births = []
    for tenth in range(3000):
        link, effects = step(link, ev.Tick(), tenth / 10)
        births += [tenth / 10 for effect in effects if isinstance(effect, ev.SendBirth)]
        assert all(isinstance(effect, ev.SendBirth) for effect in effects)
    assert births == [2.0, 6.0, 14.0, 30.0, 62.0, 122.0, 182.0, 242.0]


def test_the_answer_is_on_the_disk_before_anything_is_sent() -> None:
    link, _ = at_the_sync(sure=9)
    link, effects = step(link, answer((5, 6), highest=9), 0.1)
    assert effects == (ev.Release(((5, 6),)), ev.Settle(9, 9))
    assert link.phase is Phase.SYNCING
    link, _ = step(link, ev.Settled(EPOCH, (), 12, ((7, 12),)), 0.1)
    assert (link.phase, link.sure, link.unsent) == (Phase.OPEN, None, ((7, 12),))


def test_of_what_the_disk_forgot_the_host_is_asked_once_more() -> None:
    link, _ = at_the_sync(sure=9)
    link, _ = step(link, answer(highest=40), 0.1)
    link, effects = step(link, ev.Settled(EPOCH, ((10, 40),), 43, ((5, 9), (41, 43))), 0.1)
    assert effects == (ev.SendBirth(((5, 40),)),)
    assert (link.phase, link.last_seq) == (Phase.SYNCING, 43)
    link, effects = step(link, answer((10, 38), highest=40), 0.2)
    assert effects[0] == ev.Release(((10, 38),))
    assert (link.phase, link.unsent) == (Phase.OPEN, ((5, 9), (41, 43)))


def test_a_disk_that_refuses_the_answer_holds_everything_back_until_it_takes_it() -> None:
    link, _ = at_the_sync(sure=9)
    link, _ = step(link, answer(highest=40), 0.1)  # and no Settled
    link, effects = step(link, ev.Tick(), 2.0)
    assert effects == (ev.SendBirth(((5, 9),)),)
    link, effects = step(link, answer(highest=40), 2.1)
    assert effects == (ev.Settle(40, 9),)


def test_a_host_that_tells_no_highest_opens_the_link_as_it_did() -> None:
    link, _ = at_the_sync(sure=9)
    link, effects = step(link, answer(highest=None), 0.1)
    assert effects == (ev.Settle(None, 9),)


def test_a_new_outbox_waits_two_seconds_for_the_answer_and_no_longer() -> None:
    link, _ = at_the_sync(sure=None)
    link, _ = step(link, ev.Tick(), 2.0)
    assert link.phase is Phase.OPEN


def test_a_host_that_has_more_than_was_ever_given_is_heard_at_any_sync() -> None:
    """A copy of the card in another gateway: the numbers of both would be taken for one another's."""
    link, _ = at_the_sync(sure=None)
    link, effects = step(link, answer(highest=30), 0.1)
    assert effects == (ev.Settle(30, 12),)
    link, effects = step(link, ev.Tick(), 2.1)  # a disk that refuses the answer
    assert (link.phase, effects) == (Phase.SYNCING, (ev.SendBirth(((5, 12),)),))


def test_an_agent_that_stops_in_doubt_reports_no_numbers() -> None:
    link, _ = at_the_sync(sure=9)
    assert step(link, ev.Stop(), 0.1)[1] == (ev.SendDeath(), ev.Disconnect())


def test_the_answer_for_a_file_that_was_replaced_meanwhile_changes_nothing() -> None:
    link, _ = at_the_sync(sure=9)
    link, _ = step(link, answer(highest=40), 0.1)
    link, _ = step(link, ev.OutboxReplaced("cd" * 8), 0.1)
    after, effects = step(link, ev.Settled(EPOCH, ((10, 40),), 43, ((41, 43),)), 0.1)
    assert (after, effects) == (link, ())
