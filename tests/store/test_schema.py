"""Names of measurements, fields and units are public API."""

from __future__ import annotations

import re

import pytest

from models.features.catalogue import CATALOGUE
from palier.historian.base import SchemaError
from palier.historian.schema import KEY, MEASUREMENTS, Field, Measurement, measurement

PINNED = {
    "feature": "speed_rpm:r/min zone: frame:",
    "reading": "value:as in `unit` unit: frame:",
    "state": "state: judged: learning:1 severity:1 zone: value:mm/s limit_name: reason: remedy: frame: "
    "live:1",
    "spectrum": "line:1 frequency_hz:Hz amplitude:as in `kind` kind: frame:",
    "event": "event_id: kind: state: previous: detail:",
    "ledger": "epoch: acquired:1 stored:1 quarantined:1 dropped:1 pending:1 missing:1 twice:1 adds_up:1",
}
"""Without the columns of the feature catalogue, which has its own test."""

EVERY_FIELD = [(table, field) for table in MEASUREMENTS.values() for field in table.fields]


def test_names_and_units_are_pinned() -> None:
    features = {spec.name for spec in CATALOGUE}
    shown = {
        name: " ".join(f"{field.name}:{field.unit}" for field in table.fields if field.name not in features)
        for name, table in MEASUREMENTS.items()
    }
    assert shown == PINNED


def test_every_feature_of_the_catalogue_has_its_column_and_unit() -> None:
    columns = {field.name: field.unit for field in measurement("feature").fields}
    assert {spec.name: spec.unit or "1" for spec in CATALOGUE}.items() <= columns.items()


@pytest.mark.parametrize(("table", "field"), EVERY_FIELD, ids=lambda item: item.name)
def test_every_field_has_a_unit_a_type_and_a_doc(table: Measurement, field: Field) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
    assert field.name not in KEY
    assert (field.unit == "") == (field.type == "text")
    assert len(field.doc) > 10


@pytest.mark.parametrize("table", MEASUREMENTS.values(), ids=lambda table: table.name)
def test_names_are_unique_and_the_key_is_made_of_fields(table: Measurement) -> None:
    assert len(set(table.names)) == len(table.names)
    assert set(table.key_extra) <= set(table.names)
    assert not table.held_by_frame or "frame" in table.names
    assert table.doc


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SchemaError, match="feature, reading"):
        measurement("vibration")
    with pytest.raises(SchemaError, match="event_id"):
        measurement("event").field("who")
