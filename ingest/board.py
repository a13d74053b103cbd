"""States in force, and how a batch advances them. Pure: states in, states out.

Rules:
1. A machine is what the worst of its points is; what is calm holds only if it holds at every point. A point
   of the plant that was never heard, or has fallen silent while others speak, is not calm but unknown.
2. Of each point, what each quantity says is kept beside the point's own state ("MACHINE/POINT#vibration"),
   so that the point can be judged anew when one of them changes.
3. Only live frames advance a state, in order of acquisition. What is historical has a zone, and no
   consequence.
4. Temperature alone may alert, but a machine is never normal for being cool.
5. A gateway that says it is gone leaves its machines *unknown* until a live frame comes; their points keep
   what was last said of them, with its time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Final

from models.detection.zones import NO_DATA, Judgement, unknown, worst_of
from models.types import PointSpec, Quantity, Refusal, State
from palier.frames import Readings
from palier.historian.rows import StateRow, Transition

from .batch import Block, Silence, WorkFrame
from .judging import UNCONFIGURED, Assessed, judge_temperatures
from .knowledge import Knowledge

VIBRATION: Final = "#vibration"  # no name may hold a #
TEMPERATURE: Final = "#temperature"

GATEWAY_OFFLINE: Final = unknown(Refusal("gateway_offline", "check_gateway"))
NEVER_HEARD: Final = unknown(NO_DATA)
FELL_SILENT: Final = unknown(Refusal("no_data", "check_sensor"))

MISSED: Final = 3
"""Blocks of a point that may be missing before it counts as silent: two are lost or late without a word."""

SILENT_NS: Final = (60 * 10**9, 6 * 3600 * 10**9)
"""Silence is at least a minute (a gateway's service restarts) and at most six hours (slow machines: each
hour)."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A state in force. `since_ns` is when it began; `every_ns` how far apart its last two values were, or
    0.
    """

    judgement: Judgement
    ts_ns: int
    since_ns: int
    frame: str | None = None
    every_ns: int = 0

    def to_json(self) -> str:
        """As the records keep it."""
        # Not asdict: it copies what it finds, and took a third of a commit.
        return _COMPACT({**_told(self), "judgement": _told(self.judgement)})

    @classmethod
    def from_json(cls, text: str) -> InForce | None:
        """What `to_json` wrote; None for what another version wrote: the next live frame makes it anew."""
        try:
            fields = json.loads(text)
            told = fields.pop("judgement")
            told["state"] = State(told["state"])
            told["judged"] = told["judged"] and State(told["judged"])
            return cls(Judgement(**told), **fields)
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def is_silent(self, now_ns: int) -> bool:
        """Whether more values are missing by now than can be missing without a word."""
        usual = MISSED * self.every_ns if self.every_ns else SILENT_NS[1]
        return now_ns - self.ts_ns > min(max(usual, SILENT_NS[0]), SILENT_NS[1])


def _told(value: InForce | Judgement) -> dict[str, object]:
    """The fields of a dataclass, in their order."""
    return {name: getattr(value, name) for name in _FIELDS[type(value)]}


_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (InForce, Judgement)
}
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Key = tuple[str, str]
"""(site, "MACHINE", "MACHINE/POINT" or "MACHINE/POINT#QUANTITY"): what a state in force belongs to."""


@dataclass(frozen=True, slots=True)
class StateLine:
    """One row of the `state` series; `point` is "" for the machine itself."""

    site: str
    machine: str
    point: str
    in_force: InForce


@dataclass(frozen=True, slots=True, eq=False)
class Advance:
    """What a batch changes: rows of the `state` series, transitions, and the states in force that are new."""

    lines: tuple[StateLine, ...] = ()
    transitions: tuple[Transition, ...] = ()
    in_force: Mapping[Key, InForce] = field(default_factory=dict)

    @property
    def state_rows(self) -> tuple[StateRow, ...]:
        """The states in force as the records keep them."""
        return tuple(StateRow(site, key, value.to_json()) for (site, key), value in self.in_force.items())


def advance(
    assessed: Sequence[Assessed],
    readings: Iterable[WorkFrame],
    silences: Iterable[Silence],
    in_force: Mapping[Key, InForce],
    knowledge: Knowledge,
) -> Advance:
    """The states that live blocks, live readings and silences lead to."""
    board = _Board(in_force, knowledge)
    for entry in sorted((a for a in assessed if a.work.live), key=lambda a: a.scored.block.start_ns):
        board.vibration(entry.work, entry.scored.block, entry.said)
    told = [
        (ts_ns, work, point, said)
        for work in readings
        if work.live and isinstance(work.frame, Readings)
        for point, said, ts_ns in judge_temperatures(work.site, work.frame, knowledge)
    ]
    for ts_ns, work, point, said in sorted(told, key=lambda entry: entry[0]):
        board.temperature(work, point, said, ts_ns)
    for silence in silences:
        for machine in silence.machines:
            board.silent(silence, machine)
    return Advance(tuple(board.lines.values()), tuple(board.transitions), board.changed)


class _Board:
    """The states in force while a batch is gone through: what was, and what changed."""

    def __init__(self, before: Mapping[Key, InForce], knowledge: Knowledge) -> None:
        self._before = before
        self._knowledge = knowledge
        self.changed: dict[Key, InForce] = {}
        self.lines: dict[tuple[str, str, int], StateLine] = {}
        self.transitions: list[Transition] = []

    def vibration(self, work: WorkFrame, block: Block, said: Judgement) -> None:
        """A live block judged a point: the point and its machine advance."""
        if self._keep(work, block.point, VIBRATION, said, block.start_ns):
            self._advance(work, block.point, block.start_ns)

    def temperature(self, work: WorkFrame, point: str, said: Judgement, ts_ns: int) -> None:
        """A live reading judged a point."""
        if not self._keep(work, point, TEMPERATURE, said, ts_ns):
            return
        if said.state is not State.NORMAL or self._get((work.site, work.frame.machine)) is not None:
            self._advance(work, point, ts_ns)

    def silent(self, silence: Silence, machine: str) -> None:
        """The gateway of a machine is gone."""
        self._set((silence.site, machine, ""), GATEWAY_OFFLINE, silence.since_ns, None)

    def _keep(self, work: WorkFrame, point: str, quantity: str, said: Judgement, ts_ns: int) -> bool:
        """Whether this is news; what is older than the last was overtaken, and says nothing."""
        key = (work.site, f"{work.frame.machine}/{point}{quantity}")
        before = self._get(key)
        if before is not None and ts_ns <= before.ts_ns:
            return False
        every_ns = ts_ns - before.ts_ns if before else 0
        self.changed[key] = InForce(said, ts_ns, ts_ns, work.text, every_ns)
        return True

    def _advance(self, work: WorkFrame, point_id: str, ts_ns: int) -> None:
        """Judge a point and its machine anew by all that is said of them."""
        site, machine = work.site, work.frame.machine
        spec = self._knowledge.machine(site, machine)
        points = spec.points if spec else ()
        of_point = [p for p in points if p.id == point_id]
        strange = [] if of_point else [UNCONFIGURED]
        for name, among in ((point_id, of_point), ("", points)):
            said = [*(s for p in among for s in self._vibration_of(site, machine, p, ts_ns)), *strange]
            # Of several that are equally bad, the one with the highest velocity speaks; then a temperature.
            said.sort(key=lambda judgement: judgement.value or 0.0, reverse=True)
            warm = [s for p in among for s in self._temperature_of(site, machine, p, ts_ns)]
            said += [s for s in warm if s.state is not State.NORMAL] if said else warm
            self._set((site, machine, name), worst_of(said), ts_ns, work.text)

    def _vibration_of(self, site: str, machine: str, point: PointSpec, now_ns: int) -> Iterator[Judgement]:
        """What the vibration says of a point of the plant at a time."""
        kept = self._get((site, f"{machine}/{point.id}{VIBRATION}"))
        if kept is not None:
            yield FELL_SILENT if kept.is_silent(now_ns) else kept.judgement
        elif any(channel.quantity is Quantity.ACCELERATION for channel in point.channels):
            yield NEVER_HEARD

    def _temperature_of(self, site: str, machine: str, point: PointSpec, now_ns: int) -> Iterator[Judgement]:
        """What the temperature says of a point of the plant at a time, unless it is out of date."""
        kept = self._get((site, f"{machine}/{point.id}{TEMPERATURE}"))
        if kept is not None and not kept.is_silent(now_ns):
            yield replace(kept.judgement, value=None)  # °C is not compared with mm/s

    def _get(self, key: Key) -> InForce | None:
        return self.changed.get(key) or self._before.get(key)

    def _set(self, place: tuple[str, str, str], said: Judgement, ts_ns: int, frame: str | None) -> None:
        """What is said of (site, machine, point) from now on; point is "" for the machine itself."""
        site, machine, point = place
        key = (site, f"{machine}/{point}" if point else machine)
        before = self._get(key)
        if before is None:
            value = InForce(said, ts_ns, ts_ns, frame)
        else:
            # Points of one machine arrive in turn: its own time must not run backwards.
            since_ns = before.since_ns if before.judgement.state is said.state else ts_ns
            value = InForce(said, max(ts_ns, before.ts_ns), since_ns, frame)
        if before is None or before.judgement.state is not said.state:
            self.transitions.append(_transition(site, machine, point, before, value))
        self.changed[key] = value
        self.lines[site, key[1], value.ts_ns] = StateLine(site, machine, point, value)


def _transition(site: str, machine: str, point: str, before: InForce | None, value: InForce) -> Transition:
    """The id follows from what happened, so that a batch done again after a crash writes the same event."""
    said = asdict(value.judgement) | {"frame": value.frame}
    detail = {
        name: told for name, told in said.items() if told is not None and name not in ("state", "judged")
    }
    state = value.judgement.state
    return Transition(
        event_id=f"state:{site}/{machine}/{point}:{value.ts_ns}:{state}:{value.frame or ''}",
        site=site,
        machine=machine,
        point=point,
        channel="",
        ts_ns=value.ts_ns,
        kind="state",
        state=str(state),
        previous=str(before.judgement.state) if before else "",
        detail=json.dumps(detail, ensure_ascii=False),
    )
