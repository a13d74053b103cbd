"""Bytes damaged at random, a million of them: every reader reads them or refuses them by name, at once.

The seed is fixed, so that a find is found again; `PALIER_FUZZ_SEED` draws others, `PALIER_FUZZ_COUNT` more.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from typing import Final

import pytest

from tests.support.decoders import DECODERS, Decoder
from tests.support.figures import tell
from tests.support.mutations import Mutator
from tests.support.payload_damage import PayloadMutator

SEED: Final = int(os.environ.get("PALIER_FUZZ_SEED", "20261122"))
COUNT: Final = int(os.environ.get("PALIER_FUZZ_COUNT", "1000000"))
SHARDS: Final = 4
FEW: Final = 40  # for each weight of a decoder: 4,000 in all

SLOWEST_S: Final = 2.0
"""One message of 6 kB. A good one takes less than a millisecond; the rest is room for a busy machine."""

MEMORY_MB: Final = 128
"""What a quarter of a million bad messages may leave behind: the caches, which fill once and are bounded."""


def attack(decoder: Decoder, seed: int, count: int, told: Counter[str]) -> float:
    """Damaged messages to one decoder; the longest, in processor seconds. AssertionError: a stray error."""
    slowest = 0.0
    draw = (Mutator(seed, decoder.corpus).one,)
    if decoder.payloads:
        draw = (*draw, PayloadMutator(seed, decoder.corpus).one)
    for number in range(count):
        data = draw[number % len(draw)]()
        began = time.thread_time()
        try:
            read = decoder.survives(data)
        except Exception as error:
            where = f"{decoder.name}, seed {seed}, number {number}"
            raise AssertionError(f"{where}: {error!r} left it for {data[:2000].hex()}") from error
        slowest = max(slowest, time.thread_time() - began)
        told["read" if read else "refused"] += 1
    return slowest


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_whole_examples_are_read(decoder: Decoder) -> None:
    """Else the damage would be done to what is refused anyway."""
    assert decoder.corpus
    assert all(decoder.survives(data) for data in decoder.corpus)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_some_damaged_messages_are_read_or_refused(decoder: Decoder) -> None:
    told: Counter[str] = Counter()
    assert attack(decoder, SEED, FEW * decoder.weight, told) < SLOWEST_S
    assert told["read"] + told["refused"] == FEW * decoder.weight
    assert told["refused"]


@pytest.mark.faults
@pytest.mark.timeout(300)  # fifteen seconds of a core that others use as well
@pytest.mark.parametrize("shard", [pytest.param(0, marks=pytest.mark.faults_ci), *range(1, SHARDS)])
def test_a_million_damaged_messages_are_read_or_refused(shard: int) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, told = time.process_time(), Counter[str]()
    slowest = max(
        attack(decoder, SEED + 1 + shard, COUNT // SHARDS * decoder.weight // 100, told)
        for decoder in DECODERS
    )
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    tell(
        f"{told.total()} damaged messages of seed {SEED + 1 + shard}: {told['read']} read, "
        f"{told['refused']} refused, no other error; slowest {slowest * 1e3:.0f} ms, {grown_mb:.0f} MB more, "
        f"{time.process_time() - began:.0f} s of a core"
    )
    assert told.total() == sum(COUNT // SHARDS * decoder.weight // 100 for decoder in DECODERS)
    assert slowest < SLOWEST_S
    assert grown_mb < MEMORY_MB
