"""Moments of posteriors, posteriors carried along data, and what replicates must agree on."""

from __future__ import annotations

import numpy as np

from bayeshpo.inference.posterior import Posterior

REPLICATES = 8
# Outcomes for toys.
Y = np.random.default_rng(12).normal(1.3, 0.7, 28)


def weighted_moments(posterior: Posterior):
    """Means and standard deviations (Q,) of the unconstrained draws under their weights."""
    weights = np.full(posterior.size, 1.0 / posterior.size)
    if posterior.log_weights is not None:
        weights = np.exp(posterior.log_weights.ravel())
    mean = weights @ posterior.draws
    return mean, np.sqrt(weights @ (posterior.draws - mean) ** 2)


def carried(engine, density, steps, seed):
    """Posteriors along a list of data, each carried on from the one before."""
    rng, posterior, all_of_them = np.random.default_rng(seed), None, []
    for data in steps:
        posterior = engine.fit(density, data, rng=rng, previous=posterior)
        all_of_them.append(posterior)
    return all_of_them


def assert_unbiased(estimates, exact, spread, k=5.0):
    """Replicates (R, ...) agree with the exact value within k of their standard errors (or 0.02 of the spread)."""
    estimates = np.asarray(estimates)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    deviation = np.abs(estimates.mean(axis=0) - exact)
    assert (deviation < k * error + 0.02 * np.asarray(spread)).all(), (deviation, error, spread)
