"""The sparse Gaussian process: its bound and predictive against textbook formulas, its choice of inducing points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from surrogate_cases import MIXED, PLANE, density_on, first, matern52, textbook_conditional, training_data, wavy

from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.inducing_bound import inducing_bound, inducing_conditional
from bayeshpo.surrogates.inducing_points import AverageCovariance, greedy_choice, still_good, weights
from bayeshpo.surrogates.low_rank import low_rank_factors, low_rank_log_density
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

COLUMNS = Columns.of(PLANE)
SPARSE = SparseGaussianProcess(inducing=12)


@pytest.fixture(scope="module")
def density():
    return log_density(SPARSE, COLUMNS)


def plausible(density, n, seed, noise=0.05):
    """Prior draws with the noise at least so large: where the bound is not a difference of huge numbers."""
    Q = density.prior_draws(n, np.random.default_rng(seed))
    Q[:, -1] = np.maximum(Q[:, -1], np.log(noise))
    return Q


def titsias(X, y, U, mean, amplitude, lengthscale, noise):
    """The bound by the definition: density of N(m, Q + s^2 I) less the trace term (Titsias 2009, eq. 9)."""
    s2 = noise**2 + NUGGET
    Kuu = matern52(U, U, lengthscale, amplitude) + 1e-10 * amplitude**2 * np.eye(len(U))
    Kuf = matern52(U, X, lengthscale, amplitude)
    Q = Kuf.T @ np.linalg.solve(Kuu, Kuf)
    law = stats.multivariate_normal(np.full(len(X), mean), Q + s2 * np.eye(len(X)), allow_singular=True)
    return law.logpdf(y) - (len(X) * amplitude**2 - np.trace(Q)) / (2.0 * s2)


def titsias_conditional(X, y, U, Z, mean, amplitude, lengthscale, noise):
    """Mean and variance under the best q(u) (Titsias 2009, eq. 6), by inverses."""
    s2 = noise**2 + NUGGET
    Kuu = matern52(U, U, lengthscale, amplitude) + 1e-10 * amplitude**2 * np.eye(len(U))
    Kuf, Kuz = matern52(U, X, lengthscale, amplitude), matern52(U, Z, lengthscale, amplitude)
    Sigma = Kuu + Kuf @ Kuf.T / s2
    change = np.linalg.solve(Kuu, Kuz) - np.linalg.solve(Sigma, Kuz)
    return mean + Kuz.T @ np.linalg.solve(Sigma, Kuf @ (y - mean)) / s2, amplitude**2 - (Kuz * change).sum(axis=0)


def prior_part(density, Q):
    return density.batch(Q, density.no_data)


def one_draw(density, Q, s):
    return {k: v[s] for k, v in density.constrain(Q).items()}


@pytest.mark.parametrize("n", [0, 1, 5, 12])
def test_bound_is_exact_where_the_inducing_points_are_the_trials(density, n):
    data, exact = first(wavy(12), n), density_on(PLANE)
    prepared = SPARSE.prepared(COLUMNS, data)
    assert len(prepared.arrays["inducing"]) == n
    Q = plausible(density, 40, n)
    np.testing.assert_allclose(density.batch(Q, prepared), exact.batch(Q, data), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_bound_is_never_above_the_marginal_likelihood(density, seed):
    rng = np.random.default_rng(seed)
    n, M = int(rng.integers(2, 60)), int(rng.integers(1, 13))
    data = training_data(rng.random((n, 2)), rng.standard_normal(n) * 10.0 ** rng.uniform(-2, 2))
    # Inducing points need not be trials: anywhere, and some of them twice.
    U = np.concatenate([rng.random((M, 2)), data.X[:1], data.X[:1]])
    Q = density.prior_draws(100, rng)
    exact = density_on(PLANE).batch(Q, data)
    # Differences of numbers of this size are known to so many digits.
    rounding = 1e-7 * (np.abs(exact) + n)
    assert (density.batch(Q, replace(data, arrays={"inducing": U})) <= exact + rounding).all()


@pytest.mark.parametrize("n", [3, 30, 80])
def test_bound_is_the_textbooks(density, n):
    data = SPARSE.prepared(COLUMNS, wavy(n))
    Q = plausible(density, 30, n)
    found = density.batch(Q, data) - prior_part(density, Q)
    expected = [titsias(data.X, data.y, data.arrays["inducing"], **one_draw(density, Q, s)) for s in range(30)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("n", [1, 12, 40])
def test_gradient_of_the_density(density, n):
    f = density.value_and_gradient(SPARSE.prepared(COLUMNS, wavy(n)))
    for q in plausible(density, 6, 4):
        _, slope = f(q)
        step = 1e-5 * np.eye(len(q))
        differences = [(f(q + e)[0] - f(q - e)[0]) / 2e-5 for e in step]
        np.testing.assert_allclose(slope, differences, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slope).max()))


def plain_bound(Kuu, Kuf, total, r, s2):
    """The bound in PyTensor's own nodes."""
    n, Q = r.shape[0], Kuf.T @ pt.linalg.solve(Kuu, Kuf)
    C = Q + s2 * pt.eye(n)
    density = -0.5 * (r @ pt.linalg.solve(C, r) + pt.linalg.slogdet(C)[1] + n * np.log(2.0 * np.pi))
    return density - (total - pt.trace(Q)) / (2.0 * s2)


@pytest.mark.parametrize("condition", [1e1, 1e6])
def test_node_and_its_gradient_are_the_plain_expressions(condition):
    rng = np.random.default_rng(0)
    M, n = 5, 14
    rotation = np.linalg.qr(rng.standard_normal((M, M)))[0]
    values = [
        (rotation * np.geomspace(1.0, 1.0 / condition, M)) @ rotation.T,
        rng.standard_normal((M, n)) / np.sqrt(condition), np.asarray(30.0), rng.standard_normal(n), np.asarray(0.3),
    ]  # fmt: skip
    inputs = [pt.dmatrix(), pt.dmatrix(), pt.dscalar(), pt.dvector(), pt.dscalar()]
    results = []
    for bound in (inducing_bound, plain_bound):
        value = bound(*inputs)
        results.append(function(inputs, [value, *grad(value, inputs)], mode=UNCOMPILED)(*values))
    for name, own, plain in zip(["value", "Kuu", "Kuf", "total", "r", "s2"], *results, strict=True):
        # The derivative by a symmetric matrix may be shared between its halves in any way.
        own, plain = (np.asarray(a) + np.asarray(a).T for a in (own, plain)) if name == "Kuu" else (own, plain)
        np.testing.assert_allclose(own, plain, rtol=1e-6, atol=1e-7 * np.abs(plain).max(), err_msg=name)


def test_low_rank_density_and_its_gradient_are_the_plain_expressions():
    rng = np.random.default_rng(1)
    M, n = 4, 11
    A, r, s2 = rng.standard_normal((M, n)), rng.standard_normal(n), 0.2
    law = stats.multivariate_normal(np.zeros(n), A.T @ A + s2 * np.eye(n))
    inputs = [pt.dmatrix(), pt.dvector(), pt.dscalar(), pt.dscalar(), pt.dscalar()]
    point = [A @ A.T, A @ r, np.asarray(r @ r), np.asarray(float(n)), np.asarray(s2)]
    value = low_rank_log_density(*inputs)
    f = function(inputs, value, mode=UNCOMPILED)
    np.testing.assert_allclose(f(*point), law.logpdf(r), rtol=1e-12)
    slopes = function(inputs, grad(value, [inputs[i] for i in (0, 1, 2, 4)]), mode=UNCOMPILED)(*point)
    for k, slope in zip((0, 1, 2, 4), slopes, strict=True):
        direction = rng.standard_normal(point[k].shape)
        direction = direction + direction.T if k == 0 else direction
        ends = [f(*point[:k], point[k] + h * direction, *point[k + 1 :]) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose((slope * direction).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)
    F, w = function([], list(low_rank_factors(*point[:2], point[4])), mode=UNCOMPILED)()
    B = np.eye(M) + A @ A.T / s2
    np.testing.assert_allclose(F.T @ F, np.linalg.inv(B), rtol=1e-10)
    np.testing.assert_allclose(w, np.linalg.solve(B, A @ r) / s2, rtol=1e-10)


def test_what_cannot_be_factorised_has_no_density_and_no_exception():
    bad = -np.eye(3)
    arguments = [np.ones((3, 4)), np.asarray(1.0), np.ones(4), np.asarray(0.1)]
    assert function([], inducing_bound(bad, *arguments), mode=UNCOMPILED)() == -np.inf
    conditional = inducing_conditional(bad, np.ones((3, 4)), np.ones(4), 0.1)
    factor, _, jitter = function([], list(conditional), mode=UNCOMPILED)()
    assert np.isnan(factor).all()
    assert jitter == np.inf


def test_inducing_points_told_twice_do_not_break_the_bound(density):
    data = wavy(30)
    once = SPARSE.prepared(COLUMNS, data)
    twice = replace(data, arrays={"inducing": np.concatenate([once.arrays["inducing"]] * 2)})
    Q = plausible(density, 30, 0)
    found, expected = density.batch(Q, twice), density.batch(Q, once)
    # Two noisy copies tell a little more than one: the jitter is halved.
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert (found >= expected - 1e-7 * np.abs(expected)).all()


@pytest.mark.parametrize("n", [1, 12])
def test_predictive_is_the_exact_ones_where_the_inducing_points_are_the_trials(density, n):
    data, exact = first(wavy(12), n), density_on(PLANE)
    Q, Z = plausible(density, 10, n), np.random.default_rng(n).random((7, 2))
    sparse, plain = predictive(density), predictive(exact)
    mean, variance = sparse(sparse.condition(Q, SPARSE.prepared(COLUMNS, data)), Z)
    expected = plain(plain.condition(Q, data), Z)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-4, atol=1e-6)
    textbook = textbook_conditional(data.X, data.y, Z, **one_draw(density, Q, 0))
    np.testing.assert_allclose(mean[0], textbook[0], rtol=1e-5, atol=1e-5)


def test_predictive_is_the_textbooks_and_knows_believed_points(density):
    data = SPARSE.prepared(COLUMNS, wavy(40))
    more = data.extended(np.array([[0.1, 0.2], [0.7, 0.7]]), np.array([1.5, -2.0]))
    Q, Z = plausible(density, 10, 3), np.random.default_rng(3).random((9, 2))
    p = predictive(density)
    for d in (data, more):
        mean, variance = p(p.condition(Q, d), Z)
        for s in range(10):
            expected = titsias_conditional(d.X, d.y, d.arrays["inducing"], Z, **one_draw(density, Q, s))
            np.testing.assert_allclose(mean[s], expected[0], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(variance[s], expected[1], rtol=1e-4, atol=1e-6)


def conditional_variances(K, chosen):
    """Diagonal of K_ff - K_fu K_uu^-1 K_uf."""
    return np.diag(K) - np.einsum("ij,ij->j", K[chosen], np.linalg.solve(K[np.ix_(chosen, chosen)], K[chosen]))


def brute_force_choice(K, weight, most):
    chosen = []
    for _ in range(most):
        left = weight * conditional_variances(K, chosen)
        left[chosen] = -1.0
        chosen.append(int(np.argmax(left)))
    return chosen, weight @ conditional_variances(K, chosen)


def test_greedy_choice_is_by_conditional_variance_under_the_draws():
    rng = np.random.default_rng(5)
    X, draws = rng.random((40, 2)), density_on(PLANE).constrain(density_on(PLANE).prior_draws(3, rng))
    covariance = AverageCovariance(GaussianProcess(), COLUMNS, draws)
    kernels = [
        matern52(X, X, ell, a) for ell, a in zip(draws["lengthscale"], draws["amplitude"], strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(covariance(X, X), np.mean(kernels, axis=0), rtol=1e-10)
    np.testing.assert_allclose(covariance.variance(X), np.diag(np.mean(kernels, axis=0)))
    for weight in (np.ones(40), weights(rng.standard_normal(40))):
        chosen, left = greedy_choice(covariance, X, weight, 8)
        expected = brute_force_choice(np.mean(kernels, axis=0), weight, 8)
        assert list(chosen) == expected[0]
        np.testing.assert_allclose(left, expected[1], rtol=1e-6)


def test_good_trials_count_more():
    weight = weights(np.array([3.0, -1.0, 0.5, 7.0, 0.5, 9.0, 8.0, 11.0, 12.0, 13.0]))
    np.testing.assert_allclose(weight[[1, 2, 4, 0, 9]], [1.0, 1 / 4, 1 / 9, 1 / 16, 1 / 100])
    assert weights(np.empty(0)).shape == (0,)


def test_trials_told_twice_are_chosen_once():
    X = np.random.default_rng(0).random((10, 2))
    covariance = AverageCovariance(GaussianProcess(), COLUMNS, None)
    chosen, left = greedy_choice(covariance, np.concatenate([X, X]), weights(np.arange(20.0)), 20)
    assert sorted(i % 10 for i in chosen) == list(range(10))
    assert left < 1e-6


def test_inducing_points_are_kept_until_a_fresh_choice_explains_more():
    rng = np.random.default_rng(2)
    X = rng.random((60, 2))
    values = {"mean": 0.0, "amplitude": 1.0, "lengthscale": [0.5, 0.5], "noise": 0.1}
    draws = {k: np.array([v]) for k, v in values.items()}
    data = training_data(X, rng.standard_normal(60))
    before = SPARSE.prepared(COLUMNS, data, draws)
    near = data.extended(np.array([[0.5, 0.5]]), np.zeros(1))
    assert SPARSE.prepared(COLUMNS, near, draws, before).arrays["inducing"] is before.arrays["inducing"]
    # All was learnt in one corner; then the rest of the plane is visited.
    corner = SPARSE.prepared(COLUMNS, replace(data, X=0.2 * X), draws)
    after = SPARSE.prepared(COLUMNS, data, draws, corner)
    assert after.arrays["inducing"] is not corner.arrays["inducing"]
    np.testing.assert_array_equal(after.arrays["inducing"], before.arrays["inducing"])
    covariance = AverageCovariance(GaussianProcess(), COLUMNS, draws)
    weight = weights(data.y)
    _, left = greedy_choice(covariance, X, weight, 12)
    assert still_good(covariance, X, weight, before.arrays["inducing"], left)
    assert not still_good(covariance, X, weight, corner.arrays["inducing"], left)
    assert not still_good(covariance, X, weight, X[:0], left)


def test_unordered_choices_have_inducing_points_too():
    columns, rng = Columns.of(MIXED), np.random.default_rng(0)
    data = training_data(MIXED.sample(30, rng), rng.standard_normal(30))
    sparse, exact = log_density(SparseGaussianProcess(30), columns), density_on(MIXED)
    Q = plausible(exact, 20, 0)
    np.testing.assert_allclose(
        sparse.batch(Q, SparseGaussianProcess(30).prepared(columns, data)), exact.batch(Q, data), rtol=1e-5, atol=1e-3
    )


def test_hyperparameters_and_priors_are_those_of_the_exact_model(density):
    exact = density_on(PLANE)
    assert density.blocks == exact.blocks
    Q = exact.prior_draws(20, np.random.default_rng(0))
    np.testing.assert_allclose(prior_part(density, Q), exact.batch(Q, TrainingData.none(2)), rtol=1e-12)
    with SPARSE.model(COLUMNS, wavy(6).X, wavy(6).y):
        prior = pm.sample_prior_predictive(500, random_seed=0)
    spread = prior["prior_predictive"]["outcome"].std().item()
    # mean ~ N(0, 1) and an amplitude of about one.
    assert 1.0 < spread < 2.5


def test_data_that_were_not_prepared_are_refused(density):
    with pytest.raises(ValueError, match=r"surrogate .sparse.: expected data with .*inducing.*prepared"):
        density.batch(np.zeros((1, density.dimension)), wavy(5))


def test_at_least_one_inducing_point():
    with pytest.raises(ValueError, match="expected inducing >= 1, got 0"):
        SparseGaussianProcess(inducing=0)
