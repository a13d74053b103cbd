"""Values out of JSON messages: paths, process data in hexadecimal, presets, and what a table must say."""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.connection import Message
from edge_agent.sources.json_mqtt import JsonMqttSource, open_source
from edge_agent.sources.json_mqtt_path import NothingThereError, parse_path, value_at
from edge_agent.sources.json_mqtt_values import GarbageError, Hex, from_hex, number_of, time_of
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE
from palier.strict_toml import parse_toml

VVB001 = "0001FC00000FFF000001FF00017EFF000086FF00"  # as one sensor on a desk said
TV7105 = "00E9FF00"


def source(*rows: dict[str, Any], **shared: Any) -> JsonMqttSource:
    row = {"machine": "pompe", "point": "p1", "channel": "t", "unit": "°C", "topic": "atelier"}
    return open_source({"value": [{**row, **one} for one in rows], **shared}, PlantClock())


def told(
    one: JsonMqttSource, topic: str, payload: object, *, retained: bool = False
) -> dict[str, tuple[float, int]]:
    """(value, quality) of each channel that a message gives."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    one._take(Message(topic, data, retained))
    waiting, one._waiting = list(one._waiting.values()), {}
    return {
        name: (float(frame.values[k, -1]), frame.quality[k])
        for frame in one._rows.frames(waiting)
        for k, name in enumerate(frame.channels)
    }


def event(port: int, data: object, code: int = 200) -> dict[str, object]:
    """As the IoT core of an ifm master publishes it."""
    pdin = {f"/iolinkmaster/port[{port}]/iolinkdevice/pdin": {"code": code, "data": data}}
    return {"code": "event", "cid": 50, "adr": "", "data": {"eventno": "6317", "payload": pdin}}


def ifm(channel: str, sensor: str, measure: str, port: int = 1, **more: object) -> dict[str, object]:
    row = {"preset": "ifm", "sensor": sensor, "measure": measure, "port": port, "topic": "ifm/1"}
    return {"machine": "pompe", "point": "p1", "channel": channel, **row, **more}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b_2.c-d", ("a", "b_2", "c-d")),
        ("[0]", (0,)),
        ("a[1][2].b", ("a", 1, 2, "b")),
        ('d["/p/port[1]/x.y"].data', ("d", "/p/port[1]/x.y", "data")),
        ('["é\\"x"]', ('é"x',)),
    ],
)
def test_a_path_is_names_and_places(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text", [".a", "a.", "a..b", "a[x]", "a[-1]", "a[0", "a b", "a.[0]", '["a', "a" * 600]
)
def test_what_is_no_path_is_told_with_its_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"character|at most"):
        parse_path(text)


NAMES = st.text(max_size=4)
DOCUMENTS = st.recursive(
    st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(DOCUMENTS)
@settings(max_examples=50)
def test_every_value_of_a_document_has_its_path(document: object) -> None:
    def walk(node: object, text: str) -> None:
        assert value_at(document, parse_path(text)) is node
        if isinstance(node, dict):
            for name, inner in node.items():
                if name:
                    walk(inner, f"{text}[{json.dumps(name)}]")
        elif isinstance(node, list):
            for place, inner in enumerate(node):
                walk(inner, f"{text}[{place}]")

    walk(document, "")


def test_nothing_is_found_where_nothing_is() -> None:
    for path in ("b", "a[2]", "a.b", "a[0].c"):
        with pytest.raises(NothingThereError):
            value_at({"a": [1, 2]}, parse_path(path))


@pytest.mark.parametrize(
    ("decode", "number"),
    [
        (Hex(0, 16), 0xF3B8),
        (Hex(0, 16, signed=True), 0xF3B8 - 65536),
        (Hex(4, 8), 0x3B),
        (Hex(0, 14, signed=True), (0xF3B8 >> 2) - 16384),
        (Hex(8, 8, signed=True), 0xB8 - 256),
        (Hex(16, 32, real=True), 1.5),
    ],
)
def test_bits_are_counted_from_the_highest_of_the_first_byte(decode: Hex, number: float) -> None:
    assert from_hex("F3B8 3FC00000", decode) == number


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 7), st.integers(0, 4))
def test_any_whole_number_comes_back_from_wherever_it_was_put(number: int, bit: int, byte: int) -> None:
    data = ((number & 0xFFFFFFFF) << (8 - bit)).to_bytes(5)
    text = (bytes(byte) + data).hex()
    assert from_hex(text, Hex(8 * byte + bit, 32, signed=True)) == number


@pytest.mark.parametrize("value", ["03B", "03BG", 952, None, "", "03"])
def test_what_is_no_process_data_is_garbage(value: object) -> None:
    with pytest.raises(GarbageError):
        number_of(value, Hex(0, 16))


def test_a_time_is_what_its_unit_says() -> None:
    ns = 1_795_384_865 * 10**9
    assert time_of(1_795_384_865, "s") == time_of(1_795_384_865_000, "ms") == ns
    assert time_of(dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).isoformat(), "iso") == ns
    for value, unit in (
        ("1795384865", "s"),
        (True, "s"),
        ("2026-11-22T06:00:00", "iso"),
        (1e400, "ms"),
        (5, "iso"),
    ):
        with pytest.raises(GarbageError):
            time_of(value, unit)


def test_the_five_values_of_a_vvb001_come_in_the_units_of_the_trade() -> None:
    names = ("v_rms", "a_peak", "a_rms", "temperature", "crest")
    one = open_source({"value": [ifm(name, "VVB001", name) for name in names]}, PlantClock())
    found = told(one, "ifm/1", event(1, VVB001))
    values = {name: found[f"p1/{name}"][0] for name in names}
    assert values == pytest.approx(
        {"v_rms": 0.1, "a_peak": 1.5, "a_rms": 0.1, "temperature": 38.2, "crest": 13.4}
    )
    births = {birth.name: birth.unit for birth in one.devices()[0].channels}
    assert births["p1/v_rms"] == "mm/s"
    assert births["p1/a_peak"] == "m/s²"


def of_tv7105(**more: object) -> JsonMqttSource:
    return open_source({"value": [ifm("t", "TV7105", "temperature", 3, **more)]}, PlantClock())


def test_the_temperature_of_a_tv7105_is_read_with_its_own_power_of_ten() -> None:
    one = of_tv7105()
    assert told(one, "ifm/1", event(3, TV7105))["p1/t"] == (pytest.approx(23.3), QUALITY_GOOD)
    assert told(one, "ifm/1", event(3, "FF9CFF00"))["p1/t"][0] == pytest.approx(-10.0)
    assert told(one, "ifm/1", event(3, "00170000"))["p1/t"][0] == pytest.approx(23.0)
    for reserved in ("7FFCFF00", "7FF8FF00", "8008FF00"):
        assert told(one, "ifm/1", event(3, reserved))["p1/t"][1] == QUALITY_BAD


def test_another_sensor_at_the_port_an_empty_port_and_another_port_give_no_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = of_tv7105()
    assert told(one, "ifm/1", event(3, VVB001))["p1/t"][1] == QUALITY_BAD
    assert "must be 4 bytes of process data, it is 20" in caplog.text
    assert told(one, "ifm/1", event(3, "", 530))["p1/t"][1] == QUALITY_BAD
    assert "the code must be 200, it is 530" in caplog.text
    assert told(one, "ifm/1", event(2, TV7105)) == {}
    assert one.garbage["ifm/1"] == 3


def test_bits_of_a_sensor_without_a_preset_are_named_in_the_table() -> None:
    """A TN2531 and its like: 14 bits of a temperature in tenths, then two switching outputs."""
    path = 'data.payload["/iolinkmaster/port[1]/iolinkdevice/pdin"].data'
    one = source(
        {"path": path, "hex": {"bits": 14, "type": "int16", "bytes": 2}, "scale": 0.1, "topic": "ifm/1"}
    )
    assert told(one, "ifm/1", event(1, "03B8"))["p1/t"] == (pytest.approx(23.8), QUALITY_GOOD)


def test_esphome_sends_plain_numbers_and_says_when_a_board_is_gone() -> None:
    row = {"preset": "esphome", "prefix": "carte-1", "name": "temp_palier"}
    one = open_source(
        {"value": [{**row, "machine": "pompe", "point": "p1", "channel": "t", "unit": "°C"}]}, PlantClock()
    )
    topic = "carte-1/sensor/temp_palier/state"
    assert one._settings.subscriptions == (topic, "carte-1/status")
    assert told(one, topic, b"41.25")["p1/t"] == (41.25, QUALITY_GOOD)
    assert told(one, topic, b"41.25", retained=True)["p1/t"] == (41.25, QUALITY_STALE)
    assert told(one, topic, b"nan")["p1/t"][1] == QUALITY_BAD
    assert told(one, "carte-1/status", b"offline")["p1/t"][1] == QUALITY_BAD
    assert told(one, "carte-1/status", b"online") == {}
    assert not one.garbage


def test_templates_hold_the_names_of_the_row() -> None:
    rows = [{"machine": m, "channel": c} for m in ("a", "b") for c in ("t", "n")]
    one = open_source(
        {
            "topic": "usine/+/{machine}/{point}",
            "path": "mesures[0].{channel}",
            "point": "p1",
            "value": [{**row, "unit": "1"} for row in rows],
        },
        PlantClock(),
    )
    assert one._settings.subscriptions == ("usine/+/a/p1", "usine/+/b/p1")
    assert told(one, "usine/ligne-2/b/p1", {"mesures": [{"n": 7, "t": 8}]}) == {
        "p1/n": (7.0, QUALITY_GOOD),
        "p1/t": (8.0, QUALITY_GOOD),
    }
    assert told(one, "usine/ligne-2/c/p1", {"mesures": [{"n": 7}]}) == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"12 13",
        b'{"a": 1',
        b"x" * 300_000,
        b'{"v": "douze"}',
        b'{"w": 1}',
        b"{}",
    ],
)
def test_garbage_is_counted_and_told_once(payload: bytes, caplog: pytest.LogCaptureFixture) -> None:
    one = source({"path": "v"})
    for _ in range(3):
        told(one, "atelier", payload)
    assert one.garbage["atelier"] == 3
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1
    assert "3 messages on atelier could not be used" in one.notes[0]


def test_a_time_in_the_payload_counts_where_it_can_be(caplog: pytest.LogCaptureFixture) -> None:
    one = source({"path": "v", "time_path": "ts", "time_unit": "ms"})
    now_ms = PlantClock().now_ns() // 10**6
    for at_ms in (now_ms - 5_000, now_ms + 3_600_000, now_ms // 1000):
        one._take(Message("atelier", json.dumps({"v": 1.5, "ts": at_ms}).encode(), False))
        (waiting,) = one._waiting.values()
        at = waiting.time_ns // 10**6
        assert at == at_ms if at_ms == now_ms - 5_000 else abs(at - now_ms) < 5_000
    assert caplog.text.count("is time_unit right") == 1


def test_an_old_value_that_is_repeated_becomes_no_fresh_one_by_its_arrival() -> None:
    one = source({"path": "v", "time_path": "ts", "time_unit": "s"})
    days_ago = PlantClock().now_ns() // 10**9 - 90_000
    assert told(one, "atelier", {"v": 1.5, "ts": days_ago}) == {"p1/t": (1.5, QUALITY_GOOD)}
    for _ in range(2):
        assert told(one, "atelier", {"v": 1.5, "ts": days_ago}) == {"p1/t": (1.5, QUALITY_STALE)}
    assert told(one, "atelier", {"v": 1.5, "ts": days_ago + 60}) == {"p1/t": (1.5, QUALITY_GOOD)}


@pytest.mark.parametrize("digits", [18, 300, 305, 4000, 5000])
def test_a_number_of_hundreds_of_digits_for_a_time_ends_nothing(digits: int) -> None:
    one = source({"path": "v", "time_path": "ts", "time_unit": "s"})
    for sign in (b"", b"-"):
        told(one, "atelier", b'{"v": 1, "ts": ' + sign + b"9" * digits + b"}")
    assert one.garbage["atelier"] == 2


def test_two_values_of_one_name_are_none() -> None:
    one = source({"path": "v"})
    assert told(one, "atelier", b'{"v": 20, "v": 900}') == {}
    assert "each name once" in one.notes[0]


def test_reasons_that_take_turns_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    one = source({"path": "v", "time_path": "ts"})
    for day in range(10, 20):
        for time in (f"2026-11-{day}", f"2026-11-{day}T06", day):
            told(one, "atelier", {"v": 1, "ts": time})
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 2


@given(st.binary(max_size=200))
def test_no_bytes_at_all_bring_it_down(payload: bytes) -> None:
    one = of_tv7105()
    one._take(Message("ifm/1", payload, False))
    assert not [value for value in one._waiting.values() if value.value is not None and np.isnan(value.value)]


ROW = '[[value]]\nmachine = "P-101"\npoint = "1"\nchannel = "T"\nunit = "°C"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ROW, "topic is missing"),
        (ROW.replace('unit = "°C"\n', 'topic = "a"\n'), "unit is missing"),
        (ROW + 'topic = "a/#"', "neither # nor NUL"),
        (ROW + 'topic = "a/b+"', "whole level"),
        (ROW + 'topic = "a/{nom}"', "asks for {nom}"),
        (ROW + 'topic = "a"\npath = "b..c"', "can't be read from character 2"),
        (ROW + 'topic = "a"\ntime_unit = "min"', "time_unit must be iso or one of s, ms, us, ns"),
        (ROW + 'topic = "a"\nhex = { byte = 0, type = "int24" }', "type must be one of"),
        (ROW + 'topic = "a"\nhex = { octet = 0, type = "int16" }', "unknown key 'octet'"),
        (ROW + 'topic = "a"\nchemin = "b"', "unknown key 'chemin'"),
        (ROW + 'preset = "ifn"\nport = 1', "did you mean"),
        (
            ROW + 'preset = "ifm"\nport = 1\nsensor = "VVB002"\nmeasure = "v_rms"\ntopic = "a"',
            "no sensor 'VVB002'",
        ),
        (ROW + 'preset = "ifm"\nport = 1\nsensor = "VVB001"\nmeasure = "v"\ntopic = "a"', "no measure 'v'"),
        (ROW + 'preset = "ifm"\nsensor = "VVB001"\nmeasure = "v_rms"\ntopic = "a"', "needs port"),
        (
            ROW + 'topic = "a"\n' + ROW.replace('"T"', '"U"') + 'topic = "a"',
            "is read from the whole message of topic a",
        ),
        ('host = "10.0.0.5"\n' + ROW + 'topic = "a"', "tls_ca_file must name"),
        ('password_file = "nulle/part"\n' + ROW + 'topic = "a"', "there is none at"),
        ("", "at least one [[source.value]]"),
    ],
)
def test_a_mistake_in_the_table_is_a_sentence(text: str, sentence: str) -> None:
    table = parse_toml(text, Path("agent.toml")).root().data
    with pytest.raises(ValueError) as caught:
        open_source(table, PlantClock())
    assert sentence in str(caught.value)
