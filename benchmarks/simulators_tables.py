"""The report of the simulated plant: tables for the terminal, and Markdown for its page in docs/."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from simulators.faults import FaultKind

from .simulators import HALF, LEAST_RATIO, Report
from .simulators_levels import SEVERITIES, Sound

BEGIN: Final = "<!-- measured: palier bench simulators --write FILE replaces what follows -->"
END: Final = "<!-- end of what was measured -->"

EXPECTED: Final[Mapping[str, tuple[float, float, float]]] = {
    "P-101": (2.3, 2.2, 52),
    "C-201": (1.2, 2.2, 55),
    "V-301": (2.3, 1.4, 58),
    "L-401": (1.8, 6.0, 60),
    "B-501": (0.6, 3.4, 35),
}
"""Velocity mm/s RMS, acceleration m/s² RMS, °C of such machines in good order, at the first point."""

EXPECTED_RISE: Final[Mapping[tuple[str, FaultKind], Mapping[str, Sequence[float]]]] = {
    ("P-101", FaultKind.OUTER_RING): {
        "velocity_mm_s": (2.25, 2.28, 2.29, 2.31, 7.96),
        "kurtosis": (2.97, 3.03, 4.20, 6.09, 5.61),
        "envelope": (2.3, 29, 87, 114, 105),
    },
    ("C-201", FaultKind.INNER_RING): {
        "velocity_mm_s": (1.23, math.nan, math.nan, math.nan, 7.87),
        "crest": (4.1, math.nan, math.nan, math.nan, 8.2),
        "envelope": (2.3, 24, 56, 67, 60),
    },
    ("B-501", FaultKind.INNER_RING): {
        "velocity_mm_s": (0.56, math.nan, math.nan, math.nan, 7.4),
        "kurtosis": (3.0, math.nan, math.nan, math.nan, 3.4),
        "envelope": (3, 13, 47, 71, 67),
    },
}
"""An independent simulation of the same machines, where there is one."""

COLUMNS: Final = (
    ("velocity_mm_s", "v, mm/s", 2),
    ("acceleration_m_s2", "a, m/s²", 1),
    ("kurtosis", "kurtosis", 1),
    ("crest", "crest", 1),
    ("envelope", "envelope line / median", 0),
    ("high_m_s2", "5-10 kHz, m/s²", 2),
    ("mesh_m_s2", "2 x mesh, m/s²", 2),
    ("sidebands_m_s2", "sidebands, m/s²", 2),
    ("temperature_c", "°C", 0),
)


def markdown(report: Report) -> str:
    """What stands between the marks of docs/simulators.md."""
    parts = [BEGIN, "", *_speed(report)]
    if report.sound:  # a quick run has the speed alone
        parts += [*_sound(report), *_ladders(report), *_verdicts(report)]
    return "\n".join((*parts, END))


def replaced(page: str, measured: str) -> str:
    """A page with what was measured in place of what stood there. Raises ValueError where it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r} to write between")
    return before + measured + after


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(*names: str) -> list[str]:
    return [_row(names), "|" + "---|" * len(names)]


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _speed(report: Report) -> list[str]:
    return [
        f"Three channels of the pump at 25.6 kHz on one core, blocks of 4 s; at least {LEAST_RATIO:g} times "
        "faster than time:",
        "",
        *_head("pump", "a block, ms", "times faster than time"),
        *(_row((s.what.replace("_", " "), f"{s.milliseconds:.1f}", f"{s.ratio:.0f}")) for s in report.speeds),
        "",
    ]


def _sound(report: Report) -> list[str]:
    rows = []
    for (machine, point), one in report.sound.items():
        first = machine not in {m for (m, p) in report.sound if p < point and m == machine}
        wanted = EXPECTED.get(machine) if first else None
        v, a, t = wanted or (math.nan,) * 3
        rows.append(
            _row(
                (
                    f"{machine}/{point}",
                    *(_number(getattr(one, name), digits) for name, _, digits in COLUMNS),
                    "–" if wanted is None else f"{v:g} / {a:g} / {t:g}",
                )
            )
        )
    names = [title for _, title, _ in COLUMNS]
    return [
        "### In good order",
        "",
        "Medians of five blocks over a day, under load; beside them what is expected of such machines.",
        "",
        *_head("point", *names, "expected v / a / °C"),
        *rows,
        "",
    ]


def _ladders(report: Report) -> list[str]:
    parts = ["### Rise with the severity", ""]
    for (machine, point, kind), sounds in report.ladders.items():
        expected = EXPECTED_RISE.get((machine, kind), {})
        parts += [f"{machine}, point {point}, {kind.value.replace('_', ' ')}:", ""]
        parts += _head("severity", *(title for _, title, _ in COLUMNS))
        parts += [_rung(severity, k, sounds[k], expected) for k, severity in enumerate(SEVERITIES)]
        parts += [""]
    return parts


def _rung(severity: float, k: int, one: Sound, expected: Mapping[str, Sequence[float]]) -> str:
    cells = []
    for name, _, digits in COLUMNS:
        other = expected.get(name, ())
        beside = "" if not other or math.isnan(other[k]) else f" ({other[k]:g})"
        cells.append(_number(getattr(one, name), digits) + beside)
    return _row((f"{severity:g}", *cells))


def _verdicts(report: Report) -> list[str]:
    wrong = [v for v in report.verdicts if not v.right]
    rows = [
        _row(
            (
                f"{v.machine}/{v.point}",
                "none" if v.kind is None else v.kind.value.replace("_", " "),
                (v.led or "nothing").replace("_", " "),
                f"{v.confidence:.2f}" if v.led else "–",
                "yes" if v.right else "**no**",
            )
        )
        for v in report.verdicts
    ]
    return [
        f"### What the diagnosis makes of them at severity {HALF:g}",
        "",
        "Five blocks held against twelve of the same machine in good order; a deposit is watched for five "
        f"days. {len(report.verdicts) - len(wrong)} of {len(report.verdicts)} are right: led by their own "
        "name, or, sound machines and harmless shocks, not by a part of the bearing.",
        "",
        *_head("point", "in truth", "leads", "confidence", "right"),
        *rows,
        "",
    ]
