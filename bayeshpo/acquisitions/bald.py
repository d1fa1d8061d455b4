"""Active learning by disagreement: what a trial says of the hyperparameters (BALD: Houlsby et al. 2011).

I(y(x); theta) = H[y(x)] - E[H[y(x) | theta]], with the entropy of a normal distribution of the same variance in place
of that of the mixture over draws, as Riis et al. (2022) have it: an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known
from bayeshpo.acquisitions.normal import mixture_variance
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class Disagreement(Acquisition):
    """log variance of a trial over all draws, less the mean of its log under each, halved: nats."""

    name = "bald"
    logarithmic = False
    known = MappingProxyType({})
    joint = True
    noisy = True

    def look(self, outlook: Outlook) -> Known:
        """Nothing: there are no anchors."""
        return Known({}, outlook.anchored(outlook.no_anchors))

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Information (m,)."""
        variance = at.variance + at.noise
        return 0.5 * (pt.log(mixture_variance(at.mean, variance, weight)) - pt.sum(weight * pt.log(variance), axis=0))
