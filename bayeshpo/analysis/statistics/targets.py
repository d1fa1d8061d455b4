"""Evaluations until targets are reached: their distribution (ECDF) and the expected running time."""

from __future__ import annotations

import numpy as np

# Relative regrets that count as targets, from a random configuration's to a ten-thousandth of it.
TARGETS = np.logspace(0.0, -4.0, 33)[1:]


def first_hits(losses: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Number of evaluations until each target (K,) is reached (P, S, R, K): 1 at the first, inf where it is not.

    ``losses`` (P, S, R, T) are those of the incumbent; NaN is not a hit.
    """
    hits = np.empty((*losses.shape[:3], len(targets)))
    for k, target in enumerate(targets):
        hit = losses <= target
        hits[..., k] = np.where(hit.any(axis=3), hit.argmax(axis=3) + 1.0, np.inf)
    return hits


def ecdf(hits: np.ndarray, whole: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Share of all problems, seeds and targets that a searcher has reached within some evaluations (S, G).

    Hansen et al. (2021), without restarts: whole runs alone, and none beyond its budget. Problems weigh equally,
    however many of their runs are whole; a searcher without any is NaN.

    Parameters
    ----------
    hits
        Evaluations until a target is reached (P, S, R, K).
    whole
        Which runs are whole (P, S, R).
    at
        Evaluations on each problem (P, G).
    """
    reached = (hits[..., None] <= at[:, None, None, None, :]).mean(axis=3)
    weight = whole / np.maximum(whole.sum(axis=2, keepdims=True), 1)
    problems = whole.any(axis=2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("psrg,psr->sg", reached, weight) / problems[:, None]


def expected_running_time(hits: np.ndarray, whole: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """Evaluations of all whole runs until they hit or end, by the number of those that hit (P, S, K).

    What is to be expected of a searcher that is begun anew until it hits (Auger and Hansen 2005; Hansen et al. 2021).
    inf where no run hits, NaN where there is no whole run.

    Parameters
    ----------
    hits
        Evaluations until a target is reached (P, S, R, K).
    whole
        Which runs are whole (P, S, R).
    budgets
        Evaluations of a whole run (P,).
    """
    spent = np.where(np.isfinite(hits), hits, budgets[:, None, None, None])
    total = np.where(whole[..., None], spent, 0.0).sum(axis=2)
    successes = (np.isfinite(hits) & whole[..., None]).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole.any(axis=2)[..., None], total / successes, np.nan)


def typical_time(times: np.ndarray) -> np.ndarray:
    """Median over problems (S, K) of expected running times (P, S, K), NaN where that is infinite."""
    median = np.quantile(times, 0.5, axis=0, method="higher")
    return np.where(np.isfinite(median), median, np.nan)
