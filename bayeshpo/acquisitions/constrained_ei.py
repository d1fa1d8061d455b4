"""Expected improvement within limits (Schonlau, Welch and Jones 1998; Gardner et al. 2014)."""

from __future__ import annotations

from dataclasses import dataclass

from bayeshpo.acquisitions.base import Known
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Outlook


@dataclass(frozen=True)
class ConstrainedExpectedImprovement(LogExpectedImprovement):
    """log EI over the best trial within all limits, plus the log probability of keeping to them.

    While no trial is, anything within the limits improves on the worst trial and a standard deviation more.
    """

    name = "constrained_ei"
    constraints = True

    def look(self, outlook: Outlook) -> Known:
        """The lowest mean of f (S,) among the incumbents that are within."""
        return Known({"incumbent": outlook.incumbent(outlook.incumbents)})
