"""Damaged bytes without end: of a corpus and a seed, what a bad line, card or person makes of it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

INTERESTING: Final = (0, 1, 2, 7, 8, 16, 32, 64, 100, 127, 128, 192, 254, 255)
"""Bytes at the ends of what a varint, a tag or a length can be."""

NUMBERS: Final = tuple(
    struct.pack(form, value)
    for form, values in (
        ("<I", (0, 1, 2**31 - 1, 2**31, 2**32 - 1)),
        ("<Q", (2**63 - 1, 2**63, 2**64 - 1)),
        ("<d", (float("nan"), float("inf"), -float("inf"), 1e308, 5e-324)),
        ("<f", (float("nan"), float("inf"), 1e38)),
    )
    for value in values
) + tuple(bytes.fromhex(varint) for varint in ("ffffffff0f", "ffffffffffffffffff01", "8080808000", "ff" * 11))

WORDS: Final = tuple(
    word.encode()
    for word in (
        *("NaN", "Infinity", "-1e400", "null", "true", "{}", "[" * 40, '"', "\\ud800", "\\u0000", "0" * 300),
        *("../", "a/b", "palier/1", "palier/2", "Palier/Epoch", "Palier/Seq", "x v=1 1\nhacked v=2"),
    )
)
"""What readers of text stumble over."""


class Mutator:
    """Draws from a corpus and damages it. The same seed gives the same bytes, in the same order."""

    def __init__(self, seed: int, corpus: Sequence[bytes], *, longest: int = 6000) -> None:
        self._random = random.Random(seed)
        self._corpus = tuple(one[:longest] for one in corpus)
        self._longest = longest

    def one(self) -> bytes:
        """One message with one to five damages."""
        choose = self._random.choice
        data = bytearray(choose(self._corpus))
        for _ in range(1 + int(5 * self._random.random() ** 2)):
            choose(_DAMAGES)(self, data)
        return bytes(data[: self._longest])

    def _at(self, data: bytearray) -> int:
        return int(self._random.random() * (len(data) + 1))

    def _span(self, data: bytearray, most: int = 32) -> slice:
        at = self._at(data)
        return slice(at, at + 1 + int(most * self._random.random()))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._at(data) - 1] ^= 1 << self._random.randrange(8)

    def _set(self, data: bytearray) -> None:
        if data:
            data[self._at(data) - 1] = self._random.choice(INTERESTING)

    def _delete(self, data: bytearray) -> None:
        del data[self._span(data)]

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._random.randbytes(1 + int(12 * self._random.random()))

    def _number(self, data: bytearray) -> None:
        number, at = self._random.choice(NUMBERS), self._at(data)
        data[at : at + len(number) * (self._random.random() < 0.7)] = number

    def _word(self, data: bytearray) -> None:
        word, at = self._random.choice(WORDS), self._at(data)
        data[at : at + len(word) * (self._random.random() < 0.5)] = word

    def _repeat(self, data: bytearray) -> None:
        span = self._span(data, 200)
        data[span.start : span.start] = data[span] * self._random.choice((1, 1, 2, 20))

    def _swap(self, data: bytearray) -> None:
        one, other = self._span(data), self._span(data)
        data[one], data[other] = data[other], data[one]

    def _cut(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self._corpus)
        data[self._at(data) :] = other[int(self._random.random() * len(other)) :]


_DAMAGES: Final[tuple[Callable[[Mutator, bytearray], None], ...]] = (
    *(Mutator._flip, Mutator._set, Mutator._flip, Mutator._set, Mutator._delete, Mutator._insert),
    *(Mutator._number, Mutator._word, Mutator._repeat, Mutator._swap, Mutator._cut, Mutator._splice),
)
