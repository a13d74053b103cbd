"""The configuration in force, on the disk beside the outbox: `configuration.toml`, and what was before it.

Each is one file, written aside, synced and put in place, so that a power cut leaves the one or the other. Its
first line is a checksum of the rest, its second what is known of it, then the text as it was sent.

    configuration.toml            in force, or on trial; without it agent.toml is
    configuration.previous.toml   what was in force before: where a trial goes back to
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from palier.wire.configuration import MAX_TEXT_BYTES, text_hash
from palier.wire.said import again, code_of

from .trial import Trial

FILE_NAME: Final = "configuration.toml"
PREVIOUS_NAME: Final = "configuration.previous.toml"
MARK: Final = "# palier configuration 1 "
MAX_BYTES: Final = MAX_TEXT_BYTES + 64 * 1024  # and what is known of it

LOCAL: Final = "local"
TRIAL: Final = "trial"
KEPT: Final = "kept"
BROKEN: Final = "broken"
"""How far the configuration in force is: agent.toml itself; sent and on trial; sent and kept; sent and kept,
but of no use any more, so that agent.toml is in force meanwhile."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the last configuration that was sent: taken, kept, went_back, refused, forgotten."""

    request: str
    version: int
    outcome: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """`version` 0 is agent.toml, and `text` "" then. `highest` is the highest version that was ever taken:
    nothing up to it is taken again, so that yesterday's message does nothing.
    """

    version: int = 0
    text: str = ""
    highest: int = 0
    state: str = LOCAL
    trial: Trial | None = None
    answer: Answer | None = None

    @property
    def hash(self) -> str:
        """As people tell it from others; "" for agent.toml."""
        return text_hash(self.text) if self.version else ""


class ConfigurationFile:
    """The files in a folder. `problem` says what was wrong with them when they were read; `before_step` is
    called before each step that changes the disk, with its name: a test ends the process there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problem = ""
        self.before_step: Callable[[str], None] = lambda _name: None

    def read(self) -> InForce:
        """What is in force. A damaged file is told, and what was before it is in force."""
        current, previous = self._read(FILE_NAME), self._read(PREVIOUS_NAME)
        if isinstance(current, InForce):
            return current
        if current is None and not isinstance(previous, InForce):
            return InForce()
        if current is None:  # taken away by hand: agent.toml, but no version is taken twice
            return InForce(highest=previous.highest if isinstance(previous, InForce) else 0)
        self.problem = f"{self._folder / FILE_NAME} is damaged: {current}; what was before it is in force"
        log.error("%s", self.problem)
        return self.settled(previous) if isinstance(previous, InForce) else InForce()

    def previous(self) -> InForce:
        """What was in force before; agent.toml where that is not known."""
        found = self._read(PREVIOUS_NAME)
        return self.settled(found) if isinstance(found, InForce) else InForce()

    @staticmethod
    def settled(in_force: InForce) -> InForce:
        """As one that was in force before another was tried: on trial no more."""
        return replace(in_force, trial=None, state=KEPT if in_force.version else LOCAL)

    def begin(self, new: InForce, before: InForce) -> None:
        """Put a configuration on trial: what is in force now is kept beside it. Raises OSError."""
        self._write(PREVIOUS_NAME, before)
        self.write(new)

    def write(self, in_force: InForce) -> None:
        """Durable when it returns. Raises OSError: then the file is as it was."""
        self._write(FILE_NAME, in_force)

    def _write(self, name: str, in_force: InForce) -> None:
        path, aside = self._folder / name, self._folder / f"{name}.new"
        self.before_step(f"write {name}")
        with aside.open("wb") as file:
            file.write(as_bytes(in_force))
            file.flush()
            os.fsync(file.fileno())
        self.before_step(f"put {name} in place")
        aside.replace(path)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        self.before_step(f"{name} is in place")

    def _read(self, name: str) -> InForce | str | None:
        """The file's, what is wrong with it as part of a sentence, or None where there is none."""
        try:
            with (self._folder / name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            return error.strerror or str(error)
        try:
            return from_bytes(data)
        except ValueError as error:
            return str(error)
        except (KeyError, TypeError, AttributeError):  # whole, and not of this version of Palier
            return "another version of Palier wrote it"


def as_bytes(in_force: InForce) -> bytes:
    """A file's content."""
    about: dict[str, Any] = {name: getattr(in_force, name) for name in ("version", "highest", "state")}
    about["hash"] = in_force.hash
    about["trial"] = None if in_force.trial is None else asdict(in_force.trial)
    about["answer"] = None if in_force.answer is None else asdict(in_force.answer)
    about["answer_code"] = "" if in_force.answer is None else code_of(in_force.answer.sentence)
    rest = f"# {json.dumps(about, ensure_ascii=True)}\n".encode()
    rest += (
        b"# Written by the agent. Changes made here are not read: `palier gateway configure`, or agent.toml\n"
        b"# after `palier agent --forget-configuration`.\n"
    )
    rest += in_force.text.encode()
    return f"{MARK}{hashlib.sha256(rest).hexdigest()}\n".encode() + rest


def from_bytes(data: bytes) -> InForce:
    """What a file's content says. ValueError with a part of a sentence where it is not whole."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    head, _, rest = data.partition(b"\n")
    if head.decode("ascii", "replace") != MARK + hashlib.sha256(rest).hexdigest():
        raise ValueError("its checksum is not right")
    about_line, _, rest = rest.partition(b"\n")
    _, _, rest = rest.partition(b"\n")
    _, _, text = rest.partition(b"\n")
    about = json.loads(about_line.removeprefix(b"# "))
    return InForce(
        version=int(about["version"]),
        text=text.decode(),
        highest=int(about["highest"]),
        state=str(about["state"]),
        trial=None if about["trial"] is None else _trial(about["trial"]),
        answer=None if about["answer"] is None else _answer(about["answer"], about.get("answer_code", "")),
    )


def _answer(told: Mapping[str, Any], code: str) -> Answer:
    answer = Answer(**told)
    return replace(answer, sentence=again(answer.sentence, code))


def _trial(told: Mapping[str, Any]) -> Trial:
    return Trial(**{**told, "awaited": tuple(told["awaited"]), "working": tuple(told["working"])})
