"""Scenarios as data: read from TOML, every mistake with its place."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.frames import Readings
from palier.plant import Plant
from palier.strict_toml import ConfigError, parse_toml
from simulators.faults import FaultKind
from simulators.impairments import AMOUNTS, ImpairmentKind
from simulators.plans import Growing, Level, PlannedFault, Sawtooth, Scenario, Settings, Timing
from simulators.plant import SimulatedPlant
from simulators.scenario import SHIPPED, _scenario, read_scenario, shipped_scenario
from simulators.tasks import Options
from tests.support.simulated import plant

FAULT = '[[fault]]\nmachine="P-101"\nkind="unbalance"\n'
SENSOR = '[[impairment]]\nmachine="P-101"\n'
BEARING = '[[fault]]\nmachine="C-201"\nkind="inner_ring"\npoint="2"\n'


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(text, "utf-8")
    return file


def test_healthy_plans_nothing() -> None:
    assert shipped_scenario("healthy", plant()) == Scenario()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_suits_the_sample_plant_whole_and_any_other_in_part(name: str) -> None:
    whole = shipped_scenario(name, plant())
    assert whole.fitting(plant()) == whole
    empty = shipped_scenario(name, Plant("s", "S", "UTC", ()))
    assert (empty.faults, empty.impairments, empty.candidates) == ((), (), ())


def test_the_demonstration_has_a_bearing_a_sensor_and_a_machine_at_rest() -> None:
    demo = shipped_scenario("demo", plant())
    assert [f.kind for f in demo.faults if f.machine == "P-101"] == [FaultKind.OUTER_RING]
    assert [(i.machine, i.kind) for i in demo.impairments] == [("C-201", ImpairmentKind.STUCK)]
    assert demo.machines["B-501"].stopped


def test_every_machine_runs_to_failure() -> None:
    scenario = shipped_scenario("degradation", plant())
    assert {f.machine for f in scenario.faults} == {m.id for m in plant().machines}
    assert all(isinstance(f.plan, Growing) for f in scenario.faults)


def test_training_draws_one_of_its_candidates_by_the_seed() -> None:
    scenario = shipped_scenario("training", plant())
    drawn = [scenario.drawn(seed) for seed in range(60)]
    assert all(len(one.faults) + len(one.impairments) == 1 for one in drawn)
    assert scenario.drawn(7) == scenario.drawn(7)
    assert len({repr(one) for one in drawn}) > 10


def test_everything_that_can_be_planned(tmp_path: Path) -> None:
    text = """
[[machine]]
id = "V-301"
stopped = [{ from_h = -5, to_h = 2 }, { from_h = 100 }]
planned_stop = { every_h = 168, lasting_h = 8 }
speed = "variable"
load = 1.1

[[fault]]
machine = "V-301"
kind = "unbalance"
from_h = 3
full_h = 30
severity = 0.6

[[fault]]
machine = "C-201"
kind = "inner_ring"
point = "2"
onset_scale_h = 100
life_h = 50

[[intervention]]
machine = "C-201"
at_h = 70
kind = "inner_ring"

[[impairment]]
machine = "P-101"
point = "1"
channel = "H"
kind = "clipping"
from_h = 4
"""
    scenario = read_scenario(written(tmp_path, text), plant())
    fan = scenario.machines["V-301"]
    assert (fan.stop_every_h, fan.stop_lasting_h, fan.variable, fan.load) == (168, 8, True, 1.1)
    assert fan.stopped == ((-5.0, 2.0), (100.0, float("inf")))
    assert scenario.interventions[0].treats(scenario.faults[1])
    assert not scenario.interventions[0].treats(scenario.faults[0])
    assert scenario.impairments[0].amount == 0.3  # the usual one
    assert scenario.machines.get("P-101", Settings()) == Settings()


def test_the_examples_of_the_docs_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        scenario = read_scenario(written(tmp_path, example), plant())
        assert scenario.faults
        assert scenario.impairments
        assert scenario.interventions
    assert all(f"`{kind}`" in page for kind in (*FaultKind, *ImpairmentKind))


def test_what_comes_after_hour_zero_is_stretched_and_history_is_not() -> None:
    timing = Timing(1000.0, 0.5)
    assert timing.at(-2) == 1000 - 7200
    assert timing.at(2) == 1000 + 3600
    assert timing.lasting(10, from_h=-1) == 36000
    assert timing.lasting(10, from_h=0) == 18000


def test_a_drawn_severity_stays_within_its_bounds() -> None:
    fault = PlannedFault("P-101", FaultKind.UNBALANCE, Level(0.3, 0.6))
    assert isinstance(fault.plan, Level)
    now = np.zeros(1)
    drawn = [
        float(fault.plan.course(key, Timing(0.0), lambda t: t, ()).severity(now)[0]) for key in range(99)
    ]
    assert 0.3 <= min(drawn) < 0.35
    assert 0.55 < max(drawn) <= 0.6


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fault = ", "is not TOML"),
        ("[fault]", r"tables written as \[\[fault\]\]"),
        ("[[fautl]]", "unknown key 'fautl'.*did you mean \"fault\""),
        ('[[fault]]\nkind="unbalance"\nseverity=1', ":1: machine is missing in"),
        ('[[fault]]\nmachine="P-101"\nkind="rust"\nseverity=1', ":3: kind must be one of .*'rust'"),
        (FAULT, "severity is missing"),
        (FAULT + "severity=1.5", ":4: severity must be from 0 to 1, got 1.5"),
        (FAULT + "severity=0.5\nseverity_to=0.2", "severity_to must not be below severity = 0.5"),
        (FAULT + "severity=0.5\ngrowth=2", "unknown key 'growth'"),
        (FAULT + "from_h=4\nfull_h=2", "full_h must not be before from_h = 4"),
        (FAULT + "life_h=4", "needs onset_h, or onset_scale_h"),
        (FAULT + 'life_h="long"\nonset_h=1', "life_h must be a number"),
        ('[[fault]]\nmachine="C-201"\nkind="inner_ring"\nseverity=1', "point is missing"),
        (BEARING.replace('"2"', '"3"') + "severity=1", "point '3' of machine 'C-201' has no bearing"),
        (BEARING.replace('"2"', '"9"') + "severity=1", "no point '9'; it has 1, 2, 3"),
        (FAULT.replace("P-101", "Z-9") + "severity=1", ":2: the plant has no machine 'Z-9'; it has P-101"),
        ('[[machine]]\nid="Z-9"', "no machine 'Z-9'"),
        ('[[machine]]\nid="P-101"\nspeed="fast"', 'speed must be one of "steady", "variable"'),
        ('[[machine]]\nid="P-101"\nstopped=[{from_h=3,to_h=1}]', "to_h must be after from_h = 3"),
        ('[[impairment]]\nmachine="P-101"\nkind="noise"\npoint="1"\nchannel="X"', "no channel 'X'"),
        ('[[impairment]]\nmachine="P-101"\nkind="clipping"\namount="much"', "range left, in g"),
        ('[[intervention]]\nmachine="P-101"', "at_h is missing"),
        ("choose = 2", "choose must be at most the 0"),
        ('[[machine]]\nid="P-101"\n[[machine]]\nid="P-101"', ":4: machine 'P-101' has a .* already"),
        ('[[machine]]\nid="P-101"\nspeed="variable"', ":3: machine 'P-101' is of a kind without a drive"),
        ('[[machine]]\nid="V-301"\nreversing=true', ":3: machine 'V-301' works without passes"),
        ('[[machine]]\nid="P-101"\nplanned_stop={lasting_h=8}', "every_h is missing"),
        ('[[machine]]\nid="P-101"\nplanned_stop={every_h=8}', "lasting_h is missing"),
        ('[[machine]]\nid="P-101"\nplanned_stop={every_h=8,lasting_h=8}', "at most 7.95 of 8, got 8"),
        (FAULT + "period_h=2\nlow=0.9\nhigh=0.1", ":6: high must not be below low = 0.9"),
        (FAULT + "life_h=4\nonset_h=1\nonset_scale_h=2", "and not both"),
        (FAULT.replace("unbalance", "gear_wear") + "severity=1", ":3: machine 'P-101' has no gears"),
        (FAULT.replace("unbalance", "tool") + "severity=1", "no tool that cuts"),
        (FAULT.replace("P-101", "B-501").replace("unbalance", "cavitation") + "severity=1", "no wheel with"),
        (BEARING.replace("inner_ring", "belt").replace('point="2"', "severity=1"), "'C-201' has no belt"),
        (BEARING.replace("inner_ring", "stator").replace('point="2"', "severity=1"), "'C-201' has no motor"),
        (SENSOR + 'kind="noise"\nchannel="X"', ":3: machine 'P-101' has no channel 'X'"),
        (SENSOR + 'kind="stuck"\nchannel="T"', ":3: channel 'T' .* none of acceleration"),
        (SENSOR + 'kind="temperature_open"\npoint="1"\nchannel="H"', "none of temperature"),
        (SENSOR + 'kind="noise"\nfrom_h=5\nto_h=2', ":5: to_h must be after from_h = 5, got 2"),
        (SENSOR + 'kind="offset_drift"\nfrom_h=-1e300', ":4: from_h must be from"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_scenario(file, plant())
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '[[fault]]\nmachine="P-101"\nkind="outer_rng"\npoint="1"\nseverity=1',
        'choose=1\n[[candidate]]\nmachine="P-101"\nkind="outer_rng"\npoint="1"\nseverity=1',
        '[[fault]]\nkind="unbalance"\nseverity=1',
        SENSOR + 'kind="rust"\namount=7',
    ],
)
def test_one_mistake_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_scenario(written(tmp_path, text), plant())
    assert len(caught.value.mistakes) == 1


@given(kind=st.sampled_from(ImpairmentKind), amount=st.floats(allow_nan=False, allow_infinity=False))
def test_an_amount_is_refused_or_can_be_sampled(kind: ImpairmentKind, amount: float) -> None:
    text = f'{SENSOR}kind="{kind}"\namount={amount!r}'
    try:
        scenario = _scenario(parse_toml(text, "own.toml"), plant())
    except ConfigError:
        low, high = AMOUNTS[kind].low, AMOUNTS[kind].high
        assert not low <= amount <= high
        return
    spec = plant().machine("P-101")
    assert spec is not None
    sim = SimulatedPlant.of([spec], scenario, seed=1, origin_s=1.79e9)
    for task in sim.tasks(Options(block_s=0.02)):
        frame = sim.frame_at(task, 1.79e9)
        assert not isinstance(frame, Readings) or np.isfinite(frame.values).all()


def test_a_wheel_is_not_cleaned_before_its_dust_has_come() -> None:
    course = Sawtooth(0.0, 10.0, 0.1, 0.5).course(1, Timing(0.0), lambda t: t, (-36_000.0, 18_000.0))
    assert list(course.severity(np.array([-18_000.0, -1.0]))) == [0.0, 0.0]
    assert course.severity(np.array([17_999.0, 18_001.0])) == pytest.approx([0.3, 0.1], abs=0.03)


def test_a_scenario_nobody_knows_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"can't be read.*\(a scenario is healthy, demo, training, degradation"
    ):
        read_scenario(tmp_path / "demoo", plant())
    with pytest.raises(ValueError, match="scenario must be one of healthy, demo"):
        shipped_scenario("demoo", plant())
