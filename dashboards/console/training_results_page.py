"""The results of the training mode: a list for the trainer, and a table to take away.

A pupil may look at it too. Of an exercise that this browser's pupil has not answered yet it tells who got how
much, and no answer: a right one would be the truth.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from palier.training import TrainingError
from palier.training_results import Result, table_text

from .context import console_of, words_of
from .rendering import page
from .training_desk import TrainingDesk, desk_of
from .training_pages import common, pupil_of, standing


async def results_page(request: Request) -> Response:
    """GET /training/results: what everybody has got, the newest first."""
    board = await console_of(request).live.board()
    return page(
        request,
        words_of(request),
        "training_results.html",
        **common(request),
        rows=tuple(reversed(_shown(request))),
        settings=standing(request, board),
    )


async def results_csv(request: Request) -> Response:
    """GET /training/results.csv: the same as a table."""
    headers = {"content-disposition": 'attachment; filename="palier-formation.csv"'}
    text = table_text(_shown(request))
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _shown(request: Request) -> list[Result]:
    """All results as this browser's pupil may see them. HTTPException 503 where they can't be read."""
    desk, pupil = desk_of(request), pupil_of(request)
    try:
        results = desk.folder.results()
    except TrainingError as error:
        raise HTTPException(503, str(error)) from error
    answered = {(one.key, one.exercise) for one in results if pupil and one.pupil == pupil}
    return [one if _open(desk, one, answered) else _covered(one) for one in results]


def _open(desk: TrainingDesk, result: Result, answered: set[tuple[str, str]]) -> bool:
    """Whether a result gives nothing away."""
    return result.key != desk.session.key or (result.key, result.exercise) in answered


def _covered(result: Result) -> Result:
    return replace(result, fault="", point="", severity=0, action="", expected_fault="", expected_severity=0)
