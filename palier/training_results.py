"""The folder of the training mode, and the results that pupils got: a line of JSON each, kept for good.

Nothing of a real plant is ever in it: a session has a plant, a historian and records of its own.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .training import Answer, Session, TrainingError

COLUMNS: Final = (
    *("at", "pupil", "session", "exercise", "title", "seed", "attempt"),
    *("fault", "point", "severity", "action", "expected_fault", "expected_severity", "hints", "points"),
)
"""Columns of the exported table."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula."""


@dataclass(frozen=True, slots=True)
class Result:
    """One answer of one pupil. `at_ms` is wall time since 1970 UTC; `title` and `session` as the pupil read
    them; `key` names the session; `attempt` counts from 1."""

    at_ms: int
    pupil: str
    key: str
    session: str
    exercise: str
    title: str
    seed: int
    attempt: int
    fault: str
    point: str
    severity: int
    action: str
    expected_fault: str
    expected_severity: int
    hints: int
    points: int

    @property
    def answer(self) -> Answer:
        """What the pupil said. Raises TrainingError where this version has no such answer."""
        return Answer(self.fault, self.point, self.severity, self.action)


@dataclass(frozen=True, slots=True)
class TrainingFolder:
    """Where the training mode keeps everything: the session that runs, its data, and all results."""

    path: Path

    @property
    def session_file(self) -> Path:
        """Exercises and truth of the session that runs."""
        return self.path / "session.json"

    @property
    def results_file(self) -> Path:
        """All results, one line of JSON each."""
        return self.path / "results.jsonl"

    def session(self) -> Session:
        """The session that runs. Raises TrainingError."""
        try:
            return Session.from_json(self.session_file.read_text("utf-8"))
        except OSError as error:
            raise TrainingError(
                f"the training session {self.session_file} can't be read: {error.strerror}; "
                "start it with palier demo --training"
            ) from error

    def results(self) -> tuple[Result, ...]:
        """All results, oldest first; a line that is none (a power cut) is left out. Raises TrainingError."""
        try:
            lines = self.results_file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(f"the results in {self.results_file} can't be read: {error}") from error
        return tuple(found for line in lines if (found := _result(line)) is not None)

    def add(self, result: Result) -> None:
        """Keep a result: it is on the disk when this returns. Raises TrainingError."""
        line = json.dumps(asdict(result), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            with self.results_file.open("ab+") as file:
                if file.tell() and not _ends_a_line(file):
                    line = "\n" + line  # the last writer was cut off: its line must not take this one with it
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TrainingError(
                f"the result can't be kept in {self.results_file}: {error.strerror}"
            ) from error


def table_text(results: Iterable[Result]) -> str:
    """Results as CSV (RFC 4180), ready for a spreadsheet: UTC times, texts that are no formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for result in results:
        at = datetime.fromtimestamp(result.at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {**asdict(result), "at": at}
        writer.writerow([_plain(values[name]) for name in COLUMNS])
    return out.getvalue()


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _ends_a_line(file: io.BufferedRandom) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _result(line: str) -> Result | None:
    try:
        return Result(**json.loads(line))
    except (TypeError, ValueError):
        return None
