"""Bytes that other programs have: those of our own wire version, and those of another implementation."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from palier.wire import messages, session
from palier.wire.payload import DataType, decode, encode
from palier.wire.state import HostState, decode_state
from palier.wire.topics import parse
from tests.support import wire_examples as examples
from tests.support.frames import frame_equal

NAMES: Final = tuple(examples.examples())
SPARKPLUG: Final = tuple(name for name in NAMES if name != "state")


def third_party(name: str) -> bytes:
    return (examples.GOLDEN / f"sparkplug-payload-1.0.3-{name}.bin").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_wire_version_has_kept_its_bytes(name: str) -> None:
    assert examples.examples()[name] == examples.golden(name).read_bytes()


def test_every_golden_file_has_its_example() -> None:
    kept = {path.name for path in examples.GOLDEN.glob("palier-*.bin")}
    grown = {examples.before(name).name for name in examples.GROWN}
    assert {examples.golden(name).name for name in NAMES} | grown == kept


def announced_since(name: str) -> set[str]:
    old, new = decode(examples.before(name).read_bytes()), decode(examples.golden(name).read_bytes())
    return {metric.name for metric in new.metrics} - {metric.name for metric in old.metrics}


def test_the_birth_of_an_older_gateway_is_read_as_that_of_a_newer_one() -> None:
    old, new = (decode(file("nbirth").read_bytes()) for file in (examples.before, examples.golden))
    assert messages.read_node_birth(old) == messages.read_node_birth(new) == examples.NODE_BIRTH
    assert announced_since("nbirth") == {"Palier/Replay", "Palier/Replayed"}


def test_the_birth_of_a_machine_on_an_older_gateway_is_read_as_on_a_newer_one() -> None:
    for file in (examples.before, examples.golden):
        read = messages.read_device_birth(decode(file("dbirth").read_bytes()), "pompe-3")
        assert read == examples.device()
    spectra = {f"Palier/Spectra{part}" for part in ("", "/Lines", "/Frequency", "/Amplitude")}
    assert announced_since("dbirth") == {"Palier/Features", *spectra}


def test_features_read_back() -> None:
    payload = decode(examples.golden("ddata-features").read_bytes())
    frame_id, frame, historical = messages.read_frame(payload, edge=examples.EDGE, machine="pompe-3")
    assert (frame_id, historical) == (examples.FRAME_ID, False)
    assert frame_equal(frame, examples.features())


@pytest.mark.parametrize("name", SPARKPLUG)
def test_decoding_and_encoding_again_gives_the_same_bytes(name: str) -> None:
    data = examples.golden(name).read_bytes()
    assert encode(decode(data)) == data


def test_waveform_reads_back() -> None:
    payload = decode(examples.golden("ddata-waveform").read_bytes())
    frame_id, frame, historical = messages.read_frame(payload, edge=examples.EDGE, machine="pompe-3")
    sent = examples.waveform()
    assert isinstance(frame, type(sent))
    assert (frame_id, historical) == (examples.FRAME_ID, False)
    np.testing.assert_array_equal(frame.samples, sent.samples)
    fields = ("machine", "point", "channels", "scale", "unit", "fs_hz", "start_ns", "clock", "quality")
    assert [getattr(frame, name) for name in fields] == [getattr(sent, name) for name in fields]
    assert (frame.speed_rpm, frame.load_percent) == (1487.5, 82.0)


def test_readings_read_back() -> None:
    payload = decode(examples.golden("ddata-readings").read_bytes())
    frame_id, frame, historical = messages.read_frame(payload, edge=examples.EDGE, machine="pompe-3")
    sent = examples.readings()
    assert isinstance(frame, type(sent))
    assert (frame_id, historical) == (examples.FRAME_ID, True)
    np.testing.assert_array_equal(frame.times_ns, sent.times_ns)
    np.testing.assert_array_equal(frame.values, sent.values)
    assert (frame.channels, frame.unit, frame.quality) == (sent.channels, sent.unit, sent.quality)


def test_births_commands_and_report_read_back() -> None:
    read = {name: decode(examples.golden(name).read_bytes()) for name in SPARKPLUG}
    assert messages.read_node_birth(read["nbirth"]) == examples.NODE_BIRTH
    assert messages.read_device_birth(read["dbirth"], "pompe-3") == examples.device()
    assert messages.read_stored(read["ncmd-stored"]) == examples.STORED
    assert messages.read_stored(read["ncmd-stored-highest"]) == examples.SYNC
    assert messages.read_replay(read["ncmd-replay"]) == examples.REPLAY
    assert messages.read_replayed(read["ndata-replayed"]) == examples.REPLAYED
    assert messages.read_limits(read["ncmd-limits"]) == examples.LIMITS
    assert messages.is_rebirth(read["ncmd-rebirth"])
    assert messages.read_ledger(read["ndata-ledger"]) == examples.LEDGER
    assert messages.read_bd_seq(read["ndeath"]) == 7
    assert decode_state(examples.golden("state").read_bytes()) == HostState(True, examples.SENT_MS)


def test_a_third_partys_birth_is_read_with_every_scalar_type() -> None:
    payload = decode(third_party("nbirth"))
    values = {metric.name: metric.value for metric in payload.metrics}
    assert values == {
        "bdSeq": 7,
        "Node Control/Rebirth": False,
        "Inputs/i8": -5,
        "Inputs/i16": -300,
        "Inputs/i32": -70000,
        "Inputs/i64": -9007199254740993,
        "Inputs/u8": 250,
        "Inputs/u64": 18446744073709551615,
        "Inputs/f": 1.5,
        "Inputs/d": 0.1,
        "Inputs/s": "été",
        "Inputs/t": 1750000001500,
        "Inputs/b": b"\0\1\xff",
        "Inputs/ds": b'\x08\x02\x12\x01a\x12\x01b\x18\x0c\x18\x03"\t\n\x032\x01x\n\x02\x08\x01',
        "Inputs/n": None,
    }
    birth = messages.read_node_birth(payload)
    assert birth == messages.NodeBirth(7)


def test_a_third_partys_properties_are_read() -> None:
    metric = next(metric for metric in decode(third_party("nbirth")).metrics if metric.name == "Inputs/f")
    assert metric.properties == {"engUnit": "mm/s", "Quality": 500, "low": -2.25}


def test_a_third_partys_aliases_are_resolved_by_its_birth() -> None:
    born, data = decode(third_party("nbirth")), decode(third_party("ndata-aliases"))
    event = session.event_of(parse("spBv1.0/g/NBIRTH/n"), born, 0.0)
    assert event is not None
    state, _ = session.step(session.HostSession(), event)
    resolved = session.resolve(state, session.NODE, data.metrics)
    assert [(m.name, m.datatype, m.value) for m in resolved] == [
        ("Inputs/i32", DataType.INT32, -70001),
        ("Inputs/i64", DataType.INT64, -3),
        ("Inputs/f", DataType.FLOAT, 2.5),
        ("Inputs/s", DataType.STRING, "oui"),
        ("Inputs/n", DataType.FLOAT, None),
    ]


def test_a_third_partys_will_ends_its_session() -> None:
    state = session.HostSession()
    for kind, name in (("NBIRTH", "nbirth"), ("NDEATH", "ndeath")):
        event = session.event_of(parse(f"spBv1.0/g/{kind}/n"), decode(third_party(name)), 0.0)
        assert event is not None
        state, effects = session.step(state, event)
    assert (state.online, effects) == (False, (session.NodeOffline(()),))
