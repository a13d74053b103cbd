"""The registry's folder on the disk: nothing half written, and one writer at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Final

from .registry_journal import FILES, RegistryError, Version

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""A forest of a thousand points has some 100 MB; what is larger was not made by `palier train`."""

_LOCK: Final = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a registry against other writers. Raises RegistryError where there is one, or no way to write."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RegistryError(
            "not_writable",
            f"the registry {folder} can't be written: {error.strerror}; check its rights",
            path=folder,
            why=error.strerror,
        ) from error
    try:
        _take(handle, folder)
        yield
    finally:
        os.close(handle)  # and with it the lock


def _take(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
        who = f" (process {holder})" if holder else ""
        raise RegistryError(
            "locked",
            f"somebody else is changing the registry {folder} just now{who}: wait until that has ended, look "
            "at what it did with `palier model list`, and ask again",
            path=folder,
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file as a whole or not at all. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files, as a whole or not at all. Raises OSError, also where it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, content in files.items():
            with (beside / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            (beside / name).chmod(0o444)
        beside.chmod(0o755)
        sync_folder(beside)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    sync_folder(target.parent)


def append_line(target: Path, text: str) -> None:
    """Add one line at the end of a file; what a writer that died left of a line is cut first.

    Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """What was made or renamed in a folder is durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_files(folder: Path, names: Mapping[str, str] | tuple[str, ...], spec: str) -> dict[str, bytes]:
    """These files of a version, their sizes looked at before anything is read. Raises RegistryError."""
    strange = [name for name in names if name not in FILES]
    if strange:
        raise RegistryError(
            "strange_file",
            f"{spec} is said to be made of {strange}: a model is made of {', '.join(FILES)}, and nothing "
            "else is read",
        )
    try:
        for name in names:
            found = (folder / name).stat()
            if not S_ISREG(found.st_mode):
                raise RegistryError(
                    "strange_file",
                    f"{name} of {spec} is no file but a folder, a pipe or a device: copy {folder} again",
                )
            if found.st_size > MAX_FILE_BYTES:
                raise RegistryError(
                    "too_large",
                    f"{name} of {spec} has {found.st_size} bytes; a file of a model has at most "
                    f"{MAX_FILE_BYTES}: it is not a model that `palier train` made",
                )
        return {name: (folder / name).read_bytes() for name in names}
    except FileNotFoundError as error:
        raise RegistryError(
            "not_there_yet",
            f"{spec} is not whole: {Path(str(error.filename)).name} is not there yet; wait until the "
            f"registry is synchronised, or copy {folder} again",
            model=spec,
            file=Path(str(error.filename)).name,
            path=folder,
        ) from error
    except OSError as error:
        raise RegistryError(
            "unreadable", f"{spec} can't be read: {error.strerror} ({error.filename}); check its rights"
        ) from error


def problems_of(folder: Path, versions: Sequence[Version]) -> Iterator[RegistryError]:
    """What is not as it should be in the folder of a name with these versions."""
    known = {one.version for one in versions}
    for one in versions:
        absent = [file for file in one.sha256 if not (folder / str(one.version) / file).is_file()]
        if absent:
            yield RegistryError(
                "not_whole",
                f"{one.spec} ({one.stage}) is not whole: {', '.join(absent)} not there yet; wait until "
                "the registry is synchronised, or copy it again",
                model=one.spec,
                files=", ".join(absent),
            )
    for path in sorted(folder.glob("*")):
        if path.name.isdecimal() and int(path.name) not in known:
            yield RegistryError(
                "not_in_journal",
                f"{path} is not in the journal: the journal is not synchronised yet, or a training ended "
                "in the middle; it is not used",
                path=path,
            )
