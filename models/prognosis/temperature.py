"""(d) Temperature: at rest between its sources and its losses, a housing stands above its surroundings by the
friction it makes (C·dT/dt = P − hA·(T − T_amb), settled within an hour). Friction that grows with wear grows
steadily or feeds itself, so the rise is a straight line or an exponential; over hours to weeks both are the
models of a level, on linear and logarithmic scale, and which holds is told by the course itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.features.gate import DoubleArray

from . import exponential
from .exponential import Exponential, Slope
from .window import Window


@dataclass(frozen=True, slots=True)
class Warming:
    """Both lines, and the probability (n,) of the straight one."""

    line: Exponential
    curve: Exponential
    straight: DoubleArray

    def cdf(self, t: DoubleArray) -> DoubleArray:
        """P(threshold reached by t | not yet), t (n, q) in spans -> (n, q)."""
        share = self.straight[:, None]
        return share * self.line.cdf(t) + (1 - share) * self.curve.cdf(t)


def fit(window: Window) -> Warming:
    """Both fits of each row, neither with any knowledge of its slope beforehand."""
    nothing = Slope.unknown(len(window.goal_x))
    curve = exponential.fit(window, nothing)
    line = exponential.fit(replace(window, y=window.x, var_y=window.var_x, goal_y=window.goal_x), nothing)
    # `fit` counts the logarithm's own derivative as part of the evidence, which a straight line has not.
    n = np.maximum(window.risen.sum(axis=1), 2)
    plain = line.log_likelihood + np.where(window.risen, window.x, 0.0).sum(axis=1) * (n - 2) / n
    return Warming(line, curve, 1 / (1 + np.exp(np.clip(curve.log_likelihood - plain, -700, 700))))
