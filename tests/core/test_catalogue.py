"""The catalogue is public API: names are columns of the historian."""

from __future__ import annotations

import re
import subprocess
import sys

from models.features import CATALOGUE, CORE, Extractor
from models.features.catalogue import NAMES, UNITS
from models.types import BEARING_DEFECTS

DEGREES = {"m/s²": 1, "mm/s": 1, "µm": 1, "Hz": 0, "bit": 0, "1": 0}
NEEDS = {"speed", "orders", "mesh", "driven", "vanes", "belt", "supply", "pole_pass"}
DOMAINS = {"time", "frequency", "order", "envelope", "cepstrum", "quality"}


def test_names_are_unique_and_safe_as_columns() -> None:
    assert len(set(NAMES)) == len(NAMES) == 86
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in NAMES)


def test_a_level_says_its_unit_in_its_name() -> None:
    endings = {"mm/s": "_mm_s", "m/s²": "_m_s2", "µm": "_um", "Hz": "_hz", "bit": "_bits"}
    for spec in CATALOGUE:
        assert spec.unit == "1" or spec.name.endswith(endings[spec.unit]), spec.name
        assert spec.unit != "1" or not spec.name.endswith(tuple(endings.values())), spec.name
        assert spec.degree == DEGREES[spec.unit], spec.name


def test_every_feature_has_its_source_and_a_sentence() -> None:
    assert all(spec.source and spec.doc and len(spec.doc) < 120 for spec in CATALOGUE)
    assert all(not spec.doc.endswith(".") and "{" not in spec.doc + spec.source for spec in CATALOGUE)


def test_domains_bands_and_needs_are_what_they_can_be() -> None:
    for spec in CATALOGUE:
        assert spec.domain in DOMAINS, spec.name
        assert set(spec.needs) <= NEEDS, spec.name
        assert spec.needs_speed == ("speed" in spec.needs)
        assert spec.band is None or 0 < spec.band[0] < spec.band[1], spec.name
        named = re.search(r"_(\d+)_(\d+)(?:_m_s2)?$", spec.name)
        assert named is None or spec.band == tuple(map(float, named.groups())), spec.name


def test_the_extractor_gives_the_catalogue_in_its_order() -> None:
    assert tuple(spec.name for spec in CATALOGUE) == Extractor.names == NAMES
    assert tuple(spec.unit for spec in CATALOGUE) == Extractor.units == UNITS


def test_the_core_is_of_28_features_in_the_catalogue() -> None:
    assert len(set(CORE)) == len(CORE) == 28
    assert set(CORE) <= set(NAMES)


def test_each_defect_has_the_same_features() -> None:
    for name in BEARING_DEFECTS:
        own = [spec.name.removeprefix(name) for spec in CATALOGUE if spec.name.startswith(f"{name}_")]
        assert own == ["_m_s2", "_modulation", "_bits", "_harmonics", "_band_hz"]
    combs = [spec.name for spec in CATALOGUE if spec.name.endswith(("_bits", "_harmonics", "_band_hz"))]
    assert combs == [
        f"{defect}_{what}" for defect in BEARING_DEFECTS for what in ("bits", "harmonics", "band_hz")
    ]


def test_reading_the_catalogue_does_not_load_the_fft() -> None:
    code = "import sys, models.features.catalogue, models.detection.zones; print('scipy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
