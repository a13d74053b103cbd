"""Work on a machine: what was done to it, its baseline, and the forms to tell of both. Made for a phone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.types import MachineSpec
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.rows import InterventionRow
from palier.operations import Baseline, BaselineStatus, CauseCode, InterventionKind

from .context import Console, console_of, name_in, words_of
from .freshness import NS
from .rendering import page, page_settings

PAST_NS: Final = 366 * 86_400 * NS
MOST_DONE: Final = 30
"""Interventions that are listed, the newest first: a few years of a machine that is looked after."""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done to a machine (the newest first), and its baseline in force (None before the first)."""

    done: tuple[InterventionRow, ...] = ()
    baseline: Baseline | None = None

    @property
    def may_relearn(self) -> bool:
        """Whether work was recorded since the baseline began: an unchanged machine keeps its own."""
        last_ns = max((row.at_ns for row in self.done), default=-1)
        return self.baseline is not None and last_ns >= self.baseline.opened_ns

    @property
    def may_confirm(self) -> bool:
        """Whether the baseline is learned and waits for a technician."""
        return self.baseline is not None and self.baseline.status is BaselineStatus.LEARNED


async def work_page(request: Request) -> Response:
    """GET /machine/<id>/work: forms for interventions and the baseline, and what was recorded."""
    console, words = console_of(request), words_of(request)
    spec = machine_in(request)
    board = await console.live.board()
    work = await work_of(console, spec.id)
    return page(
        request,
        words,
        "work.html",
        problem=board.problem,
        spec=spec,
        work=work or Work(),
        unread=work is None,
        kinds=tuple(InterventionKind),
        causes=tuple(CauseCode),
        alarms=board.alarms.of(spec.id),
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


def machine_in(request: Request) -> MachineSpec:
    """The machine that a URL names. HTTPException 400, or 404 for one that plant.toml does not describe."""
    name = name_in(request, request.path_params.get("machine"), "machine")
    spec = console_of(request).plant.machine(name)
    if spec is None:
        raise HTTPException(404, words_of(request).t("error_not_in_plant", machine=name))
    return spec


async def work_of(console: Console, machine: str) -> Work | None:
    """The work on a machine, None while the records can't be read."""
    site, since_ns = console.plant.site_id, console.clock.now_ns() - PAST_NS
    try:
        return await console.records.run(lambda records: _work(records, site, machine, since_ns))
    except HistorianError:
        return None


def _work(records: RecordsReader, site: str, machine: str, since_ns: int) -> Work:
    done = [row for row in records.interventions(machine, since_ns) if row.site == site]
    rows = [row for row in records.baselines() if (row.site, row.machine) == (site, machine)]
    try:
        baseline = Baseline.from_told(json.loads(rows[-1].value)) if rows else None
    except ValueError:
        baseline = None
    return Work(tuple(reversed(done[-MOST_DONE:])), baseline)
