"""What a Modbus source is told to read: refused with a sentence where it can't be, else in few requests."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import palier
from edge_agent.process_values import Attachment
from edge_agent.settings import load_settings
from edge_agent.sources.modbus_options import ModbusOptions, read_options
from edge_agent.sources.modbus_registers import Kind, Register
from edge_agent.sources.modbus_requests import Request, gather

ROW: Mapping[str, object] = {
    "machine": "P-101",
    "point": "2",
    "channel": "T",
    "unit": "°C",
    "register": 0,
    "type": "int16",
    "scale": 0.1,
}
FLOAT: Mapping[str, object] = {**ROW, "channel": "n", "type": "float32", "register": 10}
TCP: Mapping[str, object] = {"host": "10.0.0.20"}
RTU: Mapping[str, object] = {"device": "/dev/ttyUSB0"}


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in ROW.items() if name != key}


def options(source: Mapping[str, object], *rows: Mapping[str, object]) -> ModbusOptions:
    return read_options({**source, "value": [dict(row) for row in rows]})


@pytest.mark.parametrize(
    ("source", "rows", "sentence"),
    [
        ({}, [ROW], r"give either host \(Modbus TCP\) or device"),
        ({**TCP, **RTU}, [ROW], "give either host"),
        ({**TCP, "hots": 1}, [ROW], r"unknown key 'hots' \(did you mean \"host\"\?\)"),
        ({**TCP, "baud": 9600}, [ROW], "baud must not be given with host"),
        ({**RTU, "port": 502}, [ROW], "port must not be given with device"),
        ({"device": "spy:///dev/null?file=/tmp/x"}, [ROW], "device must be a serial line, as /dev/ttyUSB0"),
        ({**TCP, "port": 0}, [ROW], "port must be 1 to 65535, got '0'"),
        ({**RTU, "parity": "even"}, [ROW], 'parity must be one of "N", "E", "O", got \'even\''),
        ({**TCP, "every_s": 0}, [ROW], "every_s must be above 0 and at most 86400 s"),
        ({**TCP, "answer_s": 9}, [ROW], "answer_s must be above 0 and at most 5 s, got '9'"),
        ({**TCP, "slow": {"4": 2}}, [ROW], "slow names slave '4', of which no value is read"),
        ({**TCP, "slave": 256}, [ROW], "slave must be 0 to 255"),
        ({**RTU, "slave": 248}, [ROW], "slave must be 1 to 247"),
        (TCP, [], r"at least one \[\[source\.value\]\] is needed"),
        (TCP, [without("unit")], r"value 1 \(P-101 2/T\): unit is missing"),
        (TCP, [without("scale")], "scale is missing: how many °C one count of it is"),
        (TCP, [without("type")], "type is missing: one of int16, uint16, int32"),
        (TCP, [without("register")], "register is missing: the number of its first register, counted from 0"),
        (TCP, [{**ROW, "register": 65_536}], "register must be 0 to 65535, got '65536'"),
        (TCP, [{**ROW, "register": -1}], "register must be 0 to 65535"),
        (TCP, [{**FLOAT, "register": 65_535}], "register must be at most 65534, for it takes 2 of them"),
        (TCP, [{**ROW, "type": "int24"}], "type must be one of"),
        (TCP, [{**ROW, "order": "badc"}], "order must be one of"),
        (TCP, [{**ROW, "kind": "coils"}], "kind must be one of"),
        (TCP, [{**ROW, "kind": "coil"}], "type must not be given: a coil is one bit"),
        (
            TCP,
            [ROW, {**ROW, "channel": "U"}],
            r"value 2 \(P-101 2/U\) reads holding register 0 of slave 1, and",
        ),
        (
            TCP,
            [FLOAT, {**ROW, "register": 11}],
            r"reads holding register 10 of slave 1 to 11: no two values may",
        ),
        (TCP, [ROW, {**ROW, "register": 3}], "is channel P-101 2/T, and so is value 1"),
    ],
)
def test_a_mistake_has_its_sentence(
    source: Mapping[str, object], rows: list[Mapping[str, object]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        options(source, *rows)


def test_one_register_in_two_tables_or_of_two_slaves_is_no_duplicate() -> None:
    rows = [ROW, {**ROW, "channel": "U", "kind": "input"}, {**ROW, "channel": "V", "slave": 2}]
    assert len(options(TCP, *rows).requests) == 3


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_whatever_its_order(order: str, value: float) -> None:
    data = dict(zip("ABCD", struct.pack(">f", value), strict=True))
    words = struct.unpack(">2H", bytes(data[letter] for letter in order))
    assert Register(0, 1, Kind.HOLDING, 7, 2, "f", order).number((0, *words), 1) == value


@pytest.mark.parametrize(
    ("layout", "words", "value"),
    [
        ("h", (0xFFFF,), -1),
        ("H", (0xFFFF,), 65_535),
        ("i", (0xFFFF, 0xFFFE), -2),
        ("I", (0x0001, 0x0000), 65_536),
        ("d", struct.unpack(">4H", struct.pack(">d", 1485.25)), 1485.25),
    ],
)
def test_types(layout: str, words: tuple[int, ...], value: float) -> None:
    assert Register(0, 1, Kind.INPUT, 0, len(words), layout).number(words, 0) == value


SPOTS = st.sets(
    st.tuples(st.integers(1, 3), st.sampled_from([Kind.COIL, Kind.HOLDING]), st.integers(0, 2500)),
    max_size=80,
)


def registers(spots: set[tuple[int, Kind, int]]) -> list[Register]:
    layouts = {Kind.COIL: "", Kind.HOLDING: "h"}
    return [Register(place, *spot, 1, layouts[spot[1]]) for place, spot in enumerate(sorted(spots))]


@given(SPOTS, st.integers(0, 20))
def test_every_register_is_read_once_and_no_two_requests_could_be_one(
    spots: set[tuple[int, Kind, int]], gap: int
) -> None:
    wanted = registers(spots)
    requests = gather(wanted, gap)
    assert sorted(one.place for request in requests for one in request.registers) == list(range(len(wanted)))
    for request in requests:
        assert request.count <= request.kind.most
        assert all(
            request.first <= one.first < one.end <= request.first + request.count for one in request.registers
        )
        assert all(b.first - a.end <= gap for a, b in pairwise(request.registers))
    for a, b in pairwise(requests):
        if (a.slave, a.kind) == (b.slave, b.kind):
            first_behind = b.registers[0]
            assert first_behind.first - a.registers[-1].end > gap or first_behind.end - a.first > a.kind.most


@given(SPOTS)
def test_halves_of_a_refused_request_read_the_same(spots: set[tuple[int, Kind, int]]) -> None:
    waiting, alone = list(gather(registers(spots), 125)), []
    while waiting:
        request = waiting.pop()
        halves = request.halves()
        if len(halves) == 1:
            alone.append(request)
        else:
            assert sum(len(half.registers) for half in halves) == len(request.registers)
            waiting += halves
    assert sorted(one.registers[0].place for one in alone) == list(range(len(spots)))
    assert all(one.count == 1 for one in alone)


def test_a_thousand_registers_in_a_row_are_eight_requests() -> None:
    rows = [{**ROW, "channel": f"c{i}", "register": i} for i in range(1000)]
    requests = options(TCP, *rows).requests
    assert [request.count for request in requests] == [125] * 8


def test_the_sample_can_be_read_as_it_stands(tmp_path: Path) -> None:
    sample = (Path(palier.__file__).parent / "samples" / "agent.toml").read_text("utf-8")
    behind = sample.partition('# [[source]]\n# type = "modbus"')
    lines = [line.removeprefix("# ") for line in "".join(behind[1:]).splitlines()]
    known = [line for line in lines if re.match(r"\w+ = |\[\[", line)]
    head = ['site = "s"', 'node = "n"', 'data = "d"']
    (tmp_path / "agent.toml").write_text("\n".join([*head, *known]), "utf-8")
    settings = load_settings(tmp_path / "agent.toml")
    opened = read_options(settings.sources[0].options)
    assert [row.name for row in opened.table.rows] == ["2/T", "1/N", "1/I"]
    assert settings.attachments == (Attachment("P-101", "1/N", "1/I", 37.0),)


def test_a_request_says_what_it_reads() -> None:
    first, second = gather([Register(0, 3, Kind.INPUT, 4, 1, "h"), Register(1, 3, Kind.INPUT, 90, 2, "f")], 8)
    assert [str(first), str(second)] == ["input register 4 of slave 3", "input registers 90 to 91 of slave 3"]
    assert isinstance(first, Request)
