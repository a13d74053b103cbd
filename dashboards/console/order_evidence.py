"""The plots of a work order: what convinces of its fault, drawn as in the analysis report.

Spectra are those of the last stored block, by the machine page's own cache; without one those that the
historian keeps for display.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from markupsafe import Markup

from models.features.bands import VELOCITY_BAND_HZ, usable_hz
from models.types import MachineSpec, PointSpec
from palier.historian.base import Historian, HistorianError
from palier.report.drawing import spectrum_plot, trend_plot
from palier.report.evidence import TEMPERATURE, VELOCITY, Evidence, evidence_of, to_last_marker
from palier.report.figures import UNITS, spectrum_figure, temperature_limits
from palier.report.found import SpectrumFound
from palier.report.values import Line, TrendFigure
from palier.report.wording import Words

from .context import RANGES_S, Console
from .freshness import NS
from .machine import MachineView
from .machine_baseline import BaselineQuestion, baseline_band
from .machine_series import MachineSeries, is_ambient, temperatures
from .order import WorkOrder
from .series import ChannelRef, Trend, trend
from .waves import Kind, Lines

PERIODS: Final = ("30d", "24h", "1h")
FEWEST_POINTS: Final = 24
"""Points of a trend that fill a plot."""

WHOLE_SIZE: Final = (720, 160)
HALF_SIZE: Final = (360, 132)
"""Pixels of a spectrum and of a trend, in one scale: as high as leaves the work its room on the sheet."""

_KINDS: Final[dict[str, Kind]] = {
    "velocity_mm_s": "velocity",
    "acceleration_m_s2": "acceleration",
    "envelope_m_s2": "envelope",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing and what stands over it, in parts that keep their own direction."""

    caption: tuple[str, ...]
    svg: Markup


@dataclass(frozen=True, slots=True)
class Plots:
    """What is drawn on a sheet: the spectrum over its whole width, trends beside each other."""

    spectrum: Plot | None = None
    trends: tuple[Plot, ...] = ()


@dataclass(frozen=True, slots=True)
class _Course:
    """One trend: the feature, the channel it is measured by, its values."""

    feature: str
    ref: ChannelRef
    trend: Trend


async def evidence_plots(
    console: Console, lang: str, view: MachineView, order: WorkOrder, now_ns: int
) -> Plots:
    """The plots for what the order is about; none of what can't be read now."""
    if view.channel is None or view.spec is None or view.point is None:
        return Plots()
    found = order.alarm.found if order.alarm else None
    fault = order.diagnosis.fault if order.diagnosis else found.fault if found else ""
    shown = evidence_of(str(fault), str(order.alarm.key.mode) if order.alarm else "")
    words = Words(lang, console.plant.timezone)
    sheet = _Sheet(console, words, view, view.spec, view.point, view.channel, now_ns)
    try:
        return Plots(await sheet.spectrum(shown), await sheet.trends(shown))
    except HistorianError:  # why is in the page's banner
        return Plots()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Reads and draws for one point of one machine. Every method raises HistorianError."""

    console: Console
    words: Words
    view: MachineView
    machine: MachineSpec
    point: PointSpec
    ref: ChannelRef
    now_ns: int

    async def spectrum(self, shown: Evidence) -> Plot | None:
        found = await self._of_block(shown) or await self._kept(shown)
        if found is None:
            return None
        rpm = found.shaft_rpm
        if shown.to_markers:
            found = to_last_marker(found, self.machine, self.point, rpm)
        figure = spectrum_figure(found, self.machine, self.point, rpm)
        return Plot(self._of_spectrum(found), _safe(spectrum_plot(figure, self.words, WHOLE_SIZE)))

    def _of_spectrum(self, found: SpectrumFound) -> tuple[str, ...]:
        words, rpm = self.words, found.shaft_rpm
        turning = f"{words.number(rpm, 0)} {words.t('rpm')}" if rpm else words.t("no_markers")
        kind = words.cap(words.t(f"kind_{found.kind}"))
        return kind, self._where(self.ref), words.time(found.ts_ns), words.together(turning)

    def _where(self, ref: ChannelRef) -> str:
        return self.words.ltr(f"{ref.point}/{ref.channel}")

    async def _of_block(self, shown: Evidence) -> SpectrumFound | None:
        """The whole spectrum of the last stored block."""
        waves = self.console.desk.waves
        block = await waves.block(self.console, self.machine.id, self.ref, None)
        if block is None or not block.metric:
            return None
        lines = await waves.lines(block, self.ref.channel, _KINDS[shown.spectrum])
        return None if lines is None else self._found(shown.spectrum, lines)

    def _found(self, kind: str, lines: Lines) -> SpectrumFound:
        top_hz = usable_hz(lines.block.fs_hz)
        top_hz = min(top_hz, VELOCITY_BAND_HZ[1]) if kind == "velocity_mm_s" else top_hz
        amplitude = lines.amplitude[1 : 1 + int(top_hz / lines.step_hz)].astype(np.float64)
        rpm = lines.block.speed_rpm
        return SpectrumFound(
            (self.ref.point, self.ref.channel),
            kind,
            lines.block.start_ns,
            lines.step_hz * np.arange(1, 1 + len(amplitude), dtype=np.float64),
            amplitude,
            of_waveform=True,
            resolution_hz=lines.step_hz,
            shaft_rpm=rpm * self.point.shaft_order if rpm else self._nominal_rpm(),
        )

    async def _kept(self, shown: Evidence) -> SpectrumFound | None:
        """What the historian keeps for display: lines of velocity or acceleration, or of the envelope."""
        what = "envelope" if shown.spectrum == "envelope_m_s2" else "spectrum"
        series, machine = self.console.plant.site_id, self.machine.id
        told = await self.console.ask(
            lambda historian: MachineSeries(historian, series, machine).kept_lines(self.ref, what, None)
        )
        if told is None or told[1] not in _KINDS:
            return None
        hz = np.array(told[2], dtype=np.float64)
        amplitude = np.array([np.nan if value is None else value for value in told[3]])
        known = np.isfinite(amplitude)
        place = (self.ref.point, self.ref.channel)
        return SpectrumFound(
            place, told[1], told[0], hz[known], amplitude[known], False, shaft_rpm=self._nominal_rpm()
        )

    def _nominal_rpm(self) -> float | None:
        """The speed of the point's shaft by its newest block, or by the plant."""
        if self.view.speed_rpm or self.machine.speed_rpm is None:
            return self.view.speed_rpm
        return self.machine.speed_rpm * self.point.shaft_order

    async def trends(self, shown: Evidence) -> tuple[Plot, ...]:
        names = [self.view.feature if name == VELOCITY else name for name in shown.trends]
        asked = [(name, ref) for name in names if (ref := self._channel(name)) is not None]
        start_ns, courses = await self.console.ask(lambda historian: self._courses(historian, asked))
        return tuple([await self._trend(one, start_ns) for one in courses if len(one.trend.times_ns) > 1])

    def _channel(self, feature: str) -> ChannelRef | None:
        """The channel that a trend is measured by: that of the point's own housing for a temperature."""
        if feature != TEMPERATURE:
            return self.ref
        refs = temperatures(self.view.data)
        return next((ref for ref in refs if ref.point == self.ref.point and not is_ambient(ref)), None)

    def _courses(
        self, historian: Historian, asked: list[tuple[str, ChannelRef]]
    ) -> tuple[int, list[_Course]]:
        """The trends of the longest period that the history fills: a young one is no flat line."""
        start_ns, found = self.now_ns, list[_Course]()
        for period in PERIODS:
            start_ns = self.now_ns - RANGES_S[period] * NS
            found = [_Course(name, ref, self._read(historian, name, ref, start_ns)) for name, ref in asked]
            if max((len(one.trend.times_ns) for one in found), default=0) >= FEWEST_POINTS:
                break
        return start_ns, found

    def _read(self, historian: Historian, feature: str, ref: ChannelRef, start_ns: int) -> Trend:
        warm = feature == TEMPERATURE
        return trend(
            historian,
            measurement="reading" if warm else "feature",
            field="value" if warm else feature,
            unit="°C" if warm else UNITS.get(feature, ""),
            site=self.console.plant.site_id,
            machine=self.machine.id,
            channel=ref,
            start_ns=start_ns,
            end_ns=self.now_ns + 1,
        )

    async def _trend(self, one: _Course, start_ns: int) -> Plot:
        times, mean, low, high = _columns(one.trend)
        healthy, limits = await self._healthy(one), ""
        if one.feature == self.view.feature and self.point.limits:
            limits = self.point.limits
        elif one.feature == TEMPERATURE and self.point.bearing is not None:
            limits = temperature_limits(self.machine)
        line = Line(one.ref.channel, times, mean, low, high, healthy)
        figure = TrendFigure(self.ref.point, one.feature, one.trend.unit, limits, (line,))
        span_s = (start_ns / NS, self.now_ns / NS)
        svg = trend_plot(figure, self.words, limits=self.console.limits, span_s=span_s, size=HALF_SIZE)
        name = self.words.cap(self.words.feature(one.feature))
        return Plot((name, self._where(one.ref)), _safe(svg))

    async def _healthy(self, one: _Course) -> float | None:
        """The level in good health by the baseline in force, None without one."""
        question = BaselineQuestion(self.console.plant.site_id, self.machine.id, self.ref, one.feature, None)
        try:
            band = await self.console.records.run(lambda records: baseline_band(records, question))
        except HistorianError:
            return None
        return band.level if band and one.feature != TEMPERATURE else None


def _columns(course: Trend) -> tuple[tuple[float, ...], ...]:
    """Times in s, and mean, lowest, highest; NaN breaks the line where nobody measured."""
    columns = (course.mean, course.low, course.high)
    known = [tuple(np.nan if value is None else value for value in column) for column in columns]
    return (tuple(ts / NS for ts in course.times_ns), *known)


def _safe(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - `plot` escapes every text that it is given
