"""The spectra of a machine: in Hz and in orders, a bearing's defects marked, and the cascade."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from models.types import BEARING_DEFECTS

from . import fields as f
from . import panels as p
from . import queries as q
from .board import Board
from .kit import Kit
from .looks import colours
from .sdk import InfluxQuery, models
from .words import Words

THIRD_OCTAVES_HZ: Final = tuple(round(10 * 10 ** (k / 10), 1) for k in range(21))
"""Edges of the bands of the cascade, 10 to 1000 Hz, where the velocity of the standards lies: narrow where
the shaft's harmonics are, and few enough to be asked one by one."""

CASCADE_EVERY: Final = "10m"
"""Blocks come no more often from a machine that is watched as usual."""

_MARKS: Final = dict(zip(BEARING_DEFECTS, ("danger", "alert", "trace-4", "trace-3"), strict=True))


def add(board: Board, kit: Kit) -> None:
    """The row of the spectra."""
    w = kit.words
    board.row(w("machine.row_spectra"))
    for of, unit in (("spectrum", w("unit.velocity_peak")), ("envelope", w("unit.acceleration_peak"))):
        for orders in (False, True):
            board.add(_chart(kit, of, unit, orders=orders), 12, 10)
    where = (q.SITE, q.MACHINE, q.POINT, q.CHANNEL)
    bands = [
        InfluxQuery(
            chr(ord("A") + i), q.RAW, q.highest_line("spectrum", where, low, high), alias=_row(w, high)
        )
        for i, (low, high) in enumerate(pairwise(THIRD_OCTAVES_HZ))
    ]
    about = p.About(
        w("spectra.cascade"), w("spectra.cascade_about"), unit=w("unit.velocity_peak"), decimals=2
    )
    board.add(p.waterfall(about, bands, interval=CASCADE_EVERY), 24, 11)


def _row(w: Words, hz: float) -> str:
    """The top of a band as people write it: Grafana has a point in every language."""
    return w("spectra.row", hz=f"{hz:g}".replace(".", w("spectra.decimal")))


def _chart(kit: Kit, of: str, unit: str, *, orders: bool) -> models.Panel:
    w = kit.words
    x = w("spectra.order") if orders else w("spectra.frequency")
    drawn = w(f"spectra.{of}_lines")
    lines = InfluxQuery("A", q.RAW, q.spectrum_lines(of, x, drawn, orders=orders), as_table=True)
    marks = [
        InfluxQuery(
            ref,
            q.RAW,
            q.defect_lines(
                of,
                x,
                w.shared(f"defect.{defect}"),
                orders=orders,
                defect=defect,
                bearings=kit.bearings.values(),
            ),
            as_table=True,
        )
        for ref, defect in zip("BCDE", BEARING_DEFECTS, strict=True)
    ]
    key = f"spectra.{of}_{'orders' if orders else 'hz'}"
    return p.chart(
        p.About(w(key), w("spectra.about"), unit=unit, decimals=3, no_value=w("spectra.none")),
        [lines, *marks],
        overrides=[
            f.painted(drawn, colours()["trace"]),
            *(f.as_marks(w.shared(f"defect.{name}"), colours()[tone]) for name, tone in _MARKS.items()),
        ],
        x=x,
    )
