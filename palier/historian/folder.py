"""The data directory of an ingest: where the three stores lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Unavailable


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Names what an ingest keeps under `path`. Naming creates nothing; `create` does."""

    path: Path

    @property
    def historian(self) -> Path:
        """The series: features, readings, states, spectra, events, ledger lines."""
        return self.path / "historian.sqlite"

    @property
    def records(self) -> Path:
        """The records: frames seen, states in force, transitions, waveform index, quarantine."""
        return self.path / "records.sqlite"

    @property
    def waveforms(self) -> Path:
        """The folder of the waveform segments."""
        return self.path / "waveforms"

    @property
    def timezone(self) -> str:
        """The time zone of the plant that the ingest works for; "" where none was noted."""
        try:
            return self._timezone_file.read_text("utf-8").strip()
        except (OSError, ValueError):
            return ""

    def note_timezone(self, timezone: str) -> None:
        """Note the plant's time zone for who reads the stores without the plant. Raises Unavailable."""
        if timezone == self.timezone:
            return
        try:
            self._timezone_file.write_text(timezone + "\n", "utf-8")
        except OSError as error:
            raise Unavailable(
                f"{self._timezone_file} can't be written: {error.strerror}; check the folder's rights"
            ) from error

    @property
    def _timezone_file(self) -> Path:
        return self.path / "timezone"

    def create(self) -> DataFolder:
        """Make the folders where they are missing, for the service's own user only. Raises Unavailable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.waveforms.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"the data folder {self.path} can't be made: {error.strerror}; check its path and its owner"
            ) from error
        return self
