"""What a calibration found: as lines for a person, as lines for a file, and kept with who and when.

`calibrations.jsonl` beside agent.toml has a line for each: a quality system asks for them.
"""

from __future__ import annotations

import getpass
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.calibration import Bump, Static, Tone
from models.types import M_S2_PER_UNIT

if TYPE_CHECKING:
    from palier.locale import Catalogue

    from .taking import Taken

FILE_NAME: Final = "calibrations.jsonl"
PLACES: Final = 5  # a gain to 10 ppm: ten times finer than any reference


@dataclass(frozen=True, slots=True)
class Entry:
    """`values` by name, units in the names; `lines` are what agent.toml or plant.toml should say."""

    kind: str
    sensor: str
    values: Mapping[str, Any]
    lines: Sequence[str]
    at: str
    by: str

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, "sensor": self.sensor, "at": self.at, "by": self.by, **self.values}


def static_entry(taken: Taken, found: Static, g_m_s2: float) -> Entry:
    """Gains and offsets of all channels. The gains contain those that agent.toml has already."""
    gains = [round(before * now, PLACES) for before, now in zip(taken.gain, found.gain.tolist(), strict=True)]
    values = {
        "channels": list(taken.channels),
        "gain": gains,
        "changed_percent": [round(100 * (now - 1), 2) for now in found.gain.tolist()],
        "offset_m_s2": [round(one, 4) for one in found.offset_m_s2.tolist()],
        "cross_percent": round(float(abs(found.cross_percent).max()), 2),
        "gravity_m_s2": g_m_s2,
    }
    return _entry("static", taken.name, values, f"gain = {json.dumps(gains)}")


def tone_entry(taken: Taken, row: int, found: Tone, hz: float, rms_m_s2: float) -> Entry:
    """The gain of one channel."""
    gains = list(taken.gain)
    gains[row] = round(gains[row] * found.gain, PLACES)
    values = {
        "channels": [taken.channels[row]],
        "gain": [gains[row]],
        "changed_percent": [round(100 * (found.gain - 1), 2)],
        "read_rms_m_s2": round(found.rms_m_s2, 4),
        "read_hz": round(found.frequency_hz, 3),
        "share_percent": round(100 * found.share, 2),
        "reference_rms_m_s2": rms_m_s2,
        "reference_hz": hz,
    }
    return _entry("tone", taken.name, values, f"gain = {json.dumps(gains)}")


def bump_entry(taken: Taken, row: int, found: Bump, band: tuple[float, float], point: str | None) -> Entry:
    """The resonance, and the band for the point in plant.toml."""
    low, high = 10.0 * math.ceil(band[0] / 10), 10.0 * math.floor(band[1] / 10)  # never beyond what is usable
    values = {
        "channels": [taken.channels[row]],
        "point": point,
        "resonance_hz": round(found.frequency_hz),
        "damping_percent": round(100 * found.damping, 1),
        "knocks": found.knocks,
        "found": found.found,
        "band_hz": [low, high],
    }
    return _entry("bump", taken.name, values, f"demodulation_hz = [{low:.0f}, {high:.0f}]")


def sensitivity_entry(mv_per_g: float, volts: float, bits: int, amplification: float) -> Entry:
    """The scale of a count in m/s², and the largest acceleration that the converter holds."""
    g_full_scale = volts * 1000 / (mv_per_g * amplification)
    scale = g_full_scale * M_S2_PER_UNIT["g"] / 2 ** (bits - 1)
    values = {
        "mv_per_g": mv_per_g,
        "volts": volts,
        "bits": bits,
        "amplification": amplification,
        "scale_m_s2": float(f"{scale:.6g}"),
        "full_scale_g": round(g_full_scale, 2),
    }
    return _entry("sensitivity", "", values, f"sensitivity_mv_per_g = [{mv_per_g:g}]")


def sentences(entry: Entry, words: Catalogue) -> list[str]:
    """What was found, for a person; last, where the lines that follow belong."""
    said = _SAID[entry.kind](entry.values, words)
    return [*said, words.text("calibrate.into_plant" if entry.kind == "bump" else "calibrate.into_agent")]


def _static(v: Mapping[str, Any], words: Catalogue) -> list[str]:
    rows = zip(v["channels"], v["changed_percent"], v["offset_m_s2"], strict=True)
    axes = [
        words.text(
            "calibrate.axis", channel=name, percent=words.number(percent, 2), offset=words.number(offset, 3)
        )
        for name, percent, offset in rows
    ]
    return [*axes, words.text("calibrate.cross", percent=words.number(v["cross_percent"], 1))]


def _tone(v: Mapping[str, Any], words: Catalogue) -> list[str]:
    return [
        words.text(
            "calibrate.tone",
            channel=v["channels"][0],
            read=words.number(v["read_rms_m_s2"], 3),
            reference=words.number(v["reference_rms_m_s2"], 3),
            hz=words.number(v["read_hz"], 1),
            percent=words.number(v["changed_percent"][0], 2),
        )
    ]


def _bump(v: Mapping[str, Any], words: Catalogue) -> list[str]:
    return [
        words.text(
            "calibrate.bump",
            hz=words.number(v["resonance_hz"], 0),
            damping=words.number(v["damping_percent"], 1),
            knocks=v["knocks"],
            found=v["found"],
        )
    ]


def _sensitivity(v: Mapping[str, Any], words: Catalogue) -> list[str]:
    full = words.number(v["full_scale_g"], 1)
    return [words.text("calibrate.sensitivity", scale=f"{v['scale_m_s2']:.4g}", full=full)]


_SAID: Final[Mapping[str, Callable[[Mapping[str, Any], Catalogue], list[str]]]] = {
    "static": _static,
    "tone": _tone,
    "bump": _bump,
    "sensitivity": _sensitivity,
}


def keep(file: Path, entry: Entry) -> None:
    """Append it, on the disk when this returns. Raises OSError."""
    with file.open("a", encoding="utf-8") as kept:
        kept.write(json.dumps(entry.told(), ensure_ascii=False) + "\n")
        kept.flush()
        os.fsync(kept.fileno())


def _entry(kind: str, sensor: str, values: Mapping[str, Any], line: str) -> Entry:
    """Now, by who is logged in; sudo's caller where there is one."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(kind, sensor, values, (line,), now, os.environ.get("SUDO_USER") or getpass.getuser())
