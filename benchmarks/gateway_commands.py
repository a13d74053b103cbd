"""`palier bench sensors | modbus | adaptive`: what a gateway costs, and what it sends."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from palier.options import FAILED, CommandError, JsonOption, QuietOption

WIDTH: Final = 120
"""Columns of the tables where no terminal says how many it has."""


def tell(what: str, *, quiet: bool) -> None:
    """Say what is being measured."""
    if not quiet:
        typer.echo(f"measuring {what}", err=True)


def sensors(
    *,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=5.0, metavar="S", help="How long the main run lasts; the others a fifth."
        ),
    ] = 600.0,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure a gateway that samples three axes at 26.7 kHz: from the sensor's FIFO to the outbox.

    The agent's own code runs in a process of its own; only the wires are fake, and behave as the data sheet
    says: a FIFO of 512 words that overflows after 19 ms. What the fake devices cost is timed call by call and
    taken off; what a real SPI transfer costs the kernel is not in it. Then the same with a sensor that does
    not answer and one that hangs beside it, and a fake MCC 172. The reference is the driver alone, its
    samples thrown away. Needs a checkout: the fakes come with the tests.
    """
    from .sensors import bench_sensors

    report = bench_sensors(seconds, tell=lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from .sensors_tables import show

    console = Console()
    show(report, console if console.is_terminal else Console(width=WIDTH))


def modbus(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Ten seconds for each case instead of a minute.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what reading 1,000 Modbus registers a second costs the process of the agent.

    It starts a pymodbus server and the agent, each a process of its own, in a temporary folder. pymodbus
    alone, with the same requests, stands beside. Needs the extra `modbus`.
    """
    from importlib.util import find_spec

    from .modbus import NO_LIBRARY, bench_modbus, show

    if find_spec("pymodbus") is None:
        raise CommandError(NO_LIBRARY, FAILED)
    report = bench_modbus(10.0 if quick else 60.0, lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console

        console = Console()
        show(report, console if console.is_terminal else Console(width=WIDTH))
    if report.failed:
        raise typer.Exit(FAILED)


def adaptive(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="One day instead of a week.")] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what a gateway in mode adaptive sends of a healthy week, beside mode waveform.

    The sample plant is simulated at a block of each point each ten minutes, through the agent's own outbox
    in a temporary folder (some 2.5 GB for the week). Then a day with an alert, after which the waveforms of
    the hour before and the hour after must all arrive, once; and compression.
    """
    from .adaptive import bench_adaptive, show

    report = bench_adaptive(1 if quick else 7, lambda what: tell(what, quiet=quiet or json_output))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console

        console = Console()
        show(report, console if console.is_terminal else Console(width=WIDTH))
    if report.failed:
        raise typer.Exit(FAILED)


def add_gateway_commands(bench: typer.Typer) -> None:
    """The commands of this module, beside those that are there."""
    bench.command(
        short_help="The gateway's sensors: samples lost, processor, memory, a dead sensor beside.",
        epilog="\b\nExample:\n  palier bench sensors\n  palier bench sensors --seconds 60 --json",
    )(sensors)
    bench.command(
        short_help="A gateway's Modbus source: processor time of a thousand registers a second.",
        epilog="\b\nExample:\n  palier bench modbus\n  palier bench modbus --quick --json",
    )(modbus)
    bench.command(
        short_help="Mode adaptive: bytes of a healthy week, the hours around an alert.",
        epilog="\b\nExample:\n  palier bench adaptive\n  palier bench adaptive --quick --json",
    )(adaptive)
