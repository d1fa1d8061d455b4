"""Log expected improvement, averaged over posterior draws.

EI(x) = s h(z), z = (incumbent - mean) / s, h(z) = phi(z) + z Phi(z) (Mockus 1975; Jones et al. 1998), in the form whose
logarithm stays finite where EI underflows (Ament et al. 2023, eq. 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Acquisition, ExpectedUtility
from bayeshpo.acquisitions.noisy_ei import NoisyExpectedImprovement
from bayeshpo.acquisitions.normal import log_h
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class LogExpectedImprovement(ExpectedUtility):
    """log of the mean over draws of E[max(incumbent - f(x), 0)]."""

    name = "log_ei"

    def when_pending(self, surrogate: Any) -> Acquisition:
        """The same by several functions under each draw, where the surrogate says how f at points belongs together."""
        another = type(self).log_utility is not LogExpectedImprovement.log_utility
        return NoisyExpectedImprovement() if surrogate.is_joint and not another else super().when_pending(surrogate)

    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """log s + log h(z) (S, m)."""
        s = pt.sqrt(variance)
        return pt.log(s) + log_h((incumbent[:, None] - mean) / s)
