"""How often a new trial fell into the interval that had been predicted for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayeshpo.analysis.statistics.uniformity import binomial_interval

# Entries of rows of inference by the share of trials that should be within.
NOMINAL = {0.5: "ahead_in_50", 0.9: "ahead_in_90"}


@dataclass(frozen=True)
class Coverage:
    """Trials within their central predictive intervals, one step ahead.

    Attributes
    ----------
    nominal
        Share that should be.
    trials, hits
        Number of trials that were predicted, and of those within.
    low, high
        95 % interval of the share that is, were trials independent (Clopper and Pearson 1934): it never covers less.
    """

    nominal: float
    trials: int
    hits: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Share of trials within."""
        return self.hits / self.trials


def coverage(rows: Sequence[Mapping[str, Any]]) -> list[Coverage]:
    """Of rows of inference, by nominal share; none for records that do not say."""
    found = []
    for nominal, name in NOMINAL.items():
        known = [bool(row[name]) for row in rows if row.get(name) is not None]
        if known:
            low, high = binomial_interval(sum(known), len(known))
            found.append(Coverage(nominal, len(known), sum(known), low, high))
    return found
