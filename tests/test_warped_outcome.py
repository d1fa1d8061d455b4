"""Losses whose scale is learnt: the map, the density by change of variables, moments by quadrature, `gp` as a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from family_oracles import gp
from scipy import optimize, stats
from surrogate_cases import TREE, left_out_by_hand, posterior_of, training_data

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.acquisitions.remaining import remaining
from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.stacked import StackedSurrogate
from bayeshpo.registry import create
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.cubic_map import CubicMap
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import pm
from bayeshpo.surrogates.warped_outcome import WarpedOutcomeGaussianProcess
from bayeshpo.testing.trials import history_of

COLUMNS, SURROGATE = Columns.of(TREE), WarpedOutcomeGaussianProcess()
DENSITY = log_density(SURROGATE, COLUMNS)
LOWEST = -1.1


def cubic(u, p):
    return (u + p["bend"] * u**3) / (1.0 + p["bend"])


def warp(h, p):
    """A cubic about the lowest loss, shifted so that 0 stays 0."""
    return LOWEST + cubic(h + solved(lambda u: cubic(u, p), -LOWEST), p)


def unwarp(y, p):
    """By bisection of the map alone."""
    return np.array([solved(lambda h: warp(h, p), v) for v in y])


def solved(rising, v):
    return optimize.brentq(lambda u: rising(u) - v, -1e3, 1e3, xtol=1e-13)


def trials(n, seed=3):
    rng = np.random.default_rng(seed)
    X = TREE.sample(n, rng)
    data = training_data(X, np.exp(3.0 * X[:, TREE.names.index("x")]) + 0.1 * rng.standard_normal(n))
    return SURROGATE.prepared(COLUMNS, replace(data, lowest=LOWEST))


def drawn(n, seed=0):
    Q = DENSITY.prior_draws(n, np.random.default_rng(seed))
    values = DENSITY.constrain(Q)
    return Q, [{name: v[s] for name, v in values.items()} for s in range(n)]


def of_h(data, Z, p):
    """Mean and variance of h at Z."""
    mean, covariance = jointly_of_h(data, Z, p)
    return mean, np.diagonal(covariance)


def jointly_of_h(data, Z, p):
    """Mean and covariance of h at Z."""
    K = gp(data.X, data.X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(len(data.y))
    solved = np.linalg.solve(K, np.column_stack([unwarp(data.y, p) - p["mean"], gp(data.X, Z, p)]))
    k = gp(Z, data.X, p)
    return p["mean"] + k @ solved[:, 0], gp(Z, Z, p) - k @ solved[:, 1:]


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
        m, v = of_h(data, x, p)
        h = stats.norm(m, np.sqrt(v + p["noise"] ** 2 + NUGGET))
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
        m, v = of_h(data, Z, p)
        f = warp(m[:, None] + np.sqrt(v)[:, None] * nodes, p)
        first = f @ weights / weights.sum()
        second = np.square(f - first[:, None]) @ weights / weights.sum()
        np.testing.assert_allclose(mean[s], first, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(variance[s], second, rtol=1e-5, atol=1e-7 * p["amplitude"] ** 2)


def test_the_map_keeps_zero_and_is_least_steep_at_the_lowest_loss():
    for p in drawn(8)[1]:
        w = CubicMap(LOWEST, p["bend"], np)
        h = w.inverse(np.array([LOWEST, 0.0]))
        np.testing.assert_allclose(h[1], 0.0, atol=1e-12)
        steepness = w.log_slope(h[0] + np.linspace(-1.0, 1.0, 5))
        assert steepness.argmin() == 2
        assert np.exp(steepness[2]) == pytest.approx(1.0 / (1.0 + p["bend"]))


def test_the_lowest_loss_is_that_of_the_trials_and_stays_where_more_are_believed():
    history = history_of(TREE, TREE.decode(TREE.sample(4, np.random.default_rng(0))), [3.0, 1.0, None, 2.0])
    data = SURROGATE.prepared(COLUMNS, TrainingData.of(history, SURROGATE))
    assert data.arrays["lowest"] == [min(data.y)] == [data.lowest]
    more = SURROGATE.believing(COLUMNS, data, data.X[:1], np.array([-9.0]))
    assert more.arrays["lowest"] == [data.lowest]
    assert SURROGATE.no_data(COLUMNS).arrays["lowest"] == [0.0]


def test_simulated_losses_are_the_models_given_its_lowest_loss():
    # Under one draw places of outcomes are uniform, whatever the lowest of the losses that were simulated is.
    points, rng = trials(1).X, np.random.default_rng(5)
    blank = TrainingData(points, np.zeros(1), 0.0, 1.0, points[:0], LOWEST)
    truths, found = simulated(DENSITY, blank, 400, rng)
    of, places = predictive(DENSITY), []
    for truth, data in zip(truths, found, strict=True):
        assert data.lowest == LOWEST
        nothing = SURROGATE.prepared(COLUMNS, replace(data, X=data.X[:0], y=data.y[:0]))
        _, below = of.outcome(of.condition(truth[None], nothing), points, data.y)
        places.append(below[0, 0])
    assert stats.kstest(places, "uniform").pvalue > 1e-3


def test_unbent_it_is_gp():
    data, (Q, draws) = trials(9), drawn(5)
    values = {name: np.stack([p[name] for p in draws]) for name in draws[0]}
    values["bend"] = np.full(5, 1e-9)
    as_gp = log_density(GaussianProcess(), COLUMNS)
    unbent = {name: values[name] for name in ("mean", "amplitude", "lengthscale", "noise")}
    Q, R = DENSITY.unconstrain(values), as_gp.unconstrain(unbent)
    told = as_gp.surrogate.prepared(COLUMNS, data)
    likelihoods = [d.batch(at, y) - d.batch(at, d.no_data) for d, at, y in ((DENSITY, Q, data), (as_gp, R, told))]
    np.testing.assert_allclose(*likelihoods, rtol=1e-6)


def test_acquisitions_are_about_h_which_is_lowest_where_f_is():
    data, Z = trials(9), trials(6, seed=4).X
    Q, draws = drawn(8)
    evidence = Evidence(data, data.X[:0], data.y[:0])
    names = ("pi", {"margin": 0.0}), ("ei", {})
    improves, ei = (compiled_acquisition(create("acquisition", *n), predictive(DENSITY)) for n in names)
    nodes = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    for q, p in zip(Q, draws, strict=True):
        m, v = of_h(data, Z, p)
        h = m[:, None] + np.sqrt(v)[:, None] * nodes
        # Whether f is below the lowest of its medians at the trials, and how far h is.
        medians = warp(of_h(data, data.X, p)[0], p)
        below, gain = (warp(h, p) < medians.min()), np.maximum(unwarp([medians.min()], p) - h, 0.0)
        found = np.exp(improves.value(improves.state(q[None], evidence), Z))
        np.testing.assert_allclose(found, below.mean(axis=1), atol=1e-3)
        found = ei.value(ei.state(q[None], evidence), Z)
        np.testing.assert_allclose(found, gain.mean(axis=1), rtol=1e-3, atol=1e-3 * p["amplitude"])


def test_what_is_recommended_is_of_lowest_mean_h():
    data, (Q, draws) = trials(9), drawn(8)
    compiled = compiled_acquisition(create("acquisition", "log_ei", {}), predictive(DENSITY))
    _, _, fitted = compiled.over_all_draws(Q, Evidence(data, data.X[:0], data.y[:0]), data.X[:1])
    of = predictive(DENSITY)
    by_hand = np.mean([of_h(data, data.X, p)[0] for p in draws], axis=0)
    np.testing.assert_allclose(fitted, by_hand, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of.normal.fitted(posterior_of(DENSITY, Q, data)), by_hand, rtol=1e-4, atol=1e-5)


def test_drawn_minima_and_regrets_are_of_f():
    data, of = trials(4), predictive(DENSITY)
    rng = np.random.default_rng(5)
    Q, [p] = drawn(1, seed=11)
    evidence = Evidence(data, data.X[:0], data.y[:0], pool=trials(3, seed=4).X)
    outlook = Outlook(JointPredictive(of.normal, noise=False), of.normal.condition(Q, data), evidence, rng)
    found = remaining(of, outlook, data.X[0], 2000)
    mean, covariance = jointly_of_h(data, np.concatenate([data.X[:1], evidence.candidates]), p)
    f = warp(rng.multivariate_normal(mean, covariance, 2000, method="svd"), p)
    lowest = f[:, 1:].min(axis=1)
    for ours, theirs in ((found.value, lowest), (found.regret, f[:, 0] - lowest)):
        assert stats.ks_2samp(np.round(ours, 6), np.round(theirs, 6)).pvalue > 1e-3


def test_members_of_a_mixture_are_mixed_on_the_scale_of_the_losses():
    mixture = predictive(log_density(StackedSurrogate(["gp", "warped_outcome"]), COLUMNS))
    assert compiled_acquisition(create("acquisition", "log_ei", {}), mixture).predictive is mixture


def test_priors_are_arguments_and_impossible_ones_are_refused():
    with pytest.raises(SpecificationError, match="bend_prior: expected a distribution of positive numbers"):
        WarpedOutcomeGaussianProcess(bend_prior=pm.Normal.dist(0.0, 1.0))
    table = WarpedOutcomeGaussianProcess(bend_prior=pm.LogNormal.dist(1.0, 0.01)).describe(TREE.configspace)
    assert abs(table.loc["bend", "mean"] - np.e) < 0.01


def test_it_is_no_model_for_inducing_points():
    with pytest.raises(SpecificationError, match=r"inherits its conditional .*, got 'warped_outcome'"):
        SparseGaussianProcess(exact=SURROGATE)
