"""Surrogates: nodes against other implementations, gradients against differences, invariances of the model."""

from __future__ import annotations

import numba
import numpy as np
import pymc as pm
import pytest
from scipy import stats
from surrogate_cases import (
    AMPLITUDE,
    LENGTHSCALE,
    MIXED,
    NOISE,
    PLANE,
    central_differences,
    density_on,
    first,
    lognormal_law,
    matern52,
    textbook_conditional,
    wavy,
)

from bayeshpo.inference.predictive import predictive
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.fast_exp import exp_negative
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.linear_algebra import JITTERS
from bayeshpo.surrogates.marginal_likelihood import (
    conditional_factors,
    gaussian_log_density,
)
from bayeshpo.surrogates.priors import lengthscale_prior
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt
from bayeshpo.testing.trials import history_of


def random_covariance(n, rng, noise=0.1):
    X = rng.random((n, 3))
    return matern52(X, X, np.exp(rng.normal(0.0, 1.0, 3)), np.exp(rng.normal(0.0, 0.5))) + noise**2 * np.eye(n)


@pytest.fixture(scope="module")
def likelihood():
    """Value and derivatives of the marginal likelihood node, compiled as the engines do."""
    K, r = pt.dmatrix("K"), pt.dvector("r")
    value = gaussian_log_density(K, r)
    return function([K, r], [value, *grad(value, [K, r])], mode="NUMBA")


@pytest.fixture(scope="module")
def pymc_likelihood():
    K, r = pt.dmatrix("K"), pt.dvector("r")
    return function([K, r], pm.logp(pm.MvNormal.dist(pt.zeros_like(r), cov=K), r), mode=UNCOMPILED)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_marginal_likelihood_is_pymcs(n, likelihood, pymc_likelihood):
    rng = np.random.default_rng(n)
    for _ in range(5):
        K, r = random_covariance(n, rng), rng.standard_normal(n)
        value = likelihood(K, r)[0]
        np.testing.assert_allclose(value, pymc_likelihood(K, r), rtol=1e-10)
        np.testing.assert_allclose(value, stats.multivariate_normal(cov=K).logpdf(r), rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_marginal_likelihood_gradient(n, likelihood):
    rng = np.random.default_rng(n)
    for _ in range(5):
        K, r = random_covariance(n, rng, noise=0.5), rng.standard_normal(n)

        def symmetric(A, r=r):
            return float(likelihood((A + A.T) / 2.0, r)[0])

        def residual(b, K=K):
            return float(likelihood(K, b)[0])

        _, dK, dr = likelihood(K, r)
        np.testing.assert_allclose(dK, central_differences(symmetric, K), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(dr, central_differences(residual, r), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_a_noise_variance_is_one_on_the_diagonal(n, varies):
    rng = np.random.default_rng(n)
    K, r, v = pt.dmatrix("K"), pt.dvector("r"), pt.dvector("v") if varies else pt.dscalar("v")
    value = gaussian_log_density(K, r, v)
    compiled = function([K, r, v], [value, *grad(value, [K, r, v])], mode=UNCOMPILED)
    outside = gaussian_log_density(K + v * pt.eye(n), r)
    expected = function([K, r, v], [outside, *grad(outside, [K, r, v])], mode=UNCOMPILED)
    arguments = random_covariance(n, rng), rng.standard_normal(n), rng.random(n if varies else ())
    for a, b in zip(compiled(*arguments), expected(*arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    M, alpha, jitter = function([K, r, v], conditional_factors(K, r, v), mode=UNCOMPILED)(*arguments)
    C = arguments[0] + np.diag(np.broadcast_to(arguments[2], n))
    np.testing.assert_allclose(M @ C @ M.T, np.eye(n), atol=1e-10)
    np.testing.assert_allclose(C @ alpha, arguments[1], atol=1e-10)
    assert jitter == 0.0


def test_marginal_likelihood_of_no_data_is_one(likelihood):
    assert likelihood(np.empty((0, 0)), np.empty(0))[0] == 0.0


@pytest.mark.parametrize("noise", [1e-3, 1e-5, 0.0])
def test_marginal_likelihood_with_duplicate_rows_and_hardly_any_noise(noise, likelihood):
    # Every row twice, outcomes that differ by what the noise allows: the model's own nugget must be enough.
    rng = np.random.default_rng(3)
    X = np.repeat(rng.random((8, 2)), 2, axis=0)
    variance = noise**2 + NUGGET
    K = matern52(X, X, np.array([1.0, 3.0]), 1.0) + variance * np.eye(16)
    r = np.repeat(rng.standard_normal(8), 2) + np.sqrt(variance) * rng.standard_normal(16)
    values, vectors = np.linalg.eigh(K)
    parts = (vectors.T @ r) ** 2 / values
    expected = -0.5 * (parts.sum() + np.log(values).sum() + 16 * np.log(2.0 * np.pi))
    value, dK, dr = likelihood(K, r)
    # The condition number, 16 / 1e-6, times rounding error.
    np.testing.assert_allclose(value, expected, rtol=1e-7)
    assert np.isfinite(dK).all()
    assert np.isfinite(dr).all()


def test_a_singular_covariance_gets_the_smallest_jitter_that_works(likelihood):
    # Rank one up to rounding: the plain factorisation fails or has no digits left.
    rng = np.random.default_rng(1)
    v = rng.random(12) + 0.5
    K, r = np.outer(v, v), v * 0.3
    M, alpha, jitter = function([], conditional_factors(pt.as_tensor(K), pt.as_tensor(r)), mode=UNCOMPILED)()
    scale = np.trace(K) / 12
    assert np.isclose(jitter / scale, JITTERS, rtol=1e-6, atol=1e-14).any()
    assert 0.0 < jitter <= 1e-8 * scale
    jittered = K + jitter * np.eye(12)
    np.testing.assert_allclose(M @ jittered @ M.T, np.eye(12), atol=1e-4)
    np.testing.assert_allclose(jittered @ alpha, r, atol=1e-6)
    assert np.isfinite(likelihood(K, r)[0])


@pytest.mark.parametrize(
    "K",
    [-np.eye(3), np.diag([1.0, 1.0, -1.0]), np.full((3, 3), np.nan), np.diag([1.0, np.inf, 1.0])],
    ids=["negative", "indefinite", "nan", "infinite"],
)
def test_what_cannot_be_factorised_is_impossible_not_an_error(K, likelihood):
    assert likelihood(K, np.ones(3))[0] == -np.inf


def test_vectorised_exponential():
    s = np.concatenate([[0.0, 1e-300, 1e-12, 700.0, 1e4], np.random.default_rng(0).uniform(0.0, 700.0, 20_000)])
    out = np.empty(len(s))
    # It has no wrapper of its own that Python could call.
    called = numba.njit(lambda s, bits, out: exp_negative(s, len(s), bits, out))
    called(s, np.empty(len(s), np.int64), out)
    np.testing.assert_allclose(out, np.exp(-np.minimum(s, 700.0)), rtol=1e-15)


def written_out(q, X, y):
    """Joint log density of the model on the plane at unconstrained q (5,), with the Jacobians of the logarithms."""
    mean, (amplitude, *lengthscale), noise = q[0], np.exp(q[1:4]), np.exp(q[4])
    prior = stats.norm(0.0, 1.0).logpdf(mean)
    prior += AMPLITUDE.logpdf(amplitude) + q[1]
    prior += LENGTHSCALE.logpdf(lengthscale).sum() + q[2] + q[3]
    prior += NOISE.logpdf(noise) + q[4]
    if len(y) == 0:
        return prior
    K = matern52(X, X, np.array(lengthscale), amplitude) + (noise**2 + NUGGET) * np.eye(len(y))
    return prior + stats.multivariate_normal(np.full(len(y), mean), K).logpdf(y)


@pytest.mark.parametrize("dimension", [1, 2, 20])
def test_lengthscales_grow_with_the_dimension(dimension):
    # Hvarfner, Hellsten and Nardi (2024): the median is exp(sqrt(2)) sqrt(d).
    law = lognormal_law(lengthscale_prior(dimension))
    np.testing.assert_allclose(law.median(), np.exp(np.sqrt(2.0)) * np.sqrt(dimension))
    np.testing.assert_allclose(np.log(law.ppf(stats.norm.cdf(1.0)) / law.median()), np.sqrt(3.0))


@pytest.mark.parametrize("n", [0, 1, 12])
def test_density_is_the_model_written_out_with_jacobians(n):
    density, data = density_on(PLANE), first(wavy(12), n)
    Q = density.prior_draws(30, np.random.default_rng(n))
    expected = [written_out(q, data.X, data.y) for q in Q]
    np.testing.assert_allclose(density.batch(Q, data), expected, rtol=1e-8)


def test_density_is_pymcs_own():
    density, data = density_on(PLANE), wavy(9)
    model = GaussianProcess().model(Columns.of(PLANE), data.X, data.y)
    logp = model.compile_logp(mode="FAST_COMPILE")
    for q in density.prior_draws(5, np.random.default_rng(2)):
        point = {b.value_name: q[b.start : b.stop].reshape(b.shape) for b in density.blocks}
        np.testing.assert_allclose(density.batch(q[None], data)[0], logp(point), rtol=1e-10)


@pytest.mark.parametrize("n", [0, 1, 12])
def test_density_gradient(n):
    density, data = density_on(PLANE), first(wavy(12), n)
    f = density.value_and_gradient(data)
    for q in density.prior_draws(8, np.random.default_rng(4)):
        value, slope = f(q)
        np.testing.assert_allclose(value, density.batch(q[None], data)[0], rtol=1e-10)
        differences = central_differences(lambda p: f(p)[0], q, 1e-5)
        np.testing.assert_allclose(slope, differences, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slope).max()))


@pytest.mark.parametrize("n", [1, 2, 15])
def test_conditional_is_the_textbooks(n):
    density, data = density_on(PLANE), first(wavy(15), n)
    rng = np.random.default_rng(n)
    Q, Z = density.prior_draws(10, rng), np.concatenate([rng.random((6, 2)), data.X[:1]])
    p = predictive(density)
    mean, variance = p(p.condition(Q, data), Z)
    values = density.constrain(Q)
    for s in range(10):
        expected = textbook_conditional(data.X, data.y, Z, **{k: v[s] for k, v in values.items()})
        # Variances are differences of amplitude^2, through a matrix of condition number up to n amplitude^2 / NUGGET.
        scale = values["amplitude"][s] ** 2
        np.testing.assert_allclose(mean[s], expected[0], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(variance[s], expected[1], rtol=1e-6, atol=1e-9 * n * scale)


def test_predictive_reverts_to_the_prior_far_from_data():
    density, data = density_on(PLANE), wavy(5)
    values = {"mean": 0.7, "amplitude": 1.5, "lengthscale": [1e-3, 1e-3], "noise": 0.1}
    Q = density.unconstrain({k: np.array([v]) for k, v in values.items()})
    p = predictive(density)
    mean, variance = p(p.condition(Q, data), np.array([[0.5, 2.0]]))
    np.testing.assert_allclose((mean.item(), variance.item()), (0.7, 1.5**2), rtol=1e-12)


def mixed_covariance(space, X, lengthscale):
    columns = Columns.of(space)
    covariance = GaussianProcess().covariance(
        columns, {"amplitude": pt.as_tensor(1.3), "lengthscale": pt.as_tensor(lengthscale)}, pt.as_tensor(X)
    )
    return function([], covariance, mode=UNCOMPILED)()


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 5.0, 1.0]], ids=["even", "uneven"])
def test_unordered_choices_are_exchangeable(weights):
    from ConfigSpace import Categorical, ConfigurationSpace

    configspace = ConfigurationSpace()
    configspace.add(Categorical("kernel", ["rbf", "linear", "poly", "sigmoid"], weights=weights))
    space = as_space(configspace)
    X = space.encode([{"kernel": k} for k in ("rbf", "linear", "poly", "sigmoid")])
    K = mixed_covariance(space, X, np.array([0.8]))
    np.testing.assert_array_equal(np.diag(K), 1.3**2)
    between = K[~np.eye(4, dtype=bool)]
    np.testing.assert_allclose(between, matern52(np.zeros((1, 2)), np.ones((1, 2)), 0.8, 1.3).item(), rtol=1e-12)


def test_renaming_choices_does_not_change_the_covariance():
    rng = np.random.default_rng(0)
    kernels_ = ["rbf", "linear", "poly", "sigmoid"]
    renamed = dict(zip(kernels_, ["poly", "sigmoid", "linear", "rbf"], strict=True))
    rows = [{"x": rng.random(), "kernel": str(rng.choice(kernels_)), "flag": bool(rng.random() < 0.5)}
            for _ in range(12)]  # fmt: skip
    other = [row | {"kernel": renamed[row["kernel"]]} for row in rows]
    lengthscale = np.array([0.5, 0.9, 2.0])
    K = mixed_covariance(MIXED, MIXED.encode(rows), lengthscale)
    np.testing.assert_allclose(K, mixed_covariance(MIXED, MIXED.encode(other), lengthscale), rtol=1e-12)
    swapped = [row | {"flag": not row["flag"]} for row in rows]
    np.testing.assert_allclose(K, mixed_covariance(MIXED, MIXED.encode(swapped), lengthscale), rtol=1e-12)


def test_standardised_outcomes():
    rng = np.random.default_rng(0)
    rows = [{"x": float(x), "z": 0.5} for x in rng.random(9)]
    losses = [*rng.normal(7.0, 3.0, 8), None]
    data = TrainingData.of(history_of(PLANE, rows, losses))
    assert (len(data.X), len(data.y), len(data.failed)) == (8, 8, 1)
    np.testing.assert_allclose((data.y.mean(), data.y.std()), (0.0, 1.0), atol=1e-14)
    np.testing.assert_allclose(data.location + data.scale * data.y, losses[:8])
    np.testing.assert_array_equal(data.failed, PLANE.encode(rows[8:]))
    turned = TrainingData.of(history_of(PLANE, rows, losses, "maximize"))
    np.testing.assert_allclose(turned.y, -data.y)


@pytest.mark.parametrize("factor", [1e-300, 1e-20, 1e-6, 1.0, 1e6, 1e200, 1e300])
def test_standardised_outcomes_do_not_depend_on_the_unit(factor):
    rows = [{"x": x, "z": 0.5} for x in (0.1, 0.2, 0.3, 0.4)]
    losses = np.array([0.3, 0.5, 0.1, 1.2])
    data = TrainingData.of(history_of(PLANE, rows, list(factor * losses)))
    np.testing.assert_allclose(data.y, (losses - losses.mean()) / losses.std(), rtol=1e-10)
    np.testing.assert_allclose(data.location + data.scale * data.y, factor * losses, rtol=1e-10)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e-300, 1e300])
@pytest.mark.parametrize("n", [1, 3, 7])
def test_constant_outcomes_have_the_scale_of_their_own_size(value, n):
    rows = [{"x": x, "z": 0.5} for x in np.linspace(0.0, 1.0, n)]
    data = TrainingData.of(history_of(PLANE, rows, [value] * n))
    np.testing.assert_allclose(data.y, 0.0, atol=1e-12)
    assert data.scale == (abs(value) or 1.0)
    np.testing.assert_allclose(data.location, value, rtol=1e-12)


def test_no_finished_trial():
    for values in ([], [None, None]):
        data = TrainingData.of(history_of(PLANE, [{"x": 0.1, "z": 0.2}] * len(values), values))
        assert data.X.shape == (0, 2)
        assert data.y.shape == (0,)
        assert data.failed.shape == (len(values), 2)


def test_prior_predictive():
    # By total variance an outcome has 1 + E[amplitude^2] + E[noise^2] + NUGGET, and the mean's prior is centred.
    data = wavy(3)
    draws = 4000
    with GaussianProcess().model(Columns.of(PLANE), data.X, data.y):
        tree = pm.sample_prior_predictive(draws, random_seed=1)
    assert set(tree["prior"].data_vars) == {"mean", "amplitude", "lengthscale", "noise"}
    assert list(tree["prior"]["lengthscale"].coords["hyperparameter"].values) == ["x", "z"]
    outcome = tree["prior_predictive"]["outcome"].to_numpy().reshape(draws, 3)
    variance = 1.0 + AMPLITUDE.moment(2) + NOISE.moment(2) + NUGGET
    means, spreads = outcome.mean(axis=0), (outcome**2).mean(axis=0)
    assert (np.abs(means) < 5.0 * np.sqrt(variance / draws)).all()
    errors = (outcome**2).std(axis=0) / np.sqrt(draws)
    assert (np.abs(spreads - variance) < 5.0 * errors).all()
    # Neighbours are close together: the latent function is shared.
    assert np.corrcoef(outcome.T)[0, 1] > 0.5


def losses_of(values):
    return TrainingData.of(history_of(PLANE, [{"x": 0.1, "z": i / 100} for i in range(len(values))], values))


def test_one_huge_loss_does_not_set_the_scale():
    values = np.random.default_rng(0).normal(3.0, 2.0, 20)
    plain = losses_of(values.tolist())
    np.testing.assert_allclose(plain.location + plain.scale * plain.y, values)
    for huge in (1e3, 1e9, 1e300):
        with_huge = losses_of([*values, huge])
        back = with_huge.location + with_huge.scale * with_huge.y
        np.testing.assert_allclose(back[:20], values, rtol=1e-9)
        low, median, high = np.quantile([*values, huge], [0.1, 0.5, 0.75])
        np.testing.assert_allclose(back[20], median + 3.0 * max(median - low, high - median))
        assert 1.0 < with_huge.scale / plain.scale < 1.5


def test_a_very_good_loss_is_kept_as_it_is():
    values = [*np.random.default_rng(0).normal(3.0, 2.0, 20), -1e4]
    data = losses_of(values)
    np.testing.assert_allclose(data.location + data.scale * data.y, values, rtol=1e-9)


def test_losses_on_a_plateau_keep_their_differences():
    # Half of them equal, or equal but for rounding error: no scale to go by.
    for values in ([1.0, 1.0, 1.0, 1.0, 2.0], [1.0, 1.0 + 1e-15, 1.0 - 1e-15, 1.0, 2.0]):
        data = losses_of(values)
        np.testing.assert_allclose(data.location + data.scale * data.y, values, rtol=1e-12)
