"""Reads the limits and bearings that ship with the core (`models/limits/*.toml`), and a plant's own.

A plant's file holds [[limit]] and [[bearing]] tables. A limit whose id ships already replaces it: it says
what differs, and its own source and verified_by. A new id brings everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final

from models.detection.zones import LimitKind, LimitSet
from models.features.catalogue import NAMES
from models.types import BEARING_DEFECTS, Bearing

from .strict_toml import REQUIRED, ConfigError, Document, Mistake, Table, did_you_mean, parse_toml, read_toml

VALUE_KEYS: Final = {
    LimitKind.ZONES: ("a_b", "b_c", "c_d"),
    LimitKind.THREE_VALUES: ("startup", "alarm", "shutdown"),
    LimitKind.TWO_VALUES: ("alert", "danger"),
}
"""How the values of each kind are called in TOML, from the lowest."""

QUANTITIES: Final = (*NAMES, "temperature_c", "temperature_rise_k")
"""What limits may be compared with: a feature of the catalogue, a temperature, or its rise over ambient."""

_MAY_BE_MISSING: Final = "shutdown"  # ISO 14694 has none for its two mildest categories


class LimitsError(ConfigError):
    """Limits or bearings that can't be used: every mistake with file and line."""


def load_limits(overrides: Path | None = None) -> Mapping[str, LimitSet]:
    """All limits by id ("iso20816-3:g1:rigid", ...), those of the file `overrides` over the shipped ones.

    Raises LimitsError with every mistake of a file at once.
    """
    shipped = {row.id: row for document in _shipped() for row in _standard(document)}
    return shipped if overrides is None else shipped | _own(overrides, shipped).limits


def load_bearings(overrides: Path | None = None) -> Mapping[str, Bearing]:
    """All bearings by designation ("6205", ...), those of the file `overrides` over the shipped ones.

    Raises LimitsError with every mistake of a file at once.
    """
    document = _parse("bearings.toml")
    shipped = {b.designation: b for b in _bearings(document.root())}
    document.refuse(LimitsError)
    if overrides is None:
        return shipped
    limits = {row.id: row for standard in _shipped() for row in _standard(standard)}
    return shipped | _own(overrides, limits).bearings


def verified_bearings(overrides: Path | None = None) -> Mapping[str, str]:
    """Who compared each bearing with its maker's data, by designation; "none" where nobody did.

    Raises LimitsError for a file that can't be read.
    """
    documents = [_parse("bearings.toml")]
    try:
        documents += [] if overrides is None else [read_toml(overrides)]
    except ConfigError as error:
        raise LimitsError(error.file, error.mistakes) from error
    tables = [table.data for document in documents for table in document.root().array("bearing")]
    return {str(table.get("designation")): str(table.get("verified_by", "none")) for table in tables}


def wrong_orders(bpfo: float, bpfi: float, ftf: float) -> str:
    """What can't be in the defect orders of a bearing, as a sentence; "" when nothing.

    The inner ring is passed more often than the outer, and a cage turns slower than the ring that turns
    (Randall & Antoni, MSSP 25 (2011) 485-520, eq. 1-4): otherwise two orders have changed places.
    """
    if not 0 < bpfo < bpfi:
        return f"bpfo must be above 0 and below bpfi, got bpfo {bpfo:g} and bpfi {bpfi:g}: check their order"
    if not 0 < ftf < 1:
        return f"ftf, the turns of the cage, must be above 0 and below 1, got {ftf:g}: check the order"
    return ""


@dataclass(frozen=True, slots=True)
class _Own:
    limits: dict[str, LimitSet]
    bearings: dict[str, Bearing]


def _own(path: Path, shipped: Mapping[str, LimitSet]) -> _Own:
    """What a plant's file says. One file holds both, so that every mistake in it is told, whoever asks."""
    try:
        document = read_toml(path)
    except ConfigError as error:
        raise LimitsError(error.file, error.mistakes) from error
    root = document.root()
    tables = root.array("limit")
    _refuse_twice(tables, "id")
    limits = [_limit(table, _replacing(shipped.get(str(table.data.get("id"))))) for table in tables]
    own = _Own({row.id: row for row in limits if row}, {b.designation: b for b in _bearings(root)})
    document.refuse(LimitsError)
    return own


def _shipped() -> Iterator[Document]:
    for entry in sorted(resources.files("models").joinpath("limits").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml") and entry.name != "bearings.toml":
            yield _parse(entry.name)


def _parse(name: str) -> Document:
    file = f"models/limits/{name}"
    try:
        return parse_toml(resources.files("models").joinpath("limits", name).read_text("utf-8"), file)
    except OSError as error:
        raise LimitsError(
            file, (Mistake(None, f"can't be read ({error}): the installation is incomplete, install again"),)
        ) from error


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a row need not say again: the [standard] of its file, or the shipped row that it replaces."""

    prefix: str = ""
    standard: str = "plant"
    edition: str = "none"
    source: str | None = None
    verified_by: str | None = None
    quantity: str | None = None
    kind: str | None = None
    values: tuple[float, ...] = ()
    support: str = ""
    scope: str = ""
    band_hz: tuple[float, float] | None = None
    slow_band_hz: tuple[float, float] | None = None
    displacement_um: tuple[float, ...] = ()


def _standard(document: Document) -> list[LimitSet]:
    """The rows of one standard's file; [standard] says what they share."""
    root = document.root()
    shared = root.table("standard", required=True)
    defaults = _Defaults(
        prefix=f"{shared.text('id')}:",
        standard=shared.text("name"),
        edition=shared.text("edition"),
        source=shared.text("source"),
        verified_by=shared.text("verified_by"),
        quantity=shared.text("quantity"),
        kind=shared.choice("kind", [kind.value for kind in LimitKind]),
        band_hz=_band(shared, "band_hz", None),
        slow_band_hz=_band(shared, "slow_band_hz", None),
    )
    tables = root.array("limit")
    _refuse_twice(tables, "id")
    rows = [_limit(table, defaults) for table in tables]
    document.refuse(LimitsError)
    return [row for row in rows if row is not None]


def _replacing(shipped: LimitSet | None) -> _Defaults:
    """A plant's row answers for itself: it never inherits the source, nor who verified the standard's."""
    if shipped is None:
        return _Defaults()
    return _Defaults(
        standard=shipped.standard,
        edition=shipped.edition,
        quantity=shipped.quantity,
        kind=shipped.kind.value,
        values=shipped.values,
        support=shipped.support,
        scope=shipped.scope,
        band_hz=shipped.band_hz,
        slow_band_hz=shipped.slow_band_hz,
        displacement_um=shipped.displacement_um,
    )


def _limit(table: Table, defaults: _Defaults) -> LimitSet | None:
    """One [[limit]]; None after a mistake, which the document keeps."""
    known = len(table.document.mistakes)
    kind = _kind(table, defaults.kind)
    fields = {
        "id": defaults.prefix + table.text("id"),
        "standard": table.text("standard", defaults.standard),
        "edition": table.text("edition", defaults.edition),
        "source": _text(table, "source", defaults.source),
        "verified_by": _text(table, "verified_by", defaults.verified_by),
        "quantity": _text(table, "quantity", defaults.quantity),
        "support": table.text("support", defaults.support),
        "scope": table.text("scope", defaults.scope),
    }
    values = _values(table, "values", kind, defaults.values)
    displacement = _values(table, "displacement_um", kind, defaults.displacement_um)
    band, slow = (_band(table, key, getattr(defaults, key)) for key in ("band_hz", "slow_band_hz"))
    if kind is not None and not values and "values" not in table:
        table.mistake(
            None,
            f"values is missing: write values = {{ {', '.join(f'{n} = ...' for n in VALUE_KEYS[kind])} }}",
        )
    if fields["quantity"] not in QUANTITIES:
        near = did_you_mean(fields["quantity"], QUANTITIES)
        table.mistake(
            "quantity", f"quantity must be a feature or a temperature, got {fields['quantity']!r}{near}"
        )
    if fields["quantity"].startswith("velocity_") and band is None:
        table.mistake(None, "band_hz is missing: write band_hz = { low = ..., high = ... }")
    if kind is None or len(table.document.mistakes) > known:
        return None
    try:
        return LimitSet(
            **fields,
            kind=kind,
            values=values,
            band_hz=band,
            slow_band_hz=slow,
            displacement_um=displacement,
        )
    except ValueError as error:
        table.mistake(None, str(error))
        return None


def _refuse_twice(tables: list[Table], key: str) -> None:
    seen: set[object] = set()
    for table in tables:
        name = table.data.get(key)
        if name in seen:
            table.mistake(key, f"{key} {name!r} stands here twice: a row has one place")
        seen.add(name)


def _text(table: Table, key: str, default: str | None) -> str:
    return table.text(key) if default is None else table.text(key, default)


def _kind(table: Table, default: str | None) -> LimitKind | None:
    kinds = [kind.value for kind in LimitKind]
    kind = table.choice("kind", kinds) if default is None else table.choice("kind", kinds, default)
    return LimitKind(kind) if kind in kinds else None


def _values(table: Table, key: str, kind: LimitKind | None, default: tuple[float, ...]) -> tuple[float, ...]:
    """The numbers of an inline table, from the lowest; a missing shutdown value is left out."""
    inner = table.table(key)
    if key not in table:
        return default
    if kind is None:  # a mistake that is told already: nothing is known of the keys
        return tuple(inner.number(name, None) or 0.0 for names in VALUE_KEYS.values() for name in names)
    required = [name for name in VALUE_KEYS[kind] if name != _MAY_BE_MISSING]
    numbers = [
        inner.number(name, REQUIRED if name in required else None, above=0) for name in VALUE_KEYS[kind]
    ]
    return tuple(number for number in numbers if number is not None)


def _band(table: Table, key: str, default: tuple[float, float] | None) -> tuple[float, float] | None:
    inner = table.table(key)
    if key not in table:
        return default
    low, high = inner.number("low", above=0), inner.number("high", above=0)
    return None if low is None or high is None else (low, high)


def _bearings(root: Table) -> Iterator[Bearing]:
    """The [[bearing]] tables; those with a mistake are left out, and the document keeps the mistake."""
    tables = root.array("bearing")
    _refuse_twice(tables, "designation")
    for table in tables:
        known = len(table.document.mistakes)
        bearing, size = _bearing(table), table.table("size")
        if "size" in table:
            outside, width = (size.number(name, above=0) for name in ("outside_mm", "width_mm"))
            bearing = bearing and replace(bearing, outside_mm=outside, width_mm=width)
        if bearing is not None and len(table.document.mistakes) == known:
            yield bearing


def _bearing(table: Table) -> Bearing | None:
    known = len(table.document.mistakes)
    designation, source = table.text("designation"), table.text("source")
    table.text("verified_by")
    estimated = table.flag("estimated", False)
    orders, geometry = table.table("orders"), table.table("geometry")
    if ("orders" in table) == ("geometry" in table):
        table.mistake(
            None, f"bearing {designation!r} must have orders (published) or geometry, one of the two"
        )
        return None
    if "orders" in table:
        bpfo, bpfi, bsf, ftf = (orders.number(name, above=0) or 0.0 for name in BEARING_DEFECTS)
        if len(table.document.mistakes) == known and (mistake := wrong_orders(bpfo, bpfi, ftf)):
            orders.mistake("bpfo", mistake)
        return Bearing(designation, bpfo, bpfi, bsf, ftf, source=source, estimated=estimated)
    try:
        return Bearing.from_geometry(
            designation,
            rolling_elements=geometry.integer("rolling_elements"),
            element_diameter_mm=geometry.number("element_diameter_mm") or 0.0,
            pitch_diameter_mm=geometry.number("pitch_diameter_mm") or 0.0,
            contact_angle_deg=geometry.number("contact_angle_deg", 0.0) or 0.0,
            outer_ring_turns=geometry.flag("outer_ring_turns", False),
            source=source,
            estimated=estimated,
        )
    except ValueError as error:
        table.mistake(None, str(error))
        return None
