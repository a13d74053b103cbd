"""`palier gateway`: how the gateways are, what they sample from, and what they still hold."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.gateway_text import (
    answer_text,
    configuration_text,
    difference,
    gateway_lines,
    gateway_table,
)
from palier.options import FAILED, USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue
from palier.plant_times import times_of

from .asking_text import DataOption, OperatorOption, UserOption, read_records, send

if TYPE_CHECKING:
    from palier.gateways import GatewayTold
    from palier.historian.records import RecordsReader
    from palier.locale import Catalogue
    from palier.plant_times import Times

    from .gateway_sending import SentOutcome

gateway = typer.Typer(
    help="See the gateways, configure them from afar, have them send a period again.",
    short_help="See the gateways, configure them, replay.",
    epilog="\b\nExample:\n  palier gateway list --data /var/lib/palier/ingest\n"
    "  palier gateway show gw-1 --data /var/lib/palier/ingest\n"
    "  palier gateway configure gw-1 sources.toml --key configuration.key --why 'second pump' "
    "--config operator.toml\n"
    "  palier gateway replay gw-1 --from 2026-11-20T06:00 --to 2026-11-20T14:00 --why 'store restored'",
    no_args_is_help=True,
)

NodeArgument = Annotated[
    str,
    typer.Argument(metavar="NODE", help="The gateway: `node` of its agent.toml, e.g. gw-1, or SITE/NODE."),
]


@gateway.command("list")
def list_all(
    *,
    data: DataOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """List the gateways with version, clock, card and problems.

    The configuration of each is named, too. Reads what each said last of itself from the ingest's records,
    while both go on working.
    """
    words, times = catalogue(lang), times_of(data)
    found = read_records(data, _all)
    if json_output:
        for told in found.values():
            typer.echo(json.dumps(told.told(), ensure_ascii=False))
        return
    if not found:
        typer.echo(words.text("cli.gateway_empty"))
        return
    for line in gateway_table(list(found.values()), words, times, time.time_ns()):
        typer.echo(line)
    if not quiet:
        typer.echo(times.note(words))


@gateway.command()
def show(
    node: NodeArgument,
    *,
    data: DataOption = None,
    configuration: Annotated[
        bool, typer.Option("--configuration", help="Print what it samples from, as TOML, and nothing else.")
    ] = False,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """Show one gateway: software, sources, problems, configuration.

    It also tells clock, card and memory. Exits with 1 where it tells of a problem or is silent. To change its
    configuration, write the one in force to a file (--configuration), edit that, and send it by `palier
    gateway configure`.
    """
    words, times = catalogue(lang), times_of(data)
    found, known = read_records(data, lambda reader: (_one(_all(reader), node), _known(reader)))
    if found is None:
        raise CommandError(_stranger(node, known, words), USAGE)
    if configuration:
        typer.echo(found.status.text or "", nl=False)
        return
    if json_output:
        typer.echo(json.dumps(found.told(), ensure_ascii=False))
    else:
        for line in (*gateway_lines(found, words, times, time.time_ns()), times.note(words)):
            typer.echo(line)
    if found.status.problems or found.is_silent(time.time_ns()):
        raise typer.Exit(FAILED)


@gateway.command()
def replay(
    node: NodeArgument,
    *,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Like 2026-11-20T06:00, on the plant's clocks (of --data, else this computer's).",
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Likewise; both ends belong to it.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is recorded.")],
    again: Annotated[
        bool,
        typer.Option("--again", help="Also store once more what the records know: its series were lost."),
    ] = False,
    data: DataOption = None,
    config: OperatorOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Have a gateway send a period again.

    It sends what its outbox still holds, as history. What the host has is not stored twice. The gateway
    answers with the number of blocks, an event of the kind `replay`.
    """
    from palier.asking import OperatorSettings
    from palier.operations import SendAgain
    from palier.settings import load_settings

    times = times_of(data)
    start_ns, end_ns = _moment(from_, "--from", times), _moment(to, "--to", times)
    if start_ns > end_ns:
        raise CommandError(f"--from must not be after --to, got {from_} and {to}", USAGE)
    edge = node if "/" in node else f"{load_settings(OperatorSettings, config).site}/{node}"
    ask = SendAgain(edge, start_ns, end_ns, why, again)
    send(ask, config=config, user=user, json_output=json_output, quiet=quiet, lang=lang)


def _moment(text: str, option: str, times: Times) -> int:
    """A time as a person wrote it. Raises CommandError."""
    try:
        return times.ns(text)
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(f"{option} must be a time like 2026-07-14T08:30, got {text!r}", USAGE) from error


@gateway.command()
def configure(
    node: NodeArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="TOML: [[source]] and what else can be sent; - is standard input."
        ),
    ],
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            envvar="PALIER_CONFIGURATION_KEY",
            help="The private key: authority/configuration.key of `palier provision`.",
        ),
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is recorded.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, send nothing.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the trial is over, and tell how it ended.")
    ] = False,
    config: OperatorOption = None,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Send a gateway what it samples from: sources, attached values. It tries it and goes back by itself.

    Signs on this computer, shows the difference to what is in force, and asks before it sends. The gateway
    checks signature and text, reopens only the sources that changed, and goes back to what it had if within
    five minutes it loses the broker or host, or a source that worked before does not. Who the gateway is,
    where its data are and whom it talks to can't be sent.

    Exits with 1 where the gateway refuses it, goes back, or does not answer; 2 for a mistake in the call.
    """
    from .gateway_sending import Sending

    words = catalogue(lang)
    sending = Sending.of(node, _text_of(file), config, user, words)
    if not dry_run and (lacking := [name for name, given in (("key", key), ("why", why)) if not given]):
        raise CommandError(f"--{lacking[0]} is missing: {_LACKING[lacking[0]]}", USAGE)
    now = sending.in_force()
    version = (now.status.configuration_highest or 0) + 1
    changed = _changes(now, sending.text, words, quiet=quiet or json_output)
    if not changed or dry_run:
        said = words.text("cli.gateway_would", version=version) if changed else words.text("cli.gateway_same")
        typer.echo(json.dumps({"changes": changed, "version": version}) if json_output else said)
        return
    if not yes and not typer.confirm(words.text("cli.gateway_confirm", version=version, edge=now.edge)):
        typer.echo(words.text("cli.gateway_not_sent"))
        raise typer.Exit(FAILED)
    assert key is not None  # noqa: S101 - refused above
    outcome = sending.send(now.edge, version, key, why, wait=wait)
    _tell(outcome, node, words, json_output=json_output, quiet=quiet)


_LACKING: Final = {
    "key": "name the private key, authority/configuration.key of `palier provision`",
    "why": "say why, somebody will read it",
}


def _changes(now: GatewayTold, text: str, words: Catalogue, *, quiet: bool) -> list[str]:
    """What is different, shown unless `quiet`."""
    changed = difference(now.status.text or "", text)
    if not quiet and changed:
        typer.echo(words.text("cli.gateway_diff", what=configuration_text(now.status, words)))
        for line in changed:
            typer.echo(line)
    return changed


def _tell(outcome: SentOutcome, node: str, words: Catalogue, *, json_output: bool, quiet: bool) -> None:
    """What the gateway said. Raises Exit(1) where it did not take it."""
    if json_output:
        typer.echo(json.dumps(outcome.told(), ensure_ascii=False))
    elif not quiet or not outcome.well:
        typer.echo(answer_text(outcome.status, words), err=not outcome.well)
        if outcome.status.answer == "taken":
            typer.echo(words.text("cli.gateway_later", node=node))
    if not outcome.well:
        raise typer.Exit(FAILED)


def _text_of(file: Path) -> str:
    """The text of a file. Raises CommandError."""
    import sys

    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}", USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} must be UTF-8 text, and is not", USAGE) from error


def _all(reader: RecordsReader) -> dict[str, GatewayTold]:
    from palier.gateways import read_gateways

    return read_gateways(reader.states())


def _known(reader: RecordsReader) -> frozenset[str]:
    from palier.gateways import known_nodes

    return known_nodes(reader.states()) | {report.edge for report in reader.ledger_reports()}


def _stranger(node: str, known: frozenset[str], words: Catalogue) -> str:
    """Why nothing can be shown of a gateway: it has not told, or there is none of that name."""
    from palier.gateways import nobody

    if node in known or any(edge.partition("/")[2] == node for edge in known):
        return words.text("reply.gateway_unknown", name=node)
    key, params = nobody(node, known)
    return words.text(f"reply.{key}", **params)


def _one(found: dict[str, GatewayTold], node: str) -> GatewayTold | None:
    """The gateway of that name, with or without its site."""
    return found.get(node) or next((told for told in found.values() if told.node == node), None)
