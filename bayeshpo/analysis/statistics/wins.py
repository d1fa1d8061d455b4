"""Probability that a run of one searcher ends better than one of another."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.statistics.bootstrap import REPLICATES, Estimate, stratified


def win_probability(
    scores: np.ndarray, whole: np.ndarray, baseline: int, rng: np.random.Generator, replicates: int = REPLICATES
) -> Estimate:
    """Chance that a run beats one of the baseline on the same problem, ties half, averaged over problems (S,).

    "Probability of improvement" of Agarwal et al. (2021): the statistic of Mann and Whitney (1947) on each problem,
    over all pairs of seeds; with a stratified bootstrap interval. 0.5 for the baseline itself. Problems without a whole
    run of both are left out; NaN where that is all of them.

    Parameters
    ----------
    scores
        After the last evaluation (P, S, R), lower is better.
    whole
        Which runs are whole (P, S, R).
    baseline
        Index of the searcher that the others are compared with.
    rng, replicates
        Source and size of the bootstrap.
    """
    return stratified(lambda there: _wins(there, baseline), scores, whole, rng, replicates)


def _wins(scores: np.ndarray, baseline: int) -> np.ndarray:
    ours, theirs = scores[:, :, :, None], scores[:, baseline, None, None, :]
    known = ~np.isnan(ours) & ~np.isnan(theirs)
    better = np.where(known, (ours < theirs) + 0.5 * (ours == theirs), 0.0)
    pairs = known.sum(axis=(2, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        by_problem = better.sum(axis=(2, 3)) / pairs
        return np.nansum(by_problem, axis=0) / (pairs > 0).sum(axis=0)
