"""The analysis report of a machine from the page: HTML and PDF, each made by a process of its own.

Printing takes seconds and tens of megabytes, which a page that others look at has not to spare. It is the
same `palier report` that anybody calls, one at a time.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palier.extras import missing
from palier.locale import Catalogue

from .context import console_of, name_in, words_of
from .settings import ConsoleSettings

MAKING_S: Final = 120.0
"""A report of the largest machine takes a few seconds; on a busy gateway twenty times as long."""

NICENESS: Final = 5
"""Who waits for a report waits seconds anyway; who looks at the page, and the ingest beside it, must not."""

MOST_WAITING: Final = 4
"""Reports that may be asked for at once, the one that is made among them."""

DAYS: Final = (30, 90)
"""Periods that the page offers."""

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""A report is one file with its style inside, and has no script."""

_TYPES: Final = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}

log = structlog.get_logger()


class Press:
    """Makes reports one after the other."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def make(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], form: str
    ) -> bytes | None:
        """What `palier report ARGUMENTS` writes, None where it failed. Raises HTTPException 503 when too many
        wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, "report.page_busy", {"Retry-After": "10"})
        self._waiting += 1
        try:
            async with self._turn:
                with TemporaryDirectory(prefix="palier-report-") as folder:
                    return await _made(arguments, environment, Path(folder) / f"report.{form}")
        finally:
            self._waiting -= 1


async def report(request: Request) -> Response:
    """GET /machine/<id>/report and /machine/<id>/report.pdf, ?days=30|90: the analysis report."""
    console, words = console_of(request), words_of(request)
    text = Catalogue(words.lang).text
    machine = name_in(request, request.path_params.get("machine"), "machine")
    form = "pdf" if request.url.path.endswith(".pdf") else "html"
    settings = console.shown
    if console.plant.machine(machine) is None:
        raise HTTPException(404, words.t("error_machine", machine=machine))
    if not isinstance(settings, ConsoleSettings):
        raise HTTPException(503, text("report.page_failed"))
    if form == "pdf" and missing("report"):
        raise HTTPException(503, text("report.page_no_printer"))
    given = request.query_params.get("days", str(DAYS[0]))
    days = given if given in map(str, DAYS) else str(DAYS[0])
    try:
        arguments = (machine, "--lang", words.lang, "--days", days)
        body = await _press(request).make(arguments, environment_of(settings), form)
    except HTTPException as error:
        raise HTTPException(error.status_code, text(error.detail), error.headers) from error
    if body is None:
        raise HTTPException(503, text("report.page_failed"))
    headers = {
        "content-security-policy": POLICY,
        "content-disposition": f'inline; filename="{machine}.{form}"',
    }
    return Response(body, media_type=_TYPES[form], headers=headers)


ROUTES: Final = [Route("/machine/{machine}/report", report), Route("/machine/{machine}/report.pdf", report)]


def environment_of(settings: ConsoleSettings) -> dict[str, str]:
    """The environment that tells `palier report` where this page reads; secrets stand in no command line."""
    told: dict[str, object] = {"PLANT": settings.plant.resolve(), "DATA": settings.data.resolve()}
    for table, model in (("HISTORIAN", settings.historian), ("CLOCK", settings.clock)):
        for name in type(model).model_fields:
            value = getattr(model, name)
            secret = getattr(value, "get_secret_value", None)
            told[f"{table}__{name.upper()}"] = value if secret is None else secret()
    mine = {f"PALIER_REPORT_{name}": str(value) for name, value in told.items() if value not in (None, "")}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("PALIER_REPORT_")}, **mine}


def _press(request: Request) -> Press:
    state = request.app.state
    if not hasattr(state, "press"):
        state.press = Press()
    return cast(Press, state.press)


async def _made(arguments: tuple[str, ...], environment: Mapping[str, str], file: Path) -> bytes | None:
    machine, *options = arguments
    palier = (sys.executable, "-P", "-m", "palier", "report")
    command = (*palier, *options, "--quiet", "--out", str(file), "--", machine)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _step_back(process.pid)
        _, told = await asyncio.wait_for(process.communicate(), MAKING_S)
    except TimeoutError:
        told = f"took longer than {MAKING_S:g} s".encode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not file.exists():
        log.error("report_not_made", machine=machine, error=told.decode(errors="replace")[-500:])
        return None
    return file.read_bytes()


def _step_back(pid: int) -> None:
    """Let a process have what time the others leave."""
    with suppress(OSError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, pid, max(NICENESS, os.getpriority(os.PRIO_PROCESS, pid)))
