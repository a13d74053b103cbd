"""From features to a named fault: evidence, rules, ranking, severity.

`diagnose` holds the rules of `faults` against what is seen of a machine (`Evidence`).
"""

from .evidence import ChannelEvidence, Events, Evidence, PointEvidence
from .faults import RULE_OF, RULES
from .ranking import REFUSALS, confidences, diagnose
from .severity import Indicators, Severity, indicators, severity
from .types import BEARING_FAULTS, Diagnosis, EvidenceItem, Fault
from .view import views_of

__all__ = [
    "BEARING_FAULTS",
    "REFUSALS",
    "RULES",
    "RULE_OF",
    "ChannelEvidence",
    "Diagnosis",
    "Events",
    "Evidence",
    "EvidenceItem",
    "Fault",
    "Indicators",
    "PointEvidence",
    "Severity",
    "confidences",
    "diagnose",
    "indicators",
    "severity",
    "views_of",
]
