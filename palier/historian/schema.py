"""What the historian keeps: names of measurements and fields, with their units. They are public API.

The columns of `feature` are those of the feature catalogue, so that a feature is named in one place only.
The key of a row is (site, machine, point, channel, ts) and what `key_extra` adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from models.features.catalogue import CATALOGUE

from .base import SchemaError

FieldType = Literal["float", "int", "text"]

RAW_DAYS: Final = 90
"""How long rows are kept as they were written: a season, from a bearing's first line to its end."""

LONG_RUN_DAYS: Final = 5 * 365
"""How long rows of an hour each are kept: some overhauls of a machine."""

KEY: Final = ("site", "machine", "point", "channel", "ts")
"""The columns that every measurement is keyed by; `ts` is ns since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column. `unit` is "" for text, "1" for a number without dimension.

    A number that is not known is NaN in and out; a text that is not known is None. `single` is a float that
    was computed in single precision: digits beyond float32's say nothing.
    """

    name: str
    unit: str
    type: FieldType
    doc: str
    single: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One table of rows.

    `key_extra` names the fields that belong to the key: each row must bring them. `held_by_frame` says that
    a key belongs to the frame that wrote it first: a row of another frame is a conflict. Where it is false,
    the last row written under a key wins. `long_run` rows are kept for LONG_RUN_DAYS, others for RAW_DAYS.
    """

    name: str
    doc: str
    fields: tuple[Field, ...]
    key_extra: tuple[str, ...] = ()
    held_by_frame: bool = False
    long_run: bool = False

    def field(self, name: str) -> Field:
        """The field of that name. Raises SchemaError."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise SchemaError(f"the measurement {self.name!r} has no field {name!r}; its fields: {self.names}")

    @property
    def always(self) -> str:
        """The field that a row has even where nothing else is known: the frame that holds it, or a text."""
        if self.held_by_frame:
            return "frame"
        return next(field.name for field in self.fields if field.type == "text")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields, in the order of the columns."""
        return tuple(field.name for field in self.fields)


_FRAME: Final = Field("frame", "", "text", 'the frame it was computed from, "edge:epoch:seq"')
_ZONE: Final = Field("zone", "", "text", "zone A to D of the limits in force; not known where none apply")

_FEATURE: Final = Measurement(
    "feature",
    "features of one channel's block, at the time of its first sample",
    (
        *(Field(spec.name, spec.unit or "1", "float", spec.doc, single=True) for spec in CATALOGUE),
        Field("speed_rpm", "r/min", "float", "shaft speed used for the features that need one"),
        _ZONE,
        _FRAME,
    ),
    held_by_frame=True,
)
_READING: Final = Measurement(
    "reading",
    "slow values: temperature, speed, pressure, load",
    (
        Field("value", "as in `unit`", "float", "the value, in the unit beside it"),
        Field("unit", "", "text", "unit of the value, as the gateway declared it"),
        _FRAME,
    ),
    held_by_frame=True,
)
_STATE: Final = Measurement(
    "state",
    "state of a point (channel empty) or of a whole machine (point and channel empty)",
    (
        Field(
            "state",
            "",
            "text",
            "normal, watch, alert, danger, stopped, transient, learning, unknown, unconfigured",
        ),
        Field("judged", "", "text", "the state that the limits alone give"),
        Field("learning", "1", "int", "1 while a baseline is being learnt, else 0"),
        Field("severity", "1", "int", "1 (normal) to 5 (danger)"),
        _ZONE,
        Field("value", "mm/s", "float", "vibration velocity that was judged, r.m.s."),
        Field("limit_name", "", "text", "id of the limit set in force"),
        Field("reason", "", "text", "message key and parameters: why this state"),
        Field("remedy", "", "text", "message key and parameters: what to do about it"),
        _FRAME,
        Field("live", "1", "int", "1 when it came of a live frame, 0 of a historical one"),
    ),
)
_LINES: Final = (
    Field("line", "1", "int", "index of the line within its spectrum, from 0"),
    Field("frequency_hz", "Hz", "float", "frequency of the line"),
    Field("amplitude", "as in `kind`", "float", "amplitude of the line"),
    Field("kind", "", "text", '"velocity_mm_s", "acceleration_m_s2" or "envelope_m_s2"'),
    _FRAME,
)
_SPECTRUM: Final = Measurement(
    "spectrum",
    "spectrum lines for display, thinned to at most 400 for each channel and time",
    _LINES,
    key_extra=("line",),
    held_by_frame=True,
)
_ENVELOPE: Final = Measurement(
    "envelope",
    "lines of the envelope's spectrum for display, thinned to at most 400 for each channel and time",
    _LINES,
    key_extra=("line",),
    held_by_frame=True,
)
_EVENT: Final = Measurement(
    "event",
    "transitions: of an alarm, of a state, of a link; and what people did",
    (
        Field("event_id", "", "text", "identity of the event: written again it is the same row"),
        Field("kind", "", "text", "what changed"),
        Field("state", "", "text", "what it changed to"),
        Field("previous", "", "text", "what it was before"),
        Field("detail", "", "text", "JSON: what else is known of it"),
    ),
    key_extra=("event_id",),
)
_LEDGER: Final = Measurement(
    "ledger",
    "what became of the frames of a gateway (`machine` is its node name), point and channel empty",
    (
        Field("epoch", "", "text", "epoch of the gateway's outbox"),
        Field("acquired", "1", "int", "frames acquired up to the reported seq"),
        Field("stored", "1", "int", "of these, stored at the host"),
        Field("quarantined", "1", "int", "of these, put aside at the host with a reason"),
        Field("dropped", "1", "int", "of these, given up by the gateway with a reason"),
        Field("pending", "1", "int", "of these, still in the gateway's outbox"),
        Field("missing", "1", "int", "of these, nowhere: must be 0"),
        Field("twice", "1", "int", "of these, in two places at once: must be 0"),
        Field(
            "adds_up",
            "1",
            "int",
            "1 when every frame is in exactly one place, 0 when not; not known while silent",
        ),
    ),
    key_extra=("epoch",),
)

_SCORE: Final = Measurement(
    "score",
    "how far a point is off its own baseline (channel empty), at the pace at which blocks count",
    (
        Field("score", "1", "float", "largest residual of what is watched, in standard deviations"),
        Field("threshold", "1", "float", "standard deviations that a single feature may be off"),
        Field("level", "1", "int", "0 nothing is on, 1 watch, 2 alert, 3 danger"),
        Field("tests", "", "text", 'JSON: the tests that are on, each with its columns "channel/feature"'),
        Field("leading", "", "text", 'the column that speaks loudest, "channel/feature"'),
        Field("value", "as in `leading`", "float", "value of that column"),
        Field("alert", "as in `leading`", "float", "its alert limit by the baseline"),
        _FRAME,
    ),
    held_by_frame=True,
)
_DIAGNOSIS: Final = Measurement(
    "diagnosis",
    "what was found when a point was examined (channel empty): a row for each fault, the surest of rank 1",
    (
        Field("rank", "1", "int", "1 for the surest fault"),
        Field(
            "fault", "", "text", 'the fault; "none" where nothing is named, "refused" where nobody can say'
        ),
        Field("confidence", "1", "float", "how sure it is, 0 to 1"),
        Field("severity", "1", "int", "1 (nothing) to 5 (stop)"),
        Field("action", "", "text", "none, watch, plan, intervene, stop"),
        Field("deadline_h", "h", "float", "within how many hours; not known where there is no deadline"),
        Field("at", "", "text", "point of the fault, empty for the machine as a whole"),
        Field("detail", "", "text", "JSON: evidence, what is not told apart, and what would tell it"),
        Field("reason", "", "text", "message key: why nobody can say"),
        Field("remedy", "", "text", "message key: what to do about it"),
        _FRAME,
    ),
    key_extra=("rank",),
)
_HEALTH: Final = Measurement(
    "health",
    "health index of a point (channel empty) or of a whole machine (point and channel empty)",
    (
        Field("health_index", "1", "float", "100 as in good health, 60 alert, 20 danger, 0 nothing left"),
        Field("mode", "", "text", "failure mode that the index is of: the worst"),
        Field("complete", "1", "int", "1 where every mode is known; else it is as bad as this at least"),
        Field("modes", "", "text", "JSON: the index of each known mode"),
        _FRAME,
    ),
)
_LIFE: Final = Measurement(
    "life",
    "remaining life of a point (channel empty) until it reaches its danger limit",
    (
        Field("method", "", "text", 'how it was found; "refused" where nobody can say'),
        Field("p10_h", "h", "float", "hours that it lasts with 90 % certainty: the date to plan by"),
        Field("p50_h", "h", "float", "hours that it lasts as likely as not"),
        Field("p90_h", "h", "float", "hours that it does not outlast with 90 % certainty"),
        Field("confidence", "", "text", "high, medium or low, by the width of the interval"),
        Field("leading", "", "text", 'what grows, "channel/feature"'),
        Field("threshold", "as in `leading`", "float", "level that ends the life by convention"),
        Field("assumptions", "", "text", "JSON: what it rests on"),
        Field("reason", "", "text", "message key: why nobody can say"),
        Field("remedy", "", "text", "message key: what to do about it"),
    ),
)


def _hourly(raw: Measurement, texts: tuple[Field, ...] = ()) -> Measurement:
    """What is kept of an hour of a measurement: mean, least and greatest of each number."""
    numbers = [
        replace(field, name=f"{field.name}_{what}", doc=f"{of} of: {field.doc}")
        for field in raw.fields
        if field.type == "float"
        for what, of in (("mean", "mean"), ("min", "least"), ("max", "greatest"))
    ]
    blocks = Field("blocks", "1", "int", "rows of the hour")
    doc = f"an hour of `{raw.name}`, at its start (UTC)"
    return Measurement(f"{raw.name}_hourly", doc, (*numbers, blocks, *texts), long_run=True)


_FEATURE_HOURLY: Final = _hourly(_FEATURE, (Field("zone", "", "text", "worst zone of the hour"),))
_READING_HOURLY: Final = _hourly(_READING, (_READING.field("unit"),))

MEASUREMENTS: Final[Mapping[str, Measurement]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _FEATURE,
            _READING,
            _STATE,
            _SPECTRUM,
            _ENVELOPE,
            _EVENT,
            _LEDGER,
            _SCORE,
            _DIAGNOSIS,
            _HEALTH,
            _LIFE,
            _FEATURE_HOURLY,
            _READING_HOURLY,
        )
    }
)
"""All measurements by name."""


def measurement(name: str) -> Measurement:
    """The measurement of that name. Raises SchemaError."""
    try:
        return MEASUREMENTS[name]
    except KeyError:
        raise SchemaError(f"there is no measurement {name!r}; there are {', '.join(MEASUREMENTS)}") from None
