"""Expected hypervolume improvement of several objectives, averaged over posterior draws.

Under each draw the objectives at x are independent normals, and what is better than the reference point and dominated
by no trial is cut into boxes [l_j, u_j); the volume that y adds is sum_j prod_k (u_jk - max(l_jk, y_k))_+, of which the
expectation has the closed form

    sum_j prod_k (G_k(u_jk) - G_k(l_jk)),  G_k(t) = E[max(t - f_k(x), 0)] = s_k h((t - m_k) / s_k)

(Emmerich, Giannakoglou and Naujoks 2006; by boxes Yang et al. 2019; in logarithms after Ament et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Known, log_mean, log_sum
from bayeshpo.acquisitions.normal import log_h
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.pareto import boxes, reference_point
from bayeshpo.surrogates.symbolic import pt

# Beyond all losses, where a box has no lower end.
_FAR = 1e6


@dataclass(frozen=True)
class ExpectedHypervolumeImprovement(Acquisition):
    """log of the mean hypervolume that one more trial adds to what the trials dominate, by their means of f.

    The reference point is a tenth of its range beyond the observed front (`bayeshpo.pareto.reference_point`).
    """

    name = "hypervolume"
    known = MappingProxyType({"lower": 3, "upper": 3})
    improves = True
    objectives = True
    constraints = True
    most_draws = 128

    def look(self, outlook: Outlook) -> Known:
        """Corners (S, J, K) of the boxes that the incumbents within all limits leave, under each draw."""
        lower, upper = corners(outlook.incumbents[:, outlook.within], reference_point(outlook.observed))
        return Known({"lower": lower, "upper": upper})

    def over_draws(self, at: Any, known: Any, weight: Any) -> Any:
        """log volume (m,)."""
        mean, s = at.mean[:, :, None, :], pt.sqrt(at.variance)[:, :, None, :]

        def log_gain(t: Any) -> Any:
            """log G (S, m, J, K)."""
            return pt.log(s) + log_h((t[:, None] - mean) / s)

        log_upper, log_lower = log_gain(known.upper), log_gain(known.lower)
        # G rises strictly, but for rounding, and where a box has no width.
        shares = -pt.expm1(pt.minimum(log_lower - log_upper, -1e-15))
        log_volume = pt.sum(log_upper + pt.log(shares), axis=3)
        return log_mean(log_sum(log_volume, axis=2), weight)


def corners(losses: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corners (S, J, K) of the boxes that losses (S, n, K) leave; boxes of no width fill up."""
    found = [boxes(f, reference) for f in losses]
    most = max(len(lower) for lower, _ in found)
    lower, upper = (np.full((len(found), most, len(reference)), -_FAR) for _ in range(2))
    for s, (low, high) in enumerate(found):
        lower[s, : len(low)], upper[s, : len(high)] = np.maximum(low, -_FAR), high
    return lower, upper
