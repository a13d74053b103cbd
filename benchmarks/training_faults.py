"""Does a retrained classifier name faults on machines it never saw, and keep silent on faults it never saw?

Pumps that differ as pumps do (`simulators.fleet_plan.individual`), each with one fault that grows; features
come of simulated samples by the extractor of the ingest. Machines are held out whole: no block of a machine
is on both sides. Then each fault in turn is left out of training, and asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from models import bundle
from models.features.catalogue import NAMES
from models.training.dataset import HEALTHY, Label, PointHistory
from models.training.fit import train_classifier
from models.training.gathering import Gathering, features_of
from palier import fleet as processes
from palier.historian.base import Table
from simulators.draws import key_of, uniform
from simulators.faults import FaultKind
from simulators.fleet_blocks import Past, Stretch, past_of
from simulators.fleet_plan import DAY_S, POINT, SITE, Member, Story, fleet, member

_K: Final = FaultKind
FAULTS: Final = (
    _K.OUTER_RING,
    _K.INNER_RING,
    _K.UNBALANCE,
    _K.MISALIGNMENT,
    _K.CAVITATION,
    _K.ROTATING_LOOSENESS,
)
END_S: Final = 1_793_606_400.0
SEED: Final = 11
UNIDENTIFIED: Final = "unidentified"


class Garden(NamedTuple):
    """How many pumps each fault has, blocks of each pump, and into how many folds they are split."""

    of_each: int
    blocks: int
    folds: int


FULL: Final = Garden(9, 160, 3)
QUICK: Final = Garden(6, 80, 3)

SOUND: Final = 0.65
"""Share of a pump's blocks before its fault begins."""

GROWN: Final = 0.75
"""Share after which the fault is at its worst; what grows before anybody tells is labelled by nobody."""

TOLD: Final = 0.35
"""Severity from which a technician finds it: what is labelled, and asked for."""


class Named(NamedTuple):
    """What was asked of pumps of one fault, and how many answers were right: pumps by the answer that most of
    their faulty blocks got, and blocks.
    """

    fault: str
    pumps: int
    pumps_right: int
    blocks: int
    blocks_right: int
    answers: tuple[tuple[str, int], ...]


class Report(NamedTuple):
    """`held_out`: named by a model that saw other pumps of the fault. `unseen`: the fault was left out of
    training, right is "unidentified". `calm`: blocks before any fault, right is "none".
    """

    garden: Garden
    held_out: tuple[Named, ...]
    unseen: tuple[Named, ...]
    calm: Named


def measure(garden: Garden) -> Report:
    """Simulates the pumps, trains and asks."""
    pumps = histories(garden)
    by_fault = {kind.value: [p for p in pumps if fault_of(p) == kind.value] for kind in FAULTS}
    answers: dict[str, list[tuple[PointHistory, Sequence[str]]]] = {fault: [] for fault in by_fault}
    for fold in range(garden.folds):
        held = [p for some in by_fault.values() for k, p in enumerate(some) if k % garden.folds == fold]
        names = {p.machine for p in held}
        classify = _trained([p for p in pumps if p.machine not in names])
        for pump in held:
            answers[fault_of(pump)].append((pump, classify(pump)))
    unseen = []
    for fault, some in by_fault.items():
        classify = _trained([p for p in pumps if fault_of(p) != fault])
        unseen.append(_named(fault, UNIDENTIFIED, [(pump, classify(pump)) for pump in some]))
    held_out = tuple(_named(fault, fault, told) for fault, told in answers.items())
    every = [one for told in answers.values() for one in told]
    return Report(garden, held_out, tuple(unseen), _calm(every))


def histories(garden: Garden) -> list[PointHistory]:
    """The pumps with their faults, labelled as technicians would."""
    members = list(_members(garden))
    days = garden.blocks / 12
    stretches = [Stretch(one, END_S - days * DAY_S, END_S, 7200.0) for one in members]
    pasts: list[Past] = processes.run(past_of, stretches, names=[one.spec.id for one in members])
    return [history_of(one, past) for one, past in zip(members, pasts, strict=True)]


def _members(garden: Garden) -> Iterator[Member]:
    count = len(FAULTS) * garden.of_each
    specs = [m.spec for m in fleet(2 * count, seed=SEED, start_s=0.0, end_s=1.0).members]
    pumps = [spec for spec in specs if spec.kind == "pump"][:count]
    start_s, lasting_s = END_S - garden.blocks / 12 * DAY_S, garden.blocks / 12 * DAY_S
    pumps.sort(key=lambda spec: key_of(SEED, "turn", spec.id))  # which fault a pump has goes by no order
    for k, spec in enumerate(pumps):
        worst = uniform(key_of(SEED, "worst", spec.id), 0.5, 0.9)
        story = Story(
            FAULTS[k % len(FAULTS)], worst, start_s + SOUND * lasting_s, start_s + GROWN * lasting_s
        )
        yield member(spec, story, seed=SEED, start_s=start_s - 5 * DAY_S)


def history_of(one: Member, past: Past) -> PointHistory:
    """The past of a pump as training reads it from a historian."""
    n, story = len(past.ts_ns), one.story
    columns = {name: past.features[:, i] for i, name in enumerate(NAMES)}
    features = Table(
        past.ts_ns,
        *((one.spec.id,) * n, (POINT,) * n, ("H",) * n),
        columns={**columns, "speed_rpm": past.speed_rpm, "load_percent": past.load_percent},
    )
    states = Table(past.ts_ns[:1], (one.spec.id,), (POINT,), ("",), columns={"state": ("normal",)})
    point = one.spec.points[0]
    gathered = Gathering(SITE, one.spec, point, features_of(one.spec, point))
    gathered.add(features, states)
    end_s = float(past.ts_ns[-1] / 1e9) + 1.0
    labels = [Label(float(past.ts_ns[0] / 1e9), story.onset_s or end_s, HEALTHY, "verdict")]
    if story.fault is not None and story.onset_s is not None and story.worst_s is not None:
        told_s = story.onset_s + TOLD / story.severity * (story.worst_s - story.onset_s)
        labels.append(Label(told_s, end_s, story.fault.value, "verdict"))
    return gathered.history(labels=labels)


def fault_of(pump: PointHistory) -> str:
    """The fault that a pump has in the end."""
    return pump.labels[-1].fault


class _Classify:
    """A trained classifier, as it is after it was packed and loaded."""

    def __init__(self, loaded: bundle.Bundle) -> None:
        self._loaded = loaded

    def __call__(self, pump: PointHistory) -> Sequence[str]:
        return [str(label) for label in self._loaded.classify(pump).label]


def _trained(pumps: Sequence[PointHistory]) -> _Classify:
    trained = train_classifier(pumps, kind="pump", seed=SEED)
    if trained.parts is None:
        raise RuntimeError(f"no classifier was trained: {trained.refused}")
    return _Classify(bundle.load(bundle.pack(trained.parts, name="faults-pump")))


def _named(fault: str, right: str, told: Sequence[tuple[PointHistory, Sequence[str]]]) -> Named:
    pumps = blocks = blocks_right = 0
    answers: Counter[str] = Counter()
    for pump, labels in told:
        asked = [label for label, said in zip(labels, pump.faults(), strict=True) if said == fault]
        most = Counter(asked).most_common(1)[0][0]
        answers[most] += 1
        pumps += most == right
        blocks += len(asked)
        blocks_right += asked.count(right)
    return Named(fault, len(told), pumps, blocks, blocks_right, tuple(answers.most_common()))


def _calm(told: Sequence[tuple[PointHistory, Sequence[str]]]) -> Named:
    right = blocks = pumps = 0
    answers: Counter[str] = Counter()
    for pump, labels in told:
        running = np.asarray(pump.context.running)
        sound = (pump.faults() == HEALTHY) & running
        asked = [label for label, here in zip(labels, sound, strict=True) if here]
        answers.update(asked)
        blocks += len(asked)
        right += asked.count(HEALTHY)
        pumps += asked.count(HEALTHY) > len(asked) / 2
    return Named(HEALTHY, len(told), pumps, blocks, right, tuple(answers.most_common()))
