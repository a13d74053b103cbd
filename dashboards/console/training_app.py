"""The training mode: the page's application with other routes.

It keeps of the plant's page what shows measurements and gives up all that shows a judgement: overview,
alarms, machine page, stream. A plant's own page has none of these routes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from palier.training_results import TrainingFolder

from .spectra_api import lines_json, waterfall_json, wave_json
from .training_api import measured_json, ready_json, reference_json
from .training_desk import TrainingDesk
from .training_pages import answer, exercise_page, home, list_page, sign_in, solution_page
from .training_results_page import results_csv, results_page

KEPT: Final = frozenset(
    {
        *("/healthz", "/readyz", "/metrics", "/static"),
        "/api/machines/{machine}/trend",
        "/api/machines/{machine}/warmth",
        "/api/machines/{machine}/compare",
    }
)
"""Routes of the plant's page that training has too."""

ROUTES: Final = (
    Route("/", home),
    Route("/training", list_page),
    Route("/training/ready", ready_json),
    Route("/training/pupil", sign_in, methods=["POST"]),
    Route("/training/results", results_page),
    Route("/training/results.csv", results_csv),
    Route("/training/exercise/{exercise}", exercise_page),
    Route("/training/exercise/{exercise}", answer, methods=["POST"]),
    Route("/training/exercise/{exercise}/solution", solution_page),
    Route("/api/machines/{machine}/families/{family}", measured_json),
    Route("/api/machines/{machine}/marks", reference_json),
    Route("/api/machines/{machine}/lines", lines_json),
    Route("/api/machines/{machine}/wave", wave_json),
    Route("/api/machines/{machine}/waterfall", waterfall_json),
)
"""What only training has, or has in a version of its own."""


def as_training(application: Starlette, folder: Path) -> Starlette:
    """The application of a plant's page turned into that of the training session in a folder.

    Raises palier.training.TrainingError where there is no session.
    """
    found = TrainingFolder(folder)
    application.state.training = TrainingDesk(found, found.session())
    kept = [
        route
        for route in application.router.routes
        if isinstance(route, Route | Mount) and route.path in KEPT
    ]
    application.router.routes[:] = [*ROUTES, *kept]
    return application
