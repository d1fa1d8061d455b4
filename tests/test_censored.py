"""Bounds of losses of which no more is known: from outcome to model, against quadrature, draws and differences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import integrate, stats
from surrogate_cases import OF_THE_TRIALS, PLANE, TREE, matern52

from bayeshpo.inference.density import log_density
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.censored import CensoredGaussianProcess
from bayeshpo.surrogates.censored_likelihood import censored_factors, censored_log_density
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt
from bayeshpo.testing import SurrogateUnderTest
from bayeshpo.testing.trials import history_of
from bayeshpo.trial import Outcome, Status, Suggestion, Trial

COLUMNS, SURROGATE = Columns.of(TREE), CensoredGaussianProcess()
DENSITY = log_density(SURROGATE, COLUMNS)


@dataclass(frozen=True)
class WithBounds(SurrogateUnderTest):
    """The trials of `SurrogateUnderTest`, of which every third but the first ones is censored at its loss."""

    def brought(self, X, unit):
        return {"censored": [i % 3 == 2 for i in range(len(X))]}


@pytest.fixture(scope="module")
def likelihood():
    inputs = pt.dmatrix("K"), pt.dvector("bound"), pt.dvector("r"), pt.dscalar("variance")
    value = censored_log_density(*inputs)
    return function([*inputs], [value, *grad(value, inputs), *censored_factors(*inputs)], mode=UNCOMPILED)


def process(m, n, seed, noise=0.2):
    """Covariance of m + n points, bounds of the first m that are not all kept, outcomes of the others, and s^2."""
    rng = np.random.default_rng(seed)
    X = rng.random((m + n, 2))
    K = matern52(X, X, np.full(2, 0.6), 1.0)
    y = np.linalg.cholesky(K) @ rng.standard_normal(m + n) + noise * rng.standard_normal(m + n)
    return K, y[:m] + 0.3 * rng.standard_normal(m), y[m:], noise**2


def given_the_told(K, bound, r, variance):
    """Mean (m,) and covariance (m, m) of f at the bounds given the outcomes r that are told, and their log density."""
    m, C = len(bound), K[len(bound) :, len(bound) :] + variance * np.eye(len(r))
    W = np.linalg.solve(C, K[m:, :m]).T
    told = stats.multivariate_normal(np.zeros(len(r)), C).logpdf(r) if len(r) else 0.0
    return W @ r, K[:m, :m] - W @ K[m:, :m], told


@pytest.mark.parametrize("n", [0, 1, 5])
def test_one_bound_is_a_probability(likelihood, n):
    K, bound, r, variance = process(1, n, n)
    mean, S, told = given_the_told(K, bound, r, variance)
    expected = told + stats.norm.logcdf((mean[0] - bound[0]) / np.sqrt(S[0, 0] + variance))
    assert likelihood(K, bound, r, variance)[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_two_bounds_are_a_probability_of_two_normals(likelihood, seed):
    K, bound, r, variance = process(2, 4, seed)
    mean, S, told = given_the_told(K, bound, r, variance)
    # Outcomes above the bounds: by quadrature over the first one's.
    C = S + variance * np.eye(2)

    def integrand(y):
        centre, left = mean[1] + C[0, 1] / C[0, 0] * (y - mean[0]), C[1, 1] - C[0, 1] ** 2 / C[0, 0]
        return stats.norm.pdf(y, mean[0], np.sqrt(C[0, 0])) * stats.norm.sf(bound[1], centre, np.sqrt(left))

    inside, _ = integrate.quad(integrand, bound[0], bound[0] + 12.0, epsabs=1e-12)
    assert likelihood(K, bound, r, variance)[0] == pytest.approx(told + np.log(inside), abs=0.01)


def test_many_bounds_by_importance_sampling(likelihood):
    K, bound, r, variance = process(6, 5, 7)
    mean, S, told = given_the_told(K, bound, r, variance)
    f = stats.multivariate_normal(mean, S, allow_singular=True).rvs(200_000, random_state=0)
    weights = stats.norm.cdf((f - bound) / np.sqrt(variance)).prod(axis=1)
    error = weights.std() / weights.mean() / np.sqrt(len(weights))
    value, *_, M, alpha, _ = likelihood(K, bound, r, variance)
    assert abs(value - told - np.log(weights.mean())) < 0.05 + 4.5 * error
    # The mean and variance of f where the bounds are.
    exact = weights @ f / weights.sum()
    spread = np.sqrt(weights @ (f - exact) ** 2 / weights.sum())
    found, left = (K @ alpha)[:6], np.sqrt(np.diag(K - (M @ K).T @ (M @ K))[:6])
    np.testing.assert_allclose(found, exact, atol=0.1 * spread.max())
    np.testing.assert_allclose(left, spread, rtol=0.1)


def test_without_bounds_it_is_the_gaussian_density(likelihood):
    K, bound, r, variance = process(0, 6, 1)
    assert likelihood(K, bound, r, variance)[0] == pytest.approx(gaussian_log_density(K, r, variance).eval(), rel=1e-12)
    assert likelihood(K[:0, :0], bound, r[:0], variance)[0] == 0.0


@pytest.mark.parametrize(("m", "n"), [(4, 5), (3, 0)])
def test_derivatives_of_the_density(likelihood, m, n):
    rng, h = np.random.default_rng(3), 1e-6
    inputs = list(process(m, n, 5))
    slopes = likelihood(*inputs)[1:5]
    for which, slope in enumerate(slopes):
        step = rng.standard_normal(np.shape(slope))
        step = step + step.T if which == 0 else step * (0.1 if which == 3 else 1.0)
        up, down = ([*inputs[:which], inputs[which] + s * h * step, *inputs[which + 1 :]] for s in (1.0, -1.0))
        difference = (likelihood(*up)[0] - likelihood(*down)[0]) / (2.0 * h)
        assert difference == pytest.approx((slope * step).sum(), rel=1e-5, abs=1e-6)


def trials(losses, censored, direction="minimize", seed=3):
    X = TREE.sample(len(losses), np.random.default_rng(seed))
    return history_of(TREE, TREE.decode(X), losses, direction, censored=censored)


def test_an_outcome_keeps_its_bound_on_record_and_refuses_what_is_none():
    outcome = Outcome.censored(60, "time limit", seconds=60.0)
    trial = Trial(Suggestion({"x": 0.5}, 0, "initial"), outcome)
    assert Trial.from_record(trial.to_record()) == trial
    assert (trial.censored, trial.finished, trial.failed, trial.stopped, trial.value) == (True, *[False] * 3, None)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="a censored trial: expected no value and a finite bound, got None and"):
            Outcome.censored(wrong)
    with pytest.raises(ValueError, match=r"expected no value and a finite bound, got 1\.0 and 2\.0"):
        Outcome(1.0, Status.CENSORED, bound=2.0)
    with pytest.raises(ValueError, match=r"expected a bound of censored trials only, got 2\.0 of a finished one"):
        Outcome(1.0, bound=2.0)


def test_records_of_before_have_no_bound():
    trial = Trial(Suggestion({"x": 0.5}, 0, "initial"), Outcome.of(1.0))
    record = trial.to_record()
    del record["bound"]
    assert Trial.from_record(record) == trial


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_bounds_are_standardised_and_their_trials_neither_losses_nor_failures(direction, sign):
    history = trials([3.0, 1.0, 2.0, 8.0, None], [False, False, True, False, False], direction)
    data = SURROGATE.prepared(COLUMNS, TrainingData.of(history))
    np.testing.assert_array_equal(history.bounds, [np.nan, np.nan, 2.0 * sign, np.nan, np.nan])
    np.testing.assert_allclose(data.location + data.scale * data.arrays["bound"], 2.0 * sign)
    np.testing.assert_array_equal(data.arrays["bound_X"], history.X[2:3])
    np.testing.assert_array_equal(data.X, history.X[[0, 1, 3]])
    np.testing.assert_array_equal(data.failed, history.X[4:])


def test_a_censored_trial_is_no_incumbent():
    # As a value its bound would be the best.
    best = trials([3.0, 1.0], [False, True]).incumbent
    assert best is not None
    assert best.value == 3.0
    assert trials([3.0, 1.0], [True, True]).incumbent is None


def test_without_bounds_it_is_gp():
    data, density = TrainingData.of(trials(list(np.arange(9.0)), None)), log_density(GaussianProcess(), COLUMNS)
    Q = DENSITY.prior_draws(5, np.random.default_rng(1))
    found = DENSITY.batch(Q, SURROGATE.prepared(COLUMNS, data))
    np.testing.assert_allclose(found, density.batch(Q, replace(data, arrays={})), rtol=1e-10)


@pytest.mark.parametrize("promise", OF_THE_TRIALS, ids=lambda promise: promise.__name__)
def test_promises_are_kept_with_bounds_too(promise):
    promise(WithBounds(SURROGATE, TREE))


def test_one_bound_leaves_the_moments_of_its_trial():
    X = np.array([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]])
    tested = SurrogateUnderTest(SURROGATE, PLANE)
    Q = tested.density.prior_draws(20, np.random.default_rng(0))
    noise = tested.density.constrain(Q)["noise"]

    def predicted(bound):
        data = TrainingData.of(history_of(PLANE, PLANE.decode(X), [0.0, bound, 1.0], censored=[False, True, False]))
        data = SURROGATE.prepared(tested.columns, data)
        mean, variance = tested.predictive(tested.predictive.condition(Q, data), X[1:2])
        return mean[:, 0], variance[:, 0], data.arrays["bound"]

    # A bound far below says nothing.
    mean, variance, _ = predicted(-1e3)
    for loss in (0.0, 1.0):
        found, left, bound = predicted(loss)
        spread = np.sqrt(variance + noise**2 + NUGGET)
        u = (mean - bound) / spread
        slope = np.exp(stats.norm.logpdf(u) - stats.norm.logcdf(u))
        np.testing.assert_allclose(found, mean + variance / spread * slope, rtol=1e-5, atol=1e-6)
        expected = variance - (variance / spread) ** 2 * slope * (u + slope)
        np.testing.assert_allclose(left, expected, rtol=1e-3, atol=1e-7)
