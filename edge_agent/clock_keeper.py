"""Between recorder and outbox: dates frames by what is known of the clock, and lets go what was held."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from palier.frames import Clock, Frame
from palier.ranges import Ranges

from . import kernel_clock
from .outbox import NO_NOTES, Kept, Outbox, OutboxFullError
from .timekeeping import Sense, Timekeeping, look, settle, stamp

BUSY_S: Final = 1.0  # a commit may take long on a worn card; the next look comes soon
SYNCED_IN: Final = "synced_boot"

log = logging.getLogger(__name__)


class ClockKeeper:
    """`put` from the recorder's thread, `look` from the steward's each second. `state` is for reading."""

    def __init__(
        self,
        outbox: Outbox,
        boot: str,
        released: Callable[[Ranges], None],
        *,
        sense: Callable[[], Sense] = kernel_clock.sense,
        glance: Callable[[], Sense] = kernel_clock.glance,
    ) -> None:
        """`released` is told of frames that may be sent from now on."""
        self._glance = glance
        self._outbox = outbox
        self._sense = sense
        self._released = released
        self._lock = threading.Lock()
        self._noted = bool(boot) and outbox.noted(SYNCED_IN) == boot
        self._settled = False
        # Where the kernel names no boot each run counts as one: no offset of this one is right for others.
        first = Timekeeping(boot or secrets.token_hex(8), outbox.newest_ns(), was_synced=self._noted)
        self.state = look(first, sense(), connected=False)

    @property
    def unsure(self) -> bool:
        """Whether frames are sent by a clock that nobody vouches for, as on many a virtual machine."""
        return self.state.verdict is Clock.UNSYNCED and not self.state.held

    def put(
        self,
        frames: Sequence[Frame],
        lost: int = 0,
        *,
        retain: Collection[int] = (),
        notes: Mapping[str, str] = NO_NOTES,
    ) -> Kept:
        """As `Outbox.put`, each frame with what is known of its time."""
        with self._lock:
            now = self._glance()
            stamps = [stamp(self.state, now, frame.end_ns) for frame in frames]
            return self._outbox.put(frames, stamps, lost, retain=retain, notes=notes)

    def look(self, *, connected: bool) -> None:
        """Ask the kernel; where the answer is another, date the waiting frames anew and let them go."""
        if not self._lock.acquire(timeout=BUSY_S):
            return
        try:
            before, self.state = self.state, look(self.state, self._sense(), connected=connected)
            self._say(before)
            changed = (before.verdict, before.held, before.steps)
            if changed != (self.state.verdict, self.state.held, self.state.steps):
                self._settled = False
            if not (self._settled or self.state.held):
                self._settle()
        except OutboxFullError as error:
            log.error("%s", error)  # the next look tries again
        finally:
            self._lock.release()

    def _settle(self) -> None:
        for dating in settle(self.state, self._outbox.boots()):
            held = self._outbox.redate(dating.boot, dating.offset_ns, dating.clock, final=dating.final)
            if held:
                self._released(held)
        if self.state.was_synced and not self._noted:
            self._outbox.note(SYNCED_IN, self.state.boot)
            self._noted = True
        self._settled = True

    def _say(self, before: Timekeeping) -> None:
        if self.state.why and self.state.why != before.why:
            log.warning("frames are held: %s", self.state.why)
        elif before.held and not self.state.held:
            log.info("frames are held no longer; the clock is %s", self.state.verdict)
        elif self.state.verdict is not before.verdict:
            level = logging.INFO if self.state.verdict is Clock.SYNCED else logging.WARNING
            log.log(level, "the clock is %s now, it was %s", self.state.verdict, before.verdict)
        if self.state.steps != before.steps:
            step_s = (self.state.offset_ns - before.offset_ns) / 1e9
            log.warning("the clock was set, by %+.3f s", step_s)
