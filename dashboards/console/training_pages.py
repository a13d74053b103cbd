"""The pages of the training mode: the list, an exercise, and its solution after the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.types import MachineSpec, PointSpec
from palier.training import (
    ACTIONS,
    FAMILIES,
    FAMILY_OF,
    HINT_COSTS,
    SEVERITIES,
    Answer,
    Exercise,
    TrainingError,
    said,
    score,
)
from palier.training_results import Result

from .acting import form_of, is_here, readable_name
from .context import channel_in, console_of, feature_in, window_in, words_of
from .live import Board
from .machine import NoSuchChannelError, NoSuchMachineError, machine_view
from .machine_words import MachineWords
from .rendering import keep, page, page_settings
from .series import ChannelRef
from .training_api import progress_of
from .training_desk import MOST_NAME, desk_of, waves_of
from .training_words import TrainingWords

PUPIL_COOKIE: Final = "palier_pupil"
"""A cookie of its own: who acts on a plant is another question."""

DEFAULT_RANGE: Final = "30d"
RANGES: Final = ("24h", "7d", "30d")

TRENDS: Final = ("velocity_rms_mm_s", "acceleration_rms_m_s2", "envelope_rms_m_s2", "kurtosis")


async def home(request: Request) -> Response:
    """GET /: the training mode has no plant to overlook."""
    return _to(request, "")


async def list_page(request: Request) -> Response:
    """GET /training: the exercises, how far each is prepared, what the pupil has got."""
    console, desk, pupil = console_of(request), desk_of(request), pupil_of(request)
    board = await console.live.board()
    mine = {one.exercise: one for one in _told(lambda: desk.of_pupil(pupil) if pupil else ())}
    return page(
        request,
        words_of(request),
        "training.html",
        **common(request),
        progress=await progress_of(console, desk),
        mine=mine,
        total=sum(one.points for one in mine.values()),
        settings=standing(request, board),
    )


async def sign_in(request: Request) -> Response:
    """POST /training/pupil: remember the pupil's name in this browser."""
    _only_here(request)
    form = await form_of(request)
    response = _to(request, "")
    keep(request, response, PUPIL_COOKIE, quote(readable_name(form.get("pupil", ""))[:MOST_NAME]))
    return response


async def exercise_page(request: Request) -> Response:
    """GET /training/exercise/<id>?point=&channel=&range=&feature=&hints=: what an analyst has, and a form."""
    return await _exercise(request)


async def answer(request: Request) -> Response:
    """POST /training/exercise/<id>: fault, point, severity, action, hints. On to the solution."""
    _only_here(request)
    console, desk, words = console_of(request), desk_of(request), words_of(request)
    form, exercise, pupil = await form_of(request), exercise_in(request), pupil_of(request)
    t = TrainingWords(words)
    if not pupil:
        return await _exercise(request, problem=t.t("no_pupil"), form=form, status=422)
    if not await desk.is_ready(console, exercise):
        return _to(request, "")
    try:
        told = _answer(form, desk.spec(console, exercise).points)
    except TrainingError:
        return await _exercise(request, problem=t.t("answer_incomplete"), form=form, status=422)
    hints = min(_number(form.get("hints", "")), len(exercise.hints))
    expected = await desk.expected(console, exercise)
    try:
        desk.keep(pupil, exercise, told, expected, hints=hints, lang=words.lang)
    except TrainingError as error:
        return await _exercise(request, problem=str(error), form=form, status=503)
    return _to(request, f"/exercise/{exercise.id}/solution")


async def solution_page(request: Request) -> Response:
    """GET /training/exercise/<id>/solution: truth, evidence, score; before an answer: to the exercise."""
    console, desk, words = console_of(request), desk_of(request), words_of(request)
    exercise, pupil = exercise_in(request), pupil_of(request)
    done = _told(lambda: _last(desk.last(pupil, exercise)))
    if not done:
        return _to(request, f"/exercise/{exercise.id}")
    found, expected = await desk.judgement(console, exercise), await desk.expected(console, exercise)
    board, m = await console.live.board(), MachineWords(words)
    return page(
        request,
        words,
        "training_solution.html",
        **common(request),
        m=m,
        exercise=exercise,
        spec=desk.spec(console, exercise),
        result=done[0],
        got=score(done[0].answer, expected, hints=done[0].hints),
        expected=expected,
        cards=[m.card(*named) for named in zip(found.found, found.advice, strict=True)],
        found=found,
        family_of=FAMILY_OF,
        hint_costs=HINT_COSTS,
        following=desk.session.after(exercise.id),
        settings=standing(request, board),
    )


async def _exercise(
    request: Request, *, problem: str = "", form: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    console, desk, words = console_of(request), desk_of(request), words_of(request)
    exercise, pupil = exercise_in(request), pupil_of(request)
    if not await desk.is_ready(console, exercise):
        return _to(request, "")
    board = await console.live.board()
    window, spec = window_in(request, DEFAULT_RANGE), desk.spec(console, exercise)
    feature = feature_in(request) or TRENDS[0]
    try:
        view = machine_view(console, board, exercise.id, channel_in(request) or _first_channel(spec))
    except (NoSuchMachineError, NoSuchChannelError) as error:
        raise HTTPException(404, words.t("error_channel", machine=exercise.id)) from error
    asked = _number((form or request.query_params).get("hints", ""))
    hints = min(asked, len(exercise.hints))
    query = {"lang": words.lang}
    if view.channel is not None:
        query |= {"point": view.channel.point, "channel": view.channel.channel}
    return page(
        request,
        words,
        "training_exercise.html",
        status=status,
        **common(request),
        m=MachineWords(words),
        exercise=exercise,
        view=view,
        spec=spec,
        facts=TrainingWords(words).facts(spec, console.limits),
        window=window,
        ranges=RANGES,
        feature=feature,
        trends=TRENDS,
        hints=exercise.hints[:hints],
        hints_left=len(exercise.hints) - hints,
        hint_costs=HINT_COSTS,
        form=form or {},
        problem=problem,
        done=bool(_told(lambda: _last(desk.last(pupil, exercise)))),
        families=FAMILIES,
        severities=SEVERITIES,
        actions=ACTIONS,
        settings=standing(request, board)
        | {
            "api": f"/api/machines/{exercise.id}",
            "query": query,
            "range": window.name,
            "feature": feature,
            "label": words.feature(feature),
            "judged": feature == view.feature,
            "machine": MachineWords(words).table(),
        },
    )


def common(request: Request) -> dict[str, Any]:
    """What every page of the training mode is given."""
    words = words_of(request)
    return {
        "t": TrainingWords(words),
        "session": desk_of(request).session,
        "pupil": pupil_of(request),
        "said": lambda text: said(text, words.lang),
    }


def standing(request: Request, board: Board) -> dict[str, object]:
    """What a page's script needs to know where nothing comes from a stream."""
    return page_settings(request, words_of(request), board, stream="") | {"stream": None}


def exercise_in(request: Request) -> Exercise:
    """The exercise that a URL names. HTTPException 404."""
    found = desk_of(request).session.exercise(str(request.path_params.get("exercise", "")))
    if found is None:
        raise HTTPException(404, TrainingWords(words_of(request)).t("no_exercise"))
    return found


def pupil_of(request: Request) -> str:
    """The pupil of this browser, "" before a name was given."""
    return readable_name(unquote(request.cookies.get(PUPIL_COOKIE, "")))


def _first_channel(spec: MachineSpec) -> ChannelRef | None:
    """The first channel of the plant file: a plant's page begins with the worst, which would tell."""
    return next((ChannelRef(point.id, channel) for point, channel in waves_of(spec)), None)


def _answer(form: Mapping[str, str], points: Sequence[PointSpec]) -> Answer:
    """The answer of a form. Raises TrainingError where a part of it is missing."""
    point = form.get("point", "?")
    if point not in ("", *(one.id for one in points)):
        raise TrainingError(f"point must be one of the machine's, got {point!r}")
    return Answer(form.get("fault", ""), point, _number(form.get("severity", "")), form.get("action", ""))


def _number(text: str) -> int:
    """A small whole number, 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 0


def _last(result: Result | None) -> tuple[Result, ...]:
    return () if result is None else (result,)


def _told(read: Callable[[], tuple[Result, ...]]) -> tuple[Result, ...]:
    """Results that were asked for. HTTPException 503 where they can't be read."""
    try:
        return read()
    except TrainingError as error:
        raise HTTPException(503, str(error)) from error


def _only_here(request: Request) -> None:
    """HTTPException 403 for a viewer at another computer: results are kept by the one that runs this."""
    if not is_here(request):
        raise HTTPException(403, "read_only_network")


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/training{path}", 303)
