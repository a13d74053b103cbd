"""A source's mistakes at once: a reader notes each, puts something harmless in its place, reads on.

found = TableMistakes()
every_s = found.read(30.0, read_every_s, table)   # 30.0 where read_every_s raises ValueError
found.refuse()                                    # raises TableError with all of them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from .strict_toml import ConfigError

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")


class TableError(ValueError):
    """A table that can't be used; str() is a line for each mistake.

    What the table says of a device may be right all the same: `attempt` looks for it as `TriedSource` does,
    and `addresses` are those that it has for itself.
    """

    def __init__(
        self,
        sentences: tuple[str, ...],
        attempt: Callable[[], None] | None = None,
        addresses: tuple[str, ...] = (),
    ) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.attempt = attempt
        self.addresses = addresses


class TableMistakes:
    """What is wrong in one table, in the order in which it was found, each once."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}
        self._where = ""

    def of(self, where: str) -> TableMistakes:
        """The same, for a part of the table with which each sentence is to begin."""
        part = TableMistakes()
        part._sentences, part._where = self._sentences, f"{self._where}{where}: "
        return part

    def read(self, instead: D, reader: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | D:
        """What the reader gives, or `instead` where it raises ValueError."""
        try:
            return reader(*args, **kwargs)
        except ValueError as error:
            self.note(error)
            return instead

    def note(self, error: ValueError | str) -> None:
        """One mistake, or those of a part that gathered its own."""
        for sentence in _sentences(error):
            self._sentences[f"{self._where}{sentence}"] = None

    def refuse(self, attempt: Callable[[], None] | None = None, addresses: tuple[str, ...] = ()) -> None:
        """Raise TableError where there is a mistake."""
        if self._sentences:
            raise TableError(tuple(self._sentences), attempt, addresses)


def _sentences(error: ValueError | str) -> Sequence[str]:
    match error:
        case TableError():
            return error.sentences
        case ConfigError():
            return error.sentences()
    return (str(error),)
