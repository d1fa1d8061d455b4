"""Joint draws of f: against conditionals, and many functions on a grid; what is made of them, and what has none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from functions_on_a_line import COPIES, GRID, KNOWN, LINE, evidence
from scipy import integrate, stats
from scipy.optimize import brentq
from surrogate_cases import PLANE, density_on, wavy
from toy_surrogates import LINE as ON_LINE
from toy_surrogates import Level

from bayeshpo.acquisitions.best_line import lower_by
from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.optimum import given_minimum
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import predictive
from bayeshpo.registry import ACQUISITIONS, create
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.study import Study
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.cubic_map import CubicMap
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt
from bayeshpo.surrogates.warped_outcome import WarpedOutcomeGaussianProcess
from bayeshpo.testing.differences import central_differences


def test_covariances_are_those_of_the_conditional(line, truth):
    draws = line.predictive.condition(line.Q[:2], line.data)
    joint = JointPredictive(line.predictive, noise=True)
    anchored = joint.anchored(draws, np.tile(GRID, (2, 1, 1)))
    np.testing.assert_allclose(anchored.mean[1], truth[0], atol=1e-8)
    np.testing.assert_allclose(anchored.covariance[0], truth[1], atol=1e-8)
    _, _, covariance, noise = joint(anchored, GRID[3:7])
    np.testing.assert_allclose(covariance[1], truth[1][3:7], atol=1e-8)
    np.testing.assert_allclose(noise, KNOWN["noise"] ** 2 + 1e-6)


def test_joint_pullback():
    density = density_on(PLANE)
    joint, rng = JointPredictive(predictive(density), noise=True), np.random.default_rng(0)
    draws = joint.predictive.condition(density.prior_draws(6, rng), wavy(12))
    anchored, Z = joint.anchored(draws, rng.random((6, 3, 2))), rng.random((4, 2))
    slopes = [rng.standard_normal(part[:, :1].shape).repeat(4, axis=1) for part in joint(anchored, Z)]

    def weighed(rows):
        parts = zip(slopes, joint(anchored, rows), strict=True)
        return sum((s[:, :1] * part).reshape(6, len(rows), -1).sum(axis=(0, 2)) for s, part in parts)

    slope, error = central_differences(weighed, Z)
    np.testing.assert_array_less(np.abs(joint.pullback(anchored, Z, *slopes) - slope), 1e-4 * np.abs(slope) + 5 * error)


def test_covariance_of_a_warped_outcome_by_monte_carlo():
    surrogate, columns = WarpedOutcomeGaussianProcess(), Columns.of(LINE)
    density = log_density(surrogate, columns)
    named = {**{name: np.full((1,), KNOWN[name]) for name in ("mean", "amplitude", "noise")},
             "lengthscale": np.full((1, 1), 0.25), "bend": np.full(1, 0.8)}  # fmt: skip
    trials = replace(TrainingData.none(1), X=np.array([[0.2], [0.9]]), y=np.array([0.4, -0.5]), lowest=-0.3)
    data, w = surrogate.prepared(columns, trials), CubicMap(-0.3, 0.8, np)
    predict = predictive(density)
    draws = predict.condition(density.unconstrain({b.name: named[b.name] for b in density.blocks}), data)
    anchored = JointPredictive(predict, noise=False).anchored(draws, GRID[None, ::8])
    # h has the moments of the surrogate without a bend, told h in place of y.
    plain = density_on(LINE)
    told = replace(trials, y=np.array([brentq(lambda h, y=y: w(h) - y, -9, 9) for y in data.y]))
    Q = plain.unconstrain({b.name: named[b.name] for b in plain.blocks})
    of_h = JointPredictive(predictive(plain), noise=False).anchored(
        predictive(plain).condition(Q, told), GRID[None, ::8]
    )
    h = np.random.default_rng(0).multivariate_normal(of_h.mean[0], of_h.covariance[0], size=400_000)
    centred = w(h) - w(h).mean(axis=0)
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(h))
    np.testing.assert_array_less(np.abs(anchored.covariance[0] - products.mean(axis=0)), 5.0 * error)


def test_minima_are_as_frequent_as_those_of_functions_on_the_grid(line, functions):
    draws = line.predictive.condition(line.Q, line.data)
    outlook = Outlook(JointPredictive(line.predictive, noise=False), draws, evidence(line), np.random.default_rng(1))
    found = outlook.minima(64)
    share = np.bincount(functions.argmin(axis=1), minlength=25) / len(functions)
    where = np.rint(found.place.ravel() * 24).astype(int)
    error = np.sqrt(share * (1.0 - share) / len(where))
    np.testing.assert_array_less(np.abs(np.bincount(where, minlength=25) / len(where) - share), 5.0 * error + 1e-3)
    lowest = functions.min(axis=1)
    error = lowest.std() / np.sqrt(found.value.size)
    assert abs(found.value.mean() - lowest.mean()) < 5.0 * error
    np.testing.assert_allclose(found.value, np.diagonal(found.paths, axis1=1, axis2=2))


def test_no_minimum_is_above_what_has_been_seen(line):
    # Far from all trials, as nearly everything is here, f is N(2, 2.5^2): many points may be below -2.9.
    density = line.predictive.density
    values = KNOWN | {"mean": 2.0, "amplitude": 2.5, "lengthscale": 1e-4, "noise": 1e-3}
    Q = density.unconstrain({b.name: np.full((COPIES, *b.shape), values[b.name]) for b in density.blocks})
    data = replace(line.data, y=np.array([0.9, -0.2, 0.3, 1.0, -2.9, -0.1]))
    told = Evidence(data, np.empty((0, 1)), np.empty(0), pool=np.linspace(0.0, 1.0, 600)[:, None])
    outlook = Outlook(
        JointPredictive(line.predictive, noise=False), line.predictive.condition(Q, data), told,
        np.random.default_rng(0),
    )  # fmt: skip
    assert (outlook.may_be_lowest == data.X[4]).all(axis=2).sum(axis=1).tolist() == [1] * COPIES
    # The noise of the trial, and the jitter of joint draws, of 2.5 each.
    assert outlook.minima(8).value.max() < -2.9 + 5.0 * 2.5e-3
    # A trial of the lowest configuration says nothing of how low the function gets.
    compiled = compiled_acquisition(create("acquisition", "max_value_entropy", {}), line.predictive)
    there, elsewhere = compiled.value(compiled.state(Q, told), np.array([data.X[4], [0.3]]))
    assert there < elsewhere


def one(value, ndim=2):
    return pt.as_tensor(np.full((1,) * ndim, value))


@pytest.mark.parametrize("minimum", [-3.0, -0.5, 0.6])
def test_given_its_minimum_a_function_is_cut_off(minimum):
    at = SimpleNamespace(mean=one(0.2), variance=one(0.9), covariance=one(0.4, 3))
    known = SimpleNamespace(minimum=one(minimum), mean_there=one(-0.3), variance_there=one(0.5))
    mean, variance = (v.item() for v in function([], list(given_minimum(at, known)), mode=UNCOMPILED)())
    law = stats.norm(0.2 + 0.4 * (minimum + 0.3) / 0.5, np.sqrt(0.9 - 0.4**2 / 0.5))
    above = law.sf(minimum)
    first = integrate.quad(lambda f: f * law.pdf(f) / above, minimum, 12.0)[0]
    second = integrate.quad(lambda f: (f - first) ** 2 * law.pdf(f) / above, minimum, 12.0)[0]
    np.testing.assert_allclose([mean, variance], [first, second], rtol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_expectation_of_the_lowest_line(seed):
    rng = np.random.default_rng(seed)
    a, b = pt.dtensor3("a"), pt.dtensor3("b")
    found = lower_by(a, b)
    compiled = function([a, b], [found, *grad(pt.sum(found), [a, b])], mode=UNCOMPILED)
    levels, slopes = rng.standard_normal((2, 3, 7)), rng.standard_normal((2, 3, 7))
    # Parallel lines, equal ones, and one that is never lowest.
    slopes[0, 0, :3], levels[0, 1, 1], slopes[0, 1, 1] = slopes[0, 0, 0], levels[0, 1, 0], slopes[0, 1, 0]
    levels[1, 2, 0] = 50.0
    value, by_level, by_slope = compiled(levels, slopes)
    t = np.linspace(-9.0, 9.0, 200_001)
    for s, m in np.ndindex(2, 3):
        lowest = (levels[s, m][:, None] + slopes[s, m][:, None] * t).min(axis=0)
        exact = levels[s, m].min() - integrate.trapezoid(lowest * stats.norm.pdf(t), t)
        np.testing.assert_allclose(value[s, m], exact, atol=1e-7)
    # Equal lines have no derivative apart.
    levels[0, 1, 1] -= 0.3
    levels[0, 0, :3] += [0.0, 0.5, 1.0]
    _, by_level, by_slope = compiled(levels, slopes)
    for index in np.ndindex(levels.shape):
        step = np.zeros_like(levels)
        step[index] = 1e-6
        up, down = compiled(levels + step, slopes)[0], compiled(levels - step, slopes)[0]
        np.testing.assert_allclose(by_level[index], (up - down).sum() / 2e-6, atol=1e-6)
        if index[:2] != (0, 0) or index[2] > 2:
            up, down = compiled(levels, slopes + step)[0], compiled(levels, slopes - step)[0]
            np.testing.assert_allclose(by_slope[index], (up - down).sum() / 2e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, entry in ACQUISITIONS.items() if entry.load().learns_function])
def test_what_learns_the_function_refuses_a_surrogate_that_knows_it(name):
    def line_of(X, y, columns):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            f = pm.Deterministic("f", pm.Normal("slope", 0.0, 1.0) * X[:, 0])
            pm.Normal("outcome", f, pm.HalfNormal("noise", 1.0), observed=y)
        return model

    searcher = BayesianSearcher(Surrogate.from_model(line_of), acquisition=name)
    with pytest.raises(SpecificationError, match=f"'{name}'.*'line_of'"):
        Study(LINE, searcher).check()


@pytest.mark.parametrize("name", ["noisy_ei", "max_value_entropy"])
def test_what_is_drawn_jointly_refuses_a_surrogate_without_covariances_before_anything_runs(name):
    with pytest.raises(SpecificationError, match=f"'{name}'.*'level'.*covariance_with_anchors"):
        Study(LINE, BayesianSearcher(Level(), acquisition=name)).check()


class Determined(Level):
    determined = True


@pytest.mark.parametrize(("surrogate", "missing"), [(Level(), "covariance_with_anchors"), (Determined(), "noise_at")])
def test_a_surrogate_without_covariances_or_noise_is_refused_in_words(surrogate, missing):
    with pytest.raises(SpecificationError, match=f"'bald'.*'level'.*{missing}"):
        compiled_acquisition(create("acquisition", "bald", {}), predictive(log_density(surrogate, ON_LINE)))


@pytest.mark.parametrize("name", ["thompson", "joint_entropy"])
def test_studies_repeat_themselves_and_batches_differ(name):
    def points(n):
        study = Study(LINE, BayesianSearcher(acquisition=name, n_initial=4), seed=3)
        study.optimize(lambda c: (c["x"] - 0.4) ** 2, 6, progress=False)
        return [s.configuration["x"] for s in study.ask(n)]

    batch = points(3)
    assert batch == points(3)
    assert min(abs(a - b) for a in batch for b in batch if a is not b) > 1e-6
