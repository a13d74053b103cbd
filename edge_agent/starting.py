"""An agent as it starts: by agent.toml, or by what the host sent in place of its sources."""

from __future__ import annotations

from collections.abc import Callable

from palier.clock import PlantClock
from palier.source import Source

from .configured import BROKEN, ConfigurationFile
from .configuring import Start, at_fault, at_start
from .heap import keep_small
from .opening import SourceError, open_all
from .outbox import open_outbox
from .remote_settings import Local
from .service import AgentService, draw_epoch


def build_configured(local: Local) -> AgentService:
    """An agent from agent.toml and what the host sent. Raises as `build`, and ConfigError."""
    keep_small()
    settings = local.settings()
    clock = settings.clock.plant_clock()
    outbox = open_outbox(
        settings.data, settings.edge, draw_epoch=draw_epoch, cap_bytes=settings.outbox_mb * 1_000_000
    )  # first, for its lock: a second agent must not touch the configuration of the one that runs
    try:
        file = ConfigurationFile(settings.data)
        begun, sources = _opened(local, file, at_start(local, file), clock)
        service = AgentService(begun.settings, outbox, sources, clock=clock)
    except BaseException:
        outbox.close()
        raise
    service.take_configurations(local, file, begun)
    return service


def _opened(
    local: Local, file: ConfigurationFile, begun: Start, clock: PlantClock
) -> tuple[Start, list[tuple[str, Source | None, Callable[[], Source]]]]:
    """The sources, and what they are of: what was sent and can't be used is not in force. Raises SourceError
    for a mistake in agent.toml.
    """
    while True:  # on trial, kept before it, agent.toml
        try:
            return begun, open_all(begun.settings.sources, clock)
        except SourceError as error:
            if not begun.in_force.version or begun.in_force.state == BROKEN:
                raise
            begun = at_fault(local, file, begun.in_force, str(error))
