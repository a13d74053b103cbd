"""The JSON of spectra, waveform and waterfall. Read-only; questions and mistakes: see `machine_api.py`."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.types import BEARING_DEFECTS

from .machine import MachineView
from .machine_asking import Asked, asked_of, at_in, bounds_in, kind_in, ms
from .machine_series import Fall
from .machine_words import MachineWords
from .spectra import MOST_ROWS, Place, peaks, places, thinned
from .waves import Block, Kind, Lines

WAVE_ROWS: Final = 1600
"""Values of a waveform: the least and the greatest of each of 800 pixels."""

LEVELS: Final = 255
"""A waterfall's amplitudes travel as whole numbers of so many steps, over `DECADES` below the highest."""

DECADES: Final = 3.0

_UNIT: Final = {
    "velocity": "mm/s peak",
    "velocity_mm_s": "mm/s peak",
    "acceleration": "m/s² peak",
    "acceleration_m_s2": "m/s² peak",
    "envelope": "m/s² peak",
    "envelope_m_s2": "m/s² peak",
}


async def lines_json(request: Request) -> Response:
    """GET /api/machines/<id>/lines?kind=velocity|acceleration|envelope&at=&from=&to=: a spectrum in peak
    amplitudes, of the stored block where there is one ("source" "block"), else as it was kept for display
    ("kept"); null without either.

    {"kind", "unit", "ts_ms", "speed_rpm", "source", "step_hz", "top_hz", "band_hz", "frequency_hz",
    "amplitude", "peaks": [index], "markers": [{"name", "harmonic", "label", "hz", "half_hz"}]}.
    """
    asked = await asked_of(request)
    channel, kind = asked.channel, kind_in(request)
    at_ns = at_in(request)
    block = await asked.console.desk.waves.block(asked.console, asked.view.tile.machine, channel, at_ns)
    lines = None if block is None else await asked.console.desk.waves.lines(block, channel.channel, kind)
    if block is not None and lines is not None:
        return JSONResponse(_lines(request, asked, block, lines))
    return JSONResponse(await _kept(request, asked, kind, at_ns))


async def wave_json(request: Request) -> Response:
    """GET /api/machines/<id>/wave?at=&from=&to= (seconds from its start): a stored block, null without one.

    {"ts_ms", "unit", "speed_rpm", "load_percent", "length_s", "seconds", "value"}: the least and the greatest
    of each pixel, in order of time.
    """
    asked = await asked_of(request)
    block = await asked.console.desk.waves.block(
        asked.console, asked.view.tile.machine, asked.channel, at_in(request)
    )
    if block is None:
        return JSONResponse(None)
    x, fs_hz = block.samples[0], block.fs_hz
    low, high = bounds_in(request, len(x) / fs_hz)
    first, stop = int(low * fs_hz), min(len(x), max(int(low * fs_hz) + 2, int(high * fs_hz)))
    places = extremes(x[first:stop], WAVE_ROWS)
    return JSONResponse(
        {
            "ts_ms": ms(block.start_ns),
            "unit": asked.m.page.unit(block.unit) if block.metric else "?",
            "speed_rpm": block.speed_rpm,
            "load_percent": block.load_percent,
            "length_s": len(x) / fs_hz,
            "seconds": [round(float(first + i) / fs_hz, 6) for i in places],
            "value": [_finite(x[first + i]) for i in places],
        }
    )


async def waterfall_json(request: Request) -> Response:
    """GET /api/machines/<id>/waterfall?kind=velocity|envelope: the spectra kept in the asked.window, or null.

    {"unit", "times_ms", "frequency_hz", "most", "decades", "rows": [[0..255]]}: steps over three decades
    below "most".
    """
    asked = await asked_of(request)
    what = "envelope" if kind_in(request) == "envelope" else "spectrum"
    channel = asked.channel
    found = await asked.read(lambda series: series.waterfall(channel, asked.window, what))
    if found is None:
        return JSONResponse(None)
    return JSONResponse(_fall(asked.m.page.unit(_UNIT.get(found.kind, "")), found))


def extremes(x: np.ndarray[tuple[int], np.dtype[np.float32]], most: int) -> list[int]:
    """Places of at most `most` values that keep the outline: the least and the greatest of each piece."""
    if len(x) <= most:
        return list(range(len(x)))
    edges = np.linspace(0, len(x), most // 2 + 1).astype(int)
    found: list[int] = []
    for a, b in pairwise(edges):
        piece = np.nan_to_num(x[a:b])
        found += sorted({int(a + piece.argmin()), int(a + piece.argmax())})
    return found


def _lines(request: Request, asked: Asked, block: Block, lines: Lines) -> dict[str, object]:
    top_hz = lines.step_hz * (len(lines.amplitude) - 1)
    low, high = bounds_in(request, top_hz)
    frequency, amplitude = thinned(lines.step_hz, lines.amplitude, low, high, MOST_ROWS)
    order = asked.view.point.shaft_order if asked.view.point else 1.0
    speed = block.speed_rpm * order if block.speed_rpm else _nominal(asked.view)
    return {
        "kind": lines.kind,
        "unit": asked.m.page.unit(_UNIT[lines.kind]) if block.metric else "?",
        "ts_ms": ms(block.start_ns),
        "source": "block",
        "step_hz": lines.step_hz,
        "top_hz": top_hz,
        "band_hz": lines.band_hz,
    } | _drawn(asked, speed, frequency, amplitude, top_hz)


async def _kept(request: Request, asked: Asked, kind: Kind, at_ns: int | None) -> dict[str, object] | None:
    """The thinned lines of the historian, brought to the kind that is asked for."""
    what = "envelope" if kind == "envelope" else "spectrum"
    found = await asked.read(lambda series: series.kept_lines(asked.channel, what, at_ns))
    if found is None:
        return None
    ts_ns, stored, frequency, amplitude = found
    if kind == "acceleration" and stored == "velocity_mm_s":
        amplitude = [
            None if v is None else v * 2 * np.pi * f / 1000 for f, v in zip(frequency, amplitude, strict=True)
        ]
        stored = "acceleration_m_s2"
    low, high = bounds_in(request, frequency[-1] or 1.0)
    inside = [i for i, f in enumerate(frequency) if low <= f <= high]
    frequency, amplitude = [frequency[i] for i in inside], [amplitude[i] for i in inside]
    told = {
        "kind": stored.partition("_")[0] or kind,
        "unit": asked.m.page.unit(_UNIT.get(stored, "")),
        "ts_ms": ms(ts_ns),
        "source": "kept",
        "step_hz": None,
        "top_hz": found[2][-1],
        "band_hz": None,
    }
    return told | _drawn(asked, _nominal(asked.view), frequency, amplitude, found[2][-1])


def _drawn(
    asked: Asked,
    speed_rpm: float | None,
    frequency: list[float],
    amplitude: list[float | None],
    top_hz: float,
) -> dict[str, object]:
    step_hz = min((b - a for a, b in pairwise(frequency)), default=0.0)
    markers = places(speed_rpm, asked.view.spec, asked.view.point, top_hz, step_hz)
    return {
        "speed_rpm": speed_rpm,
        "frequency_hz": frequency,
        "amplitude": [None if v is None else float(f"{v:.4g}") for v in amplitude],
        "peaks": peaks(frequency, amplitude),
        "markers": [
            {
                "name": place.name,
                "harmonic": place.harmonic,
                "label": _label(asked.m, place),
                "hz": place.hz,
                "half_hz": place.half_hz,
            }
            for place in markers
        ],
    }


def _nominal(view: MachineView) -> float | None:
    """The speed of the point's shaft as the newest block or the plant tells it."""
    if view.speed_rpm:
        return view.speed_rpm
    rpm = view.spec.speed_rpm if view.spec else None
    return rpm * view.point.shaft_order if rpm and view.point else None


def _label(m: MachineWords, place: Place) -> str:
    if place.name == "1×":
        return f"{place.harmonic}×"
    name = place.name.upper() if place.name in BEARING_DEFECTS else m.t(f"marker_{place.name}")
    return name if place.harmonic == 1 else f"{place.harmonic}·{name}"


def _fall(unit: str, found: Fall) -> dict[str, object]:
    most = float(np.nanmax(found.amplitude)) or 1.0
    with np.errstate(divide="ignore"):
        steps = np.clip(1 + np.log10(found.amplitude / most) / DECADES, 0, 1) * LEVELS
    return {
        "unit": unit,
        "times_ms": [ms(ts) for ts in found.times_ns],
        "frequency_hz": [round(f, 2) for f in found.frequency_hz],
        "most": most,
        "decades": DECADES,
        "rows": np.nan_to_num(steps).astype(int).tolist(),
    }


def _finite(value: np.float32) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
