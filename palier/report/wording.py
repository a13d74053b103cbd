"""The words of a report in one language: what its template says of values and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from models.advice.advise import LEADS, UNTOLD
from models.diagnosis.types import EvidenceItem, Fault
from models.features.bands import SEARCH
from models.features.catalogue import CATALOGUE
from palier.advice_text import action_text, confirm_text, evidence_text, fault_text, figure
from palier.life_text import assumption_text, life_text
from palier.local_time import local, zone_of
from palier.locale.spacing import HARD_SPACE
from palier.reason_text import BY_MODEL, reason_text
from palier.typesetting import Typeset

from .values import Criterion, Event, Gap, LifeLine, Marker, Recommendation, Speed

LEFT_TO_RIGHT: Final = "\u200e"
"""A mark without width: what stands between two of them keeps its order within Arabic."""

NO_BREAK: Final = "\u2060"

UNITS: Final = {spec.name: spec.unit for spec in CATALOGUE}

PUBLIC: Final = "two public sources"
"""What the shipped tables say where public sources agree and nobody held the standard against them."""


class Words:
    """Sentences for a template; times are told in the plant's own time zone."""

    def __init__(self, lang: str, timezone: str) -> None:
        self._catalogue = Typeset(lang)
        self._timezone = timezone
        self.lang, self.direction = lang, self._catalogue.direction

    @property
    def zone(self) -> tzinfo:
        """The plant's time zone."""
        return zone_of(self._timezone)

    def t(self, key: str, **params: object) -> str:
        """The text of a key of the table `report`."""
        return self._catalogue.text(f"report.{key}", **params)

    def head(self, key: str) -> str:
        """A text as the head of a narrow column: no line ends within a unit."""
        return self.t(key).replace("/", f"/{NO_BREAK}")

    def of(self, table: str, key: str | None) -> str:
        """The word of a key of another table; one that it does not have is shown as it is."""
        name = f"{table}.{key}" if "." not in table else f"{table}{key}"
        return self._catalogue.text(name) if name in self._catalogue else (key or "–")

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number, a dash where it is not known."""
        return self._catalogue.number(float("nan") if value is None else value, digits)

    def figure(self, value: float | None) -> str:
        """A number with about three figures."""
        return "–" if value is None else figure(value, self._catalogue)

    def signed(self, share: float | None) -> str:
        """A change in percent with its sign."""
        if share is None:
            return "–"
        return f"{'+' if share >= 0 else ''}{self.number(100 * share, 0)}{HARD_SPACE}%"

    def time(self, ts_ns: int | None) -> str:
        """A time to the minute."""
        return self._moment(ts_ns, "%d/%m/%Y %H:%M")

    def day(self, ts_ns: int | None) -> str:
        """A day."""
        return self._moment(ts_ns, "%d/%m/%Y")

    def _moment(self, ts_ns: int | None, form: str) -> str:
        if ts_ns is None:
            return "–"
        return self.ltr(local(ts_ns, self._timezone).strftime(form))

    def ltr(self, text: str) -> str:
        """A number, date or name that runs from left to right, also within Arabic."""
        return f"{LEFT_TO_RIGHT}{text}{LEFT_TO_RIGHT}" if self.direction == "rtl" else text

    def together(self, text: str) -> str:
        """A number and its unit, in this order and on one line."""
        return self.ltr(text.replace(" ", HARD_SPACE))

    def cap(self, text: str) -> str:
        """A text as a title begins."""
        return f"{text[:1].upper()}{text[1:]}"

    def listed(self, names: Sequence[str]) -> str:
        """Names one after the other."""
        return ("، " if self.lang == "ar" else ", ").join(names)

    def spectra_note(self) -> str:
        """What the markers of spectra are, and how wide their bands."""
        return self.t("spectra_note", tolerance=self.number(100 * SEARCH, 1))

    def feature(self, name: str) -> str:
        """The name of an indicator."""
        if name == "temperature_c":
            return self.t("quantity_temperature")
        return self.of("page.feature_", name)

    def unit(self, feature: str) -> str:
        """The unit of an indicator."""
        return self.of("report.unit_", "°C" if feature == "temperature_c" else UNITS.get(feature, ""))

    def fault(self, fault: str) -> str:
        """The name of a fault; that none is named, or that nobody can say."""
        return fault_text(Fault(fault), self._catalogue) if fault in set(Fault) else self.t(f"fault_{fault}")

    def faults(self, faults: Sequence[str]) -> str:
        """Their names."""
        return self.listed([self.fault(fault) for fault in faults])

    def confirms(self, keys: Sequence[str]) -> str:
        """The measurements that confirm or separate."""
        return self.listed([confirm_text(key, self._catalogue) for key in keys])

    def evidence(self, items: Sequence[EvidenceItem]) -> list[tuple[str, str]]:
        """(sign, sentence) of what speaks for a fault (+) and against it (−), leads first, each once."""
        told = [item for item in items if item.met > 0 and item.key not in UNTOLD]
        ranked = sorted(told, key=lambda item: (item.weight < 0, item.key not in LEADS))
        lines = [("−" if item.weight < 0 else "+", self._evidence(item)) for item in ranked]
        return list(dict.fromkeys(lines))

    def _evidence(self, item: EvidenceItem) -> str:
        """The sentence; the parameters came through JSON, where a whole number has no point behind it."""
        params = {k: float(v) if isinstance(v, int | float) else v for k, v in item.params.items()}
        try:
            return evidence_text(replace(item, params=params), self._catalogue)
        except (KeyError, IndexError):  # of another version: its numbers say more than nothing
            return f"{item.key} {dict(params)}"

    def reason(self, key: str | None) -> str:
        """Why not; of a point that a model of the registry watches, what that model sees."""
        if key and key.startswith(BY_MODEL):
            return reason_text(key, self._catalogue)
        return self.of("refusal", key) if key else ""

    def remedy(self, key: str | None) -> str:
        """What would make it possible."""
        return self.of("remedy", key) if key else ""

    def speed(self, speed: Speed) -> str:
        """The speed with its uncertainty (twice the standard deviation), or why it has none."""
        if speed.rpm is None:
            return self.t("speed_unknown")
        value = self.number(speed.rpm, 0)
        if not speed.measured:
            return self.t("speed_nominal", value=value)
        if speed.spread_rpm is None:
            return self.t("speed_once", value=value)
        aside = self.figure(2 * speed.spread_rpm)
        return self.t("speed_measured", value=value, aside=aside, blocks=speed.blocks)

    def verified(self, by: str) -> str:
        """Who verified limits or a bearing."""
        if by == PUBLIC:
            return self.t("verified_public")
        return self.t("verified_nobody") if by == "none" else self.t("verified_by", name=by)

    def life(self, life: LifeLine) -> str:
        """The sentence of a remaining life."""
        hours = (life.p10_h, life.p50_h, life.p90_h)
        if life.method == "threshold_crossed":
            return self.of("life", life.method)
        if any(h is None for h in hours):
            return self.reason(life.reason)
        p10, p50, p90 = (h or 0.0 for h in hours)
        return life_text(p10, p50, p90, life.confidence or "low", self._catalogue)

    def assumption(self, one: tuple[str, Mapping[str, object]]) -> str:
        """What a remaining life rests on."""
        return assumption_text(one[0], one[1], self._catalogue)

    def action(self, one: Recommendation) -> str:
        """What to do and by when."""
        return action_text(one.action, one.deadline_h, one.task, self._catalogue)

    def criterion(self, one: Criterion) -> str:
        """What must hold after the work."""
        return self.t(f"accept_{one.key}", **self._params(one.params))

    def gap(self, gap: Gap) -> str:
        """What could not be assessed."""
        return self.t(f"gap_{gap.key}", **self._params(gap.params or {}))

    def event(self, event: Event) -> str:
        """What happened, in some words."""
        if event.kind == "intervention":
            return self.of("intervention", event.what)
        if event.kind == "verdict":
            return self.t(f"found_{event.what}")
        said = [self.of("alarm.mode_", event.mode), self.of("report.what_", event.what)]
        said += [self.of("state", event.level)] if event.level else []
        return self.listed(said)

    def marker(self, marker: Marker) -> str:
        """The name of a marker: "1×", "2·BPFO"."""
        if marker.name == "1×":
            return f"{marker.harmonic}×"
        name = self.of("report.mark_", marker.name)
        return name if marker.harmonic == 1 else f"{marker.harmonic}·{name}"

    def _params(self, params: Mapping[str, float | str]) -> dict[str, str]:
        told = {k: self.figure(v) if isinstance(v, float) else str(v) for k, v in params.items()}
        if "limit_name" in told:
            told["limit_name"] = self.of("limit", told["limit_name"])
        return told
