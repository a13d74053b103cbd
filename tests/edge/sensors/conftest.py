"""What the tests of sensors share: simulated time, and a stop event that lives in it."""

from __future__ import annotations

import pytest

from tests.support.fake_bus import SimulatedTime


@pytest.fixture
def clock() -> SimulatedTime:
    """Seconds that pass when somebody waits."""
    return SimulatedTime()
