"""The catalogue is public API: names are columns of the historian."""

from __future__ import annotations

import re
import subprocess
import sys

from models.features import CATALOGUE, Extractor
from models.types import BEARING_DEFECTS


def test_names_are_unique_and_safe_as_columns() -> None:
    names = [spec.name for spec in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_a_level_says_its_unit_in_its_name() -> None:
    endings = {"mm/s": "_mm_s", "m/s²": "_m_s2", "Hz": "_hz", "bit": "_bits"}
    for spec in CATALOGUE:
        assert spec.unit == "1" or spec.name.endswith(endings[spec.unit])
        assert spec.degree == (1 if spec.unit in ("mm/s", "m/s²") else 0)


def test_every_feature_has_its_source_and_a_sentence() -> None:
    assert all(spec.source and spec.doc for spec in CATALOGUE)


def test_the_extractor_gives_the_catalogue_in_its_order() -> None:
    assert tuple(spec.name for spec in CATALOGUE) == Extractor.names
    assert tuple(spec.unit for spec in CATALOGUE) == Extractor.units


def test_each_defect_has_score_count_and_band_in_a_row() -> None:
    tail = [spec.name for spec in CATALOGUE if spec.domain == "envelope"]
    assert tail == [
        f"{defect}_{what}" for defect in BEARING_DEFECTS for what in ("bits", "harmonics", "band_hz")
    ]
    assert tail == [spec.name for spec in CATALOGUE[-len(tail) :]]


def test_reading_the_catalogue_does_not_load_the_fft() -> None:
    code = "import sys, models.features.catalogue, models.detection.zones; print('scipy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
