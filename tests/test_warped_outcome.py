"""Losses whose scale is learnt: the map, the density by change of variables, moments by quadrature, `gp` as a limit."""

from __future__ import annotations

import numpy as np
import pytest
from family_oracles import gp
from scipy import optimize, stats
from surrogate_cases import TREE, left_out_by_hand, training_data

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import pm
from bayeshpo.surrogates.warped_outcome import WarpedOutcomeGaussianProcess

COLUMNS, SURROGATE = Columns.of(TREE), WarpedOutcomeGaussianProcess()
DENSITY = log_density(SURROGATE, COLUMNS)


def warp(h, p):
    return p["centre"] + (h + p["bend"] * h**3) / (1.0 + p["bend"])


def unwarp(y, p):
    """By bisection of the map alone."""
    return np.array([optimize.brentq(lambda h, v=v: warp(h, p) - v, -1e3, 1e3, xtol=1e-13) for v in y])


def trials(n, seed=3):
    rng = np.random.default_rng(seed)
    X = TREE.sample(n, rng)
    return training_data(X, np.exp(3.0 * X[:, TREE.names.index("x")]) + 0.1 * rng.standard_normal(n))


def drawn(n, seed=0):
    Q = DENSITY.prior_draws(n, np.random.default_rng(seed))
    values = DENSITY.constrain(Q)
    return Q, [{name: v[s] for name, v in values.items()} for s in range(n)]


def test_density_is_that_of_the_unwarped_losses_by_change_of_variables():
    data = trials(9)
    Q, draws = drawn(8)
    likelihood = DENSITY.batch(Q, data) - DENSITY.batch(Q, DENSITY.no_data)
    left_out = predictive(DENSITY).left_out(Q, data)
    for found, one_by_one, p in zip(likelihood, left_out, draws, strict=True):
        h = unwarp(data.y, p)
        K = gp(data.X, data.X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(9)
        step = 1e-5 * (1.0 + np.abs(h))
        slope = (warp(h + step, p) - warp(h - step, p)) / (2.0 * step)
        expected = stats.multivariate_normal(np.full(9, p["mean"]), K).logpdf(h) - np.log(slope).sum()
        assert abs(found - expected) < 1e-6 * max(1.0, abs(expected))
        expected = left_out_by_hand(h - p["mean"], K, 9) - np.log(slope)
        np.testing.assert_allclose(one_by_one, expected, rtol=1e-5, atol=1e-5)


def test_outcomes_are_normal_where_they_are_unwarped():
    data, x, y = trials(9), trials(1, seed=4).X, np.array([-3.0, -0.8, -0.2, 0.6, 5.0])
    Q, draws = drawn(8)
    function = predictive(DENSITY)
    found = function.outcome(function.condition(Q, data), np.tile(x, (5, 1)), y)
    for log_density_there, below, p in zip(*found, draws, strict=True):
        K = gp(data.X, data.X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(9)
        k = gp(x, data.X, p)[0]
        m = p["mean"] + k @ np.linalg.solve(K, unwarp(data.y, p) - p["mean"])
        h = stats.norm(m, np.sqrt(p["amplitude"] ** 2 - k @ np.linalg.solve(K, k) + p["noise"] ** 2 + NUGGET))
        at, slope = unwarp(y, p), [(warp(u + 1e-6, p) - warp(u - 1e-6, p)) / 2e-6 for u in unwarp(y, p)]
        np.testing.assert_allclose(below, h.cdf(at), rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(log_density_there, h.logpdf(at) - np.log(slope), rtol=1e-5, atol=1e-5)


def test_predictions_are_the_moments_of_the_warped_conditional():
    # Gauss and Hermite's rule of 8 nodes is exact for polynomials of degree 15: the variance's is 6.
    data, Z = trials(9), trials(5, seed=4).X
    Q, draws = drawn(8)
    function = predictive(DENSITY)
    conditioned = function.condition(Q, data)
    mean, variance = function(conditioned, Z)
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    for s, p in enumerate(draws):
        K = gp(data.X, data.X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(9)
        k = gp(Z, data.X, p)
        m = p["mean"] + k @ np.linalg.solve(K, unwarp(data.y, p) - p["mean"])
        v = p["amplitude"] ** 2 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        f = warp(m[:, None] + np.sqrt(v)[:, None] * nodes, p)
        first = f @ weights / weights.sum()
        second = np.square(f - first[:, None]) @ weights / weights.sum()
        np.testing.assert_allclose(mean[s], first, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(variance[s], second, rtol=1e-5, atol=1e-7 * p["amplitude"] ** 2)


def test_unbent_it_is_gp_about_another_level():
    data, (Q, draws) = trials(9), drawn(5)
    values = {name: np.stack([p[name] for p in draws]) for name in draws[0]}
    values["bend"] = np.full(5, 1e-9)
    as_gp = log_density(GaussianProcess(), COLUMNS)
    moved = {name: values[name] for name in ("amplitude", "lengthscale", "noise")}
    moved["mean"] = values["mean"] + values["centre"]
    Q, R = DENSITY.unconstrain(values), as_gp.unconstrain(moved)
    likelihoods = [d.batch(at, data) - d.batch(at, d.no_data) for d, at in ((DENSITY, Q), (as_gp, R))]
    np.testing.assert_allclose(*likelihoods, rtol=1e-6)


def test_priors_are_arguments_and_impossible_ones_are_refused():
    with pytest.raises(SpecificationError, match="bend_prior: expected a distribution of positive numbers"):
        WarpedOutcomeGaussianProcess(bend_prior=pm.Normal.dist(0.0, 1.0))
    table = WarpedOutcomeGaussianProcess(centre_prior=pm.Normal.dist(-3.0, 0.1)).describe(TREE.configspace)
    assert abs(table.loc["centre", "mean"] + 3.0) < 0.01


def test_it_is_no_model_for_inducing_points():
    with pytest.raises(SpecificationError, match=r"inherits its conditional .*, got 'warped_outcome'"):
        SparseGaussianProcess(exact=SURROGATE)
