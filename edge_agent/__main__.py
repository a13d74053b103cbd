"""`python -P -m edge_agent --config agent.toml`: what `palier agent` executes, and a systemd unit may too."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion

from palier.strict_toml import ConfigError

from .connection import Connection, ConnectionFailedError, Will
from .outbox import OutboxError
from .service import SourceError, build, open_source, run_until
from .settings import AgentSettings, load_settings, settings_text

log = logging.getLogger("edge_agent")


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 a check or the run failed, 2 wrong configuration (file and line named)."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(options.config)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 2
    if options.print_config:
        print(settings_text(settings))  # noqa: T201 - the command's answer
        return 0
    if options.check:
        return check(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    return _run(settings)


def check(settings: AgentSettings) -> int:
    """Open the sources and connect to the broker once; a line each."""
    wrong = False
    for doubt in settings.doubts:
        _say("warning", doubt)
    for source in settings.sources:
        try:
            devices = open_source(source, settings.clock.plant_clock()).devices()
            _say("ok", f"source {source.type}: {len(devices)} machines")
        except SourceError as error:
            wrong = True
            _say("FAILED", str(error))
    try:
        version = _try_broker(settings)
        _say("ok", f"broker {settings.broker.host}:{settings.broker.port} accepts MQTT {version}")
    except ConnectionFailedError as error:
        wrong = True
        _say("FAILED", str(error))
    return 1 if wrong else 0


def _run(settings: AgentSettings) -> int:
    try:
        service = build(settings)
    except SourceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 2
    except (OutboxError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    for doubt in settings.doubts:
        log.warning("%s", doubt)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return run_until(service, stop)


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


def _say(verdict: str, text: str) -> None:
    print(f"{verdict:7} {text}")  # noqa: T201 - the command's answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="palier agent", description="Sample, keep, and send to the host.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--check", action="store_true", help="open the sources, try the broker, and leave")
    parser.add_argument("--print-config", action="store_true", help="print the settings in force, and leave")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
