"""Why a point is in its state, as the ingest writes it beside the state, in the words of a language."""

from __future__ import annotations

from typing import Final

from .locale import Catalogue

BY_MODEL: Final = "by_model:"
"""Begins the reason of a point that a model of the registry made *watch*; its name and version follow."""


def reason_text(reason: str, words: Catalogue) -> str:
    """The sentence of a reason: of a refusal, or of what a model sees."""
    if reason.startswith(BY_MODEL):
        return words.text("model.sees", model=reason.removeprefix(BY_MODEL))
    return words.text(f"refusal.{reason}")
