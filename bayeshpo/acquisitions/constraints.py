"""Probability that a configuration's metrics keep to their limits.

P(x) = prod_c E[Phi((upper - m) / s) - Phi((lower - m) / s)], over posterior draws of a surrogate of each metric c,
of which f(x) ~ Normal(m, s^2) under a draw (Schonlau, Welch and Jones 1998; Gardner et al. 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import log_sum
from bayeshpo.acquisitions.beside import ModelBeside
from bayeshpo.acquisitions.normal import log_cdf
from bayeshpo.aims import Limits
from bayeshpo.inference.posterior import Posterior
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

# In standard deviations of a metric, where there is no limit.
_FAR = 1e6


class Constraint(ModelBeside):
    """Log probability of one metric's keeping to its limits; unknown, and so sure, where its surrogate has no fit.

    Parameters
    ----------
    posterior
        Of the metric's surrogate.
    limits
        What it has to be at least and at most.
    sign
        Loss = sign x metric, of the losses that the surrogate is fitted to.
    """

    def __init__(self, posterior: Posterior, limits: Limits, sign: float = 1.0) -> None:
        super().__init__(posterior)
        if self.posterior is not None:
            bounds = np.sort(sign * np.array([limits.at_least, limits.at_most]))
            # Finite ones, or derivatives would be 0 times infinity.
            self._bounds = np.clip((bounds - posterior.data.location) / posterior.data.scale, -_FAR, _FAR)

    def log_probability(self, Z: np.ndarray) -> np.ndarray:
        """log P (m,) at candidates Z (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z))
        return _formula()(*self._predictive(self._draws, Z), *self._bounds)[0]

    def with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log P (m,) at candidates Z (m, D) and its gradient (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z)), np.zeros(Z.shape)
        value, *slopes = _formula()(*self._predictive(self._draws, Z), *self._bounds)
        return value, self._predictive.pullback(self._draws, Z, *slopes)


class Constraints:
    """All of them, which are independent given the trials.

    Parameters
    ----------
    parts
        One for each metric with limits; without any all is within.
    """

    def __init__(self, parts: Sequence[Constraint] = ()) -> None:
        self.parts = tuple(parts)

    def log_probability(self, Z: np.ndarray) -> np.ndarray:
        """log P (m,) at candidates Z (m, D)."""
        return sum((part.log_probability(Z) for part in self.parts), start=np.zeros(len(Z)))

    def with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log P (m,) at candidates Z (m, D) and its gradient (m, D)."""
        value, gradient = np.zeros(len(Z)), np.zeros(Z.shape)
        for part in self.parts:
            more, slope = part.with_gradient(Z)
            value, gradient = value + more, gradient + slope
        return value, gradient


@cache
def _formula() -> Any:
    """Mean and variance (S, m) and both bounds to the log of the mean probability (m,), and its derivatives."""
    mean, variance = pt.dmatrix("mean"), pt.dmatrix("variance")
    lower, upper = pt.dscalar("lower"), pt.dscalar("upper")
    a, b = (lower - mean) / pt.sqrt(variance), (upper - mean) / pt.sqrt(variance)
    # From the tail that both are in, or the difference would be one of numbers next to 1.
    flipped = a + b > 0.0
    log_low, log_high = log_cdf(pt.switch(flipped, -b, a)), log_cdf(pt.switch(flipped, -a, b))
    log_probability = log_high + pt.log1p(-pt.exp(log_low - log_high))
    value = log_sum(log_probability, axis=0) - pt.log(mean.shape[0])
    slopes = grad(pt.sum(value), [mean, variance])
    return function([mean, variance, lower, upper], [value, *slopes], mode=UNCOMPILED)
