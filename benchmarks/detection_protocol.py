"""What a protocol of `palier bench detection` is, and what it finds.

A protocol is a module of this folder, named detection_*.py, with

    PROTOCOL = Protocol("skab-outliers", "SKAB outliers, point-wise", needs=("skab",), run=run)

or several in a tuple PROTOCOLS, where `run(data)` yields a `Figure` for each number, as soon as it has it.
The bench finds them by these names. All settings of what is measured stand in the models: a protocol chooses
no threshold, for all of its files or for one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_GOAL: Final = re.compile(r"(<=|>=|<|>|=) *([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a protocol found, beside what it should be and what it would be without judgement.

    `value` None is not measured, and `note` says why. `goal` is a sense and a number, like ">= 0.83", None
    where the figure is for information. `reference` is the best published or reproduced figure, with its
    source. `always_alarm` and `random` are the same figure of a detector that always alarms, and of one that
    alarms at random as often as ours (or for a diagnosis: that says always the commonest class, or a random
    one); None where the figure has none. All numbers are in `unit`.
    """

    name: str
    value: float | None
    unit: str
    goal: str | None = None
    reference: str = ""
    always_alarm: float | None = None
    random: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.goal is not None and _GOAL.fullmatch(self.goal) is None:
            raise ValueError(
                f"the goal of {self.name} must be a sense and a number like '>= 0.83', got {self.goal!r}"
            )
        for number in (self.value, self.always_alarm, self.random):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.name} must be finite, or None where it is not known, got {number}")

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is no goal or no figure."""
        if self.goal is None or self.value is None or (found := _GOAL.fullmatch(self.goal)) is None:
            return None
        wanted = float(found[2])
        return {
            "<=": self.value <= wanted,
            ">=": self.value >= wanted,
            "<": self.value < wanted,
            ">": self.value > wanted,
            "=": self.value == wanted,
        }[found[1]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A measurement on recorded data. `name` is what `--only` takes, `title` what tables say.

    `needs` are the folders of the data folder that it reads: where one is absent it is not run, and the
    table says so. `run(data)` is given the data folder; it raises nothing of its own for a file that is
    there and readable. `about` is a paragraph for the score card: what is fitted, scored and counted.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    run: Callable[[Path], Iterable[Figure]]
    about: str = ""
