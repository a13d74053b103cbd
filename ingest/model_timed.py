"""Loading and asking with a limit: who waits goes on, whatever a model provokes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from models.bundle import Bundle

LOAD_S: Final = 30.0
"""What loads longer is no model for a host that has to start again in less than a minute."""


ASK_S: Final = 5.0
"""What a model may take for the blocks of a batch: it needs milliseconds, also where the machine is busy.
Frames wait meanwhile, in a queue that holds some seconds of a plant."""

STRIKES: Final = 3
"""So often it may take longer before it is asked no more."""

T = TypeVar("T")


class ModelError(Exception):
    """A model can't be taken: `key` is a short word for why, the sentence says what to do."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class TooSlow(ModelError):
    """It was not loaded in time. `goes_on` tells whether its thread is still at it: until it has ended the
    same is not begun again, or each try would leave one more thread and its files in memory.
    """

    def __init__(self, sentence: str, thread: threading.Thread) -> None:
        super().__init__("too_slow", sentence)
        self._thread = thread

    @property
    def goes_on(self) -> bool:
        """Whether it is still being loaded."""
        return self._thread.is_alive()


def timed(load: Callable[[], Bundle], spec: str, seconds: float = LOAD_S) -> Bundle:
    """What `load` gives, or TooSlow where it takes too long; then its thread is left behind."""
    found, thread = _apart(load, "ingest-model-load", seconds)
    if not found:
        raise TooSlow(
            f"{spec} was not loaded within {seconds:g} s: train a smaller one, or look at what else this "
            "machine does",
            thread,
        )
    return found[0]


class Pace:
    """Asks one model, each time within its limit. After `STRIKES` times it is set aside: it is asked no more
    until another version, or another start, takes its place. Nor is it while it is still at an earlier batch:
    one thread at most is left behind.
    """

    def __init__(self, seconds: float = ASK_S) -> None:
        self._seconds = seconds
        self._strikes = 0
        self._left: threading.Thread | None = None

    @property
    def is_aside(self) -> bool:
        """Whether it is asked no more."""
        return self._strikes >= STRIKES

    def __call__(self, ask: Callable[[], T]) -> T:
        """What `ask` gives. ModelError where it takes too long; then what it goes on doing is nobody's."""
        if self.is_aside or (self._left is not None and self._left.is_alive()):
            raise self._slow()
        found, thread = _apart(ask, "ingest-model-ask", self._seconds)
        if not found:
            self._strikes += 1
            self._left = thread
            raise self._slow()
        return found[0]

    def _slow(self) -> ModelError:
        return ModelError(
            "too_slow",
            f"it took longer than {self._seconds:g} s for the blocks of a batch, which have no score of it; "
            f"after {STRIKES} times it is set aside: put a faster version in force",
        )


def _apart(work: Callable[[], T], name: str, seconds: float) -> tuple[list[T], threading.Thread]:
    """(what it gives, nothing where it is not done in time; its thread). What it raises is raised."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - told by who waits
            failed.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return found, thread
