"""Gradients beside losses: kernels, model and gate against plain numpy, limits, and a study that asks for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from family_oracles import CENTRES, NAMES, along, gp
from scipy import stats
from surrogate_cases import OF_THE_TRIALS, PLANE, TREE, central_differences, left_out_by_hand

from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import FunctionProblem
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.registry import SURROGATES, create
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.study import Study
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.derivative import DerivativeGaussianProcess
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.slope_kernels import KERNELS, slopes
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt
from bayeshpo.testing import SurrogateUnderTest
from bayeshpo.testing import surrogates as promises
from bayeshpo.testing.trials import history_of

COLUMNS = Columns.of(TREE)
SURROGATE = DerivativeGaussianProcess()
X_COLUMN, SHRINK = NAMES.index("x"), NAMES.index("shrink")


def slopes_of_bowl(space, X):
    """Gradients (n) of `bowl` by name, along whatever is active."""
    return [
        {name: 2.0 * (x[j] - 0.3) for j, name in enumerate(space.names) if active[j]}
        for x, active in zip(X, space.active(X), strict=True)
    ]


@dataclass(frozen=True)
class WithGradients(SurrogateUnderTest):
    """The trials of `SurrogateUnderTest` with the gradients of their bowl, in the unit of their losses."""

    def brought(self, X, unit):
        return {"gradients": [{k: unit * v for k, v in g.items()} for g in slopes_of_bowl(self.space, X)]}


TESTED = WithGradients(SURROGATE, TREE)


# Kernels


@pytest.mark.parametrize("kernel", KERNELS)
def test_covariances_of_slopes_are_derivatives_of_the_kernel(kernel):
    rng, h = np.random.default_rng(0), 1e-5
    A, U, B = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    a, u, b, v = pt.dmatrix("a"), pt.dmatrix("u"), pt.dmatrix("b"), pt.dscalar("v")
    found = function([a, u, b, v], [slopes(kernel, v, a, u), slopes(kernel, v, a, u, b)], mode=UNCOMPILED)
    own, cross = found(A, U, B, 1.7)
    k = stationary(kernel, v, a, b)
    by_a = function([a, b, v], grad(k.sum(), a), mode=UNCOMPILED)

    def slope(i, y):
        """Covariance of slope i with f at y, by PyTensor's gradient of the kernel."""
        return (by_a(A[[i]], y[None], 1.7) @ U[i])[0]

    np.testing.assert_allclose(cross, [[slope(i, y) for y in B] for i in range(4)], rtol=1e-10, atol=1e-12)
    pairs = [[(slope(i, A[j] + h * U[j]) - slope(i, A[j] - h * U[j])) / (2.0 * h) for j in range(4)] for i in range(4)]
    # On the diagonal a Matern-3/2's slopes change as |h|.
    np.testing.assert_allclose(own, pairs, rtol=1e-3 if kernel == "matern32" else 1e-6, atol=1e-8)
    np.testing.assert_array_equal(own, own.T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_of_covariances_of_slopes(kernel):
    rng = np.random.default_rng(1)
    values = [rng.standard_normal(shape) for shape in ((4, 3), (4, 3), (5, 3))]
    # Slopes of one trial are at one point.
    values[0][1] = values[0][0]
    weights = rng.standard_normal((4, 4)), rng.standard_normal((4, 5))
    a, u, b, v = pt.dmatrix("a"), pt.dmatrix("u"), pt.dmatrix("b"), pt.dscalar("v")
    weighed = pt.sum(weights[0] * slopes(kernel, v, a, u)) + pt.sum(weights[1] * slopes(kernel, v, a, u, b))
    f = function([a, u, b, v], [weighed, *grad(weighed, [a, u, b, v])], mode=UNCOMPILED)
    value, *found, by_variance = f(*values, 1.7)
    np.testing.assert_allclose(by_variance, value / 1.7, rtol=1e-12)
    for i in range(3):

        def along_one(x, i=i):
            return f(*values[:i], x, *values[i + 1 :], 1.7)[0]

        if i == 0:
            # Points of one trial move together.
            found[0][0], found[0][1] = found[0][0] + found[0][1], 0.0
            expected = central_differences(lambda x: along_one(x[[0, 0, 2, 3]]), values[0])
        else:
            expected = central_differences(along_one, values[i])
        np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-6)


# The model against plain numpy


def coordinates(X, p):
    """The kernel's coordinates (n, E) of X (n, D)."""
    return np.hstack([along(name, X[:, j]) / p["lengthscale"][j] for j, name in enumerate(NAMES)])


def joint(data, p):
    """Residuals and covariance of slopes and losses, slope by slope."""
    told = [(i, j) for i, j in np.ndindex(data.slopes.shape) if np.isfinite(data.slopes[i, j])]
    X = np.concatenate([data.X[[i for i, _ in told]], data.X])
    W = np.zeros_like(coordinates(X, p))
    for row, (i, j) in enumerate(told):
        step = 1e-5 * np.eye(len(NAMES))[j]
        W[row] = (coordinates((data.X[i] + step)[None], p) - coordinates((data.X[i] - step)[None], p))[0] / 2e-5
    of_f = np.arange(len(X)) >= len(told)
    K = covariance(coordinates(X, p), W, of_f, coordinates(X, p), W, of_f, p["amplitude"])
    noise = np.where(of_f, p["noise"], p["slope_noise"])
    y = np.concatenate([[data.slopes[i, j] for i, j in told], data.y - p["mean"]])
    return X, W, of_f, y, K + np.diag(noise**2 + NUGGET)


def covariance(U, W, of_f, U2, W2, of_f2, amplitude):
    """Matern-5/2 between values (of_f) and slopes along W at U."""
    d = U[:, None, :] - U2[None, :, :]
    s = np.sqrt(5.0 * (d**2).sum(axis=2))
    left, right, inner = np.einsum("ic,ijc->ij", W, d), np.einsum("jc,ijc->ij", W2, d), W @ W2.T
    first, second = 5.0 / 3.0 * (1.0 + s) * np.exp(-s), 25.0 / 3.0 * np.exp(-s)
    both = first * inner - second * left * right
    f, f2 = of_f[:, None], of_f2[None, :]
    k = np.where(f & f2, (1.0 + s + s**2 / 3.0) * np.exp(-s), both)
    k = np.where(f & ~f2, first * right, np.where(~f & f2, -first * left, k))
    return amplitude**2 * k


def dicts(Q):
    values = TESTED.density.constrain(Q)
    return [{name: v[s] for name, v in values.items()} for s in range(len(Q))]


def log_priors(Q):
    """Log densities of the prior at points Q (n, Q)."""
    return TESTED.density.batch(Q, TESTED.density.no_data)


def test_slopes_are_told_along_active_floats_alone():
    data = TESTED.data(12)
    told = np.isfinite(data.slopes)
    assert told[:, X_COLUMN].all()
    np.testing.assert_array_equal(told[:, SHRINK], data.X[:, SHRINK] >= 0.0)
    assert 0 < told[:, SHRINK].sum() < 12
    others = [j for j in range(len(NAMES)) if j not in (X_COLUMN, SHRINK)]
    assert not told[:, others].any()
    assert len(data.arrays["slopes"]) == told.sum()


def test_coordinates_change_as_differences_say():
    X, lengthscale = TREE.sample(20, np.random.default_rng(3)), np.linspace(0.5, 1.5, len(NAMES))
    x, direction = pt.dmatrix("x"), pt.dmatrix("direction")
    found = function([x, direction], COLUMNS.scaled_slopes(x, direction, lengthscale), mode=UNCOMPILED)
    scaled = function([x], COLUMNS.scaled(x, lengthscale), mode=UNCOMPILED)
    for j in (X_COLUMN, SHRINK):
        step = np.zeros_like(X)
        step[:, j] = 1e-6
        expected = (scaled(X + step) - scaled(X - step)) / 2e-6
        np.testing.assert_allclose(found(X, 1e6 * step), expected, atol=1e-8)
    rule = np.zeros_like(X)
    rule[:, NAMES.index("rule")] = 1.0
    assert np.isclose(X[:, NAMES.index("rule"), None], CENTRES).any()
    assert not found(X, rule).any()


def test_density_is_that_of_slopes_and_losses_together():
    data, draws = TESTED.data(12), TESTED.draws[:6]
    likelihood = TESTED.density.batch(draws, data) - log_priors(draws)
    for p, found in zip(dicts(draws), likelihood, strict=True):
        *_, residual, K = joint(data, p)
        np.testing.assert_allclose(found, stats.multivariate_normal(cov=K).logpdf(residual), rtol=1e-6)


def test_predictive_is_the_textbooks():
    data, Z = TESTED.data(12), TESTED.candidates
    mean, variance = TESTED.predictive(TESTED.conditioned(data), Z)
    for p, m, v in zip(dicts(TESTED.draws), mean, variance, strict=True):
        X, W, of_f, residual, K = joint(data, p)
        at = coordinates(Z, p)
        k = covariance(at, np.zeros_like(at), np.full(len(Z), True), coordinates(X, p), W, of_f, p["amplitude"])
        np.testing.assert_allclose(m, p["mean"] + k @ np.linalg.solve(K, residual), rtol=1e-5, atol=1e-5)
        expected = p["amplitude"] ** 2 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        np.testing.assert_allclose(v, expected, rtol=1e-4, atol=1e-6 * p["amplitude"] ** 2)


def test_left_out_are_losses_alone():
    data, draws = TESTED.data(12), TESTED.draws[:6]
    found = TESTED.predictive.left_out(draws, data)
    for p, values in zip(dicts(draws), found, strict=True):
        *_, residual, K = joint(data, p)
        np.testing.assert_allclose(values, left_out_by_hand(residual, K, 12), rtol=1e-4, atol=1e-4)


def without(data):
    """The data without slopes."""
    return SURROGATE.prepared(COLUMNS, replace(data, slopes=None))


def test_without_slopes_it_is_gp():
    data, draws = without(TESTED.data(12)), TESTED.draws[:6]
    likelihood = TESTED.density.batch(draws, data) - log_priors(draws)
    for p, found in zip(dicts(draws), likelihood, strict=True):
        K = gp(data.X, data.X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(12)
        np.testing.assert_allclose(found, stats.multivariate_normal(cov=K).logpdf(data.y - p["mean"]), rtol=1e-7)


def test_slopes_that_are_nothing_but_noise_say_nothing():
    data = TESTED.data(12)
    values = TESTED.density.constrain(TESTED.draws)
    Q = TESTED.density.unconstrain(values | {"slope_noise": np.full(len(TESTED.draws), 1e7)})
    found = TESTED.predictive(TESTED.predictive.condition(Q, data), TESTED.candidates)
    expected = TESTED.predictive(TESTED.predictive.condition(Q, without(data)), TESTED.candidates)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_exact_slopes_tell_where_a_line_goes_on():
    # With one trial of a line a process knows its level there; with its slope, how it goes on.
    data = TrainingData(np.array([[0.5, 0.5]]), np.zeros(1), 0.0, 1.0, np.empty((0, 2)), slopes=np.array([[1.0, -2.0]]))
    columns = Columns.of(PLANE)
    p = {"mean": 0.0, "amplitude": 1.0, "lengthscale": np.full(2, 50.0), "noise": 1e-6, "slope_noise": 1e-6}
    named = SURROGATE.prepared(columns, data).named()
    symbols = {name: pt.as_tensor(array) for name, array in named.items()}
    p = {name: pt.as_tensor(v) for name, v in (p | {"amplitude": 200.0}).items()}
    Z = np.array([[0.6, 0.5], [0.5, 0.6], [0.7, 0.7]])
    state = SURROGATE.condition(columns, p, symbols)
    mean = function([], SURROGATE.predict(columns, p, state, symbols, pt.as_tensor(Z))[0], mode=UNCOMPILED)()
    np.testing.assert_allclose(mean, [0.1, -0.2, -0.2], atol=2e-3)


@pytest.mark.parametrize(
    "promise",
    [promises.prior_where_nothing_has_finished, *OF_THE_TRIALS],
    ids=lambda promise: promise.__name__,
)
def test_promises_are_kept_with_gradients_too(promise):
    promise(TESTED)


# What a trial's gradient becomes


def told(losses, gradients, direction="minimize"):
    rows = [{"x": i / 10, "z": 0.5} for i in range(len(losses))]
    return TrainingData.of(history_of(PLANE, rows, losses, direction, gradients))


def test_slopes_are_in_units_of_the_standardised_loss():
    losses, gradients = [1.0, 4.0, None, 2.0], [{"x": 3.0, "z": -1.0}, None, {"x": 1.0}, {"z": 2.0}]
    data = told(losses, gradients)
    expected = np.array([[3.0, -1.0], [np.nan, np.nan], [np.nan, 2.0]]) / np.std([1.0, 4.0, 2.0])
    np.testing.assert_allclose(data.slopes, expected)
    np.testing.assert_allclose(told(losses, gradients, "maximize").slopes, -expected)
    more = data.extended(np.full((2, 2), 0.9), np.zeros(2))
    np.testing.assert_array_equal(more.slopes, np.concatenate([data.slopes, np.full((2, 2), np.nan)]))
    prepared = SURROGATE.prepared(Columns.of(PLANE), data)
    assert prepared.log_unit == pytest.approx((3 + 3) * np.log(data.scale))


def test_slopes_of_capped_losses_and_what_is_no_number_are_not_told():
    losses = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1e6]
    data = told(losses, [{"x": 1.0, "z": float("nan")}, {"x": float("inf")}, *[{"x": 1.0}] * 5])
    np.testing.assert_array_equal(np.isfinite(data.slopes[:, 0]), [True, False, True, True, True, True, False])
    assert not np.isfinite(data.slopes[:, 1]).any()
    assert told(losses, [None] * 7).slopes is None
    assert told(losses, [{"z": float("nan")}] * 7).slopes is None


def test_simulated_slopes_and_losses_are_those_of_the_model():
    data, rng, simulations = TESTED.data(12), np.random.default_rng(0), 200
    truths, outcomes = simulated(TESTED.density, data, simulations, rng)
    squares = []
    for p, outcome in zip(dicts(truths), outcomes, strict=True):
        np.testing.assert_array_equal(np.isfinite(outcome.slopes), np.isfinite(data.slopes))
        *_, residual, K = joint(outcome, p)
        squares.append(residual @ np.linalg.solve(K, residual))
    N = 12 + np.isfinite(data.slopes).sum()
    # Chi-square with N degrees of freedom.
    assert abs(np.mean(squares) - N) < 4.5 * np.sqrt(2.0 * N / simulations)


# In a study


@pytest.mark.slow
def test_a_study_asks_for_gradients_and_uses_them():
    problem = LogisticBreastCancer()
    study = Study(problem.space, BayesianSearcher(surrogate="derivative", n_initial=4), seed=0)
    study.optimize(problem, budget=6, progress=False)
    assert all(t.suggestion.needs_gradient and t.outcome.gradient for t in study.history.trials)
    assert list(study.inference["slopes"]) == [12, 15]
    assert not study.inference["gate_shut"].any()
    assert set(study.inference["status"]) == {"ok"}
    # Without them the same searcher goes on as `gp` would.
    blind = FunctionProblem(lambda c: sum(np.log(v) ** 2 for v in c.values()), problem.space, "minimize")
    other = Study(problem.space, BayesianSearcher(surrogate=SURROGATE, n_initial=4), seed=0)
    other.optimize(blind.objective, budget=5, progress=False)
    assert isinstance(other.history, History)
    assert list(other.inference["slopes"]) == [0]
    assert not other.inference["gate_shut"].any()


def test_searchers_ask_where_a_surrogate_uses_gradients():
    def asks(**parts):
        study = Study(PLANE, BayesianSearcher(**parts))
        return study.ask().needs_gradient

    assert not asks()
    assert asks(surrogate="derivative")
    assert asks(beyond={"trials": 5, "surrogate": "derivative"})


@pytest.mark.parametrize("name", SURROGATES)
def test_the_registry_knows_who_uses_gradients(name):
    assert SURROGATES[name].uses_gradients == SURROGATES[name].load().uses_gradients


def test_what_it_is_not_for_is_refused():
    with pytest.raises(SpecificationError, match=r"expected a kernel with slopes, \['rbf', .*\], got 'matern12'; use"):
        create("surrogate", "derivative", {"kernel": "matern12"})
    with pytest.raises(SpecificationError, match=r"slope_noise_prior: expected a PyMC distribution, .* got 0.1"):
        create("surrogate", "derivative", {"slope_noise_prior": 0.1})
    with pytest.raises(SpecificationError, match="got 'derivative', which has its own; use it without 'sparse'"):
        SparseGaussianProcess(exact=SURROGATE)
