"""`palier agent --check`: everything that is wrong, in one pass, a line each."""

from __future__ import annotations

from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion

from palier.clock import PlantClock
from palier.source import TriedSource
from palier.strict_toml import ConfigError, read_toml

from .addresses import addresses_of, shared
from .connection import Connection, ConnectionFailedError, Will
from .opening import SourceError, open_source
from .settings import AgentSettings, SourceSettings, read_sources


def say(verdict: str, text: str) -> None:
    """A line of the command's answer."""
    print(f"{verdict:7} {text}")  # noqa: T201 - the command's answer


def check(settings: AgentSettings) -> int:
    """Open the sources and connect to the broker once; a line each."""
    for doubt in settings.doubts:
        say("warning", doubt)
    wrong = not try_sources(settings.sources, settings.clock.plant_clock())
    try:
        version = _try_broker(settings)
        say("ok", f"broker {settings.broker.host}:{settings.broker.port} accepts MQTT {version}")
    except ConnectionFailedError as error:
        wrong = True
        say("FAILED", str(error))
    return 1 if wrong else 0


def check_the_rest(config: Path) -> None:
    """Where agent.toml has mistakes, which were told: those of its sources, as far as they can be read."""
    try:
        sources = read_sources(read_toml(config), config.resolve().parent)
    except ConfigError:
        return
    try_sources(sources, PlantClock())
    say("warning", f"the broker is tried when {config} is right")


def try_sources(sources: tuple[SourceSettings, ...], clock: PlantClock) -> bool:
    """Try each and tell what is wrong with it; whether nothing is."""
    wrong: list[str] = []
    taken: list[tuple[str, tuple[str, ...]]] = []
    for source in sources:
        faults, addresses = _try_source(source, clock)
        taken.append((source.name, addresses))
        for fault in faults:
            say("FAILED", fault)
        wrong += faults
    for clash in shared(taken):
        say("FAILED", clash)
        wrong.append(clash)
    return not wrong


def _try_source(settings: SourceSettings, clock: PlantClock) -> tuple[list[str], tuple[str, ...]]:
    """What is wrong with a source, and its addresses. Its device is looked for also where its table has
    mistakes, if these leave no doubt about which it is.
    """
    faults: list[str] = []
    machines = 0
    try:
        source = open_source(settings, clock)
        attempt = source.attempt if isinstance(source, TriedSource) else None
        addresses, machines = addresses_of(source), len(source.devices())
    except SourceError as error:
        faults += error.sentences
        attempt, addresses = error.attempt, error.addresses
    except Exception as error:  # the sources behind it are to be checked, too  # noqa: BLE001
        return [_sentence(settings, error)], ()
    try:
        if attempt is not None:
            attempt()
    except Exception as error:  # as above  # noqa: BLE001
        faults.append(_sentence(settings, error))
    if not faults:
        say("ok", f"source {settings.name}: {machines} machines")
    return faults, addresses


def _sentence(settings: SourceSettings, error: Exception) -> str:
    what = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return f"source {settings.name!r}: {what}"


def _try_broker(settings: AgentSettings) -> str:
    versions = ((MQTTProtocolVersion.MQTTv5, "5"), (MQTTProtocolVersion.MQTTv311, "3.1.1"))
    for protocol, name in versions:
        connection = Connection(
            settings.broker,
            client_id=f"palier-check-{settings.site}-{settings.node}",
            protocol=protocol,
            will=Will(f"palier/v1/{settings.site}/check", b""),
            subscriptions=(f"palier/v1/{settings.site}/check",),
        )
        try:
            connection.open()
        except ConnectionFailedError as error:
            if not error.other_protocol or name == versions[-1][1]:
                raise
            continue
        connection.close()
        return name
    raise AssertionError("the loop returns or raises")
