"""ParEGO: expected improvement of another weighing of the objectives for each proposal (Knowles 2006).

The objectives, scaled to the range of the observed front, are weighed by numbers lambda drawn for the proposal, and the
largest of them is what counts (Chebyshev). Knowles fits a model to that; here it is made of the objectives' own draws,
which are independent normals, so that the improvement over the best trial is an integral of one dimension:

    E[max(b - max_k lambda_k f_k(x), 0)] = int_0^inf prod_k Phi((b - u - lambda_k m_k) / (lambda_k s_k)) du.

His small addition, a twentieth of the weighted sum, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Known, log_mean, log_sum
from bayeshpo.acquisitions.normal import log_cdf
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.pareto import non_dominated
from bayeshpo.surrogates.symbolic import pt

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
# How many standard deviations past its end the integrand is nothing.
_REACH = 7.0
# Weights below this would leave an objective out.
_LEAST = 1e-3


@dataclass(frozen=True)
class ChebyshevImprovement(Acquisition):
    """log of the mean improvement of the largest weighed objective over that of the best trial within all limits."""

    name = "parego"
    known = MappingProxyType({"slope": 2, "offset": 2, "incumbent": 1})
    improves = True
    objectives = True
    constraints = True

    def look(self, outlook: Outlook) -> Known:
        """Weighed objectives are slope f - offset (S, K) both; and the lowest largest one of the trials (S,)."""
        front = outlook.observed[non_dominated(outlook.observed)]
        spread = np.where(np.ptp(front, axis=0) > 0.0, np.ptp(front, axis=0), 1.0)
        # One weighing a proposal, whatever the draws.
        weights = np.random.default_rng(outlook.evidence.seed).dirichlet(np.ones(front.shape[1]))
        slope = np.maximum(weights, _LEAST) / spread
        offset = slope * front.min(axis=0)
        largest = (slope * outlook.incumbents - offset).max(axis=2)
        each = np.ones((len(largest), 1))
        return Known({"slope": each * slope, "offset": each * offset, "incumbent": outlook.incumbent(largest)})

    def over_draws(self, at: Any, known: Any, weight: Any) -> Any:
        """log improvement (m,)."""
        mean = known.slope[:, None, :] * at.mean - known.offset[:, None, :]
        s = known.slope[:, None, :] * pt.sqrt(at.variance)
        z = (known.incumbent[:, None, None] - mean) / s
        # The integrand ends where its first factor does: some deviations past the kink, or a decay's length where the
        # whole is a tail.
        ends = s * pt.switch(z > 0.0, z + _REACH, _tail(pt.minimum(z, 0.0)))
        end = pt.min(ends, axis=2)
        u = 0.5 * end[:, :, None] * (1.0 + _NODES)
        log_factors = log_cdf(z[:, :, None, :] - u[:, :, :, None] / s[:, :, None, :])
        log_terms = pt.sum(log_factors, axis=3) + np.log(0.5 * _WEIGHTS)
        return log_mean(pt.log(end) + log_sum(log_terms, axis=2), weight)


def _tail(z: Any) -> Any:
    """Where, beyond z < 0, phi(z - u) is exp(-_REACH^2 / 2) of phi(z)."""
    return z + pt.sqrt(pt.sqr(z) + _REACH**2)
