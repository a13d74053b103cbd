"""agent.toml with the part that the host may send in its place.

Both are read by the one reader of `settings.py`. What says who the gateway is, where its data are and whom it
talks to is agent.toml's alone: no message can cut the gateway off from its host or its outbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from palier.strict_toml import Document, Mistake, did_you_mean, parse_toml, read_toml
from palier.toml_text import is_secret, toml_text
from palier.wire.configuration import MAX_TEXT_BYTES

from .settings import AgentSettings, read_settings

REMOTE_KEYS: Final = frozenset({"source", "attach", "transmit"})
"""What may be sent."""

LOCAL_KEYS: Final = frozenset(
    {"site", "node", "host_id", "data", "health_port", "outbox_mb", "broker", "clock", "configuration"}
)
"""What may not."""

MAX_SOURCES: Final = 128
"""Each has a thread, and may take 20 s to open: a gateway has some ten."""


@dataclass(frozen=True)
class Local:
    """agent.toml as it was read. `folder` is the one that it lies in."""

    file: Path
    document: Document
    insecure: bool = False

    @property
    def folder(self) -> Path:
        """Where paths begin."""
        return self.file.resolve().parent

    @cached_property
    def sent_text(self) -> str:
        """The part of agent.toml in whose place the host may send another; secrets masked."""
        part = {key: value for key, value in self.document.data.items() if key in REMOTE_KEYS}
        text = toml_text(part)
        return text if len(text.encode()) <= MAX_TEXT_BYTES else "# too long to be told\n"

    def settings(self) -> AgentSettings:
        """What agent.toml says. Raises ConfigError."""
        fresh = Document(self.file, self.document.data, self.document.lines)
        return read_settings(fresh, self.folder, insecure=self.insecure)

    def under(self, text: str, name: str) -> AgentSettings:
        """What agent.toml says with this text in place of its own sources and all else that can be sent.

        `name` is how mistakes call the text. Raises ConfigError.
        """
        sent = parse_toml(text, name)
        for key in sent.data:
            if key in LOCAL_KEYS:
                sent.mistake((key,), f"{key} stands in agent.toml alone and can't be sent: take it out")
            elif key not in REMOTE_KEYS:
                known = ", ".join(sorted(REMOTE_KEYS))
                hint = did_you_mean(key, REMOTE_KEYS) or f" (what can be sent: {known})"
                sent.mistake((key,), f"unknown key {key!r}{hint}")
        sources = sent.data.get("source")
        if isinstance(sources, list) and len(sources) > MAX_SOURCES:
            sent.mistake(("source",), f"at most {MAX_SOURCES} [[source]] can be sent, got {len(sources)}")
        if not sent.mistakes:
            self._refuse_files(sent)
        sent.refuse()
        own = {key: value for key, value in self.document.data.items() if key not in REMOTE_KEYS}
        merged = Document(name, {**own, **sent.data}, sent.lines)
        return read_settings(merged, self.folder, insecure=self.insecure)

    def _refuse_files(self, sent: Document) -> None:
        """No secret, files beside agent.toml, and none that holds the gateway's own: who signs may choose
        what is sampled, not read what the agent can read.
        """
        broker = self.document.data.get("broker")
        for path in _secrets(sent.data, ()):
            text = (
                f"{path[-1]} holds a secret, which must not travel: put it into a file beside agent.toml and "
                f"name that, {path[-1]}_file"
            )
            sent.mistakes.append(Mistake(sent.line(path), text))
        secret = broker.get("password_file") if isinstance(broker, Mapping) else None
        for path, value in _files(sent.data, ()):
            parts = PurePosixPath(value).parts
            if PurePosixPath(value).is_absolute() or ".." in parts:
                sent.mistakes.append(
                    Mistake(
                        sent.line(path),
                        f"{path[-1]} must name a file beside agent.toml when it is sent, got {value!r}",
                    )
                )
            elif secret is not None and self._is_one(value, str(secret)):
                sent.mistakes.append(
                    Mistake(sent.line(path), f"{path[-1]} must not be the password of the broker")
                )

    def _is_one(self, one: str, other: str) -> bool:
        return (self.folder / one).resolve() == (self.folder / other).resolve()


def read_local(file: Path, *, insecure: bool = False) -> Local:
    """agent.toml, read and found right. Raises ConfigError."""
    local = Local(file, read_toml(file), insecure)
    local.settings()
    return local


def _files(data: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each value that names a file, however deep, with its place."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(value, str) and (key == "file" or key.endswith("_file")):
                yield (*path, key), value
            yield from _files(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _files(value, (*path, number))


def _secrets(data: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Where a secret stands, by its name."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if is_secret(key):
                yield (*path, key)
            yield from _secrets(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _secrets(value, (*path, number))
