"""A waveform that contradicts its block's features, over the trends of a machine."""

from __future__ import annotations

import json

import pytest

from dashboards.console.machine_series import FLAGGED, _differs
from dashboards.console.machine_words import MachineWords
from dashboards.console.words import Words
from palier.locale import LANGUAGES, Catalogue

DETAIL = {
    "differences": [
        {"channel": "h", "feature": "velocity_rms_mm_s", "told": 1.5, "computed": 3.25},
        {"channel": "h", "feature": "kurtosis", "told": 3.0, "computed": 4.0},
    ]
}


def test_the_largest_difference_is_what_the_flag_tells() -> None:
    assert _differs(json.loads(json.dumps(DETAIL))) == ("h/velocity_rms_mm_s", 1.5, 3.25)
    assert [_differs(some) for some in ({}, {"differences": []}, {"differences": [{"channel": "h"}]})] == [
        None
    ] * 3
    assert FLAGGED["contradiction"] == ("differs",)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_has_words_and_units_in_each_language(lang: str) -> None:
    words = MachineWords(Words(lang))
    told = words.flag("contradiction", "differs", "", ("h/velocity_rms_mm_s", 1.5, 3.25))
    assert Catalogue(lang).text("contradiction.differs") in told
    assert words.number(1.5) in told
    assert words.number(3.25) in told
