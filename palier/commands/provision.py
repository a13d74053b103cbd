"""`palier provision`: certificates, accounts, access lists and secrets of a plant, made once and checked."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.extras import how_to_install
from palier.options import FAILED, USAGE, CommandError, JsonOption, QuietOption

if TYPE_CHECKING:
    from palier.provision.checking import Finding
    from palier.provision.making import Outcome


def provision(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made with rights for its owner only.")],
    *,
    plant: Annotated[
        Path | None,
        typer.Option("--plant", metavar="FILE", help="The plant.toml; needed the first time, for its site."),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            "--gateway", metavar="NODE", help="A gateway: `node` of its agent.toml. May be repeated."
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME",
            help="Name or address by which gateways reach the broker. May be repeated; the first is theirs.",
        ),
    ] = None,
    host_id: Annotated[
        str | None,
        typer.Option("--host-id", metavar="NAME", help="`host_id` of ingest.toml. [default: palier]"),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", metavar="N", help="How long a new broker's certificate is valid. [default: 825]"
        ),
    ] = None,
    renew: Annotated[
        list[str] | None,
        typer.Option("--renew", metavar="server|authority", help="Issue this certificate again, same key."),
    ] = None,
    rotate: Annotated[
        list[str] | None,
        typer.Option(
            "--rotate", metavar="ACCOUNT", help="Another password for a gateway, ingest, console, ..."
        ),
    ] = None,
    withdraw: Annotated[
        list[str] | None,
        typer.Option("--withdraw", metavar="NODE", help="Remove a gateway, its account and its rights."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Tell what is there and until when, change nothing.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make certificates, accounts, access lists and secrets for broker, stores and gateways.

    Run again, it makes what is missing and never writes over a key or a secret, but for --rotate. It prints
    names, never a secret, and what has to be done in which order. With --check it exits with 1 when something
    is missing, wrong, expired, or expires within 30 days.

    Example:
      palier provision /etc/palier --plant plant.toml --host broker.example.org --gateway gw-1
      palier provision /etc/palier --check
    """
    from palier.plant import load_plant

    try:
        from palier.provision.certificates import SERVER_DAYS
        from palier.provision.checking import check as look
        from palier.provision.files import ProvisionError
        from palier.provision.layout import LOOPBACK
        from palier.provision.making import Wanted
        from palier.provision.making import provision as make
    except ModuleNotFoundError as error:
        raise CommandError(
            f"palier provision needs {error.name}, which is not installed: {how_to_install('provision')}"
        ) from error
    now = datetime.now(UTC)
    site = None if plant is None else load_plant(plant).site_id
    wanted = Wanted(
        site=site,
        host_id=host_id,
        gateways=gateway or (),
        hosts=host or (),
        days=SERVER_DAYS if days is None else days,
        renew=renew or (),
        rotate=rotate or (),
        withdraw=withdraw or (),
    )
    if check:
        _refuse_with_check(gateway, host, host_id, days, renew, rotate, withdraw)
    try:
        outcome = None if check else make(folder, wanted, now)
        findings = look(folder, now, site=site)
    except ProvisionError as error:
        raise CommandError(str(error), USAGE if error.usage else FAILED) from error
    if outcome is not None and gateway and not host and outcome.host == LOOPBACK:
        typer.echo("gateways will look for the broker on themselves: give --host NAME", err=True)
    # Who asks daily has to hear of a certificate that ends soon; a run that did its work has not failed.
    well = not any(finding.bad or (check and not finding.fine) for finding in findings)
    if json_output:
        typer.echo(json.dumps(_as_json(folder, outcome, findings, well=well), ensure_ascii=False))
    else:
        _print(outcome, findings, quiet=quiet)
    if not well:
        raise typer.Exit(FAILED)


def _refuse_with_check(*options: object) -> None:
    if any(option is not None and option != [] for option in options):
        raise CommandError(
            "--check changes nothing: give it alone, or with --plant to see that the folder is of that site",
            USAGE,
        )


def _print(outcome: Outcome | None, findings: tuple[Finding, ...], *, quiet: bool) -> None:
    if outcome is not None and not quiet:
        for change in outcome.changes:
            typer.echo(f"{change.did:<8} {change.file}")
        if not outcome.changes:
            typer.echo("nothing was missing")
    for finding in findings:
        # After a run only what has a date, or is amiss, is news.
        told = finding.not_after is not None or not finding.fine if outcome else True
        if (told and not quiet) or not finding.fine:
            typer.echo(f"{finding.verdict:<8} {finding.file}{': ' if finding.text else ''}{finding.text}")
    for advice in outcome.advice if outcome is not None else ():
        typer.echo(f"      -> {advice}")


def _as_json(
    folder: Path, outcome: Outcome | None, findings: tuple[Finding, ...], *, well: bool
) -> dict[str, object]:
    done: dict[str, object] = {}
    if outcome is not None:
        done = {
            "site": outcome.manifest.site,
            "host_id": outcome.manifest.host_id,
            "gateways": outcome.gateways,
            "changes": [asdict(change) for change in outcome.changes],
            "advice": outcome.advice,
        }
    return {
        "folder": str(folder),
        "ok": well,
        **done,
        "files": [
            {
                "file": finding.file,
                "verdict": finding.verdict,
                "text": finding.text,
                "not_after": finding.not_after and finding.not_after.isoformat(),
            }
            for finding in findings
        ],
    }
