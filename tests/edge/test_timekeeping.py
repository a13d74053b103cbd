"""What the gateway makes of its clock: which frames wait, and how they are dated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock_keeper import ClockKeeper
from edge_agent.kernel_clock import boot_id, sense
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.timekeeping import (
    EARLIEST_NS,
    PATIENCE_S,
    RIGHT,
    BootRows,
    Sense,
    Timekeeping,
    look,
    settle,
    stamp,
)
from palier import ranges
from palier.frames import Clock, Frame, Waveform
from palier.ranges import Ranges
from tests.support.edge_agent import waveform

S = 1_000_000_000
NOW = EARLIEST_NS + 200_000_000 * S
SENSE = Sense(NOW, 1000 * S, synced=False, daemon=False, battery=False)
START = Timekeeping("boot-b")


def after(*senses: Sense, connected: bool = True, begin: Timekeeping = START) -> Timekeeping:
    state = begin
    for one in senses:
        state = look(state, one, connected=connected)
    return state


@pytest.mark.parametrize(
    ("begin", "now", "verdict", "held"),
    [
        (START, replace(SENSE, synced=True), Clock.SYNCED, False),
        (START, SENSE, Clock.UNSYNCED, False),  # nobody vouches for it, and nothing speaks against it
        (START, replace(SENSE, synced=None), Clock.UNSYNCED, False),
        (replace(START, was_synced=True), SENSE, Clock.HOLDOVER, False),
        (START, replace(SENSE, wall_ns=5 * S), Clock.UNSYNCED, True),
        (replace(START, newest_ns=NOW + 1), SENSE, Clock.UNSYNCED, True),
        (replace(START, newest_ns=NOW + 1), replace(SENSE, synced=True), Clock.SYNCED, False),
        (START, replace(SENSE, daemon=True), Clock.UNSYNCED, True),
        (START, replace(SENSE, daemon=True, battery=True), Clock.UNSYNCED, False),
    ],
)
def test_the_table(begin: Timekeeping, now: Sense, verdict: Clock, held: bool) -> None:
    state = after(now, begin=begin)
    assert (state.verdict, state.held) == (verdict, held)


def test_where_the_kernel_names_no_boot_no_frame_of_an_earlier_one_is_dated_by_this_one(
    tmp_path: Path,
) -> None:
    first = world(tmp_path, "", NOW)
    first.now = replace(first.now, daemon=False)
    first.look()
    first.sample(1.0)
    dates = first.dates()
    first.outbox.close()
    second = world(tmp_path, "", NOW + 86_400 * S)  # a day later, and its monotonic time began anew
    second.look(synced=True)
    assert second.dates() == dates
    second.outbox.close()


def later(now: Sense, seconds: float) -> Sense:
    ns = round(seconds * S)
    return replace(now, wall_ns=now.wall_ns + ns, mono_ns=now.mono_ns + ns)


def test_the_patience_runs_only_while_a_time_server_could_be_reached() -> None:
    waits = replace(SENSE, daemon=True)
    state = after(waits, later(waits, 10 * PATIENCE_S), connected=False)
    assert state.held
    state = after(later(waits, 11 * PATIENCE_S), begin=state)
    assert not state.held


def test_a_clock_before_2020_is_never_believed() -> None:
    unset = replace(SENSE, wall_ns=5 * S)
    assert after(unset, later(unset, 100 * PATIENCE_S)).held


def test_what_was_synchronised_in_this_boot_is_holdover_whatever_step_follows() -> None:
    state = after(replace(SENSE, synced=True), replace(SENSE, wall_ns=NOW - 3600 * S))
    assert (state.verdict, state.held, state.steps) == (Clock.HOLDOVER, False, 1)


def test_a_frame_taken_before_the_clock_was_set_is_dated_by_monotonic_time() -> None:
    unset = replace(SENSE, wall_ns=30 * S)
    state = after(unset, replace(later(unset, 1), wall_ns=NOW, synced=True))
    found = stamp(state, replace(later(unset, 1), wall_ns=NOW), end_ns=30 * S + S // 2)
    assert found.end_ns == NOW - S // 2
    assert (found.clock, found.held) == (Clock.HOLDOVER, False)


def test_a_frame_that_its_source_dated_by_something_else_is_left_alone() -> None:
    for state in (after(SENSE), after(replace(SENSE, wall_ns=5 * S)), after(replace(SENSE, synced=True))):
        assert stamp(state, SENSE, NOW - 86_400 * S) == RIGHT


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)), min_size=1, max_size=6),
    st.integers(0, 10**5),
)
def test_boots_that_nobody_dated_keep_their_order_and_end_before_this_one(
    boots: list[tuple[int, int]], uptime_s: int
) -> None:
    state = after(Sense(NOW, uptime_s * S, True, False, False))
    rows = [
        BootRows(f"boot-{i}", first * S, first * S, (first + length) * S)
        for i, (first, length) in enumerate(boots)
    ]
    latest = state.offset_ns
    for dating, one in zip(settle(state, rows), rows, strict=True):
        assert dating.offset_ns is not None
        assert dating.clock is Clock.UNSYNCED
        assert one.last_mono_ns + dating.offset_ns <= latest
        latest = one.first_mono_ns + dating.offset_ns


def test_an_earlier_boot_with_plausible_dates_keeps_them() -> None:
    state = after(replace(SENSE, synced=True))
    (dating,) = settle(state, [BootRows("boot-a", NOW - 9 * S, 1, 2)])
    assert (dating.offset_ns, dating.clock, dating.final) == (None, Clock.UNSYNCED, True)


def test_the_kernel_answers_and_a_boot_has_a_name() -> None:
    assert sense().mono_ns > 0
    assert len(boot_id()) in (0, 16)


# --- with an outbox


@dataclass
class World:
    """A gateway without a real-time clock, started at uptime 0."""

    outbox: Outbox
    keeper: ClockKeeper
    now: Sense
    released: list[Ranges]

    def sample(self, seconds: float) -> None:
        """A second goes by, and a block of it is put in."""
        self.now = later(self.now, seconds)
        block = waveform(0, n_samples=1000)
        self.keeper.put([replace(block, start_ns=self.now.wall_ns - S)])

    def look(self, **changes: object) -> None:
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]
        self.keeper.look(connected=True)

    def dates(self) -> list[tuple[int, Clock]]:
        return [(ends(frame), frame.clock) for frame in self.frames()]

    def frames(self) -> Iterator[Frame]:
        for lo, hi in self.outbox.pending():
            for seq in range(lo, hi + 1):
                found = self.outbox.load(seq)
                assert found is not None
                yield found[1]


def ends(frame: Frame) -> int:
    assert isinstance(frame, Waveform)
    return frame.end_ns


def world(folder: Path, boot: str, wall_ns: int) -> World:
    outbox = open_outbox(folder, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    found: list[Ranges] = []
    now = Sense(wall_ns, 20 * S, False, True, False)
    made = World(outbox, None, now, found)  # type: ignore[arg-type]
    made.keeper = ClockKeeper(outbox, boot, found.append, sense=lambda: made.now, glance=lambda: made.now)
    return made


def test_frames_wait_for_the_clock_and_are_then_dated_by_monotonic_time(tmp_path: Path) -> None:
    made = world(tmp_path, "boot-a", 20 * S)
    for _ in range(5):
        made.sample(10.0)
        made.look()
    assert made.outbox.pending() == ()
    assert (made.outbox.totals().pending, made.outbox.totals().held) == (5, 5)
    made.look(wall_ns=NOW, synced=True)  # at uptime 70 s
    assert made.released == [((1, 5),)]
    assert made.dates() == [(NOW - age * S, Clock.HOLDOVER) for age in (40, 30, 20, 10, 0)]
    made.sample(1.0)
    assert made.dates()[-1] == (NOW + S, Clock.SYNCED)
    assert [row.end_ns for row in made.outbox.rows((1,))] == [NOW - 40 * S]
    made.outbox.close()


def test_frames_of_a_boot_whose_clock_never_came_right_are_dated_before_the_next_one(tmp_path: Path) -> None:
    first = world(tmp_path, "boot-a", 20 * S)
    for _ in range(3):
        first.sample(10.0)
    first.outbox.close()
    second = world(tmp_path, "boot-b", 20 * S)
    second.sample(10.0)
    second.look(wall_ns=NOW, synced=True)
    booted = NOW - 30 * S
    assert second.dates() == [
        (booted - 20 * S, Clock.UNSYNCED),
        (booted - 10 * S, Clock.UNSYNCED),
        (booted, Clock.UNSYNCED),
        (NOW, Clock.HOLDOVER),
    ]
    second.outbox.close()


def test_a_clock_that_is_behind_the_outbox_is_not_believed_at_once(tmp_path: Path) -> None:
    first = world(tmp_path, "boot-a", NOW)
    first.look(synced=True)
    first.sample(1.0)
    first.outbox.close()
    second = world(tmp_path, "boot-b", NOW - 3600 * S)  # as a saved time of day is: an hour too early
    second.now = replace(second.now, daemon=False)
    second.sample(1.0)
    assert second.keeper.state.held
    assert ranges.count(second.outbox.pending()) == 1
    second.look(wall_ns=NOW + 60 * S, synced=True)
    assert [clock for _, clock in second.dates()] == [Clock.SYNCED, Clock.HOLDOVER]
    second.outbox.close()


def test_when_the_patience_is_over_frames_go_as_the_clock_has_them(tmp_path: Path) -> None:
    made = world(tmp_path, "boot-a", NOW)
    made.look()
    made.sample(1.0)
    assert made.outbox.pending() == ()
    made.now = later(made.now, PATIENCE_S)
    made.look()
    assert made.dates() == [(NOW + S, Clock.UNSYNCED)]
    made.look(
        wall_ns=made.now.wall_ns + 7 * S, synced=True
    )  # it comes right after all, the frame still waits
    assert made.dates() == [(NOW + 8 * S, Clock.HOLDOVER)]
    made.outbox.close()


def test_a_step_back_by_a_time_server_changes_no_identity_and_no_date_that_was_right(tmp_path: Path) -> None:
    made = world(tmp_path, "boot-a", NOW)
    made.look(synced=True)
    made.sample(1.0)
    made.look(wall_ns=made.now.wall_ns - 50 * S)
    made.sample(1.0)
    assert made.dates() == [(NOW + S, Clock.SYNCED), (NOW - 48 * S, Clock.SYNCED)]
    assert made.outbox.last_seq == 2
    made.outbox.close()


def test_a_restart_of_the_agent_remembers_that_the_clock_was_synchronised(tmp_path: Path) -> None:
    made = world(tmp_path, "boot-a", NOW)
    made.look(synced=True)
    made.outbox.close()
    again = world(tmp_path, "boot-a", NOW + S)
    assert again.keeper.state.verdict is Clock.HOLDOVER
    again.outbox.close()
