"""Opening the sources: what is wrong in agent.toml ends the agent, what is wrong outside does not."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import entry_points
from typing import Final

from palier.clock import PlantClock
from palier.source import ENTRY_POINT_GROUP, OpenSource, Source
from palier.table_mistakes import TableError

from .addresses import addresses_of, shared
from .settings import SourceSettings

OPEN_S: Final = 20.0
"""A driver that takes longer to open is left to a thread of its own. systemd waits 90 s for a start."""

Opened = tuple[str, Source | None, Callable[[], Source]]

log = logging.getLogger(__name__)


class SourceError(Exception):
    """Sources that can't be opened as configured; str() is a line for each mistake, which names its source.

    `attempt` and `addresses` are those of `TableError`.
    """

    def __init__(
        self,
        *sentences: str,
        attempt: Callable[[], None] | None = None,
        addresses: tuple[str, ...] = (),
    ) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.attempt = attempt
        self.addresses = addresses


def source_types() -> frozenset[str]:
    """The types of sources that are installed."""
    return frozenset(point.name for point in entry_points(group=ENTRY_POINT_GROUP))


def open_source(settings: SourceSettings, clock: PlantClock) -> Source:
    """The source of one [[source]]. Raises SourceError, and OSError for what is not there now."""
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if settings.type not in found:
        raise SourceError(f"a source's type must be one of {', '.join(sorted(found))}, got {settings.type!r}")
    try:
        opener: OpenSource = found[settings.type].load()
        return opener(settings.options, clock)
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {settings.name!r} can't be loaded: {error}") from error
    except TableError as error:
        told = [f"source {settings.name!r}: {sentence}" for sentence in error.sentences]
        raise SourceError(*told, attempt=error.attempt, addresses=error.addresses) from error
    except ValueError as error:
        raise SourceError(f"source {settings.name!r}: {error}") from error


def open_all(settings: Iterable[SourceSettings], clock: PlantClock) -> list[Opened]:
    """Each source by name, as `open_or_later` gives it, and what opens it again. Raises SourceError with the
    mistakes of all their tables.
    """
    opened: list[Opened] = []
    wrong: list[str] = []
    taken: list[tuple[str, tuple[str, ...]]] = []
    for one in settings:
        try:
            source = open_or_later(one, clock)
            taken.append((one.name, addresses_of(source)))
            opened.append((one.name, source, partial(open_source, one, clock)))
        except SourceError as error:
            taken.append((one.name, error.addresses))
            wrong += error.sentences
    if wrong := [*wrong, *shared(taken)]:
        raise SourceError(*wrong)
    return opened


def open_or_later(settings: SourceSettings, clock: PlantClock) -> Source | None:
    """The source, or None where its bus or file is not there now or does not answer: it is tried again.

    Raises SourceError for a mistake in its table.
    """
    answer: queue.SimpleQueue[Source | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put(open_source(settings, clock))
        except Exception as error:  # raised where the caller stands  # noqa: BLE001
            answer.put(error)

    threading.Thread(target=work, name=f"opening {settings.name}", daemon=True).start()
    try:
        opened = answer.get(timeout=OPEN_S)
    except queue.Empty:
        log.error("source %s does not open within %g s; it is tried again", settings.name, OPEN_S)
        return None
    if isinstance(opened, OSError):
        log.error("source %s can't be opened: %s; it is tried again", settings.name, opened)
        return None
    if isinstance(opened, Exception):
        raise opened
    return opened
