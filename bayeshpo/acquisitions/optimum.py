"""What becomes of f at a candidate where a draw's minimum is known: its place x* and its value f*.

Given f(x*) = f*, f(x) is normal with mean m' = m + c (f* - m*) / v* and variance s' = s - c^2 / v*, and it is cut off
below f*, because nothing is lower. With b = (f* - m') / sqrt(s') and r = phi(b) / Phi(-b) its moments are
m' + sqrt(s') r and s' (1 + b r - r^2) (Hvarfner, Hutter and Nardi 2022, section 3; Tu et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, check_count
from bayeshpo.acquisitions.normal import log_cdf, log_pdf
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt

# Below this a variance is rounding error.
_LEAST = 1e-9


@dataclass(frozen=True)
class GivenMinimum(Acquisition):
    """An acquisition of what becomes of f where a draw's minimum is known.

    Parameters
    ----------
    minima
        Functions drawn, each for its minimum, for each draw of the hyperparameters.
    """

    minima: int = 8
    known = MappingProxyType({"minimum": 2, "mean_there": 2, "variance_there": 2})
    joint = True
    noisy = True
    logarithmic = False
    most_draws = 256

    def __post_init__(self) -> None:
        check_count(self.name, "minima", self.minima)

    def look(self, outlook: Outlook) -> Known:
        """Minima (S, R) of functions drawn, and mean and variance (S, R) of f at their places, which are anchors."""
        found = outlook.minima(self.minima)
        anchored = outlook.anchored(found.place)
        variance = np.diagonal(anchored.covariance, axis1=1, axis2=2) + _LEAST
        arrays = {"minimum": found.value, "mean_there": anchored.mean, "variance_there": variance}
        return Known(arrays, anchored)


def given_minimum(at: Candidates, known: Any) -> tuple[Any, Any]:
    """Mean and variance (S, m, R) of f at the candidates given each of the minima."""
    mean_there, variance_there = known.mean_there[:, None, :], known.variance_there[:, None, :]
    minimum, c = known.minimum[:, None, :], at.covariance
    mean = at.mean[:, :, None] + c * (minimum - mean_there) / variance_there
    variance = pt.maximum(at.variance[:, :, None] - pt.sqr(c) / variance_there, _LEAST)
    s = pt.sqrt(variance)
    b = (minimum - mean) / s
    r = pt.exp(log_pdf(b) - log_cdf(-b))
    # Far above its mean, a normal variable is hardly above where it is cut off: the difference loses its digits.
    return mean + s * r, variance * pt.maximum(1.0 + b * r - pt.sqr(r), 1e-6)
