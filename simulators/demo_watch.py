"""What somebody at the terminal sees of a running demonstration: the machines, the history, and what
happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final, Protocol

from palier.alarms import Alarm, AlarmError
from palier.clock import PlantClock
from palier.embedded import EmbeddedPlant
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.locale import Catalogue
from palier.operations import Baseline
from palier.plant import Plant

from .demo_past import Past
from .demo_story import LIFE_FIELDS, Story
from .history import DAYS
from .status import MachineStatus, read_status, status_line

REFRESH_S: Final = 1.0


class Screen(Protocol):
    """Where the demonstration shows itself."""

    def say(self, text: str) -> None:
        """One line that stays."""
        ...

    def show(self, rows: Sequence[tuple[str, ...]], progress: tuple[str, float] | None = None) -> None:
        """The state of all machines now, a row each, and what is filling how far (0 to 1); replaces what was
        shown before where it can.
        """
        ...


class Watch:
    """Looks at a running demonstration each second and tells what is new. `began_s` is monotonic."""

    def __init__(
        self,
        embedded: EmbeddedPlant,
        plant: Plant,
        clock: PlantClock,
        past: Past,
        *,
        words: Catalogue,
        screen: Screen,
        began_s: float,
    ) -> None:
        self._embedded = embedded
        self._plant = plant
        self._clock = clock
        self._past = past
        self._words = words
        self._screen = screen
        self._began_s = began_s
        self._story = Story(words, embedded.page_url)
        self._live = False

    def run(self, seconds: float | None) -> None:
        """Until the time is over. Raises EmbeddedError when a part ends by itself."""
        end_s = None if seconds is None else time.monotonic() + seconds
        with ExitStack() as stack:
            historian = SqliteHistorian(self._embedded.data.historian, read_only=True)
            stack.callback(historian.close)
            records = RecordsReader(self._embedded.data.records)
            stack.callback(records.close)
            stack.callback(self._past.close)
            while end_s is None or time.monotonic() < end_s:
                self._embedded.check()
                self._look(historian, records)
                time.sleep(REFRESH_S)

    def say(self, text: str) -> None:
        """A line with its time."""
        seconds = round(time.monotonic() - self._began_s)
        self._screen.say(self._words.text("demo.at", seconds=f"{seconds:3d}", text=text))

    def _look(self, historian: SqliteHistorian, records: RecordsReader) -> None:
        try:
            machines = read_status(historian, self._plant)
        except HistorianError:  # the next look will tell
            machines = tuple(MachineStatus(m.id, m.name) for m in self._plant.machines)
        for key, params in self._past.look(self._embedded):
            self.say(self._words.text(f"demo.{key}", **params))
        for line in self._news(machines, historian, records):
            self.say(line)
        now_ns = self._clock.now_ns()
        progress = self._past.progress
        title = self._words.text("demo.past_filling", days=DAYS)
        self._screen.show(
            [status_line(one, self._words, now_ns) for one in machines],
            None if progress is None else (title, progress),
        )

    def _news(
        self, machines: Sequence[MachineStatus], historian: SqliteHistorian, records: RecordsReader
    ) -> Iterator[str]:
        if not self._live and any(one.state != "unknown" for one in machines):
            self._live = True
            yield self._words.text("demo.first_value")
        yield from self._story.of_machines(machines)
        try:
            yield from self._story.of_baselines(_baselines(records))
            yield from self._story.of_alarms(_alarms(records))
            yield from self._story.of_lives(
                historian.latest("life", LIFE_FIELDS, site=self._plant.site_id),
            )
        except HistorianError:  # a reader that came while a file was changed: the next look will tell
            return


def _alarms(records: RecordsReader) -> Iterator[Alarm]:
    for row in records.alarms():
        try:
            yield Alarm.from_json(row.value)
        except AlarmError:
            continue


def _baselines(records: RecordsReader) -> Iterator[Baseline]:
    for row in records.baselines():
        try:
            yield Baseline.from_told(json.loads(row.value))
        except ValueError:
            continue
