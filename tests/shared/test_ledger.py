"""The conservation law: each seq is in exactly one place, and the ledger notices when it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from palier import ranges
from palier.ledger import SILENT_AFTER_S, LedgerLine, balance, unknown_since
from palier.ranges import Ranges
from palier.wire.messages import LedgerReport

PLACES = st.lists(st.sampled_from(["stored", "quarantined", "dropped", "pending"]), max_size=40)


def report(
    seq: int,
    *,
    dropped: tuple[tuple[int, int, str], ...] = (),
    oldest: int | None = None,
    pending: int = 0,
    acquired: int | None = None,
) -> LedgerReport:
    return LedgerReport(
        "0123456789abcdef", seq, seq if acquired is None else acquired, dropped, oldest, pending
    )


def line_of(places: list[str]) -> LedgerLine:
    """The line of a world where seq k + 1 is in places[k]."""
    held = {place: [k for k, at in enumerate(places, start=1) if at == place] for place in set(places)}
    pending = held.get("pending", [])
    told = report(
        len(places),
        dropped=tuple((lo, hi, "cap") for lo, hi in ranges.of(held.get("dropped", []))),
        oldest=pending[0] if pending else None,
        pending=len(pending),
    )
    return balance("s/n", told, ranges.of(held.get("stored", [])), ranges.of(held.get("quarantined", [])))


@given(PLACES)
def test_any_honest_world_adds_up(places: list[str]) -> None:
    line = line_of(places)
    counts = (line.stored, line.quarantined, line.dropped, line.pending)
    assert counts == tuple(places.count(place) for place in ("stored", "quarantined", "dropped", "pending"))
    assert line.adds_up is True
    assert sum(counts) == line.acquired


@given(PLACES.filter(lambda places: "stored" in places), st.data())
def test_a_frame_that_vanished_is_missing(places: list[str], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from([k for k, at in enumerate(places, start=1) if at == "stored"]))
    line = line_of(places)
    pending = [k for k, at in enumerate(places, start=1) if at == "pending"]
    dropped = tuple((k, k, "cap") for k, at in enumerate(places, start=1) if at == "dropped")
    told = report(len(places), dropped=dropped, oldest=pending[0] if pending else None, pending=len(pending))
    stored = ranges.of(k for k, at in enumerate(places, start=1) if at == "stored" and k != lost)
    quarantined = ranges.of(k for k, at in enumerate(places, start=1) if at == "quarantined")
    after = balance("s/n", told, stored, quarantined)
    assert (after.missing, after.adds_up) == (1, False)
    assert after.pending == line.pending


def test_what_the_host_got_after_the_report_is_stored_and_no_longer_pending() -> None:
    line = balance("s/n", report(10, oldest=5, pending=6), ((1, 8),), ())
    assert (line.stored, line.pending, line.adds_up) == (8, 2, True)


def test_what_lies_beyond_the_reported_seq_is_of_a_later_line() -> None:
    line = balance("s/n", report(10), ((1, 25),), ())
    assert (line.stored, line.adds_up) == (10, True)


def test_a_frame_given_up_after_the_host_had_it_is_stored() -> None:
    line = balance("s/n", report(4, dropped=((2, 3, "cap"),)), ((1, 2), (4, 4)), ())
    assert (line.stored, line.dropped, line.twice, line.adds_up) == (3, 1, 0, True)


def test_two_verdicts_on_one_frame_do_not_add_up() -> None:
    line = balance("s/n", report(4), ((1, 4),), ((2, 2),))
    assert (line.twice, line.adds_up) == (1, False)


def test_a_frame_dropped_for_two_reasons_does_not_add_up() -> None:
    line = balance("s/n", report(4, dropped=((1, 2, "cap"), (2, 2, "damaged"))), ((3, 4),), ())
    assert (line.twice, line.adds_up) == (1, False)


def test_more_acquired_than_numbered_is_missing() -> None:
    line = balance("s/n", report(4, acquired=6), ((1, 4),), ())
    assert (line.missing, line.adds_up) == (2, False)


def test_an_epoch_without_a_frame_adds_up() -> None:
    assert balance("s/n", report(0), (), ()).adds_up is True


def test_a_silent_gateway_is_unknown_since_its_last_report() -> None:
    told = 1_000
    later = told + round(SILENT_AFTER_S * 1e9) + 1
    assert unknown_since(told, later - 1) is None
    line = balance("s/n", report(4), ((1, 4),), (), unknown_since_ns=unknown_since(told, later))
    assert (line.unknown_since_ns, line.adds_up) == (told, None)


def test_ranges_are_taken_in_any_order() -> None:
    scrambled: Ranges = ((4, 4), (1, 2), (2, 3))
    assert balance("s/n", report(4), scrambled, ()).stored == 4


def test_more_seqs_than_acquisitions_do_not_add_up() -> None:
    line = balance("s/n", report(5, acquired=4), [(1, 5)], [])
    assert (line.twice, line.missing, line.adds_up) == (1, 0, False)
