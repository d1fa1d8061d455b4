"""Practical equivalence on one problem: the correlated t-test with a region of equivalence."""

from __future__ import annotations

import numpy as np
from scipy import stats

ROPE = 0.01


def region_probabilities(differences: np.ndarray, rope: float = ROPE, correlation: float = 0.0) -> np.ndarray:
    """Posterior probability that the mean difference is below, within or above the region (3,).

    Corani and Benavoli (2015), Equation 8: Student's t with n - 1 degrees of freedom about the mean, its squared scale
    the variance times 1 / n + correlation / (1 - correlation).

    Parameters
    ----------
    differences
        Of paired runs (n,), at least two.
    rope
        Half-width of the region.
    correlation
        0 for independent seeds; 1 / folds for folds of a cross-validation (Nadeau and Bengio 2003).
    """
    n = len(differences)
    scale = np.sqrt(differences.var(ddof=1) * (1.0 / n + correlation / (1.0 - correlation)))
    if scale == 0:
        mean = differences.mean()
        return np.array([mean < -rope, abs(mean) <= rope, mean > rope], dtype=float)
    z = (np.array([-rope, rope]) - differences.mean()) / scale
    below, above = stats.t.cdf(z[0], n - 1), stats.t.sf(z[1], n - 1)
    return np.array([below, 1.0 - below - above, above])


def equivalent_to_best(scores: np.ndarray, rope: float = ROPE) -> np.ndarray:
    """Which searchers of one problem are the best or most probably equivalent to it in practice (S,).

    The best has the lowest median over its runs; another is equivalent if, over the seeds that both have, the region
    of equivalence is more probable than either side of it. Fewer than two such seeds show nothing.

    Parameters
    ----------
    scores
        Normalised regret of runs (S, R), NaN for those that are not whole.
    rope
        Half-width of the region.
    """
    with np.errstate(all="ignore"):
        medians = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.inf for row in scores])
    best = int(medians.argmin())
    found = np.isfinite(medians) & (medians == medians[best])
    for s, row in enumerate(scores):
        differences = row - scores[best]
        known = differences[~np.isnan(differences)]
        if len(known) >= 2:
            found[s] |= region_probabilities(known, rope).argmax() == 1
    return found
