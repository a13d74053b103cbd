"""The dashboards as code: committed as built, readable, in two languages, with the page's colours."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboards.console.appearance import look_of
from dashboards.grafana import looks
from dashboards.grafana.alerts import alerting, rules
from dashboards.grafana.board import KEYS_OF_SDK, canonical
from dashboards.grafana.build import DASHBOARDS, build
from dashboards.grafana.sdk import JSONEncoder, models, register_default_plugins
from dashboards.grafana.words import LANGUAGES, Words
from models.types import State
from palier.limits import load_limits
from palier.locale import Catalogue
from palier.reason_text import BY_MODEL, reason_text
from tests.support.grafana_built import built, dashboard
from tests.support.grafana_lint import lint
from tests.support.grafana_types import panels

Body = dict[str, Any]

PACKAGE = Path(looks.__file__).parent
EVERY = [(lang, name) for lang in LANGUAGES for name in DASHBOARDS]

SAME_IN_BOTH = {
    *("celsius", "none", "short", "–", "suffix:bits", "bits"),
    *("Palier · Machine", "Machine", "Machines", "Site", "Point", "Zone", "Interventions", "Conservation"),
    *("Action", "Palier", "Version", "Scores", "score", "P50", "P90", "intervention", "verdict"),
    *("vibration", "cavitation", "Palier · Machine", "Machines"),
    *("Silence", "danger", "normal", "● N · normal", "⬣ D · danger", "maximum", "minimum"),
    *("Configuration", "agent.toml"),
}
"""Words that French and English share."""

FOR_PEOPLE = (
    "title",
    "description",
    "label",
    "text",
    "content",
    "displayName",
    "noValue",
    "axisLabel",
    "name",
)
"""Keys under which people read; `name` only of annotations."""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_committed_files_are_those_that_the_code_builds(lang: str) -> None:
    folder = PACKAGE / "generated" / lang
    files = built(lang)
    assert {file.name for file in folder.iterdir()} == set(files)
    for name, data in files.items():
        assert (folder / name).read_bytes() == data, f"{name}: run `palier grafana build`"


def test_building_again_gives_the_same_bytes() -> None:
    assert build("fr") == built("fr")


def test_a_language_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="speak fr, en"):
        build("ar")


def test_the_address_of_the_page_goes_into_the_links() -> None:
    body = json.loads(build("fr", console_url="https://palier.usine/")["machine.json"])
    constant = next(v for v in body["templating"]["list"] if v["name"] == "console")
    assert constant["query"] == "https://palier.usine"
    assert "${console}/machine/${machine}?lang=fr" in json.dumps(body)


def test_a_plant_s_own_limits_have_their_bands() -> None:
    shipped = load_limits()
    own = replace(shipped["iso20816-3:g2:rigid"], id="usine:pompes", values=(1.0, 2.0, 3.0))
    body = json.loads(build("fr", limits={**shipped, own.id: own})["machine.json"])
    assert lint(body, {**shipped, own.id: own}) == []
    assert lint(body, shipped), "its bands are not drawn"


@pytest.mark.parametrize(("lang", "name"), EVERY)
def test_the_library_reads_back_what_it_wrote(lang: str, name: str) -> None:
    register_default_plugins()
    data = built(lang)[name]
    read = models.Dashboard.from_json(json.loads(data))
    assert canonical(json.loads(json.dumps(read, cls=JSONEncoder))) == data


@pytest.mark.parametrize(("lang", "name"), EVERY)
def test_a_dashboard_passes_the_linter(lang: str, name: str) -> None:
    assert lint(dashboard(name, lang), load_limits()) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_key_of_the_library_is_left_that_grafana_does_not_know(name: str) -> None:
    for variable in dashboard(name)["templating"]["list"]:
        assert not set(variable) & set(KEYS_OF_SDK)


# --- the linter catches ------------------------------------------------------------------------------------


def first(body: Body, kind: str) -> Body:
    return next(panel for panel in panels(body) if panel["type"] == kind)


def steps(panel: Body) -> list[Body]:
    found: list[Body] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return found


FAULTS: dict[str, Callable[[Body], object]] = {
    "has no description": lambda b: first(b, "stat").pop("description"),
    "has no title": lambda b: first(b, "stat").update(title=""),
    "has no unit": lambda b: first(b, "timeseries")["fieldConfig"]["defaults"].pop("unit"),
    "reads {": lambda b: first(b, "stat")["datasource"].update(uid="palier"),
    "variable site reads": lambda b: b["templating"]["list"][2]["datasource"].update(uid="palier"),
    "stands twice": lambda b: first(b, "timeseries").update(id=first(b, "stat")["id"]),
    "two queries of one letter": lambda b: first(b, "stat")["targets"][1].update(refId="A"),
    "lie upon each other": lambda b: first(b, "timeseries")["gridPos"].update(first(b, "stat")["gridPos"]),
    "beyond the edge": lambda b: first(b, "stat")["gridPos"].update(x=12, w=24),
    "reads all times": lambda b: first(b, "timeseries")["targets"][0].update(query="SELECT x FROM y"),
    "selects everything": lambda b: first(b, "timeseries")["targets"][0].update(
        query="SELECT * FROM y WHERE $timeFilter"
    ),
    "is no variable": lambda b: first(b, "timeseries")["targets"][0].update(alias="${plant}"),
    "stands idle": lambda b: b["templating"]["list"].append({"name": "idle", "type": "textbox"}),
    "typed by hand": lambda b: steps(first(b, "timeseries")).append({"value": 7.1}),
    "empty link": lambda b: first(b, "stat")["links"][0].update(url=""),
    "draws (": lambda b: next(
        o for p in panels(b) for o in p["fieldConfig"]["overrides"] if o["matcher"]["id"] == "byRegexp"
    )["properties"][0]["value"]["steps"][1].update(value=7.2),
}


@pytest.mark.parametrize("said", FAULTS)
def test_the_linter_catches_a_seeded_fault(said: str) -> None:
    body = dashboard("machine.json")
    FAULTS[said](body)
    found = lint(body, load_limits())
    assert any(said in sentence for sentence in found), found


# --- words -------------------------------------------------------------------------------------------------


def test_both_languages_have_the_same_words() -> None:
    assert Words("fr").keys() == Words("en").keys()


def test_both_languages_fill_in_the_same() -> None:
    for key in sorted(Words("fr").keys()):
        texts = [Words(lang)(key) for lang in LANGUAGES]
        if not key.startswith("alert."):
            names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts]
            assert names[0] == names[1], key
        put_in_by_grafana = [re.findall(r"\$\w+", text) for text in texts]
        assert put_in_by_grafana[0] == put_in_by_grafana[1], key


def test_every_word_is_used() -> None:
    code = "\n".join(file.read_text() for file in PACKAGE.glob("*.py"))
    words = Words("fr")
    said = b"\n".join([*built().values(), *alerting().values()]).decode()
    said += "\n".join(f"{rule.title}\n{rule.summary}" for rule in rules(words))
    idle = [key for key in sorted(words.keys()) if f'"{key}"' not in code and words(key) not in said]
    assert not idle


def for_people(value: object, key: str = "", inside: str = "") -> Iterator[str]:
    """What people read in a dashboard, each text once."""
    if isinstance(value, str):
        if key in FOR_PEOPLE and (key != "name" or inside == "annotation"):
            yield value
    elif isinstance(value, dict):
        if value.get("id") in ("displayName", "custom.axisLabel"):
            yield str(value["value"])
        for name, one in value.items():
            yield from for_people(one, name, "annotation" if "iconColor" in value else "")
    elif isinstance(value, list):
        for one in value:
            yield from for_people(one, key, inside)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_english_is_left_in_the_french_dashboards(name: str) -> None:
    french, english = (set(for_people(dashboard(name, lang))) for lang in ("fr", "en"))
    same = {text for text in french & english if re.search(r"[A-Za-zÀ-ÿ]{3}", text)} - SAME_IN_BOTH
    names = {text for text in same if re.fullmatch(r"[\w.:/-]*\d[\w.:/-]*|palier(_hourly)?|http\S+", text)}
    assert same - names == set()


# --- the one map of states ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_a_state_has_the_page_s_colour_and_shape_and_the_floor_s_letter(state: State) -> None:
    (shown, rest) = (mapping.to_json() for mapping in looks.state_mappings(Words("fr")))
    result = json.loads(json.dumps(shown, cls=JSONEncoder))["options"][state]
    css = (PACKAGE.parent / "console" / "static" / "console.css").read_text()
    assert f"--{look_of(state).tone}: {result['color']};" in css
    assert result["text"].startswith(looks.SHAPES[look_of(state).symbol])
    assert Words("fr").shared(f"letter.{state}") in result["text"].split(" · ")[0]
    assert Words("fr").shared(f"state.{state}") in result["text"]
    assert rest["type"] == "regex"


def test_a_state_by_a_model_is_told_in_a_sentence_with_its_name() -> None:
    refusals, by_model = (
        json.loads(json.dumps(one, cls=JSONEncoder)) for one in looks.reason_mappings(Words("en"))
    )
    assert refusals["options"]["stuck"]["text"] == Words("en").shared("refusal.stuck")
    pattern, text = by_model["options"]["pattern"], by_model["options"]["result"]["text"]
    said = re.sub(pattern, text.replace("$1", r"\1"), f"{BY_MODEL}pca:3")
    assert said == reason_text(f"{BY_MODEL}pca:3", Catalogue("en"))


def test_a_machine_that_learns_is_not_shown_as_normal() -> None:
    words = Words("fr")
    assert looks.face(words, State.NORMAL, learning=True) == "● L · apprentissage"
    assert looks.face(words, State.ALERT, learning=True) == "▲ A L · alerte, apprentissage"
    assert looks.face(words, State.STOPPED) == "■ · arrêt"
