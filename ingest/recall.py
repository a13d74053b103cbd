"""Waveforms around a machine's first alert, fetched from the gateways that keep theirs. Pure.

Rules:
1. The first alert of a machine that was calm asks for the waveforms from an hour before it to an hour after
   it, of that machine alone and only for what was kept back. What follows while the machine is in alarm asks
   for nothing more.
2. Asked are the gateways that carry the machine and do not send all samples anyway; each says so at birth.
3. That it is wanted is durable with the alarm itself: it survives the end of the process at any moment. It is
   asked under one request, which a gateway does once, however often it hears it: so it is asked again at each
   birth and each minute until it is answered, and until its time is over at each birth, for a gateway that
   restarted has forgotten what is still to come.
4. What nobody answers for a week is given up: no outbox keeps samples for so long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from palier.alarms import Mode
from palier.historian.rows import StateRow
from palier.wire.messages import Replay

from .alarms import Alarms
from .batch import AskReplay, Now, Recall, WorkFrame
from .edges import Edges

AROUND_NS: Final = 3600 * 10**9
"""Before the alert what it grew from is seen, and after it what it became."""

LASTS_NS: Final = 7 * 86_400 * 10**9

MOST: Final = 4
"""Alerts of one machine that may be open at once; the oldest gives way."""

MODES: Final = frozenset({Mode.VIBRATION, Mode.BEARING, Mode.TEMPERATURE})
"""Alarms of machines. Of a sensor or a gateway no waveform tells more."""

LOOK_S: Final = 1.0
AGAIN_S: Final = 60.0

RECALL: Final = "#recall"
"""Key of the alerts whose waveforms are wanted: "MACHINE#recall"."""

RECALLED: Final = "#recalled"
"""Key of the gateways that answered, by alert: "MACHINE#recalled"."""

REQUEST: Final = "recall-"

_Machine = tuple[str, str]


def request_of(one: Recall) -> str:
    """The request under which it is asked: the same each time."""
    told = f"{one.site}/{one.machine}:{one.alert_ns}".encode()
    return REQUEST + hashlib.sha256(told).hexdigest()[:24]


def replay_of(one: Recall) -> Replay:
    """What a gateway is asked."""
    start_ns = max(0, one.alert_ns - AROUND_NS)
    return Replay(request_of(one), start_ns, one.alert_ns + AROUND_NS, machine=one.machine, retained=True)


def first_alerts(before: Alarms, after: Alarms) -> tuple[Recall, ...]:
    """The machines that were calm before and are in alert or danger now, each since its first alarm."""
    if before is after:
        return ()
    stood = {(k.site, k.machine) for k, alarm in before.known.items() if k.mode in MODES and alarm.standing}
    raised: dict[_Machine, int] = {}
    for key, alarm in after.known.items():
        machine = (key.site, key.machine)
        if key.mode in MODES and alarm.standing and machine not in stood:
            raised[machine] = min(alarm.since_ns, raised.get(machine, alarm.since_ns))
    return tuple(Recall(site, machine, at_ns) for (site, machine), at_ns in sorted(raised.items()))


class Recalled:
    """What the records hold of the alerts, for the thread that makes alarms durable. `rows` of new ones go
    into the transaction of their alarms, and are `kept` once it is done.
    """

    def __init__(self, recalls: Iterable[Recall] = ()) -> None:
        self._known: dict[_Machine, tuple[int, ...]] = {}
        self.kept(recalls)

    def rows(self, recalls: Iterable[Recall]) -> tuple[StateRow, ...]:
        """The rows that the records get."""
        return tuple(StateRow(one.site, one.machine + RECALL, json.dumps(self._with(one))) for one in recalls)

    def kept(self, recalls: Iterable[Recall]) -> None:
        """These are durable."""
        for one in recalls:
            self._known[one.site, one.machine] = self._with(one)

    def covers(self, work: WorkFrame) -> bool:
        """Whether a block is one of those that were wanted: worth keeping longer than others."""
        alerts = self._known.get((work.site, work.frame.machine), ())
        return any(abs(work.frame.start_ns - alert_ns) <= AROUND_NS for alert_ns in alerts)

    def _with(self, one: Recall) -> tuple[int, ...]:
        known = self._known.get((one.site, one.machine), ())
        return tuple(sorted({*known, one.alert_ns}))[-MOST:]


@dataclass(slots=True)
class _Open:
    recall: Recall
    answered: set[str] = field(default_factory=set)
    asked_s: dict[str, float] = field(default_factory=dict)  # since their last births

    def wants(self, edge: str, now: Now) -> bool:
        """Whether a gateway is to be asked now."""
        asked_s = self.asked_s.get(edge)
        if asked_s is None:
            return edge not in self.answered or now.plant_ns < self.recall.alert_ns + AROUND_NS
        return edge not in self.answered and now.link_s - asked_s >= AGAIN_S


class Recalls:
    """Who has to be asked, for the thread that hears the gateways."""

    def __init__(self, recalls: Mapping[Recall, Iterable[str]] | None = None) -> None:
        """`recalls` are those of the records, each with the gateways that answered."""
        self._open: dict[str, _Open] = {
            request_of(one): _Open(one, set(answered)) for one, answered in (recalls or {}).items()
        }
        self._look_at_s = 0.0

    def want(self, recalls: Iterable[Recall]) -> None:
        """These are durable, and wanted from now on."""
        for one in recalls:
            self._open.setdefault(request_of(one), _Open(one))
            mine = [o.recall for o in self._open.values() if _machine(o.recall) == _machine(one)]
            for old in sorted(mine, key=lambda recall: recall.alert_ns)[:-MOST]:
                del self._open[request_of(old)]
            self._look_at_s = 0.0

    def born(self, edge: str) -> None:
        """A gateway was born: what it was asked before it may have forgotten."""
        for one in self._open.values():
            one.asked_s.pop(edge, None)
        self._look_at_s = 0.0

    def answered(self, request: str, edge: str) -> StateRow | None:
        """A gateway answered; what the records are to keep of it, None where it is no news."""
        one = self._open.get(request)
        if one is None or edge in one.answered or edge not in one.asked_s:
            return None
        one.answered.add(edge)
        site, machine = _machine(one.recall)
        told = {
            str(o.recall.alert_ns): sorted(o.answered)
            for o in self._open.values()
            if _machine(o.recall) == (site, machine) and o.answered
        }
        return StateRow(site, machine + RECALLED, json.dumps(told))

    def due(self, edges: Edges, now: Now) -> list[AskReplay]:
        """Whom to ask now."""
        if not self._open or now.link_s < self._look_at_s:
            return []
        self._look_at_s = now.link_s + LOOK_S
        over = [r for r, o in self._open.items() if now.plant_ns - o.recall.alert_ns > LASTS_NS]
        for request in over:
            del self._open[request]
        return list(self._due(edges, now))

    def _due(self, edges: Edges, now: Now) -> Iterator[AskReplay]:
        carriers = edges.keeping_back()
        for one in self._open.values():
            for edge in carriers.get(_machine(one.recall), ()):
                if one.wants(edge, now):
                    one.asked_s[edge] = now.link_s
                    yield AskReplay(edge, replay_of(one.recall))


def read_recalls(states: Mapping[tuple[str, str], str]) -> dict[Recall, tuple[str, ...]]:
    """What the records hold: each alert, and who answered. What can't be read is not known."""
    found: dict[Recall, tuple[str, ...]] = {}
    for (site, key), text in states.items():
        if not key.endswith(RECALL):
            continue
        machine = key.removesuffix(RECALL)
        answers = _json(states.get((site, machine + RECALLED), "{}"))
        for alert_ns in _numbers(_json(text)):
            told = answers.get(str(alert_ns), ()) if isinstance(answers, dict) else ()
            edges = tuple(str(edge) for edge in told) if isinstance(told, list) else ()
            found[Recall(site, machine, alert_ns)] = edges
    return found


def _machine(one: Recall) -> _Machine:
    return one.site, one.machine


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _numbers(told: object) -> list[int]:
    return [one for one in told if isinstance(one, int)] if isinstance(told, list) else []
