"""Weights of a mixture of surrogates: stacking, leave-one-out densities by Pareto-smoothed weights, probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from family_oracles import CASES, COLUMNS
from scipy import stats
from scipy.special import logsumexp
from surrogate_cases import TREE, left_out_by_hand
from toy_surrogates import LINE, LevelAndSpread, outcomes

from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacking import leave_one_out, probabilities, stacked
from bayeshpo.surrogates.base import TrainingData

RNG = np.random.default_rng
Y = RNG(7).normal(1.0, 0.8, 12)


# Weights.


def objective(weights, log_densities):
    """Sum of the mixture's log densities, and log of the Dirichlet density but for a constant, of weights (m, K)."""
    mixture = logsumexp(log_densities[None] + np.log(weights)[:, None], axis=2).sum(axis=1)
    return mixture + np.log(weights).sum(axis=1)


@pytest.mark.parametrize(("n", "K"), [(3, 2), (40, 2), (5, 3), (30, 3)])
def test_stacking_weights_are_the_best_of_a_grid(n, K):
    log_densities = RNG(n).normal(size=(n, K)) + np.linspace(0.0, 0.4, K)
    steps = np.arange(1, 100) / 100.0
    grid = np.array([(*w, 1.0 - sum(w)) for w in itertools.product(steps, repeat=K - 1) if sum(w) < 1.0])
    values, found = objective(grid, log_densities), stacked(log_densities)
    assert found.sum() == pytest.approx(1.0)
    assert objective(found[None], log_densities)[0] >= values.max()
    # The best of the grid is next to it.
    np.testing.assert_allclose(found, grid[np.argmax(values)], atol=0.01)


def test_few_trials_leave_weights_near_equal_and_none_leave_them_so():
    np.testing.assert_allclose(stacked(np.empty((0, 4))), 0.25)
    # One member alone predicts n of n trials: it has n + 1 of n + K.
    for n in (1, 10, 1000):
        np.testing.assert_allclose(stacked(np.tile([0.0, -500.0, -500.0], (n, 1))), np.array([n + 1, 1, 1]) / (n + 3))
    impossible = np.full((2, 3), -np.inf)
    np.testing.assert_allclose(stacked(np.concatenate([impossible, [[0.0, -900.0, -900.0]]])), [0.5, 0.25, 0.25])


def test_probabilities_do_not_overflow():
    np.testing.assert_allclose(probabilities(np.array([-5000.0, -5000.0 + np.log(3.0)])), [0.25, 0.75])


# Leave-one-out densities.


def test_left_out_density_is_that_of_a_process_of_the_others():
    case, rng = CASES["gp"], RNG(3)
    X = TREE.sample(9, rng)
    data = TrainingData(X, rng.standard_normal(9), 0.0, 1.0, X[:0])
    density = log_density(case.surrogate, COLUMNS)
    Q = density.prior_draws(5, rng)
    found, values = predictive(density).left_out(Q, data), density.constrain(Q)
    for s in range(5):
        p = {k: v[s] for k, v in values.items()}
        expected = left_out_by_hand(data.y - p["mean"], case.covariance(X, X, p) + np.diag(case.noise(X, p)), 9)
        np.testing.assert_allclose(found[s], expected, rtol=1e-5, atol=1e-6)


def test_left_out_density_of_independent_outcomes_is_their_likelihood():
    density = log_density(LevelAndSpread(), LINE)
    Q = density.prior_draws(6, RNG(0))
    values, data = density.constrain(Q), outcomes(Y)
    found = predictive(density).left_out(Q, data)
    np.testing.assert_allclose(found, stats.norm(values["mean"][:, None], values["sd"][:, None]).logpdf(data.y))


@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_densities_are_those_of_refits(weighted):
    surrogate, data = LevelAndSpread(), outcomes(Y)
    density = log_density(surrogate, LINE)
    posterior = Sequential(draws=2000).fit(density, data, rng=RNG(1))
    left_out, log_weights = predictive(density).left_out(posterior.draws, posterior.data), None
    if weighted:
        # Draws twice as wide as the posterior, by importance weights.
        mean, sd = posterior.draws.mean(axis=0), 2.0 * posterior.draws.std(axis=0)
        Q = RNG(2).normal(mean, sd, (8000, 2))
        log_weights = density.batch(Q, data) - stats.norm(mean, sd).logpdf(Q).sum(axis=1)
        left_out = predictive(density).left_out(Q, data)
    found = leave_one_out(left_out, log_weights)
    whole = surrogate.exact(data.y)[2]
    exact = np.array([whole - surrogate.exact(np.delete(data.y, i))[2] for i in range(len(Y))])
    assert (found.khat < 0.7).all()
    # A thousand independent draws or more whose densities vary by half: some hundredths.
    np.testing.assert_allclose(found.log_density, exact, atol=0.08)


def test_a_trial_that_no_draw_can_do_without_is_said_to_be_unknown():
    found = leave_one_out(np.full((50, 2), [-1.0, -np.inf]))
    np.testing.assert_allclose(found.log_density, [-1.0, -np.inf])
    assert found.khat[0] == 0.0
    assert found.khat[1] == np.inf
