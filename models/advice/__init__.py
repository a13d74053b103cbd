"""What to do about a diagnosis: fact, meaning, action, deadline, how to confirm, as keys and numbers."""

from .advise import Advice, advise, advise_all
from .deadline import Deadline, Lasting, sooner
from .demand import ABNORMAL, Demand, InForce, asked_of, raised
from .drive import over_drive

__all__ = [
    "ABNORMAL",
    "Advice",
    "Deadline",
    "Demand",
    "InForce",
    "Lasting",
    "advise",
    "advise_all",
    "asked_of",
    "over_drive",
    "raised",
    "sooner",
]
