"""Scenarios: which machine has which fault, as data. The shipped ones lie in scenarios/*.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, Final

from palier.plant import Plant

from .faults import BearingDamage, Deposit, Fault, GearWear, Misaligned
from .machines.bearing import Place

KINDS: Final[Mapping[str, Callable[..., Fault]]] = {
    "bearing": BearingDamage,
    "deposit": Deposit,
    "misalignment": Misaligned,
    "gear_wear": GearWear,
}
"""Kinds of fault that a scenario may name; their keys are the fields of the class."""

SHIPPED: Final = ("healthy", "demo")

Scenario = Mapping[str, tuple[Fault, ...]]
"""Faults by machine id; a machine that is not named is sound."""


def shipped_scenario(name: str, plant: Plant) -> Scenario:
    """A shipped scenario, less the faults of machines that the plant does not have. Raises ValueError."""
    if name not in SHIPPED:
        raise ValueError(f"scenario must be one of {', '.join(SHIPPED)}, got {name!r}; or use scenario_file")
    text = resources.files(__package__).joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    scenario = _parse(text, name)
    return {machine: faults for machine, faults in scenario.items() if not _strange(plant, machine, faults)}


def read_scenario(file: Path, plant: Plant) -> Scenario:
    """The scenario of a TOML file. Raises ValueError with a sentence naming the file and the fault."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the scenario {file} must be UTF-8 text, and is not") from error
    except OSError as error:
        raise ValueError(
            f"the scenario {file} can't be read: {error.strerror} (a scenario is {', '.join(SHIPPED)}, "
            "or a TOML file of faults)"
        ) from error
    scenario = _parse(text, str(file))
    for machine, faults in scenario.items():
        strange = _strange(plant, machine, faults)
        if strange:
            raise ValueError(f"{file}: {strange}")
    return scenario


def _parse(text: str, name: str) -> Scenario:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: not TOML: {error}") from error
    if set(document) - {"fault"}:
        raise ValueError(f"{name}: a scenario holds [[fault]] tables only, got {', '.join(sorted(document))}")
    found: dict[str, tuple[Fault, ...]] = {}
    for number, table in enumerate(document.get("fault", ()), start=1):
        machine, fault = _fault(dict(table), f"{name}: fault {number}")
        found[machine] = (*found.get(machine, ()), fault)
    return found


def _fault(table: dict[str, Any], where: str) -> tuple[str, Fault]:
    machine, kind = table.pop("machine", None), table.pop("kind", None)
    if not isinstance(machine, str) or kind not in KINDS:
        raise ValueError(
            f"{where} must name a machine and one of {', '.join(KINDS)}, got {machine!r}, {kind!r}"
        )
    try:
        if "place" in table:
            table["place"] = Place(table["place"])
        values = {key: float(value) if isinstance(value, int) else value for key, value in table.items()}
        return machine, KINDS[kind](**values)
    except (TypeError, ValueError) as error:
        known = ", ".join(f.name for f in fields(KINDS[kind]))  # type: ignore[arg-type]
        raise ValueError(f"{where} ({kind}) must have the keys {known}: {error}") from error


def _strange(plant: Plant, machine: str, faults: tuple[Fault, ...]) -> str:
    """What does not fit the plant, as a sentence, or nothing."""
    spec = plant.machine(machine)
    if spec is None:
        return f"the plant has no machine {machine!r}; it has {', '.join(m.id for m in plant.machines)}"
    for fault in faults:
        if isinstance(fault, BearingDamage):
            point = spec.point(fault.point)
            if point is None or point.bearing is None:
                return f"machine {machine!r} has no point {fault.point!r} with a bearing"
    return ""
