"""What agent.toml says of what is sent.

    [transmit]
    mode = "adaptive"            # "waveform" (the default), "adaptive" or "features"
    waveform_mb_per_day = 200    # of the waveforms that features and adaptive send; none: no bound
    one_a_day = true             # adaptive: one waveform of each point
    compress = false             # zstd, for a link that is paid by the byte

A [[source]] may have a `mode` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from palier.strict_toml import Table
from palier.wire import compression

from .modes import Mode, Rules

SMALLEST_MB: Final = 1
REMEDY: Final = "pip install 'palier[zstd]', or take the line out"


@dataclass(frozen=True, slots=True)
class TransmitSettings:
    """The table, read."""

    mode: Mode = Mode.WAVEFORM
    waveform_mb_per_day: int | None = None
    one_a_day: bool = True
    compress: bool = False

    @property
    def rules(self) -> Rules:
        """What of it decides on waveforms."""
        budget = self.waveform_mb_per_day
        return Rules(None if budget is None else budget * 1_000_000, self.one_a_day)


def read_transmit(table: Table) -> TransmitSettings:
    """Mistakes are noted in the table's document."""
    budget = "waveform_mb_per_day"
    if table.flag("compress", False) and not compression.available():
        table.mistake("compress", f"compress = true needs the extra zstd: {REMEDY}")
    return TransmitSettings(
        mode=read_mode(table) or Mode.WAVEFORM,
        waveform_mb_per_day=table.integer(budget, low=SMALLEST_MB) if budget in table else None,
        one_a_day=table.flag("one_a_day", True),
        compress=table.flag("compress", False),
    )


def read_mode(table: Table) -> Mode | None:
    """The `mode` in a table, None where there is none."""
    if "mode" not in table:
        return None
    told = table.text("mode")
    if told not in tuple(Mode):
        table.mistake("mode", f"mode must be one of {', '.join(Mode)}, got {told!r}")
        return None
    return Mode(told)
