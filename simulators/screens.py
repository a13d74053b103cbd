"""How the demonstration looks: a table that is rewritten on a terminal, lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

PLAIN_EVERY_S: Final = 10.0
"""How often lines are printed where no terminal can rewrite them."""

BAR_CELLS: Final = 40


class LiveScreen:
    """A terminal: one table, rewritten in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """One line above the table."""
        self._live.console.print(text, highlight=False, soft_wrap=True)

    def show(self, rows: Sequence[tuple[str, ...]], progress: tuple[str, float] | None = None) -> None:
        """The table, and a bar under it."""
        table = Table.grid(padding=(0, 2))
        for row in rows:
            table.add_row(*row)
        if progress is None:
            self._live.update(table, refresh=True)
            return
        title, share = progress
        bar = Table.grid(padding=(0, 2))
        bar.add_row(title, ProgressBar(total=1.0, completed=share, width=BAR_CELLS), f"{share:.0%}")
        self._live.update(Group(table, bar), refresh=True)


class PlainScreen:
    """A pipe or a file: all machines every `PLAIN_EVERY_S` seconds, and one whenever its state changes."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._shown_s = float("-inf")
        self._states: dict[str, tuple[str, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, rows: Sequence[tuple[str, ...]], progress: tuple[str, float] | None = None) -> None:
        """A line for each machine if it is time, else for those of which the state changed."""
        now_s = time.monotonic()
        due = now_s - self._shown_s >= PLAIN_EVERY_S
        for row in rows if not self._quiet else ():
            if due or self._states.get(row[0]) != row[:3]:
                self.say("  ".join(cell for cell in row if cell))
                self._states[row[0]] = row[:3]
        if due:
            self._shown_s = now_s
            if progress is not None and not self._quiet:
                self.say(f"{progress[0]}  {progress[1]:.0%}")
