"""`palier agent`: replaces this process by the agent, which imports no more than a small gateway can hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def agent(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's TOML file.")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Open the sources, try the broker, and leave.")
    ] = False,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config", help="Print the settings in force, and where the sources come from; leave."
        ),
    ] = False,
    forget_configuration: Annotated[
        bool,
        typer.Option(
            "--forget-configuration",
            help="Return from what the host sent to agent.toml, and leave; the agent must be stopped.",
        ),
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow a broker elsewhere without TLS or account.")
    ] = False,
    resend_since: Annotated[
        str | None,
        typer.Option("--resend-since", metavar="TIME", help="Send what is still here again, and leave."),
    ] = None,
) -> None:
    """Sample on a gateway, keep every frame until the host has it, and send.

    Example: palier agent --config agent.toml
    """
    arguments = [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)]
    arguments += ["--check"] * check + ["--print-config"] * print_config
    arguments += ["--insecure"] * insecure + ["--forget-configuration"] * forget_configuration
    arguments += ["--resend-since", resend_since] if resend_since is not None else []
    sys.stdout.flush()
    os.execv(sys.executable, arguments)  # noqa: S606 - a fixed program; the arguments are the user's own
