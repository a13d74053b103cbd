"""The report of the page's bench: what must be reached, told truly."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console

from benchmarks.machine import look
from benchmarks.page import Load, PageReport
from benchmarks.page_tables import show

LOAD = Load(5, 50, 0.02, 0.1, 0.2, 0.4, 90.0, 110.0, 540, 0.01, {"/": 45.0, "/alarms": 44.0})


def told(report: PageReport) -> str:
    text = io.StringIO()
    show(report, Console(file=text, width=120))
    return text.getvalue()


def test_what_is_reached_is_said_and_what_is_not_too() -> None:
    good = PageReport(look(), (LOAD,), 0.3)
    assert all(aim.met for aim in good.aims)
    assert "NOT MET" not in told(good)
    heavy = replace(LOAD, spectra_peak_mb=130.0, kb={"/": 301.0})
    bad = PageReport(look(), (heavy,), 1.2)
    assert [aim.key for aim in bad.aims if not aim.met] == ["memory", "weight", "paint"]
    assert told(bad).count("NOT MET") == 3


def test_without_a_browser_nothing_is_said_of_the_paint() -> None:
    report = PageReport(look(), (LOAD,), None)
    assert "paint" not in {aim.key for aim in report.aims}
    assert json.loads(json.dumps(report.as_json()))["first_paint_s"] is None
