"""What a report says of keys and of shipped tables, in the words of each language."""

from __future__ import annotations

import pytest

from palier.alarms import What
from palier.limits import load_bearings, load_limits
from palier.locale import LANGUAGES, Catalogue
from palier.report.wording import Words


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_transition_has_a_word(lang: str) -> None:
    words = Catalogue(lang)
    assert [what for what in What if f"report.what_{what}" not in words] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_shipped_limit_and_bearing_is_described(lang: str) -> None:
    words = Catalogue(lang)
    scopes = {f"report.scope_{row.scope}" for row in load_limits().values() if row.scope}
    sources = {f"report.source_{bearing.source}" for bearing in load_bearings().values() if bearing.source}
    assert [key for key in (*scopes, *sources) if key not in words] == []


def test_the_words_of_a_site_are_shown_as_they_are() -> None:
    assert Words("fr", "UTC").of("report.scope_", "pompes de la laverie") == "pompes de la laverie"


def test_a_point_that_a_model_watches_names_the_model() -> None:
    assert (
        Words("fr", "UTC").reason("by_model:pca:4")
        == "un modèle entraîné (pca:4) y voit un comportement inhabituel"
    )
