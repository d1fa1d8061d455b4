"""Expected improvement per second (Snoek, Larochelle and Adams 2012)."""

from __future__ import annotations

from dataclasses import dataclass

from bayeshpo.acquisitions.log_ei import LogExpectedImprovement


@dataclass(frozen=True)
class ExpectedImprovementPerSecond(LogExpectedImprovement):
    """log EI less the mean log seconds of a trial, of which a Gaussian process learns from all trials so far."""

    name = "cost_ei"
    per_second = True
