"""Writes a report as HTML, complete in one file, and as PDF. Both are the same template.

HTML needs jinja2 (extra `web` or `report`), PDF WeasyPrint (extra `report`) and Pango, a system library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup

from models.detection.zones import LimitSet
from palier.extras import how_to_install, missing

from .drawing import spectrum_plot, trend_plot
from .overlay import overlaid
from .values import Report, SpectrumFigure, TrendFigure
from .wording import Words

KINDS: Final = ("velocity_mm_s", "acceleration_m_s2", "envelope_m_s2")

MOST_CHANNELS: Final = 12
"""Channels whose spectra are drawn: a report of more pages is read by nobody. It says which are left out."""


PACKAGES: Final = "libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"
"""Of Debian: what WeasyPrint sets text with, and a font of Latin and Arabic letters."""


class CannotPrintError(Exception):
    """A PDF can't be made here: the sentence says what is missing and how to get it."""


def html(report: Report, limits: Mapping[str, LimitSet], lang: str) -> str:
    """The report as one HTML file: style and drawings inside, nothing from elsewhere."""
    words = Words(lang, report.head.timezone)
    places = list(dict.fromkeys((one.point, one.channel) for one in report.spectra))
    drawn = set(places[:MOST_CHANNELS])
    span_s = (report.head.start_ns / 1e9, report.head.at_ns / 1e9)

    def trend(figure: TrendFigure) -> Markup:
        said = trend_plot(figure, words, limits=limits, span_s=span_s, events=report.events)
        return Markup(overlaid(said))  # noqa: S704 - every text in it is escaped by `plots`

    def spectrum(figure: SpectrumFigure) -> Markup:
        return Markup(overlaid(spectrum_plot(figure, words)))  # noqa: S704 - likewise

    return (
        _environment()
        .get_template("report.html")
        .render(
            r=report,
            w=words,
            trend=trend,
            spectrum=spectrum,
            spectra=[one for one in report.spectra if (one.point, one.channel) in drawn],
            not_drawn=["/".join(place) for place in places[MOST_CHANNELS:]],
        )
    )


def pdf(page: str) -> bytes:
    """The PDF of such an HTML file, tagged for screen readers. Raises CannotPrintError."""
    document = _printer()(string=page, url_fetcher=_nothing_from_elsewhere)
    return bytes(document.write_pdf(pdf_tags=True))


def can_print() -> None:
    """Raises CannotPrintError where a PDF can't be made here."""
    _printer()


def _printer() -> Any:
    if lacking := missing("report"):
        raise CannotPrintError(
            f"a PDF needs {', '.join(lacking)}, which is not installed: {how_to_install('report')}, or write "
            "the report as HTML with --out FILE.html, which every browser prints"
        )
    try:
        from weasyprint import HTML
    except OSError as error:  # Pango is loaded by name
        raise CannotPrintError(
            f"a PDF needs Pango, a library of the system, which can't be loaded ({error}): on Debian apt-get "
            f"install {PACKAGES}, or write the report as HTML with --out FILE.html, which every browser "
            "prints"
        ) from error
    return HTML


def _nothing_from_elsewhere(url: str, *_: object, **__: object) -> Any:
    """A report holds all that it shows: whatever it would ask for is none of ours."""
    raise ValueError(f"a report asks for nothing from elsewhere, got {url[:80]!r}")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("palier.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
