"""Expected improvement itself: the classic, for comparison with its logarithm.

EI(x) = s h(z), z = (incumbent - mean) / s, h(z) = phi(z) + z Phi(z) (Mockus 1975; Jones et al. 1998). Where nothing is
likely to improve it is 0 to the last digit, with no gradient to go by: what `log_ei` was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Acquisition, Candidates
from bayeshpo.acquisitions.normal import h
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class ExpectedImprovement(Acquisition):
    """Mean over draws of E[max(incumbent - f(x), 0)], in standardised losses."""

    name = "ei"
    improves = True
    logarithmic = False

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Weighted mean (m,) of s h(z)."""
        s = pt.sqrt(at.variance)
        return pt.sum(weight * s * h((known.incumbent[:, None] - at.mean) / s), axis=0)
