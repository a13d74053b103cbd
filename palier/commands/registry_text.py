"""What the registry and a bundle refuse, in the language of who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palier.locale import Catalogue
from palier.registry import RegistryError

if TYPE_CHECKING:
    from models.bundle_checks import BundleError


def refusal_text(error: RegistryError | BundleError, words: Catalogue) -> str:
    """The sentence of the language; that of the error itself where the language has none."""
    if isinstance(error, RegistryError):
        key = f"registry.{error.text}"
        return words.text(key, **error.params) if key in words else str(error)
    return bundle_text(error.key, str(error), words)


def bundle_text(key: str, sentence: str, words: Catalogue) -> str:
    """Why a bundle was refused, of which only the key and the sentence are left."""
    return words.text(f"bundle.{key}") if f"bundle.{key}" in words else sentence
