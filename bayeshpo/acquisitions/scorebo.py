"""Self-correcting Bayesian optimisation: where draws of hyperparameters and of the optimum disagree (SCoreBO).

Mean over draws, and over their minima (x*, f*), of a distance between the distribution of a trial over all draws and
that under one draw given its minimum (Hvarfner, Hellsten, Hutter and Nardi 2023, eq. 8): learns the hyperparameters as
far as they matter to where the minimum is. Both are taken for normal of the right moments; the distance is Hellinger's,

    1 - H^2 = sqrt(2 s t / (s^2 + t^2)) exp(-(m - l)^2 / (4 (s^2 + t^2))).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Candidates
from bayeshpo.acquisitions.normal import mixture_variance
from bayeshpo.acquisitions.optimum import GivenMinimum, given_minimum
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class SelfCorrecting(GivenMinimum):
    """Mean Hellinger distance, between 0 and 1.

    The argument is that of `GivenMinimum`.
    """

    name = "scorebo"

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Distance (m,)."""
        centre = pt.sum(weight * at.mean, axis=0)[:, None]
        spread = mixture_variance(at.mean, at.variance + at.noise, weight)[:, None]
        mean, variance = given_minimum(at, known)
        variance = variance + at.noise[:, :, None]
        total = spread + variance
        log_affinity = 0.25 * pt.log(4.0 * spread * variance / pt.sqr(total)) - 0.25 * pt.sqr(mean - centre) / total
        # Rounding can take the affinity of equals above 1, and the root has no slope at 0.
        distance = pt.sqrt(pt.maximum(-pt.expm1(log_affinity), 1e-12))
        return pt.sum(weight * pt.mean(distance, axis=2), axis=0)
