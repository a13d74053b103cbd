"""Where a demonstration or a simulation keeps its data: one run at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = "run.lock"
RUN: Final = re.compile(r"run-\d{8}-\d{6}")


class RunFolderError(Exception):
    """The folder can't be used: the sentence says why and what to do."""


@contextmanager
def run_folder(folder: Path, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """A fresh folder for one run inside `folder`; older runs are removed first, but not where `check` raises.

    Raises RunFolderError: where another run is using `folder`, before anything is checked.
    """
    with locked(folder):
        check()
        yield _fresh(folder)


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """`folder`, made where it is missing, for one process at a time. Raises RunFolderError.

    The lock is the kernel's: it is let go of however the process ends.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+")
    except OSError as error:
        raise RunFolderError(
            f"the folder {folder} can't be written: {error.strerror}; "
            "name another one with --data or PALIER_HOME"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunFolderError(
                f"another run is using {folder} (process {_holder(folder)}): "
                "stop it, or give this one another folder with --data or PALIER_HOME"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield folder


def _fresh(folder: Path) -> Path:
    try:
        for old in folder.iterdir():
            if RUN.fullmatch(old.name) and old.is_dir():
                shutil.rmtree(old)
        run = folder / time.strftime("run-%Y%m%d-%H%M%S")
        run.mkdir(mode=0o700)
    except OSError as error:
        raise RunFolderError(f"the older run in {folder} can't be replaced: {error}") from error
    return run


def _holder(folder: Path) -> str:
    try:
        return (folder / LOCK).read_text().strip() or "unknown"
    except OSError:
        return "unknown"
