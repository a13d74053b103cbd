"""How long the agent waits before it connects again, and what it takes for a refusal."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.backoff import BACKOFF_S, REFUSED_BACKOFF_S, next_pause_s
from edge_agent.connection import _unreached
from edge_agent.settings import BrokerSettings


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_pauses_stay_in_their_bounds_and_a_good_connection_makes_the_next_a_short_one(
    ends: list[tuple[bool, bool]],
) -> None:
    pause_s = BACKOFF_S[0]
    for steady, refused in ends:
        first_s, longest_s = REFUSED_BACKOFF_S if refused else BACKOFF_S
        before_s, pause_s = pause_s, next_pause_s(pause_s, steady=steady, refused=refused)
        assert first_s <= pause_s <= longest_s
        assert pause_s == first_s if steady else pause_s >= min(before_s, longest_s)


def test_a_broker_that_is_away_is_tried_within_ten_seconds_one_that_refuses_within_a_minute_and_a_half() -> (
    None
):
    away_s = refused_s = BACKOFF_S[0]
    for _ in range(20):
        away_s = next_pause_s(away_s, steady=False, refused=False)
        refused_s = next_pause_s(refused_s, steady=False, refused=True)
    longest_jitter = 1.5
    assert away_s * longest_jitter < 10
    assert refused_s * longest_jitter == 90


@pytest.mark.parametrize(("code", "refused"), [(9, False), (10, True), (20, True)])
def test_a_certificate_that_is_not_valid_yet_is_a_matter_of_our_clock(code: int, refused: bool) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    failed = _unreached(error, BrokerSettings())
    assert failed.refused is refused
    assert ("not valid yet: is the clock of this machine right?" in str(failed)) is not refused


def test_nobody_at_the_port_is_no_refusal() -> None:
    assert not _unreached(ConnectionRefusedError(111, "Connection refused"), BrokerSettings()).refused
