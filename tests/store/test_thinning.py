"""The byte budget of waveforms: the oldest go, alarms and one a day stay longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.historian.records import Records, RecordsBatch, WaveformRow
from palier.historian.thinning import DAY_NS, TARGET, plan, segments_to_thin, thin
from palier.historian.waveforms import WaveformRef, WaveformStore
from tests.support.stores import SITE, frame_id, waveform

BUDGET = 8 * 2000


def row(seq: int, start_ns: int, *, segment: int = 0, length: int = 10, alarm: bool = False) -> WaveformRow:
    return WaveformRow(frame_id(seq), SITE, "m", "p", start_ns, WaveformRef(segment, 0, length), alarm)


def test_within_the_budget_nothing_is_thinned() -> None:
    assert segments_to_thin({0: 50, 1: 50}, 1, 100) == ()


def test_the_oldest_closed_segments_go_down_to_the_target() -> None:
    assert segments_to_thin({3: 30, 1: 30, 2: 30, 4: 20}, 4, 100) == (1,)
    assert segments_to_thin({3: 10, 1: 10, 2: 10, 4: 80}, 4, 100) == (1, 2)
    assert segments_to_thin({1: 500}, 1, 100) == ()  # never the open one


def test_alarms_and_the_first_of_each_day_are_kept() -> None:
    rows = [row(1, 5), row(2, 6), row(3, 7, alarm=True), row(4, DAY_NS + 1), row(5, DAY_NS + 2)]
    assert [kept.frame.seq for kept in plan([0], {0: 100}, rows).keep] == [1, 3, 4]


def test_when_half_is_not_enough_the_newest_of_the_worthy_are_kept() -> None:
    rows = [row(k, k * DAY_NS, alarm=True) for k in range(10)]
    assert [kept.frame.seq for kept in plan([0], {0: 100}, rows).keep] == [5, 6, 7, 8, 9]


@given(st.lists(st.tuples(st.integers(0, 5 * DAY_NS), st.integers(1, 50), st.booleans()), max_size=30))
def test_each_round_frees_at_least_half_of_what_it_takes(drawn: list[tuple[int, int, bool]]) -> None:
    rows = [row(k, start, length=length, alarm=alarm) for k, (start, length, alarm) in enumerate(drawn)]
    size = sum(length for _, length, _ in drawn)
    kept = plan([0], {0: size}, rows).keep
    assert sum(one.ref.length for one in kept) <= size // 2
    assert {one.frame for one in kept} <= {one.frame for one in rows}


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[WaveformStore, Records]]:
    with ExitStack() as stack:
        store = stack.enter_context(closing(WaveformStore(tmp_path / "waveforms", BUDGET)))
        yield store, stack.enter_context(closing(Records(tmp_path / "records.sqlite")))


def keep(store: WaveformStore, records: Records, seq: int, *, start_ns: int, alarm: bool = False) -> None:
    ref = store.append(frame_id(seq), waveform(start_ns, value=seq))
    store.sync()
    records.commit(
        RecordsBatch(waveforms=(WaveformRow(frame_id(seq), SITE, "m", "p", start_ns, ref, alarm),))
    )


def test_the_budget_holds_and_what_is_in_the_index_can_be_read(stores: tuple[WaveformStore, Records]) -> None:
    store, records = stores
    gone = 0
    for seq in range(150):
        keep(store, records, seq, start_ns=seq * DAY_NS // 50, alarm=seq in {3, 70})
        if store.over_budget:
            gone += thin(store, records)
            assert sum(store.sizes.values()) <= BUDGET
    kept = records.waveforms(SITE, "m", "p")
    assert len(kept) + gone == 150
    assert {3, 70} <= {one.frame.seq for one in kept}
    assert [int(store.read(one.ref).samples[0, 0]) for one in kept] == [one.frame.seq for one in kept]
    assert {one.start_ns // DAY_NS for one in kept} == {0, 1, 2}


def test_when_everything_is_worth_keeping_the_budget_still_holds(
    stores: tuple[WaveformStore, Records],
) -> None:
    store, records = stores
    for seq in range(150):
        keep(store, records, seq, start_ns=seq * DAY_NS, alarm=True)
        thin(store, records)
    kept = [one.frame.seq for one in records.waveforms(SITE, "m", "p")]
    assert sum(store.sizes.values()) <= BUDGET
    assert kept[-1] == 149
    assert len(kept) > 10


def test_a_crash_after_the_index_changed_leaves_nothing_behind(
    stores: tuple[WaveformStore, Records], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store, records = stores
    seq = 0
    while not store.over_budget:
        keep(store, records, seq, start_ns=seq)
        seq += 1
    monkeypatch.setattr(store, "delete", lambda segments: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        thin(store, records)
    with closing(WaveformStore(tmp_path / "waveforms", BUDGET)) as again:
        assert again.cut_tails(records.segment_ends()).deleted
        assert sum(again.sizes.values()) <= BUDGET
        assert all(again.read(one.ref) for one in records.waveforms(SITE, "m", "p"))


def test_what_is_carried_on_is_durable_before_the_index_says_so(
    stores: tuple[WaveformStore, Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, records = stores
    seq = 0
    while not store.over_budget:
        keep(store, records, seq, start_ns=seq * DAY_NS, alarm=True)
        seq += 1
    done: list[str] = []
    for what, owner in (("append_bytes", store), ("sync", store), ("rethin", records), ("delete", store)):
        monkeypatch.setattr(owner, what, noting(done, what, getattr(owner, what)))
    thin(store, records)
    assert "append_bytes" in done
    assert done[done.index("rethin") - 1 :][:3] == ["sync", "rethin", "delete"]


def noting(done: list[str], what: str, real: Callable[..., object]) -> Callable[..., object]:
    """`real`, which first notes its name."""

    def call(*arguments: object) -> object:
        done.append(what)
        return real(*arguments)

    return call


def test_damaged_bytes_are_not_carried_on(stores: tuple[WaveformStore, Records], tmp_path: Path) -> None:
    store, records = stores
    seq = 0
    while not store.over_budget:
        keep(store, records, seq, start_ns=seq * DAY_NS, alarm=True)
        seq += 1
    segment = tmp_path / "waveforms" / "00000000.wave"
    segment.write_bytes(bytes(segment.stat().st_size))
    before = len(records.waveforms(SITE, "m", "p"))
    gone = thin(store, records)
    assert len(records.waveforms(SITE, "m", "p")) == before - gone
    assert all(store.read(one.ref) for one in records.waveforms(SITE, "m", "p"))


def test_the_target_is_below_the_budget() -> None:
    assert 0.5 < TARGET < 1.0
