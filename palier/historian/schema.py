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
from palier.ledger import OTHER, REASONS

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
    a key belongs to the frame that wrote it first (`holding` tells the one exception): a row of another frame
    is a conflict. Where it is false, the last row written under a key wins. `long_run` rows are kept for
    LONG_RUN_DAYS, others for RAW_DAYS.
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


_FRAME: Final = Field(
    "frame",
    "",
    "text",
    'the frame it was computed from, "edge:epoch:seq", after "features:" where the gateway computed it',
)
_ZONE: Final = Field("zone", "", "text", "zone A to D of the limits in force; not known where none apply")

_FEATURE: Final = Measurement(
    "feature",
    "features of one channel's block, at the time of its first sample",
    (
        *(Field(spec.name, spec.unit or "1", "float", spec.doc, single=True) for spec in CATALOGUE),
        Field("speed_rpm", "r/min", "float", "shaft speed used for the features that need one"),
        Field("load_percent", "%", "float", "how hard the machine worked during the block"),
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
        Field("lost", "1", "int", "of these, gone with an outbox that was replaced: must be 0"),
        *(
            Field(f"dropped_{reason}", "1", "int", f"of the dropped, those for the reason {reason}")
            for reason in (*REASONS, OTHER)
        ),
        Field("age_s", "s", "float", "how old the gateway's last report is, at the time of the row"),
    ),
    key_extra=("epoch",),
)

_GATEWAY: Final = Measurement(
    "gateway",
    "how a gateway says that it is (`machine` is its node name), each minute; point and channel empty",
    (
        Field("version", "", "text", "Palier's version on it"),
        Field("clock", "", "text", "synced, holdover, unsynced, or held while frames wait for the time"),
        Field("card_free", "bytes", "int", "free on the disk of its outbox"),
        Field("card_total", "bytes", "int", "size of that disk"),
        Field("memory_free", "bytes", "int", "memory that programs can have"),
        Field("cpu_celsius", "°C", "float", "temperature of its processor"),
        Field("uptime_s", "s", "int", "since it was started"),
        Field("outbox_bytes", "bytes", "int", "size of its outbox"),
        Field("outbox_cap", "bytes", "int", "what the outbox may grow to"),
        Field("pending", "1", "int", "frames that wait in it"),
        Field("fsyncs_per_h", "1/h", "int", "durable writes of the agent to the disk"),
        Field("written_per_h", "bytes/h", "int", "what the agent writes to the disk"),
        Field("problems", "1", "int", "problems that it tells of"),
        Field("configuration", "1", "int", "version of the configuration that was sent to it; 0: agent.toml"),
        Field("configuration_state", "", "text", "local, trial, kept, or broken"),
    ),
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
        Field(
            "residual_k",
            "K",
            "float",
            "housing's temperature above what ambient, load and speed explain; not known without ambient",
        ),
        Field("model", "", "text", 'the baseline behind it: "own:3", or of the registry, "baselines:5"'),
        _FRAME,
    ),
    held_by_frame=True,
)
_MODEL_SCORE: Final = Measurement(
    "model_score",
    "what a model of the registry says of a point (channel empty), at the pace at which blocks count",
    (
        Field("model", "", "text", "name of the model"),
        Field("version", "1", "int", "its version"),
        Field("stage", "", "text", '"in force", or "shadow": it decides nothing'),
        Field("score", "1", "float", "how strange the block is to a detector: more is stranger"),
        Field("threshold", "1", "float", "score that a healthy machine seldom reaches"),
        Field("level", "1", "int", "0 nothing is on, 1 watch"),
        Field("label", "", "text", 'fault that a classifier names; "none", or "unidentified"'),
        Field("confidence", "1", "float", "how sure it is, 0 to 1"),
        Field("leading", "", "text", 'the column that speaks loudest, "channel/feature"'),
        _FRAME,
    ),
    key_extra=("model", "stage"),
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

_DRIFT: Final = Measurement(
    "drift",
    "how far a point has moved from what its baseline was trained on, once a day: a row for each column, and "
    "one of the point itself (channel and feature empty)",
    (
        Field("feature", "", "text", "feature of the channel; empty in the row of the point"),
        Field("regime", "", "text", "regime in which it has moved most; empty: over all of them"),
        Field("psi", "1", "float", "population stability index of the residuals"),
        Field("psi_limit", "1", "float", "what it is beyond where the change is sure"),
        Field("ks", "1", "float", "Kolmogorov-Smirnov distance of the residuals"),
        Field("ks_limit", "1", "float", "what it is beyond where the change is sure"),
        Field("page_hinkley", "1", "float", "Page-Hinkley's sum of daily means, in σ · days"),
        Field("page_hinkley_limit", "1", "float", "what it is beyond where the mean has moved for good"),
        Field("shift", "1", "float", "how far the mean has moved, in standard deviations"),
        Field("effective", "1", "float", "independent blocks that all this rests on"),
        Field("moved", "1", "int", "1 where the column has moved"),
        Field("outside", "1", "float", "share of blocks outside the regimes that were trained on"),
        Field("age_days", "1", "float", "days since the baseline was learned"),
        Field("blocks", "1", "int", "blocks that counted"),
        Field("in_alarm", "1", "int", "blocks left out because the point was in alarm"),
        Field("advice", "", "text", '"retrain" where it is advised, else "none"'),
        Field("detail", "", "text", "JSON: the reasons of an advice, each a message key and parameters"),
        Field("reason", "", "text", "message key: why nobody can say"),
        Field("remedy", "", "text", "message key: what to do about it"),
        Field("model", "", "text", 'the baseline that it is about: "own:3", or of the registry'),
    ),
    key_extra=("feature",),
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
            _GATEWAY,
            _SCORE,
            _MODEL_SCORE,
            _DIAGNOSIS,
            _HEALTH,
            _LIFE,
            _DRIFT,
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
