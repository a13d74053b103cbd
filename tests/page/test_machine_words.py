"""What the machine page says: why a state, which fault, how healthy, how long still."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dashboards.console.machine_judgement import (
    Found,
    Health,
    Life,
    MachineJudgement,
    Standing,
    found_of,
    health_of,
    life_of,
    standing_of,
)
from dashboards.console.machine_words import MachineWords
from dashboards.console.snapshot import StateRow
from dashboards.console.words import Words
from ingest.watch_health import MODES
from models.detection.decision import TESTS
from models.types import MachineSpec, Refusal
from palier.historian.base import Table
from palier.limits import load_limits
from palier.locale import LANGUAGES, Catalogue

ROW = StateRow(1, "1", "alert", "normal", False, "A", 3.1, "iso10816-7:cat2:over200kw", None, None, True)
STANDING = Standing(
    1,
    2,
    tests=(("t2", ()), ("alert", ("H/velocity_rms_mm_s", "H/crest_factor"))),
    leading="H/velocity_rms_mm_s",
    value=3.1,
    alert=2.8,
    score=5.5,
    threshold=4.4,
)
FRENCH = MachineWords(Words("fr"))


def table(**columns: list[object]) -> Table:
    n = len(next(iter(columns.values())))
    ts = np.arange(1, n + 1, dtype=np.int64)
    return Table(ts, ("P-101",) * n, ("1",) * n, ("",) * n, {k: tuple(v) for k, v in columns.items()})  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_test_mode_and_flag_has_a_word(lang: str) -> None:
    from dashboards.console.machine_series import FLAGGED

    words, m = Catalogue(lang), MachineWords(Words(lang))
    keys = [f"machine.test_{name}" for name in TESTS] + [f"machine.mode_{mode}" for mode in MODES]
    assert [key for key in keys if key not in words] == []
    told = [m.flag(kind, state) for kind, states in FLAGGED.items() for state in states]
    assert [text for text in told if "." in text or "{" in text] == []


def test_why_names_each_test_with_feature_value_and_limit() -> None:
    said = FRENCH.why(ROW, load_limits()[ROW.limit_name or ""], STANDING, None)
    assert said[0].startswith("Norme ISO 10816-7\u00a0: 3,1\u00a0mm/s eff., aucune limite dépassée")
    assert said[1] == (
        "Référence de la machine, limite d'alerte dépassée (bandes)\u00a0: Vitesse vibratoire efficace, "
        "10–1000\u00a0Hz, voie H 3,1\u00a0mm/s eff., limite 2,8\u00a0mm/s eff.\u202f; "
        "Facteur de crête, voie H."
    )
    assert said[2] == (
        "Autres tests dépassés, et combien d'indicateurs\u00a0: combinaison inhabituelle d'indicateurs (T²)."
    )


def test_a_limit_that_is_exceeded_is_named_with_its_value() -> None:
    said = FRENCH.by_limits(replace(ROW, value=7.0), load_limits()[ROW.limit_name or ""], None)
    assert said is not None
    assert "7\u00a0mm/s eff., limite dépassée\u00a0: limite B/C" in said


def test_what_the_row_gives_its_own_reason_for_is_not_told_again() -> None:
    assert FRENCH.why(replace(ROW, reason="clipped"), None, STANDING, None) == ()
    assert FRENCH.why(None, None, STANDING, None) == ()


def test_a_quiet_point_tells_its_largest_deviation() -> None:
    quiet = replace(STANDING, level=0, tests=(), score=1.2)
    said = FRENCH.why(replace(ROW, state="normal"), None, quiet, None)
    assert said == (
        "Référence de la machine\u00a0: aucun test n'est dépassé\u202f; l'écart le plus grand est de 1,2 σ "
        "(Vitesse vibratoire efficace, 10–1000\u00a0Hz, voie H), limite 4,4 σ.",
    )


def test_temperature_limits_are_told_with_the_temperature() -> None:
    said = FRENCH.by_limits(ROW, load_limits()["temperature:bearing:grease"], 92.0)
    assert said is not None
    assert "92\u00a0°C" in said


def test_the_series_are_read_as_they_were_written() -> None:
    standing = standing_of(
        table(score=[5.5], threshold=[4.4], level=[2], tests=['{"alert":["H/kurtosis"]}'],
              leading=["H/kurtosis"], value=[9.0], alert=[6.0])
    )  # fmt: skip
    assert standing is not None
    assert standing.tests == (("alert", ("H/kurtosis",)),)
    health = health_of(table(health_index=[48.2], mode=["bearing"], complete=[0], modes=['{"bearing":48.2}']))
    assert health == Health(1, 48.2, "bearing", False, (("bearing", 48.2),))


def diagnosis_row(**changed: object) -> Table:
    row: dict[str, object] = {
        "rank": 1, "fault": "outer_ring", "confidence": 0.87, "severity": 4, "action": "intervene",
        "deadline_h": 72.0, "at": "1", "detail": None, "reason": None, "remedy": None,
    }  # fmt: skip
    return table(**{name: [value] for name, value in (row | changed).items()})


def test_a_diagnosis_is_told_with_evidence_and_what_would_settle_it() -> None:
    detail = {
        "evidence": [{"key": "warmer", "weight": 0.05, "met": 0.8, "params": {"value": 8.0}}],
        "not_separated": ["electrical_erosion"],
        "separate_by": ["inspect_raceway"],
    }
    found = found_of(diagnosis_row(detail=json.dumps(detail)), MachineSpec("P-101", ()))
    (card,) = FRENCH.cards(found)
    assert (card.name, card.confidence, card.severity, card.deadline) == (
        "bague externe du roulement", "87", 4, "72\u00a0h",
    )  # fmt: skip
    assert card.evidence == ("palier 8\u00a0K plus chaud que prévu",)  # no line ends within a quantity
    assert card.not_separated == ("cannelures (passage de courant)",)
    assert card.separate_by == ("examiner les chemins de roulement",)
    assert "Intervenir sous 72\u00a0h\u00a0: " in card.advice


@pytest.mark.parametrize(
    "changed",
    [{"fault": "martian"}, {"detail": "{"}, {"detail": '{"evidence":[{}]}'}, {"severity": 9}],
)
def test_a_row_of_another_version_is_left_out_and_breaks_nothing(changed: dict[str, object]) -> None:
    found = found_of(diagnosis_row(**changed), MachineSpec("P-101", ()))
    assert found is not None
    assert len(found.advice) <= 1


def test_an_examination_may_name_nothing_or_be_refused() -> None:
    machine = MachineSpec("P-101", ())
    assert found_of(diagnosis_row(fault="none"), machine) == Found(1)
    refused = found_of(diagnosis_row(fault="refused", reason="speed_unknown", remedy="give_speed"), machine)
    assert refused == Found(1, refusal=Refusal("speed_unknown", "give_speed"))


LIFE = {
    "method": "mixture", "p10_h": 171.0, "p50_h": 312.0, "p90_h": 540.0, "confidence": "medium",
    "leading": "H/velocity_rms_mm_s", "threshold": 11.0,
    "assumptions": '[{"key":"regime_unchanged","params":{}}]',
    "reason": None, "remedy": None,
}  # fmt: skip


def test_a_life_is_told_with_planning_date_method_and_assumptions() -> None:
    card = FRENCH.life("1", life_of(table(**{name: [value] for name, value in LIFE.items()})))
    assert card is not None
    assert (card.p10, card.p50, card.p90) == ("7\u00a0j", "13\u00a0j", "23\u00a0j")
    assert card.p10_ns == 1 + round(171 * 3.6e12)
    assert card.assumptions == ("régime inchangé",)


def test_a_refused_life_says_why_and_what_to_do() -> None:
    refused = LIFE | {"method": "refused", "p10_h": np.nan, "reason": "poor_fit", "remedy": "wait_for_points"}
    card = FRENCH.life("1", life_of(table(**{name: [value] for name, value in refused.items()})))
    assert card is not None
    assert card.refused == "l'évolution est trop irrégulière pour être prolongée"
    assert card.remedy == "attendre d'autres mesures"


def test_nothing_is_said_of_what_nobody_wrote() -> None:
    assert FRENCH.life("1", None) is None
    assert FRENCH.health(None) is None
    assert FRENCH.cards(None) == ()
    assert MachineJudgement({}).of("1").standing is None
    assert Life(1, "mixture").refusal is None
