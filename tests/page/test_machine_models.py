"""What models of the registry say of a machine, on its page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.console.machine_models import Answer, answers_of, at_work, model_cards
from dashboards.console.machine_words import MachineWords
from dashboards.console.words import Words
from models.detection.zones import Judgement
from models.types import State
from palier.historian.base import Rows, Table
from palier.historian.rows import HOUR_NS
from palier.historian.sqlite import SqliteHistorian
from tests.page.conftest import make_app
from tests.support.degrading_pump import PUMP, degrading_pump
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, Course, seeded_plant

NUMBERS = ("score", "threshold", "level", "confidence")
"""Numbers, NaN where a row has none; the others are texts."""


def rows(site: str, *told: Mapping[str, Any]) -> Rows:
    """Rows of `model_score`, of point 1 unless it says another."""
    fields: dict[str, Any] = {
        name: np.array([float(one.get(name, np.nan)) for one in told]) for name in NUMBERS
    }
    fields |= {name: [one.get(name) for one in told] for name in ("label", "leading")}
    fields |= {
        "model": [one["model"] for one in told],
        "version": np.array([one["version"] for one in told], dtype=np.int64),
        "stage": [one.get("stage", "in force") for one in told],
        "frame": [f"{site}/edge:m:{k}" for k in range(len(told))],
    }
    n, points = len(told), [str(one.get("point", "1")) for one in told]
    times = np.array([one["ts_ns"] for one in told], dtype=np.int64)
    return Rows("model_score", [site] * n, [PUMP] * n, points, [""] * n, times, fields)


def table(*told: Mapping[str, Any]) -> Table:
    one = rows("s", *told)
    return Table(one.ts_ns, tuple(one.machine), tuple(one.point), tuple(one.channel), one.fields)


def test_the_last_answer_of_each_stage_counts_and_a_promoted_version_is_told_once() -> None:
    told = answers_of(
        table(
            {"ts_ns": 1, "model": "pca", "version": 4, "score": 1.0, "threshold": 3.0, "level": 0},
            {"ts_ns": 1, "model": "pca", "version": 5, "stage": "shadow", "score": 2.0, "threshold": 3.0},
            {"ts_ns": 2, "model": "pca", "version": 5, "score": 2.5, "threshold": 3.0, "level": 0},
            {"ts_ns": 3, "model": "pca", "version": 6, "stage": "shadow", "score": 9.0, "threshold": 3.0},
        )
    )
    assert [(one.version, one.stage, one.score) for one in told] == [(5, "in force", 2.5), (6, "shadow", 9.0)]


def test_what_was_taken_out_of_work_says_nothing_any_more() -> None:
    answers = (
        Answer(1, "1", "pca", 4, "in force"),
        Answer(1, "1", "pca", 5, "shadow"),
        Answer(1, "1", "forest", 2, "in force"),
        Answer(1, "1", "svm", 1, "in force"),
    )

    def events(*told: str) -> Table:
        n = len(told)
        columns = {"kind": ["model"] * n, "detail": list(told)}
        return Table(np.arange(n), ("pca",) * n, ("",) * n, ("",) * n, columns)

    rolled_back = '{"stage": "in force", "version": 3, "previous": 4}'
    found = at_work(
        answers,
        {
            "pca": events('{"stage": "in force", "version": 4}', '{"key": "tampered"}', rolled_back),
            "forest": events('{"stage": "in force", "version": null, "previous": 2}'),
            "svm": events(),
        },
    )
    assert [(one.model, one.version) for one in found] == [("pca", 5), ("svm", 1)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"score": 1.2, "threshold": 3.0}, "rien d'inhabituel, score 1,20 pour un seuil de 3"),
        (
            {"score": 5.2, "threshold": 3.0, "on": True, "leading": "H/kurtosis"},
            "inhabituel, score 5,20 pour un seuil de 3,00\u202f; indicateur en tête\u00a0: kurtosis",
        ),
        ({"score": 4.0, "threshold": 3.0}, "pas encore confirmé"),
        ({"score": 2.0, "threshold": 3.0, "on": True}, "redescendu à 2"),
        ({"label": "cage", "confidence": 0.87}, "reconnaît\u00a0: cage de roulement (confiance 87\u00a0%)"),
        ({"label": "unidentified", "confidence": 0.4}, "défaut non identifié (confiance 40\u00a0%)"),
        ({"label": "none"}, "ne reconnaît aucun défaut"),
        ({"label": "a_fault_of_theirs"}, "reconnaît\u00a0: a_fault_of_theirs"),
    ],
)  # fmt: skip
def test_what_a_model_says_in_words(answer: Mapping[str, Any], said: str) -> None:
    (card,) = model_cards((Answer(1, "1", "m", 1, "in force", **answer),), MachineWords(Words("fr")))
    ((point, told),) = card.points
    assert point == "1"
    assert said.lower() in told.lower()


def test_the_page_shows_the_models_that_spoke_lately_and_nothing_without(tmp_path: Path) -> None:
    plant, data = degrading_pump(tmp_path)
    with page_client(make_app(data.historian)) as client:
        assert "models-title" not in client.get(f"/machine/{PUMP}").text
    now = {"ts_ns": NOW_NS, "version": 4, "threshold": 3.0, "level": 1}
    with closing(SqliteHistorian(data.historian)) as historian:
        (report,) = historian.write(
            [
                rows(
                    plant.site_id,
                    now | {"model": "old", "score": 9.0, "ts_ns": NOW_NS - 25 * HOUR_NS},
                    now | {"model": "pca", "score": 5.25, "leading": "H/kurtosis"},
                    now | {"model": "<b>", "score": 1.0, "stage": "shadow", "level": 0, "point": "2"},
                    now | {"model": "faults-pump", "label": "unidentified", "confidence": 0.75},
                )
            ]
        )
        assert not report.rejected
    with page_client(make_app(data.historian)) as client:
        html = client.get(f"/machine/{PUMP}").text
        for text in (
            ">pca<",
            "version 4 · en service",
            "score 5,25",
            "à l&#39;essai\u00a0: ne décide rien",
            "non identifié",
        ):
            assert text in html, text
        assert ">old<" not in html
        assert "<b>" not in html.partition("models-title")[2].partition("</section>")[0]
        english = client.get(f"/machine/{PUMP}?lang=en").text
        assert "version 4 · in force" in english


def test_a_point_that_is_watch_by_a_model_names_it_on_its_page_and_on_the_map(tmp_path: Path) -> None:
    seen = Judgement(State.WATCH, severity=2, zone="A", value=1.9, reason="by_model:pca:4")
    _, path = seeded_plant(tmp_path, courses=(Course(PUMP, 1.9, judgement=seen),))
    with page_client(make_app(path)) as client:
        said = "un modèle entraîné (pca:4) y voit un comportement inhabituel"
        html = client.get(f"/machine/{PUMP}").text
        assert said in html.partition("why-title")[2].partition("</section>")[0]
        assert said in client.get("/").text
        assert "refusal." not in html
