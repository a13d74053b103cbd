"""Messages of the wire, one of each kind. `python -m tests.support.wire_examples` lists them.

The golden files in tests/wire/golden hold their bytes. A golden file of a wire version never changes: with
`--write NAME` a new one is added, for a new kind of message or a new wire version.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from palier.frames import QUALITY_STALE, Clock, Features, FrameId, Readings, Spectrum, Waveform
from palier.source import ChannelBirth, Device
from palier.wire import messages
from palier.wire.state import HostState, encode_state

GOLDEN = Path(__file__).parents[1] / "wire" / "golden"

EDGE = "usine-nord/gw-1"
EPOCH = "00c0ffee00c0ffee"
FRAME_ID = FrameId(EDGE, EPOCH, 4242)
START_NS = 1_750_000_000_123_456_789
SENT_MS = 1_750_000_001_500


def waveform(dtype: str = "<i2", channels: int = 3, samples: int = 64) -> Waveform:
    """A ramp that uses the whole range of int16."""
    ramp = np.linspace(-32768, 32767, channels * samples).astype(dtype).reshape(channels, samples)
    return Waveform(
        machine="pompe-3",
        point="palier-CA",
        channels=("H", "V", "A")[:channels],
        samples=ramp,
        scale=(0.00119712, 0.00119712, 0.0023942)[:channels],
        unit=("m/s²", "m/s²", "g")[:channels],
        fs_hz=25_600.0,
        start_ns=START_NS,
        clock=Clock.HOLDOVER,
        speed_rpm=1487.5,
        load_percent=82.0,
        quality=(192, QUALITY_STALE, 0)[:channels],
    )


def readings() -> Readings:
    """Two channels, three times, one value missing."""
    return Readings(
        machine="pompe-3",
        channels=("palier-CA/T", "arbre/N"),
        times_ns=START_NS + np.arange(3, dtype="<i8") * 60_000_000_000,
        values=np.array([[61.5, np.nan, 62.25], [1487.0, 1488.0, 1486.5]]),
        unit=("°C", "r/min"),
    )


def features() -> Features:
    """What stands for `waveform` without its samples: a value unknown, a spectrum of one channel."""
    lines = np.array([24.8, 49.6, 1200.0], "<f4")
    return Features(
        machine="pompe-3",
        point="palier-CA",
        channels=("H", "V"),
        names=("velocity_rms_mm_s", "kurtosis"),
        values=np.array([[2.25, 3.0], [1.5, np.nan]], "<f4"),
        unit=("m/s²", "m/s²"),
        fs_hz=25_600.0,
        n_samples=65_536,
        start_ns=START_NS,
        clock=Clock.HOLDOVER,
        speed_rpm=1487.5,
        load_percent=82.0,
        quality=(192, QUALITY_STALE),
        step=(0.00119712, 0.0),
        whole=(False, True),
        spectra=(Spectrum("H", "velocity_mm_s", lines, np.array([1.0, 0.5, 0.25], "<f4")),),
    )


def device() -> Device:
    """One machine with a channel of each dtype."""
    return Device(
        "pompe-3",
        (
            ChannelBirth(
                "palier-CA/H", "m/s²", "int16", 0.00119712, 25_600.0, full_scale=39.2, mounting="stud"
            ),
            ChannelBirth("palier-CA/V", "m/s²", "int32", 1e-6, 25_600.0),
            ChannelBirth("palier-CA/A", "g", "float32", 1.0, 25_600.0),
            ChannelBirth("palier-CA/T", "°C", "float64"),
        ),
    )


STORED = messages.Stored(EPOCH, ((1, 7), (9, 9), (4200, 4242)), 100, 8_000_000, sync=True)
LIMITS = (messages.DangerLimit("pompe-3", "palier-CA/T", 95.0),)
NODE_BIRTH = messages.NodeBirth(7, EPOCH, ((4240, 4242),), "89abcdef01234567")
SYNC = messages.Stored(EPOCH, ((4240, 4241),), 16, 8_000_000, sync=True, highest=4242)
REPLAY = messages.Replay("0c5d1f7e-replay", START_NS, START_NS + 3_600_000_000_000, EPOCH)
REPLAYED = messages.Replayed(REPLAY.request, EPOCH, 3117)
LEDGER = messages.LedgerReport(EPOCH, 4242, 4242, ((1, 10, "space"), (12, 12, "size")), 4240, 3)

CONFIGURATION = messages.Configuration(
    EDGE, 7, '[[source]]\ntype = "simulated"\n', bytes(range(64)), "5f0a7c21-configuration"
)
STATUS = messages.GatewayStatus(
    version="0.1.0",
    python="3.11.2",
    system="Debian GNU/Linux 12 (aarch64)",
    board="Raspberry Pi 4 Model B",
    clock="synced",
    card_free=21_000_000_000,
    card_total=31_000_000_000,
    cpu_celsius=48.5,
    uptime_s=86_400,
    pending=3,
    sources=("iis3dwb", "modbus"),
    problems=("source modbus: no answer",),
    notes=(),
    origin="remote",
    state="trial",
    configuration_version=7,
    configuration_highest=7,
    configuration_hash="0123456789abcdef",
    text=CONFIGURATION.text,
    answer_request=CONFIGURATION.request,
    answer_version=7,
    answer="taken",
    answer_sentence="",
    problem_codes=("",),
    note_codes=(),
)


def examples() -> dict[str, bytes]:
    """Golden name -> bytes."""
    sent = {"seq": 17, "timestamp_ms": SENT_MS}
    return {
        "nbirth": messages.node_birth(NODE_BIRTH, timestamp_ms=SENT_MS),
        "dbirth": messages.device_birth(device(), **sent),
        "ddata-waveform": messages.frame_payload(waveform(), FRAME_ID, historical=False, **sent),
        "ddata-readings": messages.frame_payload(readings(), FRAME_ID, historical=True, **sent),
        "ddata-features": messages.frame_payload(features(), FRAME_ID, historical=False, **sent),
        "ndata-ledger": messages.ledger_payload(LEDGER, **sent),
        "ncmd-stored": messages.stored_payload(STORED, SENT_MS),
        "ncmd-stored-highest": messages.stored_payload(SYNC, SENT_MS),
        "ncmd-replay": messages.replay_payload(REPLAY, SENT_MS),
        "ndata-replayed": messages.replayed_payload(REPLAYED, **sent),
        "ncmd-limits": messages.limits_payload(LIMITS, SENT_MS),
        "ncmd-rebirth": messages.rebirth_payload(SENT_MS),
        "nbirth-status": messages.node_birth(NODE_BIRTH, timestamp_ms=SENT_MS, status=STATUS),
        "ndata-status": messages.status_payload(STATUS, **sent),
        "ncmd-configuration": messages.configuration_payload(CONFIGURATION, SENT_MS),
        "ndeath": messages.node_death(7),
        "state": encode_state(HostState(True, SENT_MS)),
    }


GROWN = {"dbirth": "dbirth-features", "nbirth": "nbirth-replay"}
"""Examples that announce more than they did: by what. The bytes of before stay beside them."""


def golden(name: str) -> Path:
    """Where the bytes of an example are kept, by wire version."""
    return before(GROWN.get(name, name))


def before(name: str) -> Path:
    """The first bytes of an example, of which a reader must still make what it did."""
    return GOLDEN / f"{messages.WIRE_VERSION.replace('/', '-')}-{name}.bin"


def main(arguments: list[str]) -> int:
    """List the examples, or write the golden files named after `--write` that are not there yet."""
    made = examples()
    if arguments[:1] != ["--write"]:
        sys.stdout.writelines(f"{name}: {len(data)} bytes\n" for name, data in made.items())
        return 0
    for name in arguments[1:]:
        with golden(name).open("xb") as file:
            file.write(made[name])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
