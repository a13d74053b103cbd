"""What `palier bench page` prints for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .tables import circumstances, new_table, print_parts, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .page import PageReport


def show(report: PageReport, console: Console) -> None:
    """Print the report."""
    print_parts(_parts(report), console)


def _parts(report: PageReport) -> Iterable[RenderableType]:
    yield from circumstances(report.machine)
    yield title("What must be reached")
    aims = new_table("measured", "at most", "")
    for aim in report.aims:
        aims.add_row(
            aim.what,
            f"{aim.figure:.3g} {aim.unit}",
            f"{aim.most:g} {aim.unit}",
            "met" if aim.met else "NOT MET",
        )
    yield aims
    yield title("Viewers of a plant that commits a block each second")
    loads = new_table("core", "core, asking", "latency", "95 %", "peak", "peak, spectra", "first byte")
    for load in report.loads:
        loads.add_row(
            f"{load.machines} machines, {load.viewers} viewers",
            f"{load.core:.3f}",
            f"{load.core_asking:.3f}",
            f"{load.latency_median_s:.2f} s",
            f"{load.latency_p95_s:.2f} s",
            f"{load.peak_mb:.0f} MB",
            f"{load.spectra_peak_mb:.0f} MB",
            f"{1000 * load.first_byte_s:.0f} ms",
        )
    yield loads
    yield '"asking" is the reference: as many viewers that fetch the overview anew each second.'
    yield title("Weight, uncompressed")
    weights = new_table("kB")
    for path, kb in report.loads[0].kb.items():
        weights.add_row(path, f"{kb:.0f}")
    yield weights
