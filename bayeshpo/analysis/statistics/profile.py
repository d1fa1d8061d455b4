"""Performance profile: the distribution of runs' scores (Agarwal et al. 2021)."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.statistics.bootstrap import REPLICATES, Estimate, stratified


def profile(
    scores: np.ndarray,
    whole: np.ndarray,
    thresholds: np.ndarray,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Estimate:
    """Share of a searcher's runs with a score of at most each threshold, with stratified bootstrap intervals (S, G).

    Higher is better. Where one searcher's curve is above another's everywhere, it is better at any threshold; where
    curves cross, which is better depends on what one wants. Problems weigh by their number of whole runs.

    Parameters
    ----------
    scores
        After the last evaluation (P, S, R), lower is better.
    whole
        Which runs are whole (P, S, R).
    thresholds
        In ascending order (G,).
    rng, replicates
        Source and size of the bootstrap.
    """
    return stratified(lambda there: _shares(there, thresholds), scores, whole, rng, replicates)


def _shares(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    shares = []
    for searcher in np.moveaxis(scores, 1, 0):
        known = np.sort(searcher[~np.isnan(searcher)])
        shares.append(np.searchsorted(known, thresholds, side="right") / max(len(known), 1))
    return np.array(shares)
