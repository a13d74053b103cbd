"""A simulated week of a plant as the ingest writes it, for the queries of the dashboards.

What is measured; what is decided of it is in `grafana_judgement`. Two machines with all their series, one
machine for every other state that can be shown, and one that fell silent. Values are simple, so that what a
query must give can be said: no physics here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ingest.batch import StatusRow
from ingest.gateway_rows import gateway_rows
from models.detection.baseline import REGIME_UNSEEN
from models.features.catalogue import NAMES
from models.types import State
from palier.historian.base import Rows
from palier.historian.checking import check
from palier.historian.line_protocol import encode
from palier.historian.schema import measurement
from palier.ledger import OTHER, REASONS
from palier.limits import load_bearings
from palier.wire.status import GatewayStatus

SITE: Final = "khouribga"
MACHINE: Final = "P-101"
SECOND: Final = "C-201"
SILENT: Final = "X-silent"
GATEWAY: Final = "gw-1"
LIMITS: Final = "iso10816-7:cat2:over200kw"
BEARING: Final = "22220"
RPM: Final = 890.0

SECOND_NS: Final = 10**9
HOUR_NS: Final = 3600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS
BLOCK_NS: Final = 600 * SECOND_NS
DAYS: Final = 7

LOOKS: Final = [
    *((state, True) for state in (State.WATCH, State.ALERT, State.TRANSIENT)),
    *((state, False) for state in State if state is not State.DANGER),
]
"""States and whether the machine still learns; the machine itself is in danger, with and without."""


def week(now_ns: int) -> Iterator[Rows]:
    """All rows, by measurement; the newest are of `now_ns`."""
    times = now_ns - np.arange(0, DAYS * DAY_NS, BLOCK_NS)[::-1]
    for machine, points in ((MACHINE, ("1", "2")), (SECOND, ("1",))):
        for point in points:
            yield _features(machine, point, times)
            yield _readings((machine, point, "T"), "°C", 52.0, times)
            yield from _spectra(machine, point, times[:: len(times) // DAYS])
            yield _hours("feature", machine, point, "H", times)
            yield _hours("reading", machine, point, "T", times)
            yield _states(machine, point, State.NORMAL, times, learning=True)
    yield _readings((MACHINE, "1", "N"), "r/min", RPM, times)
    yield _readings((MACHINE, "1", "ambiante"), "°C", 24.0, times)
    yield _states(MACHINE, "", State.DANGER, times)
    yield _states(SECOND, "", State.DANGER, times, learning=True)
    for state, learning in LOOKS:
        yield _states(f"X-{state}-{int(learning)}", "", state, times[-3:], learning=learning)
    yield _states("X-normal-1", "", State.NORMAL, times[-3:], learning=True)
    yield _states(SILENT, "", State.NORMAL, times[:20])
    yield _states(MACHINE, "3", State.NORMAL, times[::2])
    yield _states(MACHINE, "3", State.UNKNOWN, times[1::2], reason=REGIME_UNSEEN.reason)
    yield _ledger(now_ns)
    yield _gateway(now_ns)


def lines(rows: Rows) -> bytes:
    """Line protocol of rows that must all be good."""
    checked = check(rows)
    assert not checked.rejected
    return b"\n".join(encode(checked))


def rows_of(of: str, at: tuple[str, str, str], times: np.ndarray, fields: dict[str, object]) -> Rows:
    """Rows of one (machine, point, channel)."""
    machine, point, channel = at
    n = len(times)
    columns = {
        name: value if isinstance(value, (np.ndarray, list)) else _constant(of, name, value, n)
        for name, value in fields.items()
    }
    return Rows(of, [SITE] * n, [machine] * n, [point] * n, [channel] * n, times.astype(np.int64), columns)


def _constant(of: str, name: str, value: object, n: int) -> Sequence[object] | np.ndarray:
    kind = measurement(of).field(name).type
    return (
        [value] * n
        if kind == "text"
        else np.full(n, value, dtype=np.float64 if kind == "float" else np.int64)
    )


def frames(times: np.ndarray) -> list[str]:
    """The names of the frames that blocks of these times came with."""
    return [f"{SITE}/{GATEWAY}:0123456789abcdef:{i}" for i in range(1, len(times) + 1)]


def _features(machine: str, point: str, times: np.ndarray) -> Rows:
    values: dict[str, object] = {name: 1.5 + 0.1 * i % 3 for i, name in enumerate(NAMES)}
    values["velocity_rms_mm_s"] = np.linspace(2.0, 6.5, len(times))
    return rows_of(
        "feature",
        (machine, point, "H"),
        times,
        {**values, "speed_rpm": RPM, "zone": "A", "frame": frames(times)},
    )


def _readings(at: tuple[str, str, str], unit: str, value: float, times: np.ndarray) -> Rows:
    return rows_of("reading", at, times, {"value": value, "unit": unit, "frame": frames(times)})


def _hours(of: str, machine: str, point: str, channel: str, times: np.ndarray) -> Rows:
    hours = np.unique(times // HOUR_NS * HOUR_NS)
    table = measurement(f"{of}_hourly")
    fields: dict[str, object] = {field.name: 2.0 for field in table.fields if field.type == "float"}
    fields["blocks"] = 6
    if of == "reading":
        fields["unit"] = "°C"
    else:
        fields["zone"] = "A"
    return rows_of(f"{of}_hourly", (machine, point, channel), hours, fields)


def _spectra(machine: str, point: str, times: np.ndarray) -> Iterator[Rows]:
    """Lines at the shaft and at the defects of the bearing, on a floor of lines each 2.5 Hz."""
    bearing = load_bearings()[BEARING]
    combs = [k * order * RPM / 60 for order in (1.0, *bearing.orders) for k in range(1, 6)]
    frequency = np.unique(np.concatenate([np.arange(2.5, 937.5, 2.5), combs]))[:400]
    every = frames(times)
    for of, kind in (("spectrum", "velocity_mm_s"), ("envelope", "envelope_m_s2")):
        for i, ts in enumerate(times.tolist()):
            n = len(frequency)
            yield rows_of(
                of,
                (machine, point, "H"),
                np.full(n, ts),
                {
                    "line": np.arange(n),
                    "frequency_hz": frequency,
                    "amplitude": np.where(np.isin(frequency, combs), 1.0 + i, 0.01),
                    "kind": kind,
                    "frame": [every[i]] * n,
                },
            )


def _states(
    machine: str,
    point: str,
    state: State,
    times: np.ndarray,
    *,
    learning: bool = False,
    reason: str = "no_data",
) -> Rows:
    refused = state in (State.UNKNOWN, State.UNCONFIGURED)
    return rows_of(
        "state",
        (machine, point, ""),
        times,
        {
            "state": str(state),
            "judged": None if refused else str(state),
            "learning": int(learning),
            "severity": 5 if state is State.DANGER else 1,
            "zone": "D" if state is State.DANGER else "A",
            "value": 6.5,
            "limit_name": LIMITS,
            "reason": reason if refused else None,
            "remedy": "check_gateway" if refused else None,
            "frame": frames(times),
            "live": 1,
        },
    )


def _gateway(now_ns: int) -> Rows:
    """A word an hour of a gateway that waits for its time in between."""
    times = (now_ns - np.arange(0, DAY_NS, 3600 * SECOND_NS)[::-1]).astype(np.int64)
    n = len(times)
    told = [
        StatusRow(
            f"{SITE}/{GATEWAY}",
            int(at_ns),
            GatewayStatus(
                version="0.1.0",
                clock=("synced", "holdover", "unsynced", "held")[i % 4],
                card_free=20_000_000_000 - i * 1_000_000,
                card_total=31_000_000_000,
                cpu_celsius=48.5,
                uptime_s=i * 3600,
                problems=("source modbus: no answer",) if i == n - 1 else (),
                configuration_version=i // 6,
                state=("local", "trial", "kept", "broken")[i % 4],
            ),
        )
        for i, at_ns in enumerate(times)
    ]
    return gateway_rows(told)


def _ledger(now_ns: int) -> Rows:
    """A line a minute of two outboxes: the old one is empty, the new one fills and is drained."""
    minutes = np.arange(0, DAY_NS, 60 * SECOND_NS)[::-1]
    times, n = np.repeat(now_ns - minutes, 2), 2 * len(minutes)
    new = np.arange(n) % 2 == 1
    count = np.arange(n) // 2
    pending = np.where(new, count % 60, 0)
    return Rows(
        "ledger",
        [SITE] * n,
        [GATEWAY] * n,
        [""] * n,
        [""] * n,
        times.astype(np.int64),
        {
            "epoch": ["fedcba9876543210" if one else "0123456789abcdef" for one in new],
            "acquired": np.where(new, count + 60, 1000),
            "stored": np.where(new, count + 60 - pending, 1000),
            "quarantined": np.zeros(n, dtype=np.int64),
            "dropped": np.zeros(n, dtype=np.int64),
            "pending": pending,
            "missing": np.zeros(n, dtype=np.int64),
            "twice": np.zeros(n, dtype=np.int64),
            "adds_up": np.ones(n, dtype=np.int64),
            "lost": np.zeros(n, dtype=np.int64),
            **{f"dropped_{reason}": np.zeros(n, dtype=np.int64) for reason in (*REASONS, OTHER)},
            "age_s": np.full(n, 2.0),
        },
    )
