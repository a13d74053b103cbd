"""Small vector plots for print: axes, lines, bands, markers. SVG text, without a script or a style sheet.

    plot([Line(hz, mm_s)], title="…", description="…", x=Axis("Hz"), y=Axis("mm/s"), number=words.number)

Colours are those of paper, and never alone: every band, level and marker is named beside it. A screen reader
gets `title` and `description`. Numbers that are not known (NaN) break a line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt

from .ticks import digits, multiples, nice_step, time_ticks

NumberText = Callable[[float, int], str]
"""A number with so many digits behind the point, as people write it."""

TONES: Final = {
    "main": "#12395b",
    "second": "#a2501a",
    "third": "#4b6b2f",
    "fan": "#7d95ab",
    "A": "#e6f1e6",
    "B": "#f6f4dc",
    "C": "#fbe6d0",
    "D": "#f6d3d0",
    "limit": "#8a3b2e",
    "baseline": "#3a6b50",
    "shaft": "#444444",
    "bpfo": "#8c1d40",
    "bpfi": "#6b3fa0",
    "bsf": "#8a6100",
    "ftf": "#00696b",
    "mesh": "#2f5d1e",
    "event": "#0b4f9c",
}
"""What a thing is drawn in, by what it is: zones A to D are pale, for they lie behind everything."""

LINE_TONES: Final = ("main", "second", "third")

FONT: Final = "DejaVu Sans, Noto Sans, Noto Sans Arabic, Liberation Sans, sans-serif"
TEXT: Final = "#222222"
GRID: Final = "#dddddd"
FONT_PX: Final = 9.5
LETTER_PX: Final = 5.7
"""Mean width of a letter at that size, by which labels are kept apart."""

LABEL_ROWS: Final = 3
"""Rows over the plot in which markers are named; what finds no room there keeps its line without a name."""

MOST_POINTS: Final = 900
"""Of a line, more than the plot has pixels: of more the lowest and the highest of each stretch are drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis. `low` and `high` None: as far as what is drawn. `zone` makes it one of time, in seconds since
    1970 UTC, told in that time zone.
    """

    label: str
    low: float | None = None
    high: float | None = None
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A course: `x` and `y` (m,), x rising. `low` and `high` (m,) draw what it spans behind it."""

    x: npt.ArrayLike
    y: npt.ArrayLike
    name: str = ""
    tone: str = ""
    low: npt.ArrayLike | None = None
    high: npt.ArrayLike | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """A zone from `low` to `high` of the y axis (`high` None: to the top), named at its left end."""

    low: float
    high: float | None
    name: str
    tone: str


@dataclass(frozen=True, slots=True)
class Level:
    """A limit or a baseline: a line across at `y`, named beside the zones."""

    y: float
    name: str
    tone: str = "limit"


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker at `x`, as wide as its tolerance `half_width` on each side; without a name just a line."""

    x: float
    name: str = ""
    tone: str = "shaft"
    half_width: float = 0.0


def plot(
    lines: Sequence[Line],
    *,
    title: str,
    description: str,
    x: Axis,
    y: Axis,
    number: NumberText,
    bands: Sequence[Band] = (),
    levels: Sequence[Level] = (),
    marks: Sequence[Mark] = (),
    size: tuple[int, int] = (720, 240),
) -> str:
    """A plot as an `<svg>` element, for a page or a print of any width. All text in it is escaped."""
    canvas = _Canvas(_extent(lines, x, y, levels), x, y, size, number)
    canvas.name_marks(marks)
    names = [line.name for line in lines if line.name]
    parts = [
        *canvas.bands(bands),
        *canvas.grid(),
        *canvas.marks(),
        *(
            part
            for i, line in enumerate(lines)
            for part in canvas.line(line, LINE_TONES[i % len(LINE_TONES)])
        ),
        *canvas.levels(levels),
        *canvas.frame(),
        *(canvas.legend(lines) if len(names) > 1 else ()),
    ]
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" class="plot" role="img" direction="ltr" '
        f'font-family="{FONT}" font-size="{FONT_PX}" fill="{TEXT}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


@dataclass(frozen=True, slots=True)
class _Extent:
    """What is seen: x and y from low to high, low < high."""

    left: float
    right: float
    bottom: float
    top: float


def _extent(lines: Sequence[Line], x: Axis, y: Axis, levels: Sequence[Level]) -> _Extent:
    xs = _known([value for line in lines for value in np.asarray(line.x, dtype=np.float64).tolist()])
    courses = [part for line in lines for part in (line.y, line.high) if part is not None]
    ys = _known([value for part in courses for value in np.asarray(part, dtype=np.float64).tolist()])
    left, right = _span(x, xs, 0.0)
    highest = max(
        [*ys, *(level.y for level in levels if level.y <= 3 * max(ys, default=level.y))], default=1.0
    )
    bottom, top = _span(y, [0.0 if y.low is None else y.low, highest], 0.12)
    return _Extent(left, right, bottom, top)


def _span(axis: Axis, values: Sequence[float], above: float) -> tuple[float, float]:
    low = axis.low if axis.low is not None else min(values, default=0.0)
    high = axis.high if axis.high is not None else max(values, default=1.0)
    if not high > low:
        high = low + (abs(low) or 1.0)
    return low, high if axis.high is not None else high + above * (high - low)


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


class _Canvas:
    """Where things lie on the paper, in pixels of the viewBox."""

    def __init__(self, extent: _Extent, x: Axis, y: Axis, size: tuple[int, int], number: NumberText) -> None:
        self._extent, self._x, self._y, self._number = extent, x, y, number
        self._marks: list[Mark] = []
        self._named: list[tuple[Mark, float, int]] = []
        self._left, self._right = 58.0, size[0] - 20.0  # half of a number of five digits
        self._top, self._bottom = 18.0, size[1] - 34.0

    def _px(self, value: float) -> float:
        share = (value - self._extent.left) / (self._extent.right - self._extent.left)
        return self._left + share * (self._right - self._left)

    def _py(self, value: float) -> float:
        share = (value - self._extent.bottom) / (self._extent.top - self._extent.bottom)
        return self._bottom - min(max(share, -0.01), 1.0) * (self._bottom - self._top)

    def bands(self, bands: Sequence[Band]) -> Iterator[str]:
        """The zones behind everything."""
        for band in bands:
            high = self._extent.top if band.high is None else min(band.high, self._extent.top)
            if band.low >= high:
                continue
            upper, lower = self._py(high), self._py(max(band.low, self._extent.bottom))
            yield _rect(self._left, upper, self._right - self._left, lower - upper, TONES[band.tone])
            if lower - upper >= FONT_PX:
                yield _text(self._left + 4, min(lower - 3, upper + FONT_PX + 1), band.name, "start")

    def grid(self) -> Iterator[str]:
        """Lines and numbers of both axes."""
        step = nice_step(self._extent.top - self._extent.bottom, 5)
        for value in multiples(self._extent.bottom, self._extent.top, step):
            at = self._py(value)
            yield _path(f"M{self._left:.1f} {at:.1f}H{self._right:.1f}", GRID, 0.6)
            yield _text(self._left - 5, at + 3.2, self._number(value, digits(step)), "end")
        for value, text in self._x_ticks():
            at = self._px(value)
            yield _path(f"M{at:.1f} {self._top:.1f}V{self._bottom:.1f}", GRID, 0.6)
            yield _text(at, self._bottom + 12, text, "middle")

    def _x_ticks(self) -> list[tuple[float, str]]:
        left, right = self._extent.left, self._extent.right
        if self._x.zone is not None:
            return time_ticks(left, right, self._x.zone)
        step = nice_step(right - left, 9)
        return [(value, self._number(value, digits(step))) for value in multiples(left, right, step)]

    def name_marks(self, marks: Sequence[Mark]) -> None:
        """Find a row over the plot for the name of each marker, as far as there is room for it."""
        ends = [-math.inf] * LABEL_ROWS
        self._marks = [mark for mark in marks if self._extent.left <= mark.x <= self._extent.right]
        for mark in sorted(self._marks, key=lambda mark: mark.x):
            half = len(mark.name) * LETTER_PX / 2
            at = min(max(self._px(mark.x), self._left + half - 30), self._right - half + 10)
            row = next((i for i, end in enumerate(ends) if at - half > end + 3), None)
            if mark.name and row is not None:
                ends[row] = at + half
                self._named.append((mark, at, row))
        self._top += 11.0 * max((row + 1 for _, _, row in self._named), default=0)

    def marks(self) -> Iterator[str]:
        """Markers with their tolerance and names."""
        for mark in self._marks:
            at, tone = self._px(mark.x), TONES[mark.tone]
            if mark.half_width > 0:
                first = max(self._px(mark.x - mark.half_width), self._left)
                last = min(self._px(mark.x + mark.half_width), self._right)
                yield _rect(first, self._top, last - first, self._bottom - self._top, tone, opacity=0.13)
            yield _path(f"M{at:.1f} {self._top:.1f}V{self._bottom:.1f}", tone, 0.8, dash="3 2")
        for mark, at, row in self._named:
            yield _text(at, self._top - 4 - 11 * row, mark.name, "middle", TONES[mark.tone])

    def line(self, line: Line, tone: str) -> Iterator[str]:
        """A course, and what it spans."""
        x, y = thinned(np.asarray(line.x, dtype=np.float64), np.asarray(line.y, dtype=np.float64))
        colour = TONES[line.tone or tone]
        if line.low is not None and line.high is not None:
            yield from self._spanned(line, colour)
        yield _path(self._course(x, y), colour, 1.0)

    def _spanned(self, line: Line, colour: str) -> Iterator[str]:
        x, low, high = (np.asarray(v, dtype=np.float64) for v in (line.x, line.low, line.high))
        known = np.isfinite(low) & np.isfinite(high)
        for part in np.split(np.arange(len(x)), np.flatnonzero(~known)):
            kept = part[known[part]]
            if len(kept) > 1:
                upper = [
                    f"{self._px(a):.1f} {self._py(b):.1f}" for a, b in zip(x[kept], high[kept], strict=True)
                ]
                lower = [
                    f"{self._px(a):.1f} {self._py(b):.1f}" for a, b in zip(x[kept], low[kept], strict=True)
                ]
                shape = "M" + "L".join([*upper, *reversed(lower)]) + "Z"
                yield f'<path d="{shape}" fill="{colour}" fill-opacity="0.18" stroke="none"/>'

    def _course(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> str:
        steps, down = [], False
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            known = math.isfinite(b) and self._extent.left <= a <= self._extent.right
            if known:
                steps.append(f"{'L' if down else 'M'}{self._px(a):.1f} {self._py(b):.1f}")
            down = known
        return "".join(steps)

    def levels(self, levels: Sequence[Level]) -> Iterator[str]:
        """Limits and baselines across the plot."""
        for level in levels:
            if self._extent.bottom <= level.y <= self._extent.top:
                at = self._py(level.y)
                tone = TONES[level.tone]
                yield _path(f"M{self._left:.1f} {at:.1f}H{self._right:.1f}", tone, 0.9, dash="6 3")
                yield _text(self._left + 70, at - 3, level.name, "start", tone)

    def frame(self) -> Iterator[str]:
        """The box, and what the axes are of."""
        width, height = self._right - self._left, self._bottom - self._top
        yield (
            f'<rect x="{self._left:.1f}" y="{self._top:.1f}" width="{width:.1f}" height="{height:.1f}" '
            'fill="none" stroke="#888888" stroke-width="0.8"/>'
        )
        yield _text(self._right, self._bottom + 27, self._x.label, "end")
        yield _text(4, 10, self._y.label, "start")

    def legend(self, lines: Sequence[Line]) -> Iterator[str]:
        """Names of the lines, in their colours, under the plot at the left."""
        at = self._left
        for i, line in enumerate(lines):
            tone = TONES[line.tone or LINE_TONES[i % len(LINE_TONES)]]
            yield _path(f"M{at:.1f} {self._bottom + 24:.1f}h14", tone, 1.6)
            yield _text(at + 18, self._bottom + 27, line.name, "start", tone)
            at += 30 + len(line.name) * LETTER_PX


def thinned(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """At most MOST_POINTS points: of each stretch the lowest and the highest, in their order."""
    if len(x) <= MOST_POINTS:
        return x, y
    kept: set[int] = {0, len(x) - 1}
    for part in np.array_split(np.arange(len(x)), MOST_POINTS // 2):
        known = part[np.isfinite(y[part])]
        kept |= (
            {int(known[np.argmin(y[known])]), int(known[np.argmax(y[known])])}
            if len(known)
            else {int(part[0])}
        )
    places = np.array(sorted(kept), dtype=np.intp)
    return x[places], y[places]


def _rect(x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1.0) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.8):.1f}" height="{height:.1f}" fill="{fill}" '
        f'fill-opacity="{opacity:g}"/>'
    )


def _path(d: str, stroke: str, width: float, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{d}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}/>'


def _text(x: float, y: float, text: str, anchor: str, fill: str = TEXT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
