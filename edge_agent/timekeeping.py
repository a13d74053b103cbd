"""How far the gateway's time of day can be trusted, and what that means for a frame: pure decisions.

| the kernel says | in this boot before | the time of day | frames are |
|---|---|---|---|
| synchronised | - | - | sent, `synced` |
| not | synchronised | - | sent, `holdover` |
| not | never | before 2020 | held: a host could only refuse them |
| not | never | before the newest frame of the outbox | held, for PATIENCE with a connection |
| not | never | not from a real-time clock, and a time daemon runs | held, for PATIENCE with a connection |
| not | never | plausible | sent, `unsynced` |

A held frame stands in the outbox with the kernel's monotonic time of its end. Once the clock is right, that
time plus the clock's offset is its date, marked `holdover`: a crystal's drift is all that is wrong with it.
When the patience is over, the frames go as the clock has them, marked `unsynced`.

Frames of an earlier boot whose clock never came right: where their dates are plausible they stay as they are.
Where they are not (before 2020), they can only have been taken before this boot: their order and distances
are kept, the last of them is dated to the moment this boot began, the latest it can have been. All are
`unsynced`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from palier.frames import Clock
from palier.wire.said import said

EARLIEST_NS: Final = 1_577_836_800_000_000_000  # 2020-01-01 UTC: before it nobody has set the clock
PATIENCE_S: Final = 300.0
"""With a connection to the broker. Where one is, a time server mostly is too, and answers in a minute."""

BY_CLOCK_NS: Final = 3_600 * 1_000_000_000
"""A frame that ends so near to the time of day was dated by it; any other by its source, who knows better."""

STEP_NS: Final = 500_000_000  # more than what a daemon slews between two looks: somebody set the clock


@dataclass(frozen=True, slots=True)
class Sense:
    """What can be known of the clock at one moment. `synced` is None where the kernel does not tell."""

    wall_ns: int
    mono_ns: int  # since boot, suspended time included
    synced: bool | None
    daemon: bool  # a time daemon runs here
    battery: bool  # the time of day came from a real-time clock at boot

    @property
    def offset_ns(self) -> int:
        """Time of day minus monotonic time."""
        return self.wall_ns - self.mono_ns


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """What is remembered of the clock in this boot. `newest_ns` is the end of the outbox's newest frame."""

    boot: str
    newest_ns: int | None = None
    was_synced: bool = False
    verdict: Clock = Clock.UNSYNCED
    why: str = ""  # why frames are held; empty when they are not
    offset_ns: int = 0
    before_ns: int | None = None  # the offset before the clock was last set, for frames taken before that
    connected_ns: int = 0  # time with a connection while held
    looked_ns: int | None = None
    steps: int = 0

    @property
    def held(self) -> bool:
        """Whether frames wait for the clock."""
        return bool(self.why)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the outbox notes of a frame's time. `clock` None: what the frame itself says."""

    clock: Clock | None = None
    held: bool = False
    boot: str | None = None
    mono_ns: int | None = None
    shift_ns: int = 0
    end_ns: int | None = None  # None: the frame's own


@dataclass(frozen=True, slots=True)
class BootRows:
    """Waiting frames of one boot, dated by a clock that was not right."""

    boot: str
    earliest_ns: int
    first_mono_ns: int
    last_mono_ns: int


@dataclass(frozen=True, slots=True)
class Dating:
    """How to date a boot's frames: monotonic time + offset, None to leave them."""

    boot: str
    offset_ns: int | None
    clock: Clock
    final: bool


RIGHT: Final = Stamp()


def look(state: Timekeeping, sense: Sense, *, connected: bool) -> Timekeeping:
    """What is known of the clock now; call it about each second."""
    passed_ns = 0 if state.looked_ns is None else sense.mono_ns - state.looked_ns
    stepped = state.looked_ns is not None and abs(sense.offset_ns - state.offset_ns) > STEP_NS
    state = replace(
        state,
        looked_ns=sense.mono_ns,
        offset_ns=sense.offset_ns,
        before_ns=state.offset_ns if stepped else state.before_ns,
        steps=state.steps + stepped,
        was_synced=state.was_synced or bool(sense.synced),
        connected_ns=state.connected_ns + (passed_ns if connected and state.held else 0),
    )
    if sense.synced:
        return replace(state, verdict=Clock.SYNCED, why="", connected_ns=0)
    if state.was_synced:
        return replace(state, verdict=Clock.HOLDOVER, why="", connected_ns=0)
    return replace(state, verdict=Clock.UNSYNCED, why=_doubt(state, sense))


def _doubt(state: Timekeeping, sense: Sense) -> str:
    if sense.wall_ns < EARLIEST_NS:
        return said("clock_never_set")
    if state.connected_ns >= PATIENCE_S * 1e9:
        return ""
    if state.newest_ns is not None and sense.wall_ns < state.newest_ns:
        return said("clock_behind")
    if sense.daemon and not sense.battery:
        return said("clock_no_server")
    return ""


def stamp(state: Timekeeping, sense: Sense, end_ns: int) -> Stamp:
    """How a frame that ends at `end_ns` is noted, as it comes from its source."""
    offset_ns = _dated_by(state, sense, end_ns)
    if offset_ns is None:
        return RIGHT
    mono_ns, shift_ns = end_ns - offset_ns, sense.offset_ns - offset_ns
    if state.verdict is Clock.UNSYNCED:
        return Stamp(state.verdict, state.held, state.boot, mono_ns, shift_ns, end_ns + shift_ns)
    clock = None if state.verdict is Clock.SYNCED and not shift_ns else Clock.HOLDOVER
    return Stamp(clock, shift_ns=shift_ns, end_ns=end_ns + shift_ns)


def _dated_by(state: Timekeeping, sense: Sense, end_ns: int) -> int | None:
    """The clock's offset by which the source dated the frame; None where it was not dated by the clock."""
    if abs(sense.wall_ns - end_ns) <= BY_CLOCK_NS:
        return sense.offset_ns
    for offset_ns in (state.offset_ns, state.before_ns):  # the clock was set since the frame was taken
        if offset_ns is not None and 0 <= sense.mono_ns - (end_ns - offset_ns) <= BY_CLOCK_NS:
            return offset_ns
    return None


def settle(state: Timekeeping, boots: Sequence[BootRows]) -> tuple[Dating, ...]:
    """How to date what stands in the outbox, once frames are no longer held; the newest boot comes first."""
    right = state.verdict is not Clock.UNSYNCED
    found: list[Dating] = []
    latest_ns = state.offset_ns  # the moment this boot began: nothing of an earlier one can end after it
    for rows in boots:
        if rows.boot == state.boot:
            mark = Clock.HOLDOVER if right else Clock.UNSYNCED
            found.append(Dating(rows.boot, state.offset_ns, mark, final=right))
        elif rows.earliest_ns >= EARLIEST_NS:
            found.append(Dating(rows.boot, None, Clock.UNSYNCED, final=True))
            latest_ns = min(latest_ns, rows.earliest_ns)
        else:
            offset_ns = latest_ns - rows.last_mono_ns
            found.append(Dating(rows.boot, offset_ns, Clock.UNSYNCED, final=True))
            latest_ns = rows.first_mono_ns + offset_ns
    return tuple(found)
