"""Configurations and status on the wire: strict where a stranger may write, tolerant of what is newer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from palier.operations import Command, Configure
from palier.wire import messages
from palier.wire.configuration import MAX_TEXT_BYTES, check_configuration, signed_bytes
from palier.wire.operations import MAX_COMMAND_BYTES, decode_command, encode_command
from palier.wire.payload import DataType, DecodeError, Metric, Payload, decode, encode
from tests.support.wire_examples import CONFIGURATION, NODE_BIRTH, STATUS


def test_a_configuration_reads_back() -> None:
    payload = decode(messages.configuration_payload(CONFIGURATION, 1))
    assert messages.read_configuration(payload) == CONFIGURATION
    assert messages.read_replay(payload) is None
    assert messages.read_configuration(decode(messages.rebirth_payload(1))) is None


def test_nothing_signed_can_stand_for_something_else() -> None:
    one = signed_bytes("a/b", 1, "2\nx")
    assert one != signed_bytes("a/b", 12, "x")
    assert one != signed_bytes("a/b", 1, "2\nx\n")
    assert one != signed_bytes("a/b1", 2, "x")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edge": "gw-1"}, "edge must be SITE/NODE"),
        ({"edge": "a/b/c"}, "edge must be SITE/NODE"),
        ({"version": 0}, "version must be from 1"),
        ({"version": 2**31}, "version must be from 1"),
        ({"text": ""}, "bytes of text, got 0"),
        ({"text": "é" * (MAX_TEXT_BYTES // 2 + 1)}, "bytes of text"),
        ({"text": "\ud800"}, "must be UTF-8 text"),
        ({"signature": b"x"}, "a signature must have 64 bytes, got 1"),
        ({"request": "short"}, "must match"),
    ],
)
def test_what_no_gateway_takes_is_not_sent(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(DecodeError, match=sentence):
        check_configuration(replace(CONFIGURATION, **change))  # type: ignore[arg-type]


def test_a_status_reads_back_from_birth_and_message() -> None:
    birth = decode(messages.node_birth(NODE_BIRTH, timestamp_ms=1, status=STATUS))
    assert messages.read_status(birth) == STATUS
    assert messages.read_status(decode(messages.status_payload(STATUS, seq=1, timestamp_ms=1))) == STATUS
    assert messages.read_status(decode(messages.node_birth(NODE_BIRTH, timestamp_ms=1))) is None


def test_a_text_that_is_not_told_is_not_sent() -> None:
    payload = decode(messages.status_payload(replace(STATUS, text=None), seq=1, timestamp_ms=1))
    assert "Palier/Configuration/Text" not in {metric.name for metric in payload.metrics}


def told(name: str, datatype: DataType, value: object) -> Payload:
    version = Metric("Palier/Version", DataType.STRING, "9.9")
    metrics = (version, Metric(name, datatype, value))  # type: ignore[arg-type]
    return decode(encode(Payload(1, metrics, 3, "palier/1")))


def test_what_a_later_version_tells_beside_it_is_passed_over() -> None:
    status = messages.read_status(told("Palier/Status/Moon", DataType.STRING, "full"))
    assert status == messages.GatewayStatus(version="9.9")


@pytest.mark.parametrize(
    ("name", "datatype", "value"),
    [
        ("Palier/Status/CardFree", DataType.STRING, "much"),
        ("Palier/Status/CardFree", DataType.INT64, -1),
        ("Palier/Status/CpuTemperature", DataType.DOUBLE, float("nan")),
        ("Palier/Status/CpuTemperature", DataType.DOUBLE, 5000.0),
        ("Palier/Status/Board", DataType.STRING, "x" * 401),
        ("Palier/Status/Problems", DataType.STRING_ARRAY, ("x",) * 65),
        ("Palier/Configuration/Version", DataType.INT64, 2**31),
    ],
)
def test_a_status_that_can_t_be_one_is_refused(name: str, datatype: DataType, value: object) -> None:
    with pytest.raises(DecodeError, match=name):
        messages.read_status(told(name, datatype, value))


def test_only_a_configuration_may_be_a_long_command() -> None:
    ask = Configure("usine/gw-1", 1, 'x = "é"\n' * 8000, "00" * 64, "essai")
    command = Command("7f3a0000", "h.alami", ask)
    data = encode_command(command)
    assert len(data) > MAX_COMMAND_BYTES
    assert decode_command(data) == command
    other = {"id": "7f3a0000", "user": "h", "do": "acknowledge", "alarm": "a/1/vibration"}
    with pytest.raises(DecodeError, match="at most"):
        decode_command(json.dumps(other | {"comment": "x" * MAX_COMMAND_BYTES}).encode())


def test_what_a_gateway_tells_does_nothing_to_the_terminal_that_shows_it() -> None:
    told = replace(
        STATUS,
        board="x\u202ey",
        problems=("source a: \x1b]0;owned\x07\nb",),
        text='# \x1b[2J\r\n[[source]]\n\ttype = "x"\n',
        answer_sentence="configuration 1:2: a\nconfiguration 1:3: \x9b1m",
    )
    read = messages.read_status(decode(messages.status_payload(told, seq=1, timestamp_ms=1)))
    assert read is not None
    assert read.board == "x\ufffdy"
    assert read.problems == ("source a: \ufffd]0;owned\ufffd\ufffdb",)
    assert read.text == '# \ufffd[2J\n[[source]]\n\ttype = "x"\n'
    assert read.answer_sentence == "configuration 1:2: a\nconfiguration 1:3: \ufffd1m"
