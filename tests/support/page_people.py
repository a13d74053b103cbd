"""People with accounts of the page: their file, their passwords, and clients that they are logged in with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import httpx

from dashboards.console.access import Access
from dashboards.console.account_book import AccountBook
from dashboards.console.account_file import AccountFile
from dashboards.console.acting import VISIT_COOKIE, token_of
from dashboards.console.passwords import Passwords
from dashboards.console.roles import Role

QUICK: Final = Passwords(memory_kib=8, passes=1)
"""Hashes that take no time; what they are made of is the same."""

VIEWER: Final = "Salle de contrôle"
TECHNICIAN: Final = "Hanane Élami"
ENGINEER: Final = "Samir Idrissi"
PEOPLE: Final = {VIEWER: Role.VIEWER, TECHNICIAN: Role.TECHNICIAN, ENGINEER: Role.ENGINEER}


def password_of(name: str) -> str:
    """The password of one of them."""
    return f"la courroie de {name} chante"


def made_accounts(path: Path) -> Path:
    """A file with the three of them."""
    file = AccountFile.create(path)
    try:
        for name, role in PEOPLE.items():
            AccountBook(file).add(name, role, QUICK.hashed(password_of(name)), by="test", now_s=1_700_000_000)
    finally:
        file.close()
    return path


def access_of(folder: Path, **settings: object) -> Access:
    """The door of a page with the three of them."""
    path = folder / "accounts.sqlite"
    if not path.exists():
        made_accounts(path)
    return Access(path, passwords=QUICK, **settings)  # type: ignore[arg-type]


def log_in(client: httpx.Client, name: str, password: str | None = None, **fields: str) -> httpx.Response:
    """Fill the form of the login in and send it, as a browser does."""
    client.headers["origin"] = str(client.base_url).rstrip("/")
    client.get("/login")
    told = {"token": token_of(client.cookies[VISIT_COOKIE]), "name": name} | fields
    return client.post("/login", data=told | {"password": password or password_of(name)})


def token_in(client: httpx.Client) -> str:
    """What a form of a page carries for who is logged in."""
    (token, *_) = re.findall(r'name="token" value="([0-9a-f]{64})"', client.get("/account").text)
    return str(token)
