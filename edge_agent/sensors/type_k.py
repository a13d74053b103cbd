"""Thermocouples of type K on ITS-90: mV of a temperature, and back, the other junction at 0 °C.

The coefficients are those of the NIST ITS-90 Thermocouple Database, Standard Reference Database 60 (NIST
Monograph 175, 1993; srdata.nist.gov/its90), which IEC 60584-1 has, too. A work of the US government, in the
public domain. The way back is approximate: -0.05 to 0.06 °C off, a quarter of what a MAX31855 resolves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polyval

Numbers = npt.NDArray[np.float64]

RANGE_C: Final = (-200.0, 1372.0)
RANGE_MV: Final = (-5.891, 54.886)

_MV_BELOW_0: Final = (  # -270 to 0 °C
    *(0.0, 0.394501280250e-01, 0.236223735980e-04, -0.328589067840e-06, -0.499048287770e-08),
    *(-0.675090591730e-10, -0.574103274280e-12, -0.310888728940e-14, -0.104516093650e-16),
    *(-0.198892668780e-19, -0.163226974860e-22),
)
_MV_ABOVE_0: Final = (  # 0 to 1372 °C
    *(-0.176004136860e-01, 0.389212049750e-01, 0.185587700320e-04, -0.994575928740e-07, 0.318409457190e-09),
    *(-0.560728448890e-12, 0.560750590590e-15, -0.320207200030e-18, 0.971511471520e-22),
    -0.121047212750e-25,
)
_BEND: Final = (0.118597600000, -0.118343200000e-03, 126.9686)  # a0 exp(a1 (t - a2)²), above 0 °C

_C_COLD: Final = (  # -5.891 to 0 mV
    *(0.0, 2.5173462e01, -1.1662878, -1.0833638, -8.9773540e-01, -3.7342377e-01, -8.6632643e-02),
    *(-1.0450598e-02, -5.1920577e-04),
)
_C_WARM: Final = (  # 0 to 20.644 mV, 500 °C
    *(0.0, 2.508355e01, 7.860106e-02, -2.503131e-01, 8.315270e-02, -1.228034e-02, 9.804036e-04),
    *(-4.413030e-05, 1.057734e-06, -1.052755e-08),
)
_C_HOT: Final = (  # 20.644 to 54.886 mV
    *(-1.318058e02, 4.830222e01, -1.646031, 5.464731e-02, -9.650715e-04, 8.802193e-06, -3.110810e-08),
)
HOT_MV: Final = 20.644


def millivolts(temperature_c: npt.ArrayLike) -> Numbers:
    """Of temperatures from -270 to 1372 °C; NaN outside."""
    t = np.asarray(temperature_c, np.float64)
    a0, a1, a2 = _BEND
    above = polyval(np.maximum(t, 0.0), _MV_ABOVE_0) + a0 * np.exp(a1 * (t - a2) ** 2)
    found = np.where(t < 0, polyval(np.minimum(t, 0.0), _MV_BELOW_0), above)
    return np.where((t >= -270.0) & (t <= RANGE_C[1]), found, np.nan)


def celsius(mv: npt.ArrayLike) -> Numbers:
    """Of voltages from -5.891 to 54.886 mV, which are -200 to 1372 °C; NaN outside."""
    e = np.asarray(mv, np.float64)
    warm = np.where(e < HOT_MV, polyval(np.clip(e, 0.0, HOT_MV), _C_WARM), polyval(e, _C_HOT))
    found = np.where(e < 0, polyval(np.minimum(e, 0.0), _C_COLD), warm)
    return np.where((e >= RANGE_MV[0]) & (e <= RANGE_MV[1]), found, np.nan)
