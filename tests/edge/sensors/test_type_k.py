"""Type K on ITS-90, and a MAX31855, whose straight line is taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_agent.sensors import max31855, type_k
from palier.clock import PlantClock
from tests.support.fake_bus import FakeSpi
from tests.support.fake_thermometers import FakeMax31855

TABLE: dict[float, float] = {
    -270.0: -6.458,
    -200.0: -5.891,
    -100.0: -3.554,
    -50.0: -1.889,
    -10.0: -0.392,
    0.0: 0.0,
    20.0: 0.798,
    25.0: 1.000,
    50.0: 2.023,
    100.0: 4.096,
    150.0: 6.138,
    200.0: 8.138,
    300.0: 12.209,
    400.0: 16.397,
    500.0: 20.644,
    600.0: 24.905,
    800.0: 33.275,
    1000.0: 41.276,
    1200.0: 48.838,
    1372.0: 54.886,
}
"""°C and mV, as the ITS-90 table of type K has them, to the microvolt."""


def source(told_c: float, board_c: float, **row: Any) -> Any:
    spi = FakeSpi(FakeMax31855(told_c, board_c), "0.1")
    rows = [{"machine": "P-101", "point": "2", "channel": "T", "unit": "°C", "spi": "0.1", **row}]
    return max31855.open_source({"value": rows}, PlantClock(), lambda _own: spi)


def test_the_voltages_are_those_of_the_table() -> None:
    assert type_k.millivolts(list(TABLE)).round(3).tolist() == list(TABLE.values())


def test_the_temperatures_are_those_of_the_table() -> None:
    known = {t: mv for t, mv in TABLE.items() if t >= -200}
    assert type_k.celsius(list(known.values())) == pytest.approx(np.array(list(known)), abs=0.07)


def test_there_and_back_is_the_same_everywhere() -> None:
    t = np.arange(-199.9, 1371.9, 0.1)
    assert np.abs(type_k.celsius(type_k.millivolts(t)) - t).max() < 0.07


def test_outside_of_the_table_there_is_no_number() -> None:
    assert np.isnan(type_k.celsius([-5.9, 54.9])).all()
    assert np.isnan(type_k.millivolts([-271.0, 1373.0])).all()


@pytest.mark.parametrize("true_c", [-150.0, -20.0, 0.0, 25.0, 100.0, 200.0, 350.0, 600.0, 1200.0])
@pytest.mark.parametrize("board_c", [-20.0, 5.0, 25.0, 60.0])
def test_a_chip_that_is_linear_gives_the_true_temperature(true_c: float, board_c: float) -> None:
    """Its number as the data sheet makes it, in steps of a quarter of a degree."""
    volts = float(type_k.millivolts(true_c) - type_k.millivolts(board_c))
    told_c = round((volts / max31855.MV_PER_K + board_c) * 4) / 4
    spi = FakeSpi(FakeMax31855(told_c, board_c), "0.1")
    step_c = 0.125 * max31855.MV_PER_K / 0.025  # where the curve is flattest, a step is more degrees
    assert max31855.Max31855(spi).type_k_c() == pytest.approx(true_c, abs=0.07 + step_c)


def test_at_200_degrees_it_would_have_read_two_too_low() -> None:
    told_c = 25.0 + float(type_k.millivolts(200.0) - type_k.millivolts(25.0)) / max31855.MV_PER_K
    assert told_c == pytest.approx(197.9, abs=0.1)
    assert source(198.0, 25.0)._probes[0].read() == pytest.approx(200.0, abs=0.2)


def test_what_type_k_can_not_be_is_a_sentence() -> None:
    with pytest.raises(OSError, match=r"must be from -200 to 1372 °C, .* the chip says -250: another type"):
        source(-250.0, 20.0).attempt()


def test_an_unknown_curve_is_refused() -> None:
    with pytest.raises(ValueError, match='curve must be "K" or "linear", got \'J\''):
        source(20.0, 20.0, curve="J")
