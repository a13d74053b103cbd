"""From what was computed to columns of the historian. Names of fields are those of
`palier.historian.schema`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from models.detection.zones import BLOCK_TOO_SHORT, NOT_FINITE
from models.features import envelope_spectrum, spectrum, thin_spectrum
from models.features.bands import ENVELOPE_BAND_HZ, ENVELOPE_TOP_HZ
from models.features.catalogue import NAMES
from models.features.envelope import LEAKED_BINS, demodulator
from models.features.windows import spectral_length
from models.types import M_S2_PER_UNIT, State
from palier.frames import Features, Readings, Waveform, split_channel
from palier.historian.base import Rows
from palier.historian.rows import Transition, WaveformRow
from palier.historian.waveforms import WaveformRef
from palier.ledger import OTHER, REASONS, LedgerLine

from .batch import WorkFrame
from .board import StateLine
from .judging import Assessed
from .scoring import Scored, step_of

SPECTRUM_ROWS: Final = 400
"""Lines of a spectrum kept for display; the full one is computed from the waveform on demand."""

VELOCITY: Final = "velocity_mm_s"
ENVELOPE: Final = "envelope_m_s2"
"""What the rows of `spectrum` and `envelope` are of."""

Column = npt.NDArray[np.generic] | Sequence[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class OwnedRows:
    """Rows of which each belongs to a frame: `owner` holds the frame's place in its batch, row by row."""

    rows: Rows
    owner: tuple[int, ...]


def feature_rows(assessed: Sequence[Assessed], place: Mapping[int, int]) -> OwnedRows:
    """A row for each channel of each block; `place` maps id(work frame) to its place in the batch."""
    entries = [(a.scored, c, zone) for a in assessed for c, zone in enumerate(a.zones)]
    values = np.concatenate([np.empty((0, len(NAMES))), *(a.scored.features for a in assessed)])
    fields: dict[str, Column] = {name: values[:, i] for i, name in enumerate(NAMES)}
    fields["speed_rpm"] = np.array([_rpm(entry.shaft_hz) for entry, _, _ in entries], dtype=np.float64)
    fields["load_percent"] = np.array([entry.load_percent for entry, _, _ in entries], dtype=np.float64)
    fields["zone"] = [zone for _, _, zone in entries]
    fields["frame"] = [entry.work.text for entry, _, _ in entries]
    rows = Rows(
        "feature",
        site=[entry.work.site for entry, _, _ in entries],
        machine=[entry.block.machine for entry, _, _ in entries],
        point=[entry.block.point for entry, _, _ in entries],
        channel=[entry.block.channels[c] for entry, c, _ in entries],
        ts_ns=np.array([entry.block.start_ns for entry, _, _ in entries], dtype=np.int64),
        fields=fields,
    )
    return OwnedRows(rows, tuple(place[id(entry.work)] for entry, _, _ in entries))


def reading_rows(works: Sequence[WorkFrame]) -> OwnedRows:
    """A row for each known value of the readings among these frames; a missing value has no row."""
    site: list[str] = []
    machine: list[str] = []
    point: list[str] = []
    channel: list[str] = []
    unit: list[str | None] = []
    frame: list[str | None] = []
    times: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    values: list[npt.NDArray[np.float64]] = [np.empty(0)]
    owner: list[int] = []
    for i, work in enumerate(works):
        if not isinstance(readings := work.frame, Readings):
            continue
        for c, name in enumerate(readings.channels):
            known = np.isfinite(readings.values[c])
            n = int(known.sum())
            of_point, of_channel = split_channel(name)
            site += [work.site] * n
            machine += [readings.machine] * n
            point += [of_point] * n
            channel += [of_channel] * n
            unit += [readings.unit[c]] * n
            frame += [work.text] * n
            owner += [i] * n
            times.append(readings.times_ns[known].astype(np.int64))
            values.append(readings.values[c][known])
    fields: dict[str, Column] = {"value": np.concatenate(values), "unit": unit, "frame": frame}
    rows = Rows("reading", site, machine, point, channel, np.concatenate(times), fields)
    return OwnedRows(rows, tuple(owner))


def state_rows(lines: Sequence[StateLine]) -> Rows:
    """A row for each point and machine that a batch advanced."""
    judgements = [line.in_force.judgement for line in lines]
    fields: dict[str, Column] = {
        "state": [str(j.state) for j in judgements],
        "judged": [str(j.judged) if j.judged is not None else None for j in judgements],
        "learning": np.array([j.learning for j in judgements], dtype=np.int64),
        "severity": np.array([j.severity for j in judgements], dtype=np.int64),
        "zone": [j.zone for j in judgements],
        "value": np.array([np.nan if j.value is None else j.value for j in judgements], dtype=np.float64),
        "limit_name": [j.limits_id for j in judgements],
        "reason": [j.reason for j in judgements],
        "remedy": [j.remedy for j in judgements],
        "frame": [line.in_force.frame for line in lines],
        "live": np.ones(len(lines), dtype=np.int64),
    }
    return Rows(
        "state",
        site=[line.site for line in lines],
        machine=[line.machine for line in lines],
        point=[line.point for line in lines],
        channel=[""] * len(lines),
        ts_ns=np.array([line.in_force.ts_ns for line in lines], dtype=np.int64),
        fields=fields,
    )


def event_rows(transitions: Sequence[Transition]) -> Rows:
    """Transitions as series: a dashboard elsewhere needs nothing but the historian."""
    return Rows(
        "event",
        site=[t.site for t in transitions],
        machine=[t.machine for t in transitions],
        point=[t.point for t in transitions],
        channel=[t.channel for t in transitions],
        ts_ns=np.array([t.ts_ns for t in transitions], dtype=np.int64),
        fields={
            "event_id": [t.event_id for t in transitions],
            "kind": [t.kind for t in transitions],
            "state": [t.state for t in transitions],
            "previous": [t.previous for t in transitions],
            "detail": [t.detail for t in transitions],
        },
    )


def spectrum_rows(scored: Sequence[Scored]) -> Rows:
    """Thinned velocity spectra of these blocks' channels. Without a unit there is no amplitude to draw."""
    lines = [one for entry in scored for one in (_told(entry, VELOCITY) or _velocity(entry))]
    return _line_rows("spectrum", lines)


def envelope_rows(scored: Sequence[Scored]) -> Rows:
    """Thinned spectra of their envelope in the band that is trended, of blocks whose rate reaches into it."""
    lines = [one for entry in scored for one in (_told(entry, ENVELOPE) or _envelope(entry))]
    return _line_rows("envelope", lines)


def ledger_rows(lines: Sequence[LedgerLine], now_ns: int, wall_ns: int | None = None) -> Rows:
    """Ledger lines at a time; `machine` is the gateway's node name. `wall_ns` is of the clock of the reports.

    The last line of an outbox that was replaced stands a millisecond before those of the outboxes in use, so
    that a gateway's newest row is of what it works with.
    """
    counts = ("acquired", "stored", "quarantined", "dropped", "pending", "missing", "twice", "lost")
    fields: dict[str, Column] = {
        name: np.array([getattr(line, name) for line in lines], dtype=np.int64) for name in counts
    }
    for reason in (*REASONS, OTHER):
        fields[f"dropped_{reason}"] = np.array(
            [line.dropped_for.get(reason, 0) for line in lines], dtype=np.int64
        )
    fields["epoch"] = [line.epoch for line in lines]
    fields["adds_up"] = np.array(
        [np.nan if line.adds_up is None else float(line.adds_up) for line in lines], dtype=np.float64
    )
    fields["age_s"] = np.array([_age_s(line, wall_ns) for line in lines], dtype=np.float64)
    return Rows(
        "ledger",
        site=[line.edge.partition("/")[0] for line in lines],
        machine=[line.edge.partition("/")[2] for line in lines],
        point=[""] * len(lines),
        channel=[""] * len(lines),
        ts_ns=np.array([now_ns - line.replaced * 1_000_000 for line in lines], dtype=np.int64),
        fields=fields,
    )


def _age_s(line: LedgerLine, wall_ns: int | None) -> float:
    known = line.reported_ns is not None and wall_ns is not None
    return max(0, wall_ns - line.reported_ns) / 1e9 if known else float("nan")  # type: ignore[operator]


def waveform_row(entry: Assessed, ref: WaveformRef, *, around_alert: bool = False) -> WaveformRow:
    """Where a block's waveform lies; those of alarms, and around a first alert, are kept longer."""
    assert entry.work.id is not None  # noqa: S101 - only frames with an identity have a waveform kept
    block = entry.scored.block
    alarm = around_alert or entry.said.state in (State.ALERT, State.DANGER)
    return WaveformRow(entry.work.id, entry.work.site, block.machine, block.point, block.start_ns, ref, alarm)


class _Lines(NamedTuple):
    """Lines of one channel's spectrum."""

    entry: Scored
    channel: int
    kind: str
    frequency_hz: npt.NDArray[np.floating]
    amplitude: npt.NDArray[np.floating]


def _told(entry: Scored, kind: str) -> list[_Lines]:
    """What the gateway computed of a block that it kept."""
    block = entry.block
    if not isinstance(block, Features) or not block.spectra:
        return []
    of = {one.channel: one for one in block.spectra if one.kind == kind}
    found = []
    for c in _drawable(entry):
        if (one := of.get(block.channels[c])) is not None:
            known = block.unit[c] in M_S2_PER_UNIT  # else computed as if it were m/s²
            heights = one.amplitude * np.float32(1.0 if known else M_S2_PER_UNIT[entry.units[c]])
            lines = thin_spectrum(one.frequency_hz.astype(np.float64), heights, SPECTRUM_ROWS)
            found.append(_Lines(entry, c, kind, *lines))
    return found


def _velocity(entry: Scored) -> list[_Lines]:
    block = entry.block
    if isinstance(block, Features) or not (channels := _drawable(entry)):
        return []
    frequency, amplitude = spectrum(
        block.samples[channels], block.fs_hz, kind="velocity", scale=_to_m_s2(entry, channels)
    )
    return _thinned(entry, channels, VELOCITY, frequency, amplitude)


def _envelope(entry: Scored) -> list[_Lines]:
    """Without the lowest lines: the envelope's mean leaks into them, and would dwarf all others."""
    block = entry.block
    if isinstance(block, Features) or not _has_envelope(block) or not (channels := _drawable(entry)):
        return []
    frequency, amplitude = envelope_spectrum(
        block.samples[channels],
        block.fs_hz,
        ENVELOPE_BAND_HZ,
        scale=_to_m_s2(entry, channels),
        f_max_hz=ENVELOPE_TOP_HZ,
    )
    lines = frequency[LEAKED_BINS:], amplitude[:, LEAKED_BINS:]
    return _thinned(entry, channels, ENVELOPE, *lines)


def _has_envelope(block: Waveform) -> bool:
    """Whether half of the envelope's band or more is below what the block's rate leaves usable."""
    n_samples = spectral_length(block.samples.shape[1])
    return demodulator(ENVELOPE_BAND_HZ, block.fs_hz, n_samples, ENVELOPE_TOP_HZ) is not None


def _drawable(entry: Scored) -> list[int]:
    """The channels of a block that have lines: in a unit of acceleration, long enough, all finite."""
    return [
        c
        for c, (unit, refusal) in enumerate(zip(entry.units, entry.refusals, strict=True))
        if unit in M_S2_PER_UNIT and refusal not in (NOT_FINITE, BLOCK_TOO_SHORT)
    ]


def _to_m_s2(entry: Scored, channels: Sequence[int]) -> list[float]:
    return [step_of(entry.block, c) * M_S2_PER_UNIT[entry.units[c]] for c in channels]


def _thinned(
    entry: Scored,
    channels: Sequence[int],
    kind: str,
    frequency_hz: npt.NDArray[np.float64],
    amplitude: npt.NDArray[np.float32],
) -> list[_Lines]:
    return [
        _Lines(entry, c, kind, *thin_spectrum(frequency_hz, heights, SPECTRUM_ROWS))
        for c, heights in zip(channels, amplitude, strict=True)
    ]


def _line_rows(measurement: str, lines: Sequence[_Lines]) -> Rows:
    sizes = [len(one.frequency_hz) for one in lines]
    empty = np.empty(0)
    fields: dict[str, Column] = {
        "line": np.concatenate([np.arange(n, dtype=np.int64) for n in sizes] or [empty.astype(np.int64)]),
        "frequency_hz": np.concatenate([one.frequency_hz for one in lines] or [empty]),
        "amplitude": np.concatenate([one.amplitude for one in lines] or [empty]),
        "kind": _repeat([one.kind for one in lines], sizes),
        "frame": _repeat([one.entry.work.text for one in lines], sizes),
    }
    blocks = [one.entry.block for one in lines]
    return Rows(
        measurement,
        site=_repeat([one.entry.work.site for one in lines], sizes),
        machine=_repeat([block.machine for block in blocks], sizes),
        point=_repeat([block.point for block in blocks], sizes),
        channel=_repeat([one.entry.block.channels[one.channel] for one in lines], sizes),
        ts_ns=np.repeat(np.array([block.start_ns for block in blocks], dtype=np.int64), sizes),
        fields=fields,
    )


T = TypeVar("T")


def _repeat(values: Sequence[T], sizes: Sequence[int]) -> list[T]:
    return [value for value, n in zip(values, sizes, strict=True) for _ in range(n)]


def _rpm(shaft_hz: float | None) -> float:
    return float("nan") if shaft_hz is None else shaft_hz * 60
