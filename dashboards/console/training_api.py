"""The JSON of the training mode: what is measured, and nothing of what is judged. Read-only."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from palier.historian.base import HistorianError

from .context import Console, console_of, feature_in, words_of
from .machine_api import family_json
from .machine_asking import asked_of
from .machine_series import MachineSeries
from .training_desk import DAY_NS, HEALTHY_DAYS, TrainingDesk, desk_of
from .training_words import TrainingWords

FAMILIES_SHOWN: Final = ("bands", "speed", "temperature", "sensor")
"""What is measured; health, diagnosis and life are what the pupil is asked for."""

USUAL: Final = (0.02, 0.5, 0.98)
"""Quantiles of the first weeks between which a value is usual, and their middle."""


async def ready_json(request: Request) -> Response:
    """GET /training/ready: {exercise: share of its blocks that is there}."""
    return JSONResponse(await progress_of(console_of(request), desk_of(request)))


async def progress_of(console: Console, desk: TrainingDesk) -> dict[str, float]:
    """As the desk tells it; nothing is there yet where the historian is not."""
    try:
        return await desk.progress(console)
    except HistorianError:
        return {exercise.id: 0.0 for exercise in desk.session.exercises}


async def measured_json(request: Request) -> Response:
    """GET /api/machines/<id>/families/<family> of what is measured. HTTPException 404 for what is judged."""
    if request.path_params.get("family") not in FAMILIES_SHOWN:
        raise HTTPException(404, words_of(request).t("error_not_found"))
    return await family_json(request)


async def reference_json(request: Request) -> Response:
    """GET /api/machines/<id>/marks?feature=: the first two weeks as reference of a trend, no flags."""
    asked, desk = await asked_of(request), desk_of(request)
    feature, channel = feature_in(request) or asked.view.feature, asked.channel
    end_ns = desk.session.end_ns - HEALTHY_DAYS * DAY_NS

    def read(series: MachineSeries) -> npt.NDArray[np.float64]:
        table = series.historian.read(
            "feature", (feature,), **series.of, point=channel.point, channel=channel.channel, end_ns=end_ns
        )
        return np.asarray(table.columns[feature], dtype=np.float64)

    values = await asked.read(read)
    values, band = values[np.isfinite(values)], None
    if len(values):
        low, level, high = (float(np.quantile(values, share)) for share in USUAL)
        band = {"level": level, "low": low, "high": high, "alert": None, "danger": None}
    return JSONResponse({"baseline": band, "why": TrainingWords(asked.m.page).t("reference"), "flags": []})
