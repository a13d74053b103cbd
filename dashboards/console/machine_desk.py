"""What the machine pages of all viewers share: what was read of each machine, for as long as it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from .machine_judgement import MachineJudgement
from .waves import Waves

MOST_MACHINES: Final = 16
"""Machines whose judgement is kept, the last that were asked for: few are looked at at once, and one that
is not kept is read again in milliseconds."""


class MachineDesk:
    """Keeps the last judgement of each machine that somebody looks at, and the last spectra."""

    def __init__(self) -> None:
        self.waves = Waves()
        self._judged: OrderedDict[str, tuple[object, MachineJudgement]] = OrderedDict()

    async def judgement(
        self, machine: str, version: object, read: Callable[[], Awaitable[MachineJudgement]]
    ) -> MachineJudgement:
        """The judgement of a machine: what is kept where it is of this `version`, else what `read` gives."""
        known = self._judged.get(machine)
        if known is not None and known[0] == version:
            self._judged.move_to_end(machine)
            return known[1]
        found = await read()
        self._judged[machine] = (version, found)
        self._judged.move_to_end(machine)
        while len(self._judged) > MOST_MACHINES:
            self._judged.popitem(last=False)
        return found

    def close(self) -> None:
        """End what runs for it."""
        self.waves.close()
