"""The JSON that the page's script asks for. Read-only.

A mistake in a request is answered 4xx {"error": sentence}, an unreadable historian 503.
Times are ms of plant time since 1970 UTC; `null` is a value that is not known. `?lang=` chooses the language
of labels, as on the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.detection.zones import LimitKind
from palier.historian.base import Historian

from .context import console_of, feature_in, window_in, words_of
from .machine import MachineView
from .overview import TEMPERATURE_UNIT, Tile
from .pages import view_in
from .series import UNITS, ChannelRef, Trend, chart_limits, spectrum, trend, values
from .words import Words

T = TypeVar("T")


async def overview_json(request: Request) -> Response:
    """GET /api/overview: {"now_ms", "problem", "counts": {state: n}, "machines": [...]}, the worst first."""
    board = await console_of(request).live.board()
    return JSONResponse(
        {
            "now_ms": _ms(board.now_ns),
            "problem": board.problem,
            "counts": dict(board.overview.counts or {}),
            "machines": [_tile(tile) for tile in board.overview.tiles],
        }
    )


async def machine_json(request: Request) -> Response:
    """GET /api/machines/<id>: as in the overview, with its points, its channels and the one to look at."""
    view = view_in(request, await console_of(request).live.board())
    return JSONResponse(
        _tile(view.tile)
        | {
            "points": [
                {"id": mark.id, "name": mark.name, "state": mark.look.word, "zone": mark.zone,
                 "value_mm_s": mark.value_mm_s, "newest_ms": _ms(mark.since_ns)}
                for mark in view.tile.points
            ],
            "channels": [{"point": ref.point, "channel": ref.channel} for ref in view.channels],
            "channel": view.channel and {"point": view.channel.point, "channel": view.channel.channel},
            "feature": view.feature,
            "speed_rpm": view.speed_rpm,
        }
    )  # fmt: skip


async def trend_json(request: Request) -> Response:
    """GET /api/machines/<id>/trend?point=&channel=&range=15m|1h|24h|7d|30d&end=&feature=: a trend in buckets.

    {"unit", "start_ms", "end_ms", "times_ms", "mean", "low", "high", "limits": {...} | null}; `limits` are
    those of the point where they are about this feature: {"kind", "standard", "values", "labels"}.
    """
    console, words, window = console_of(request), words_of(request), window_in(request)
    view = view_in(request, await console.live.board())
    feature, channel = feature_in(request) or view.feature, _channel(request, view)
    found = await _ask(
        request,
        lambda historian: trend(
            historian,
            measurement="feature",
            field=feature,
            unit=UNITS[feature],
            site=console.plant.site_id,
            machine=view.tile.machine,
            channel=channel,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
        ),
    )
    limits = chart_limits(view.limits, feature)
    return JSONResponse(
        {"start_ms": _ms(window.start_ns), "end_ms": _ms(window.end_ns)}
        | _trend(words, found)
        | {
            "limits": limits
            and {
                "kind": limits.kind,
                "standard": limits.standard,
                "values": limits.values,
                "labels": _labels(words, limits.kind, limits.names),
            }
        }
    )


async def temperature_json(request: Request) -> Response:
    """GET /api/machines/<id>/temperature?range=&end=: {"start_ms", "end_ms", "series": [{"point", "channel",
    "unit", "times_ms", "mean", "low", "high"}]}, one for each temperature channel."""
    console, words, window = console_of(request), words_of(request), window_in(request)
    view = view_in(request, await console.live.board())
    channels = [
        ChannelRef(row.point, row.channel) for row in view.data.readings if row.unit == TEMPERATURE_UNIT
    ]

    def query(historian: Historian) -> list[Trend]:
        return [
            trend(
                historian,
                measurement="reading",
                field="value",
                unit=TEMPERATURE_UNIT,
                site=console.plant.site_id,
                machine=view.tile.machine,
                channel=channel,
                start_ns=window.start_ns,
                end_ns=window.end_ns,
            )
            for channel in channels
        ]

    found = await _ask(request, query)
    series = [
        {"point": channel.point, "channel": channel.channel} | _trend(words, one)
        for channel, one in zip(channels, found, strict=True)
    ]
    return JSONResponse({"start_ms": _ms(window.start_ns), "end_ms": _ms(window.end_ns), "series": series})


async def spectrum_json(request: Request) -> Response:
    """GET /api/machines/<id>/spectrum?point=&channel=: the last one, in peak amplitudes, or null.

    {"kind", "unit", "ts_ms", "speed_rpm", "frequency_hz", "amplitude", "markers": [{"label", "hz"}]}.
    """
    console, words = console_of(request), words_of(request)
    view = view_in(request, await console.live.board())
    channel = _channel(request, view)
    found = await _ask(
        request,
        lambda historian: spectrum(
            historian,
            site=console.plant.site_id,
            machine=view.tile.machine,
            channel=channel,
            point=view.point,
        ),
    )
    if found is None:
        return JSONResponse(None)
    unit = "mm/s peak" if found.kind == "velocity_mm_s" else "m/s² peak"
    return JSONResponse(
        {
            "kind": found.kind,
            "unit": words.unit(unit),
            "ts_ms": _ms(found.ts_ns),
            "speed_rpm": found.speed_rpm,
            "frequency_hz": found.frequency_hz,
            "amplitude": found.amplitude,
            "markers": [
                {"name": mark.name, "harmonic": mark.harmonic, "label": _marker(mark.name, mark.harmonic),
                 "hz": mark.frequency_hz}
                for mark in found.markers
            ],
        }
    )  # fmt: skip


async def values_json(request: Request) -> Response:
    """GET /api/machines/<id>/values?point=&channel=: the newest block's features, or null.

    {"ts_ms", "speed_rpm", "values": [{"name", "label", "unit", "value"}]}.
    """
    console, words = console_of(request), words_of(request)
    view = view_in(request, await console.live.board())
    channel = _channel(request, view)
    found = await _ask(
        request,
        lambda historian: values(
            historian, site=console.plant.site_id, machine=view.tile.machine, channel=channel
        ),
    )
    if found is None:
        return JSONResponse(None)
    rows = [
        {"name": row.name, "label": words.feature(row.name), "unit": words.unit(row.unit), "value": row.value}
        for row in found.values
    ]
    return JSONResponse({"ts_ms": _ms(found.ts_ns), "speed_rpm": found.speed_rpm, "values": rows})


async def _ask(request: Request, query: Callable[[Historian], T]) -> T:
    """The answer of the historian. HistorianError goes to the application's handler: 503 with a sentence."""
    return await console_of(request).ask(query)


def _channel(request: Request, view: MachineView) -> ChannelRef:
    if view.channel is None:
        raise HTTPException(404, words_of(request).t("error_channel", machine=view.tile.machine))
    return view.channel


def _tile(tile: Tile) -> dict[str, object]:
    return {
        "machine": tile.machine,
        "name": tile.name,
        "kind": tile.kind,
        "criticality": tile.criticality,
        "state": tile.look.word,
        "learning": tile.look.dotted,
        "zone": tile.zone,
        "limit_name": tile.limit_name,
        "value_mm_s": tile.value_mm_s,
        "point": tile.point,
        "defect_lines": [
            {"point": one.point, "channel": one.channel, "defect": one.defect} for one in tile.lines
        ],
        "temperature_c": tile.temperature_c,
        "temperature_limit": tile.temperature_limit,
        "newest_ms": _ms(tile.since_ns),
        "reason": tile.note or tile.reason,
        "remedy": tile.note or tile.remedy,
    }


def _trend(words: Words, found: Trend) -> dict[str, object]:
    return {
        "unit": words.unit(found.unit),
        "times_ms": [_ms(ts) for ts in found.times_ns],
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
    }


def _labels(words: Words, kind: LimitKind, names: Iterable[str]) -> list[str]:
    """Zones are labelled by their letters, one more than there are limits; other limits by their names."""
    return ["A", "B", "C", "D"] if kind is LimitKind.ZONES else [words.limit(name) for name in names]


def _marker(name: str, harmonic: int) -> str:
    if name == "1×":
        return f"{harmonic}×"
    return name.upper() if harmonic == 1 else f"{harmonic}·{name.upper()}"


def _ms(ts_ns: int | None) -> int | None:
    return None if ts_ns is None else ts_ns // 1_000_000
