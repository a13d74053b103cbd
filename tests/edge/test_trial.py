"""The trial of a configuration: what keeps it, what takes it back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.trial import LOST_S, MAX_STARTS, Look, Trial, Verdict, started, step

TRIAL = Trial(300.0, 0, ("i2c", "modbus"), ("i2c", "modbus"))
WELL = Look(1.0, True, frozenset({"i2c", "modbus"}), {})


def run(trial: Trial, look: Look, seconds: int) -> tuple[Trial, Verdict, str]:
    verdict, why = Verdict.GO_ON, ""
    for _ in range(seconds):
        trial, verdict, why = step(trial, look)
        if verdict is not Verdict.GO_ON:
            break
    return trial, verdict, why


def test_what_works_all_the_time_stays_when_the_trial_is_over() -> None:
    assert run(TRIAL, WELL, 299)[1] is Verdict.GO_ON
    assert run(TRIAL, WELL, 300)[1] is Verdict.KEEP


def test_it_goes_back_when_a_source_that_worked_gives_no_frame() -> None:
    trial, verdict, why = run(TRIAL, replace(WELL, gave=frozenset({"i2c"})), 300)
    assert (verdict, trial.left_s) == (Verdict.GO_BACK, 0.0)
    assert why == "a source that worked before gave no frame: modbus"


def test_it_goes_back_when_a_source_that_worked_fails_at_the_end() -> None:
    failing = replace(WELL, failing={"modbus": "source modbus fails: no answer"})
    assert run(TRIAL, failing, 300)[1:] == (
        Verdict.GO_BACK,
        "a source that worked before fails: source modbus fails: no answer",
    )


def test_a_new_source_that_does_not_work_takes_nothing_back() -> None:
    look = replace(WELL, failing={"opcua": "source opcua fails"})
    assert run(TRIAL, look, 300)[1] is Verdict.KEEP


def test_it_goes_back_at_once_without_broker_or_host_and_a_flap_is_nothing() -> None:
    trial, verdict, why = run(TRIAL, replace(WELL, linked=False), 300)
    assert (verdict, why) == (Verdict.GO_BACK, f"broker or host were away for {LOST_S:.0f} s")
    assert trial.left_s == 300 - LOST_S
    flap = run(TRIAL, replace(WELL, linked=False), 20)[0]
    assert run(flap, WELL, 280)[1] is Verdict.KEEP


def test_it_is_not_kept_while_the_host_is_away() -> None:
    trial, _, _ = run(TRIAL, WELL, 299)
    assert run(trial, replace(WELL, linked=False), 20)[1] is Verdict.GO_ON
    assert run(trial, replace(WELL, linked=False), 40)[1] is Verdict.GO_BACK


def test_new_sources_of_which_none_works_do_not_silence_a_gateway_that_sampled() -> None:
    dead = Look(1.0, True, frozenset(), {"modbus": "source modbus fails: no answer"}, works=False)
    verdict = run(Trial(worked=True), dead, 300)[1:]
    assert verdict == (
        Verdict.GO_BACK,
        "no source works, where one did before: source modbus fails: no answer",
    )
    assert run(Trial(worked=False), dead, 300)[1] is Verdict.KEEP  # it was silent before


def test_starts_within_a_trial_count() -> None:
    trial, verdict = TRIAL, Verdict.GO_ON
    for _ in range(MAX_STARTS):
        trial, verdict, _ = started(trial)
        assert verdict is Verdict.GO_ON
    assert started(trial)[1:] == (Verdict.GO_BACK, "the agent was started 4 times within the trial")


@given(st.lists(st.tuples(st.floats(0.0, 40.0), st.booleans(), st.sets(st.sampled_from(TRIAL.awaited)))))
def test_a_trial_ends_once_and_is_kept_only_by_what_worked(looks: list[tuple[float, bool, set[str]]]) -> None:
    trial, gave = TRIAL, set()
    for elapsed_s, linked, now in looks:
        gave |= now
        before = trial
        trial, verdict, why = step(trial, Look(elapsed_s, linked, frozenset(now), {}))
        assert trial.left_s <= before.left_s
        assert (why != "") is (verdict is Verdict.GO_BACK)
        if verdict is Verdict.KEEP:
            assert linked
            assert gave == set(TRIAL.awaited)
            assert trial.left_s == 0
        if verdict is not Verdict.GO_ON:
            return
