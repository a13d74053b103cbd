"""Writes a remaining life and what it rests on in the words of a language (ISO 13381-1)."""

from __future__ import annotations

from collections.abc import Mapping

from models.prognosis.words import Unit, spoken

from .advice_text import figure
from .locale import Catalogue


def duration_text(hours: float, words: Catalogue, *, quantile: float = 0.5) -> str:
    """A duration as people plan with it: hours below two days, days below two months, else weeks."""
    said = spoken(hours, quantile)
    if said.beyond_two_months:
        return words.text("life.beyond_two_months")
    key = {Unit.HOUR: "life.hour", Unit.DAY: "life.day", Unit.WEEK: "life.week"}[said.unit]
    return words.text(key, count=said.value)


def life_text(p10_h: float, p50_h: float, p90_h: float, confidence: str, words: Catalogue) -> str:
    """The sentence of a remaining life: median, interval of 80 %, confidence. Raises ValueError for NaN."""
    low, middle, high = (
        duration_text(hours, words, quantile=q) for hours, q in ((p10_h, 0.1), (p50_h, 0.5), (p90_h, 0.9))
    )
    sure = words.text(f"life.{confidence}")
    return words.text("life.line", p10=low, p50=middle, p90=high, confidence=sure)


def assumption_text(key: str, params: Mapping[str, object], words: Catalogue) -> str:
    """What an answer rests on: a key of `assumption` with its numbers; an unknown one is shown as it is."""
    told = {name: figure(v, words) if isinstance(v, float) else v for name, v in params.items()}
    if isinstance(name := told.get("name"), str) and f"limit.{name}" in words:
        told["name"] = words.text(f"limit.{name}")
    try:
        return words.text(f"assumption.{key}", **told)
    except (KeyError, IndexError):
        return key
