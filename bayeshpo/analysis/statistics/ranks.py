"""Mean rank of searchers over problems."""

from __future__ import annotations

import numpy as np
from scipy import stats

from bayeshpo.analysis.statistics.bootstrap import Estimate, estimate, problem_weights


def mean_ranks(losses: np.ndarray, whole: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Mean rank, 1 the best, with its bootstrap interval over problems (S, ...).

    Searchers are ranked seed by seed (seeds are paired: all searchers begin with one initial design), ties have the
    mean of their ranks; ranks are averaged over seeds, then over problems. A seed counts where all searchers have a
    whole run, a problem where it has such a seed; see `blocks`.

    Parameters
    ----------
    losses
        Lower is better (P, S, R, ...), no NaN where runs are whole.
    whole
        Which runs are whole (P, S, R).
    rng
        Source of the bootstrap.

    Raises
    ------
    ValueError
        If no problem has a seed with all runs.
    """
    means = problem_ranks(losses, whole)
    weights = problem_weights(len(means), rng)
    return estimate(means.mean(axis=0), np.tensordot(weights, means, axes=1))


def problem_ranks(losses: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Ranks averaged over the seeds of each problem that counts (P', S, ...); see `mean_ranks`."""
    complete = blocks(whole)
    counted = [p for p, seeds in enumerate(complete) if seeds.any()]
    if not counted:
        raise ValueError("expected a problem and a seed on which every searcher has a whole run, got none")
    return np.array([stats.rankdata(losses[p][:, complete[p]], axis=0).mean(axis=1) for p in counted])


def blocks(whole: np.ndarray) -> np.ndarray:
    """Seeds on which all searchers have a whole run (P, R)."""
    return whole.all(axis=1)
