"""Interquartile mean over runs (Agarwal et al. 2021)."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.statistics.bootstrap import REPLICATES, Estimate, stratified


def interquartile_mean(scores: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean of the middle half along an axis, NaN left out: a quarter of the values is cut off at either end.

    Each end loses a quarter of the number of values, rounded down, as `scipy.stats.trim_mean` has it.
    """
    ordered = np.sort(np.moveaxis(scores, axis, 0), axis=0)
    n = (~np.isnan(ordered)).sum(axis=0)
    cut = n // 4
    place = np.arange(len(ordered)).reshape(-1, *(1,) * (ordered.ndim - 1))
    kept = (place >= cut) & (place < n - cut)
    with np.errstate(invalid="ignore"):
        return np.where(kept, ordered, 0.0).sum(axis=0) / kept.sum(axis=0)


def iqm(scores: np.ndarray, whole: np.ndarray, rng: np.random.Generator, replicates: int = REPLICATES) -> Estimate:
    """Interquartile mean of each searcher's runs on all problems, with a stratified bootstrap interval (S, ...).

    Parameters
    ----------
    scores
        On one scale for all problems, as normalised regret (P, S, R, ...).
    whole
        Which runs are whole (P, S, R): the others are left out. Seeds are drawn anew within each problem.
    rng, replicates
        Source and size of the bootstrap.
    """

    def pooled(values: np.ndarray) -> np.ndarray:
        return interquartile_mean(np.moveaxis(values, 2, 1).reshape(-1, *values.shape[1:2], *values.shape[3:]))

    return stratified(pooled, scores, whole, rng, replicates)
