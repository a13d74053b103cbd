"""The bearing of a point: by its designation in the catalogue, or by its own geometry or orders.

A designation that the catalogue does not have is never replaced by a near one: 6206 beside 6205 is another
geometry, whose lines lie elsewhere. Only what is written around a known designation may be taken away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from models.types import BEARING_DEFECTS, Bearing

from .limits import wrong_orders
from .strict_toml import Table

_MAKERS: Final = "SKF|FAG|INA|NSK|NTN|SNR|KOYO|JTEKT|NACHI|TIMKEN|RHP|ZKL|ZVL|FERSA|URB|ASAHI|HRB|ZWZ|LYC"
"""What may stand before a designation. Any other letters there are its type: an NU2210 is no 2210."""

_BEFORE: Final = rf"(?:(?:{_MAKERS})[\s_./-]*)?"
_AFTER: Final = r"(?:(?:[\s_./-]+[0-9]*)?[A-Z].*)?"
"""Seals, cage, clearance: "-2RS", "ZZ", "/C3". More digits alone, or at once, make another number."""

_GEOMETRY: Final = (
    "{ designation, rolling_elements, element_diameter_mm, pitch_diameter_mm, contact_angle_deg }"
)
_ORDERS: Final = "{ designation, bpfo, bpfi, bsf, ftf }"


def find_bearing(designation: str, bearings: Mapping[str, Bearing]) -> Bearing | None:
    """The bearing of a designation, blanks and case aside ("nu2210 ec" is NU 2210 EC), or None."""
    folded = _folded(designation)
    return next((bearing for name, bearing in bearings.items() if _folded(name) == folded), None)


def not_in_catalogue(designation: str, bearings: Mapping[str, Bearing]) -> str:
    """That a bearing is not known, and the one that it is a spelling of: the first half of a sentence, of
    which the other half says how to give its geometry or orders.
    """
    told = f"unknown bearing {designation!r}: the catalogue does not have it"
    same = _spelled(designation, bearings)
    if same is None:
        return told
    return f'{told} (it has "{same}", right only where maker, seals, cage or clearance differ)'


def read_bearing(point: Table, bearings: Mapping[str, Bearing]) -> Bearing | None:
    """The key `bearing` of a point: a designation, a table with geometry or orders, or nothing."""
    if "bearing" not in point or isinstance(point.data["bearing"], dict):
        own = point.table("bearing")
        return _own_bearing(own) if "bearing" in point else None
    designation = point.text("bearing")
    bearing = find_bearing(designation, bearings)
    if designation and bearing is None:
        point.mistake(
            "bearing",
            f"{not_in_catalogue(designation, bearings)}; a near number is another geometry: give its own as "
            f"bearing = {_GEOMETRY}, or its orders as {_ORDERS}",
        )
    return bearing


def _spelled(designation: str, bearings: Mapping[str, Bearing]) -> str | None:
    """The longest known designation that this one is a spelling of, with something before or after it."""
    return max((name for name in bearings if _spells(designation, name)), key=len, default=None)


def _spells(designation: str, name: str) -> bool:
    """Whether a designation is `name` with blanks or dashes in it, a maker before it or a suffix after it."""
    core = r"[\s_./-]*".join(map(re.escape, "".join(re.findall(r"[A-Z0-9]", name.upper()))))
    return re.fullmatch(_BEFORE + core + _AFTER, designation.strip().upper()) is not None


def _folded(designation: str) -> str:
    return "".join(designation.split()).casefold()


def _own_bearing(table: Table) -> Bearing | None:
    known = len(table.document.mistakes)
    designation = table.text("designation")
    if "bpfo" in table:
        bpfo, bpfi, bsf, ftf = (table.number(name, above=0) or 0.0 for name in BEARING_DEFECTS)
        if len(table.document.mistakes) == known and (mistake := wrong_orders(bpfo, bpfi, ftf)):
            table.mistake("bpfo", mistake)
        source = table.text("source", "plant.toml")
        return Bearing(designation, bpfo, bpfi, bsf, ftf, source, estimated=table.flag("estimated", False))
    elements = table.integer("rolling_elements")
    element_mm = table.number("element_diameter_mm", above=0)
    pitch_mm = table.number("pitch_diameter_mm", above=0)
    angle = table.number("contact_angle_deg", 0.0)
    outer = table.flag("outer_ring_turns", False)
    source = table.text("source", "plant.toml")
    estimated = table.flag("estimated", False)
    if element_mm is None or pitch_mm is None or angle is None:
        return None
    try:
        return Bearing.from_geometry(
            designation,
            rolling_elements=elements,
            element_diameter_mm=element_mm,
            pitch_diameter_mm=pitch_mm,
            contact_angle_deg=angle,
            outer_ring_turns=outer,
            source=source,
            estimated=estimated,
        )
    except ValueError as error:
        table.mistake(None, str(error))
        return None
