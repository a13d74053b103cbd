"""`palier user`: who may log in to the page, and as what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.extras import how_to_install, missing
from palier.options import USAGE, CommandError, JsonOption

if TYPE_CHECKING:
    from .account_book import AccountBook
    from .roles import Role

MOST_LINES: Final = 10_000
"""As many as the journal holds."""

AccountsOption = Annotated[
    Path,
    typer.Option(
        "--accounts",
        metavar="FILE",
        envvar="PALIER_CONSOLE_ACCOUNTS",
        help="The file of accounts, the same as `accounts` of console.toml.",
    ),
]
RoleOption = Annotated[str, typer.Option("--role", metavar="viewer|technician|engineer", help="What it may.")]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Take the password from a file's first line, - from stdin."
    ),
]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The account's name, as the records hold it.")
]

user = typer.Typer(
    help="""Make, change and remove the accounts of the page.

A viewer reads, a technician acts on alarms and records work, an engineer also changes what is judged. A
change holds at once: who was logged in with it has to do it again. A password is typed, or read from a
file.""",
    epilog="""\b
Example:
  palier user add "Hanane Élami" --role technician --accounts accounts.sqlite
  palier user list --accounts accounts.sqlite""",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@user.command()
def add(
    name: NameArgument, role: RoleOption, accounts: AccountsOption, password_file: PasswordOption = None
) -> None:
    """Make an account; the file too where there is none yet.

    Example: palier user add "Hanane Élami" --role technician --accounts accounts.sqlite
    """
    from .account_book import checked_name

    wanted = _role(role)
    with _book(accounts, create=True) as book:
        if book.password(checked_name(name)) is not None:
            raise CommandError(
                f"there is an account {name!r} already: change it, or take another name", USAGE
            )
        book.add(name, wanted, _hashed(name, password_file), by=_who(), now_s=_now_s())
    typer.echo(f"{name}: {wanted}, may log in now; accounts = {str(accounts)!r} in console.toml")


@user.command("list")
def list_accounts(accounts: AccountsOption, json_output: JsonOption = False) -> None:
    """List the accounts with their roles and last logins.

    Example: palier user list --accounts accounts.sqlite
    """
    import json

    with _book(accounts) as book:
        found = book.all()
    if json_output:
        told = [{"name": a.name, "role": a.role, "since_s": a.since_s, "seen_s": a.seen_s} for a in found]
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    wide = max((len(one.name) for one in found), default=0)
    for one in found:
        seen = "never logged in" if one.seen_s is None else f"last login {_at(one.seen_s)}"
        typer.echo(f"{one.name:<{wide}}  {one.role:<10}  {seen}")


@user.command()
def remove(name: NameArgument, accounts: AccountsOption) -> None:
    """Remove an account. What it did keeps its name in the records. The last engineer's stays.

    Example: palier user remove "Hanane Élami" --accounts accounts.sqlite
    """
    with _book(accounts) as book:
        book.remove(name, by=_who(), now_s=_now_s())
    typer.echo(f"{name}: removed")


@user.command("role")
def change_role(name: NameArgument, role: RoleOption, accounts: AccountsOption) -> None:
    """Give an account another role.

    Example: palier user role "Hanane Élami" --role engineer --accounts accounts.sqlite
    """
    wanted = _role(role)
    with _book(accounts) as book:
        book.set_role(name, wanted, by=_who(), now_s=_now_s())
    typer.echo(f"{name}: {wanted}")


@user.command("password")
def change_password(
    name: NameArgument, accounts: AccountsOption, password_file: PasswordOption = None
) -> None:
    """Give an account another password. People change their own on the page.

    Example: palier user password "Hanane Élami" --accounts accounts.sqlite
    """
    with _book(accounts) as book:
        if book.password(name) is None:
            raise CommandError(f"there is no account {name!r}: `palier user list` tells them", USAGE)
        book.set_password(name, _hashed(name, password_file), by=_who(), now_s=_now_s())
    typer.echo(f"{name}: the password is changed")


@user.command("log")
def show_journal(accounts: AccountsOption, json_output: JsonOption = False) -> None:
    """Print the journal of access, oldest first.

    It holds logins, refusals and changes of accounts.

    Example: palier user log --accounts accounts.sqlite
    """
    import json
    from dataclasses import asdict

    with _book(accounts) as book:
        found = tuple(reversed(book.journal(MOST_LINES)))
    for one in found:
        if json_output:
            typer.echo(json.dumps(asdict(one), ensure_ascii=False))
        else:
            typer.echo(
                "  ".join((_at(one.at_s), one.what, one.name or "-", one.address or "-", one.detail or "-"))
            )


@contextmanager
def _book(path: Path, *, create: bool = False) -> Iterator[AccountBook]:
    """The accounts of a file. Raises CommandError with what is wrong."""
    if missing("web"):
        raise CommandError(f"the page's accounts need the extra `web`: {how_to_install('web')}", USAGE)
    from .account_book import AccountBook
    from .account_file import AccountError, AccountFile

    try:
        file = AccountFile.create(path) if create else AccountFile(path)
        try:
            yield AccountBook(file)
        finally:
            file.close()
    except AccountError as error:
        raise CommandError(str(error)) from error


def _role(text: str) -> Role:
    from .roles import Role

    if text not in tuple(Role):
        raise CommandError(f"--role must be one of {', '.join(Role)}, got {text[:40]!r}", USAGE)
    return Role(text)


def _hashed(name: str, file: Path | None) -> str:
    """The hash of a password that is typed, or that a file holds. Raises CommandError for a bad one."""
    from palier.locale import Catalogue

    from .passwords import SHORTEST, Passwords, flaw_of

    password = _typed() if file is None and sys.stdin.isatty() else _read(file)
    if flaw := flaw_of(name, password):
        raise CommandError(Catalogue("en").text(f"login.{flaw}", least=SHORTEST), USAGE)
    return Passwords().hashed(password)


def _typed() -> str:
    from getpass import getpass

    password = getpass("Password: ")
    if getpass("The same once more: ") != password:
        raise CommandError("the two passwords are not the same: nothing was changed", USAGE)
    return password


def _read(file: Path | None) -> str:
    """The first line of a file, or of stdin."""
    try:
        text = sys.stdin.readline() if file is None or str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: the password can't be read: {error}", USAGE) from error
    return text.partition("\n")[0].rstrip("\r")


def _who() -> str:
    """Who calls the command, for the journal."""
    from getpass import getuser

    try:
        return f"palier user, {getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "palier user"


def _now_s() -> int:
    import time

    return int(time.time())


def _at(seconds: int) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
