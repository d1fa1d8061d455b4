"""Trainings that are stopped and taken up again: what they would tell, what that is worth, and whole studies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import loguniform, norm
from surrogate_cases import TREE
from test_learning_curve import TESTED, dicts

import bayeshpo
from bayeshpo import BayesianSearcher, Outcome, RandomSearcher, Study, SuccessiveHalvingSearcher, Trial
from bayeshpo.acquisitions.freeze_thaw import FreezeThaw, expected_improvement, improvement_per_cost
from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.inference.trainings import trainings
from bayeshpo.problem import MultiFidelity
from bayeshpo.space import as_space
from bayeshpo.stopping import Work
from bayeshpo.surrogates.curves import Curve
from bayeshpo.surrogates.learning_curve import LearningCurveGaussianProcess
from bayeshpo.surrogates.training_data import TrainingData
from bayeshpo.testing.problems import trainings_go_on
from bayeshpo.trial import Status, Suggestion

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
SHARES = (0.2, 0.4, 1.0)
# From one point of a curve to the next one: a hair more than half a doubling, so that all points are used.
_STEP = 1.4143


def told(x, shares, rise, persistence, pace):
    """A curve whose slopes, in units of the power law of rate ``rise``, wander at that pace exactly."""
    phi = (shares**-rise - 1.0) / rise
    slopes = []
    for _ in range(len(shares) - 1):
        slopes.append((persistence * slopes[-1] if slopes else 0.0) + pace)
    falls = np.array(slopes) * (phi[:-1] - phi[1:])
    return Curve(x, shares, -np.append(0.0, np.cumsum(falls)))


def left(data, z, q):
    """Variance of f at z (1, D) under the draw q (Q,) given these trials."""
    data = TESTED.surrogate.prepared(TESTED.columns, data)
    return TESTED.predictive(TESTED.predictive.condition(q[None], data), z)[1][0, 0]


@pytest.mark.parametrize("draw", range(3))
def test_a_new_training_leaves_the_variance_that_its_curve_would(draw):
    data, q = TESTED.data(12), TESTED.draws[draw]
    (p,) = dicts(TESTED.density, q[None])
    x = TREE.sample(1, np.random.default_rng(3))
    found = trainings(TESTED.predictive, SHARES).new(TESTED.predictive.condition(q[None], data), x)[0, 0]
    for share, variance in zip(SHARES[:-1], found, strict=False):
        curve = told(x[0], share / _STEP ** np.arange(4.0, -1.0, -1.0), p["rate"], p["persistence"], p["wander"])
        expected = left(replace(data, curves=(*data.curves, curve)), x, q)
        # Of the nuggets of its stretches nothing is made.
        assert variance == pytest.approx(expected, rel=5e-3)
    ended = left(replace(data, X=np.concatenate([data.X, x]), y=np.append(data.y, 0.0)), x, q)
    # What the curve says of slopes is of little use when the end is known.
    assert found[-1] == pytest.approx(ended, rel=0.01)


def further(curve, p):
    """A stopped curve with one more stretch, along which it leaves its course by its present pace."""

    def phi(t):
        return (t ** -p["rate"] - 1.0) / p["rate"]

    t, y = curve.fidelity, curve.y
    slopes = (y[:-1] - y[1:]) / (phi(t[:-1]) - phi(t[1:]))
    r = (slopes - p["persistence"] * np.append(0.0, slopes[:-1])) ** 2
    pace = np.sqrt((p["memory"] * p["wander"] ** 2 + r.sum()) / (p["memory"] + len(r)))
    slope = p["persistence"] * slopes[-1] + pace
    after = _STEP * t[-1]
    return Curve(curve.x, np.append(t, after), np.append(y, y[-1] - slope * (phi(t[-1]) - phi(after))))


@pytest.mark.parametrize("draw", range(3))
def test_a_stopped_training_that_goes_on_leaves_the_variance_that_its_curve_would(draw):
    data, q = TESTED.data(12), TESTED.draws[draw]
    (p,) = dicts(TESTED.density, q[None])
    places = [i for i, curve in enumerate(data.curves) if curve.stopped]
    row = next(k for k, i in enumerate(places) if len(data.curves[i].fidelity) == 4)
    curve = data.curves[places[row]]
    conditioned = TESTED.predictive.condition(q[None], data)
    left_by = trainings(TESTED.predictive, (_STEP * curve.fidelity[-1], 1.0)).stopped(conditioned)[0, row]
    others = list(data.curves)
    others[places[row]] = further(curve, p)
    assert left_by[0] == pytest.approx(left(replace(data, curves=tuple(others)), curve.x[None], q), rel=1e-3)
    ended = np.concatenate([data.X, curve.x[None]]), np.append(data.y, 0.0)
    others.pop(places[row])
    whole = left(replace(data, X=ended[0], y=ended[1], curves=tuple(others)), curve.x[None], q)
    # Here it is kept.
    assert left_by[1] == pytest.approx(whole, rel=0.05)


def by_rules(mean, variance, left, incumbent, cost, rest):
    """Expected improvement over expected cost of the best rule that finishes where EI exceeds some bound."""
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    M = mean + np.sqrt(variance - left) * norm.ppf(quantiles)
    gain = np.sort(expected_improvement(M, np.sqrt(left), incumbent))[::-1]
    finished = np.arange(1, len(gain) + 1) / len(gain)
    return (np.cumsum(gain) / len(gain) / (cost + rest * finished)).max()


@pytest.mark.parametrize("mean", [-0.5, 0.5, 2.0])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_improvement_per_cost_is_that_of_the_best_rule(mean, share):
    arrays = np.array([[mean]]), np.array([[1.0]]), np.array([[[share]]]), np.array([[0.0]])
    found = improvement_per_cost(*arrays, np.array([[0.1]]), np.array([[0.9]]))[0, 0]
    # The integrand has a kink, at which 48 nodes are off by some per cent.
    assert found == pytest.approx(by_rules(mean, 1.0, share, 0.0, 0.1, 0.9), rel=0.03)


def test_what_tells_nothing_is_worth_what_finishing_is():
    rng = np.random.default_rng(0)
    mean, variance, incumbent = rng.normal(size=(5, 3)), rng.uniform(0.1, 2.0, (5, 3)), rng.normal(size=(5, 3))
    left = np.stack([variance, 0.2 * variance], axis=2)
    found = improvement_per_cost(
        mean, variance, left, incumbent, np.tile([0.25, 1.0], (3, 1)), np.tile([0.75, 0.0], (3, 1))
    )
    whole = expected_improvement(mean, np.sqrt(variance), incumbent).mean(axis=0)
    # At the end nothing is left to be paid for, whatever is left to be known.
    np.testing.assert_allclose(found[:, 1], whole, rtol=0.01)
    # One look under each draw: what differs is only how draws differ, which is not known either.
    alone = improvement_per_cost(
        mean[:1], variance[:1], left[:1], incumbent[:1], np.full((3, 2), 0.25), np.full((3, 2), 0.75)
    )
    np.testing.assert_allclose(
        alone[:, 0], expected_improvement(mean[:1], np.sqrt(variance[:1]), incumbent[:1])[0], rtol=1e-6
    )


class Slope:
    """A training of which the loss falls towards a parabola's value; what it does now is counted."""

    name, direction, optimum, work_unit, noisy = "slope", "minimize", 0.0, "training", False
    space = as_space({"x": (0.0, 1.0)})

    def evaluate(self, configuration, *, rng):
        return self.evaluate_to(configuration, 1.0, stopped=None, rng=rng)

    def evaluate_to(self, configuration, fidelity, *, stopped, rng):
        begun = 0 if stopped is None else len(stopped.curve)
        steps, x = round(20 * fidelity), configuration["x"]
        curve = [(k / 20, (x - 0.7) ** 2 + 0.1 * (20 / k - 1.0)) for k in range(begun + 1, steps + 1)]
        work = (steps - begun) / 20
        return Outcome.stopped(curve, work=work) if steps < 20 else Outcome(curve[-1][1], work=work, curve=tuple(curve))


def searcher():
    return BayesianSearcher(surrogate="learning_curve", acquisition="freeze_thaw")


@pytest.fixture(scope="module")
def study():
    assert isinstance(Slope(), MultiFidelity)
    study = Study(Slope.space, searcher(), seed=3, name="slope")
    study.optimize(Slope(), budget=60, stop=Work(6.0), progress=False)
    return study


def test_trainings_are_stopped_and_taken_up_and_the_best_is_found(study):
    suggestions = [t.suggestion for t in study.history.trials]
    assert study.ending.reason == "6 of work done"
    assert [s.fidelity for s in suggestions[:4]] == [1.0, 1.0, 1.0, 0.1]
    continued = [s for s in suggestions if s.continues is not None]
    assert continued
    for s in continued:
        before = suggestions[s.continues]
        assert s.configuration == before.configuration
        assert s.fidelity > before.fidelity
    assert len({s.continues for s in continued}) == len(continued)
    curves = [t.outcome.curve for t in study.history.trials if t.suggestion.continues is not None]
    assert all(curve[0][0] == pytest.approx(0.05) for curve in curves)
    assert study.history.shares.sum() == pytest.approx(study.history.work)
    assert study.best.value < 0.01
    row = study.inference.iloc[-1]
    assert row["fidelity"] == suggestions[-1].fidelity
    assert row["improvement_per_cost"] > 0.0


def test_a_new_training_has_to_beat_what_stopped_ones_are_expected_to_come_to():
    """Where four are stopped about the best place, and below all that finished, a fifth there would add little."""
    problem, rng = Slope(), np.random.default_rng(0)
    places = {0.0: 1.0, 0.5: 1.0, 1.0: 1.0, 0.6: 0.1, 0.65: 0.1, 0.75: 0.1, 0.8: 0.1}
    trials = tuple(
        Trial(
            Suggestion({"x": x}, i, "random", fidelity=share),
            problem.evaluate_to({"x": x}, share, stopped=None, rng=rng),
        )
        for i, (x, share) in enumerate(places.items())
    )
    assert Study(Slope.space, searcher(), seed=0, trials=trials).ask().continues == 4


def test_each_training_is_told_once(study):
    data = TrainingData.of(study.history)
    assert len({tuple(curve.x) for curve in data.curves}) == len(data.curves)
    assert sum(curve.stopped for curve in data.curves) == study.history.stopped.sum()
    assert study.history.taken_up.any()


def test_a_study_that_is_resumed_goes_on_with_the_same_trainings(study):
    records = json.loads(json.dumps([t.to_record() for t in study.history.trials[:-2]]))
    resumed = Study(Slope.space, searcher(), seed=3, name="slope", trials=[Trial.from_record(r) for r in records])
    for trial in resumed.run(Slope(), len(study.history)):
        suggestion = study.history.trials[len(resumed.history) - 1].suggestion
        assert replace(trial.suggestion, seconds=0.0) == replace(suggestion, seconds=0.0)


def test_one_that_is_being_taken_up_is_not_taken_up_twice(study):
    asked = study.searcher.ask(study.history, 4, study.streams)
    taken_up = [s.continues for s in asked if s.continues is not None]
    assert len(set(taken_up)) == len(taken_up)


class Network:
    """What the README's example trains."""

    def __init__(self, rate):
        self.rate, self.epochs = rate, 0

    def epoch(self):
        self.epochs += 1
        return np.log10(self.rate / 0.01) ** 2 + 1.0 / self.epochs


def test_the_readmes_example_trains_networks_by_ask_and_tell():
    (code,) = [block for block in README.split("```python")[1:] if "freeze_thaw" in block.split("```")[0]]
    known = {"bayeshpo": bayeshpo, "Network": Network, "loguniform": loguniform}
    exec(code.split("```")[0], known)
    study = known["study"]
    assert 5.0 <= study.history.work < 6.0
    assert study.history.shares.sum() == pytest.approx(study.history.work)
    assert any(t.suggestion.continues is not None for t in study.history.trials)
    # Each network has been trained as far as its trials say.
    for trial in study.history.trials:
        if trial.suggestion.index in known["networks"]:
            assert known["networks"][trial.suggestion.index].epochs == round(20 * trial.suggestion.fidelity)


def test_surrogates_and_problems_that_know_no_trainings_are_refused():
    with pytest.raises(SpecificationError, match="'freeze_thaw': expected a surrogate of learning curves, got 'gp'"):
        FreezeThaw().check(BayesianSearcher()._parts._part("surrogate"))
    FreezeThaw().check(LearningCurveGaussianProcess())
    untouched = Study(Slope.space, BayesianSearcher(acquisition="freeze_thaw"))
    with pytest.raises(SpecificationError, match="'freeze_thaw': expected a surrogate of learning curves, got 'gp'"):
        untouched.optimize(Slope(), budget=20, progress=False)
    assert len(untouched.history) == 0
    with pytest.raises(SpecificationError, match="expected a problem whose trainings can be stopped"):
        Study({"x": (0.0, 1.0)}, searcher()).optimize(lambda c: c["x"], budget=3, progress=False)


@pytest.mark.parametrize("given", [(), (1.0,), (0.5, 0.2, 1.0), (0.1, 0.5), (0.0, 1.0)])
def test_fidelities_increase_to_the_end(given):
    with pytest.raises(SpecificationError, match="expected fidelities that increase within"):
        FreezeThaw(fidelities=given)


def test_a_history_knows_which_trainings_are_stopped():
    def trial(index, outcome, **more):
        return Trial(Suggestion({"x": 0.5}, index, "test", **more), outcome)

    trials = (
        trial(0, Outcome.stopped([(0.1, 3.0)]), fidelity=0.1),
        trial(1, Outcome.stopped([(0.1, 3.0)]), fidelity=0.1),
        trial(2, Outcome.stopped([(0.1, 3.0), (0.4, 2.0)]), fidelity=0.4, continues=0),
        trial(3, Outcome(1.0), continues=2),
        # It has failed at once.
        trial(4, Outcome(None, Status.INVALID, "diverged", curve=((0.1, 3.0),)), fidelity=0.4, continues=1),
    )
    history = History(Slope.space, trials=trials)
    np.testing.assert_array_equal(history.taken_up, [True, True, True, False, False])
    np.testing.assert_array_equal(history.stopped, [False, False, False, False, False])
    np.testing.assert_allclose(history.shares, [0.1, 0.1, 0.3, 0.6, 0.3])
    before = History(Slope.space, trials=trials[:4])
    np.testing.assert_array_equal(before.stopped, [False, True, False, False])


class Trained(Slope):
    """A problem that forgets that it was begun."""

    def evaluate_to(self, configuration, fidelity, *, stopped, rng):
        return super().evaluate_to(configuration, fidelity, stopped=None, rng=rng)


def test_problems_promise_that_trainings_go_on():
    trainings_go_on(Slope())
    with pytest.raises(AssertionError, match=r"work in parts: expected 1.0, got 1\.4"):
        trainings_go_on(Trained())


def test_the_better_trainings_go_on():
    study = Study(Slope.space, SuccessiveHalvingSearcher(), name="slope")
    trials = list(study.run(Slope(), 60))
    by_share = {share: [t for t in trials if t.suggestion.fidelity == share] for share in (0.1, 0.3, 1.0)}
    for share, following in ((0.1, 0.3), (0.3, 1.0)):
        taken_up = {t.suggestion.continues for t in by_share[following]}
        # Each goes on once, and was among the best of those so far when it did.
        assert len(taken_up) == len(by_share[following])
        for late in by_share[following]:
            reached = [t for t in by_share[share] if t.suggestion.index < late.suggestion.index]
            better = sorted(reached, key=lambda t: t.outcome.curve[-1][1])[: int(len(reached) * share / following)]
            assert late.suggestion.continues in {t.suggestion.index for t in better}
    assert len(by_share[1.0]) >= 4
    assert all(t.configuration == trials[t.suggestion.continues].configuration for t in by_share[0.3])
    with pytest.raises(SpecificationError, match="'successive_halving': expected a problem whose trainings can be"):
        Study({"x": (0.0, 1.0)}, SuccessiveHalvingSearcher()).optimize(lambda c: c["x"], budget=3, progress=False)


def test_a_curve_may_begin_where_the_one_before_has_ended():
    study = Study(Slope.space, RandomSearcher())
    first = study.ask()
    study.tell(first, Outcome.stopped([(0.1, 3.0), (0.2, 2.0)]))
    again = replace(study.ask(), continues=0)
    study.history = replace(study.history, pending=(again,))
    told = study.tell(again, Outcome(1.0, curve=((0.2, 2.5), (1.0, 1.0))))
    assert told.outcome.curve == ((0.1, 3.0), (0.2, 2.5), (1.0, 1.0))
