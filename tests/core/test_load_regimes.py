"""A machine whose load swings: with the load its limits are tighter, and as calm; without it nothing changes.

The same over 20 machines and a month: `palier bench detection --only load`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.detection_load import compared
from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import Decision, Monitor
from models.detection.plain import baseline_to_arrays

Floats = npt.NDArray[np.float64]
BLOCK_S, LEARNED, JUDGED = 600.0, 1008, 300
NAMES = ("one", "two")


def test_the_load_makes_limits_tighter_and_no_false_alerts() -> None:
    told, untold = compared(4, 7, rising=1)
    assert told.false_a_month == untold.false_a_month == 0
    assert untold.limit / told.limit > 1.6
    assert told.delay.max() < 10
    assert np.median(untold.delay) > 30  # the fault hides behind the load


def machine(seed: int) -> tuple[Floats, Floats]:
    """Features (m, c), and a load (m,) that they follow."""
    rng = np.random.default_rng(seed)
    load = np.repeat(rng.uniform(30, 100, (LEARNED + JUDGED) // 12), 12)
    return np.exp(0.012 * load[:, None] + 0.08 * rng.standard_normal((len(load), len(NAMES)))), load


def learned(x: Floats, load: float | Floats) -> Baseline:
    found = Baseline.fit(x[:LEARNED], Context(BLOCK_S * np.arange(LEARNED), load=load), names=NAMES)
    assert isinstance(found, Baseline)
    return found


def judged(x: Floats, load: float | Floats, baseline: Baseline) -> Decision:
    monitor = Monitor(NAMES, [Part(baseline)])
    time_s = BLOCK_S * np.arange(LEARNED, len(x))[:, None]
    return monitor.run(monitor.start(), Blocks(time_s, x[LEARNED:, None], 25.0, load))[1]


def test_an_unknown_load_changes_nothing_to_the_last_bit() -> None:
    x, load = machine(7)
    plain, told = learned(x, np.nan), learned(x, np.full(LEARNED, np.nan))
    for name, array in baseline_to_arrays(plain).items():
        np.testing.assert_array_equal(baseline_to_arrays(told)[name], array)
    # A load that comes only later stands beside a baseline that knows none.
    one, two = judged(x, np.nan, plain), judged(x, load[LEARNED:, None], plain)
    for name in Decision.__slots__:
        np.testing.assert_array_equal(getattr(two, name), getattr(one, name))


def test_a_load_that_nobody_has_seen_is_a_regime_of_its_own() -> None:
    x, load = machine(8)
    baseline = learned(x, load[:LEARNED])
    for strange in (load[LEARNED:, None] + 150, np.nan):
        far = judged(5 * x, strange, baseline)
        assert not far.level.any()
        assert not far.basis.any()
    assert judged(5 * x, load[LEARNED:, None], baseline).level.any()
