"""The folder on the disk: private, never half written, nobody else at work in it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600

OTHERS: Final = 0o077
"""The rights of group and others."""


class ProvisionError(Exception):
    """What could not be made or read: the sentence says what to do, and holds no secret.

    `usage` is whether the call was wrong rather than the folder.
    """

    def __init__(self, sentence: str, *, usage: bool = False) -> None:
        super().__init__(sentence)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of `palier provision`; names are relative to it ("broker/acl")."""

    path: Path

    def read(self, name: str) -> bytes | None:
        """What a file holds, None where there is none. Raises ProvisionError."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ProvisionError(
                f"{self.path / name} must be a file, and is a folder: remove it (Docker makes one where "
                "a file to mount is missing), then run again"
            ) from None
        except OSError as error:
            raise ProvisionError(f"{self.path / name} can't be read: {error.strerror}") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole or not at all, for its owner only. Raises ProvisionError."""
        target = self.path / name
        try:
            _make_folders(self.path, target.parent)
            beside = target.with_name(f".{target.name}.new")
            _write_through(beside, content)
            beside.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise ProvisionError(f"{target} can't be written: {error.strerror}") from error

    def remove_folder(self, name: str, files: Sequence[str]) -> None:
        """Remove a folder that holds nothing but these files, or their beginnings.

        Raises ProvisionError; where it holds more, nothing is removed.
        """
        folder = self.path / name
        known = {*files, *(f".{file}.new" for file in files)}
        try:
            if others := sorted({entry.name for entry in folder.iterdir()} - known):
                raise ProvisionError(f"{folder} holds other things too ({others[0]}): move them away first")
            for file in known:
                (folder / file).unlink(missing_ok=True)
            folder.rmdir()
            _sync_folder(folder.parent)
        except OSError as error:
            raise ProvisionError(f"{folder} can't be removed: {error.strerror}") from error

    def subfolders(self, name: str) -> tuple[str, ...]:
        """The folders in a folder, in the order of their names; none where it is not there."""
        try:
            with os.scandir(self.path / name) as entries:
                return tuple(sorted(entry.name for entry in entries if entry.is_dir()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ProvisionError(f"{self.path / name} can't be read: {error.strerror}") from error

    def too_open(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these files, and of the folders they are in ("." is the folder), others may enter."""
        folders = {str(parent) for name in names for parent in Path(name).parents}
        return tuple(name for name in (*sorted(folders), *names) if _open_to_others(self.path / name))

    def close(self, name: str) -> None:
        """Take a file's or folder's rights from everybody but its owner. Raises ProvisionError."""
        path = self.path / name
        try:
            path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
        except OSError as error:
            raise ProvisionError(f"the rights of {path} can't be changed: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against another run. Raises ProvisionError where there is one."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ProvisionError(f"{self.path} can't be used: {error.strerror}") from error
        try:
            _lock(handle, self.path)
            yield
        finally:
            os.close(handle)  # and with it the lock


def open_folder(path: Path, manifest: str) -> Folder:
    """The folder, made where there is none. Raises ProvisionError where it can't be or is not ours."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        owner, names = path.stat().st_uid, {entry.name for entry in path.iterdir()}
    except FileNotFoundError:
        raise ProvisionError(
            f"{path} can't be made: there is no folder {path.absolute().parent}, make it first", usage=True
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise ProvisionError(f"{path} must be a folder, and is something else", usage=True) from None
    except OSError as error:
        raise ProvisionError(f"{path} can't be used: {error.strerror}") from error
    # A run that ended while it wrote the very first file leaves only its beginning.
    if manifest not in names and names - {f".{manifest}.new"}:
        raise ProvisionError(
            f"{path} holds other things (no {manifest} is there): take another folder, or restore that file",
            usage=True,
        )
    if owner != os.geteuid():
        raise ProvisionError(
            f"{path} belongs to user {owner}, and this is user {os.geteuid()}: run as its owner, whom the "
            "services that read it run as",
            usage=True,
        )
    return Folder(path)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ProvisionError(f"another `palier provision` is at work in {path}: wait for it") from None
    except OSError as error:
        raise ProvisionError(f"{path} can't be locked: {error.strerror}") from error


def _open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & OTHERS)
    except OSError:
        return False  # not there: that is told as such


def _make_folders(top: Path, folder: Path) -> None:
    for path in (*reversed(folder.parents), folder):
        if path.is_relative_to(top) and not path.is_dir():
            path.mkdir(mode=PRIVATE_FOLDER)


def _write_through(path: Path, content: bytes) -> None:
    """Written to the disk, readable by the owner alone from the first moment."""
    path.unlink(missing_ok=True)  # left by a run that was killed
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - an open handle
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
