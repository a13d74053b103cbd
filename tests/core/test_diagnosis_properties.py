"""What holds of every rule: support never harms, ignorance never helps, and nothing comes of nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnosis import RULE_OF, ChannelEvidence, Evidence, Fault, PointEvidence, confidences, diagnose
from models.diagnosis.rules import Clause, Reading, Role, Rule, Sign, weigh
from models.diagnosis.view import views_of
from models.features import CATALOGUE
from models.types import MachineSpec
from tests.support.sick_cases import CASES, case
from tests.support.sick_machines import machine

NAMES = tuple(spec.name for spec in CATALOGUE)
FAULTS = sorted(CASES)


def blinded(evidence: Evidence, hidden: frozenset[str]) -> Evidence:
    """The same machine, some of whose features nobody knows."""

    def unknown(channel: ChannelEvidence) -> ChannelEvidence:
        features = {k: np.full_like(v, np.nan) if k in hidden else v for k, v in channel.features.items()}
        ratios = {k: np.full_like(v, np.nan) if k in hidden else v for k, v in channel.ratios.items()}
        return replace(channel, features=features, ratios=ratios)

    point = evidence.points[0]
    return replace(evidence, points=(replace(point, channels=tuple(map(unknown, point.channels))),))


def sure(fault: Fault, spec: MachineSpec, evidence: Evidence) -> float:
    return confidences(spec, evidence)[fault]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_case_stands_beside_evidence_against_it(fault: Fault) -> None:
    spec, evidence = case(fault)
    weighed = weigh(RULE_OF[fault], views_of(spec, evidence)[0])
    assert not [item for item in weighed.evidence if item.weight < 0]


@given(st.sampled_from(FAULTS), st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=30))
def test_unknown_features_never_make_a_fault_surer(fault: Fault, hidden: frozenset[str]) -> None:
    spec, evidence = case(fault)
    assert sure(fault, spec, blinded(evidence, hidden)) <= sure(fault, spec, evidence) + 1e-12


@pytest.mark.parametrize("fault", FAULTS)
def test_without_any_feature_there_is_no_verdict(fault: Fault) -> None:
    spec, evidence = case(fault)
    empty = blinded(evidence, frozenset(NAMES))
    bare = replace(empty, points=(replace(empty.points[0], findings=(), residual_k=None),))
    assert not isinstance(diagnose(spec, bare), tuple)
    assert sure(fault, spec, bare) == 0.0


def family(feature: str) -> str:
    return feature.partition("_")[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_whose_needed_evidence_is_unknown_is_not_named(fault: Fault) -> None:
    spec, evidence = case(fault)
    view = views_of(spec, evidence)[0]
    unheard = replace(evidence, points=(replace(evidence.points[0], findings=()),))
    for clause in RULE_OF[fault].clauses:
        read = [f for sign in clause.signs for f in (sign.measure(view).feature, sign.measure(view).against)]
        families = {family(feature) for feature in read if feature in NAMES}
        if clause.role is Role.NEEDED and families:
            hidden = frozenset(name for name in NAMES if family(name) in families)
            assert sure(fault, spec, blinded(unheard, hidden)) == 0.0


@pytest.mark.parametrize("fault", FAULTS)
def test_fewer_blocks_never_make_a_fault_surer(fault: Fault) -> None:
    spec, evidence = case(fault)
    last = evidence.n_blocks - 1

    def only(channel: ChannelEvidence) -> ChannelEvidence:
        features = {k: v[last:] for k, v in channel.features.items()}
        return replace(channel, features=features, ratios={k: v[last:] for k, v in channel.ratios.items()})

    point = evidence.points[0]
    single = PointEvidence(point.id, tuple(map(only, point.channels)), findings=point.findings[-1:])
    speed = None if evidence.speed_hz is None else evidence.speed_hz[last:]
    one = Evidence((single,), 1, speed_hz=speed, events=evidence.events)
    assert sure(fault, spec, one) <= sure(fault, spec, evidence)


POINT = PointEvidence("DE", (ChannelEvidence("h", "H", {"kurtosis": np.full(3, 3.0)}),))
VIEW = views_of(machine(), Evidence((POINT,), 3))[0]

numbers = st.one_of(st.just(float("nan")), st.floats(0, 10))
signs = st.builds(
    lambda value, limit, span: Sign("s", lambda view: Reading(value, "f"), limit, limit + span),
    numbers,
    st.floats(0.1, 5),
    st.floats(0, 5),
)
clauses = st.builds(
    lambda role, weight, own: Clause(role, weight, tuple(own)),
    st.sampled_from(Role),
    st.floats(0, 0.7),
    st.lists(signs, min_size=1, max_size=3),
)


@given(st.lists(clauses, max_size=6), clauses)
def test_more_support_never_lowers_a_score_and_evidence_against_never_raises_it(
    before: list[Clause], more: Clause
) -> None:
    rule = Rule(Fault.BELT, tuple(before), source="test")
    score = weigh(rule, VIEW).score
    after = weigh(replace(rule, clauses=(*before, more)), VIEW)
    if more.role is Role.EXCLUDES:
        assert after.score <= score + 1e-12
    else:
        assert after.score >= score - 1e-12
    assert 0.0 <= after.score <= 1.0


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0.1, 5), st.floats(0, 5))
def test_evidence_is_met_more_the_further_it_is_beyond_its_limit(
    a: float, b: float, limit: float, span: float
) -> None:
    low, high = sorted((a, b))

    def met(value: float) -> float:
        return Sign("s", lambda view: Reading(value, "f"), limit, limit + span).read(VIEW)[1]

    assert met(low) <= met(high)
    assert (met(low) > 0) == (low >= limit)


def test_a_limit_of_detection_replaces_that_of_the_rule() -> None:
    sign = Sign("s", lambda view: Reading(1.6, "f", limit=1.5), limit=2.0, full=4.0)
    assert sign.read(VIEW)[1] > 0.8
