"""The standard normal distribution in logarithms, accurate and differentiable for every z."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeshpo.surrogates.symbolic import pt

_LOG_SQRT_TWO_PI = 0.5 * np.log(2.0 * np.pi)
_SERIES_BELOW = -50.0


def log_pdf(z: Any) -> Any:
    """log phi(z)."""
    return -0.5 * z**2 - _LOG_SQRT_TWO_PI


def cdf(z: Any) -> Any:
    """Phi(z)."""
    return 0.5 * pt.erfc(-z / np.sqrt(2.0))


def log_cdf(z: Any) -> Any:
    """log Phi(z); below -1 from the scaled complementary error function."""
    # Each branch is given a harmless argument where it does not apply, or its gradient would be NaN there.
    near, far = pt.switch(z > -1.0, z, 0.0), pt.switch(z > -1.0, -1.0, z)
    tail = pt.log(0.5 * pt.erfcx(-far / np.sqrt(2.0))) - 0.5 * far**2
    return pt.switch(z > -1.0, pt.log(cdf(near)), tail)


def h(z: Any) -> Any:
    """phi(z) + z Phi(z), the expectation of max(z - t, 0) for standard normal t."""
    return pt.exp(log_pdf(z)) + z * cdf(z)


def log_h(z: Any) -> Any:
    """log h(z).

    Above -1 the plain form; below, phi(z) (1 - R |z|) with R = (1 - Phi) / phi from the scaled complementary error
    function; below -50, where that has lost its digits, phi(z) / z^2 (1 - 3 / z^2 + 15 / z^4 - 105 / z^6).
    """
    near = pt.switch(z > -1.0, z, 0.0)
    t = pt.switch(pt.and_(z <= -1.0, z > _SERIES_BELOW), -z, 1.0)
    tail = log_pdf(t) + pt.log1p(-t * np.sqrt(np.pi / 2.0) * pt.erfcx(t / np.sqrt(2.0)))
    u = pt.switch(z <= _SERIES_BELOW, z, _SERIES_BELOW) ** -2.0
    series = -0.5 / u - _LOG_SQRT_TWO_PI + pt.log(u) + pt.log1p(u * (-3.0 + u * (15.0 - 105.0 * u)))
    return pt.switch(z > -1.0, pt.log(h(near)), pt.switch(z > _SERIES_BELOW, tail, series))


def mixture_variance(mean: Any, variance: Any, weight: Any) -> Any:
    """Variance (m,) of a mixture of distributions of means and variances (S, m), with weights (S, m) of sum 1."""
    centre = pt.sum(weight * mean, axis=0)
    return pt.sum(weight * (variance + pt.sqr(mean - centre)), axis=0)
