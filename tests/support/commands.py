"""Commands called in this process."""

from __future__ import annotations

from collections.abc import Callable

import typer


def app_of(command: Callable[..., None]) -> typer.Typer:
    """An app of that one command, as the command line builds it."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(command)
    return app
