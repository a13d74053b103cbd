"""One message that is a storm by itself: ten thousand numbers of as many times, or names without end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from ingest.admission import MAX_TABLES, NEW_PER_HOUR
from ingest.batch import Batch
from ingest.quarantine import TOO_MANY_NEW
from palier.frames import Readings
from palier.plant import load_plant
from palier.wire.payload import DataType, Metric, Payload, encode
from palier.wire.topics import Kind
from tests.host.conftest import PLANT
from tests.support.pipeline_bench import SECOND, T0, Bench, commits

NUMBERS: Final = 9_000
NAMES: Final = ("p1/t", "p1/u")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT, encoding="utf-8")
    return Bench(load_plant(path))


def told(bench: Bench, metrics: tuple[Metric, ...]) -> Batch:
    """What becomes of a message of a node that was born with these metrics."""
    at_ms = T0 // 1_000_000
    bench.message(Kind.NBIRTH, encode(Payload(at_ms, (Metric("bdSeq", DataType.INT64, 0),), 0)))
    bench.message(Kind.DBIRTH, encode(Payload(at_ms, metrics[:400], 1)), device="presse")
    effects = bench.message(Kind.DDATA, encode(Payload(at_ms, metrics, 2)), device="presse") + bench.empty()
    batches = commits(effects)
    return Batch(
        frames=tuple(work for batch in batches for work in batch.frames),
        quarantine=tuple(row for batch in batches for row in batch.quarantine),
    )


def number(name: str, n: int) -> Metric:
    return Metric(name, DataType.DOUBLE, float(n), timestamp_ms=(T0 - 3600 * SECOND) // 1_000_000 + n)


def test_numbers_of_many_times_are_one_table(bench: Bench) -> None:
    batch = told(bench, tuple(number(NAMES[0], n) for n in range(NUMBERS)))
    (work,) = batch.frames
    assert isinstance(work.frame, Readings)
    assert work.frame.channels == NAMES[:1]
    assert work.frame.values[0].tolist() == list(range(NUMBERS))
    assert batch.quarantine == ()


def test_times_that_do_not_have_the_same_names_are_tables_of_their_own(bench: Bench) -> None:
    batch = told(bench, (number(NAMES[0], 1), number(NAMES[1], 1), number(NAMES[0], 2), number(NAMES[0], 3)))
    tables = [work.frame for work in batch.frames]
    assert [(table.channels, table.values.tolist()) for table in tables if isinstance(table, Readings)] == [
        (NAMES, [[1.0], [1.0]]),
        (NAMES[:1], [[2.0, 3.0]]),
    ]


def test_more_tables_than_a_message_can_mean_are_put_aside(bench: Bench) -> None:
    batch = told(bench, tuple(number(f"p{n % 400}/t", n) for n in range(NUMBERS)))
    assert len(batch.frames) == MAX_TABLES
    assert [row.reason for row in batch.quarantine] == ["size"]


def test_channels_without_end_of_a_point_that_is_known_find_no_room(bench: Bench) -> None:
    """Machine and point are the plant's, as whoever holds the account of a gateway knows them."""
    bench.born()
    names = tuple(f"p1/x{n}" for n in range(NEW_PER_HOUR + 1))
    table = Readings("pompe", names, np.array([T0]), np.ones((len(names), 1)), ("°C",) * len(names))
    (batch,) = commits(bench.frame(1, table) + bench.empty())
    assert [row.reason for row in batch.quarantine] == [TOO_MANY_NEW]
    (batch,) = commits(bench.frame(2) + bench.empty())  # what the plant knows has its room
    assert len(batch.frames) == 1
