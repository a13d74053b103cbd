"""The table of faults: one rule for each, and what may be asked of the table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .rules import Rule
from .rules_bearing import BEARING_RULES
from .rules_process import PROCESS_RULES
from .rules_shaft import SHAFT_RULES
from .types import Fault

RULES: Final = (*BEARING_RULES, *SHAFT_RULES, *PROCESS_RULES)
"""Every fault that can be named, each with its rule."""

RULE_OF: Final[Mapping[Fault, Rule]] = MappingProxyType({rule.fault: rule for rule in RULES})


def evidence_keys() -> frozenset[str]:
    """The key of every sentence that evidence may have: a locale must hold `evidence.<key>` for each."""
    signs = {sign.key for rule in RULES for clause in rule.clauses for sign in clause.signs}
    return frozenset(signs) | EXTRA_EVIDENCE


def measurement_keys() -> frozenset[str]:
    """The key of every measurement that confirms or separates: a locale must hold `confirm.<key>`."""
    confirm = {key for rule in RULES for key in rule.confirm}
    separate = {key for rule in RULES for look in rule.look_alikes for key in look.by}
    return frozenset(confirm | separate) | EXTRA_MEASUREMENTS


EXTRA_EVIDENCE: Final = frozenset(
    {
        "velocity_limit",
        "temperature",
        "temperature_rise",
        "temperature_residual",
        "single_record",
        "bearing_stage",
    }
)
"""Evidence that stands in no rule: of limits without zones, of the anomaly itself, of how much was seen."""

EXTRA_MEASUREMENTS: Final = frozenset(
    {"measure_speed", "name_bearing", "more_blocks", "axial_reading", "full_survey"}
)
"""Measurements that are missing whatever the rule."""
