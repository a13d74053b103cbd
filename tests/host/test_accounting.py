"""The accounts: which ledger lines are rows, which are events, and which an alarm may believe."""

from __future__ import annotations

import json

from ingest.accounting import Accounts
from palier.historian.rows import Transition
from palier.ledger import LedgerLine

MINUTE_NS = 60 * 10**9


def line(report: int = 0, *, adds_up: bool | None, missing: int = 0, lost: int | None = None) -> LedgerLine:
    """The line of the report of that minute; with `lost`, of an outbox that has been replaced."""
    return LedgerLine(
        *("usine/g1", "e", 10, 10, 10 - missing, 0, 0, 0, adds_up, missing, 0),
        reported_ns=report * MINUTE_NS,
        lost=lost or 0,
        replaced=lost is not None,
    )


def heard(accounts: Accounts, entry: LedgerLine) -> tuple[int, list[str], list[bool | None]]:
    """(rows written, words of the events, what an alarm hears) of one account."""
    told, events = accounts.news([entry], 5)
    accounts.written(told, 5)
    return len(told), [event.state for event in events], [said.adds_up for said in accounts.judged([entry])]


def test_a_line_is_written_each_time_and_a_silent_gateway_once() -> None:
    accounts = Accounts()
    told = [
        heard(accounts, line(n, adds_up=up))[0] for n, up in enumerate((True, True, None, None, None, True))
    ]
    assert told == [1, 1, 1, 0, 0, 1]


def test_what_could_not_be_written_is_told_again() -> None:
    accounts = Accounts()
    heard(accounts, line(1, adds_up=True))
    heard(accounts, line(2, adds_up=False))
    for _ in range(2):
        _, events = accounts.news([line(3, adds_up=False)], 5)
        assert [event.state for event in events] == ["does_not_add_up"]


def test_what_does_not_add_up_is_an_event_once_and_only_at_the_next_report() -> None:
    accounts = Accounts()
    entries = [
        line(1, adds_up=True),
        line(2, adds_up=False, missing=2),
        line(2, adds_up=False, missing=2),  # looked at again, before the next report
        line(3, adds_up=False, missing=2),
        line(4, adds_up=False, missing=2),
        line(5, adds_up=True),
    ]
    events: list[Transition] = []
    alarmed: list[bool | None] = []
    for entry in entries:
        told, new = accounts.news([entry], 5)
        accounts.written(told, 5)
        events += new
        alarmed += [said.adds_up for said in accounts.judged([entry])]
    assert [(event.previous, event.state) for event in events] == [
        ("adds_up", "does_not_add_up"),
        ("does_not_add_up", "adds_up"),
    ]
    assert json.loads(events[0].detail)["missing"] == 2
    assert alarmed == [True, None, None, False, False, True]


def test_one_report_that_adds_up_again_takes_the_doubt_away() -> None:
    accounts = Accounts()
    said = [heard(accounts, line(n, adds_up=up))[2] for n, up in enumerate((True, False, True, False, False))]
    assert said == [[True], [None], [True], [None], [False]]


def test_a_ledger_that_adds_up_from_the_first_is_no_event() -> None:
    assert Accounts().news([line(adds_up=True)], 5)[1] == ()


def test_an_outbox_that_was_replaced_ends_with_one_row_and_raises_no_alarm_of_the_ledger() -> None:
    accounts = Accounts()
    heard(accounts, line(1, adds_up=True))
    assert heard(accounts, line(1, adds_up=False, lost=3)) == (1, ["replaced"], [])
    assert heard(accounts, line(1, adds_up=False, lost=3)) == (0, [], [])


def test_what_stands_is_written_once_a_minute_however_many_gateways_report() -> None:
    accounts = Accounts()
    rows = []
    for second in range(0, 180, 10):  # each of them the report of another gateway
        told, _ = accounts.news([line(1, adds_up=True)], second * 10**9)
        accounts.written(told, second * 10**9)
        rows.append(len(told))
    assert sum(rows) == 3
    told, _ = accounts.news([line(2, adds_up=True)], 179 * 10**9)
    assert len(told) == 1, "a report is a row at once"
