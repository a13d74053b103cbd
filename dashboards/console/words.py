"""What is said to people: language, numbers, ages, and the sentences of a tile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from models.advice import Advice
from models.types import MachineSpec, State
from palier.locale import LANGUAGES, Catalogue
from palier.locale.digits import digits_of
from palier.locale.spacing import HARD_SPACE
from palier.reason_text import reason_text

from .appearance import Look
from .freshness import NS
from .overview import SILENT, Tile
from .roles import Person, Role
from .snapshot import DefectLines

LANG_COOKIE: Final = "palier_lang"

SPARK_WIDTH: Final = 120
SPARK_HEIGHT: Final = 32

_SPANS: Final = ((86400, "days"), (3600, "hours"), (60, "minutes"), (0, "seconds"))
"""From how many seconds on a duration is said in which unit; the page's script keeps the same steps."""


class Words:
    """The sentences of one language. Templates see it as `w`."""

    def __init__(self, lang: str) -> None:
        self._catalogue = Catalogue(lang)
        self.lang = lang
        self.direction = self._catalogue.direction

    @property
    def catalogue(self) -> Catalogue:
        """All texts of the language."""
        return self._catalogue

    @property
    def arrow(self) -> str:
        """An arrow that points back, to where reading begins."""
        return "→" if self.direction == "rtl" else "←"

    def t(self, key: str, **params: object) -> str:
        """The text of a key of the table `page`."""
        return self._catalogue.text(f"page.{key}", **params)

    def text(self, key: str, **params: object) -> str:
        """The text of any key, with its table."""
        return self._catalogue.text(key, **params)

    def told(self, detail: str) -> str:
        """A refusal of ours: a key of the table `page`, or a sentence as it stands."""
        return self.t(detail) if f"page.{detail}" in self._catalogue else detail

    def noted(self, what: str) -> str:
        """What a line of the journal of access is about; one of another version is shown as it is."""
        key = f"login.what_{what}"
        return self._catalogue.text(key) if key in self._catalogue else what

    def noted_detail(self, detail: str) -> str:
        """What a line of the journal of access says beside; a role in front by its name."""
        first, comma, rest = detail.partition(",")
        key = f"login.role_{first}"
        return self._catalogue.text(key) + comma + rest if key in self._catalogue else detail

    def role(self, role: str) -> str:
        """The name of a role."""
        return self._catalogue.text(f"login.role_{role}")

    def role_needed(self, needed: Role | None, person: Person | None) -> str:
        """Which role is missing, and who gives it; None: what nobody may."""
        if needed is None or person is None:
            return self._catalogue.text("login.for_nobody")
        return self._catalogue.text("login.needs_role", needed=self.role(needed), role=self.role(person.role))

    def reply(self, reason: str, params: Mapping[str, object]) -> str:
        """The ingest's reply; one of another version, with other parameters, is shown as it came."""
        try:
            return self._catalogue.text(f"reply.{reason}", **params)
        except (KeyError, IndexError):
            return f"{reason} {dict(params)}"

    def table(self) -> dict[str, str]:
        """The texts that the page's script needs: ages and charts."""
        wanted = ("chart_", "live_", "since_", "span_", "js_")
        return {key: text for key, text in self._catalogue.table("page").items() if key.startswith(wanted)}

    def state(self, state: State) -> str:
        """The name of a state."""
        return self._catalogue.text(f"state.{state}")

    def raised(self, advice: Advice) -> str:
        """That the state of its point asks for more than the diagnosis did; "" where it does not."""
        if not advice.raised_by:
            return ""
        state = self.state(State(advice.raised_by))
        return self.text("report.raised_by", severity=advice.severity, state=state)

    def letters(self, look: Look) -> str:
        """The letters of a look: "N", "L", "S L"."""
        return " ".join(self._catalogue.text(f"letter.{state}") for state in look.letters)

    def what(self, what: str) -> str:
        """What a transition of an alarm was; one of another version is shown as it is."""
        key = f"alarm.what_{what}"
        return self._catalogue.text(key) if key in self._catalogue else what

    def contact(self, what: str) -> str:
        """What changed at a gateway; what this version does not know is shown as it is."""
        key = f"page.contact_{what}"
        return self._catalogue.text(key) if key in self._catalogue else what

    def done(self, kind: str, machine: MachineSpec) -> str:
        """What was done to a machine: what aligns a coupling sets pulleys and belt where one drives it."""
        belt = f"intervention.{kind}_belt"
        over_belt = machine.belt is not None and belt in self._catalogue
        return self._catalogue.text(belt if over_belt else f"intervention.{kind}")

    def cause(self, code: str) -> str:
        """The failure mode behind a code of ISO 15243."""
        return self._catalogue.text(f"cause.{code.replace('.', '_')}")

    def defect(self, name: str) -> str:
        """The part of a bearing that a defect's lines speak of."""
        return self._catalogue.text(f"defect.{name}")

    def lines(self, lines: DefectLines) -> str:
        """The defect whose lines stand out, and where: "raies de bague externe, point 2"."""
        return self.t(f"lines_of_{lines.defect}", point=lines.point)

    def state_line(self, tile: Tile) -> str:
        """The state of a tile, and that it still learns where that is so."""
        word = self.state(tile.look.word)
        return f"{word} · {self.state(State.LEARNING)}" if tile.look.dotted and _judged(tile) else word

    def reason(self, tile: Tile) -> str | None:
        """Why a machine is in its state: what the ingest wrote, or what the page knows; silence is told by
        its age."""
        if tile.reason:
            return reason_text(tile.reason, self._catalogue)
        if tile.temperature_limit:
            return self.t("temperature_limit", limit=self.limit(tile.temperature_limit))
        return self.t(f"note_{tile.note}") if tile.note not in (None, SILENT) else None

    def remedy(self, tile: Tile) -> str | None:
        """What to do about it."""
        if tile.remedy:
            return self._catalogue.text(f"remedy.{tile.remedy}")
        return self.t(f"remedy_{tile.note}") if tile.note else None

    def judged_by(self, zone: str | None, limit_name: str | None) -> str | None:
        """The zone of a value, or the limit that it exceeds."""
        if zone:
            return self.t("zone", zone=zone)
        return self.limit(limit_name) if limit_name else None

    def limit(self, name: str) -> str:
        """The name of a limit ("startup", "alarm", ...); one without a text of its own is shown as it is."""
        key = f"page.limit_{name.replace('/', '_').lower()}"
        return self._catalogue.text(key) if key in self._catalogue else name

    def kind(self, kind: str) -> str:
        """The name of a kind of machine; one without a text of its own is shown as it is."""
        key = f"page.kind_{kind}"
        return self._catalogue.text(key) if key in self._catalogue else kind

    def feature(self, name: str) -> str:
        """The name of a feature; one without a text of its own is shown by its technical name."""
        key = f"page.feature_{name}"
        return self._catalogue.text(key) if key in self._catalogue else name

    def unit(self, unit: str) -> str:
        """A unit as people write it: the "1" of a pure number is left out."""
        key = f"page.unit_{_UNIT_KEYS.get(unit, '')}"
        return self._catalogue.text(key) if key in self._catalogue else unit

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number, or a dash where it is not known."""
        return self._catalogue.number(math.nan if value is None else value, digits)

    def quantity(self, value: float | None, unit: str) -> str:
        """A number with its unit as people write it, with the digits of such a unit; or a dash."""
        if value is None or not math.isfinite(value):
            return self.number(None)
        return f"{self._catalogue.number(value, digits_of(value, unit))}{HARD_SPACE}{self.unit(unit)}"

    def significant(self, value: float | None) -> str:
        """A number with about three significant digits, for a table of values of all sizes."""
        if value is None or not math.isfinite(value):
            return self.number(None)
        if value == int(value) and abs(value) < 1e6:  # counts, and frequencies of bands
            return self.number(value, 0)
        magnitude = math.floor(math.log10(abs(value)))
        return self.number(value, min(max(2 - magnitude, 0), 4))

    def span(self, age_ns: int) -> str:
        """A duration in words: "3 s". A value from just ahead of our clock is 0 s old."""
        seconds = max(age_ns, 0) // NS
        step, unit = next((step, unit) for step, unit in _SPANS if seconds >= step)
        return self.t(f"span_{unit}", n=seconds // max(step, 1))

    def age(self, age_ns: int, form: str = "ago") -> str:
        """An age in a sentence: "il y a 3 s" (`form` "ago"), "pas de données depuis 3 s" ("silent")."""
        return self.t(f"since_{form}", span=self.span(age_ns))


_UNIT_KEYS: Final = {
    "mm/s": "velocity",
    "mm/s peak": "velocity_peak",
    "m/s² peak": "acceleration_peak",
    "r/min": "speed",
    "1": "none",
    "bit": "bits",
    "Hz": "hz",
}


def _judged(tile: Tile) -> bool:
    return tile.look.word is not State.LEARNING


def choose_language(query: str | None, cookie: str | None, default: str = LANGUAGES[0]) -> str:
    """The language to speak: asked for in the URL, remembered from there, or the plant's.

    What a browser prefers is not asked: a gateway's or a wall screen's browser is seldom set up in the
    language of the people in front of it. Raises ValueError for a language asked for that we do not speak;
    an odd cookie is passed over.
    """
    if query is not None:
        if query not in LANGUAGES:
            raise ValueError(f"lang must be one of {', '.join(LANGUAGES)}, got {query[:20]!r}")
        return query
    return str(cookie) if cookie in LANGUAGES else default


def spark_path(values: Sequence[float | None]) -> str:
    """SVG path of a small trend in a box of SPARK_WIDTH x SPARK_HEIGHT: zero at the bottom, gaps open."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    top = max(max(known) * 1.15, 1e-9)
    step = SPARK_WIDTH / (len(values) - 1)
    path, pen_down = [], False
    for i, value in enumerate(values):
        if value is not None:
            y = SPARK_HEIGHT * (1 - value / top)
            path.append(f"{'L' if pen_down else 'M'}{i * step:.1f} {y:.1f}")
        pen_down = value is not None
    return " ".join(path)
