"""Learning curves: the model against plain numpy, its limits, what stopped trials do elsewhere, and calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from family_oracles import gp
from scipy import stats
from surrogate_cases import OF_THE_TRIALS, TREE, density_on, left_out_by_hand

from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.history import History
from bayeshpo.inference.density import log_density
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.space import as_space
from bayeshpo.study import Study
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.curves import POINTS, Curve
from bayeshpo.surrogates.feasibility import statuses
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.learning_curve import LearningCurveGaussianProcess
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pt
from bayeshpo.testing import SurrogateUnderTest
from bayeshpo.testing.trials import bowl, history_of
from bayeshpo.trial import Outcome, Suggestion, Trial

COLUMNS = Columns.of(TREE)
SURROGATE = LearningCurveGaussianProcess()
FIDELITIES = np.array([0.1, 0.2, 0.35, 0.5, 0.75])


def rises(i, size=1.0):
    """Of the i-th trial: a whole curve, none, one stopped at a half, or one stopped at its first point."""
    rise = 0.3 * size * (1 + i % 3) * (FIDELITIES**-0.4 - 1.0) + 0.02 * size * np.cos(7.0 * i + FIDELITIES * 20)
    points = list(zip(FIDELITIES.tolist(), rise.tolist(), strict=True))
    return [[*points, (1.0, 0.0)], [], points[:4], points[:1]][i % 4]


@dataclass(frozen=True)
class WithCurves(SurrogateUnderTest):
    """Of whose trials a quarter each has a whole curve, none, one up to a half, and one of one point."""

    def brought(self, X, unit):
        return {"curves": [rises(i, unit) for i in range(len(X))]}


TESTED = WithCurves(SURROGATE, TREE)


def phi(t, p):
    return (t ** -p["rate"] - 1.0) / p["rate"]


def stretches(curve, p):
    """Of each stretch of a curve, one by one: how much of c is in its fall, what is kept, and the variance about it."""
    t, y = curve.fidelity, curve.y
    ends = [*t[1:], *([1.0] if t[-1] < 1.0 else [])]
    found, slopes, r = [], [], []
    for k, (a, b) in enumerate(zip(t, ends, strict=False)):
        step, share = phi(a, p) - phi(b, p), p["persistence"] if k else 0.0
        pace = (p["memory"] * p["wander"] ** 2 + sum(r)) / (p["memory"] + k) * (p["finish"] ** 2 if b == 1.0 else 1.0)
        kept = share * slopes[-1] if k else 0.0
        found.append(((1.0 - share) * step, kept * step, step**2 * pace + NUGGET))
        if k + 1 < len(y):
            slopes.append((y[k] - y[k + 1]) / step)
            r.append((slopes[-1] - kept) ** 2)
    return found


def seen(data, p):
    """Points, loadings of f and of c, residuals and variances of all that is told: stretches, stopped and finished."""
    rows = []
    for curve in (c.thinned for c in data.curves):
        y = curve.y
        for k, (own, kept, variance) in enumerate(stretches(curve, p)):
            if k + 1 < len(y):
                rows.append((curve.x, 0.0, own, y[k] - y[k + 1] - kept, variance))
            else:
                rows.append((curve.x, 1.0, own, y[k] - kept, variance + p["noise"] ** 2 + NUGGET))
    rows += [(x, 1.0, 0.0, y, p["noise"] ** 2 + NUGGET) for x, y in zip(data.X, data.y, strict=True)]
    return [np.array(column) for column in zip(*rows, strict=True)]


def joint(data, p):
    """Residual, covariance, points and loading of f of all that is told, as it stands: one row for every stretch."""
    X, of_f, of_c, told, variance = seen(data, p)
    share = p["amplitude"] ** 2 * np.outer(of_f, of_f) + p["spread"] ** 2 * np.outer(of_c, of_c)
    K = gp(X, X, p | {"amplitude": 1.0}) * share + np.diag(variance)
    return told - p["mean"] * of_f - p["drop"] * of_c, K, X, of_f


def dicts(density, Q):
    values = density.constrain(Q)
    return [{name: v[s] for name, v in values.items()} for s in range(len(Q))]


def test_density_is_that_of_final_losses_and_curves_together():
    data = TESTED.data(12)
    assert sum(curve.stopped for curve in data.curves) == 6
    none = TESTED.density.batch(TESTED.draws, TESTED.density.no_data)
    found = TESTED.density.batch(TESTED.draws, data) - none
    for p, likelihood in zip(dicts(TESTED.density, TESTED.draws), found, strict=True):
        residual, K, *_ = joint(data, p)
        expected = stats.multivariate_normal(np.zeros(len(K)), K).logpdf(residual)
        np.testing.assert_allclose(likelihood, expected, rtol=1e-6)


def test_predictive_is_the_textbooks():
    data, Z = TESTED.data(12), TREE.sample(5, np.random.default_rng(8))
    mean, variance = TESTED.predictive(TESTED.conditioned(data), Z)
    for p, m, v in zip(dicts(TESTED.density, TESTED.draws), mean, variance, strict=True):
        residual, K, X, of_f = joint(data, p)
        k = gp(Z, X, p) * of_f
        np.testing.assert_allclose(m, p["mean"] + k @ np.linalg.solve(K, residual), rtol=1e-5, atol=1e-5)
        expected = p["amplitude"] ** 2 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        np.testing.assert_allclose(v, expected, rtol=1e-4, atol=1e-6 * p["amplitude"] ** 2)


def finals(data, p):
    """Mean and variance of the stopped trials' final losses."""
    variables = {name: pt.tensor(name, dtype="float64", shape=np.shape(v)) for name, v in p.items()}
    symbols = TESTED.density.data_variables()
    state = SURROGATE.condition(COLUMNS, variables, symbols)
    outputs = SURROGATE.finals(COLUMNS, variables, state, symbols)
    inputs = [*variables.values(), *symbols.values()]
    return function(inputs, outputs, mode=UNCOMPILED, on_unused_input="ignore")(*p.values(), *data.named().values())


def test_left_out_are_final_losses_alone():
    data, draws = TESTED.data(12), TESTED.draws[:6]
    found = TESTED.predictive.left_out(draws, data)
    for p, values in zip(dicts(TESTED.density, draws), found, strict=True):
        residual, K, *_ = joint(data, p)
        np.testing.assert_allclose(values, left_out_by_hand(residual, K, 6), rtol=1e-5, atol=1e-6)


def test_final_losses_of_stopped_trials():
    data = TESTED.data(12)
    Z = np.array([curve.x for curve in data.curves if curve.stopped])
    for p in dicts(TESTED.density, TESTED.draws[:4]):
        residual, K, X, of_f = joint(data, p)
        noise = p["noise"] ** 2 + NUGGET
        # The only rows of a stopped trial that f is in.
        own = (Z[:, None, :] == X[None, :, :]).all(axis=2) * of_f
        k = gp(Z, X, p) * of_f + noise * own
        mean, variance = finals(data, p)
        np.testing.assert_allclose(mean, p["mean"] + k @ np.linalg.solve(K, residual), rtol=1e-5, atol=1e-5)
        expected = p["amplitude"] ** 2 + noise - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        np.testing.assert_allclose(variance, expected, rtol=1e-4, atol=1e-6 * p["amplitude"] ** 2)


def test_without_curves_the_likelihood_is_that_of_gp():
    X = TREE.sample(9, np.random.default_rng(3))
    plain = TrainingData.of(History(TREE, "minimize", tuple(
        Trial(Suggestion(c, i, "random"), Outcome.of(float(i % 5))) for i, c in enumerate(TREE.decode(X))
    )))  # fmt: skip
    data, exact = SURROGATE.prepared(COLUMNS, plain), density_on(TREE)
    assert data.log_unit == plain.log_unit
    values = TESTED.density.constrain(TESTED.draws)
    Q = exact.unconstrain({b.name: values[b.name] for b in exact.blocks})
    expected = exact.batch(Q, plain) - exact.batch(Q, exact.no_data)
    found = TESTED.density.batch(TESTED.draws, data) - TESTED.density.batch(TESTED.draws, TESTED.density.no_data)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("promise", OF_THE_TRIALS, ids=lambda promise: promise.__name__)
def test_promises_are_kept_with_curves_too(promise):
    promise(TESTED)


def told(value, at=None, shift=0.0):
    """Trials on a line, and one at 0.5 that finished with this value, or was stopped after a share of its training."""
    rng, T = np.random.default_rng(1), np.array([0.1, 0.2, 0.5])
    X = np.append(rng.random(5), 0.5)
    outcomes = [Outcome(float(x), curve=tuple(zip(T, x + 0.5 * (T**-0.5 - 1.0), strict=True))) for x in X[:5]]
    curve = value + 0.5 * (T**-0.5 - 1.0)
    outcomes.append(
        Outcome(value) if at is None else Outcome.stopped(zip(T[at >= T], curve[at >= T] + shift, strict=True))
    )
    space = as_space({"x": (0.0, 1.0)})
    trials = [Trial(Suggestion({"x": x}, i, "random"), o) for i, (x, o) in enumerate(zip(X, outcomes, strict=True))]
    return TrainingData.of(History(space, "minimize", tuple(trials)))


LINE = log_density(SURROGATE, Columns.of(as_space({"x": (0.0, 1.0)})))
# A lengthscale at which other trials say little of f there.
P = {
    "mean": 0.0, "amplitude": 1.0, "lengthscale": np.full(1, 0.03), "noise": 0.05, "rate": 0.5, "drop": 0.3,
    "spread": 0.2, "persistence": 0.5, "wander": 1.0, "memory": 1.0, "finish": 1.3,
}  # fmt: skip


def at_half(data):
    """Mean and variance of f at 0.5, in units of the loss."""
    given = SURROGATE.prepared(LINE.columns, data)
    p = {name: pt.as_tensor(np.asarray(v, dtype=float)) for name, v in P.items()}
    symbols = LINE.data_variables()
    state = SURROGATE.condition(LINE.columns, p, symbols)
    moments = SURROGATE.predict(LINE.columns, p, state, symbols, pt.as_tensor(np.array([[0.5]])))
    compute = function([*symbols.values()], moments, mode=UNCOMPILED, on_unused_input="ignore")
    mean, variance = compute(*given.named().values())
    return data.location + data.scale * mean[0], data.scale**2 * variance[0]


def test_the_more_a_trial_was_trained_the_more_is_known_of_its_end():
    variances = [at_half(told(0.5, at))[1] for at in (0.1, 0.2, 0.5, None)]
    assert variances == sorted(variances, reverse=True)
    assert variances[-1] < 0.5 * variances[-2]


def test_a_stopped_trial_that_is_worse_moves_the_end_up():
    means = [at_half(told(0.5, 0.5, shift))[0] for shift in (-0.3, 0.0, 0.3)]
    assert means == sorted(means)
    assert means[2] - means[0] > 0.1


def test_a_maximum_is_a_minimum_turned():
    X = TREE.sample(8, np.random.default_rng(4))
    values, curves = bowl(X, np.random.default_rng(5)).tolist(), map(rises, range(8))
    losses = history_of(TREE, TREE.decode(X), values, curves=curves)
    turned = [
        replace(
            t.outcome, value=None if t.value is None else -t.value, curve=tuple((s, -v) for s, v in t.outcome.curve)
        )
        for t in losses.trials
    ]
    trials = tuple(replace(t, outcome=o) for t, o in zip(losses.trials, turned, strict=True))
    data, other = TrainingData.of(losses), TrainingData.of(History(TREE, "maximize", trials))
    np.testing.assert_allclose(other.y, data.y, rtol=1e-12)
    for curve, turned_one in zip(data.curves, other.curves, strict=True):
        np.testing.assert_allclose(turned_one.y, curve.y, rtol=1e-12)


def told_by(*outcomes, surrogate=None):
    space = as_space({"x": (0.0, 1.0)})
    trials = [Trial(Suggestion({"x": 0.1 + 0.1 * i}, i, "random"), o) for i, o in enumerate(outcomes)]
    return TrainingData.of(History(space, "minimize", tuple(trials)), surrogate)


def test_curves_are_thinned_back_from_their_ends():
    T = np.arange(1, 101) / 100
    whole = Curve(np.array([0.3]), T, 1.0 / T).thinned
    np.testing.assert_array_equal(whole.fidelity, [0.16, 0.24, 0.34, 0.49, 0.7, 1.0])
    np.testing.assert_array_equal(whole.y, 1.0 / whole.fidelity)
    half = Curve(np.array([0.3]), T[:50], 1.0 / T[:50]).thinned
    assert len(half.y) == POINTS
    assert half.fidelity[-1] == 0.5
    few = Curve(np.array([0.3]), np.array([0.2, 0.5]), np.array([2.0, 1.0]))
    np.testing.assert_array_equal(few.thinned.fidelity, few.fidelity)


def test_losses_at_the_cap_are_no_points_of_a_curve():
    finished = [Outcome(float(v), curve=((0.25, 1e6), (0.5, v + 0.5))) for v in range(5)]
    diverged = Outcome(1e9, curve=((0.5, 3.0),))
    stopped = [Outcome.stopped([(0.2, 2.0), (0.4, 1e6)]), Outcome.stopped([(0.2, 1e6), (0.4, 2.0)])]
    curves = told_by(*finished, diverged, *stopped).curves
    assert [curve.fidelity.tolist() for curve in curves] == [[0.5, 1.0]] * 5 + [[0.4]] * 2
    assert curves[-2].y > curves[-1].y


def test_before_two_trials_finish_the_last_losses_of_stopped_ones_set_the_scale():
    data = told_by(*(Outcome.stopped([(0.2, 9.0), (0.5, v)]) for v in (1.0, 2.0, 3.0)))
    np.testing.assert_allclose((data.location, data.scale), (2.0, np.std([1.0, 2.0, 3.0])))
    # 9 is above the cap of those.
    np.testing.assert_allclose([c.y for c in data.curves], (np.array([[1.0], [2.0], [3.0]]) - 2.0) / data.scale)
    assert len(data.y) == len(data.failed) == 0


def test_stopped_trainings_count_for_the_scale_of_the_surrogate_that_foresees_them():
    ends = [0.0, 100.0, *np.linspace(0.0, 1.0, 7)]
    outcomes = [*map(Outcome, ends[:2]), *(Outcome.stopped([(0.1, float(v))]) for v in ends[2:])]
    data, of_gp = (told_by(*outcomes, surrogate=s) for s in (LearningCurveGaussianProcess(), GaussianProcess()))
    # All ends but one lie within the unit interval, so that a loss of 100 is as far off as a loss can be.
    low, median, high = np.quantile(ends, [0.1, 0.5, 0.75])
    highest = median + 3.0 * max(median - low, high - median)
    known = np.minimum(ends, highest)
    np.testing.assert_allclose((data.location, data.scale), (known.mean(), known.std()))
    np.testing.assert_allclose(data.location + data.scale * data.y, [0.0, highest])
    assert (of_gp.location, of_gp.scale) == (50.0, 50.0)


def test_for_other_surrogates_a_stopped_trial_is_unknown():
    space = as_space({"k": list("abcde")})
    finished = [Trial(Suggestion({"k": k}, i, "initial"), Outcome(float(i))) for i, k in enumerate("abc")]
    stopped = Trial(Suggestion({"k": "d"}, 3, "initial"), Outcome.stopped([(0.5, 7.0)]))
    data = TrainingData.of(History(space, "minimize", (*finished, stopped)))
    alone = TrainingData.of(History(space, "minimize", tuple(finished)))
    np.testing.assert_array_equal(data.y, alone.y)
    np.testing.assert_array_equal(data.X, alone.X)
    assert len(data.failed) == 0
    # Nor does it say that the configuration would have finished.
    assert len(statuses(data).y) == 3


def test_a_stopped_trial_is_not_proposed_again():
    stopped = (Trial(Suggestion({"k": k}, i, "initial"), Outcome.stopped([(0.5, 7.0)])) for i, k in enumerate("abcd"))
    study = Study({"k": list("abcde")}, BayesianSearcher(n_initial=1), trials=stopped)
    assert study.ask().configuration == {"k": "e"}


@pytest.mark.slow
def test_a_study_with_stopped_trials():
    def objective(c):
        T = np.arange(1, 11) / 10
        curve = (c["x"] - 0.3) ** 2 + c["z"] + 0.5 * (T**-0.5 - 1.0)
        stop = c["z"] > 0.6
        points = list(zip(T[: 5 if stop else 10].tolist(), curve.tolist(), strict=False))
        return Outcome.stopped(points) if stop else Outcome(float(curve[-1]), curve=tuple(points))

    study = Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, BayesianSearcher(surrogate="learning_curve"), seed=0)
    study.optimize(objective, budget=12, progress=False)
    assert "stopped" in set(study.trials["status"])
    assert "failed" not in set(study.inference["status"])
    assert study.best is not None
    assert study.best.value is not None
    assert study.best.value < 0.1


def test_simulated_curves_are_those_of_the_model():
    """Innovations of simulated slopes, in units of what the model says of them, are standard normal."""
    rng, found = np.random.default_rng(0), []
    X = np.linspace(0.0, 1.0, 40)[:, None]
    blank = TrainingData(X, np.zeros(40), 0.0, 1.0, X[:0])
    # With lengthscales so short that each curve has a c of its own.
    p = P | {"lengthscale": np.full(1, 1e-4)}
    for _ in range(25):
        data = SURROGATE.simulated(LINE.columns, p, blank, rng.standard_normal(40), rng)
        assert len(data.X) == sum(not curve.stopped for curve in data.curves) == 20
        for curve in data.curves:
            own, kept, variance = np.array(stretches(curve, p)[: len(curve.y) - 1]).T
            K = p["spread"] ** 2 * np.outer(own, own) + np.diag(variance)
            found.append(np.linalg.solve(np.linalg.cholesky(K), -np.diff(curve.y) - kept - p["drop"] * own))
    scores = np.concatenate(found)
    assert abs(scores.mean()) < 4.0 / np.sqrt(len(scores))
    assert abs(np.square(scores).mean() - 1.0) < 4.0 * np.sqrt(2.0 / len(scores))
    assert stats.kstest(scores, "norm").pvalue > 1e-3


@pytest.mark.slow
def test_truths_are_exchangeable_with_chains_through_them():
    """Ranks of hyperparameters among states of reversible chains that go both ways from them are uniform.

    Given data that were simulated with it the truth is a draw of the posterior, so chains that start there are where
    they should be (Besag and Clifford 1989): what is tested is the density, whatever the chains' mixing.
    """
    rng, states, steps = np.random.default_rng(0), 19, 30
    X = rng.random((10, 1))
    blank = TrainingData(X, np.zeros(10), 0.0, 1.0, X[:0])
    truths, drawn = simulated(LINE, blank, 200, rng)
    scale, ranks = truths.std(axis=0), []
    for truth, told_of_it in zip(truths, drawn, strict=True):
        data = SURROGATE.prepared(LINE.columns, told_of_it)
        Q = np.stack([truth, truth])
        logp = LINE.batch(Q, data)
        known, seen_since = np.append(truth, logp[0]), ([], [])
        for step in range(states * steps):
            moved = rng.random(Q.shape) < rng.choice([0.15, 0.5, 1.0])
            proposed = Q + moved * 10.0 ** rng.uniform(-2.0, 0.0, (2, 1)) * scale * rng.standard_normal(Q.shape)
            found = LINE.batch(proposed, data)
            taken = np.log(rng.random(2)) < found - logp
            Q, logp = np.where(taken[:, None], proposed, Q), np.where(taken, found, logp)
            if (step + 1) % steps == 0:
                for arm in (0, 1):
                    seen_since[arm].append(np.append(Q[arm], logp[arm]))
        before = rng.integers(0, states + 1)
        others = np.array(seen_since[0][:before] + seen_since[1][: states - before])
        ranks.append((others < known).sum(axis=0) + rng.integers(0, (others == known).sum(axis=0) + 1))
    p_values = [stats.chisquare(np.bincount(r, minlength=states + 1)).pvalue for r in np.array(ranks).T]
    assert min(p_values) > 0.01 / len(p_values), p_values
