"""Designations of bearings: found, spelled otherwise, or another bearing."""

from __future__ import annotations

import pytest

from palier.bearings import find_bearing, not_in_catalogue
from palier.limits import load_bearings

BEARINGS = load_bearings()


def test_designations_are_found_whatever_their_blanks_and_case() -> None:
    assert find_bearing("nu 2210", BEARINGS) == BEARINGS["NU2210"]
    assert find_bearing("6999", BEARINGS) is None


@pytest.mark.parametrize(
    ("designation", "known"),
    [
        ("6205-2RS", "6205"),
        ("6205 2RS1/C3", "6205"),
        ("6205ZZ", "6205"),
        ("6205/C3", "6205"),
        ("skf6205", "6205"),
        ("SKF 6205-2Z", "6205"),
        ("NU-2210", "NU2210"),
        ("NU 2210 ECP", "NU2210"),
        ("7014C/P4", "7014C"),
    ],
)
def test_a_spelling_of_a_known_designation_is_told(designation: str, known: str) -> None:
    assert find_bearing(designation, BEARINGS) is None
    assert f'(it has "{known}", right only where ' in not_in_catalogue(designation, BEARINGS)


@pytest.mark.parametrize(
    "designation",
    ["6206", "6204", "6025", "62052", "62052RS", "16205", "6205-16", "2210", "NJ2210", "7014B", "7014", "?"],
)
def test_another_bearing_is_never_suggested(designation: str) -> None:
    """A neighbouring number or another type is another geometry: its lines would be those of nothing."""
    assert not_in_catalogue(designation, BEARINGS) == (
        f"unknown bearing {designation!r}: the catalogue does not have it"
    )
