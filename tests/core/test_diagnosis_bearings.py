"""The bearing rule: names what is damaged, leaves open what is weak, refuses what can't be known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.diagnosis import bearings as b
from models.diagnosis.bearings import BearingFinding, diagnose_bearings, join_findings
from models.diagnosis.types import BEARING_FAULTS, Fault
from models.types import Refusal
from tests.support.damaged_bearings import (
    FS_HZ,
    N_SAMPLES,
    ORDERS,
    SPEED_HZ,
    damaged,
    in_noise,
    ringing,
    shocks,
)

Block = npt.NDArray[np.float32]
FAULT_OF = {"outer": Fault.OUTER_RING, "inner": Fault.INNER_RING, "element": Fault.ROLLING_ELEMENT}


def ask(
    x: Block, speed_hz: object = SPEED_HZ, orders: object = ORDERS, fs_hz: float = FS_HZ, **more: object
) -> BearingFinding | Refusal:
    (found,) = diagnose_bearings(x, fs_hz, speed_hz=speed_hz, orders=orders, **more)  # type: ignore[arg-type]
    return found


def finding(x: Block, **more: object) -> BearingFinding:
    found = ask(x, **more)  # type: ignore[arg-type]
    assert isinstance(found, BearingFinding), found
    return found


@pytest.mark.parametrize("part", FAULT_OF)
@pytest.mark.parametrize("slip", [-0.01, 0.0, 0.01])
def test_a_damaged_part_is_named(part: str, slip: float) -> None:
    found = finding(damaged(part, 3.0, np.random.default_rng(1), slip))
    assert found.fault is found.leading is FAULT_OF[part]
    assert found.confidence > 0.8
    assert found.scores[found.fault] == found.confidence == max(found.scores.values())
    assert set(found.scores) == set(BEARING_FAULTS)
    assert found.band_hz[0] <= 4200 <= found.band_hz[1]


def test_confidence_rises_with_the_shocks() -> None:
    heights = (0.3, 1.0, 1.5, 3.0, 10.0)
    sure = [finding(damaged("outer", h, np.random.default_rng(2))).confidence for h in heights]
    assert sure == sorted(sure)
    assert sure[1] < 0.5 < sure[2]


def test_what_is_weak_is_left_open_and_says_what_is_nearest() -> None:
    found = finding(damaged("outer", 1.0, np.random.default_rng(3)))
    assert (found.fault, found.leading) == (None, Fault.OUTER_RING)
    assert 0 < found.confidence < 0.5


def test_the_evidence_adds_up_to_the_score() -> None:
    found = finding(damaged("inner", 3.0, np.random.default_rng(4)))
    items = {item.key: item for item in found.evidence}
    assert items["bearing_lines"].needed
    assert items["bearing_lines"].params["frequency_hz"] == pytest.approx(ORDERS[1] * SPEED_HZ, rel=0.01)
    assert items["bearing_sidebands"].met > 0.5  # the ring goes in and out of the load
    score = sum(item.weight * item.met for item in found.evidence)
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-12 * (min(score, 1) - 0.62))))


def test_noise_names_nothing() -> None:
    """The rule needs three harmonics beyond chance: 10 pfa³ a comb; here are 40 blocks of ten views."""
    x = np.random.default_rng(5).standard_normal((40, N_SAMPLES)).astype(np.float32)
    found = diagnose_bearings(x, FS_HZ, speed_hz=SPEED_HZ, orders=ORDERS)
    assert all(isinstance(one, BearingFinding) and one.confidence < 0.01 for one in found)


def test_slurry_names_nothing() -> None:
    """Particles hit at 30 a second, without a period and with unequal force."""
    rng = np.random.default_rng(6)
    hits = [ringing(np.cumsum(rng.exponential(1 / 30, 200)), 3 * rng.exponential(1, 200)) for _ in range(40)]
    x = np.concatenate([in_noise(hit, rng) for hit in hits])
    found = diagnose_bearings(x, FS_HZ, speed_hz=SPEED_HZ, orders=ORDERS)
    assert all(isinstance(one, BearingFinding) and one.confidence < 0.05 for one in found)


@pytest.mark.parametrize("told", [1.0, 1.003])
@pytest.mark.parametrize("orders", [ORDERS, (3.053, 4.947, 1.994, 0.382)], ids=["6205", "6203"])
def test_looseness_names_no_bearing(orders: tuple[float, ...], told: float) -> None:
    """Once a turn; three orders of a 6203 lie within 2 % of its multiples. The speed may be 0.3 % off."""
    rng = np.random.default_rng(7)
    x = in_noise(8 * ringing(np.arange(0, 4, 1 / SPEED_HZ)), rng)
    found = ask(x, told * SPEED_HZ, orders)
    assert not isinstance(found, BearingFinding) or found.fault is None


def test_two_tones_that_beat_are_no_defect() -> None:
    t = np.arange(N_SAMPLES) / FS_HZ
    tones = sum(np.sin(2 * np.pi * (3000.3 + k * ORDERS[0] * SPEED_HZ) * t + k * k) for k in range(4))
    assert finding(in_noise(np.asarray(0.5 * tones), np.random.default_rng(8))).fault is None


def test_elements_that_differ_are_heard_past_shaft_and_housing() -> None:
    """No line of an element, but its load comes and goes with the cage, and with the cage past the shaft."""
    rng = np.random.default_rng(9)
    t = np.arange(N_SAMPLES) / FS_HZ
    cage = ORDERS[3] * SPEED_HZ
    load = 1 + 0.7 * np.cos(2 * np.pi * cage * t) + 0.4 * np.cos(2 * np.pi * 2 * cage * t)
    load += 0.4 * np.cos(2 * np.pi * 3 * cage * t) + 0.5 * np.cos(2 * np.pi * (SPEED_HZ - cage) * t)
    x = (np.maximum(load, 0) * rng.standard_normal(N_SAMPLES))[None, :].astype(np.float32)
    found = finding(x)
    assert found.fault is Fault.ROLLING_ELEMENT
    assert found.not_separated == (Fault.CAGE,)
    assert found.evidence[0].params["defect"] == "ftf"


@pytest.mark.parametrize(
    "orders",
    [(4.41, 6.59, 2.71, 0.401), (8.148, 10.852, 3.467, 0.4288), (10.755, 16.245, 4.6, 0.398)],
    ids=["elsewhere", "another series", "three times the ring's"],
)
def test_a_wrong_bearing_is_doubted(orders: tuple[float, ...]) -> None:
    assert ask(damaged("outer", 4.0, np.random.default_rng(10)), orders=orders) == b.BEARING_DOUBTFUL


def test_an_uncertain_speed_widens_the_search() -> None:
    """The true speed is 4 % off: a speed told for certain does not reach it."""
    x = damaged("outer", 3.0, np.random.default_rng(11), slip=0.04)
    told = ask(x)
    assert not isinstance(told, BearingFinding) or told.fault is None
    assert finding(x, speed_sigma_hz=0.01 * SPEED_HZ).fault is Fault.OUTER_RING


def test_a_speed_is_refined_within_its_uncertainty() -> None:
    rng = np.random.default_rng(12)
    turns = 8 * ringing(np.arange(0, 4, 1 / SPEED_HZ))
    x = in_noise(turns + ringing(shocks(ORDERS[0], rng), 3.0), rng)
    found = finding(x, speed_hz=1.01 * SPEED_HZ, speed_sigma_hz=0.01 * SPEED_HZ)
    assert found.speed_hz == pytest.approx(SPEED_HZ, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"speed_hz": None}, b.SPEED_UNKNOWN),
        ({"speed_hz": 0.0}, b.STANDS),
        ({"speed_hz": 4.0}, b.TOO_FEW_TURNS),
        ({"speed_sigma_hz": 0.1 * SPEED_HZ}, b.SPEED_UNCERTAIN),
        ({"orders": None}, b.BEARING_UNKNOWN),
        ({"fs_hz": 1000.0, "speed_hz": 24.7}, b.ENVELOPE_TOO_NARROW),
        ({"speed_hz": 2000.0, "bands": ((500.0, 1000.0),)}, b.ENVELOPE_TOO_NARROW),
    ],
)
def test_what_can_not_be_known_is_refused(change: dict[str, object], refusal: Refusal) -> None:
    x = damaged("outer", 3.0, np.random.default_rng(13))
    assert ask(x, **change) == refusal  # type: ignore[arg-type]


def test_a_bad_signal_is_refused_and_spoils_no_other() -> None:
    good = damaged("outer", 3.0, np.random.default_rng(14))
    spoilt, stuck = good.copy(), np.full_like(good, 9.81)
    spoilt[0, 5] = np.nan
    found = diagnose_bearings(
        np.concatenate([spoilt, good, stuck]), FS_HZ, speed_hz=[SPEED_HZ] * 3, orders=ORDERS
    )
    assert (found[0], found[2]) == (b.NOT_FINITE, b.STUCK)
    assert isinstance(found[1], BearingFinding)
    assert found[1].confidence == pytest.approx(finding(good).confidence, rel=1e-3)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e4])
def test_the_unit_does_not_matter(factor: float) -> None:
    x = damaged("inner", 3.0, np.random.default_rng(15))
    scaled = finding((x * factor).astype(np.float32))
    assert scaled.confidence == pytest.approx(finding(x).confidence, rel=1e-2)


def test_poor_quality_takes_confidence_away() -> None:
    x = damaged("outer", 3.0, np.random.default_rng(16))
    assert finding(x, quality=0.5).confidence < 0.5 < finding(x).confidence
    with pytest.raises(ValueError, match="quality must be from 0"):
        ask(x, quality=1.5)


def test_the_surest_block_speaks_for_its_point() -> None:
    rng = np.random.default_rng(17)
    weak, strong = finding(damaged("element", 0.5, rng)), finding(damaged("element", 4.0, rng))
    joined = join_findings([weak, b.STUCK, strong])
    assert isinstance(joined, BearingFinding)
    assert (joined.fault, joined.confidence) == (Fault.ROLLING_ELEMENT, strong.confidence)


def test_blocks_that_contradict_each_other_name_nothing() -> None:
    rng = np.random.default_rng(18)
    outer, inner = finding(damaged("outer", 4.0, rng)), finding(damaged("inner", 4.0, rng))
    joined = join_findings([outer, inner])
    assert isinstance(joined, BearingFinding)
    assert joined.fault is None


def test_refusals_are_told_where_nothing_is_found() -> None:
    named = finding(damaged("outer", 3.0, np.random.default_rng(19)))
    assert join_findings([b.NOT_FINITE, b.STUCK]) == b.NOT_FINITE
    assert join_findings([replace(named, fault=None), b.BEARING_DOUBTFUL]) == b.BEARING_DOUBTFUL
    assert join_findings([named, b.BEARING_DOUBTFUL]) == named


def test_blocks_of_a_batch_do_not_see_each_other() -> None:
    rng = np.random.default_rng(20)
    x = np.concatenate([damaged(part, 3.0, rng) for part in FAULT_OF])
    found = diagnose_bearings(x, FS_HZ, speed_hz=[SPEED_HZ, SPEED_HZ, 1.3 * SPEED_HZ], orders=ORDERS)
    assert [one.fault for one in found[:2] if isinstance(one, BearingFinding)] == [
        Fault.OUTER_RING,
        Fault.INNER_RING,
    ]
    alone = finding(x[:1])
    assert isinstance(found[0], BearingFinding)
    assert found[0].confidence == pytest.approx(alone.confidence, abs=0.02)


@pytest.mark.parametrize(
    ("orders", "parts"),
    [
        ((3.58, 5.41, 2.36, 0.398), {Fault.ROLLING_ELEMENT, Fault.CAGE}),
        ((np.nan, 5.41, 2.36, 0.398), {Fault.INNER_RING, Fault.ROLLING_ELEMENT, Fault.CAGE}),
    ],
)
def test_a_part_that_could_not_be_looked_for_does_not_lead(
    orders: tuple[float, ...], parts: set[Fault]
) -> None:
    """At 50 Hz the envelope of 500-1000 Hz holds three harmonics of the elements, and none of the rings."""
    t = np.arange(4096) / 4096.0
    found = ask(np.sin(2 * np.pi * 50 * t, dtype=np.float32)[None], 50.0, np.array(orders), 4096.0)
    assert isinstance(found, BearingFinding), found
    assert found.leading in parts
    assert found.fault is None
