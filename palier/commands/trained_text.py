"""What a training measured, as people read it: of baselines, of a detector, of a classifier."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.training.dataset import HEALTHY
from palier.locale import Catalogue


def metrics_lines(
    metrics: Mapping[str, Any], words: Catalogue, thresholds: Mapping[str, float] | None = None
) -> Iterator[str]:
    """The metrics of a model of any kind; `thresholds` are those of a classifier's classes."""
    if "named_of" in metrics:
        yield from _classifier_lines(metrics, words, thresholds or {})
        return
    if "points" in metrics:
        told = {name: words.number(metrics.get(name, math.nan), 0) for name in ("points", "refused")}
        yield words.text("trained.learned", **told)
    if "blocks" in metrics:
        yield words.text("trained.blocks", blocks=words.number(metrics["blocks"], 0))
    if "alerts_held_out" in metrics:
        split = "machine" if metrics.get("split") == "by machine" else "time"
        months = words.number(metrics["months_held_out"], 1)
        alerts = words.number(metrics["alerts_held_out"], 0)
        yield words.text(f"trained.held_out_by_{split}", alerts=alerts, months=months)
    if metrics.get("unsettled"):
        yield words.text("trained.unsettled", groups=", ".join(metrics["unsettled"]))


def fault_text(fault: str, words: Catalogue) -> str:
    """A class of a classifier by its name."""
    if fault == HEALTHY:
        return words.text("trained.none")
    return words.text(f"fault.{fault}") if f"fault.{fault}" in words else fault


def table_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Cells in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _classifier_lines(
    metrics: Mapping[str, Any], words: Catalogue, thresholds: Mapping[str, float]
) -> Iterator[str]:
    yield words.text("trained.judged", machines=words.number(metrics["machines"], 0))
    named, healthy = (_percent(metrics.get(name), words) for name in ("named", "healthy"))
    yield words.text("trained.shares", named=named, healthy=healthy)
    yield from table_lines([*_fault_rows(metrics, words, thresholds)])
    for one in metrics.get("mistaken", ()):
        yield words.text(
            "trained.mistaken",
            fault=fault_text(one["fault"], words),
            said=fault_text(one["for"], words),
            examples=words.number(one["examples"], 0),
        )
    selection = metrics.get("selection", {})
    kept = sum(not one["left_out"] for one in selection.values())
    if selection:
        yield words.text("trained.features", kept=kept, all=len(selection))


def _fault_rows(
    metrics: Mapping[str, Any], words: Catalogue, thresholds: Mapping[str, float]
) -> Iterator[list[str]]:
    """A row for each class, and for each fault that was left out."""
    columns = ("fault", "examples", "named", "unseen", "calm", *(["threshold"] if thresholds else ()))
    yield [words.text(f"trained.column_{name}") for name in columns]
    examples, calm = metrics["examples"], metrics.get("like_good_health", {})
    for fault in dict.fromkeys((*examples, *calm)):
        cells = [
            fault_text(fault, words),
            words.number(examples.get(fault, 0), 0),
            _percent(metrics["named_of"].get(fault), words),
            _percent(metrics.get("unseen_unidentified", {}).get(fault), words),
            words.number(calm.get(fault, 0), 0),
        ]
        yield cells + ([words.number(thresholds.get(fault, math.nan), 2)] if thresholds else [])


def _percent(share: float | None, words: Catalogue) -> str:
    return "–" if share is None else words.quantity(round(100 * share), "%")
