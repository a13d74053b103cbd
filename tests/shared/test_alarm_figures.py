"""How many alarms, from whom, and which chatter."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.alarm_figures import HOUR_NS, MINUTE_NS, densest, figures
from palier.historian.rows import Transition

SECOND_NS = 10**9


def event(
    alarm: str, ts_ns: int, *, what: str = "raised", state: str = "unacknowledged", kind: str = "alarm"
) -> Transition:
    detail = json.dumps({"alarm": alarm, "what": what, "priority": "low"})
    return Transition(f"{alarm}{ts_ns}", "s", "m", "", "", ts_ns, kind, state, "normal", detail)


def test_the_worst_actors_come_first_with_their_share() -> None:
    events = [event(f"m{n}/vibration", k * HOUR_NS) for n in range(12) for k in range(n + 1)]
    found = figures(events, 0, 24 * HOUR_NS)
    assert (found.raises, found.per_hour) == (78, 78 / 24)
    assert len(found.bad_actors) == 10
    assert (found.bad_actors[0].alarm, found.bad_actors[0].raises) == ("m11/vibration", 12)
    assert found.bad_actors[0].share == pytest.approx(12 / 78)
    assert found.priorities == {"low": 1.0}
    assert found.chattering == ()


def test_three_raises_within_a_minute_chatter() -> None:
    slow = [
        event("slow", k * 30 * SECOND_NS) for k in range(3)
    ]  # the third comes a full minute after the first
    fast = [event("fast", HOUR_NS + k * 29 * SECOND_NS) for k in range(3)]
    found = figures([*slow, *fast], 0, 2 * HOUR_NS)
    assert [actor.alarm for actor in found.chattering] == ["fast"]


def test_only_what_people_saw_raised_counts() -> None:
    events = [
        event("a", 1, what="acknowledged", state="acknowledged"),
        event("a", 2, state="shelved"),
        event("a", 3, kind="observation"),
        event("a", 4, what="eased"),
        event("a", 5, what="escalated"),
        event("a", HOUR_NS),
        Transition("x", "s", "m", "", "", 6, "alarm", "unacknowledged", "normal", "no JSON"),
    ]
    assert figures(events, 0, HOUR_NS).raises == 1


def test_nothing_happened() -> None:
    found = figures([], 0, HOUR_NS)
    assert (found.raises, found.per_hour, found.actors) == (0, 0.0, ())
    with pytest.raises(ValueError, match="must end after"):
        figures([], 5, 5)


@given(st.lists(st.integers(0, 10 * MINUTE_NS)))
def test_the_densest_minute_is_the_one_that_counting_finds(times: Sequence[int]) -> None:
    assert densest(times) == max((sum(t <= u < t + MINUTE_NS for u in times) for t in times), default=0)
