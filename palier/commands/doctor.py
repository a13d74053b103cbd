"""`palier doctor`: checks, each with its remedy; changes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, QuietOption


def doctor(
    *,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="HOST[:PORT]", help="Also try this MQTT broker.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Also look into this ingest's data folder."),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option("--tls-ca", metavar="FILE", help="Try the broker by TLS, and this authority (ca.crt)."),
    ] = None,
    access: Annotated[
        Path | None,
        typer.Option("--access", metavar="FOLDER", help="Also look into this folder of palier provision."),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check this installation: Python, packages, clock, broker, disk, stores, access; each fault with its
    remedy. A certificate that ends within 30 days is a fault.

    Changes nothing. Exits with 1 when a check failed.

    Example:
      palier doctor --broker 127.0.0.1:1883 --data /var/lib/palier/ingest
      palier doctor --broker broker.example.org:8883 --tls-ca ca.crt --access /etc/palier/access
    """
    from palier.diagnostics import Verdict, check_all

    if tls_ca is not None and broker is None:
        raise CommandError("--tls-ca is of a broker: name it with --broker HOST:PORT", USAGE)
    failed = 0
    for check in check_all(broker=broker, data=data, tls_ca=tls_ca, access=access):
        failed += check.verdict is Verdict.FAILED
        if json_output:
            typer.echo(json.dumps(asdict(check), ensure_ascii=False))
        elif not quiet or check.verdict is Verdict.FAILED:
            typer.echo(f"{check.verdict:<7} {check.name}: {check.found}")
            if check.remedy:
                typer.echo(f"        -> {check.remedy}")
    if failed:
        raise typer.Exit(FAILED)
