"""Pages in Debian's Chromium, and what they did while they were open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.services import chromium_path

# Without the background flags Chromium itself calls its maker's hosts.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(
    timeout=30_000
)  # not Playwright's 5 s: a guard for what a loaded machine takes its time for

DRAWN = "id => document.querySelector(`#${id} canvas`).toDataURL()"
"""The picture of a chart: another one when it has moved."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; the test is skipped, with the remedy, where there is none."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Seen:
    """What a page did: its console's complaints, its failures, and the hosts that it asked."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@contextmanager
def opened(browser: Browser, **settings: object) -> Iterator[tuple[Page, Seen]]:
    """A page of a fresh browser context, an English one: the page speaks French by itself. Its complaints
    fail the test."""
    settings.setdefault("locale", "en-US")
    with ExitStack() as stack:
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        stack.callback(context.close)
        context.set_default_timeout(60_000)
        page, seen = context.new_page(), Seen()
        page.on(
            "console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.hosts.add(request.url.split("/")[2]))
        yield page, seen
        assert seen.complaints == []
