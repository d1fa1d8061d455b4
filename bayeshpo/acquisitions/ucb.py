"""Upper confidence bound of how good a configuration is: of losses, the lower bound with its sign turned.

UCB(x) = -(mean - beta s) (Cox and John 1992; Srinivas et al. 2010, with beta for their square root of it), averaged
over posterior draws; or the quantile of the same probability of the marginal, the mixture of all draws' normal
distributions, which also sees how far apart the draws are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates
from bayeshpo.acquisitions.mixture_quantile import quantile
from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class UpperConfidenceBound(Acquisition):
    """Minus the loss that f(x) is above with the probability Phi(beta), in standardised losses.

    Parameters
    ----------
    beta
        How far below the mean, in standard deviations (> 0).
    marginal
        Of the marginal over all draws in place of each draw.
    """

    beta: float = 2.0
    marginal: bool = False
    name = "ucb"

    def __post_init__(self) -> None:
        if not 0.0 < self.beta < np.inf:
            raise SpecificationError(f"ucb: expected a finite beta > 0, got {self.beta}")

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Bound (m,)."""
        s = pt.sqrt(at.variance)
        if self.marginal:
            return -quantile(at.mean, s, weight, -self.beta)
        return pt.sum(weight * (self.beta * s - at.mean), axis=0)
