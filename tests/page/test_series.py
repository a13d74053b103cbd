"""Trends, spectra and values of a machine, read from a real historian."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from dashboards.console.series import (
    GROUPS,
    TREND_BUCKETS,
    ChannelRef,
    Trend,
    chart_limits,
    default_channel,
    judged_feature,
    markers,
    spectrum,
    trend,
    values,
)
from dashboards.console.snapshot import MachineData, SnapshotReader
from models.features.catalogue import NAMES
from models.types import Bearing, PointSpec
from palier.historian.base import Historian
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from tests.support.seeding import EVERY_NS, NOW_NS, NS, Series

SITE, PUMP = "khouribga", ChannelRef("1", "H")


@pytest.fixture
def historian(seeded: Path) -> Iterator[SqliteHistorian]:
    opened = SqliteHistorian(seeded)
    yield opened
    opened.close()


def velocity_trend(historian: Historian, machine: str = "P-101", seconds: int = 900) -> Trend:
    return trend(
        historian,
        measurement="feature",
        field="velocity_rms_mm_s",
        unit="mm/s",
        site=SITE,
        machine=machine,
        channel=PUMP,
        start_ns=NOW_NS - seconds * NS,
        end_ns=NOW_NS + NS,
    )


def test_a_trend_has_mean_low_and_high_in_order_of_time(historian: SqliteHistorian) -> None:
    found = velocity_trend(historian, seconds=86_400)
    assert 1 <= len(found.times_ns) <= TREND_BUCKETS
    assert list(found.times_ns) == sorted(found.times_ns)
    low, mean, high = (np.array(column, dtype=np.float64) for column in (found.low, found.mean, found.high))
    assert np.all(low <= mean + 1e-6)
    assert np.all(mean <= high + 1e-6)
    assert np.max(high) > np.min(low)  # a bucket of 3 minutes holds many blocks


def test_a_trend_of_nothing_is_empty(historian: SqliteHistorian) -> None:
    assert velocity_trend(historian, machine="X-1").times_ns == ()


def test_a_gap_breaks_the_line(historian: SqliteHistorian) -> None:
    ts = np.concatenate([np.arange(20), np.arange(60, 80)]).astype(np.int64) * EVERY_NS + NOW_NS - 600 * NS
    historian.write([Series(SITE, "G-1", "1", "H", ts).features(np.full(40, 2.0))])
    found = velocity_trend(historian, machine="G-1")
    assert found.mean.count(None) == 1
    at = found.times_ns[found.mean.index(None)]
    assert ts[19] < at < ts[20]


def test_the_last_spectrum_is_one_block_s(historian: SqliteHistorian) -> None:
    later = Series(SITE, "P-101", "1", "H", np.array([NOW_NS + 5 * NS])).spectrum(890.0, n=300)
    historian.write([later])
    point = PointSpec("1", ())
    found = spectrum(historian, site=SITE, machine="P-101", channel=PUMP, point=point)
    assert found is not None
    assert (found.ts_ns, len(found.frequency_hz), found.kind) == (NOW_NS + 5 * NS, 300, "velocity_mm_s")
    assert np.all(np.diff(np.array(found.frequency_hz, dtype=np.float64)) > 0)


def test_a_channel_without_a_spectrum_or_values_has_none(historian: SqliteHistorian) -> None:
    assert spectrum(historian, site=SITE, machine="X-1", channel=PUMP, point=None) is None
    assert values(historian, site=SITE, machine="X-1", channel=PUMP) is None


def test_values_are_those_of_the_newest_block(historian: SqliteHistorian) -> None:
    found = values(historian, site=SITE, machine="B-501", channel=PUMP)
    assert found is not None
    assert found.ts_ns == NOW_NS
    assert found.speed_rpm == 8000
    assert found.values[0].name == "velocity_rms_mm_s"


def test_every_feature_stands_once_under_a_heading(historian: SqliteHistorian) -> None:
    found = values(historian, site=SITE, machine="P-101", channel=PUMP)
    assert found is not None
    assert sorted(row.name for row in found.values) == sorted(NAMES)
    headings = [group for group, _ in groupby(found.values, key=lambda row: row.group)]
    assert headings == list(GROUPS)
    of = {row.name: row.group for row in found.values}
    assert (of["displacement_pp_um"], of["crest_factor"], of["kurtosis_500_1000"]) == (
        "velocity",
        "acceleration",
        "bands",
    )
    assert (of["order_1x_mm_s"], of["belt_mm_s"], of["mesh_1x_m_s2"], of["cepstrum_driving"]) == (
        "shaft",
        "shaft",
        "gear",
        "gear",
    )
    assert (of["bpfo_m_s2"], of["ftf_modulation"], of["envelope_rms_m_s2"], of["spikes"]) == (
        "bearing",
        "bearing",
        "bearing",
        "sensor",
    )


def test_markers_follow_the_shaft_and_its_bearing_and_need_a_speed() -> None:
    point = PointSpec("1", (), bearing=Bearing("x", 3.5, 5.5, 2.3, 0.4, "test"))
    found = {(mark.name, mark.harmonic): mark.frequency_hz for mark in markers(1500.0, point, 200.0)}
    assert found["1×", 1] == 25.0
    assert found["bpfo", 2] == pytest.approx(175.0)
    assert ("bpfi", 2) not in found  # 275 Hz is beyond the spectrum
    assert markers(None, point, 1000.0) == ()


def test_a_slow_machine_is_looked_at_from_two_hertz_on() -> None:
    limits = load_limits()["iso20816-3:g1:rigid"]
    assert judged_feature(limits, 300.0) == "velocity_rms_low_mm_s"
    assert judged_feature(limits, 1500.0) == "velocity_rms_mm_s"
    assert judged_feature(None, 300.0) == "velocity_rms_mm_s"


def test_limits_are_drawn_behind_their_own_quantity_only() -> None:
    limits = load_limits()["iso20816-3:g1:rigid"]
    drawn = chart_limits(limits, "velocity_rms_mm_s")
    assert drawn is not None
    assert drawn.values == limits.values
    assert chart_limits(limits, "kurtosis") is None
    assert chart_limits(None, "velocity_rms_mm_s") is None


def test_the_channel_that_shakes_most_is_shown_first(historian: SqliteHistorian) -> None:
    data = SnapshotReader(SITE).read(historian).machines["P-101"]
    assert default_channel((ChannelRef("2", "H"), PUMP), data) == PUMP
    assert default_channel((), MachineData()) is None


def test_a_snapshot_tells_interval_and_small_trend(historian: SqliteHistorian) -> None:
    data = SnapshotReader(SITE).read(historian).machines["V-301"]
    assert data.interval_ns[""] == EVERY_NS
    assert len(data.spark) == 60
    assert data.states[""].zone is None
    assert data.newest_ns == NOW_NS


def test_what_changes_only_with_a_new_row_is_not_read_again(historian: SqliteHistorian) -> None:
    class Counting:
        """Counts `read`; passes the rest on."""

        def __init__(self) -> None:
            self.reads = 0

        def __getattr__(self, name: str) -> object:
            if name == "read":
                self.reads += 1
            return getattr(historian, name)

    counting, reader = Counting(), SnapshotReader(SITE)
    first = reader.read(counting)  # type: ignore[arg-type]
    reads = counting.reads
    assert reads > 0
    assert reader.read(counting) == first  # type: ignore[arg-type]
    assert counting.reads == reads
