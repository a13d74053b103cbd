"""What people are told of the host's disk: before it is full, with the days left, and when it is well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ingest.disk import DAYS_AHEAD, LOOK_S, OVER_S, SAMPLE_S, Disk
from ingest.metrics import DiskCollector
from ingest.stores import OpenStores, open_stores
from palier.historian.budgets import GIBIBYTE, Budgets
from palier.historian.rows import RecordsBatch, Transition
from palier.historian.space import Space
from tests.support.alarms import SITE

HOST = f"{SITE}/palier"
GB = 10**9
DAY_S = 86_400.0


@dataclass
class Host:
    """A host whose disk and clock a test sets."""

    stores: OpenStores
    free: int = 100 * GB
    now_s: float = 1e9
    said: list[tuple[Mapping[str, float | None], bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.stores.waveforms._folder
        space = Space(folder, 2 * GB, free=lambda _: self.free, monotonic_s=lambda: self.now_s)
        self.stores = replace(self.stores, space=space)
        self.begin()

    def begin(self) -> None:
        """The ingest starts."""
        self.disk = Disk(
            self.stores, self.say, host=HOST, wall_s=lambda: self.now_s, monotonic_s=lambda: self.now_s
        )

    def say(self, edge: str, kind: str, detail: Mapping[str, float | None], active: bool) -> None:
        assert (edge, kind) == (HOST, "disk")
        self.said.append((detail, active))

    def after(self, seconds: float, free: int) -> tuple[Mapping[str, float | None], bool]:
        self.now_s += seconds
        self.free = free
        self.disk.turn()
        return self.said[-1]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_stores(tmp_path / "data", GIBIBYTE) as stores:
        yield Host(stores)


def test_all_is_well_is_said_too(host: Host) -> None:
    assert host.after(0, 100 * GB) == ({}, False)
    host.disk.turn()
    assert len(host.said) == 1, f"looked at every {LOOK_S} s"


def test_the_days_left_are_told_two_weeks_ahead_and_over_restarts(host: Host) -> None:
    host.after(0, 100 * GB)
    assert host.after(DAY_S, 98 * GB) == ({}, False), f"48 days, more than {DAYS_AHEAD}"
    host.begin()
    told, active = host.after(DAY_S, 80 * GB)  # in two days twenty GB: (80 - 2) / 10
    assert (told, active) == ({"days": 8, "free_gb": 80.0}, True)
    assert host.after(10 * DAY_S, 100 * GB) == ({}, False)


def test_a_disk_that_is_short_or_full_is_told_as_such(host: Host) -> None:
    assert host.after(0, 1_900_000_000) == ({"stopped": None, "free_gb": 1.9}, True)
    assert host.after(LOOK_S, 100_000_000) == ({"full": None, "free_gb": 0.1}, True)
    assert host.after(LOOK_S, 10 * GB) == ({}, False)


def test_a_budget_that_does_not_hold_is_told(host: Host) -> None:
    many = tuple(
        Transition(f"i{k}", SITE, "m", "", "", k, "intervention", "done", "", "x" * 2000) for k in range(2000)
    )
    host.stores.records.commit(RecordsBatch(transitions=many))
    host.stores = replace(host.stores, budgets=Budgets(records_bytes=1_000_000))
    host.begin()
    assert host.after(0, 100 * GB) == ({}, False)
    assert host.after(OVER_S / 2, 100 * GB) == ({}, False)
    assert host.after(OVER_S / 2, 100 * GB) == ({"records_gb": 0.1, "free_gb": 100.0}, True)
    assert host.stores.make_room(10**18) == 0, "what people did is never let go of"


def test_a_sample_is_kept_each_hour(host: Host) -> None:
    for _ in range(4):
        host.after(SAMPLE_S / 2, 100 * GB)
    (text,) = host.stores.records.states(SITE, "host/disk").values()
    assert len(json.loads(text)) == 2
    assert host.stores.in_force()[0] == {}


def test_what_stands_over_the_budgets_goes_in_steps(host: Host) -> None:
    many = tuple(Transition(f"e{k}", SITE, "m", "", "", k, "state", "x", "", "x" * 2000) for k in range(1200))
    host.stores.records.commit(RecordsBatch(transitions=many))
    stores = replace(host.stores, budgets=Budgets(records_bytes=500_000))
    steps = []
    while gone := stores.make_room(10**18):
        steps.append(gone)
    assert steps[0] == 500
    assert stores.records.used_bytes() <= 500_000


def test_the_metrics_tell_what_is_held_and_what_is_allowed(host: Host) -> None:
    collector = DiskCollector(host.disk)
    assert list(collector.collect()) == []
    host.after(0, 7 * GB)
    told = {sample.name: sample for metric in collector.collect() for sample in metric.samples}
    assert told["palier_ingest_disk_free_bytes"].value == 7 * GB
    budgets = {
        sample.labels["store"]: sample.value
        for metric in collector.collect()
        for sample in metric.samples
        if sample.name == "palier_ingest_store_budget_bytes"
    }
    assert budgets == {"historian": 64 * GIBIBYTE, "records": 4 * GIBIBYTE, "waveforms": GIBIBYTE}


def test_a_forecast_at_its_bound_does_not_come_and_go(host: Host) -> None:
    host.after(0, 100 * GB)
    host.after(DAY_S, 96 * GB)
    said = [host.after(LOOK_S, free)[1] for free in (57 * GB, 59 * GB, 57 * GB, 59 * GB)]
    assert said == [True] * 4, "14 days of 4 GB, and 2 GB of reserve: 58 GB"
    assert host.after(LOOK_S, 80 * GB) == ({}, False)
