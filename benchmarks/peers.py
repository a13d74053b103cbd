"""Libraries of features that people use, where they are installed: TSFEL (BSD-3) and tsfresh (MIT)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, NamedTuple

import numpy as np

from .rounds import Case
from .subjects import FS_HZ, Blocks

HOW_TO_INSTALL: Final = "pip install '.[bench]'"


class Peer(NamedTuple):
    """`windows` is how many it is given in a round: they are slow, and few are enough."""

    key: str
    package: str
    what: str
    windows: int
    prepare: Callable[[Blocks], Callable[[], object]]


def _tsfel(blocks: Blocks) -> Callable[[], object]:
    import tsfel

    every = tsfel.get_features_by_domain()

    def run() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the shape of our signal, on every window
            return [tsfel.time_series_features_extractor(every, x, fs=FS_HZ, verbose=0) for x in blocks]

    return run


def _tsfresh(blocks: Blocks) -> Callable[[], object]:
    import pandas as pd
    from tsfresh.feature_extraction import MinimalFCParameters, extract_features

    n, m = blocks.shape
    table = pd.DataFrame(
        {"id": np.repeat(np.arange(n), m), "time": np.tile(np.arange(m), n), "a": blocks.ravel()}
    )
    minimal = MinimalFCParameters()

    def run() -> object:
        return extract_features(
            table,
            column_id="id",
            column_sort="time",
            default_fc_parameters=minimal,
            n_jobs=0,
            disable_progressbar=True,
        )

    return run


PEERS: Final = (
    Peer("tsfel", "tsfel", "TSFEL, all of its features", 2, _tsfel),
    Peer("tsfresh_minimal", "tsfresh", "tsfresh, its minimal set of ten", 32, _tsfresh),
)


def cases(blocks: Blocks) -> tuple[dict[str, Case], list[str]]:
    """What can be timed here, by key, and the names of the packages that are missing."""
    there = [peer for peer in PEERS if find_spec(peer.package)]
    missing = [peer.package for peer in PEERS if peer not in there]
    found = {}
    for peer in there:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside what they import
            found[peer.key] = Case(peer.prepare(blocks[: peer.windows]), min(peer.windows, len(blocks)))
    return found, missing
