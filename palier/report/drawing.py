"""Draws the spectra and trends of a report: from its values to SVG in the words of a language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from models.detection.zones import LimitKind, LimitSet

from .plots import Axis, Band, Level, Mark, plot
from .plots import Line as Drawn
from .values import Event, SpectrumFigure, TrendFigure
from .wording import Words

LEAST_SHARE: Final = 0.01
"""Markers nearer to the left end than this share of the axis could not be told apart: they are left out."""

ZONES: Final = ("A", "B", "C", "D")
MARKED: Final = ("raised", "escalated")
"""Transitions of alarms that a trend shows."""

_TONES: Final = {"1×": "shaft", "bpfo": "bpfo", "bpfi": "bpfi", "bsf": "bsf", "ftf": "ftf"}
SPECTRUM_SIZE: Final = (720, 196)
TREND_SIZE: Final = (720, 178)


def spectrum_plot(figure: SpectrumFigure, words: Words, size: tuple[int, int] = SPECTRUM_SIZE) -> str:
    """A spectrum with its markers and their tolerance."""
    top = figure.frequency_hz[-1]
    marks = [
        Mark(m.frequency_hz, words.marker(m), _TONES.get(m.name, "mesh"), m.half_width_hz)
        for m in figure.markers
        if m.frequency_hz >= LEAST_SHARE * top
    ]
    peaks = [
        words.t("peak_said", frequency=words.number(p.frequency_hz, 1), amplitude=words.figure(p.amplitude))
        for p in figure.peaks[:3]
    ]
    return plot(
        [Drawn(figure.frequency_hz, figure.amplitude)],
        title=f"{words.t(f'kind_{figure.kind}')}, {figure.point}/{figure.channel}",
        description=words.t("spectrum_said", peaks=words.listed(peaks)),
        x=Axis(words.t("axis_frequency"), 0.0, top),
        y=Axis(words.t(f"axis_{figure.kind}")),
        number=words.number,
        marks=marks,
        size=size,
    )


def trend_plot(
    figure: TrendFigure,
    words: Words,
    *,
    limits: Mapping[str, LimitSet],
    span_s: tuple[float, float],
    events: Sequence[Event] = (),
    size: tuple[int, int] = TREND_SIZE,
) -> str:
    """The trend of a point's channels behind its zones, with what happened; `span_s` is the period in s."""
    row = limits.get(figure.limits)
    unit = words.unit(figure.feature)
    lines = [Drawn(one.times_s, one.mean, one.channel, "", one.low, one.high) for one in figure.lines]
    last = [
        words.t("trend_last", channel=one.channel, value=words.figure(one.mean[-1]), unit=unit)
        for one in figure.lines
    ]
    return plot(
        lines,
        title=f"{words.feature(figure.feature)}, {figure.point}",
        description=words.listed(last),
        x=Axis(words.t("axis_time"), *span_s, zone=words.zone),
        y=Axis(unit, 0.0),
        number=words.number,
        bands=tuple(_bands(row, words)),
        levels=(*_limits(row, words), *_baselines(figure, words)),
        marks=tuple(_marks(figure.point, events, words)),
        size=size,
    )


def _bands(row: LimitSet | None, words: Words) -> Iterator[Band]:
    if row is None or row.kind is not LimitKind.ZONES:
        return
    edges = (0.0, *row.values, None)
    for name, low, high in zip(ZONES, edges, edges[1:], strict=False):
        yield Band(low or 0.0, high, words.t("zone", zone=name), name)


def _limits(row: LimitSet | None, words: Words) -> Iterator[Level]:
    if row is not None and row.kind is not LimitKind.ZONES:
        for name, value in zip(row.names, row.values, strict=True):
            yield Level(value, words.of("limit", name))


def _baselines(figure: TrendFigure, words: Words) -> Iterator[Level]:
    for line in figure.lines:
        if line.baseline is not None:
            name = (
                words.t("baseline_of", channel=line.channel) if len(figure.lines) > 1 else words.t("baseline")
            )
            yield Level(line.baseline, name, "baseline")


def _marks(point: str, events: Sequence[Event], words: Words) -> Iterator[Mark]:
    for event in events:
        told = event.kind == "intervention" or (event.kind == "alarm" and event.what in MARKED)
        if told and event.point in ("", point):
            name = words.of("state", event.level) if event.kind == "alarm" else words.event(event)
            yield Mark(event.ts_ns / 1e9, name, "event" if event.kind == "intervention" else "limit")
