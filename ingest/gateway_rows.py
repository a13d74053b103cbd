"""What gateways tell of themselves, as columns of the historian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from palier.historian.base import Rows

from .batch import StatusRow

_NUMBERS: Final = (
    *("card_free", "card_total", "memory_free", "cpu_celsius", "uptime_s", "outbox_bytes", "outbox_cap"),
    *("pending", "fsyncs_per_h", "written_per_h"),
)


def gateway_rows(told: Sequence[StatusRow]) -> Rows:
    """A row for each gateway; `machine` is its node. What was not told is not known."""
    numbers = {
        name: np.array(
            [np.nan if (value := getattr(one.status, name)) is None else float(value) for one in told],
            dtype=np.float64,
        )
        for name in _NUMBERS
    }
    return Rows(
        "gateway",
        site=[one.edge.partition("/")[0] for one in told],
        machine=[one.edge.partition("/")[2] for one in told],
        point=[""] * len(told),
        channel=[""] * len(told),
        ts_ns=np.array([one.ts_ns for one in told], dtype=np.int64),
        fields={
            "version": [one.status.version for one in told],
            "clock": [one.status.clock for one in told],
            **numbers,
            "problems": np.array([len(one.status.problems or ()) for one in told], dtype=np.int64),
            "configuration": np.array(
                [float(one.status.configuration_version or 0) for one in told], dtype=np.float64
            ),
            "configuration_state": [one.status.state for one in told],
        },
    )
