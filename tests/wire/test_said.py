"""Sentences of gateways with their codes: told, read, and shown in the reader's language."""

from __future__ import annotations

import ast
import copy
import json
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

import edge_agent
from palier.gateway_said import told_text, told_texts
from palier.gateway_text import answer_text, gateway_lines
from palier.gateways import GatewayTold
from palier.locale import LANGUAGES, Catalogue
from palier.plant_times import times_of
from palier.wire.payload import decode
from palier.wire.said import MAX_CODE, Said, again, code_of, cut, read_code, said, said_all
from palier.wire.sentences import SENTENCES
from palier.wire.status import GatewayStatus, read_status, status_payload
from tests.support.wire_examples import STATUS


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_code_has_words_with_the_same_parameters(lang: str) -> None:
    told = Catalogue(lang).table("gateway_said")
    assert set(told) == set(SENTENCES)
    wrong = {code for code, text in SENTENCES.items() if fields(told[code]) != fields(text)}
    assert not wrong


def test_english_is_what_the_agent_writes() -> None:
    assert dict(Catalogue("en").table("gateway_said")) == dict(SENTENCES)


@pytest.mark.parametrize("lang", ["fr", "ar"])
@pytest.mark.parametrize("code", SENTENCES)
def test_no_code_comes_in_english_or_as_it_is(code: str, lang: str) -> None:
    params = {name: f"<{name}>" for name in fields(SENTENCES[code])}
    sentence = said(code, **params)
    shown = told_text(sentence, code_of(sentence), Catalogue(lang))
    assert all(value in shown for value in params.values())
    alone = set(params) == {"why", "row"} or set(params) in ({"why", "where"}, {"source", "why"})
    assert alone or plain(shown) != sentence


def test_the_agent_uses_all_codes_and_no_other() -> None:
    used = set()
    for path in Path(edge_agent.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
                first = node.args[0]
                used |= {first.value} if isinstance(first, ast.Constant) else set()
    chosen_by_quantity = {"attach_speed_unit", "attach_load_unit"}
    assert used | chosen_by_quantity == set(SENTENCES)


def test_a_code_goes_through_an_exception_another_sentence_and_a_copy() -> None:
    error = OSError(said("w1_checksum", name="28-0316a2794fff"))
    sentence = said("source_fails", source="carter", kind="OSError", why=str(error))
    assert sentence.startswith("source carter fails: OSError: thermometer 28-0316a2794fff fails its checksum")
    french = plain(told_text(sentence, code_of(copy.deepcopy(sentence)), Catalogue("fr")))
    assert french.startswith("la source carter est en défaut : OSError : la somme de contrôle du thermomètre")
    assert again(str(json.loads(json.dumps(sentence))), code_of(sentence)) == sentence
    assert isinstance(again(str(json.loads(json.dumps(sentence))), code_of(sentence)), Said)
    assert not isinstance(again("another sentence", code_of(sentence)), Said)


def test_several_sentences_are_told_each_in_its_language() -> None:
    one = said("probe_open", ohm=400)
    assert said_all([one]) is one
    both = said_all([one, "Input/output error"])
    assert both == "the sensor is open: more than 400 Ω; Input/output error"
    french = plain(told_text(both, code_of(both), Catalogue("fr")))
    assert french == "la sonde est coupée : plus de 400 Ω ; « Input/output error »"


def test_somebody_else_s_words_are_quoted_as_they_came() -> None:
    texts = ("source a: Connection reset by peer", said("samples_lost", name="x", samples=25_600, gaps=2))
    codes = tuple(map(code_of, texts))
    french, english = (told_texts(texts, codes, Catalogue(lang)) for lang in ("fr", "en"))
    assert plain(french[0]) == "« source a: Connection reset by peer »"
    assert plain(french[1]) == "x a perdu environ 25 600 échantillons en 2 trous depuis son ouverture"
    assert english[0] == texts[0]
    of_before = told_texts(texts, None, Catalogue("fr"))
    assert plain(of_before[1]).startswith("« x lost about 25600 samples")


@pytest.mark.parametrize(
    "told",
    [
        "",
        "no json",
        "[" * 2000,
        '["source_says"]',
        '["source_says",{"source":null,"why":"x"}]',
        '["source_says",{"source":NaN,"why":"x"}]',
        '["__class__.x",{}]',
        '["source_says",{"why":["source_says",{"why":["source_says",{"why":["source_says",{"why":["a",{}]}]}]}]}]',
        '["of_tomorrow",{"a":1}]',
        '["source_says",{"why":"a parameter is missing"}]',
        '["source_hangs",{"source":"a","seconds":1e999}]',
        '["source_hangs",{"source":"a","seconds":1' + "0" * 400 + "}]",
        '["no_answer",{"a":1,"b":[]}]',
        '["source_says",{"source":"a","why":["of_tomorrow",{"a":1}]}]',
        '["several",{"0":["of_tomorrow",{"a":1}],"1":["no_answer",{}]}]',
    ],
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_code_that_is_none_leaves_the_sentence(told: str, lang: str) -> None:
    assert "the sentence" in told_text("the sentence", told, Catalogue(lang))


def test_a_parameter_may_have_any_name() -> None:
    """Names of the functions that it goes through, too."""
    told = json.dumps(["no_answer", {"key": "a", "self": "b", "code": "c"}])
    assert told_text("the sentence", told, Catalogue("fr")) == "pas de réponse"
    assert isinstance(again("no answer", told), Said)


def test_what_turns_the_reading_around_is_not_printed() -> None:
    coded = read_code(json.dumps(["line_ended", {"where": "a\u202eb\x1b[2J"}]))
    assert coded is not None
    shown = told_text("x", json.dumps([coded.code, dict(coded.params)]), Catalogue("fr"))
    assert not {"\u202e", "\x1b"} & set(shown)


def test_a_code_that_would_be_too_long_is_not_told() -> None:
    assert code_of(said("line_ended", where="x" * MAX_CODE)) == ""
    long = said("line_ended", where="x" * 500)
    assert not isinstance(cut(long, 300), Said)
    assert cut(long, 900) is long


def test_a_status_carries_the_codes_and_one_of_before_none() -> None:
    problem, answer = said("outbox_set_aside"), said("trial_away", seconds=31)
    status = replace(
        STATUS,
        problems=(problem, "free text"),
        problem_codes=(code_of(problem), ""),
        answer="went_back",
        answer_sentence=answer,
        answer_code=code_of(answer),
    )
    read = read_status(decode(status_payload(status, seq=1, timestamp_ms=1)))
    assert read is not None
    assert read == status
    words = Catalogue("fr")
    told = GatewayTold.from_told(json.loads(json.dumps(GatewayTold("usine/gw-1", 10**18, read).told())))
    lines = [plain(line).strip() for line in gateway_lines(told, words, times_of(None), 10**18)]
    assert "la file d'attente était endommagée et a été mise de côté : vérifier le disque" in lines
    assert "« free text »" in lines
    assert plain(answer_text(read, words)).endswith("le broker ou le serveur ont été absents pendant 31 s")
    assert GatewayStatus(version="0.1.0").problem_codes is None
