"""Which requests read all registers of a source: as few as the protocol allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from .modbus_registers import Kind, Register


@dataclass(frozen=True, slots=True)
class Request:
    """One read: `count` of a slave's `kind` from `first` on, for those registers, in their order."""

    slave: int
    kind: Kind
    first: int
    count: int
    registers: tuple[Register, ...]

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.kind} {self.first} of slave {self.slave}"
        return f"{self.kind}s {self.first} to {self.first + self.count - 1} of slave {self.slave}"

    def numbers(self, answer: Sequence[int]) -> list[tuple[int, float]]:
        """(place of the row, raw value) of each of its registers, of an answer of `count`."""
        return [(one.place, one.number(answer, one.first - self.first)) for one in self.registers]

    def halves(self) -> tuple[Request, ...]:
        """Two requests for the same, parted at the widest gap, else in the middle; of one value itself."""
        if len(self.registers) == 1:
            return (self,)
        gaps = [b.first - a.end for a, b in pairwise(self.registers)]
        widest = max(gaps)
        cut = gaps.index(widest) + 1 if widest else len(self.registers) // 2
        return _request(self.registers[:cut]), _request(self.registers[cut:])


def gather(registers: Iterable[Register], gap: int) -> tuple[Request, ...]:
    """The fewest requests, of which none reads more than `gap` registers in a row that nobody wants, and none
    more than the protocol allows. By slave, in the order of their numbers.
    """
    ordered = sorted(registers, key=lambda one: (one.slave, one.kind, one.first))
    requests: list[Request] = []
    for (_, kind), same in groupby(ordered, key=lambda one: (one.slave, one.kind)):
        together: list[Register] = []
        for one in same:
            far = together and (one.first - together[-1].end > gap or one.end - together[0].first > kind.most)
            if far:
                requests.append(_request(together))
                together = []
            together.append(one)
        requests.append(_request(together))
    return tuple(requests)


def _request(registers: Sequence[Register]) -> Request:
    first, last = registers[0], registers[-1]
    return Request(first.slave, first.kind, first.first, last.end - first.first, tuple(registers))
