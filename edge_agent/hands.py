"""What a new configuration changes of a running agent, and what its trial looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .settings import AgentSettings, SourceSettings
from .trial import Look

if TYPE_CHECKING:
    from palier.source import Device

    from .process_values import ProcessValues
    from .source_set import SourceSet


class AgentHands:
    """Carries out for the configurer. `announce` is told the devices after each change."""

    def __init__(
        self,
        sources: SourceSet,
        values: ProcessValues,
        *,
        linked: Callable[[], bool],
        announce: Callable[[tuple[Device, ...]], None],
        transmit: Callable[[AgentSettings], None] = lambda _settings: None,
    ) -> None:
        self._sources = sources
        self._values = values
        self._linked = linked
        self._announce = announce
        self._transmit = transmit

    def change(self, settings: AgentSettings, *, whatever: bool = False) -> None:
        """Sample by these from now on. Raises ChangeError: all is as it was."""
        self._sources.change(settings.sources, whatever=whatever)
        self._values.change(settings.attachments)
        self._transmit(settings)
        self._announce(self._sources.devices)

    def awaited(
        self, now: tuple[SourceSettings, ...], within_s: float
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """As `SourceSet.awaited`."""
        return self._sources.awaited(now, within_s)

    def look(self, elapsed_s: float) -> Look:
        """What is seen of broker, host and sources now, so many seconds after the last look."""
        sources = self._sources
        return Look(elapsed_s, self._linked(), sources.gave, sources.failing, sources.works)
