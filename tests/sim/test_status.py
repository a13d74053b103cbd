"""The demonstration's lines, from what a historian holds."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from rich.console import Console

from models.types import MachineSpec
from palier.historian.base import Table
from palier.locale import Catalogue
from palier.plant import Plant
from simulators.screens import LiveScreen, PlainScreen
from simulators.status import MachineStatus, read_status, status_line

PLANT = Plant(
    "site", "Site", "UTC", tuple(MachineSpec(id=name, points=(), name=f"Machine {name}") for name in "AB")
)
NOW_NS = 277_000_000_000


class FakeHistorian:
    """Answers `latest` from tables."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables

    def latest(self, measurement: str, fields: Sequence[str], *, site: str) -> Table:
        assert site == "site"
        table = self.tables[measurement]
        assert set(fields) == set(table.columns)
        return table


def table(rows: Sequence[tuple[str, str, str]], ts_ns: Sequence[int], **columns: object) -> Table:
    machine, point, channel = zip(*rows, strict=True) if rows else ((), (), ())
    return Table(np.array(ts_ns, dtype=np.int64), machine, point, channel, columns)  # type: ignore[arg-type]


def historian() -> FakeHistorian:
    return FakeHistorian(
        {
            "state": table(
                [("A", "", ""), ("A", "1", "")],
                [5, 6],
                state=("alert", "normal"),
                learning=np.array([1.0, 0.0]),
            ),
            "feature": table(
                [("A", "1", "H"), ("A", "2", "H"), ("A", "3", "H")],
                [97_000_000_000, 96_000_000_000, 5],
                velocity_rms_mm_s=np.array([1.1, 2.0, math.nan]),
                velocity_rms_low_mm_s=np.array(
                    [7.3, 9.9, math.nan]
                ),  # the first shaft is slow: this is its level
                speed_rpm=np.array([74.0, 1485.0, math.nan]),
            ),
            "reading": table(
                [("A", "1", "T"), ("A", "2", "T"), ("A", "1", "N")],
                [5, 5, 5],
                value=np.array([51.0, 53.26, 990.0]),
                unit=("°C", "°C", "r/min"),
            ),
        }
    )


def test_a_machine_is_its_own_state_and_its_worst_levels() -> None:
    first, second = read_status(historian(), PLANT)  # type: ignore[arg-type]
    assert first == MachineStatus("A", "Machine A", "alert", True, 7.3, 53.26, 97_000_000_000)
    assert second.state == "unknown"
    assert second.ts_ns is None
    assert math.isnan(second.velocity_mm_s)


def test_a_line_in_french() -> None:
    status = read_status(historian(), PLANT)[0]  # type: ignore[arg-type]
    cells = status_line(status, Catalogue("fr"), NOW_NS)
    assert cells == (
        "A",
        "Machine A",
        "A alerte (L)",
        "7,3\u00a0mm/s eff.",
        "53,3\u00a0°C",
        "il y a 3\u00a0min",
    )


def test_a_machine_without_data_is_waiting() -> None:
    cells = status_line(MachineStatus("B", "Machine B"), Catalogue("en"), NOW_NS)
    assert cells[2] == "waiting for the first block"


@pytest.mark.parametrize("lang", ["fr", "en", "ar"])
def test_every_language_has_every_line(lang: str) -> None:
    status = read_status(historian(), PLANT)[0]  # type: ignore[arg-type]
    assert not any("demo." in cell or "{" in cell for cell in status_line(status, Catalogue(lang), NOW_NS))


ROWS = [("A", "Machine A", "N normal", "2,0\u00a0mm/s eff.", "50,0\u00a0°C", "il y a 3 s")]


def test_a_pipe_gets_a_line_when_something_changes() -> None:
    out = io.StringIO()
    with PlainScreen(Console(file=out, width=200), quiet=False) as screen:
        screen.say("Page")
        for row in (*ROWS * 3, ("A", "Machine A", "A alerte", "9", "9", "9")):
            screen.show([row])
    assert out.getvalue().splitlines()[0] == "Page"
    assert [line.split("  ")[2] for line in out.getvalue().splitlines()[1:]] == ["N normal", "A alerte"]


def test_quiet_shows_no_lines() -> None:
    out = io.StringIO()
    with PlainScreen(Console(file=out, width=200), quiet=True) as screen:
        screen.show(ROWS)
    assert out.getvalue() == ""


def test_what_fills_is_told_in_percent_and_drawn_as_a_bar() -> None:
    out = io.StringIO()
    with PlainScreen(Console(file=out, width=200), quiet=False) as screen:
        screen.show(ROWS, ("Historique", 0.43))
    assert out.getvalue().splitlines()[-1] == "Historique  43%"
    with LiveScreen(Console(file=out, width=200, force_terminal=True)) as live:
        live.show(ROWS, ("Historique", 0.43))
    assert "━" in out.getvalue()


def test_a_terminal_gets_a_table() -> None:
    out = io.StringIO()
    with LiveScreen(Console(file=out, width=200, force_terminal=True)) as screen:
        screen.say("Page")
        screen.show(ROWS)
    assert "2,0\u00a0mm/s eff." in out.getvalue()
