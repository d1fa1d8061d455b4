"""The problems: known optima, equality with scikit-learn's own answer, gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bayeshpo.problem import Differentiable, capabilities
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.problems.mlp_iris import MLPIris
from bayeshpo.problems.softmax_digits import SoftmaxDigits
from bayeshpo.problems.svc_digits import SVCDigits
from bayeshpo.problems.synthetic import Ackley, Branin, Hartmann3, Hartmann6, Levy, Rosenbrock
from bayeshpo.testing import check_problem

FUNCTIONS = [Branin(), Hartmann3(), Hartmann6(), Levy(), Ackley(), Rosenbrock()]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("problem", [SVCDigits(discrete=True), MLPIris(discrete=True, epochs=10)])
def test_grids_keep_the_promises_of_problems(problem):
    check_problem(problem)


@pytest.mark.parametrize("problem", FUNCTIONS)
def test_known_optimum_is_attained_and_is_stationary(problem):
    for x in problem.minimisers:
        assert problem.evaluate(dict(zip(problem.bounds, x, strict=True)), rng=rng()).value == pytest.approx(
            problem.optimum, abs=1e-5
        )
        found = minimize(problem.function, x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
        assert found.fun == pytest.approx(problem.optimum, abs=1e-11)


@pytest.mark.parametrize("problem", FUNCTIONS)
def test_nothing_is_below_the_optimum(problem):
    configurations = problem.space.decode(rng().random((2000, problem.space.dimension)))
    assert min(problem.evaluate(c, rng=rng()).value for c in configurations) > problem.optimum


@pytest.mark.parametrize(
    "configuration", [{"kernel": "rbf", "C": 10.0, "gamma": 5e-4}, {"kernel": "linear", "C": 3e-3}]
)
def test_svc_equals_scikit_learn(configuration):
    pixels, labels = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(SVC(**configuration), pixels, labels, cv=folds)
    outcome = SVCDigits().evaluate(configuration, rng=rng())
    np.testing.assert_allclose(outcome.info["fold_accuracies"], expected, atol=1e-12)
    assert outcome.value == pytest.approx(expected.mean(), abs=1e-12)


def test_svc_spaces():
    continuous, discrete = SVCDigits().space, SVCDigits(discrete=True).space
    kernels = {c["kernel"]: set(c) for c in continuous.decode(continuous.sample(20, rng()))}
    assert kernels == {"rbf": {"kernel", "C", "gamma"}, "linear": {"kernel", "C"}}
    assert len(discrete.grid()) == 800
    assert SVCDigits().name != SVCDigits(discrete=True).name


def test_svc_optimum_of_the_grid_is_attained():
    problem = SVCDigits(discrete=True)
    values = np.geomspace(1e-4, 1e4, 20).tolist()
    best = {"kernel": "rbf", "C": values[11], "gamma": values[1]}
    assert best in problem.space.decode(problem.space.grid())
    assert problem.evaluate(best, rng=rng()).value == pytest.approx(problem.optimum, abs=1e-12)


def test_mlp_learns_three_classes_and_depends_on_its_stream_alone():
    problem = MLPIris()
    good = {"learning_rate": 0.1, "batch_size": 32}
    outcome = problem.evaluate(good, rng=rng(0))
    assert outcome == problem.evaluate(good, rng=rng(0))
    assert outcome.value != problem.evaluate(good, rng=rng(1)).value
    # Chance is log 3 = 1.10 and 1/3; two of three species at best give 2/3.
    assert outcome.value < 0.3
    assert outcome.info["accuracy"] > 0.9
    idle = problem.evaluate({"learning_rate": 1e-4, "batch_size": 120}, rng=rng(0))
    assert idle.value > 0.6
    assert outcome.work == 5 * 50


def test_mlp_grid():
    assert len(MLPIris(discrete=True).space.grid()) == 30


def test_logistic_regression_equals_scikit_learn_for_one_penalty():
    inputs, labels = load_breast_cancer(return_X_y=True)
    a, b, labels_a, labels_b = train_test_split(inputs, labels, test_size=0.5, stratify=labels, random_state=0)
    scaler = StandardScaler().fit(a)
    # scikit-learn sums losses and penalises |w|^2 / (2 C).
    model = LogisticRegression(C=1 / (0.02 * len(a)), tol=1e-12, solver="newton-cholesky", max_iter=1000)
    margins = model.fit(scaler.transform(a), labels_a).decision_function(scaler.transform(b))
    expected = np.logaddexp(0, -(2 * labels_b - 1) * margins).mean()
    penalties = dict.fromkeys(LogisticBreastCancer().space.names, 0.02)
    assert LogisticBreastCancer().evaluate(penalties, rng=rng()).value == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("problem", "seed"), [*((LogisticBreastCancer(), s) for s in range(5)), (SoftmaxDigits(), 0)])
def test_hypergradient_equals_finite_differences(problem, seed):
    assert isinstance(problem, Differentiable)
    assert capabilities(problem).gradient
    dimension, h = problem.space.dimension, 1e-4
    x = rng(seed).uniform(0.05, 0.95, dimension)

    def value(point):
        return problem.evaluate(problem.space.decode(point)[0], rng=rng()).value

    outcome = problem.evaluate_with_gradient(problem.space.decode(x)[0], rng=rng())
    assert outcome.value == value(x)
    expected = [(value(x + h * e) - value(x - h * e)) / (2 * h) for e in np.eye(dimension)]
    # Central differences err by about h^2 f''' and by rounding / h.
    np.testing.assert_allclose([outcome.gradient[n] for n in problem.space.names], expected, rtol=1e-5, atol=1e-7)


def test_softmax_regression_equals_scikit_learn_for_one_penalty():
    inputs, labels = load_digits(return_X_y=True)
    a, b, labels_a, labels_b = train_test_split(inputs / 16.0, labels, test_size=0.5, stratify=labels, random_state=0)
    model = LogisticRegression(C=1 / (0.002 * len(a)), tol=1e-9, max_iter=5000).fit(a, labels_a)
    expected = -model.predict_log_proba(b)[np.arange(len(b)), labels_b].mean()
    penalties = dict.fromkeys(SoftmaxDigits().space.names, 0.002)
    # The other's solver stops earlier.
    assert SoftmaxDigits().evaluate(penalties, rng=rng()).value == pytest.approx(expected, rel=1e-6)


def with_gradient(problem):
    """The value and its gradient as functions of a point of the unit cube."""

    def loss(x):
        outcome = problem.evaluate_with_gradient(problem.space.decode(x)[0], rng=rng())
        return outcome.value, np.array([outcome.gradient[n] for n in problem.space.names])

    return loss


def test_hypergradient_optimum():
    problem = LogisticBreastCancer()
    loss = with_gradient(problem)
    starts = rng(0).random((12, 3))
    options = {"ftol": 1e-15, "gtol": 1e-9}
    found = [minimize(loss, x, jac=True, bounds=[(0, 1)] * 3, method="L-BFGS-B", options=options).fun for x in starts]
    assert min(found) == pytest.approx(problem.optimum, abs=1e-12)
    # More than one valley, so that restarts matter.
    assert max(found) > problem.optimum + 0.01


def test_softmax_optimum():
    problem = SoftmaxDigits()
    options = {"ftol": 1e-12, "maxfun": 25}
    found = minimize(
        with_gradient(problem), np.full(10, 0.3), jac=True, bounds=[(0, 1)] * 10, method="L-BFGS-B", options=options
    )
    assert found.fun == pytest.approx(problem.optimum, abs=1e-8)


def test_no_gradient_where_there_is_none():
    assert not any(capabilities(p).gradient for p in (*FUNCTIONS, SVCDigits(), MLPIris()))
