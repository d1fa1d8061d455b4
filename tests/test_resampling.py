"""Resampling: each draw its share, no bias, and weighted draws where equally weighted ones are wanted."""

from __future__ import annotations

import math

import numpy as np
from surrogate_cases import PLANE, density_on, wavy

from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.report import InferenceReport


def test_resampling_gives_each_draw_its_share():
    rng = np.random.default_rng(7)
    Q = np.arange(4 * 200, dtype=float).reshape(4, 200, 1)
    np.testing.assert_array_equal(resample(Q, np.full((4, 200), -3.0)), Q)
    weights = rng.exponential(size=(4, 200))
    weights /= weights.sum(axis=1, keepdims=True)
    chosen = resample(Q, np.log(weights))
    for g in range(4):
        copies = np.bincount(chosen[g].astype(int).ravel(), minlength=800)[200 * g : 200 * (g + 1)]
        assert copies.sum() == 200
        # Systematic resampling never is a whole copy away from the expected number.
        assert np.abs(copies - 200 * weights[g]).max() < 1.0


def test_resampling_is_unbiased():
    rng = np.random.default_rng(8)
    errors = []
    for _ in range(400):
        Q = rng.standard_normal((4, 100, 1))
        log_weights = 0.8 * Q[..., 0]
        weights = np.exp(log_weights)
        expected = (weights * Q[..., 0]).sum(axis=1) / weights.sum(axis=1)
        alike = resample(Q, log_weights - np.log(weights.sum(axis=1, keepdims=True)))
        errors.append(alike[..., 0].mean(axis=1) - expected)
    errors = np.ravel(errors)
    assert abs(errors.mean()) < 4.5 * errors.std() / np.sqrt(len(errors))
    # One in a hundred of the draws' own spread: the error of one resampling is second order.
    assert errors.std() < 0.05


def test_a_chain_that_alone_saw_the_posterior_gets_its_weight():
    Q = np.random.default_rng(9).standard_normal((4, 100, 2))
    log_weights = np.full((4, 100), -np.inf)
    log_weights[2, 40:] = 0.0
    resampled = resample(Q, log_weights)
    assert np.isin(resampled[..., 0], Q[2, 40:, 0]).all()


def test_weighted_draws_in_the_tree_are_resampled():
    density, data = density_on(PLANE), wavy(6)
    Q = density.prior_draws(400, np.random.default_rng(0)).reshape(4, 100, -1)
    log_weights = np.where(np.arange(100) < 50, -np.inf, -math.log(200.0)) * np.ones((4, 1))
    posterior = Posterior(density, data, Q, InferenceReport("x", "reweighted", 6), log_weights)
    tree = posterior.to_datatree()
    noise = tree["posterior"]["noise"].to_numpy()
    assert noise.shape == (4, 100)
    assert np.isin(noise, density.constrain(Q[:, 50:].reshape(200, -1))["noise"]).all()
    assert len(np.unique(posterior.thinned(200)[:, 0])) == 200
