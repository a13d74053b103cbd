"""What training led to, as people and programs read it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from palier.locale import Catalogue

from .trained_text import fault_text

if TYPE_CHECKING:
    from models.training.fit import Trained, Unfit
    from palier.registry import Version


_FAULTS = ("fault", "first", "second")
"""Parameters of a reason that are faults."""


def left_out_lines(refused: Iterable[Unfit], words: Catalogue) -> Iterator[str]:
    """The points that nothing could be learned of, each with the reason and the remedy."""
    for one in refused:
        yield words.text(
            "model.left_out",
            place="/".join(part for part in one.place if part) or "-",
            why=why_of(one, words),
        )


def why_of(one: Unfit, words: Catalogue) -> str:
    """The reason and the remedy; the longer sentence, with numbers, where there is one."""
    key = f"training.{one.refusal.reason}"
    if key in words:
        told = {name: fault_text(str(v), words) if name in _FAULTS else v for name, v in one.params.items()}
        return words.text(key, **told)
    remedy = f"remedy.{one.refusal.remedy}"
    reason = words.text(f"refusal.{one.refusal.reason}")
    return f"{reason}{words.semicolon}{words.text(remedy)}" if remedy in words else reason


def told_of(trained: Trained, version: Version | None) -> dict[str, Any]:
    """For JSON."""
    return {
        "version": None if version is None else version.told(),
        "left_out": [
            {"place": list(one.place), "reason": one.refusal.reason, "remedy": one.refusal.remedy}
            | {"params": _plain(one.params)}
            for one in trained.refused
        ],
        "report": _plain(trained.report),
    }


def _plain(value: Any) -> Any:
    """As JSON has it: what is not finite is null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
