"""Which waveforms are sent: all, those that somebody wants, and one a day; within a budget, by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.modes import (
    ALARM_EVERY_NS,
    DAY_NS,
    SHARE,
    Arrival,
    Cause,
    Mode,
    Rules,
    Sent,
    decide,
    left,
    read_sent,
    released,
    remembered,
)
from palier.frames import MAX_FRAME_BYTES

DAY = 20_000
NOON = DAY * DAY_NS + DAY_NS // 2
MB = 1_000_000


def arrival(
    end_ns: int = NOON,
    *,
    machine: str = "P-101",
    mode: Mode = Mode.ADAPTIVE,
    size: int = MB,
    urgent: bool = False,
    turning: bool = True,
) -> Arrival:
    return Arrival(machine, f"{machine}/1@25600", end_ns, size, mode, urgent, turning)


def causes(
    arrivals: Sequence[Arrival],
    sent: Sent = Sent(),  # noqa: B008 - frozen
    rules: Rules = Rules(),  # noqa: B008
    *,
    wanted: bool = False,
    alarmed: Sequence[str] = (),
    now_ns: int = NOON,
) -> tuple[Sent, tuple[Cause | None, ...]]:
    return decide(
        sent, rules, arrivals, now_ns=now_ns, wanted=lambda _machine, _end_ns: wanted, alarmed=alarmed
    )


def test_mode_waveform_sends_all_and_remembers_nothing() -> None:
    blocks = [arrival(mode=Mode.WAVEFORM)] * 3
    sent, given_ = causes(blocks, Sent(DAY), Rules(budget=MB))
    assert (sent, given_) == (Sent(DAY), (Cause.MODE,) * 3)


def test_one_a_day_of_each_point() -> None:
    blocks = [arrival(NOON + hour * DAY_NS // 24) for hour in range(48)]
    _, given_ = causes(blocks)
    assert [n for n, cause in enumerate(given_) if cause] == [0, 12, 36]


def test_mode_features_sends_none_by_itself() -> None:
    assert causes([arrival(mode=Mode.FEATURES)], alarmed=["P-101"])[1] == (None,)
    assert causes([arrival(mode=Mode.FEATURES)], wanted=True)[1] == (Cause.WISH,)
    assert causes([arrival(mode=Mode.FEATURES, urgent=True)])[1] == (Cause.URGENT,)


def test_one_a_day_can_be_left_out() -> None:
    assert causes([arrival()], rules=Rules(one_a_day=False))[1] == (None,)


def test_the_days_own_is_of_a_machine_that_turns_as_long_as_the_day_is_young() -> None:
    morning = NOON - DAY_NS // 4
    assert causes([arrival(morning, turning=False), arrival(morning + 1)])[1] == (None, Cause.DAILY)
    assert causes([arrival(NOON + 1, turning=False)])[1] == (Cause.DAILY,)


def test_a_machine_in_alarm_sends_one_in_ten_minutes_however_many_it_takes() -> None:
    blocks = [arrival(NOON + second * 10**9) for second in range(0, 3600, 60)]
    _, given_ = causes(blocks, alarmed=["P-101"])
    assert given_.count(Cause.ALARM) == 3600 * 10**9 // ALARM_EVERY_NS
    assert causes([arrival()], alarmed=["P-102"])[1] == (Cause.DAILY,)


def test_what_the_host_wants_is_sent_before_any_other_reason_counts() -> None:
    assert causes([arrival(urgent=True)], wanted=True, alarmed=["P-101"])[1] == (Cause.WISH,)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (Cause.WISH, {"wanted": True}),
        (Cause.ALARM, {"alarmed": ["P-101"]}),
        (Cause.DAILY, {}),
    ],
)
def test_each_cause_may_use_its_share_of_the_budget(cause: Cause, told: dict[str, bool]) -> None:
    rules, size = Rules(budget=10 * MB), MB
    just = Sent(DAY, spent=round(SHARE[cause] * 10 * MB) - size)
    assert causes([arrival(size=size)], just, rules, **told)[1] == (cause,)  # type: ignore[arg-type]
    beyond = replace(just, spent=just.spent + 1)
    assert causes([arrival(size=size)], beyond, rules, **told)[1] == (None,)  # type: ignore[arg-type]


def test_what_matters_more_has_more_of_the_budget() -> None:
    assert SHARE[Cause.WISH] == 1.0 > SHARE[Cause.URGENT] >= SHARE[Cause.ALARM] > SHARE[Cause.DAILY]


def test_the_first_of_a_day_passes_whatever_its_size() -> None:
    rules = Rules(budget=MB)
    sent, given_ = causes([arrival(size=3 * MB)], rules=rules)
    assert given_ == (Cause.DAILY,)
    assert causes([arrival(NOON + 1, urgent=True)], sent, rules)[1] == (None,)
    assert left(Sent(DAY), rules, NOON) == MAX_FRAME_BYTES
    assert left(sent, rules, NOON) == 0


def test_a_new_day_has_a_new_budget() -> None:
    spent = Sent(DAY, spent=10 * MB)
    rules = Rules(budget=10 * MB)
    assert left(spent, rules, NOON) == 0
    assert left(spent, rules, NOON + DAY_NS) == 10 * MB
    assert released(spent, 5, NOON + DAY_NS) == Sent(DAY + 1, spent=5)
    assert left(spent, Rules(), NOON) is None


@given(
    sizes=st.lists(st.integers(1, 4 * MB), max_size=60),
    budget=st.integers(MB, 20 * MB),
    wanted=st.booleans(),
    urgent=st.booleans(),
)
def test_no_day_goes_beyond_its_budget(sizes: list[int], budget: int, wanted: bool, urgent: bool) -> None:
    blocks = [arrival(NOON + n, size=size, urgent=urgent) for n, size in enumerate(sizes)]
    sent, given_ = causes(blocks, rules=Rules(budget=budget), wanted=wanted, alarmed=["P-101"])
    passed = [block.bytes for block, cause in zip(blocks, given_, strict=True) if cause]
    assert sent.spent == sum(passed)
    assert len(passed) == 1 or sum(passed) <= budget
    assert bool(passed) == bool(sizes)


def test_what_must_outlive_a_restart_does() -> None:
    sent, _ = causes([arrival()], rules=Rules(budget=10 * MB))
    again = read_sent(remembered(sent))
    assert (again.day, again.spent, again.daily) == (DAY, MB, sent.daily)
    assert causes([arrival(NOON + 1)], again)[1] == (None,)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"day":1,"spent":"x","daily":{}}', "{"])
def test_what_can_not_be_read_costs_one_waveform_and_no_more(text: str | None) -> None:
    assert read_sent(text) == Sent()
