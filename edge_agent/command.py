"""`palier agent`: replaces this process by the agent, which imports no more than a small gateway can hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def agent(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's TOML file.")],
    check: Annotated[
        bool, typer.Option("--check", help="Open the sources, try the broker, and leave.")
    ] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the settings in force, and leave.")
    ] = False,
) -> None:
    """Sample on a gateway, keep every frame until the host has it, and send.

    Example: palier agent --config agent.toml
    """
    arguments = [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)]
    arguments += ["--check"] * check + ["--print-config"] * print_config
    sys.stdout.flush()
    os.execv(sys.executable, arguments)  # noqa: S606 - a fixed program; the arguments are the user's own
