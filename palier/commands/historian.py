"""`palier historian setup`: databases, retention and accounts of an InfluxDB, made ready for Palier."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from palier.options import USAGE, CommandError, JsonOption, QuietOption

if TYPE_CHECKING:
    from palier.historian.influx_server import Account, Server
    from palier.historian.influx_setup import Done

historian = typer.Typer(
    help="Prepare the InfluxDB that keeps the series.",
    short_help="Prepare the InfluxDB that keeps the series.",
    epilog="\b\nExample:\n  palier historian setup --url http://127.0.0.1:8086 --admin-password-file admin "
    "--writer-password-file writer --reader-password-file reader",
    no_args_is_help=True,
)

_Files = tuple[Path | None, Path | None]  # of the writer and of the reader
_FOR_US_ALONE: Final = 0o600

_FILES_1: Final = "--admin-password-file, --writer-password-file and --reader-password-file"
_FILES_2: Final = "--admin-token-file, --writer-token-file and --reader-token-file"


@historian.callback()
def _group() -> None:
    """A group of its own, so that `setup` stays a word of the command line while it is alone."""


@historian.command()
def setup(
    *,
    url: Annotated[str, typer.Option(help="The server, http(s)://HOST:PORT.")] = "http://127.0.0.1:8086",
    database: Annotated[str, typer.Option(help="Name of the database, on 2.x of the bucket.")] = "palier",
    org: Annotated[str, typer.Option(help="2.x: the organisation.")] = "palier",
    admin_user: Annotated[str, typer.Option(help="1.x: an administrator's name.")] = "palier_admin",
    admin_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="1.x: the administrator's password.")
    ] = None,
    writer_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="1.x: the password that the ingest's account gets.")
    ] = None,
    reader_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="1.x: the password that page and Grafana get.")
    ] = None,
    admin_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="2.x: an administrator's token.")
    ] = None,
    writer_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="2.x: where the ingest's token is written.")
    ] = None,
    reader_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="2.x: where the token of page and Grafana is written.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authority of the server's certificate, in PEM.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the administrator's secret to another machine by http.")
    ] = False,
    shorten: Annotated[
        bool, typer.Option("--shorten", help="Delete rows that a database of that name keeps longer.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make both databases with their retention, a writer and a reader. Run again, it changes nothing but the
    passwords of accounts whose files hold others by then.

    Raw rows are kept 90 days in NAME, hourly ones five years in NAME_hourly. Give the password files for
    InfluxDB 1.x, the token files for 2.x, whose server makes the tokens itself.
    """
    from palier.historian.base import HistorianError
    from palier.historian.influx_server import Account, Server, Unauthorized
    from palier.historian.opening import need_client
    from palier.settings import secret_text
    from palier.strict_toml import ConfigError

    by_token = admin_token_file is not None
    if ca_file is not None and not ca_file.is_file():
        raise CommandError(f"--ca-file must be a file, and {ca_file} is none", USAGE)
    _refuse_plain_text_abroad(url, insecure=insecure)
    try:
        need_client()
        admin = Account(
            "" if by_token else admin_user,
            secret_text(None, admin_password_file, "password") or "",
            secret_text(None, admin_token_file, "token") or "",
        )
        with closing(Server(url, admin, org=org, ca_file=ca_file)) as server:
            _refuse_other_generation(server, by_token=by_token)
            if by_token:
                done = _set_up_2(
                    server, database, org, (writer_token_file, reader_token_file), shorten=shorten
                )
            else:
                done = _set_up_1(
                    server, database, admin, (writer_password_file, reader_password_file), shorten=shorten
                )
    except ConfigError:
        raise
    except Unauthorized as error:
        who = "check --admin-token-file" if by_token else "check --admin-user and --admin-password-file"
        raise CommandError(f"{url} refuses the administrator's account ({error.said}): {who}") from error
    except (HistorianError, ValueError) as error:
        raise CommandError(str(error)) from error
    _tell(url, done, json_output=json_output, quiet=quiet)
    if done.open:
        raise CommandError(
            "this server asks nobody for a password: set auth-enabled = true under [http] in influxdb.conf "
            "and restart it"
        )


def _refuse_plain_text_abroad(url: str, *, insecure: bool) -> None:
    """The administrator's secret goes to this machine, or through TLS. Raises CommandError."""
    from palier.settings import is_loopback

    try:
        parts = urlsplit(url)
    except ValueError:
        return  # the server's own words for it follow
    if parts.scheme == "http" and parts.hostname and not (insecure or is_loopback(parts.hostname)):
        raise CommandError(
            f"{parts.hostname} is another machine, and by http anybody between can read the administrator's "
            "secret: give https://, or --insecure to accept that",
            USAGE,
        )


def _tell(url: str, done: Done, *, json_output: bool, quiet: bool) -> None:
    """Say what was made. No secret is in it."""
    if json_output:
        found = {"url": url, "version": done.version, "databases": done.databases, "accounts": done.accounts}
        typer.echo(json.dumps(found | {"passwords_changed": done.changed}))
        return
    if quiet:
        return
    typer.echo(
        f"{url} ({done.version or 'version unknown'}) has {' and '.join(done.databases)}, "
        f"and the accounts {' and '.join(done.accounts)}"
    )
    for account in done.changed:
        typer.echo(f"password of {account} changed")


def _refuse_other_generation(server: Server, *, by_token: bool) -> None:
    """1.x knows no tokens, and 2.x no administrator with a password. Raises CommandError."""
    version = server.abilities().version.removeprefix("v")
    files = _FILES_2 if by_token else _FILES_1
    if by_token and version.startswith("1."):
        raise CommandError(f"this is InfluxDB {version}: give {_FILES_1} in place of {files}", USAGE)
    if not by_token and version.startswith("2."):
        raise CommandError(f"this is InfluxDB {version}: give {_FILES_2} in place of {files}", USAGE)


def _set_up_1(server: Server, database: str, admin: Account, files: _Files, *, shorten: bool) -> Done:
    from palier.historian.influx_setup import READER, WRITER, set_up_1
    from palier.settings import secret_text

    writer, reader = files
    if writer is None or reader is None or not admin.password:
        raise CommandError(f"on InfluxDB 1.x give {_FILES_1}; on 2.x {_FILES_2}")
    passwords = {
        WRITER: secret_text(None, writer, "password") or "",
        READER: secret_text(None, reader, "password") or "",
    }
    return set_up_1(server, database, passwords, admin, shorten=shorten)


def _set_up_2(server: Server, database: str, org: str, written: _Files, *, shorten: bool) -> Done:
    from influxdb_client.client.influxdb_client import InfluxDBClient

    from palier.historian.influx_server import Account, Server
    from palier.historian.influx_setup import READER, WRITER, set_up_2, works

    writer, reader = written
    if writer is None or reader is None:
        raise CommandError(
            "on InfluxDB 2.x give --writer-token-file and --reader-token-file: they are written"
        )
    files = {WRITER: writer, READER: reader}

    def holds(account: str) -> bool:
        try:
            token = files[account].read_text("utf-8").strip()
        except OSError:
            return False
        with closing(Server(server.url, Account(token=token), org=org, ca_file=server.ca_file)) as held:
            return bool(token) and works(held, database)

    authority = str(server.ca_file) if server.ca_file else None
    with InfluxDBClient(server.url, server.account.token, org=org, ssl_ca_cert=authority) as client:
        done = set_up_2(server, client, database, org, holds, shorten=shorten)
    for account, token in done.tokens.items():
        _write_secret(files[account], token)
    return done


def _write_secret(file: Path, text: str) -> None:
    """Write it for this user's eyes only. Raises CommandError."""
    try:
        file.unlink(missing_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FOR_US_ALONE)
        with os.fdopen(handle, "w") as opened:
            opened.write(text)
    except OSError as error:
        raise CommandError(f"{file} must take the token, and can't be written: {error.strerror}") from error
