"""The plant of a training session: a machine for each exercise, made after one of the sample plant.

Nothing of it is a real plant's: site, machines and data are its own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from models.types import MachineSpec
from palier.plant import Plant, sample_plant_path
from palier.training import Exercise, Session

from .plans import PlannedFault, Scenario
from .plant import SimulatedPlant
from .training_file import planned_of
from .training_times import END_S

SITE: Final = "formation"
SITE_NAME: Final = "Formation (machines simulées)"


def plant_text(session: Session, models: Path | None = None) -> str:
    """plant.toml of the session: each machine is that of the sample plant (or of `models`) but its name."""
    text = (models or sample_plant_path()).read_text("utf-8")
    data = tomllib.loads(text)
    known = {machine["id"]: machine for machine in data["machine"]}
    site = {"id": SITE, "name": SITE_NAME, "timezone": data["site"].get("timezone", "UTC")}
    lines = ["[site]", *(f"{key} = {_inline(value)}" for key, value in site.items())]
    for exercise in session.exercises:
        machine = {**known[exercise.model], "id": exercise.id}
        lines += ["", "[[machine]]", *(f"{key} = {_inline(value)}" for key, value in machine.items())]
    return "\n".join(lines) + "\n"


def simulated(exercise: Exercise, plant: Plant) -> SimulatedPlant:
    """The one machine of an exercise, with what is wrong with it; `plant` is that of the session.

    Raises ValueError where it has no such machine.
    """
    spec = plant.machine(exercise.id)
    if spec is None:
        raise ValueError(f"the plant has no machine {exercise.id!r}: it is not that of this session")
    return SimulatedPlant.of([spec], scenario_of(exercise, spec), seed=exercise.seed, origin_s=END_S)


def scenario_of(exercise: Exercise, spec: MachineSpec) -> Scenario:
    """What goes wrong, so that hour 0 is the end."""
    planned = [planned_of(spec.id, wrong) for wrong in exercise.truth]
    return Scenario(
        faults=tuple(one for one in planned if isinstance(one, PlannedFault)),
        impairments=tuple(one for one in planned if not isinstance(one, PlannedFault)),
    )


def _inline(value: object) -> str:
    """A TOML value on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
