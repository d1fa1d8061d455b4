"""Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry 2024): weights and their reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from arviz_stats.base.array import array_stats

from bayeshpo.inference.limits import khat_limit
from bayeshpo.inference.log_sum_exp import log_sum_exp

# Log weights that differ by less are equal up to rounding: there is no tail to fit.
_EQUAL = 1e-8


@dataclass(frozen=True)
class Importance:
    """Smoothed weights of draws.

    Attributes
    ----------
    log_weights
        Normalised log weights (S,).
    khat
        Shape of the Pareto distribution fitted to the largest weights: above `khat_limit`, averages over the weighted
        draws cannot be trusted. 0 where all weights are equal, infinite where there are too few weights to tell.
    effective
        Effective number of draws, 1 / sum of squared weights (Kish 1965).
    """

    log_weights: np.ndarray
    khat: float
    effective: float

    @property
    def reliable(self) -> bool:
        """Whether k-hat is at most what so many draws can bear."""
        return self.khat <= khat_limit(len(self.log_weights))


def pareto_smoothed(log_ratios: np.ndarray) -> Importance | None:
    """Smoothed weights of draws from their log density ratios (S,), target over proposal; None if all are zero.

    A ratio that is not a number counts as zero.
    """
    ratios = np.where(np.isnan(log_ratios), -np.inf, log_ratios)
    finite = np.isfinite(ratios)
    if not finite.any() or np.isposinf(ratios).any():
        return None
    plain = ratios - log_sum_exp(ratios)
    if finite.all() and np.ptp(ratios) < _EQUAL:
        return Importance(plain, 0.0, float(len(ratios)))
    tail = min(0.2 * len(ratios), 3.0 * np.sqrt(len(ratios)))
    if tail < 5 or finite.sum() <= tail:
        return Importance(plain, np.inf, effective_draws(plain))
    # ArviZ takes log likelihoods of left-out data, which are the negative log ratios.
    smoothed, khat = array_stats.psislw(-ratios)
    khat = float(khat)
    return Importance(smoothed, khat if np.isfinite(khat) else np.inf, effective_draws(smoothed))


def effective_draws(log_weights: np.ndarray) -> float:
    """Kish's effective number of draws of normalised log weights."""
    return float(np.exp(-log_sum_exp(2.0 * log_weights)))
