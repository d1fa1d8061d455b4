"""One-step-ahead predictions: what a posterior said of the next trial, before it entered.

Given the points at which trials are made, whoever chose them, the places of outcomes in right predictive distributions
are independent and uniform (Dawid 1984), within a run and over runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayeshpo.analysis.checks import beside
from bayeshpo.analysis.fits import Fits, Row, by_problem, column, rows_of
from bayeshpo.analysis.statistics.uniformity import binomial_interval, ecdf_difference, is_outside

NOMINAL = (0.5, 0.9)
# What lies beyond was hardly expected: an interval whose misses the others, and tests of uniformity, do not notice.
FAR = 0.99
_ENTRIES = ("ahead_pit", "ahead_log_score")
# Places at which distribution functions are looked at.
POSITIONS = 100


@dataclass(frozen=True)
class Coverage:
    """How many outcomes lay in their central one-step-ahead intervals.

    Attributes
    ----------
    nominal
        Share that should be inside.
    share
        Share that was.
    low, high
        95 % interval of it, were trials independent (Clopper and Pearson 1934): it never covers less.
    """

    nominal: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Ahead:
    """Predictions of the trials of some runs.

    Attributes
    ----------
    pit
        Share of the predictive distribution below each outcome (n,), in [0, 1].
    late
        Whether it is of the second half of its run's predictions (n,).
    log_score
        Log predictive density of each outcome (n,), NaN where it is not on record.
    """

    pit: np.ndarray
    late: np.ndarray
    log_score: np.ndarray

    @classmethod
    def of(cls, fits: Iterable[Fits], metric: str | None = None) -> Ahead:
        """All predictions on record of the value, or of a metric; there may be none."""
        start = "" if metric is None else f"{metric}_"
        parts: list[tuple[np.ndarray, ...]] = [(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0))]
        for _, fitted in fits:
            rows = [row for fit in fitted for row in _predicted(fit, start)]
            pit, score = (column(rows, name) for name in _ENTRIES)
            known = ~np.isnan(pit)
            n = int(known.sum())
            parts.append((pit[known], np.arange(n) >= n / 2, score[known]))
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def part(self, at: np.ndarray) -> Ahead:
        """Some of the predictions, by a mask or indices."""
        return Ahead(self.pit[at], self.late[at], self.log_score[at])

    def __len__(self) -> int:
        return len(self.pit)

    @property
    def distance(self) -> np.ndarray:
        """Nominal coverage of the smallest central interval that holds each outcome (n,): uniform as well."""
        return 2.0 * np.abs(self.pit - 0.5)

    @property
    def coverage(self) -> list[Coverage]:
        """Of the intervals of `NOMINAL`; none without predictions."""
        if not len(self):
            return []
        return [self.covered_by(nominal) for nominal in NOMINAL]

    def covered_by(self, nominal: float) -> Coverage:
        """Of the central interval of this share; there must be predictions."""
        hits = int((self.distance <= nominal).sum())
        return Coverage(nominal, hits / len(self), *binomial_interval(hits, len(self)))

    @property
    def mean_log_score(self) -> float | None:
        """Mean of the log predictive densities on record; None without any."""
        known = self.log_score[~np.isnan(self.log_score)]
        return float(known.mean()) if known.size else None

    @property
    def uniformity(self) -> float:
        """p-value of the largest distance between the distribution function of the places and the uniform one."""
        return float(stats.kstest(self.pit, "uniform").pvalue)

    @property
    def leaves_band(self) -> bool:
        """Whether the distribution function of the places leaves its simultaneous band."""
        return is_outside(ecdf_difference(self.pit, POSITIONS)[1], len(self))


def _predicted(fit: Row, start: str) -> list[Row]:
    """A row a trial: of those that were told together, a fit has those before the newest in a list."""
    newest = {name: fit.get(f"{start}{name}") for name in _ENTRIES}
    return [*(fit.get(f"{start}ahead_earlier") or ()), newest]


def ahead_by_problem(fits: Iterable[Fits]) -> dict[str, Ahead]:
    """Predictions of each problem's values, and after its name of each of its metrics, where there are any."""
    found = {}
    for problem, own in by_problem(fits).items():
        found[problem] = Ahead.of(own)
        for metric in dict.fromkeys(name for row in rows_of(own) for name in beside(row)):
            found[f"{problem}: {metric}"] = Ahead.of(own, metric)
    return {name: ahead for name, ahead in found.items() if len(ahead)}
