"""What can't be said, and what is said instead: refusals, single records, what stands for an anomaly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.diagnosis import (
    ChannelEvidence,
    Diagnosis,
    Events,
    Evidence,
    Fault,
    PointEvidence,
    confidences,
    diagnose,
)
from models.features import CATALOGUE
from models.types import Belt, Gear, Impeller, Motor, Refusal, State
from tests.support.sick_cases import Finding, finding, with_findings
from tests.support.sick_machines import LIMITS, SOUND, Signal, machine, observed, shaft

NAMES = tuple(spec.name for spec in CATALOGUE)

SHAKES = {"H": shaft(4.0), "V": shaft(3.6), "A": shaft(0.4)}


def first(spec: object, evidence: Evidence) -> Diagnosis:
    found = diagnose(spec, evidence)  # type: ignore[arg-type]
    assert isinstance(found, tuple)
    return found[0]


def test_a_stopped_machine_is_not_diagnosed() -> None:
    still = replace(observed(SHAKES), regime=State.STOPPED)
    assert diagnose(machine(), still) == Refusal("machine_stopped", "measure_running")


def test_a_speed_of_zero_is_a_machine_at_rest() -> None:
    evidence = observed(SHAKES)
    still = replace(evidence, speed_hz=np.zeros(evidence.n_blocks))
    assert diagnose(machine(), still) == Refusal("machine_stopped", "measure_running")


def test_a_machine_in_a_transient_is_not_diagnosed() -> None:
    turning = replace(observed(SHAKES), regime=State.TRANSIENT)
    assert diagnose(machine(), turning) == Refusal("machine_transient", "wait_until_steady")


def test_nothing_seen_is_no_data() -> None:
    gaps = ChannelEvidence("h", "H", {"velocity_rms_mm_s": np.full(3, np.nan)})
    assert diagnose(machine(), Evidence((PointEvidence("DE", (gaps,)),), 3)) == Refusal(
        "no_data", "check_gateway"
    )


def test_a_calm_machine_of_unknown_speed_is_refused_with_its_remedy() -> None:
    assert diagnose(machine(), observed(SOUND, known_speed=False)) == Refusal("speed_unknown", "give_speed")


def test_a_speed_that_is_too_rough_to_tell_lines_apart_is_unknown() -> None:
    rough = replace(observed(SOUND), speed_sigma_hz=np.full(3, 1.0))
    assert diagnose(machine(), rough) == Refusal("speed_unknown", "give_speed")


def test_an_anomaly_at_an_unknown_speed_is_told_with_what_would_name_it() -> None:
    evidence = observed(SHAKES)
    channels = tuple(
        replace(c, features={k: v for k, v in c.features.items() if not k.startswith("order_")})
        for c in evidence.points[0].channels
    )
    blind = replace(evidence, points=(replace(evidence.points[0], channels=channels),))
    seen = first(machine(), replace(blind, speed_hz=None))
    assert seen.fault is Fault.UNIDENTIFIED
    assert seen.separate_by[0] == "measure_speed"
    assert seen.severity == 3


def test_a_calm_record_without_limits_or_baseline_has_nothing_to_be_held_against() -> None:
    bare = observed({"": shaft(0.8)}, None, blocks=1, limits=None)
    assert diagnose(machine(), bare) == Refusal("nothing_to_compare", "name_limits_or_learn")


def test_a_bearing_rule_that_finds_nothing_is_something_to_be_held_against() -> None:
    bare = observed({"": shaft(0.8)}, None, blocks=1, limits=None)
    assert diagnose(machine(), with_findings(bare, Finding(None, 0.1))) == ()


def test_a_bearing_needs_neither_limits_nor_baseline() -> None:
    bare = observed({"": shaft(0.8)}, None, blocks=1, limits=None)
    found = first(machine(), with_findings(bare, finding(Fault.INNER_RING)))
    assert found.fault is Fault.INNER_RING
    assert found.confidence == pytest.approx(0.85)  # the bearing rule is made for one block


def test_a_single_record_says_that_it_is_one() -> None:
    found = first(machine(), observed({"": shaft(4.0)}, None, blocks=1))
    assert found.evidence[-1].key == "single_record"
    assert found.evidence[-1].params["value"] == 1.0
    assert "more_blocks" in found.separate_by


def test_a_machine_of_three_blocks_is_not_told_to_be_a_single_record() -> None:
    found = first(machine(), observed(SHAKES))
    assert "single_record" not in {item.key for item in found.evidence}
    assert "more_blocks" not in found.separate_by


def test_one_odd_block_among_five_makes_no_fault() -> None:
    calm, wild = observed(SOUND, blocks=5), observed(SHAKES, blocks=5)
    channels = []
    for quiet, loud in zip(calm.points[0].channels, wild.points[0].channels, strict=True):
        mixed = {k: np.where(np.arange(5) == 3, loud.features[k], v) for k, v in quiet.features.items()}
        ratios = {k: np.where(np.arange(5) == 3, loud.ratios[k], v) for k, v in quiet.ratios.items()}
        channels.append(replace(quiet, features=mixed, ratios=ratios))
    evidence = replace(calm, points=(replace(calm.points[0], channels=tuple(channels)),))
    assert diagnose(machine(), evidence) == ()


def test_an_anomaly_that_no_rule_explains_is_unidentified() -> None:
    hum = {d: s + Signal({170.0: 4.0}) for d, s in SOUND.items()}
    found = first(machine(), observed(hum))
    assert found.fault is Fault.UNIDENTIFIED
    assert {item.key for item in found.evidence} >= {"velocity_zone", "raised"}
    assert found.separate_by[-1] == "full_survey"


def test_doubts_about_a_sensor_lower_the_confidence() -> None:
    evidence = observed(SHAKES)
    doubt = Refusal("spikes", "shield_cable")
    channels = tuple(replace(c, doubts=(doubt,)) for c in evidence.points[0].channels)
    doubted = replace(evidence, points=(replace(evidence.points[0], channels=channels),))
    sure = confidences(machine(), evidence)[Fault.UNBALANCE]
    assert confidences(machine(), doubted)[Fault.UNBALANCE] == pytest.approx(0.9 * sure)


def test_a_speed_of_some_doubt_lowers_it_too() -> None:
    evidence = observed(SHAKES)
    rough = replace(evidence, speed_sigma_hz=np.full(3, 0.2))
    sure = confidences(machine(), evidence)[Fault.UNBALANCE]
    assert confidences(machine(), rough)[Fault.UNBALANCE] == pytest.approx(0.9 * sure)


def test_a_temperature_alone_is_an_anomaly() -> None:
    evidence = observed(SOUND, residual_k=15.0)
    found = first(machine(), evidence)
    assert found.fault is Fault.UNIDENTIFIED
    assert "temperature_residual" in {item.key for item in found.evidence}
    assert found.severity == 3


@pytest.mark.parametrize("length", [2, 4])
def test_arrays_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"must be \(3,\), one of each block"):
        Evidence((), 3, speed_hz=np.ones(length))


def test_evidence_without_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        Evidence((), 0)


def test_a_table_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(n_blocks, 2\)"):
        ChannelEvidence.of_table("h", ("a", "b"), np.ones((3, 3)))


def test_ratios_are_unknown_while_the_baseline_learns() -> None:
    channel = ChannelEvidence.of_table("h", ("a", "b"), np.ones((3, 2)), expected=[np.nan, 0.5])
    assert np.isnan(channel.ratios["a"]).all()
    assert channel.ratios["b"].tolist() == [2.0, 2.0, 2.0]


def test_a_feature_that_detection_calls_abnormal_is_an_anomaly() -> None:
    evidence = observed(SOUND)
    channel = replace(evidence.points[0].channels[0], alert_ratios={"skewness": 1e-6})
    channel = replace(channel, ratios={**channel.ratios, "skewness": np.full(3, 1.2)})
    watched = replace(evidence, points=(replace(evidence.points[0], channels=(channel,)),))
    found = first(machine(), watched)
    assert found.fault is Fault.UNIDENTIFIED
    assert found.evidence[0].params["feature"] == "skewness"


values = st.one_of(
    st.sampled_from([np.nan, np.inf, 0.0, -1.0, 1e-30, 1e30]), st.floats(0.01, 100), st.floats(0.5, 8)
)


@given(
    st.data(),
    st.sampled_from(["pump", "fan", "spindle", "motor", "gearbox"]),
    st.sampled_from([1, 2, 3, 12]),
    st.sampled_from(["H", "HV", "HVA", "A"]),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_numbers_there_is_an_answer(
    data: st.DataObject, kind: str, blocks: int, directions: str
) -> None:
    parts = {
        "gears": (Gear("g", 23, 91),),
        "impeller": Impeller(4),
        "belt": Belt(500.0, 4000.0),
        "motor": Motor(50.0, 2),
    }
    seed = data.draw(st.integers(0, 2**32 - 1))
    pool = np.array(data.draw(st.lists(values, min_size=5, max_size=15)))
    rng = np.random.default_rng(seed)

    def series() -> dict[str, np.ndarray]:
        return {name: rng.choice(pool, blocks) for name in NAMES if rng.uniform() < 0.9}

    channels = tuple(
        ChannelEvidence(d, d, series(), series(), limits=LIMITS, doubling_days={"velocity_rms_mm_s": 3.0})
        for d in directions
    )
    point = PointEvidence(
        "DE", channels, residual_k=rng.choice(pool, blocks), findings=(finding(Fault.CAGE),)
    )
    evidence = Evidence(
        (point, replace(point, id="NDE")),
        blocks,
        hours=np.sort(rng.uniform(0, 200, blocks)),
        speed_hz=rng.choice(pool, blocks),
        speed_sigma_hz=rng.choice(pool, blocks),
        load=rng.choice(pool, blocks),
        events=Events(100.0, 50.0, 20.0),
    )
    answer = diagnose(machine(kind, **parts), evidence)
    assert isinstance(answer, (tuple, Refusal))
    for found in answer if isinstance(answer, tuple) else ():
        assert 0.0 <= found.confidence <= 1.0
        assert found.evidence
