"""Writes evidence and advice in the words of a language, from the keys and numbers of the core.

An advice is at most `MOST_WORDS` words: what is told beside fact, meaning, action and confirmation (what else
it may be, how little was measured, a second fact) is told while there is room.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from models.advice import Advice
from models.diagnosis import EvidenceItem, Fault

from .locale import Catalogue

MOST_WORDS: Final = 60

MOST_OTHERS: Final = 3
"""Of many faults that it may be as well, these are told where there is no room for all."""

STAGES: Final = (2, 3, 4)
"""Stages of a bearing that have a word: stage 1 names no part of it."""

EARLY: Final = 2
GRAVE: Final = 4
"""A severity beside which no stage is called early: whoever has to intervene would read a contradiction. So
it is beside a machine in danger, by another point or by its velocity: the worse of both words stands."""

PERCENT: Final = frozenset(
    {
        "bearing_found",
        "deposit_drop",
        "share_1x",
        "since_greased",
        "since_tightened",
        "supply_elsewhere",
        "supply_share",
        "unsteady",
    }
)
"""Evidence whose `value` and `limit` are shares, told in percent."""

DIGITS: Final = {"order": 3, "frequency_hz": 1}
"""Digits of what is compared with a table of defect orders, where three figures do not do."""

HOURS_PER_DAY: Final = 24.0
LONGEST_IN_HOURS: Final = 96.0
"""Up to three days people count hours: "within 72 h" is their word for urgent."""

_HAIR: Final = 1e-9
"""A hair below a whole number is that number: 71.9999999999 h of rounding error is not 71 h."""

_WORD: Final = re.compile(r"\w")


def fault_text(fault: Fault, words: Catalogue) -> str:
    """The name of a fault."""
    return words.text(f"fault.{fault}")


def evidence_text(item: EvidenceItem, words: Catalogue, *, short: bool = False) -> str:
    """The sentence of one item; `short` as it stands in an advice."""
    brief = f"advice.short_{item.key}"
    key = brief if short and brief in words else f"evidence.{item.key}"
    return words.text(key, **_params(item, words))


def advice_text(advice: Advice, words: Catalogue) -> str:
    """Fact, meaning, action with its deadline, how to confirm, in at most `MOST_WORDS` words."""
    parts = _parts(advice, words)
    for spare in _spares(advice, words):
        richer = parts | spare
        if count_words(_joined(richer)) <= MOST_WORDS:
            parts = richer
    return _joined(parts)


def confirm_text(key: str, words: Catalogue) -> str:
    """The name of a measurement that confirms or separates."""
    return words.text(f"confirm.{key}")


def deadline_text(hours: float, words: Catalogue) -> str:
    """A deadline in hours, days or weeks, as people plan: rounded down, never later than it is.

    Below an hour it is now.
    """
    if hours < 1:
        return words.text("advice.now")
    if hours < LONGEST_IN_HOURS:
        return words.text("advice.hours", n=words.number(math.floor(hours + _HAIR), 0))
    days = math.floor(hours / HOURS_PER_DAY + _HAIR)
    if days == 7:
        return words.text("advice.week")
    if days % 7 == 0:
        return words.text("advice.weeks", n=days // 7)
    return words.text("advice.days", n=days)


def action_text(action: str, hours: float | None, task: str, words: Catalogue) -> str:
    """What to do (none, watch, plan, intervene, stop; the key of its task), and within how many hours."""
    told = words.text(f"task.{task}")
    if hours is not None and hours < 1 and f"advice.do_{action}_now" in words:
        return words.text(f"advice.do_{action}_now", task=told)
    deadline = "" if hours is None else deadline_text(hours, words)
    return words.text(f"advice.do_{action}", deadline=deadline, task=told)


def count_words(text: str) -> int:
    """Words as a reader counts them: what holds a letter or a digit, however the blanks are."""
    return sum(bool(_WORD.search(part)) for part in text.split())


_ORDER: Final = ("fact", "meaning", "stage", "also", "few", "do", "confirm")


def _joined(parts: Mapping[str, str]) -> str:
    return " ".join(parts[name] for name in _ORDER if name in parts)


def _parts(advice: Advice, words: Catalogue) -> dict[str, str]:
    """What every advice says."""
    parts = {"fact": _fact(advice, 1, words), "meaning": _meaning(advice, words), "do": _do(advice, words)}
    if advice.confirm and advice.fault is not Fault.UNIDENTIFIED:
        parts["confirm"] = _confirm(advice, words)
    return parts


def _spares(advice: Advice, words: Catalogue) -> list[dict[str, str]]:
    """What may be said besides, the most useful first."""
    spares, others = [], advice.not_separated
    if advice.blocks:
        spares.append({"few": words.text("advice.few_blocks", blocks=advice.blocks)})
    if len(advice.facts) > 1:
        spares.append({"fact": _fact(advice, len(advice.facts), words)})
    grave = advice.severity >= GRAVE or advice.in_danger
    if advice.stage in STAGES and not (advice.stage == EARLY and grave):
        spares.append({"stage": words.text(f"advice.stage_{advice.stage}")})
    for most in sorted({min(MOST_OTHERS, len(others)), len(others)} - {0}):
        named = _listed([fault_text(fault, words) for fault in others[:most]], words)
        spares.append({"also": words.text("advice.also", faults=named)})
    if advice.fault is Fault.UNIDENTIFIED and advice.confirm:
        spares.append({"confirm": _confirm(advice, words)})
    return spares


def _fact(advice: Advice, most: int, words: Catalogue) -> str:
    facts = words.semicolon.join(evidence_text(item, words, short=True) for item in advice.facts[:most])
    if not advice.machine:  # it stands under the name of what it is about
        return f"{facts[:1].upper()}{facts[1:]}."
    key = "advice.fact" if advice.point else "advice.fact_machine"
    return words.text(key, machine=advice.machine, point=advice.point, facts=facts)


def _meaning(advice: Advice, words: Catalogue) -> str:
    if advice.fault is Fault.UNIDENTIFIED:
        return words.text("advice.meaning_unidentified")
    fault, sure = fault_text(advice.fault, words), words.number(100 * advice.confidence, 0)
    return words.text("advice.meaning", fault=fault, confidence=sure)


def _do(advice: Advice, words: Catalogue) -> str:
    return action_text(advice.action, advice.deadline_h, advice.task, words)


def _confirm(advice: Advice, words: Catalogue) -> str:
    named = _listed([confirm_text(key, words) for key in advice.confirm], words)
    return words.text("advice.confirm", confirm=named)


def _listed(names: list[str], words: Catalogue) -> str:
    return ("، " if words.lang == "ar" else ", ").join(names)


def _params(item: EvidenceItem, words: Catalogue) -> dict[str, str]:
    """The parameters of a sentence as people read them: numbers with three figures, names from the locale."""
    scale = 100.0 if item.key in PERCENT else 1.0
    told: dict[str, str] = {}
    for name, value in item.params.items():
        if isinstance(value, str):
            told[name] = _named(name, value, words)
        else:
            scaled = value * (scale if name in ("value", "limit") else 1.0)
            told[name] = words.number(scaled, DIGITS[name]) if name in DIGITS else figure(scaled, words)
    return told


_TABLES: Final = {"feature": "evidence.of_", "limit_name": "limit.", "defect": "defect."}


def _named(name: str, value: str, words: Catalogue) -> str:
    key = f"{_TABLES.get(name, '')}{value}"
    if name == "feature" and key not in words:
        key = f"page.feature_{value}"
    return words.text(key) if key in words else value


def figure(value: float, words: Catalogue) -> str:
    """A number with about three figures: 0,42 - 2,3 - 12,5 - 121; whole numbers as such."""
    if math.isfinite(value) and value == round(value):
        return words.number(value, 0)
    size = abs(value)
    return words.number(value, 0 if size >= 100 else 1 if size >= 1 else 2)
