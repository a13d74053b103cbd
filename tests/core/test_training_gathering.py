"""From the rows of a historian to the blocks of a point: what is kept, refused, in alarm, known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.features.catalogue import NAMES
from models.training.dataset import Label, PointHistory
from models.training.gathering import FEATURE, Gathering, features_of, measured_hz, velocity_of
from models.types import ChannelSpec, MachineSpec, PointSpec, Quantity

T0_NS = 1_790_000_040 * 10**9  # two minutes begin here
MINUTE_NS = 60 * 10**9


@dataclass
class Rows:
    ts_ns: np.ndarray[Any, np.dtype[np.int64]]
    channel: tuple[str, ...]
    columns: dict[str, Any]


POINT = PointSpec(
    "1",
    (
        ChannelSpec("H", Quantity.ACCELERATION, "m/s²", "H", 25600.0, 102400),
        ChannelSpec("V", Quantity.ACCELERATION, "m/s²", "V", 25600.0, 102400),
        ChannelSpec("T", Quantity.TEMPERATURE, "°C"),
    ),
)
MACHINE = MachineSpec("P-1", (POINT,), kind="pump", speed_rpm=1500.0, speed_source="frame")
QUIET = {"clipped_fraction": 0.0, "longest_hold": 2.0, "spikes": 0.0, "ski_slope": 0.0, "ski_ratio": 1.0}


def features(minutes: list[float], channels: tuple[str, ...] = ("H", "V"), **values: float) -> Rows:
    """A row a channel at each of these minutes."""
    n = len(minutes) * len(channels)
    ts = np.repeat([T0_NS + round(m * MINUTE_NS) for m in minutes], len(channels)).astype(np.int64)
    columns = {name: np.full(n, {**QUIET, **values}.get(name, 2.0)) for name in NAMES}
    columns |= {"speed_rpm": np.full(n, values.get("speed_rpm", 1500.0))}
    if "load_percent" in values:
        columns["load_percent"] = np.full(n, values["load_percent"])
    return Rows(ts, channels * len(minutes), columns)


def states(*told: tuple[float, str]) -> Rows:
    ts = np.array([T0_NS + round(m * MINUTE_NS) for m, _ in told], dtype=np.int64)
    return Rows(ts, ("",) * len(told), {"state": tuple(state for _, state in told)})


def gathered(*spans: tuple[Any, ...], apart_s: float = 120.0) -> PointHistory:
    one = Gathering("site", MACHINE, POINT, features_of(MACHINE, POINT), apart_s)
    for span in spans:
        one.add(*span)
    return one.history()


def test_a_history_has_every_feature_of_each_channel_and_what_is_watched() -> None:
    history = gathered((features([0, 10, 20]), states()))
    assert len(history) == 3
    assert history.names[0] == f"H/{NAMES[0]}"
    assert history.names[-1] == "T/temperature_c"
    assert len(history.names) == 2 * len(NAMES) + 1
    assert history.judged[:2] == ("H/velocity_rms_mm_s", "H/acceleration_rms_m_s2")
    assert history.channels == ("H", "V")
    assert (history.fs_hz, history.n_samples, history.kind) == (25600.0, 102400, "pump")
    assert history.context.running.all()


def test_a_block_that_is_refused_is_unknown_and_one_in_doubt_has_its_shaft_levels() -> None:
    stuck = gathered((features([0], longest_hold=99.0), states()))
    assert len(stuck) == 0  # nothing of it is known
    spiking = gathered((features([0], spikes=50.0), states()))
    known = dict(zip(spiking.names, ~np.isnan(spiking.x[0]), strict=True))
    assert known["H/velocity_rms_mm_s"]
    assert not known["H/kurtosis"]


def test_of_blocks_within_two_minutes_the_one_to_learn_from_is_kept() -> None:
    rows = features([0.0, 0.5, 1.0, 10.0])
    rows.columns["speed_rpm"][:2] = 0.0  # at rest
    rows.columns["kurtosis"][2:4] = np.nan  # less is known of the second
    history = gathered((rows, states()))
    assert ((history.time_s - T0_NS / 1e9) / 60).tolist() == [1.0, 10.0]
    every = gathered((rows, states()), apart_s=0.0)
    assert len(every) == 4
    assert every.context.running.tolist() == [False, False, True, True]


def test_a_state_holds_over_spans_until_the_next_is_told() -> None:
    history = gathered(
        (features([0, 10]), states((-5, "normal"), (5, "alert"))),
        (features([20, 30]), states((25, "watch"))),
    )
    assert history.context.in_alarm.tolist() == [False, True, True, False]


def test_load_and_temperature_are_taken_where_they_are_known() -> None:
    heat = Rows(
        np.array([T0_NS - MINUTE_NS, T0_NS + 5 * MINUTE_NS]), ("T", "T"), {"value": np.array([50.0, 55.0])}
    )
    history = gathered(
        (features([0, 10], load_percent=70.0), states(), heat),
        (features([60, 90]), states(), Rows(np.empty(0, np.int64), (), {"value": np.empty(0)})),
    )
    assert history.x[:, history.names.index("T/temperature_c")].tolist()[:3] == [50.0, 55.0, 55.0]
    assert np.isnan(history.x[3, -1])  # it is older than an hour
    assert history.context.load[:2].tolist() == [70.0, 70.0]
    assert np.isnan(history.context.load[2:]).all()


def test_levels_are_of_what_may_be_learned_from() -> None:
    one = Gathering("site", MACHINE, POINT, ())
    one.add(features([0, 10, 20], kurtosis=3.0), states())
    one.add(features([30, 40], kurtosis=9.0), states((25, "alert")))
    assert one.levels()[0, FEATURE["kurtosis"]] == 3.0
    assert np.isnan(one.levels((T0_NS / 1e9,))).all()  # the day after an intervention


def test_a_nominal_speed_is_no_measurement() -> None:
    fixed = replace(MACHINE, speed_source="fixed")
    assert np.isnan(measured_hz(fixed, POINT, 25.0))
    assert measured_hz(fixed, POINT, 24.5) == 24.5
    assert np.isnan(measured_hz(MACHINE, POINT, None))
    assert velocity_of(MACHINE, POINT, None) == "velocity_rms_mm_s"


def test_a_digest_tells_data_apart_and_columns_are_taken_in_order() -> None:
    history = gathered((features([0, 10]), states()))
    assert history.digest() == gathered((features([0, 10]), states())).digest()
    label = Label(0.0, 1.0, "unbalance", "verdict")
    assert history.digest() != replace(history, labels=(label,)).digest()
    two = history.columns(("V/kurtosis", "H/kurtosis"))
    assert two.names == two.judged[::-1] == ("V/kurtosis", "H/kurtosis")
    with pytest.raises(ValueError, match="no columns"):
        history.columns(("Z/kurtosis",))
