"""What the agent does to its card, by the hour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.card_writes import CardMeter, CardWrites, written_bytes


class Card:
    def __init__(self) -> None:
        self.now_s, self.commits, self.written = 100.0, 7, 1000

    def meter(self) -> CardMeter:
        return CardMeter(lambda: self.commits, written=lambda: self.written, monotonic_s=lambda: self.now_s)

    def pass_s(self, seconds: float, commits: int, written: int) -> None:
        self.now_s += seconds
        self.commits += commits
        self.written += written


def test_a_minute_is_too_short_and_then_it_is_reckoned_to_the_hour() -> None:
    card = Card()
    meter = card.meter()
    card.pass_s(59, 10, 4096)
    assert meter.rates() is None
    card.pass_s(61, 10, 4096)
    assert meter.rates() == CardWrites(fsyncs_per_h=600, bytes_per_h=245_760)


def test_only_the_last_hour_counts_however_often_it_is_asked() -> None:
    card = Card()
    meter = card.meter()
    for minute in range(600):
        busy = minute < 500
        for _ in range(6):
            card.pass_s(10, 100 if busy else 1, 4096)
            rates = meter.rates()
    assert rates == CardWrites(fsyncs_per_h=360, bytes_per_h=360 * 4096)


def test_what_the_kernel_does_not_tell_is_unknown() -> None:
    now_s = [0.0]
    meter = CardMeter(lambda: 3, written=lambda: None, monotonic_s=lambda: now_s[0])
    now_s[0] = 120.0
    assert meter.rates() == CardWrites(fsyncs_per_h=0, bytes_per_h=None)


def test_the_kernel_counts_what_is_made_durable(tmp_path: Path) -> None:
    before = written_bytes()
    if before is None:
        pytest.skip("this system has no /proc/self/io")
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * 300_000)
        file.flush()
        os.fsync(file.fileno())
    after = written_bytes()
    assert after is not None
    assert after - before >= 300_000 or after == before == 0  # a file system in memory writes nothing
