"""Bootstrap: problems drawn with replacement, or seeds within each problem and searcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
REPLICATES = 1000


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate with the bounds of its 95 % percentile bootstrap interval: three arrays of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def estimate(value: np.ndarray, replicates: np.ndarray) -> Estimate:
    """An estimate and its replicates (B, ...) as an interval (Efron 1979; percentiles)."""
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Estimate(value, low, high)


def stratified(
    statistic: Callable[[np.ndarray], np.ndarray],
    scores: np.ndarray,
    whole: np.ndarray,
    rng: np.random.Generator,
    replicates: int,
) -> Estimate:
    """A statistic of whole runs' scores (P, S, R, ...), seeds drawn anew within each problem and searcher."""
    there = np.where(whole.reshape(*whole.shape, *(1,) * (scores.ndim - 3)), scores, np.nan)
    drawn = [statistic(taken(there, resampled_seeds(whole, rng))) for _ in range(replicates)]
    return estimate(statistic(there), np.array(drawn))


def problem_weights(n: int, rng: np.random.Generator, replicates: int = REPLICATES) -> np.ndarray:
    """Share of each of ``n`` problems in each bootstrap sample (B, n)."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=replicates) / n


def resampled_seeds(whole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One stratified bootstrap sample: for each problem and searcher, seeds drawn from those that are whole.

    Parameters
    ----------
    whole
        Which runs there are (P, S, R).

    Returns
    -------
    seeds
        Indices along the last axis (P, S, R): as many as there are whole runs, and -1 in the places of the others.
    """
    there = whole.sum(axis=2, keepdims=True)
    # Whole runs first, so that a draw below their number is one of them.
    order = np.argsort(~whole, axis=2, kind="stable")
    drawn = np.take_along_axis(order, (rng.random(whole.shape) * there).astype(int), axis=2)
    return np.where(np.arange(whole.shape[2]) < there, drawn, -1)


def taken(values: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Values (P, S, R, ...) of resampled seeds (P, S, R), NaN where there is none."""
    extra = (1,) * (values.ndim - 3)
    index = seeds.reshape(*seeds.shape, *extra)
    return np.where(index >= 0, np.take_along_axis(values, np.maximum(index, 0), axis=2), np.nan)
