"""A page over a seeded historian, with a plant clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette

from dashboards.console.app import create_app
from dashboards.console.sessions import IDLE_S
from palier.clock import PlantClock
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import Plant, load_sample_plant
from tests.support.browsing import chromium
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, NS, seeded_plant

if TYPE_CHECKING:
    from tests.support.page_door import Time

MakeApp = Callable[..., Starlette]


@dataclass(frozen=True)
class StandingClock(PlantClock):
    """A plant clock that shows one moment: 2 s after the last seeded block."""

    moment_ns: int = field(default=NOW_NS + 2 * NS)

    def now_ns(self) -> int:
        return self.moment_ns


def make_app(path: Path, plant: Plant | None = None, **settings: object) -> Starlette:
    """An application over the sample plant (or another) and a historian's path."""
    settings.setdefault("clock", StandingClock())
    settings.setdefault("records", path.parent / "records.sqlite")
    return create_app(
        plant or load_sample_plant(),
        historian=path,
        open_historian=lambda: SqliteHistorian(path, read_only=True),
        limits=load_limits(),
        **settings,  # type: ignore[arg-type]
    )


@pytest.fixture(name="make_app")
def _make_app() -> MakeApp:
    return make_app


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file: each opens a context of its own. Not for longer, for Playwright
    keeps an event loop in this thread, in which tests of ours that run one of their own would fail."""
    with chromium() as started:
        yield started


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    """The path of a historian with the sample courses."""
    return seeded_plant(tmp_path)[1]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the page over a seeded historian that nobody writes to, in French."""
    _, path = seeded_plant(tmp_path_factory.mktemp("seeded"))
    with page_client(make_app(path)) as opened:
        yield opened


@pytest.fixture(scope="module")
def clock() -> Time:
    """The clocks of the page with accounts, for a test to turn on."""
    from tests.support.page_door import Time  # which takes `make_app` from here

    return Time()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page with accounts has its files."""
    return tmp_path_factory.mktemp("login")


@pytest.fixture(scope="module")
def one_page(folder: Path, clock: Time) -> Iterator[httpx.Client]:
    """A page with accounts for all tests of a file."""
    from tests.support.page_door import served

    with served(folder, wall=clock, monotonic=clock) as client:
        yield client


@pytest.fixture
def page(one_page: httpx.Client, clock: Time) -> httpx.Client:
    """That page for a browser that was never here, after a pause and a session's length."""
    clock.now_s += 7200 + IDLE_S
    one_page.cookies.clear()
    return one_page
