"""One block in, its features by name: by the extractor and by the oracle, with the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib.util import find_spec

import numpy as np
import pytest

from models.features import Extractor
from models.features.kinematics import Kinematics
from tests.support import naive

RowOf = Callable[..., dict[str, float]]

COMPILED = (False, True) if find_spec("numba") else (False,)
"""The passes over the samples by numpy, and those by numba where it is installed."""


@lru_cache(maxsize=8)
def _extractor(fs_hz: float, n_samples: int, compiled: bool) -> Extractor:
    return Extractor(fs_hz, n_samples, compiled=compiled)


def extracted(
    x: np.ndarray,
    fs_hz: float,
    *,
    kinematics: Mapping[str, float] | None = None,
    compiled: bool = False,
    **known: object,
) -> dict[str, float]:
    """By the extractor; `x` as float32 unless it is counts."""
    samples = x if x.dtype in (np.int16, np.int32) else x.astype(np.float32)
    extractor = _extractor(fs_hz, x.size, compiled)
    if kinematics is not None:
        known["kinematics"] = Kinematics(**kinematics)
    row = extractor.extract(samples[None, :], **known)[0]  # type: ignore[arg-type]
    return dict(zip(extractor.names, row.tolist(), strict=True))


EXTRACTED = [pytest.param(partial(extracted, compiled=c), id=("numpy", "numba")[c]) for c in COMPILED]

BY_ALL: pytest.MarkDecorator = pytest.mark.parametrize(
    "row_of", [*EXTRACTED, pytest.param(naive.of_signal, id="oracle")]
)
"""What is known on paper holds for the extractor and for the oracle that it is compared with."""

BY_EXTRACTORS: pytest.MarkDecorator = pytest.mark.parametrize("row_of", EXTRACTED)
