"""MAX31855 and MAX31865 on a fake bus, and what the kernel's w1_therm writes; from their data sheets."""

from __future__ import annotations

from tests.support.fake_bus import RegisterFile


class FakeMax31855:
    """Thermocouple and cold junction in °C; `faults`: 1 open, 2 to ground, 4 to the supply."""

    def __init__(self, probe_c: float, board_c: float, faults: int = 0) -> None:
        word = (round(probe_c * 4) & 0x3FFF) << 18 | (round(board_c * 16) & 0xFFF) << 4 | faults
        self.word = word | (1 << 16 if faults else 0)

    def answer(self, out: bytes) -> bytes:
        return self.word.to_bytes(4, "big")[: len(out)]


class FakeMax31865(RegisterFile):
    """A resistor of so many Ω behind a reference of 430 Ω; its fault bits show after a conversion."""

    def __init__(self, ohm: float, faults: int = 0) -> None:
        super().__init__({0x03: 0xFF, 0x04: 0xFF})
        self.counts = min(0x7FFF, round(ohm / 430.0 * 0x8000))
        self.faults = faults
        self.three_wires = False

    def put(self, register: int, value: int) -> None:
        if register == 0x00:
            assert not (value & 0x20 and not value & 0x80), "a conversion without bias"
            self.three_wires = bool(value & 0x10)
            if value & 0x20:
                self.values[0x01], self.values[0x02] = divmod(
                    self.counts << 1 | (1 if self.faults else 0), 256
                )
                self.values[0x07] = self.faults
            if value & 0x02:
                self.values[0x07] = 0
            value &= ~0x2E  # one-shot, fault cycle and clear go back to 0 by themselves
        super().put(register, value)

    def answer(self, out: bytes) -> bytes:
        if out[0] & 0x80:
            self.put(out[0] & 0x7F, out[1])
            return bytes(len(out))
        return b"\0" + bytes(self.get(out[0] + place) for place in range(len(out) - 1))


def w1_text(value: float, *, crc: str = "YES", memory_6: int = 0x10) -> str:
    """The two lines of `w1_slave`."""
    raw = round(value * 16) & 0xFFFF
    memory = bytes((raw & 0xFF, raw >> 8, 0x4B, 0x46, 0x7F, 0xFF, memory_6, 0x10, 0xA5)).hex(" ")
    return f"{memory} : crc=a5 {crc}\n{memory} t={round(value * 1000)}\n"
