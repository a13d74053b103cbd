"""The commit: its order, what it does when a step fails, and what it does with a frame that can't be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.batch import Batch, WorkFrame
from ingest.commit import Stores
from ingest.failpoints import POINTS, Failpoints
from ingest.knowledge import Knowledge
from ingest.probation import ATTEMPTS, LASTS_S, Probation
from ingest.scoring import Scored
from palier.frames import QUALITY_BAD, FrameId, Waveform
from palier.historian.base import Rows, Unavailable, WriteReport
from palier.historian.records import Records
from palier.historian.rows import Verdict
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.committing import SECOND, T0, AtOnce, Fakes, batch, committer, work
from tests.support.gateway import EPOCH, readings, waveform


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


def ids(*seqs: int) -> tuple[FrameId, ...]:
    return tuple(FrameId("usine/g1", EPOCH, seq) for seq in seqs)


def rows_of(fakes: Fakes, measurement: str) -> int:
    return sum(len(rows) for rows in fakes.written if rows.measurement == measurement)


def test_waveforms_then_series_then_records(plant: Plant, fakes: Fakes) -> None:
    committer(plant, fakes).commit(batch(work(1), work(2)))
    assert fakes.log == ["append", "append", "sync", "series", "records"]
    assert fakes.batches[0].stored == ids(1, 2)
    assert [row.frame for row in fakes.batches[0].waveforms] == list(ids(1, 2))


def test_what_is_the_matter_with_a_sensor_is_counted_once_the_block_is_stored(
    plant: Plant, fakes: Fakes
) -> None:
    samples = waveform(T0).samples.copy()
    samples[0, 100::500] = 20_000
    job, one = committer(plant, fakes), batch(work(1, replace(waveform(T0), samples=samples)))
    fakes.down = {"records"}
    with pytest.raises(Unavailable):
        job.commit(one)
    assert not job.doubts.counts
    fakes.down.clear()
    job.commit(one)
    assert job.doubts.counts == {("spikes", False): 1}


def test_each_place_can_be_held_before_its_step(plant: Plant, fakes: Fakes) -> None:
    points = Failpoints(dict.fromkeys(POINTS, 1.0), sleep=lambda _: fakes.log.append("sleep"))
    committer(plant, fakes, failpoints=points).commit(batch(work(1)))
    assert fakes.log == ["sleep", "append", "sync", "sleep", "series", "sleep", "records"]


@pytest.mark.parametrize("down", ["append", "sync", "series", "records"])
def test_a_store_that_fails_lets_the_batch_be_tried_again(plant: Plant, fakes: Fakes, down: str) -> None:
    host = committer(plant, fakes)
    one = batch(work(1, waveform(T0, velocity_mm_s=12.0)))
    fakes.down = {down}
    for _ in range(3):
        with pytest.raises(Unavailable):
            host.commit(one)
        assert host.in_force == {}
    assert fakes.batches == []
    fakes.down = set()
    host.commit(one)
    assert fakes.batches[0].stored == ids(1)
    assert [t.kind for t in fakes.batches[0].transitions] == ["state", "state", "alarm"]


def test_waveforms_are_not_written_again_when_only_the_series_failed(plant: Plant, fakes: Fakes) -> None:
    host, one = committer(plant, fakes), batch(work(1))
    fakes.down = {"series"}
    for _ in range(5):
        with pytest.raises(Unavailable):
            host.commit(one)
    assert fakes.log.count("append") == 1


def test_waveforms_are_written_again_when_they_did_not_become_durable(plant: Plant, fakes: Fakes) -> None:
    host, one = committer(plant, fakes), batch(work(1))
    fakes.down = {"sync"}
    with pytest.raises(Unavailable):
        host.commit(one)
    fakes.down = set()
    host.commit(one)
    assert fakes.log.count("append") == 2


def poisoned(host: AtOnce, *seqs: int, with_error: BaseException) -> AtOnce:
    """The committer, whose scoring fails as soon as one of these frames is in it."""
    score = host._scorer.score

    def fails(works: Sequence[WorkFrame]) -> list[Scored]:
        if any(w.id is not None and w.id.seq in seqs for w in works):
            raise with_error
        return score(works)

    host._scorer.score = fails  # type: ignore[method-assign]
    return host


def test_a_frame_that_cannot_be_scored_is_found_among_fifty(plant: Plant, fakes: Fakes) -> None:
    frames = [work(seq) for seq in range(1, 51)]
    host = poisoned(committer(plant, fakes), 23, with_error=ValueError("of this test"))
    moved = host.commit(batch(*frames))
    assert [(row.frame, row.reason) for row in moved] == [(ids(23)[0], "scoring_failed")]
    assert set(fakes.batches[0].stored) == set(ids(*range(1, 51))) - set(ids(23))
    assert fakes.batches[0].quarantine == moved
    assert rows_of(fakes, "feature") == 49


def test_a_batch_of_nothing_but_poison_is_dealt_with(plant: Plant, fakes: Fakes) -> None:
    host = poisoned(committer(plant, fakes), *range(1, 9), with_error=ValueError("of this test"))
    moved = host.commit(batch(*(work(seq) for seq in range(1, 9))))
    assert len(moved) == 8
    assert fakes.batches[0].stored == ()


def test_a_spectrum_is_kept_at_first_on_a_change_and_at_its_interval(plant: Plant, fakes: Fakes) -> None:
    host = committer(plant, fakes)

    def spectra(second: int, velocity: float) -> int:
        before = rows_of(fakes, "spectrum")
        block = waveform(T0 + second * SECOND, velocity_mm_s=velocity)
        host.commit(batch(work(second + 1, block)))
        return rows_of(fakes, "spectrum") - before

    assert 0 < spectra(0, 1.0) <= 400
    assert spectra(1, 1.0) == 0
    assert spectra(2, 12.0) > 0
    assert spectra(3, 12.0) == 0
    assert spectra(3602, 12.0) > 0


@pytest.mark.parametrize(
    "block",
    [
        replace(waveform(T0), samples=np.zeros((1, 8), "<i2")),
        replace(waveform(T0), samples=np.full((1, 64), np.nan, "<f4")),
        waveform(T0, unit="unknown", machine="inconnue"),
        waveform(T0, n=16),
        replace(waveform(T0, n=8), quality=(QUALITY_BAD,)),
        replace(waveform(T0), samples=np.full((1, 64), np.nan, "<f4"), quality=(QUALITY_BAD,)),
    ],
    ids=["short", "not_finite", "no_unit", "shortest", "short_and_bad", "not_finite_and_bad"],
)
def test_odd_blocks_are_stored_like_others(plant: Plant, fakes: Fakes, block: Waveform) -> None:
    assert committer(plant, fakes).commit(batch(work(1, block))) == ()
    assert fakes.batches[0].stored == ids(1)


# With the real stores ------------------------------------------------------------------------------------


@pytest.fixture
def historian(tmp_path: Path) -> Iterable[SqliteHistorian]:
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    yield store
    store.close()


@pytest.fixture
def records(tmp_path: Path) -> Iterable[Records]:
    store = Records(tmp_path / "records.sqlite")
    yield store
    store.close()


@pytest.fixture
def real(plant: Plant, fakes: Fakes, historian: SqliteHistorian, records: Records) -> AtOnce:
    return AtOnce(
        Stores(historian, records, fakes),
        Knowledge(plant, load_limits()),
        spectrum_interval_s=3600.0,
        wall_ns=lambda: T0,
    )


def test_a_second_block_of_the_same_time_is_put_aside_and_changes_nothing(
    real: AtOnce, historian: SqliteHistorian, records: Records
) -> None:
    real.commit(batch(work(1, waveform(T0, velocity_mm_s=1.0))))
    moved = real.commit(batch(work(2, waveform(T0, velocity_mm_s=12.0)), work(3)))
    assert [(row.frame, row.reason) for row in moved] == [(ids(2)[0], "conflict")]
    assert records.ranges("usine/g1", EPOCH, Verdict.STORED) == ((1, 1), (3, 3))
    assert records.ranges("usine/g1", EPOCH, Verdict.QUARANTINED) == ((2, 2),)
    table = historian.read("feature", ("velocity_rms_mm_s",), site="usine")
    assert np.allclose(table.columns["velocity_rms_mm_s"], 1.0, rtol=0.01)  # type: ignore[arg-type]
    assert str(real.in_force["usine", "pompe"].judgement.state) == "normal"


def test_two_blocks_of_the_same_time_in_one_batch(real: AtOnce, records: Records) -> None:
    moved = real.commit(
        batch(work(1, waveform(T0, velocity_mm_s=1.0)), work(2, waveform(T0, velocity_mm_s=12.0)))
    )
    assert [row.frame for row in moved] == list(ids(2))
    assert records.ranges("usine/g1", EPOCH, Verdict.STORED) == ((1, 1),)


def test_a_batch_done_twice_is_as_one_done_once(
    plant: Plant, fakes: Fakes, historian: SqliteHistorian, records: Records
) -> None:
    frames = (
        work(1, waveform(T0, velocity_mm_s=1.0)),
        work(2, waveform(T0 + SECOND, velocity_mm_s=12.0)),
        work(3, readings(T0, "p1/t", [60.0, 61.0])),
    )
    for _ in range(2):  # as after a crash before the acknowledgement: a new process, the same frames
        host = AtOnce(
            Stores(historian, records, fakes),
            Knowledge(plant, load_limits()),
            spectrum_interval_s=3600.0,
            wall_ns=lambda: T0,
        )
        assert host.commit(Batch(frames=frames)) == ()
    for measurement, n in (("feature", 2), ("reading", 2), ("event", 4)):
        fields = {"feature": "frame", "reading": "frame", "event": "event_id"}
        assert len(historian.read(measurement, (fields[measurement],), site="usine")) == n
    assert records.ranges("usine/g1", EPOCH, Verdict.STORED) == ((1, 3),)
    assert [len(records.transitions(kind=kind)) for kind in ("state", "alarm")] == [4, 1]


# After a run that did not end well ------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def test_the_frame_that_ends_the_process_is_put_aside_after_its_third_time(
    plant: Plant, fakes: Fakes
) -> None:
    """Each run scores until it comes to the deadly frame; only that frame's count grows."""
    frames = [work(seq) for seq in range(1, 6)]

    def lives() -> bool:
        host = committer(plant, fakes, probation=Probation(fakes, Clock()))
        try:
            poisoned(host, 3, with_error=SystemExit("the process ends here")).commit(batch(*frames))
        except SystemExit:
            return False
        return True

    lived = [lives() for _ in range(ATTEMPTS + 1)]
    assert lived == [False] * ATTEMPTS + [True]
    told = [(row.frame, row.reason) for done in fakes.batches for row in done.quarantine]
    assert told == [(frames[2].id, "deadly")]
    assert {frame for done in fakes.batches for frame in done.stored} == set(ids(1, 2, 4, 5))


def test_so_is_the_frame_that_ends_it_while_its_rows_are_written(
    plant: Plant, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [work(seq) for seq in range(1, 6)]
    write = fakes.write

    def dies(batch: Sequence[Rows]) -> list[WriteReport]:
        if any(frames[2].text in rows.fields["frame"] for rows in batch if rows.measurement == "feature"):
            raise SystemExit("the process ends here")
        return write(batch)

    monkeypatch.setattr(fakes, "write", dies)

    def lives() -> bool:
        host = committer(plant, fakes, probation=Probation(fakes, Clock()))
        try:
            host.commit(batch(*frames))
        except SystemExit:
            return False
        return True

    lived = [lives() for _ in range(ATTEMPTS + 1)]
    assert lived == [False] * ATTEMPTS + [True]
    assert [row.frame for done in fakes.batches for row in done.quarantine] == [frames[2].id]
    assert {frame for done in fakes.batches for frame in done.stored} == set(ids(1, 2, 4, 5))


def test_a_frame_put_aside_while_it_was_worked_on_alone_is_told(plant: Plant, fakes: Fakes) -> None:
    fakes.counts = dict.fromkeys(ids(2), 1)
    host = committer(plant, fakes, probation=Probation(fakes, Clock()))
    moved = poisoned(host, 2, with_error=ValueError("of this test")).commit(batch(work(1), work(2)))
    assert [(row.frame, row.reason) for row in moved] == [(ids(2)[0], "scoring_failed")]
    assert [row.frame for done in fakes.batches for row in done.quarantine] == list(ids(2))
    assert [done.stored for done in fakes.batches] == [(), ids(1)]


def test_a_store_that_is_down_is_nobodys_fault(plant: Plant, fakes: Fakes) -> None:
    host, one = committer(plant, fakes, probation=Probation(fakes, Clock())), batch(work(1))
    fakes.down = {"series"}
    with pytest.raises(Unavailable):
        host.commit(one)
    assert fakes.counts == {}


def test_probation_ends(plant: Plant, fakes: Fakes) -> None:
    clock = Clock()
    host = committer(plant, fakes, probation=Probation(fakes, clock))
    clock.s = LASTS_S
    host.commit(batch(work(1)))
    fakes.counts.clear()
    host.commit(batch(work(2)))
    assert fakes.counts == {}
