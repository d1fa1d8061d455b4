"""Log probability of improvement, averaged over posterior draws.

PI(x) = Phi((incumbent - margin - mean) / s) (Kushner 1964). Without a margin nothing beats a place just beside the
incumbent, where an improvement of next to nothing is all but certain, and the search crawls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import ExpectedUtility
from bayeshpo.acquisitions.normal import log_cdf
from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class ProbabilityOfImprovement(ExpectedUtility):
    """log of the mean over draws of P(f(x) < incumbent - margin).

    Parameters
    ----------
    margin
        How much better counts, in standard deviations of the losses (>= 0).
    """

    margin: float = 0.1
    name = "pi"

    def __post_init__(self) -> None:
        if not self.margin >= 0.0:
            raise SpecificationError(f"pi: expected margin >= 0, got {self.margin}")

    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """log Phi (S, m)."""
        return log_cdf((incumbent[:, None] - self.margin - mean) / pt.sqrt(variance))
