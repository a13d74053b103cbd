"""The one map of states, for Grafana: colour, shape, letter and word of each, as value mappings.

Shapes and order are those of the page (`dashboards.console.appearance`), colours those of its style sheet,
letters and words those of `palier.locale`: nothing is chosen here a second time. Grafana can't hatch or dot
an edge, so the shape and the letter carry what the page also shows by those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Final, TypeVar

from dashboards.console.appearance import STATES_BY_URGENCY, Look, look_of
from models.types import State
from palier.alarms import Level, Life, Mode, Priority, What
from palier.reason_text import BY_MODEL

from .sdk import models
from .transforms import ABSENT
from .words import Words

SHAPES: Final[Mapping[str, str]] = {
    "circle": "●",
    "circle-dotted": "◌",
    "diamond": "◆",
    "triangle": "▲",
    "hexagon": "⬣",
    "square": "■",
    "square-outline": "□",
    "ring": "○",
    "plus": "✚",
}
"""The symbols of the page as characters, for every symbol that a `Look` may name."""

Key = TypeVar("Key", bound=str)

TRANSPARENT: Final = "transparent"

ACCENT: Final = "accent"
"""The custom property of the style sheet for what is neither good nor bad."""


@cache
def colours() -> Mapping[str, str]:
    """The colours of the page by custom property ("danger", "zone-c", "trace"), of its light theme."""
    css = resources.files("dashboards.console").joinpath("static/console.css").read_text("utf-8")
    root = css[css.index(":root") : css.index("}", css.index(":root"))]
    return dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6});", root))


def colour_of(state: State) -> str:
    """The colour of a state, as #rrggbb."""
    return colours()[look_of(state).tone]


def face(words: Words, state: State, *, learning: bool = False) -> str:
    """Shape, letters and name of a state in one line: "▲ A · alerte"."""
    look = _look(state, learning=learning)
    letters = look.letters or (state,)
    letter = " ".join(words.shared(f"letter.{name}") for name in letters)
    # A stopped machine's letter is its shape.
    mark = letter if letter == SHAPES[look.symbol] else f"{SHAPES[look.symbol]} {letter}"
    return f"{mark} · {_name(words, look)}"


def state_mappings(words: Words, *, learning: bool = False) -> list[models.ValueMapping]:
    """Value mappings from the names of states to how they look, the most urgent first.

    `learning`: of a machine that has no baseline yet and is shown as the standards' limits judge it.
    """
    results = {
        str(state): models.ValueMappingResult(
            text=face(words, state, learning=learning),
            color=colours()[_look(state, learning=learning).tone],
            index=i,
        )
        for i, state in enumerate(STATES_BY_URGENCY)
    }
    # A state that this version does not know is never shown as normal.
    return [models.ValueMap(options=results), _rest(words)]


def text_mappings(texts: Mapping[Key, str]) -> list[models.ValueMapping]:
    """Value mappings from keys to sentences, without colour."""
    options = {
        str(key): models.ValueMappingResult(text=text, index=i)
        for i, (key, text) in enumerate(sorted(texts.items()))
    }
    return [models.ValueMap(options=options)]


def reason_mappings(words: Words) -> list[models.ValueMapping]:
    """Why a point is in its state: the sentences of refusals, and for a model's word its name and version."""
    text = words.shared("model.sees", model="$1")
    result = models.ValueMappingResult(text=text, index=99)
    told = models.DashboardRegexMapOptions(pattern=f"^{BY_MODEL}(.+)$", result=result)
    return [*text_mappings(words.table("refusal")), models.RegexMap(options=told)]


def alarm_mappings(words: Words) -> Mapping[str, list[models.ValueMapping]]:
    """Value mappings of what is told of an alarm, by the name of the column."""
    tasks = {f"action.{key}": text for key, text in words.table("action").items()}
    remedies = {f"remedy.{key}": text for key, text in words.table("remedy").items()}
    return {
        "state": text_mappings({life: words.shared(f"alarm.state_{life}") for life in Life}),
        "channel": text_mappings({mode: words.shared(f"alarm.mode_{mode}") for mode in Mode}),
        "level": _level_mappings(words),
        "priority": _told({one: words.shared(f"alarm.priority_{one}") for one in Priority}),
        "fault": fault_mappings(words),
        "action": _told({**tasks, **remedies}),
        "what": _told({what: words.shared(f"alarm.what_{what}") for what in What}),
        "who": _told({"": words("alarms.palier")}),
        "why": _told({}),
    }


def fault_mappings(words: Words) -> list[models.ValueMapping]:
    """Value mappings of the faults of a diagnosis, and of what stands there where none is named."""
    names = {"none": words("diagnosis.none"), "refused": words("diagnosis.refused")}
    return _told({**words.table("fault"), **names})


def severity_mappings(words: Words) -> list[models.ValueMapping]:
    """Value mappings of the severities 1 to 5, each with what it asks for."""
    states = (State.NORMAL, State.WATCH, State.ALERT, State.ALERT, State.DANGER)
    faces = [(i, words(f"diagnosis.severity_{i}"), colour_of(state)) for i, state in enumerate(states, 1)]
    return number_mappings(faces, words("diagnosis.unknown"))


def level_mappings(words: Words) -> list[models.ValueMapping]:
    """Value mappings of the levels of a detector, 0 to 3."""
    states = (State.NORMAL, State.WATCH, State.ALERT, State.DANGER)
    faces = [(i, face(words, state), colour_of(state)) for i, state in enumerate(states)]
    return number_mappings(faces, words("score.unjudged"))


def _level_mappings(words: Words) -> list[models.ValueMapping]:
    """An alarm's level looks like the state that it comes of."""
    options = {
        str(level): models.ValueMappingResult(
            text=face(words, State(level)), color=colour_of(State(level)), index=i
        )
        for i, level in enumerate((Level.DANGER, Level.ALERT))
    }
    return [models.ValueMap(options=options), *_told({})]


def _told(texts: Mapping[str, str]) -> list[models.ValueMapping]:
    """Value mappings of what is taken out of JSON, where a key may be missing."""
    return text_mappings({**texts, ABSENT: "–"})


def number_mappings(faces: Iterable[tuple[int, str, str]], unknown: str) -> list[models.ValueMapping]:
    """Value mappings of (number, text, colour); what is not there is `unknown`, in grey."""
    options = {
        str(number): models.ValueMappingResult(text=text, color=colour, index=i)
        for i, (number, text, colour) in enumerate(faces)
    }
    return [models.ValueMap(options=options), _missing(unknown)]


def _look(state: State, *, learning: bool) -> Look:
    return look_of(state, judged=state, learning=learning)


def _name(words: Words, look: Look) -> str:
    name = words.shared(f"state.{look.word}")
    if not look.dotted or look.word is State.LEARNING:
        return name
    learning = words.shared(f"state.{State.LEARNING}")
    return learning if State.LEARNING in look.letters and len(look.letters) == 1 else f"{name}, {learning}"


def _rest(words: Words) -> models.ValueMapping:
    result = models.ValueMappingResult(
        text=face(words, State.UNKNOWN), color=colour_of(State.UNKNOWN), index=len(STATES_BY_URGENCY)
    )
    pattern = f"^(?!({'|'.join(STATES_BY_URGENCY)})$).*$"
    return models.RegexMap(options=models.DashboardRegexMapOptions(pattern=pattern, result=result))


def _missing(text: str) -> models.ValueMapping:
    result = models.ValueMappingResult(text=text, color=colour_of(State.UNKNOWN), index=99)
    return models.SpecialValueMap(
        options=models.DashboardSpecialValueMapOptions(match=models.SpecialValueMatch.NULL, result=result)
    )
