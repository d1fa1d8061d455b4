"""Heavy-tailed noise: the mixture that stands for it, its likelihood against sums over all components, outliers."""

from __future__ import annotations

import itertools

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp
from surrogate_cases import PLANE, matern52

from bayeshpo.errors import SpecificationError
from bayeshpo.registry import create
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.mixture_likelihood import equivalent_variances, mixture_log_density
from bayeshpo.surrogates.student_t import StudentTProcess, student_t_mixture
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt
from bayeshpo.testing.trials import history_of

COLUMNS = Columns.of(PLANE)
# Two good variances and one for outliers: few enough for the sum over all that n trials can have.
VARIANCES, LOG_WEIGHTS = np.array([0.01, 0.04, 4.0]), np.log([0.6, 0.3, 0.1])


@pytest.fixture(scope="module")
def likelihood():
    inputs = pt.dmatrix("K"), pt.dvector("r"), pt.dvector("variances"), pt.dvector("log_weights")
    value = mixture_log_density(*inputs)
    return function([*inputs], [value, *grad(value, inputs), equivalent_variances(*inputs)], mode=UNCOMPILED)


@pytest.fixture(scope="module")
def mixture():
    noise, nu = pt.dscalar("noise"), pt.dscalar("nu")
    return function([noise, nu], [*student_t_mixture(noise, nu)], mode=UNCOMPILED)


def process(n, rng, lengthscale=0.6):
    """Points, their covariance, and outcomes of the mixture with one far off."""
    X = rng.random((n, 2))
    K = matern52(X, X, np.full(2, lengthscale), 1.0)
    r = np.linalg.cholesky(K) @ rng.standard_normal(n) + 0.15 * rng.standard_normal(n)
    r[0] += 2.5
    return X, K, r


def by_all_components(K, r):
    """Log density of r, and for every assignment of components to trials its variances (3^n, n) and log share."""
    chosen = np.array(list(itertools.product(range(3), repeat=len(r))))
    terms = [
        stats.multivariate_normal(np.zeros(len(r)), K + np.diag(VARIANCES[k])).logpdf(r) + LOG_WEIGHTS[k].sum()
        for k in chosen
    ]
    return logsumexp(terms), VARIANCES[chosen], np.array(terms) - logsumexp(terms)


@pytest.mark.parametrize("nu", [1.0, 1.5, 3.0, 10.0, 60.0])
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_mixture_is_students_t(mixture, nu, noise):
    variances, log_weights = mixture(noise, nu)
    y = noise * np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
    found = logsumexp(log_weights + stats.norm.logpdf(y[:, None], 0.0, np.sqrt(variances - NUGGET)), axis=1)
    np.testing.assert_allclose(found, stats.t.logpdf(y, nu, 0.0, noise), atol=1e-3)


@pytest.mark.parametrize("n", [1, 3])
def test_density_of_independent_trials_is_exact(likelihood, n):
    r, prior = np.array([0.3, -2.0, 1.2])[:n], np.array([1.0, 0.2, 0.01])[:n]

    def integrand(f, i):
        site = np.exp(LOG_WEIGHTS) @ stats.norm.pdf(r[i], f, np.sqrt(VARIANCES))
        return site * stats.norm.pdf(f, 0.0, np.sqrt(prior[i]))

    expected = [
        np.log(integrate.quad(integrand, -6.0, 6.0, args=(i,), points=[0.0, r[i]], limit=200)[0]) for i in range(n)
    ]
    assert likelihood(np.diag(prior), r, VARIANCES, LOG_WEIGHTS)[0] == pytest.approx(sum(expected), abs=1e-6)


def test_one_component_is_the_gaussian_density(likelihood):
    _, K, r = process(6, np.random.default_rng(0))
    expected = gaussian_log_density(K, r, 0.04).eval()
    assert likelihood(K, r, np.array([0.04]), np.zeros(1))[0] == pytest.approx(expected, rel=1e-10)
    equal = likelihood(K, r, np.full(3, 0.04), LOG_WEIGHTS)
    assert equal[0] == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(equal[-1], 0.04, rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_density_and_conditional_are_nearly_those_of_all_components(likelihood, seed):
    rng = np.random.default_rng(seed)
    X, K, r = process(6, rng)
    k = matern52(rng.random((5, 2)), X, np.full(2, 0.6), 1.0)
    expected, variances, log_share = by_all_components(K, r)
    found = likelihood(K, r, VARIANCES, LOG_WEIGHTS)
    assert abs(found[0] - expected) < 0.1
    means = np.array([k @ np.linalg.solve(K + np.diag(c), r) for c in variances])
    exact, spread = np.exp(log_share) @ means, np.sqrt(1.0 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T)))
    mean = k @ np.linalg.solve(K + np.diag(found[-1]), r)
    # In standard deviations of f given its own values, of which trials far off have moved the plain process many.
    assert (np.abs(mean - exact) < 0.5 * np.maximum(spread, 0.2)).all()
    assert found[-1][0] > 10.0 * np.median(found[-1])


@pytest.mark.parametrize("seed", [4, 6])
def test_each_trial_left_out_is_a_ratio_of_densities(likelihood, mixture, seed):
    X, _, y = process(9, np.random.default_rng(seed))
    p = {"mean": 0.1, "amplitude": 1.0, "lengthscale": np.full(2, 0.6), "noise": 0.15, "nu": 3.0}
    surrogate, symbolic = StudentTProcess(), {name: pt.as_tensor(value) for name, value in p.items()}
    data = {"X": pt.as_tensor(X), "y": pt.as_tensor(y)}
    state = surrogate.condition(COLUMNS, symbolic, data)
    found = function([], surrogate.leave_one_out(COLUMNS, symbolic, state, data), mode=UNCOMPILED)()
    K, r, noise = matern52(X, X, p["lengthscale"], 1.0), y - 0.1, mixture(p["noise"], p["nu"])

    def without(i):
        return likelihood(np.delete(np.delete(K, i, 0), i, 1), np.delete(r, i), *noise)[0]

    # Where only the one outlier is far off, whatever is left out, variances of the others hardly change.
    expected = likelihood(K, r, *noise)[0] - np.array([without(i) for i in range(9)])
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_derivatives_of_the_density(likelihood):
    rng, h = np.random.default_rng(3), 1e-6
    _, K, r = process(8, rng)
    inputs = [K, r, VARIANCES, LOG_WEIGHTS]
    slopes = likelihood(*inputs)[1:5]
    for which, slope in enumerate(slopes):
        for _ in range(4):
            step = rng.standard_normal(slope.shape)
            # A covariance stays symmetric; variances stay positive.
            step = step + step.T if which == 0 else step * (VARIANCES if which == 2 else 1.0)
            up, down = ([*inputs[:which], inputs[which] + s * h * step, *inputs[which + 1 :]] for s in (1.0, -1.0))
            difference = (likelihood(*up)[0] - likelihood(*down)[0]) / (2.0 * h)
            assert difference == pytest.approx((slope * step).sum(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("n", "lengthscale", "seed"), [(20, 0.6, 23), (20, 1.5, 0), (20, 1.5, 39), (30, 1.5, 34)])
def test_variances_match_and_slopes_are_right_where_trials_contradict_the_hyperparameters(
    likelihood, mixture, n, lengthscale, seed
):
    # Outcomes that know nothing of each other, under a smooth function with little noise.
    rng, h = np.random.default_rng(seed), 1e-6
    X = rng.random((n, 2))
    K, r, noise = matern52(X, X, np.full(2, lengthscale), 1.0), rng.standard_normal(n), mixture(0.01, 8.0)
    _, by_K, by_r, *_, c = likelihood(K, r, *noise)
    R = np.linalg.inv(K + np.diag(c))
    t, rho = 1.0 / np.diag(R)[:, None] - c[:, None] + noise[0], (R @ r / np.diag(R))[:, None]
    log_p = noise[1] + stats.norm.logpdf(rho, 0.0, np.sqrt(t))
    p = np.exp(log_p - logsumexp(log_p, axis=1, keepdims=True))
    np.testing.assert_allclose((p / t).sum(axis=1), np.diag(R), rtol=1e-5)
    up, down = (likelihood(K * (1.0 - s * h), r * (1.0 + s * h), *noise)[0] for s in (1.0, -1.0))
    assert (up - down) / (2.0 * h) == pytest.approx((by_r * r).sum() - (by_K * K).sum(), rel=1e-4)


def test_no_trials_have_no_density(likelihood):
    value, by_K, by_r, by_variances, _, c = likelihood(np.empty((0, 0)), np.empty(0), VARIANCES, LOG_WEIGHTS)
    assert (value, by_K.shape, by_r.shape, c.shape) == (0.0, (0, 0), (0,), (0,))
    np.testing.assert_array_equal(by_variances, 0.0)


def test_a_covariance_that_is_none_has_no_density(likelihood):
    K = np.array([[1.0, 3.0], [3.0, 1.0]])
    assert likelihood(K, np.zeros(2), VARIANCES[:1], np.zeros(1))[0] == -np.inf


def test_outcomes_are_students():
    n, draws = 4, 1500
    X = np.random.default_rng(0).random((n, 2))
    with StudentTProcess().model(COLUMNS, X, np.zeros(n)) as model:
        p = {"mean": 0.5, "amplitude": 1e-3, "lengthscale": np.ones(2), "noise": 0.8, "nu": 3.0}
        y = pm.draw(pm.do(model, p)["outcome"], draws=draws, random_seed=0, mode=UNCOMPILED)
    assert stats.kstest(((y - 0.5) / 0.8).ravel(), stats.t(3.0).cdf).pvalue > 1e-3
    # Each trial has an error of its own.
    assert np.abs(np.corrcoef(np.sign(y - 0.5).T) - np.eye(n)).max() < 4.5 / np.sqrt(draws)


def told(losses, surrogate=None):
    rows = [{"x": i / 100.0, "z": 0.5} for i in range(len(losses))]
    return TrainingData.of(history_of(PLANE, rows, list(losses)), surrogate)


@pytest.mark.parametrize("off", [-1e9, -40.0, 40.0, 1e9])
def test_outliers_are_told_and_do_not_set_the_scale(off):
    usual = np.random.default_rng(0).normal(3.0, 2.0, 20)
    data, plain = told([*usual, off], StudentTProcess()), told(usual)
    back = data.location + data.scale * data.y
    np.testing.assert_allclose(back[:20], usual, rtol=1e-12)
    assert 0.8 < data.scale / plain.scale < 1.4
    low, median, high = np.quantile([*usual, off], [0.1, 0.5, 0.75])
    reach = 30.0 * max(median - low, high - median)
    np.testing.assert_allclose(back[20], np.clip(off, median - reach, median + reach), rtol=1e-12)


def test_without_outliers_the_two_kinds_of_data_are_the_same():
    usual = np.random.default_rng(1).uniform(0.0, 1.0, 20)
    np.testing.assert_array_equal(told(usual, StudentTProcess()).y, told(usual).y)


def test_the_search_tells_it_outliers():
    assert StudentTProcess.expects_outliers
    assert not create("surrogate", "gp", {}).expects_outliers


def test_what_is_no_prior_of_nu_is_refused():
    with pytest.raises(SpecificationError, match="nu_prior: expected a distribution of positive numbers"):
        StudentTProcess(nu_prior=pm.Normal.dist())
