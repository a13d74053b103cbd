"""`make screenshots`: the pictures of the README and the docs, taken of the demonstration itself.

Needs Debian's Chromium (`make services`) and nothing else that runs: the demonstration is started as people
start it, and shown when its pump has come to danger. About three minutes; docs/*.png are written anew.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

DOCS: Final = Path(__file__).parent
LANG: Final = "fr"
AT_MOST_S: Final = 420
"""Of a first run on a busy machine; with the history at hand it takes less than three minutes."""

MOST_BYTES: Final = 300_000
"""A picture is read with the page that shows it."""

LIFE: Final = ("P-101", "P90")
DANGER: Final = ("P-101", "DANGER")
"""Words of the lines that tell of the pump's remaining life, and then of its danger."""

FOLLOWS_S: Final = 25.0
"""After the danger by its acceleration: the velocity follows within 15 hours of the plant."""

DRAWN_MS: Final = 1000
SHOW: Final = "top => { document.querySelector(top).scrollIntoView(); if (top !== 'body') scrollBy(0, -70); }"
"""The periods stay at the window's top edge: below them."""

BROWSER: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, the path of its page, the window in CSS pixels, what is waited for, the words of
    the line after which it is taken, and what stands at its top.
    """

    name: str
    path: str
    width: int
    height: int
    drawn: str
    after: tuple[str, ...] = DANGER
    top: str = "body"
    scale: float = 1.0


SHOTS: Final = (
    Shot("machine", "machine/P-101", 1280, 1100, "#trend canvas", LIFE),
    Shot("spectrum", "machine/P-101", 1280, 1080, "#envelope canvas", LIFE, top="#spectrum-title"),
    Shot("overview", "", 1280, 900, ".tile"),
    Shot("alarms", "alarms", 1280, 640, "main"),
    Shot("phone", "machine/P-101", 390, 844, "#trend canvas", scale=2.0),
)


def main() -> int:
    """Take them all. 0, or 1 with a sentence."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return _failed("Chromium is missing: make services")
    with _demonstration() as (address, lines), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(BROWSER))
        try:
            sizes = _take_all(browser, address, lines)
        finally:
            browser.close()
    if len(sizes) < len(SHOTS):
        return _failed(f"the demonstration ended before its pump was in danger (within {AT_MOST_S} s)")
    large = [f"docs/{name}.png has {size} bytes" for name, size in sizes.items() if size > MOST_BYTES]
    return _failed(f"{', '.join(large)}: at most {MOST_BYTES}") if large else 0


def _take_all(browser: Browser, address: str, lines: Iterator[str]) -> dict[str, int]:
    """Each picture when its line comes, the rest at the danger; the size of each in bytes."""
    sizes: dict[str, int] = {}
    for line in lines:
        danger = all(word in line for word in DANGER)
        if danger:
            time.sleep(FOLLOWS_S)
        for shot in SHOTS:
            if shot.name not in sizes and (danger or all(word in line for word in shot.after)):
                sizes[shot.name] = _take(browser, address, shot)
        if danger:
            break
    return sizes


@contextmanager
def _demonstration() -> Iterator[tuple[str, Iterator[str]]]:
    """A demonstration under way: the address of its page, and the lines that it tells from then on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-P", "-m", "palier", "demo", "--no-browser", "--lang", LANG]
    with subprocess.Popen(
        [*command, "--port", str(port), "--for", str(AT_MOST_S)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            yield f"http://127.0.0.1:{port}/", _told(process.stdout)
        finally:
            process.terminate()


def _told(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line, end="", flush=True)  # noqa: T201 - for who waits
        yield line


def _take(browser: Browser, address: str, shot: Shot) -> int:
    """Write one picture; its size in bytes."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
        locale=LANG,
        reduced_motion="reduce",
    )
    file = DOCS / f"{shot.name}.png"
    try:
        page = context.new_page()
        page.goto(address + shot.path)
        page.evaluate(SHOW, shot.top)  # charts are drawn when they come in sight
        page.wait_for_selector(shot.drawn)
        page.wait_for_timeout(DRAWN_MS)
        page.evaluate(SHOW, shot.top)  # and what is above has grown meanwhile
        page.wait_for_timeout(DRAWN_MS)
        page.screenshot(path=file)
    finally:
        context.close()
    return file.stat().st_size


def _failed(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - the command's own
    return 1


if __name__ == "__main__":
    sys.exit(main())
