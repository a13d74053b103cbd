"""Exercise files, the shipped ones, machines drawn by lot, and the plant and blocks that come of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.clock import PlantClock
from palier.frames import Readings, Waveform
from palier.plant import load_sample_plant, parse_plant
from palier.strict_toml import ConfigError
from palier.training import NOTHING, SENSOR, Session
from simulators.training_draw import DRAWN, drawn_session
from simulators.training_file import read_exercises, shipped_session
from simulators.training_plant import SITE, plant_text, simulated
from simulators.training_source import SimulatedExercises, instants, open_source, tasks_of
from simulators.training_times import END_S, LONGEST_DAYS, blocks_each, ends_s

PLANT = load_sample_plant()
GOOD = """title = "Session"
[[exercise]]
title = "Pompe"
text = "Un bruit."
machine = "P-101"
fault = "outer_ring"
point = "2"
severity = 0.4
explanation = "BPFO"
hints = ["regarder l'enveloppe", {fr = "a", en = "b"}]
"""

EXPECTED = "[exercise.expected]\n{}\n[exercise.x]\nhints"


def read(tmp_path: Path, text: str) -> Session:
    file = tmp_path / "e.toml"
    file.write_text(text, "utf-8")
    return read_exercises(file, PLANT)


def test_an_exercise_needs_few_words_and_the_rest_follows(tmp_path: Path) -> None:
    (one,) = read(tmp_path, GOOD).exercises
    assert (one.id, one.seed, one.level, one.blocks) == ("EX-01", 1, 1, blocks_each())
    assert one.expected.faults == ("outer_ring",)
    assert one.expected.points == ("2",)
    assert one.expected.severity == 0  # as Palier judges
    assert [dict(hint) for hint in one.hints] == [{"": "regarder l'enveloppe"}, {"fr": "a", "en": "b"}]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('machine = "P-101"', 'machine = "P-999"', "e.toml:5: the plant has no machine 'P-999'"),
        ('"outer_ring"', '"outer_rings"', 'fault must be one of "none"'),
        ('point = "2"', 'point = "9"', "has no point '9'"),
        ('point = "2"\n', "", '"outer_ring" is of one point: point must say of which'),
        ('"outer_ring"', '"unbalance"', '"unbalance" is of the whole machine: point must be left out'),
        ("severity = 0.4", "severity = 4", "severity must be above 0 and at most 1, got 4"),
        ("severity = 0.4\n", "", "severity is missing"),
        ('"outer_ring"', '"stuck"', 'a severity belongs to a fault of the machine, and "stuck" is none'),
        ("severity = 0.4", "severity = 0.4\nsince_days = 20", "since_days must be at most 14"),
        ("severity = 0.4", "severity = 0.4\nlevel = 4", "level must be from 1 to 3, got 4"),
        ('hints = [', 'hints = [3, ', "hints must be a list of texts"),
        ('title = "Pompe"', "title = {de = \"x\"}", "title must have a text in one of fr, en, ar"),
        ('title = "Pompe"', 'titel = "Pompe"', "unknown key 'titel'"),
        ("hints", EXPECTED.format('faults = ["outer"]'), 'faults must be of "outer_ring"'),
        ("hints", EXPECTED.format("severity = 9"), "severity must be from 1 to 5, got 9"),
        ("hints", EXPECTED.format('points = ["7"]'), 'points must be of "1", "2"'),
        ("hints", EXPECTED.format('actions = ["run"]'), 'actions must be of "none"'),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert sentence in str(error.value)


def test_a_file_without_exercises_and_one_that_is_not_there_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        read(tmp_path, 'title = "x"')
    with pytest.raises(ConfigError, match="can't be read"):
        read_exercises(tmp_path / "none.toml", PLANT)


def test_the_shipped_exercises_go_from_easy_to_hard_and_cover_the_trade() -> None:
    exercises = shipped_session(PLANT).exercises
    kinds = {wrong.kind for one in exercises for wrong in one.truth}
    assert kinds >= {
        "unbalance", "misalignment", "outer_ring", "inner_ring", "cavitation", "gear_wear",
        "rotating_looseness", "lubrication", "ski_slope", "slurry_shocks",
    }  # fmt: skip
    assert [one.level for one in exercises] == sorted(one.level for one in exercises)
    assert {one.expected.faults[0] for one in exercises} >= {SENSOR, NOTHING}
    for one in exercises:
        assert one.hints
        assert {"fr", "en"} <= set(one.text)


def test_a_seed_draws_the_same_machines_and_another_seed_others() -> None:
    assert drawn_session(7, PLANT) == drawn_session(7, PLANT)
    drawn = [drawn_session(seed, PLANT) for seed in range(12)]
    assert all(len(session.exercises) == DRAWN for session in drawn)
    assert len({session.exercises[0].truth[0].kind for session in drawn}) > 3


def test_the_plant_of_a_session_has_a_machine_for_each_exercise_and_no_name_tells_its_fault() -> None:
    session = shipped_session(PLANT)
    text = plant_text(session)
    plant = parse_plant(text, file=Path("plant.toml"))
    assert plant.site_id == SITE
    assert [machine.id for machine in plant.machines] == [one.id for one in session.exercises]
    for one in session.exercises:
        like, made = PLANT.machine(one.model), plant.machine(one.id)
        assert like is not None
        assert made is not None
        assert (made.points, made.gears, made.kind) == (like.points, like.gears, like.kind)
        assert not any(wrong.kind in text for wrong in one.truth)


def test_the_fault_has_its_severity_at_the_end_and_the_first_weeks_are_sound() -> None:
    session = shipped_session(PLANT)
    plant = parse_plant(plant_text(session), file=Path("plant.toml"))
    one = session.exercises[2]
    sim = simulated(one, plant)
    (fault,) = sim.truth(one.id, END_S).faults
    assert fault.kind == one.truth[0].kind
    assert fault.severity == pytest.approx(one.truth[0].severity)
    assert not sim.truth(one.id, END_S - (LONGEST_DAYS + 1) * 86_400).faults


def test_blocks_come_machine_by_machine_and_each_point_has_all_of_its_own(tmp_path: Path) -> None:
    session = read(
        tmp_path, GOOD + GOOD.partition("\n")[2].replace('"P-101"', '"L-401"').replace('"2"', '"1"')
    )
    plant = parse_plant(plant_text(session), file=Path("plant.toml"))
    source = SimulatedExercises(session.exercises, plant)
    assert {device.machine for device in source.devices()} == {"EX-01", "EX-02"}
    assert len(ends_s()) == blocks_each() == 81
    assert ends_s()[-1] == END_S
    assert list(ends_s()) == sorted(set(ends_s()))
    sim = simulated(session.exercises[1], plant)  # a mill: it is measured in its passes
    assert max(abs(at - end) for at, end in zip(instants(sim), ends_s(), strict=True)) < 1800
    task = next(task for task in tasks_of(sim) if task.point is not None)
    block = sim.frame_at(task, instants(sim)[-1])
    assert isinstance(block, Waveform)
    assert block.load_percent is not None
    slow = next(task for task in tasks_of(sim) if task.point is None)
    assert isinstance(sim.frame_at(slow, END_S), Readings)


@pytest.mark.parametrize("options", [{}, {"folder": 3, "plant_file": "x"}, {"folder": "a", "seed": 1}])
def test_the_source_refuses_what_it_does_not_know(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must name a file or folder|has the keys folder, plant_file"):
        open_source(options, PlantClock())
