"""A page with accounts that tests knock at: its clock, its people, what its file holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from dashboards.console.account_book import AccountBook
from dashboards.console.account_file import AccountFile
from dashboards.console.acting import Acting
from palier.operations import Command, Outcome, Reply
from tests.page.conftest import make_app
from tests.support.page_people import access_of
from tests.support.page_server import page_client


@dataclass
class Time:
    """A wall clock and a monotonic one that a test turns on."""

    now_s: float = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def served(folder: Path, **settings: object) -> Iterator[httpx.Client]:
    """A client of the page; `settings` are those of its Access."""

    def host(command: Command) -> Reply:
        return Reply(command.id, Outcome.DONE, "acknowledged", {}, 4)

    app = make_app(folder / "historian.sqlite", acting=Acting(host), access=access_of(folder, **settings))
    with page_client(app) as client:
        yield client


@contextmanager
def book(folder: Path) -> Iterator[AccountBook]:
    """The accounts in the file of a folder, as `palier user` opens them."""
    file = AccountFile(folder / "accounts.sqlite")
    try:
        yield AccountBook(file)
    finally:
        file.close()


def inside(client: httpx.Client) -> bool:
    """Whether a client is logged in."""
    return client.get("/session").status_code == 200
