"""The records: one commit, all or nothing; ranges that never overlap; bounds that hold."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palier import ranges
from palier.frames import FrameId
from palier.historian.base import SchemaError, Unavailable
from palier.historian.records import (
    LedgerReceipt,
    QuarantineRow,
    Records,
    RecordsBatch,
    RecordsReader,
    StateRow,
    Transition,
    Verdict,
    WaveformRow,
)
from palier.historian.waveforms import WaveformRef
from palier.wire.fields import MAX_SEQ
from palier.wire.messages import LedgerReport
from tests.support.stores import SITE, frame_id

EDGE, EPOCH = frame_id(1).edge, frame_id(1).epoch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    store = Records(path)
    yield store
    store.close()


def stored(*seqs: int, edge: str = EDGE) -> RecordsBatch:
    return RecordsBatch(stored=tuple(frame_id(seq, edge=edge) for seq in seqs))


def bad(payload: bytes = b"?", frame: FrameId | None = None) -> QuarantineRow:
    return QuarantineRow(7, EDGE, "spBv1.0/usine/DDATA/gw-1/m", "decode", "it can't be read", payload, frame)


def transition(event_id: str, ts_ns: int) -> Transition:
    return Transition(event_id, SITE, "m", "p", "", ts_ns, "alarm", "alert", "normal", '{"value": 7.1}')


def index_row(
    seq: int, start_ns: int, *, segment: int = 0, offset: int = 0, alarm: bool = False
) -> WaveformRow:
    return WaveformRow(frame_id(seq), SITE, "m", "p", start_ns, WaveformRef(segment, offset, 10), alarm)


def report(seq: int, epoch: str = EPOCH) -> LedgerReport:
    return LedgerReport(epoch, seq, seq, ((1, 2, "cap"),), seq, 1)


def test_contiguous_frames_are_one_range(records: Records, path: Path) -> None:
    for batch in (stored(5, 3), stored(1, 2), stored(4), stored(9)):
        records.commit(batch)
    assert records.ranges(EDGE, EPOCH, Verdict.STORED) == ((1, 5), (9, 9))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM seen").fetchone() == (2,)


OUTBOXES = itertools.count()
SEQS = st.lists(st.integers(1, 40), max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SEQS, SEQS), max_size=6))
def test_the_first_verdict_stays_and_ranges_agree_with_sets(
    records: Records, batches: list[tuple[list[int], list[int]]]
) -> None:
    edge = f"usine/gw-{next(OUTBOXES)}"  # the store is shared by all examples
    expected: dict[int, Verdict] = {}
    for good, wrong in batches:
        rows = tuple(bad(frame=frame_id(seq, edge=edge)) for seq in wrong)
        records.commit(RecordsBatch(stored=stored(*good, edge=edge).stored, quarantine=rows))
        for seqs, verdict in ((good, Verdict.STORED), (wrong, Verdict.QUARANTINED)):
            for seq in seqs:
                expected.setdefault(seq, verdict)
    for verdict in Verdict:
        wanted = ranges.of(seq for seq, given in expected.items() if given is verdict)
        assert records.ranges(edge, EPOCH, verdict) == wanted
    assert records.seen(edge, EPOCH, range(42)) == expected


def test_edges_and_epochs_are_kept_apart(records: Records) -> None:
    other = FrameId("usine/gw-2", "fedcba9876543210", 1)
    records.commit(
        RecordsBatch(stored=(frame_id(1), other), ledgers=(LedgerReceipt("usine/gw-3", 5, report(0)),))
    )
    assert records.edges() == ((EDGE, EPOCH), (other.edge, other.epoch), ("usine/gw-3", EPOCH))
    assert records.ranges(EDGE, other.epoch, Verdict.STORED) == ()


def test_a_commit_is_all_or_nothing(records: Records) -> None:
    broken = StateRow(SITE, "k", object())  # type: ignore[arg-type]
    with pytest.raises(SchemaError):
        records.commit(RecordsBatch(stored=(frame_id(1),), states=(broken,)))
    assert records.ranges(EDGE, EPOCH, Verdict.STORED) == ()


def test_states_in_force_are_replaced_and_taken_away(records: Records) -> None:
    records.commit(RecordsBatch(states=(StateRow("a", "m/p", '{"n": 1}'), StateRow("b", "m", "{}"))))
    records.commit(RecordsBatch(states=(StateRow("a", "m/p", '{"n": 2}'), StateRow("b", "m", None))))
    assert records.states() == {("a", "m/p"): '{"n": 2}'}
    assert records.states("b") == {}


def test_transitions_are_idempotent_by_event_id_and_come_in_order(records: Records) -> None:
    for _ in range(2):
        records.commit(RecordsBatch(transitions=(transition("e2", 20), transition("e1", 10))))
    assert records.transitions() == (transition("e1", 10), transition("e2", 20))
    assert records.transitions(since_ns=11) == (transition("e2", 20),)


def test_the_waveform_index_finds_by_point_time_and_frame(records: Records) -> None:
    index = tuple(index_row(k, 10 * k, segment=k // 3, offset=10 * k, alarm=k == 2) for k in range(1, 6))
    records.commit(RecordsBatch(waveforms=index))
    assert records.waveforms(SITE, "m", "p") == index
    assert records.waveforms(SITE, "m", "p", start_ns=20, end_ns=40) == index[1:3]
    assert records.waveforms(SITE, "m", "p", newest=2) == index[-2:]
    assert records.waveform(frame_id(2)) == index[1]
    assert records.waveform(frame_id(99)) is None
    assert records.segment_ends() == {0: 30, 1: 60}


def test_rethinning_moves_what_is_kept_and_forgets_the_rest(records: Records) -> None:
    records.commit(
        RecordsBatch(waveforms=tuple(index_row(k, k, segment=k // 3, offset=10 * k) for k in range(6)))
    )
    records.rethin({frame_id(1): WaveformRef(9, 0, 10)}, [0])
    assert [row.frame.seq for row in records.waveforms(SITE, "m", "p")] == [1, 3, 4, 5]
    assert records.waveform(frame_id(1)) == index_row(1, 1, segment=9, offset=0)


def test_quarantined_messages_come_newest_first_with_or_without_identity(records: Records) -> None:
    records.commit(RecordsBatch(quarantine=(bad(b"1"), bad(b"2", frame_id(4)))))
    assert records.quarantine() == (bad(b"2", frame_id(4)), bad(b"1"))
    assert records.quarantine(limit=1) == (bad(b"2", frame_id(4)),)
    assert records.seen(EDGE, EPOCH, [4]) == {4: Verdict.QUARANTINED}


def test_the_last_ledger_report_of_each_epoch_is_kept(records: Records) -> None:
    first, second = LedgerReceipt(EDGE, 1, report(5)), LedgerReceipt(EDGE, 2, report(9))
    older = LedgerReceipt(EDGE, 1, report(3, "00000000"))
    records.commit(RecordsBatch(ledgers=(first, older)))
    records.commit(RecordsBatch(ledgers=(second,)))
    assert records.ledger_reports() == (older, second)


def test_ledger_lines_balance_reports_against_what_was_seen(records: Records) -> None:
    records.commit(stored(3))
    records.commit(
        RecordsBatch(quarantine=(bad(frame=frame_id(4)),), ledgers=(LedgerReceipt(EDGE, 100, report(5)),))
    )
    (line,) = records.ledger_lines(now_ns=200)
    counts = (line.stored, line.quarantined, line.dropped, line.pending)
    assert (counts, line.adds_up) == ((1, 1, 2, 1), True)
    (line,) = records.ledger_lines(now_ns=10**15)
    assert (line.adds_up, line.unknown_since_ns) == (None, 100)


def test_attempts_are_counted_over_restarts_until_a_verdict(path: Path) -> None:
    for count in (1, 2, 3):
        with closing(Records(path)) as records:
            assert records.attempt([frame_id(1), frame_id(2)]) == {frame_id(1): count, frame_id(2): count}
    with closing(Records(path)) as records:
        assert records.pending_attempts() == {frame_id(1): 3, frame_id(2): 3}
        records.commit(RecordsBatch(stored=(frame_id(2),), quarantine=(bad(frame=frame_id(1)),)))
        assert records.pending_attempts() == {}


def test_attempts_that_failed_through_the_store_are_taken_back(records: Records) -> None:
    records.attempt([frame_id(1), frame_id(2)])
    records.forget_attempts([frame_id(1)])
    assert records.pending_attempts() == {frame_id(2): 1}


def test_a_reader_sees_each_commit_and_writes_nothing(records: Records, path: Path) -> None:
    with closing(RecordsReader(path)) as reader:
        assert reader.seen(EDGE, EPOCH, [1]) == {}
        records.commit(stored(1))
        assert reader.seen(EDGE, EPOCH, [1]) == {1: Verdict.STORED}


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(Unavailable):
        RecordsReader(path)
    assert not path.exists()


def test_a_newer_file_is_refused(records: Records, path: Path) -> None:
    records.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(SchemaError, match="schema 99"):
        Records(path)


def test_a_historian_is_not_taken_for_the_records(tmp_path: Path) -> None:
    from palier.historian.sqlite import SqliteHistorian

    SqliteHistorian(tmp_path / "historian.sqlite").close()
    with pytest.raises(SchemaError, match="records file"):
        Records(tmp_path / "historian.sqlite")


WRITER = """
import sys
from pathlib import Path
from palier.historian.records import Records, RecordsBatch
from tests.support.stores import frame_id

records = Records(Path(sys.argv[1]))
k = int(sys.argv[2])
while True:
    records.commit(RecordsBatch(stored=tuple(frame_id(5 * k + j) for j in range(5))))
    print(k, flush=True)
    k += 1
"""


def test_acknowledged_commits_survive_kill_9(path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    acknowledged = -1
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(path), str(acknowledged + 1)]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(20)]
            child.send_signal(signal.SIGKILL)
            acknowledged = int((lines + child.stdout.read().splitlines())[-1])
        with closing(Records(path)) as records:
            ((lo, hi),) = records.ranges(EDGE, EPOCH, Verdict.STORED)
        assert lo == 0
        assert hi >= 5 * acknowledged + 4
        assert (hi + 1) % 5 == 0  # whole commits only


def test_the_highest_seq_that_the_wire_lets_through_can_be_kept(records: Records) -> None:
    """Else one message of a stranger would end the ingest, and again after each restart."""
    records.commit(stored(MAX_SEQ - 1))
    records.commit(RecordsBatch(quarantine=(bad(frame=frame_id(MAX_SEQ)),)))
    assert records.seen(EDGE, EPOCH, (MAX_SEQ,)) == {MAX_SEQ: Verdict.QUARANTINED}
