"""Scenarios as TOML, read strictly: every mistake is a sentence with its file and line.

The shipped ones lie in scenarios/*.toml; docs/simulators.md tells the tables and keys.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

from palier.plant import Plant
from palier.strict_toml import ConfigError, Document, Table, parse_toml, read_toml

from .faults import LOCAL_KINDS, FaultKind
from .impairments import AMOUNTS, ImpairmentKind
from .kinds import anatomy_of
from .plans import (
    Growing,
    Intervention,
    Level,
    Line,
    Plan,
    PlannedFault,
    PlannedImpairment,
    Sawtooth,
    Scenario,
    Settings,
    strange,
)

SHIPPED: Final = ("healthy", "demo", "training", "degradation")

P = TypeVar("P", PlannedFault, PlannedImpairment, Intervention)

FAULTS: Final = tuple(kind.value for kind in FaultKind)
IMPAIRMENTS: Final = tuple(kind.value for kind in ImpairmentKind)

TO_SPEED_H: Final = 0.05
"""Three minutes: what a machine needs to come to its speed, and to be seen running."""


def shipped_scenario(name: str, plant: Plant) -> Scenario:
    """A shipped scenario, less what is about machines that the plant does not have. Raises ValueError."""
    if name not in SHIPPED:
        raise ValueError(f"scenario must be one of {', '.join(SHIPPED)}, got {name!r}; or use scenario_file")
    text = resources.files(__package__).joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    return _scenario(parse_toml(text, f"{name}.toml"), None).fitting(plant)


def read_scenario(file: Path, plant: Plant) -> Scenario:
    """The scenario of a TOML file. Raises ValueError with a "file:line: sentence" for each mistake."""
    try:
        document = read_toml(file)
    except ConfigError as error:
        if "can't be read" in str(error):
            raise ValueError(
                f"the scenario {error} (a scenario is {', '.join(SHIPPED)}, or a TOML file)"
            ) from error
        raise
    return _scenario(document, plant)


def _scenario(document: Document, plant: Plant | None) -> Scenario:
    """The scenario of a document; where a plant is given, its machines and points must be there.

    Raises ConfigError (a ValueError) with all mistakes.
    """
    root = document.root()
    machines: dict[str, Settings] = {}
    for table in root.array("machine"):
        name, settings = table.name("id"), _settings(table)
        if name and name in machines:
            table.mistake("id", f"machine {name!r} has a [[machine]] of its own already: join the two")
        if name and plant is not None:
            _fits(table, name, settings, plant)
        machines[name] = settings
    faults = tuple(
        _known(table, _fault(table, table.choice("kind", FAULTS)), plant) for table in root.array("fault")
    )
    impairments = tuple(_known(table, _impairment(table), plant) for table in root.array("impairment"))
    interventions = tuple(_known(table, _intervention(table), plant) for table in root.array("intervention"))
    candidates = tuple(_candidate(table, plant) for table in root.array("candidate"))
    choose = root.integer("choose", 0, low=0)
    if choose > len(candidates):
        root.mistake(
            "choose", f"choose must be at most the {len(candidates)} [[candidate]] tables, got {choose}"
        )
    document.refuse()
    return Scenario(machines, faults, impairments, interventions, candidates, choose)


def _fits(table: Table, name: str, settings: Settings, plant: Plant) -> None:
    """Notes what a machine of the plant can't do."""
    spec = plant.machine(name)
    if spec is None:
        have = ", ".join(m.id for m in plant.machines)
        table.mistake("id", f"the plant has no machine {name!r}; it has {have}")
        return
    duty = anatomy_of(spec).duty
    if settings.variable and duty.lowest >= 1:
        table.mistake("speed", f"machine {name!r} is of a kind without a drive: its speed must be steady")
    if settings.reversing and not duty.on_s:
        table.mistake("reversing", f"machine {name!r} works without passes between which it could reverse")


def _known(table: Table, one: P, plant: Plant | None) -> P:
    """Notes what does not fit the plant."""
    sentence = strange(plant, one) if plant is not None and one.machine else ""
    if sentence and plant is not None:
        spec = plant.machine(one.machine)
        misplaced = one.point and spec is not None and spec.point(one.point) is None
        table.mistake("machine" if spec is None else "point" if misplaced else "kind", sentence)
    return one


def _candidate(table: Table, plant: Plant | None) -> PlannedFault | PlannedImpairment:
    kind = table.choice("kind", (*FAULTS, *IMPAIRMENTS))
    if kind in IMPAIRMENTS:
        return _known(table, _impairment(table), plant)
    return _known(table, _fault(table, kind), plant)


def _settings(table: Table) -> Settings:
    planned = table.table("planned_stop")
    every_h, lasting_h = _planned_stop(planned) if "planned_stop" in table else (0.0, 0.0)
    return Settings(
        stopped=_windows(table),
        stop_every_h=every_h,
        stop_lasting_h=lasting_h,
        variable=table.choice("speed", ("steady", "variable"), "steady") == "variable",
        load=_number(table, "load", 1.0, 0.0, 1.5),
        reversing=table.flag("reversing", default=False),
    )


def _planned_stop(table: Table) -> tuple[float, float]:
    """How often a machine is stopped, and how long: between two stops it must have come to its speed."""
    every_h = _number(table, "every_h", None, 0.1, 1e5)
    lasting_h = _number(table, "lasting_h", None, 0.02, 1e5)
    most = every_h - TO_SPEED_H
    if "every_h" in table and lasting_h > most:
        table.mistake("lasting_h", f"lasting_h must be at most {most:g} of {every_h:g}, got {lasting_h:g}")
    return every_h, lasting_h


def _windows(table: Table) -> tuple[tuple[float, float], ...]:
    """`stopped`: pairs of hours, each from when to when."""
    found = []
    for window in table.array("stopped"):
        start, end = _number(window, "from_h", None), _number(window, "to_h", math.inf)
        if not end > start:
            window.mistake("to_h", f"to_h must be after from_h = {start:g}, got {end:g}")
        found.append((start, end))
    return tuple(found)


def _fault(table: Table, kind: str) -> PlannedFault:
    machine = table.name("machine")
    known = FaultKind(kind) if kind in FAULTS else FaultKind.UNBALANCE
    if kind not in FAULTS:
        table.text("point", "")  # whether it belongs here is not known either
    point = table.name("point") if known in LOCAL_KINDS else ""
    return PlannedFault(machine, known, _plan(table), point)


def _plan(table: Table) -> Plan:
    """The course of a fault: which one follows from its keys."""
    if "life_h" in table:
        return _growing(table)
    if "period_h" in table:
        low, high = _number(table, "low", 0.0, 0.0, 1.0), _number(table, "high", 0.5, 0.0, 1.0)
        if high < low:
            table.mistake("high", f"high must not be below low = {low:g}, got {high:g}")
        period_h = _number(table, "period_h", 1.0, 1e-3, 1e6)
        return Sawtooth(_number(table, "from_h", 0.0), period_h, low, high)
    if "from_h" in table:
        from_h = _number(table, "from_h", 0.0)
        full_h = _number(table, "full_h", from_h)
        if full_h < from_h:
            table.mistake("full_h", f"full_h must not be before from_h = {from_h:g}, got {full_h:g}")
        return Line(from_h, full_h, *_severities(table))
    return Level(*_severities(table))


def _severities(table: Table) -> tuple[float, float]:
    """A severity, or two between which it is drawn."""
    low = _number(table, "severity", None, 0.0, 1.0)
    high = _number(table, "severity_to", low, 0.0, 1.0)
    if high < low:
        table.mistake("severity_to", f"severity_to must not be below severity = {low:g}, got {high:g}")
    return low, high


def _growing(table: Table) -> Growing:
    onset = _number(table, "onset_h", 0.0, 0.0, 1e6) if "onset_h" in table else None
    if (onset is None) == ("onset_scale_h" not in table):
        table.mistake(
            None, "a fault with life_h needs onset_h, or onset_scale_h to draw its onset, and not both"
        )
    return Growing(
        life_h=_number(table, "life_h", 1.0, 1e-3, 1e6),
        from_h=_number(table, "from_h", 0.0),
        onset_h=onset,
        onset_scale_h=_number(table, "onset_scale_h", 0.0, 0.0, 1e6),
        onset_shape=_number(table, "onset_shape", 1.8, 0.5, 10.0),
        start=_number(table, "start", 0.02, 1e-4, 0.5),
        life_spread=_number(table, "life_spread", 0.0, 0.0, 2.0),
        load_exponent=_number(table, "load_exponent", 3.0, 0.0, 10.0),
        jumps=_number(table, "jumps", 0.0, 0.0, 10.0),
        plateau=_number(table, "plateau", 0.0, 0.0, 1.0),
        repair_after_h=_number(table, "repair_after_h", math.inf, 0.0, math.inf),
        imperfect=_number(table, "imperfect", 0.1, 0.0, 1.0),
    )


def _impairment(table: Table) -> PlannedImpairment:
    kind = table.choice("kind", IMPAIRMENTS)
    known = ImpairmentKind(kind) if kind in IMPAIRMENTS else ImpairmentKind.NOISE
    usual, meaning, low, high = AMOUNTS[known]
    amount = table.number("amount", usual)
    if kind in IMPAIRMENTS and (amount is None or not low <= amount <= high):
        got = table.data.get("amount")
        text = f"the amount of {known} is {meaning}, from {low:g} to {high:g}, got {got!r}"
        table.mistake("amount", text)
    start, end = _number(table, "from_h", -math.inf), _number(table, "to_h", math.inf)
    if not end > start:
        table.mistake("to_h", f"to_h must be after from_h = {start:g}, got {end:g}")
    point, channel = table.text("point", ""), table.text("channel", "")
    return PlannedImpairment(table.name("machine"), known, amount, start, end, point, channel)


def _intervention(table: Table) -> Intervention:
    kind = table.choice("kind", FAULTS, "")
    kinds = (FaultKind(kind),) if kind in FAULTS else ()
    return Intervention(table.name("machine"), _number(table, "at_h", None), kinds, table.text("point", ""))


def _number(table: Table, key: str, default: float | None, low: float = -1e6, high: float = 1e6) -> float:
    """A number within low..high; required where there is no default."""
    if default is not None and key not in table:
        table.number(key, None)
        return default
    value = table.number(key)
    if value is None:
        return max(low, 0.0)
    if not low <= value <= high:
        table.mistake(key, f"{key} must be from {low:g} to {high:g}, got {value:g}")
    return value
