"""Are numbers in [0, 1] uniform? Their distribution function beside a band that holds it as a whole."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

BAND = 0.95
_SIMULATIONS = 4000


@cache
def simultaneous_band(n: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Limits (positions,) that hold the whole curve of ``n`` uniform numbers, less the diagonal, with 95 % probability.

    Pointwise binomial intervals of the one level that makes 95 % of simulated curves stay inside (Säilynoja, Bürkner
    and Vehtari 2022).

    Parameters
    ----------
    n
        How many numbers, or ranks.
    positions
        How many places, evenly over (0, 1], the curve is looked at.
    """
    rng = np.random.default_rng(0)
    u = np.arange(1, positions + 1) / positions
    counts = rng.multinomial(n, np.full(positions, 1.0 / positions), size=_SIMULATIONS).cumsum(axis=1)
    below, above = stats.binom.cdf(counts, n, u), stats.binom.sf(counts - 1, n, u)
    # At the last position all are counted, always.
    tails = np.minimum(below, above)[:, :-1].min(axis=1)
    level = np.quantile(tails, 1.0 - BAND)
    low, high = stats.binom.ppf(level, n, u), stats.binom.isf(level, n, u)
    return low / n - u, high / n - u


def ecdf_difference(values: np.ndarray, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Places u (positions,), and the share of the values (n,) that is no larger, less u (positions,)."""
    u = np.arange(1, positions + 1) / positions
    # Rounding must not move a value beyond the place that it is at.
    return u, np.searchsorted(np.sort(values), u + 1e-12, side="right") / len(values) - u


def is_outside(difference: np.ndarray, n: int) -> bool:
    """Whether a curve (positions,) of ``n`` numbers leaves the simultaneous band."""
    low, high = simultaneous_band(n, len(difference))
    return bool(((difference < low - 1e-12) | (difference > high + 1e-12)).any())


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson 1934)."""
    interval = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
