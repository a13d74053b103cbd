"""The demo as a newcomer sees it: started by its command, looked at in a browser."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

from palier.embedded import PALIER
from tests.support.browsing import DRAWN, chromium, opened
from tests.support.services import free_port
from tests.support.waiting import eventually

FIRST_VALUES_MS = 120_000  # two loaded cores; alone it takes some ten seconds


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broker", ["auto", pytest.param("iotcore", marks=pytest.mark.long)])
def test_five_live_tiles_a_trend_that_moves_and_no_other_host(broker: str, tmp_path: Path) -> None:
    port = free_port()
    command = [*PALIER, "demo", "--no-browser", "--data", str(tmp_path / "demo"), "--port", str(port)]
    with (
        chromium() as browser,
        subprocess.Popen(
            [*command, "--broker", broker], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as demo,
    ):
        assert demo.stdout is not None
        said = [demo.stdout.readline() for _ in range(4)]
        try:
            with opened(browser) as (page, seen):
                page.goto(f"http://127.0.0.1:{port}/")
                expect(page.locator(".tile")).to_have_count(5)
                # Not five values: half a minute after the start a sensor freezes, and its machine has none.
                live = page.locator(".tile time.age[data-form='ago']")
                expect(live).to_have_count(5, timeout=FIRST_VALUES_MS)
                page.locator(".tile[data-machine='V-301']").click()
                page.wait_for_function(
                    "() => !!document.querySelector('#trend canvas')", timeout=FIRST_VALUES_MS
                )
                first = page.evaluate(DRAWN, "trend")
                eventually(lambda: page.evaluate(DRAWN, "trend") != first, 90, "a trend that has moved")
                assert seen.hosts == {f"127.0.0.1:{port}"}
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=90)
    assert demo.returncode == 0
    assert any(f"http://127.0.0.1:{port}/" in line for line in said), said
