"""Names of measurements, fields and units are public API."""

from __future__ import annotations

import re

import pytest

from models.features.catalogue import CATALOGUE
from palier.historian.base import SchemaError
from palier.historian.schema import KEY, MEASUREMENTS, Measurement, measurement

PINNED = {
    "feature": "speed_rpm:r/min load_percent:% zone: frame:",
    "reading": "value:as in `unit` unit: frame:",
    "state": "state: judged: learning:1 severity:1 zone: value:mm/s limit_name: reason: remedy: frame: "
    "live:1",
    "spectrum": "line:1 frequency_hz:Hz amplitude:as in `kind` kind: frame:",
    "envelope": "line:1 frequency_hz:Hz amplitude:as in `kind` kind: frame:",
    "event": "event_id: kind: state: previous: detail:",
    "ledger": "epoch: acquired:1 stored:1 quarantined:1 dropped:1 pending:1 missing:1 twice:1 adds_up:1 "
    "lost:1 dropped_cap:1 dropped_disk:1 dropped_unreadable:1 dropped_lost_by_card:1 dropped_other:1 age_s:s",
    "gateway": "version: clock: card_free:bytes card_total:bytes memory_free:bytes cpu_celsius:°C uptime_s:s "
    "outbox_bytes:bytes outbox_cap:bytes pending:1 fsyncs_per_h:1/h written_per_h:bytes/h problems:1 "
    "configuration:1 configuration_state:",
    "score": "score:1 threshold:1 level:1 tests: leading: value:as in `leading` "
    "alert:as in `leading` residual_k:K model: frame:",
    "model_score": "model: version:1 stage: score:1 threshold:1 level:1 label: confidence:1 leading: frame:",
    "diagnosis": "rank:1 fault: confidence:1 severity:1 action: deadline_h:h at: detail: reason: remedy: "
    "frame:",
    "health": "health_index:1 mode: complete:1 modes: frame:",
    "life": "method: p10_h:h p50_h:h p90_h:h confidence: leading: threshold:as in `leading` assumptions: "
    "reason: remedy:",
    "drift": "feature: regime: psi:1 psi_limit:1 ks:1 ks_limit:1 page_hinkley:1 page_hinkley_limit:1 shift:1 "
    "effective:1 moved:1 outside:1 age_days:1 blocks:1 in_alarm:1 advice: detail: reason: remedy: model:",
    "feature_hourly": "speed_rpm_mean:r/min speed_rpm_min:r/min speed_rpm_max:r/min load_percent_mean:% "
    "load_percent_min:% load_percent_max:% blocks:1 zone:",
    "reading_hourly": "value_mean:as in `unit` value_min:as in `unit` value_max:as in `unit` blocks:1 unit:",
}
"""Without the columns of the feature catalogue, which has its own test."""

EVERY_FIELD = [(table, field) for table in MEASUREMENTS.values() for field in table.fields]


def test_names_and_units_are_pinned() -> None:
    features = {spec.name + end for spec in CATALOGUE for end in ("", "_mean", "_min", "_max")}
    shown = {
        name: " ".join(f"{field.name}:{field.unit}" for field in table.fields if field.name not in features)
        for name, table in MEASUREMENTS.items()
    }
    assert shown == PINNED


def test_every_feature_of_the_catalogue_has_its_column_and_unit() -> None:
    columns = {field.name: field.unit for field in measurement("feature").fields}
    assert {spec.name: spec.unit or "1" for spec in CATALOGUE}.items() <= columns.items()


@pytest.mark.parametrize("name", ["feature", "reading"])
def test_an_hour_has_mean_min_and_max_of_every_number_in_its_unit(name: str) -> None:
    hourly = {field.name: (field.unit, field.type) for field in measurement(f"{name}_hourly").fields}
    for field in measurement(name).fields:
        for what in ("mean", "min", "max"):
            expected = (field.unit, "float") if field.type == "float" else None
            assert hourly.get(f"{field.name}_{what}") == expected


def test_only_hours_are_kept_for_the_long_run() -> None:
    long_run = {table.name for table in MEASUREMENTS.values() if table.long_run}
    assert long_run == {"feature_hourly", "reading_hourly"}
    assert not any(MEASUREMENTS[name].held_by_frame for name in long_run)


def test_every_field_has_a_unit_a_type_and_a_doc() -> None:
    for table, field in EVERY_FIELD:
        what = f"{table.name}.{field.name}"
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name), what
        assert field.name not in KEY, what
        assert (field.unit == "") == (field.type == "text"), what
        assert len(field.doc) > 10, what


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
