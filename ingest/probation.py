"""After a run that did not end well: finds the frame that ends the process each time it is worked on.

An exception is caught and its frame put aside at once. What kills the process itself (memory, a native
library) leaves no word, and the gateway sends the same frame again after each restart. So, for a while
after a start that follows such an end, frames are noted in the records before they are worked on: one that
was begun before is worked on alone, and after its third time it is put aside unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from palier.frames import FrameId
from palier.historian.base import Unavailable

from .quarantine import Problem

ATTEMPTS: Final = 3
LASTS_S: Final = 60.0
"""A gateway sends what is in flight within seconds of a restart; who lives for a minute has survived it."""

DEADLY: Final = Problem("deadly", f"the ingest ended {ATTEMPTS} times while it worked on this frame")


class AttemptRecords(Protocol):
    """What probation needs of the records."""

    def pending_attempts(self) -> Mapping[FrameId, int]:
        """Frames that were begun and have no verdict yet, with how often they were begun."""
        ...

    def attempt(self, frames: Iterable[FrameId]) -> Mapping[FrameId, int]:
        """Note durably that these frames are begun once more; their counts. Raises Unavailable."""
        ...

    def forget_attempts(self, frames: Iterable[FrameId]) -> None:
        """Take back attempts that failed through no fault of the frames. Raises Unavailable."""
        ...


class Probation:
    """Notes frames before they are worked on, until it is over."""

    def __init__(self, records: AttemptRecords, monotonic_s: Callable[[], float]) -> None:
        self._records = records
        self._monotonic_s = monotonic_s
        self._over_s = monotonic_s() + LASTS_S

    @property
    def over(self) -> bool:
        """Whether this run has shown that it can live."""
        return self._monotonic_s() >= self._over_s

    def suspects(self, frames: Iterable[FrameId]) -> dict[FrameId, int]:
        """Those of the frames that were begun before and got no verdict, with how often."""
        pending = self._records.pending_attempts()
        return {frame: pending[frame] for frame in frames if frame in pending}

    def begin(self, frames: Iterable[FrameId]) -> None:
        """These are worked on now, together. Raises Unavailable."""
        self._records.attempt(frames)

    def acquit(self, frames: Iterable[FrameId]) -> None:
        """These are not to blame: the process lived on, or it was the store that failed."""
        with suppress(Unavailable):
            self._records.forget_attempts(frames)


class EndedWell:
    """A file that stands in the data folder while an ingest works there, and tells the next one how it
    ended.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ingest.running"

    def begin(self) -> bool:
        """Whether the run before this one ended well (or there was none). Raises Unavailable."""
        ended_well = not self._path.exists()
        try:
            self._path.touch(mode=0o600)
        except OSError as error:
            raise Unavailable(
                f"{self._path} can't be made: {error.strerror}; check the disk and rights"
            ) from error
        return ended_well

    def end(self) -> None:
        """This run ends well."""
        with suppress(OSError):  # the next run is careful without need: no harm
            self._path.unlink()
