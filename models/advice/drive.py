"""What drives a machine decides what is done about it: a belt has pulleys, a coupling is aligned. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from models.types import MachineSpec

OVER_BELT: Final = {
    "misalignment": "pulleys",
    "phase_across_coupling": "pulley_alignment",
}
"""Keys of tasks and of confirming measurements that name a coupling, and what a belt has in its place. Across
a belt no phase can be compared: the two shafts turn at different speeds."""


def over_drive(keys: Iterable[str], machine: MachineSpec) -> tuple[str, ...]:
    """Keys of tasks or confirmations as they are for this machine, each once."""
    if machine.belt is None:
        return tuple(keys)
    return tuple(dict.fromkeys(OVER_BELT.get(key, key) for key in keys))
