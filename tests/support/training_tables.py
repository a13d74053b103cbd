"""`python -m tests.support.training_tables`: the tables of docs/training.md anew (some ten minutes)."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from models import bundle
from models.training.dataset import PointHistory
from models.training.detectors import BUILT_IN
from models.training.fit import train_classifier, train_detector
from models.training.threshold import calibrate, episodes, standing
from simulators.faults import FaultKind
from tests.support import faulty_fleet
from tests.support.histories import A_DAY, healthy, worse

MACHINES, LEARNED, FRESH = 8, 30, 60
FAULT = ("band_1000_2500_m_s2", "envelope_rms_m_s2")
FAULTS = (
    "outer_ring", "inner_ring", "rolling_element", "lubrication", "unbalance", "misalignment",
    "rotating_looseness", "cavitation", "blocked_vane", "belt",
)  # fmt: skip


def detector_row(name: str, per: str) -> str:
    """False alerts a machine and month in fresh healthy time, and faults found, of a detector."""
    full = [
        healthy(LEARNED + FRESH, machine=f"M-{k}", channels=("H", "V"), seed=1, memory=0.9)
        for k in range(MACHINES)
    ]
    learned = [history.rows(slice(0, LEARNED * A_DAY)) for history in full]
    trained = train_detector(learned, name, per="kind" if per == "kind" else "point")
    if trained.parts is None:
        return f"| {name} | {per} | refused: {trained.refused[0].refusal.reason} |"
    files = bundle.pack(trained.parts, name=name)
    model = bundle.load(files)
    later = [h.rows(slice(LEARNED * A_DAY, None)) for h in full if h.place in model.places]
    alerts = sum(episodes(_standing(model, history)) for history in later)
    found = [np.mean([_found(model, h, factor) for h in later]) for factor in (1.5, 2.0, 3.0)]
    months = len(later) * FRESH / 30
    size = sum(map(len, files.values())) / 1e6
    shares = " | ".join(f"{share:.0%}" for share in found)
    return f"| {name} | {per} | {len(later)} | {alerts / months:.2f} | {shares} | {size:.1f} MB |"


def _standing(model: bundle.Bundle, history: PointHistory) -> np.ndarray:
    said = model.score(history)
    return standing(said.score, said.threshold, history.time_s)


def _found(model: bundle.Bundle, history: PointHistory, factor: float) -> bool:
    """Whether an alert stands for most of the two days after two features have risen."""
    stands = _standing(model, worse(history, 1000, factor, *FAULT))
    return bool(stands[1000 : 1000 + 2 * A_DAY].mean() > 0.5)


def classifier_row(seeds: tuple[int, ...], machines: int) -> str:
    """Machines held out that are named, and faults held out that are unidentified."""
    kinds = [FaultKind(name) for name in FAULTS]
    histories = [
        replace(history, machine=f"{seed}-{history.machine}")
        for seed in seeds
        for history in faulty_fleet.histories(kinds, machines, seed)
    ]
    report = train_classifier(histories).report
    unseen = report["unseen_unidentified"]
    worst = min(unseen, key=unseen.__getitem__)
    return (
        f"| {' and '.join(map(str, seeds))} | {machines * len(seeds)} | {report['named']:.1%} | "
        f"{report['healthy']:.1%} | {np.mean([*unseen.values()]):.1%} | {worst} {unseen[worst]:.0%} |"
    )


def calibration_row(days: int, memory: float, power: float, draws: int = 100) -> str:
    """False alerts a month in 60 fresh days, by thresholds of `days` of scores that remember themselves; a
    `power` above 1 makes their tail heavier than a normal one."""
    rng = np.random.default_rng([days, round(100 * memory), round(10 * power)])
    alerts = []
    for _ in range(draws):
        noise = rng.normal(size=(days + FRESH) * A_DAY + 3000) * np.sqrt(1 - memory**2)
        raw = np.asarray(lfilter([1.0], [1.0, -memory], noise)[3000:], dtype=np.float64)
        raw = np.sign(raw) * np.abs(raw) ** power
        time_s = 600.0 * np.arange(len(raw), dtype=np.float64)
        limit = calibrate([(time_s[: days * A_DAY], raw[: days * A_DAY])])
        if limit is not None:
            later = slice(days * A_DAY, None)
            alerts.append(episodes(standing(limit.of(raw[later]), limit.value, time_s[later])))
    return f"| {days} | {memory:g} | {power:g} | {np.mean(alerts) * 30 / FRESH:.2f} |"


def main() -> None:
    """All tables."""
    for power in (1.0, 1.5):
        for memory in (0.7, 0.95, 0.99):
            for days in (7, 14, 30):
                sys.stdout.write(calibration_row(days, memory, power) + "\n")
                sys.stdout.flush()
    for name in BUILT_IN:
        for per in ("point", "kind"):
            sys.stdout.write(detector_row(name, per) + "\n")
            sys.stdout.flush()
    for seeds in ((1,), (2,), (1, 2), (3,), (4,), (3, 4), (5,), (6,), (5, 6), (7,), (8,), (7, 8)):
        sys.stdout.write(classifier_row(seeds, 12) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
