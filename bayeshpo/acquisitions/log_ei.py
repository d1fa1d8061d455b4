"""Log expected improvement, averaged over posterior draws.

EI(x) = s h(z), z = (incumbent - mean) / s, h(z) = phi(z) + z Phi(z) (Mockus 1975; Jones et al. 1998), in the form whose
logarithm stays finite where EI underflows (Ament et al. 2023, eq. 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition
from bayeshpo.surrogates.symbolic import pt

_LOG_SQRT_TWO_PI = 0.5 * np.log(2.0 * np.pi)
_SERIES_BELOW = -50.0


@dataclass(frozen=True)
class LogExpectedImprovement(Acquisition):
    """log of the mean over draws of E[max(incumbent - f(x), 0)]."""

    name = "log_ei"

    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """log s + log h(z) (S, m)."""
        s = pt.sqrt(variance)
        return pt.log(s) + log_h((incumbent[:, None] - mean) / s)


def log_h(z: Any) -> Any:
    """log(phi(z) + z Phi(z)), accurate and differentiable for every z.

    Above -1 the plain form; below, phi(z) (1 - R |z|) with R = (1 - Phi) / phi from the scaled complementary error
    function; below -50, where that has lost its digits, phi(z) / z^2 (1 - 3 / z^2 + 15 / z^4 - 105 / z^6).
    """
    # Each branch is given a harmless argument where it does not apply, or its gradient would be NaN there.
    near = pt.switch(z > -1.0, z, 0.0)
    plain = pt.log(_phi(near) + near * 0.5 * pt.erfc(-near / np.sqrt(2.0)))
    t = pt.switch(pt.and_(z <= -1.0, z > _SERIES_BELOW), -z, 1.0)
    tail = _log_phi(t) + pt.log1p(-t * np.sqrt(np.pi / 2.0) * pt.erfcx(t / np.sqrt(2.0)))
    u = pt.switch(z <= _SERIES_BELOW, z, _SERIES_BELOW) ** -2.0
    series = -0.5 / u - _LOG_SQRT_TWO_PI + pt.log(u) + pt.log1p(u * (-3.0 + u * (15.0 - 105.0 * u)))
    return pt.switch(z > -1.0, plain, pt.switch(z > _SERIES_BELOW, tail, series))


def _log_phi(z: Any) -> Any:
    return -0.5 * z**2 - _LOG_SQRT_TWO_PI


def _phi(z: Any) -> Any:
    return pt.exp(_log_phi(z))
