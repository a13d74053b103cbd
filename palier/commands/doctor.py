"""`palier doctor`: checks, each with its remedy; changes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from palier.options import FAILED, JsonOption, QuietOption


def doctor(
    *,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="HOST[:PORT]", help="Also try this MQTT broker.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Also look into this ingest's data folder."),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check this installation: Python, packages, clock, broker, disk, stores; each fault with its remedy.

    Changes nothing. Exits with 1 when a check failed.

    Example:
      palier doctor --broker 127.0.0.1:1883 --data /var/lib/palier/ingest
    """
    from palier.diagnostics import Verdict, check_all

    failed = 0
    for check in check_all(broker=broker, data=data):
        failed += check.verdict is Verdict.FAILED
        if json_output:
            typer.echo(json.dumps(asdict(check), ensure_ascii=False))
        elif not quiet or check.verdict is Verdict.FAILED:
            typer.echo(f"{check.verdict:<7} {check.name}: {check.found}")
            if check.remedy:
                typer.echo(f"        -> {check.remedy}")
    if failed:
        raise typer.Exit(FAILED)
