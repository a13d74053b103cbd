"""Evidence and advice in words: every key has a sentence, no advice is longer than 60 words."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

from models.advice import Advice, advise
from models.diagnosis import RULES, Diagnosis, EvidenceItem, Fault, diagnose
from models.diagnosis.faults import evidence_keys, measurement_keys
from models.diagnosis.ranking import REFUSALS, WATCHED
from models.diagnosis.severity import Action
from palier.advice_text import (
    MOST_WORDS,
    advice_text,
    count_words,
    deadline_text,
    evidence_text,
    fault_text,
    figure,
)
from palier.locale import LANGUAGES, Catalogue
from tests.support.sick_cases import CASES, case, finding
from tests.support.sick_machines import machine

BEARING_RULE = ("lines", "energy", "views", "contrast", "sidebands", "deviation", "rival")
KEYS = sorted(evidence_keys() | {f"bearing_{name}" for name in BEARING_RULE})
ID = "M" * 64  # an id of plant.toml is one word of at most 64 characters
WORDS = {lang: Catalogue(lang) for lang in LANGUAGES}
NUMBERS = {"value": 1234.5, "limit": 99.9, "count": 5.0, "of": 5.0, "frequency_hz": 1234.5, "order": 3.585}
TEXTS = {
    "feature": "sideband_ratio_driving",  # the longest name
    "limit_name": "startup",
    "zone": "C",
    "defect": "bsf",
}


def longest(key: str) -> EvidenceItem:
    """An item of that key with every parameter that a sentence of any language may ask for."""
    names = {
        name
        for lang in LANGUAGES
        for table, prefix in (("evidence", ""), ("advice", "short_"))
        for _, name, _, _ in string.Formatter().parse(WORDS[lang].table(table).get(prefix + key, ""))
        if name
    }
    params = {name: TEXTS.get(name, NUMBERS.get(name, 1234.5)) for name in names}
    return EvidenceItem(key, 0.5, 1.0, True, params, "order_1x_mm_s", ID)


def keys_of(fault: Fault) -> list[str]:
    rule = next((rule for rule in RULES if rule.fault is fault), None)
    if rule is None:
        return ["velocity_limit", "velocity_zone", "temperature", "raised", "rise_in_zone"]
    signs = {sign.key for clause in rule.clauses for sign in clause.signs if clause.weight}
    return sorted(signs | {"velocity_limit"} | {f"bearing_{name}" for name in BEARING_RULE})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_piece_of_evidence_has_a_sentence(lang: str) -> None:
    assert not {f"evidence.{key}" for key in KEYS} - WORDS[lang].keys()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_fault_task_action_and_measurement_has_words(lang: str) -> None:
    wanted = {f"fault.{fault}" for fault in Fault} | {f"confirm.{key}" for key in measurement_keys()}
    wanted |= {f"task.{advise(Diagnosis(f, 0.8, 3), machine()).task}" for f in Fault}
    wanted |= {f"advice.do_{action}" for action in Action}
    wanted |= {f"refusal.{r.reason}" for r in REFUSALS} | {f"remedy.{r.remedy}" for r in REFUSALS}
    assert not wanted - WORDS[lang].keys()


def test_every_feature_that_evidence_names_has_a_short_name() -> None:
    named = {f"evidence.of_{name}" for name in WATCHED}
    for fault in CASES:
        found = diagnose(*case(fault))
        assert isinstance(found, tuple)
        items = [item for d in found for item in d.evidence]
        named |= {f"evidence.of_{i.params['feature']}" for i in items if i.key == "raised"}
    assert not {lang: absent for lang in LANGUAGES if (absent := named - WORDS[lang].keys())}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("fault", Fault)
def test_no_advice_is_longer_than_sixty_words(fault: Fault, lang: str) -> None:
    """With the longest sentences that this fault may be told by, at every severity."""
    words = WORDS[lang]
    told = sorted(
        map(longest, keys_of(fault)), key=lambda item: -count_words(evidence_text(item, words, short=True))
    )
    confirm = max(measurement_keys(), key=lambda key: count_words(words.text(f"confirm.{key}")))
    few = EvidenceItem("single_record", 0.0, 1.0, params={"value": 2.0})
    others = tuple(f for f in Fault if f is not fault)[:4]
    for severity in range(1, 6):
        made = Diagnosis(fault, 0.5, severity, ID, (*told, few), others, (confirm,))
        text = advice_text(
            replace(advise(made, machine(), fast=True), machine=ID, facts=tuple(told[:2])), words
        )
        assert count_words(text) <= MOST_WORDS, text


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("fault", CASES)
def test_advice_on_a_real_verdict_reads_whole(fault: Fault, lang: str) -> None:
    spec, evidence = case(fault)
    found = diagnose(spec, evidence)
    assert isinstance(found, tuple)
    for diagnosis in found:
        text = advice_text(advise(diagnosis, spec), WORDS[lang])
        assert count_words(text) <= MOST_WORDS
        assert fault_text(diagnosis.fault, WORDS[lang]) in text
        assert not {"{", "}", "evidence.", "advice.", "confirm.", "task."} & set(text.split())
        assert "M-1" in text
        assert "nan" not in text.lower().split()


def advice(fault: Fault, severity: int, *items: EvidenceItem) -> Advice:
    made = Diagnosis(fault, 0.85, severity, "COA", items, separate_by=("portable_envelope",))
    return advise(made, machine())


def test_the_french_of_an_outer_ring_is_that_of_the_trade() -> None:
    lines = finding(Fault.OUTER_RING).evidence[0]
    assert advice_text(advice(Fault.OUTER_RING, 3, lines), WORDS["fr"]) == (
        "M-1, point COA\u00a0: chocs à 88,5\u00a0Hz, 4 raies sur 5. "
        "Défaut probable\u00a0: bague externe du roulement (85\u00a0%). "
        "À planifier sous 4 semaines\u00a0: commander et remplacer le roulement. "
        "Confirmer\u00a0: enveloppe au collecteur."
    )


def test_a_velocity_is_told_with_its_unit_and_zone() -> None:
    item = longest("velocity_zone")
    told = replace(item, params={"velocity": 6.3, "zone": "C"})
    assert evidence_text(told, WORDS["fr"]) == "vitesse vibratoire 6,3\u00a0mm/s eff., zone C"
    assert evidence_text(told, WORDS["en"]) == "velocity 6.3 mm/s RMS, zone C"


def test_shares_are_told_in_percent() -> None:
    item = EvidenceItem("share_1x", 0.3, 1.0, params={"value": 0.824, "limit": 0.7})
    assert evidence_text(item, WORDS["fr"]) == "1×\u00a0: 82,4\u00a0% de l'énergie"


@pytest.mark.parametrize(
    ("value", "text"), [(0.4213, "0,42"), (2.34, "2,3"), (121.4, "121"), (7.0, "7"), (float("nan"), "–")]
)
def test_numbers_have_about_three_figures(value: float, text: str) -> None:
    assert figure(value, WORDS["fr"]) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (72.0, "72\u00a0h"),
        (168.0, "1 semaine"),
        (672.0, "4 semaines"),
        (720.0, "30 jours"),
        (240.0, "10 jours"),
        (3.9, "3\u00a0h"),
        (71.999_999_999_9, "72\u00a0h"),
        (143.0, "5 jours"),
        (0.4, "maintenant"),
    ],
)
def test_deadlines_are_told_as_people_plan(hours: float, text: str) -> None:
    assert deadline_text(hours, WORDS["fr"]) == text


TRAPS = ("alarme", "prédictive")
"""An alarm is often the danger; prédictive is the word of salesmen."""


def test_french_avoids_the_traps_of_the_trade() -> None:
    texts = [
        text
        for name in ("fault", "task", "confirm", "advice", "evidence")
        for text in WORDS["fr"].table(name).values()
    ]
    assert not [text for text in texts if any(trap in text.lower() for trap in TRAPS)]
    bare = [t for t in texts if "vitesse" in t and "vibratoire" not in t and "de rotation" not in t]
    assert not bare


def test_a_bearing_is_no_housing() -> None:
    french = WORDS["fr"]
    assert "roulement" in french.text("task.bearing")
    assert "palier" not in french.text("task.bearing")
    assert "palier" in french.text("evidence.warmer", value="8")


def test_what_there_is_room_for_is_told_and_nothing_else() -> None:
    short = replace(advice(Fault.BELT, 3, longest("unsteady")), not_separated=(Fault.CAGE,), blocks=1)
    text = advice_text(short, WORDS["fr"])
    assert "Peut aussi être\u00a0: cage de roulement." in text
    assert "Blocs mesurés\u00a0: 1 seulement." in text


@pytest.mark.parametrize(("stage", "word"), [(2, "naissant"), (3, "établi"), (4, "avancé")])
def test_how_far_a_bearing_has_come_is_told(stage: int, word: str) -> None:
    text = advice_text(replace(advice(Fault.OUTER_RING, 3, longest("warmer")), stage=stage), WORDS["fr"])
    assert f"Défaut {word}" in text


def test_beside_a_grave_fault_nothing_is_called_early() -> None:
    grave = replace(advice(Fault.OUTER_RING, 4, longest("warmer")), stage=2)
    assert "naissant" not in advice_text(grave, WORDS["fr"])


def test_beside_a_machine_in_danger_nothing_is_called_early() -> None:
    early = replace(advice(Fault.OUTER_RING, 3, longest("warmer")), stage=2)
    assert "naissant" in advice_text(early, WORDS["fr"])
    assert "naissant" not in advice_text(replace(early, in_danger=True), WORDS["fr"])
    late = replace(early, stage=3, in_danger=True)
    assert "établi" in advice_text(late, WORDS["fr"])


def test_of_many_look_alikes_the_first_are_told_where_there_is_no_room_for_all() -> None:
    crowded = replace(
        advice(Fault.UNBALANCE, 3, longest("velocity_zone"), longest("raised")),
        not_separated=(Fault.FAN_DEPOSIT, Fault.BENT_SHAFT, Fault.MISALIGNMENT, *tuple(Fault)[:8]),
    )
    text = advice_text(crowded, WORDS["fr"])
    assert "dépôt" in text
    assert "bague externe" not in text
    assert count_words(text) <= MOST_WORDS


def test_words_are_counted_as_a_reader_does() -> None:
    assert count_words("M-1, point DE\u00a0: 1× = 82,4\u00a0%\u202f; l'arbre.") == 6
