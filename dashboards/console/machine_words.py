"""What the machine page says in sentences: why a state, which fault, how healthy, how long still. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.advice import Advice
from models.advice.advise import LEADS
from models.detection.decision import TESTS
from models.detection.zones import LimitSet, intervals
from models.diagnosis.types import Diagnosis
from models.features.bands import SEARCH
from models.types import State
from palier.advice_text import advice_text, confirm_text, deadline_text, evidence_text, fault_text, figure
from palier.life_text import assumption_text, duration_text
from palier.locale import Catalogue
from palier.locale.spacing import HARD_SPACE
from palier.reason_text import BY_MODEL, reason_text
from palier.typesetting import typeset

from .machine_judgement import Found, Health, Life, Standing
from .overview import TEMPERATURE_LIMIT
from .series import UNITS
from .snapshot import StateRow
from .spectra import SHAFT_TOLERANCE
from .words import Words

HEALTHY_FROM: Final = 60.0
DANGER_BELOW: Final = 20.0
"""Health indices at which a level stands at its alert and at its danger (docs/prognosis.md)."""

MOST_EVIDENCE: Final = 6
"""Sentences of evidence that are shown of one fault, those for it first, the strongest before the others."""


@dataclass(frozen=True, slots=True)
class FaultCard:
    """One diagnosis in words. `confidence` is a share in percent; `tone` that of its severity. `raised` says
    that the state of the point asks for more than the examination did, "" else; `severity` is then that."""

    name: str
    point: str
    confidence: str
    severity: int
    evidence: tuple[str, ...]
    not_separated: tuple[str, ...]
    separate_by: tuple[str, ...]
    advice: str
    deadline: str
    tone: str
    raised: str = ""


@dataclass(frozen=True, slots=True)
class LifeCard:
    """A remaining life in words: the planning date (P10), the median and the far end; or `refused`, with the
    remedy; `point` is where it was found. `over` says that nothing is left."""

    point: str
    p10: str = ""
    p50: str = ""
    p90: str = ""
    confidence: str = ""
    method: str = ""
    assumptions: tuple[str, ...] = ()
    p10_ns: int | None = None
    over: bool = False
    refused: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class HealthCard:
    """A health index in words: a whole number, and the failure mode that it is of."""

    index: str
    value: float
    mode: str
    complete: bool
    modes: tuple[tuple[str, str], ...]
    tone: str


class MachineWords:
    """The sentences of one language. Templates see it as `m`."""

    def __init__(self, words: Words) -> None:
        self.page = words
        self._catalogue = Catalogue(words.lang)

    def t(self, key: str, **params: object) -> str:
        """The text of a key of the table `machine`."""
        return self._catalogue.text(f"machine.{key}", **params)

    @property
    def semicolon(self) -> str:
        """What stands between two sentences of one line."""
        return self._catalogue.semicolon

    @property
    def colon(self) -> str:
        """What stands between a name and what is said of it."""
        return self._catalogue.colon

    def tolerance(self) -> str:
        """How wide the bands around the markers of a spectrum are."""
        number = self._catalogue.number
        return self.t("tolerance", defect=number(100 * SEARCH, 1), shaft=number(100 * SHAFT_TOLERANCE, 1))

    def table(self) -> dict[str, str]:
        """The texts that the page's script needs."""
        return {
            key.removeprefix("js_"): text
            for key, text in self._catalogue.table("machine").items()
            if key.startswith("js_")
        }

    # --- why a state --------------------------------------------------------------------------------------

    def why(
        self, row: StateRow | None, limits: LimitSet | None, standing: Standing | None, warm_c: float | None
    ) -> tuple[str, ...]:
        """Why a point is in its state: what the standard says, then each test of its own baseline that is on.

        `limits` are those that the row was judged by, `warm_c` the point's temperature. Empty where the row
        gives its own reason, and where there is no row.
        """
        if row is None or (row.reason is not None and not row.reason.startswith(BY_MODEL)):
            return ()
        seen = reason_text(row.reason, self._catalogue) if row.reason else None
        told = [seen, self.by_limits(row, limits, warm_c), *self.by_tests(row, standing)]
        return tuple(sentence for sentence in told if sentence)

    def at_rest(self, state: State) -> str:
        """Why a machine that stands or settles is not judged; "" for any other state."""
        return self.t(f"why_{state}") if state in (State.STOPPED, State.TRANSIENT) else ""

    def by_limits(self, row: StateRow, limits: LimitSet | None, warm_c: float | None) -> str | None:
        """Which limit of the standard a value exceeds, and by which it stays below; None without limits."""
        if limits is None:
            return self.t("why_no_limits") if row.state == State.LEARNING else None
        hot = limits.quantity == TEMPERATURE_LIMIT
        value, unit = (warm_c, "°C") if hot else (row.value, self.page.unit("mm/s"))
        if value is None:
            return None
        place = int(intervals(value, limits))
        name, of = limits.names[max(place - 1, 0)], limits.values[max(place - 1, 0)]
        return self.t(
            "why_above" if place else "why_below",
            standard=limits.standard,
            value=self.number(value),
            unit=unit,
            limit=self.page.limit(name),
            of=self.number(of),
        )

    def by_tests(self, row: StateRow, standing: Standing | None) -> list[str]:
        """What the worst test that is on says, and which others are; or that none is."""
        if standing is None:
            return [self.t("why_learning")] if row.learning else []
        if standing.tests and standing.level:
            (name, columns), *others = _ordered(standing.tests)
            return [self.test(name, columns, standing), *([self.also(others)] if others else [])]
        if standing.score is None or standing.threshold is None or row.state != State.NORMAL:
            return []
        return [
            self.t(
                "why_quiet",
                score=self.number(standing.score),
                threshold=self.number(standing.threshold),
                column=self.column(standing.leading),
            )
        ]

    def test(self, name: str, columns: Sequence[str], standing: Standing) -> str:
        """What one test says, with value and limit where they are known."""
        what = self.t(f"test_{name}") if name in TESTS else name
        leads = standing.leading in columns and standing.value is not None
        others = [self.column(column) for column in columns if not leads or column != standing.leading]
        told = [self._measured(standing)] if leads else []
        more = self._listed([*told, *others[: 3 - leads]])
        rest = len(others) - (3 - leads)
        if rest > 0:
            more = self.t("and_more", listed=more, n=rest)
        return self.t("stands", test=what, columns=more) if more else self.t("stands_alone", test=what)

    def also(self, tests: Sequence[tuple[str, tuple[str, ...]]]) -> str:
        """The other tests that are on, each with how many features stand behind it."""
        told = []
        for name, columns in tests:
            what = self.t(f"test_{name}") if name in TESTS else name
            told.append(self.t("test_of", test=what, n=len(columns)) if columns else what)
        return self.t("also", tests=self._listed(told))

    def column(self, column: str | None) -> str:
        """A watched column, "channel/feature", as people say it."""
        if not column:
            return ""
        channel, _, feature = column.rpartition("/")
        return self.t("column", feature=self.page.feature(feature), channel=channel or "–")

    def _measured(self, standing: Standing) -> str:
        feature = (standing.leading or "").rpartition("/")[2]
        unit = self.page.unit(UNITS.get(feature, ""))
        if standing.alert is None:
            return self.t(
                "measured_alone", column=self.column(standing.leading), value=self._with(standing.value, unit)
            )
        return self.t(
            "measured",
            column=self.column(standing.leading),
            value=self._with(standing.value, unit),
            alert=self._with(standing.alert, unit),
        )

    def _with(self, value: float | None, unit: str) -> str:
        """A number with its unit, of which pure numbers have none."""
        return f"{self.number(value)}{HARD_SPACE}{unit}" if unit else self.number(value)

    def flag(
        self, kind: str, state: str, who: str = "", differs: tuple[str, float, float] | None = None
    ) -> str:
        """An event over a trend: what people did, or what changed, or what contradicts the most."""
        words = self._catalogue
        key = {"state": f"state.{state}", "alarm": f"alarm.what_{state}"}.get(kind, f"{kind}.{state}")
        name = words.text(key)
        told = self.t("flag_" + kind, name=name) if kind in ("alarm", "baseline") else name
        if differs is not None:
            column, was, found = differs
            unit = self.page.unit(UNITS.get(column.rpartition("/")[2], ""))
            values = {"told": self._with(was, unit), "computed": self._with(found, unit)}
            return self.t("flag_differs", name=told, column=self.column(column), **values)
        return f"{told} ({who})" if who else told

    # --- what is wrong --------------------------------------------------------------------------------

    def cards(self, found: Found | None) -> tuple[FaultCard, ...]:
        """The named faults, the surest first."""
        return () if found is None else tuple(self.card(*named) for named in found.advice)

    def card(self, diagnosis: Diagnosis, advice: Advice) -> FaultCard:
        """One fault."""
        evidence = sorted(
            (item for item in diagnosis.evidence if item.met > 0),
            key=lambda item: (item.weight < 0, item.key not in LEADS, -abs(item.weight) * item.met),
        )
        words = self._catalogue
        told = dict.fromkeys(typeset(evidence_text(item, words), words.lang) for item in evidence)
        return FaultCard(
            fault_text(diagnosis.fault, words),
            diagnosis.point,
            words.number(100 * diagnosis.confidence, 0),
            advice.severity,
            tuple(told)[:MOST_EVIDENCE],
            tuple(fault_text(fault, words) for fault in diagnosis.not_separated),
            tuple(confirm_text(key, words) for key in diagnosis.separate_by),
            typeset(advice_text(advice, words), words.lang),
            self._deadline(advice.deadline_h),
            severity_tone(advice.severity),
            self.page.raised(advice),
        )

    def _deadline(self, hours: float | None) -> str:
        if hours is None:
            return ""
        return typeset(deadline_text(hours, self._catalogue), self._catalogue.lang)

    def refusal(self, reason: str) -> str:
        """Why nobody can say."""
        return reason_text(reason, self._catalogue)

    def remedy(self, remedy: str) -> str:
        """What to do about it."""
        return self._catalogue.text(f"remedy.{remedy}")

    # --- how healthy, how long ----------------------------------------------------------------------------

    def mode(self, mode: str) -> str:
        """A failure mode of a health index."""
        key = f"machine.mode_{mode}"
        return self._catalogue.text(key) if key in self._catalogue else mode

    def health(self, health: Health | None) -> HealthCard | None:
        """A health index."""
        if health is None:
            return None
        modes = sorted(health.modes, key=lambda one: one[1])
        return HealthCard(
            self._catalogue.number(health.index, 0),
            min(100.0, max(0.0, health.index)),
            self.mode(health.mode),
            health.complete,
            tuple((self.mode(name), self._catalogue.number(value, 0)) for name, value in modes),
            health_tone(health.index),
        )

    def life(self, point: str, life: Life | None) -> LifeCard | None:
        """A remaining life, or why there is none; None where nobody was asked."""
        if life is None:
            return None
        if life.refusal is not None or life.p10_h is None or life.p50_h is None or life.p90_h is None:
            refusal = life.refusal
            return LifeCard(
                point,
                refused=self.refusal(refusal.reason) if refusal else "",
                remedy=self.remedy(refusal.remedy) if refusal else "",
            )
        words = self._catalogue
        hours = zip((life.p10_h, life.p50_h, life.p90_h), (0.1, 0.5, 0.9), strict=True)
        p10, p50, p90 = (duration_text(max(0.0, h), words, quantile=q) for h, q in hours)
        return LifeCard(
            point,
            p10,
            p50,
            p90,
            words.text(f"life.{life.confidence}") if life.confidence else "–",
            words.text(f"life.{life.method}"),
            tuple(
                typeset(assumption_text(key, params, words), words.lang) for key, params in life.assumptions
            ),
            life.ts_ns + round(max(0.0, life.p10_h) * 3.6e12),
            over=life.p90_h <= 0,
        )

    def number(self, value: float | None) -> str:
        """A number with about three figures, a dash where it is not known."""
        return "–" if value is None else figure(value, self._catalogue)

    def _listed(self, names: Sequence[str]) -> str:
        """Names one behind the other; they hold commas of their own."""
        return self._catalogue.semicolon.join(names)


def severity_tone(severity: int) -> str:
    """The tone of a severity, 1 to 5, as the map of states has it."""
    return ("normal", "normal", "watch", "alert", "alert", "danger")[max(0, min(severity, 5))]


def health_tone(index: float) -> str:
    """The tone of a health index: neutral above its alert."""
    return "danger" if index <= DANGER_BELOW else "alert" if index <= HEALTHY_FROM else "normal"


def _ordered(tests: Sequence[tuple[str, tuple[str, ...]]]) -> list[tuple[str, tuple[str, ...]]]:
    """The tests in the order of `TESTS`, the worst first; those this version does not know last."""
    return sorted(tests, key=lambda one: TESTS.index(one[0]) if one[0] in TESTS else len(TESTS))
