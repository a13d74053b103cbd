"""The analysis report from the page: made by a process of its own, with a policy of its own."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pypdf
import pytest
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from dashboards.console import report
from dashboards.console.report import MOST_WAITING, Press, environment_of
from dashboards.console.settings import ConsoleSettings
from palier.historian.opening import HistorianSettings
from palier.local_time import local
from palier.plant import sample_plant_path
from tests.page.conftest import make_app
from tests.support import report_machine
from tests.support.page_server import page_client


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ConsoleSettings:
    data = report_machine.failed_pump(tmp_path_factory)
    return ConsoleSettings(plant=sample_plant_path(), data=data.path)


@pytest.fixture(scope="module")
def client(settings: ConsoleSettings) -> Iterator[httpx.Client]:
    with page_client(make_app(settings.data / "historian.sqlite", shown=settings)) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.timeout(300)  # what a report needs is imported and drawn: a quarter of a minute alone
def test_a_pdf_is_made_by_a_process_of_its_own_and_holds_the_report(client: httpx.Client) -> None:
    answer = client.get("/machine/P-101/report.pdf", params={"lang": "ar"}, timeout=report.MAKING_S + 30)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    assert answer.headers["content-disposition"] == 'inline; filename="P-101.pdf"'
    reader = pypdf.PdfReader(io.BytesIO(answer.content))
    assert 4 <= len(reader.pages) <= 6
    text = "".join(page.extract_text() for page in reader.pages)
    number = f"P-101-{local(report_machine.AT_NS, 'Africa/Casablanca'):%Y%m%d-%H%M}"
    assert number in text
    assert "BPFO" in text
    assert reader.metadata is not None
    assert number in (reader.metadata.title or "")


def test_the_html_has_a_policy_that_lets_its_own_style_in_and_no_script(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    async def made(arguments: tuple[str, ...], _environment: object, file: Path) -> bytes:
        asked.append((*arguments, file.suffix))
        return b"<!doctype html>"

    monkeypatch.setattr(report, "_made", made)
    answer = client.get("/machine/P-101/report", params={"lang": "en", "days": "90"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "style-src 'unsafe-inline'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    client.get("/machine/P-101/report", params={"lang": "fr", "days": "12; rm -rf /"})
    assert asked == [
        ("P-101", "--lang", "en", "--days", "90", ".html"),
        ("P-101", "--lang", "fr", "--days", "30", ".html"),
    ]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/machine/P-999/report", 404, "P-999"),
        ("/machine/--out=x/report", 400, "--out=x"),
        ("/machine/P-101/report?lang=de", 400, "lang"),
    ],
)
def test_what_is_no_machine_starts_no_process(
    client: httpx.Client, path: str, status: int, said: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, said in answer.text) == (status, True)


def test_a_report_that_fails_is_told(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failed(*_: object) -> None:
        return None

    monkeypatch.setattr(report, "_made", failed)
    answer = client.get("/machine/P-101/report")
    assert (answer.status_code, "palier report dit pourquoi" in answer.text) == (503, True)


def test_without_weasyprint_the_html_is_offered(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "missing", lambda _: ("weasyprint",))
    answer = client.get("/machine/P-101/report.pdf")
    assert (answer.status_code, "extra report" in answer.text) == (503, True)


def test_too_many_reports_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crowd() -> list[object]:
        done = asyncio.Event()

        async def made(*_: object) -> bytes:
            await done.wait()
            return b""

        monkeypatch.setattr(report, "_made", made)
        press = Press()
        asked = [asyncio.create_task(press.make(("P-101",), {}, "pdf")) for _ in range(MOST_WAITING + 1)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        done.set()
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(crowd())
    assert answers[:-1] == [b""] * MOST_WAITING
    assert isinstance(answers[-1], HTTPException)
    assert answers[-1].status_code == 503


def test_the_process_steps_back_and_ends_with_who_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the console is told to stop while a report is made."""
    told, endless = tmp_path / "pid", tmp_path / "endless"
    endless.write_text(f'#!/bin/sh\necho $$ >"{told}.part"\nmv "{told}.part" "{told}"\nexec sleep 60\n')
    endless.chmod(0o755)
    monkeypatch.setattr(report.sys, "executable", str(endless))

    async def stopped() -> tuple[int, int]:
        making = asyncio.create_task(Press().make(("P-101",), dict(os.environ), "html"))
        async with asyncio.timeout(30):
            while not told.exists():
                await asyncio.sleep(0.01)
            pid = int(told.read_text())
            while (niceness := os.getpriority(os.PRIO_PROCESS, pid)) < report.NICENESS:
                await asyncio.sleep(0.01)  # it may say who it is before it is told to step back
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        return pid, niceness

    pid, niceness = asyncio.run(stopped())
    assert niceness >= report.NICENESS
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_is_told_where_the_page_reads_and_no_secret_by_its_command_line(tmp_path: Path) -> None:
    historian = HistorianSettings(
        url="http://127.0.0.1:8086", username="reader", password=SecretStr("geheim")
    )
    settings = ConsoleSettings(plant=tmp_path / "plant.toml", data=tmp_path, historian=historian)
    told = {k: v for k, v in environment_of(settings).items() if k.startswith("PALIER_REPORT_")}
    assert told == {
        "PALIER_REPORT_PLANT": str(tmp_path / "plant.toml"),
        "PALIER_REPORT_DATA": str(tmp_path),
        "PALIER_REPORT_HISTORIAN__URL": "http://127.0.0.1:8086",
        "PALIER_REPORT_HISTORIAN__DATABASE": "palier",
        "PALIER_REPORT_HISTORIAN__USERNAME": "reader",
        "PALIER_REPORT_HISTORIAN__PASSWORD": "geheim",
        "PALIER_REPORT_HISTORIAN__INSECURE": "False",
        "PALIER_REPORT_CLOCK__RATE": "1.0",
    }


def test_the_machines_page_links_to_its_report(client: httpx.Client) -> None:
    page = client.get("/machine/P-101", params={"lang": "fr"}).text
    for path in ("/machine/P-101/report?lang=fr", "/machine/P-101/report.pdf?lang=fr"):
        assert f'href="{path}"' in page
