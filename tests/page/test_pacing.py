"""Pauses and budgets as values: they grow, they end, they are bounded, and they lock nobody out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.known_browsers import MOST, KnownBrowsers
from dashboards.console.pacing import (
    FORGOTTEN_S,
    FREE_FAILURES,
    LONGEST_PAUSE_S,
    LONGEST_USERS_PAUSE_S,
    Attempt,
    Budgets,
    LoginPace,
    Pauses,
    neighbourhood,
)


def test_a_hundred_attempts_at_once_are_not_a_hundred_guesses() -> None:
    pace = LoginPace()
    heard = [pace.begin(Attempt("samir", "192.0.2.7"), 0.0) == 0.0 for _ in range(100)]
    assert heard.count(True) == FREE_FAILURES


def test_success_takes_back_its_own_attempt_and_no_other() -> None:
    pace = LoginPace()
    mine, guess = Attempt("mallory", "192.0.2.7"), Attempt("samir", "192.0.2.7")
    waits = []
    for second in range(
        FREE_FAILURES + 2
    ):  # between guesses a login that works, with an account of one's own
        if pace.begin(mine, float(second)) == 0.0:
            pace.succeeded(mine)
        waits.append(pace.begin(guess, float(second)))
    assert waits[:FREE_FAILURES] == [0.0] * FREE_FAILURES
    assert waits[FREE_FAILURES] > 0


def test_guesses_from_many_addresses_keep_nobody_out_who_comes_from_a_quiet_one() -> None:
    pace = LoginPace()
    for host in range(200):
        for _ in range(3):
            pace.begin(Attempt("samir", f"192.0.2.{host}"), 0.0)
    assert pace.begin(Attempt("samir", "198.51.100.1"), 0.0) == 0.0
    again = pace.begin(Attempt("samir", "192.0.2.1"), 0.0)
    assert 0 < again <= LONGEST_USERS_PAUSE_S


def test_a_failure_is_forgotten() -> None:
    pauses = Pauses(LONGEST_PAUSE_S)
    for _ in range(50):
        pauses.failed("k", 0.0)
    assert pauses.wait_s("k", 0.0) == LONGEST_PAUSE_S
    assert pauses.wait_s("k", FORGOTTEN_S + 1) == 0.0
    pauses.failed("k", FORGOTTEN_S + 1)
    assert pauses.wait_s("k", FORGOTTEN_S + 1) == 0.0


def test_what_is_remembered_is_bounded() -> None:
    pauses, budgets = Pauses(60.0, most=10), Budgets(5, 1.0, most=10)
    for n in range(1000):
        pauses.failed(f"name {n}", float(n))
        budgets.take(f"address {n}", float(n))
    assert (len(pauses), len(budgets)) == (10, 10)


@given(st.lists(st.floats(0, 3), max_size=60))
def test_a_budget_never_gives_more_than_its_burst_and_its_rate(gaps_s: list[float]) -> None:
    budgets, now_s, given_out = Budgets(5, 2.0), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        wait_s = budgets.take("k", now_s)
        given_out += wait_s == 0.0
        assert 0.0 <= wait_s <= 0.5
    assert given_out <= 5 + 2.0 * now_s + 1e-6


def test_a_host_cannot_change_its_neighbourhood() -> None:
    assert neighbourhood("192.0.2.7") == neighbourhood("::ffff:192.0.2.7") == "192.0.2.7"
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::2:3") == "2001:db8::/64"
    assert neighbourhood("fe80::1%eth0") == "fe80::/64"
    assert len(neighbourhood("x" * 500)) == 64


def test_a_browser_is_known_to_whom_it_was_used_by_and_to_nobody_else() -> None:
    browsers, others = KnownBrowsers(b"k" * 32), KnownBrowsers(b"x" * 32)
    cookie = browsers.with_account("", "samir")
    assert browsers.known(cookie, "samir")
    assert not browsers.known(cookie, "hanane")
    assert not others.known(cookie, "samir")
    for forged in (
        "",
        "garbage",
        cookie[:-1],
        cookie.replace(".", "x"),
        cookie + ".",
        "0" * 32 + cookie[32:],
    ):
        assert not browsers.known(forged, "samir")
    for n in range(MOST):
        cookie = browsers.with_account(cookie, f"other {n}")
    assert not browsers.known(cookie, "samir")
    assert browsers.known(browsers.with_account(cookie, "samir"), f"other {MOST - 1}")
