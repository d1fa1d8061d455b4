"""Expected improvement itself: the classic, for comparison with its logarithm.

EI(x) = s h(z), z = (incumbent - mean) / s, h(z) = phi(z) + z Phi(z) (Mockus 1975; Jones et al. 1998). Where nothing is
likely to improve it is 0 to the last digit, with no gradient to go by: what `log_ei` was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Acquisition
from bayeshpo.acquisitions.normal import h
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class ExpectedImprovement(Acquisition):
    """Mean over draws of E[max(incumbent - f(x), 0)], in standardised losses."""

    name = "ei"

    def over_draws(self, mean: Any, variance: Any, incumbent: Any, weight: Any) -> Any:
        """Weighted mean (m,) of s h(z)."""
        s = pt.sqrt(variance)
        return pt.sum(weight * s * h((incumbent[:, None] - mean) / s), axis=0)

    def where_feasible(self, value: Any, log_probability: Any) -> Any:
        """What fails does not improve."""
        return value * pt.exp(log_probability)
