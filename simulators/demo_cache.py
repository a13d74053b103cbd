"""The past of the demonstration, kept once it has come through agent, broker and ingest.

What is kept is what came out at the end: the series from before the demonstration began, one historian file
of some tens of megabytes. The frames would be a gigabyte, and would have to be computed from again. What a
plant has beside its series (states, alarms, what was seen of a gateway) belongs to a run and is not kept: a
new ingest finds the series as one finds them that were restored from a backup, and learns its baselines from
them.

The key is the digest of all that the past is made of: seed, scenario, plant, its length, and the code itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from palier.historian.base import HistorianError, Rows, Table
from palier.historian.schema import MEASUREMENTS
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant

KEPT: Final = 2
"""Pasts that are kept: that of the demonstration, and one of somebody's own."""

COMPUTED_BY: Final = ("simulators", "models", "ingest", "palier")
"""Packages that decide what the series are like: frames come of the first, features of the second, rows of
the third, as the fourth writes them. One line of theirs changed may make another past."""

NOT_COMPUTING: Final = ("__pycache__", "locale")
"""Folders in them that decide nothing: words are chosen where they are read."""

ROWS_AT_ONCE: Final = 20_000


class CacheError(Exception):
    """The past can't be kept: the sentence says why. The demonstration goes on without."""


def key_of(*parts: object) -> str:
    """The name of a past, of what it is made of and of the code that makes it."""
    digest = hashlib.sha256(metadata.version("palier").encode())
    for part in parts:
        digest.update(f"{part!r}\n".encode())
    for package in COMPUTED_BY:
        for file in _files(resources.files(package)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cache:
    """The pasts in a folder; this one has the name `key`."""

    folder: Path
    key: str

    @property
    def file(self) -> Path:
        """Where it is, or will be."""
        return self.folder / f"past-{self.key}.sqlite"

    def restore(self, target: Path, plant: Plant) -> bool:
        """Copy the past to where an ingest will look for its historian; False where there is none.

        One that can't be read is removed: it will be made anew. Raises OSError where `target` can't be
        written.
        """
        if not self.file.is_file():
            return False
        if not _is_whole(self.file, plant):
            _remove(self.file)
            return False
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(self.file, target)
        return True

    def keep(self, historian: Path, plant: Plant, before_ns: int) -> None:
        """Keep the rows of a running ingest's historian from before a time. Raises CacheError."""
        making = self.folder / f"making-{os.getpid()}.sqlite"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in self.folder.glob("making-*.sqlite"):  # of one that was killed
                _remove(left)
            _copy(historian, making, plant, before_ns)
            _remove(self.file)
            making.replace(self.file)
            self._let_go()
        except (OSError, HistorianError) as error:
            raise CacheError(f"the past can't be kept in {self.folder}: {error}") from error
        finally:
            _remove(making)

    def _let_go(self) -> None:
        """Remove the oldest beyond what is kept."""
        found = sorted(self.folder.glob("past-*.sqlite"), key=lambda path: path.stat().st_mtime)
        for path in found[:-KEPT]:
            _remove(path)


def _files(folder: Traversable) -> Iterable[Traversable]:
    """All files of a package, in the order of their names."""
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir() and entry.name not in NOT_COMPUTING:
            yield from _files(entry)
        elif entry.name.endswith((".py", ".toml")):
            yield entry


def _is_whole(path: Path, plant: Plant) -> bool:
    """Whether every machine has features in it."""
    try:
        historian = SqliteHistorian(path, read_only=True)
    except HistorianError:
        return False
    try:
        found = historian.latest("feature", ["speed_rpm"], site=plant.site_id)
    except HistorianError:
        return False
    finally:
        historian.close()
        _remove(path, ("-wal", "-shm"))  # what reading it made
    return set(found.machine) >= {machine.id for machine in plant.machines}


def _copy(source: Path, target: Path, plant: Plant, before_ns: int) -> None:
    """The rows of all measurements before a time, machine by machine. Raises HistorianError."""
    old, new = SqliteHistorian(source, read_only=True), SqliteHistorian(target)
    try:
        for name, measurement in MEASUREMENTS.items():
            for machine in plant.machines:
                table = old.read(
                    name, measurement.names, site=plant.site_id, machine=machine.id, end_ns=before_ns
                )
                for start in range(0, len(table), ROWS_AT_ONCE):
                    new.write([_rows(name, plant.site_id, table, slice(start, start + ROWS_AT_ONCE))])
    finally:
        old.close()
        new.close()


def _rows(name: str, site: str, table: Table, some: slice) -> Rows:
    ts_ns = table.ts_ns[some]
    return Rows(
        name,
        [site] * len(ts_ns),
        table.machine[some],
        table.point[some],
        table.channel[some],
        ts_ns,
        {field: column[some] for field, column in table.columns.items()},
    )


def _remove(path: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm")) -> None:
    for suffix in suffixes:
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
