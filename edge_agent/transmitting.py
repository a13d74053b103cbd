"""Between recorder and outbox: which waveforms are sent, and what is sent in place of the others.

`modes.py` decides, this performs: the features of a batch are computed together, what is retained goes to the
outbox without a number, and what the host wished for is released, by and by, as the day's budget allows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from palier import ranges
from palier.frames import Frame, Waveform
from palier.wire.messages import wire_bytes

from . import modes
from .extraction import Extraction, place_of
from .modes import Arrival, Mode, Sent
from .outbox import Kept, Outbox, OutboxFullError
from .outbox_retained import Wish
from .transmit_settings import TransmitSettings

KEY: Final = "transmit"
LOOK_S: Final = 1.0  # between two looks whether something wished for can be released
LATE_NS: Final = 600 * 10**9
"""How long after its time a wish waits for the last waveform of it, which may have waited for the disk."""

PIECES: Final = 8
"""Commits of a release in one look: some 16 MB, in which no new frame is committed for half a second."""

log = logging.getLogger(__name__)


class Keeps(Protocol):
    """What frames are committed to: the outbox, or what dates them before it."""

    def put(
        self,
        frames: Sequence[Frame],
        *,
        lost: int,
        retain: Collection[int] = (),
        notes: Mapping[str, str],
    ) -> Kept:
        """As `Outbox.put`."""
        ...


class Transmitting:
    """`put` and `look` from the recorder's thread, the rest from any."""

    def __init__(
        self,
        outbox: Outbox,
        to: Keeps,
        settings: TransmitSettings,
        now_ns: Callable[[], int],
        *,
        released: Callable[[Kept], None],
        alarmed: Callable[[str], bool] = lambda _machine: False,
    ) -> None:
        """`now_ns` is plant time; `released` is told of retained waveforms that have numbers now."""
        self.settings = settings  # may be changed at any time
        self.waveforms: Counter[modes.Cause] = Counter()  # sent since the start, by their cause
        self._outbox = outbox
        self._to = to
        self._now_ns = now_ns
        self._released = released
        self._alarmed = alarmed
        self._modes: dict[tuple[str, str], Mode | None] = {}  # of each point of such a source
        self._extraction = Extraction()
        self._failures = 0  # where it was not a block that it failed at
        self._sent = modes.read_sent(outbox.noted(KEY))
        self._wishes = outbox.wishes()
        self._retained = outbox.retained()
        self._asked = threading.Event()
        self._asked.set()
        self._looked_s = float("-inf")

    @property
    def failures(self) -> int:
        """Blocks whose features could not be computed: sent as they are."""
        return self._failures + self._extraction.failures

    def change(self, settings: TransmitSettings) -> None:
        """Send by these from now on."""
        self.settings = settings

    def of_source(self, frame: Frame, mode: Mode | None) -> None:
        """The point of this frame belongs to a source with a mode of its own, None: the gateway's."""
        if isinstance(frame, Waveform) and (mode is not None or self._modes):
            self._modes[frame.machine, frame.point] = mode

    def ask(self) -> None:
        """The host wished for something: look soon."""
        self._asked.set()

    def put(self, frames: Sequence[Frame], *, lost: int) -> Kept:
        """As `Outbox.put`; what `Kept` says of the frames includes the features made of them."""
        blocks = [frame for frame in frames if isinstance(frame, Waveform)]
        ours = [block for block in blocks if self._mode(block) is not Mode.WAVEFORM]
        if not ours:
            return self._to.put(frames, lost=lost, notes={})
        made = self._features(ours)
        if self._asked.is_set():
            self._read_wishes()
        if modes.is_new_day(self._sent, self._now_ns()):
            self._work_all()  # before any block of the day takes of its budget
        given = dict(zip(map(id, ours), made, strict=True))
        sent, causes = self._decide([block for block in ours if given[id(block)] is not None])
        going: list[Frame] = []
        retain: set[int] = set()
        for frame in frames:
            features = given.get(id(frame))
            if features is not None:
                going.append(features)
            if features is not None and causes[id(frame)] is None:
                retain.add(len(going))
            going.append(frame)
        notes = {} if sent == self._sent else {KEY: modes.remembered(sent)}
        kept = self._to.put(going, lost=lost, retain=retain, notes=notes)
        self._sent = sent
        self._extraction.sent()
        self.waveforms.update(cause for cause in causes.values() if cause is not None)
        return kept

    def values(self) -> Mapping[str, float]:
        """Counts for people; what is retained as it was known last, while the disk refuses."""
        with suppress(OutboxFullError):
            self._retained = self._outbox.retained()
        return {
            "waveforms_retained": self._retained.rows,
            "waveforms_retained_bytes": self._retained.bytes,
            "waveforms_given_up_total": self._retained.given_up,
            "blocks_without_features_total": self.failures,
            **{f'waveforms_sent_total{{cause="{cause}"}}': n for cause, n in list(self.waveforms.items())},
        }

    def look(self) -> None:
        """Release what the host wished for; about each second. A disk that refuses is tried again."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S and not self._asked.is_set():
            return
        self._looked_s = now_s
        try:
            if self._asked.is_set():
                self._read_wishes()
        except OutboxFullError as error:
            log.error("%s; what the host wished for waits", error)
            return
        self._work_all()

    def _work_all(self) -> None:
        """What was wished for of one machine, around its alarm, before what is of all, which may be days."""
        try:
            for wish in sorted(self._wishes, key=lambda wish: wish.machine is None):
                self._work(wish)
        except OutboxFullError as error:
            log.error("%s; what the host wished for waits", error)

    def _work(self, wish: Wish) -> None:
        """Release what is there of a wish, and close it once its time is over and nothing is left."""
        now_ns = self._now_ns()
        for _ in range(PIECES):
            done = self._outbox.release(
                wish, modes.left(self._sent, self.settings.rules, now_ns), self._noted
            )
            if done.seqs:
                self._sent = modes.released(self._sent, done.bytes, now_ns)
                self._released(Kept(done.epoch, done.seqs[0]))
                self.waveforms[modes.Cause.WISH] += ranges.count(done.seqs)
            if not (done.seqs and done.left):
                break
        if not done.left and now_ns > wish.end_ns + LATE_NS:
            self._outbox.close_wish(wish.request)
            self._wishes = tuple(one for one in self._wishes if one is not wish)
            log.info("all waveforms that the host wished for are on their way (%s)", wish.request)

    def _noted(self, size: int) -> Mapping[str, str]:
        """What is spent once so many bytes more are released."""
        return {KEY: modes.remembered(modes.released(self._sent, size, self._now_ns()))}

    def _read_wishes(self) -> None:
        self._asked.clear()
        try:
            self._wishes = self._outbox.wishes()
        except OutboxFullError:
            self._asked.set()
            raise

    def _decide(self, blocks: Sequence[Waveform]) -> tuple[Sent, dict[int, modes.Cause | None]]:
        """What is known of what was sent then, and by block why it is sent."""
        sent, causes = modes.decide(
            self._sent,
            self.settings.rules,
            [self._arrival(block) for block in blocks],
            now_ns=self._now_ns(),
            wanted=lambda machine, end_ns: any(wish.wants(machine, end_ns) for wish in self._wishes),
            alarmed=self._alarmed,
        )
        return sent, dict(zip(map(id, blocks), causes, strict=True))

    def _arrival(self, block: Waveform) -> Arrival:
        return Arrival(
            block.machine,
            place_of(block),
            block.end_ns,
            wire_bytes(block),
            self._mode(block),
            urgent=block.urgent,
            turning=block.speed_rpm != 0,
        )

    def _mode(self, block: Waveform) -> Mode:
        return self._modes.get((block.machine, block.point)) or self.settings.mode

    def _features(self, blocks: Sequence[Waveform]) -> Sequence[Frame | None]:
        """Of each block, None where there are none: then the block itself is sent, as in mode waveform."""
        try:
            return self._extraction.features(blocks)
        except Exception:  # a block must not be lost for what is computed of it
            self._failures += len(blocks)
            log.exception(
                "no features could be computed of %d blocks: they are sent as they are", len(blocks)
            )
            return [None] * len(blocks)


class Takes(Protocol):
    """What sources give their frames to."""

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """As `Recorder.put`."""
        ...


class OfSource:
    """What one source gives its frames to: its mode goes with them."""

    def __init__(self, transmitting: Transmitting, mode: Mode | None, to: Takes) -> None:
        self._transmitting = transmitting
        self._mode = mode
        self._to = to

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """As `Recorder.put`."""
        self._transmitting.of_source(frame, self._mode)
        return self._to.put(frame, stop, can_wait=can_wait)
