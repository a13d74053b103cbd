"""Which historian, plant and waveforms a history is of: what `palier.historian.open` does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from palier.plant import Plant, PlantError, load_plant
from palier.strict_toml import ConfigError

from .base import Historian
from .folder import DataFolder
from .history import History
from .history_table import HistoryError
from .history_waveforms import WaveformSource, source_of
from .opening import HistorianSettings, open_historian

SERVED_AT_ONCE: Final = 2
"""Machines that a server is asked for at a time: while one answer is read the next is written. More of them
would take from the ingest and the page what is theirs."""


def open_history(
    where: str | Path,
    *,
    waveforms: str | Path | None = None,
    plant: Plant | str | Path | None = None,
    site: str | None = None,
    **account: str | Path | None,
) -> History:
    """See `palier.historian.open`; `account` are keys of `HistorianSettings`."""
    is_url = str(where).startswith(("http://", "https://"))
    given = {name: value for name, value in account.items() if value}
    if is_url:
        settings, folder = _settings({**given, "url": str(where)}), None
        historian = _opened(settings, Path())
    else:
        if set(given) - {"database"}:
            raise HistoryError(
                f"{', '.join(sorted(given))} are for an InfluxDB, and {where} is a file or folder"
            )
        file = _file(Path(where))
        folder = DataFolder(file.parent)
        historian = _opened(HistorianSettings(), file)
    try:
        found = _plant(plant, folder)
        return History(
            historian,
            _site(historian, str(where), site, found),
            plant=found,
            waveforms=_source(waveforms, folder),
            at_once=SERVED_AT_ONCE if is_url else 1,
        )
    except BaseException:
        historian.close()
        raise


def open_by(settings: HistorianSettings, data: Path, *, plant: Plant | Path | None = None) -> History:
    """The history that a service's settings name: `[historian]`, its `data` folder, its plant.

    Raises HistorianError, ConfigError.
    """
    folder = DataFolder(data)
    file = folder.historian if settings.url is not None else _file(data)
    historian = _opened(settings, file)
    try:
        found = _plant(plant, folder)
        place = settings.url or str(file)
        site = _site(historian, place, None, found)
        at_once = 1 if settings.url is None else SERVED_AT_ONCE
        return History(historian, site, plant=found, waveforms=_source(None, folder), at_once=at_once)
    except BaseException:
        historian.close()
        raise


def _file(path: Path) -> Path:
    """The historian's file: itself, or that of a data folder. Raises HistoryError."""
    if path.is_file():
        return path
    file = DataFolder(path).historian
    if file.is_file():
        return file
    if not path.exists():
        raise HistoryError(
            f"there is no {path}: give a historian.sqlite, the data folder of an ingest, or the URL of an "
            "InfluxDB, http://HOST:8086"
        )
    near = next((found.parent for found in sorted(path.glob("*/historian.sqlite"))), None)
    hint = f"; did you mean {near}?" if near else ": give the data folder of an ingest, as in ingest.toml"
    raise HistoryError(f"{path} holds no historian.sqlite{hint}")


def _settings(given: dict[str, str | Path]) -> HistorianSettings:
    try:
        return HistorianSettings.model_validate(given)
    except ValidationError as error:
        told = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors())
        raise HistoryError(f"the InfluxDB can't be opened so: {told}") from None  # its text repeats the input


def _opened(settings: HistorianSettings, file: Path) -> Historian:
    try:
        return open_historian(settings, file, read_only=True)
    except ConfigError as error:
        raise HistoryError(str(error)) from error


def _plant(given: Plant | str | Path | None, folder: DataFolder | None) -> Plant | None:
    """The plant that is given, or the plant.toml in or beside the data folder; None where there is none."""
    if isinstance(given, Plant):
        return given
    if given is None:
        beside = (
            []
            if folder is None
            else [folder.path / "plant.toml", folder.path.resolve().parent / "plant.toml"]
        )
        for path in beside:
            with suppress(OSError):
                if path.is_file():
                    return _read_plant(path)
        return None
    return _read_plant(Path(given))


def _read_plant(path: Path) -> Plant:
    try:
        return load_plant(path)
    except PlantError as error:
        raise HistoryError(f"the plant can't be read: {error}") from error


def _source(given: str | Path | None, folder: DataFolder | None) -> WaveformSource | None:
    if given is not None:
        return source_of(given)
    return source_of(folder.path) if folder is not None and folder.records.is_file() else None


def _site(historian: Historian, where: str, given: str | None, plant: Plant | None) -> str:
    """The site that is asked for, the plant's, or the only one there is. Raises HistoryError."""
    sites = historian.sites()
    wanted = given or (plant.site_id if plant is not None else None)
    if not sites:
        raise HistoryError(f"the historian at {where} holds no rows yet: the ingest fills it")
    if wanted is None and len(sites) > 1:
        raise HistoryError(
            f"the historian at {where} holds several sites: give site=, one of {', '.join(sites)}"
        )
    if wanted is not None and wanted not in sites:
        whose = "" if given else ", that of the plant"
        raise HistoryError(
            f"the historian at {where} has no site {wanted[:80]!r}{whose}; it has {', '.join(sites)}"
        )
    return wanted or sites[0]
