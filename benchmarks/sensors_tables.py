"""What `palier bench sensors` found, as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .sensors import FIFO_MS, RUNS, SensorsReport


def show(report: SensorsReport, console: Console) -> None:
    """Print it."""
    console.print(report.machine.line())
    if not all(run.urgent for run in report.runs):
        console.print(
            "This account may not set priorities, as the installed unit does (Nice=-10, LimitRTPRIO=1): "
            "on a busy machine samples are lost for it."
        )
    table = Table(title="A gateway's process, from the sensor's FIFO to the outbox on the disk")
    for name in ("run", "seconds", "samples", "lost", "% of a core", "fake: %", "MB", "Hz"):
        table.add_column(name, justify="left" if name == "run" else "right")
    for run in report.runs:
        table.add_row(
            RUNS[run.kind],
            f"{run.seconds:.0f}",
            f"{run.taken:,}",
            str(run.lost_by_fifo + run.gaps + run.broken),
            f"{100 * run.core:.1f}",
            f"{100 * run.fake_cpu_s / run.seconds:.1f}",
            f"{run.peak_bytes / 1e6:.1f}",
            f"{run.rate_hz:.2f}",
        )
    table.add_row("reference: the driver alone", "", "", "", f"{100 * report.reference_core:.1f}", "", "", "")
    console.print(table)
    between = Table(title=f"Milliseconds between bursts (the IIS3DWB's FIFO is full after {FIFO_MS:.1f})")
    for name in ("run", "p50", "p99", "p99.9", "max"):
        between.add_column(name, justify="left" if name == "run" else "right")
    for run in report.runs:
        between.add_row(RUNS[run.kind], *(f"{value:.2f}" for value in run.intervals_ms.values()))
    console.print(between)
    goals = Table(title="Must reach")
    for name in ("goal", "reached", ""):
        goals.add_column(name)
    for goal, reached, met in report.goals():
        goals.add_row(goal, reached, "met" if met else "NOT MET")
    console.print(goals)
