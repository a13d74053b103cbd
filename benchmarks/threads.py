"""The same extraction by two threads: each with an extractor of its own and half of the batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from .extraction import Batch, Variant, extract
from .rounds import Case

THREADS: Final = 2


def case(variant: Variant, data: Batch, pool: ThreadPoolExecutor) -> Case:
    """The batch in equal parts, side by side in a pool that the caller closes."""
    x, scale = data.of(variant.input)
    part = len(x) // THREADS
    parts = [(variant.extractor(), x[i * part : (i + 1) * part]) for i in range(THREADS)]

    def run() -> None:
        done = [pool.submit(extract, extractor, some, scale, variant.machine) for extractor, some in parts]
        for future in done:
            future.result()

    return Case(run, THREADS * part)
