"""`python -P -m edge_agent --config agent.toml`: what `palier agent` executes, and a systemd unit may too."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from palier import ranges
from palier.strict_toml import ConfigError

from .checking import check, check_the_rest, say
from .configured import FILE_NAME, ConfigurationFile
from .configuring import forget
from .outbox import OutboxError, open_outbox
from .outbox_file import Guard
from .remote_settings import Local, read_local
from .service import SourceError, draw_epoch, run_until
from .settings import AgentSettings, settings_text
from .starting import build_configured

log = logging.getLogger("edge_agent")


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 a check or the run failed, 2 wrong configuration (file and line named)."""
    options = _parser().parse_args(arguments)
    try:
        local = read_local(options.config, insecure=options.insecure)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        if options.check:
            check_the_rest(options.config)
        return 2
    settings, where = in_force(local)
    if options.print_config:
        print(f"# {where}\n{settings_text(settings)}")  # noqa: T201 - the command's answer
        return 0
    if options.check:
        say("ok" if where.startswith("sources") else "warning", where)
        return check(outside_the_service(settings, options.config))
    if options.forget_configuration:
        return forget_configuration(local)
    if options.resend_since is not None:
        return resend(settings, options.resend_since)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    return _run(local)


def outside_the_service(settings: AgentSettings, config: Path) -> AgentSettings:
    """systemd hands a credential to the running service alone: elsewhere it is read where it came from."""
    file = settings.broker.password_file
    if file is None or not file.is_relative_to("/run/credentials") or file.exists():
        return settings
    return replace(settings, broker=replace(settings.broker, password_file=config.parent / file.name))


def resend(settings: AgentSettings, since: datetime) -> int:
    """Let frames that were acknowledged wait again, and leave; the agent sends them when it runs."""
    try:
        outbox = open_outbox(
            settings.data,
            settings.edge,
            draw_epoch=draw_epoch,
            cap_bytes=settings.outbox_mb * 1_000_000,
        )
        with closing(outbox):
            again = ranges.count(outbox.recall(round(since.timestamp() * 1e9)))
    except OutboxError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    say("ok", f"{again} frames since {since.isoformat()} wait again; start the agent to send them")
    return 0


def in_force(local: Local) -> tuple[AgentSettings, str]:
    """The settings that an agent started now has, and where its sources come from. Changes nothing."""
    settings = local.settings()
    file = ConfigurationFile(settings.data)
    now = file.read()
    if file.problem or not now.version:
        return settings, file.problem or f"sources and all else are those of {local.file}"
    try:
        settings = local.under(now.text, f"configuration {now.version}")
    except ConfigError as error:
        return settings, f"configuration {now.version} of the host can't be used: {error}"
    state = "on trial" if now.trial is not None else "kept"
    file_name = settings.data / FILE_NAME
    return settings, f"sources are those of configuration {now.version} of the host, {state} ({file_name})"


def forget_configuration(local: Local) -> int:
    """Return to agent.toml; the agent must be stopped."""
    settings = local.settings()
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        guard = Guard(settings.data)
        try:
            before = forget(ConfigurationFile(settings.data))
        finally:
            guard.release()
    except (OutboxError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    what = f"configuration {before.version} of the host is forgotten" if before.version else "none was sent"
    say("ok", f"{what}: {local.file} is in force from the next start on")
    return 0


def _run(local: Local) -> int:
    try:
        service = build_configured(local)
    except (SourceError, ConfigError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 2
    except (OutboxError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for doubt in service.settings.doubts:
        log.warning("%s", doubt)
    return run_until(service, stop)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a time must be as 2026-11-20T06:00 (the gateway's time of day), got {text!r}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="palier agent", description="Sample, keep, and send to the host.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--check", action="store_true", help="open the sources, try the broker, and leave")
    parser.add_argument(
        "--insecure", action="store_true", help="allow a broker elsewhere without TLS or account"
    )
    parser.add_argument(
        "--resend-since",
        type=_moment,
        metavar="TIME",
        help="send what is still here again, for a host that lost its store, e.g. 2026-11-20T06:00; "
        "the agent must be stopped",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the settings in force and where the sources come from, and leave",
    )
    parser.add_argument(
        "--forget-configuration",
        action="store_true",
        help="return from what the host sent to the sources of agent.toml; the agent must be stopped",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
