"""Max-value entropy search: what a trial says of how low the function gets (Wang and Jegelka 2017).

I(f(x); f*) = E[log s(x)] - E[log-width of f(x) cut off below f*], of each draw: with g = (mean - f*) / s,

    E over f*:  g phi(g) / (2 Phi(g)) - log Phi(g)                                      (eq. 6, for a minimum)

f* are minima of functions drawn jointly at the points that may be lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, check_count
from bayeshpo.acquisitions.normal import log_cdf, log_pdf
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class MaxValueEntropy(Acquisition):
    """Mean over draws and minima of the information in f(x) about the minimum's value, in nats.

    Parameters
    ----------
    minima
        Functions drawn, each for its minimum, for each draw of the hyperparameters.
    """

    minima: int = 8
    name = "max_value_entropy"
    logarithmic = False
    known = MappingProxyType({"minimum": 2})
    learns_function = True
    draws_functions = True
    most_draws = 256

    def __post_init__(self) -> None:
        check_count(self.name, "minima", self.minima)

    def look(self, outlook: Outlook) -> Known:
        """The minima (S, R)."""
        return Known({"minimum": outlook.minima(self.minima).value})

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Information (m,)."""
        g = (at.mean[:, :, None] - known.minimum[:, None, :]) / pt.sqrt(at.variance)[:, :, None]
        log_above = log_cdf(g)
        return pt.sum(weight * pt.mean(0.5 * g * pt.exp(log_pdf(g) - log_above) - log_above, axis=2), axis=0)
