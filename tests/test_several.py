"""Bayesian search within limits and for several objectives: what is believed, proposed, recommended and kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import PLANE, density_on, wavy
from toy_surrogates import Level

import bayeshpo
from bayeshpo.acquisitions.constrained_ei import ConstrainedExpectedImprovement
from bayeshpo.acquisitions.constraints import Constraint, Constraints
from bayeshpo.acquisitions.noisy_ei import NoisyExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.aims import Limits
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.pareto import hypervolume, non_dominated
from bayeshpo.stopping import RegretBelow
from bayeshpo.surrogates.scale import Scale
from bayeshpo.trial import Outcome, Trial

HALF = {"memory": (None, 0.5)}
SIZE = {"size": "minimize"}


def within_half(c):
    """Best at (1, 1), of which no more than the lower left half is allowed."""
    return Outcome(-c["x"] - 0.5 * c["z"], metrics={"memory": (c["x"] + c["z"]) / 2.0})


def two_bowls(c):
    """Two bowls, between whose lowest places lies the front."""
    near = (c["x"] - 0.2) ** 2 + (c["z"] - 0.3) ** 2
    return Outcome(near, metrics={"size": -((c["x"] - 0.8) ** 2) - (c["z"] - 0.7) ** 2})


def searched(objective, budget, trials=(), **arguments):
    # Few draws: what is decided is at stake here, not how well.
    searcher = bayeshpo.BayesianSearcher(inference=Sequential(draws=128))
    s = bayeshpo.Study(PLANE, searcher, trials=trials, **arguments)
    s.optimize(objective, budget, progress=False)
    return s


@pytest.fixture(scope="module")
def limited():
    return searched(within_half, 16, constraints=HALF)


@pytest.fixture(scope="module")
def several():
    return searched(two_bowls, 16, objectives={"size": "maximize"})


@pytest.fixture(scope="module")
def posterior():
    return Sequential().fit(density_on(PLANE), wavy(12), rng=np.random.default_rng(0))


LIMITS = [Limits(at_most=0.3), Limits(at_least=-0.2), Limits(-0.5, 0.4)]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_probability_within_limits_is_that_of_the_draws(limits, sign, posterior):
    data = replace(posterior.data, location=0.1, scale=0.5)
    constraint = Constraint(replace(posterior, data=data), limits, sign)
    Z = np.random.default_rng(0).random((30, 2))
    p = predictive(posterior.density)
    mean, variance = p(p.condition(posterior.thinned(64), data), Z)
    law = stats.norm(0.1 + 0.5 * mean, 0.5 * np.sqrt(variance))
    lower, upper = np.sort([sign * limits.at_least, sign * limits.at_most])
    exact = np.log((law.cdf(upper) - law.cdf(lower)).mean(axis=0))
    value, gradient = constraint.with_gradient(Z)
    np.testing.assert_allclose(value, exact, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(constraint.log_probability(Z), value, rtol=1e-12)
    for j, step in enumerate(1e-5 * np.eye(2)):
        slope = (constraint.log_probability(Z + step) - constraint.log_probability(Z - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, j], slope, rtol=2e-4, atol=1e-5)


def test_probability_far_beyond_a_limit_is_finite_and_has_a_slope(posterior):
    Z = np.random.default_rng(1).random((5, 2))
    for limits in (Limits(at_most=-200.0), Limits(at_least=200.0), Limits(200.0, 201.0)):
        value, gradient = Constraint(posterior, limits).with_gradient(Z)
        assert (np.isfinite(value) & (value < -500.0)).all()
        assert (np.isfinite(gradient) & (gradient != 0.0)).all()


def test_constraints_are_independent(posterior):
    Z, parts = np.random.default_rng(2).random((6, 2)), [Constraint(posterior, limits) for limits in LIMITS]
    both = Constraints(parts[:2])
    value, gradient = both.with_gradient(Z)
    pairs = [part.with_gradient(Z) for part in parts[:2]]
    np.testing.assert_allclose(value, pairs[0][0] + pairs[1][0])
    np.testing.assert_allclose(gradient, pairs[0][1] + pairs[1][1])
    np.testing.assert_array_equal(Constraints().log_probability(Z), np.zeros(6))


def test_improvement_is_over_the_best_trial_within(posterior):
    p = predictive(posterior.density)
    draws, none = p.condition(posterior.thinned(16), posterior.data), np.empty((0, 2))

    def looking(limits):
        constraints = Constraints([Constraint(posterior, limits)])
        evidence = Evidence(posterior.data, none, np.empty(0), constraints=constraints)
        return Outlook(JointPredictive(p, noise=False), draws, evidence, np.random.default_rng(0))

    def incumbents(outlook):
        alone, drawn = ConstrainedExpectedImprovement().look(outlook), NoisyExpectedImprovement().look(outlook)
        return alone.arrays["incumbent"], drawn.arrays["best"]

    outlook = looking(Limits(at_least=0.0))
    eligible = outlook.evidence.eligible
    assert 0 < eligible.sum() < 12
    np.testing.assert_array_equal(incumbents(outlook)[0], draws.fitted[:, eligible].min(axis=1))
    # What several objectives are measured by is of these trials, too.
    np.testing.assert_array_equal(outlook.observed[:, 0], posterior.data.y[eligible])
    outlook = looking(Limits(at_least=50.0))
    assert not outlook.evidence.eligible.any()
    alone, drawn = incumbents(outlook)
    np.testing.assert_array_equal(alone, draws.fitted.max(axis=1) + 1.0)
    np.testing.assert_array_equal(drawn, np.repeat(alone[:, None], 16, axis=1))
    np.testing.assert_array_equal(outlook.observed[:, 0], posterior.data.y)


def test_search_goes_to_the_edge_of_what_is_allowed(limited):
    # -x - z / 2 with x + z <= 1 is best at (1, 0).
    assert limited.best.value < -0.97
    assert limited.best.outcome.metrics["memory"] <= 0.5
    recommended = limited.recommendation
    assert recommended.value < -0.9
    assert recommended.outcome.metrics["memory"] <= 0.5 + 1e-3
    assert limited.optimum.value < -0.95
    rows = limited.inference
    # R-hat is a statistic: of so many fits one may be above its threshold by chance.
    assert (rows["memory_status"] == "ok").mean() > 0.9
    assert (rows["memory_seconds"] > 0.0).all()
    # A proposal rests on that fit too: what speaks for it is on record.
    assert ((rows["memory_rhat_max"] >= 1.0 - 1e-3) & (rows["memory_ess_bulk_min"] > 100.0)).all()
    assert list(rows["memory_chains"] * rows["memory_draws"]) == list(rows["chains"] * rows["draws"])
    # Every trial's metric was foretold, as its value was.
    assert list(rows["memory_ahead_trial"][1:]) == list(rows["ahead_trial"][1:])
    assert rows["memory_ahead_pit"][1:].between(0.0, 1.0).all()
    assert (rows["memory_ahead_log_score"][1:] != rows["ahead_log_score"][1:]).all()


def test_while_nothing_is_within_the_search_is_for_what_is():
    s = searched(within_half, 12, constraints={"memory": (None, 0.03)})
    found = np.array([t.outcome.metrics["memory"] for t in s.history.trials])
    assert (found[:4] > 0.03).all()
    assert (found[4:] <= 0.03).sum() >= 3


def test_search_spreads_over_the_front(several):
    front = several.history.objectives[[t.suggestion.index for t in several.pareto_set]]
    assert len(front) >= 6
    assert non_dominated(front).all()
    assert (np.diff(front[:, 0]) > 0.0).all()
    reference = np.full(2, 0.6)
    random = bayeshpo.Study(PLANE, bayeshpo.RandomSearcher(), objectives={"size": "maximize"})
    random.optimize(two_bowls, 16, progress=False)
    # Of the whole front, at sqrt(a) + sqrt(b) = sqrt(0.52), the hypervolume is 0.36 less what is below it.
    t = np.linspace(0.0, 1.0, 2001)
    whole = hypervolume(0.52 * np.column_stack([t**2, (1.0 - t) ** 2]), reference)
    found, guessed = (hypervolume(s.history.objectives, reference) for s in (several, random))
    assert guessed < 0.85 * whole
    assert 0.93 * whole < found <= whole


def test_what_is_recommended_of_several_is_on_record(several):
    s = several.history
    info = s.trials[-1].suggestion.info
    assert info["recommended"] == info["pareto_set"][0]
    shorter = replace(s, trials=s.trials[:-1])
    before = several.searcher.pareto_set(shorter, several.streams)
    assert [t.suggestion.index for t in before] == info["pareto_set"]


@pytest.mark.parametrize(
    ("objective", "arguments", "name"),
    [(within_half, {"constraints": HALF}, "limited"), (two_bowls, {"objectives": {"size": "maximize"}}, "several")],
)
def test_a_study_resumed_from_its_records_goes_on_the_same(objective, arguments, name, request):
    s = request.getfixturevalue(name)
    trials = [Trial.from_record(t.to_record()) for t in s.history.trials[:12]]
    again = searched(objective, 14, trials, **arguments)
    assert [t.configuration for t in again.history.trials] == [t.configuration for t in s.history.trials[:14]]


def test_posteriors_of_all_metrics_are_kept_in_their_units(several):
    tree = several.posterior
    assert {"posterior", "prior", "slice", "pareto", "metrics"} <= set(tree.children)
    assert tree["metrics/size"]["posterior"].sizes["draw"] == tree["posterior"].sizes["draw"]
    f = tree["pareto"]["f"]
    assert f.dims == ("front_draw", "trial", "objective")
    assert list(f.objective.values) == ["value", "size"]
    # Without noise the draws are near what was seen; what is far off is told as less far.
    front = [t.suggestion.index for t in several.pareto_set]
    told = several.trials.loc[front, ["value", "size"]].to_numpy()
    assert np.abs(f.mean("front_draw").values[front] - told).max() < 0.02
    assert tree["pareto"]["within"].values.all()


def test_batches_and_weighings_within_limits():
    searcher = bayeshpo.BayesianSearcher(acquisition="parego", inference=Sequential(draws=128))
    s = bayeshpo.Study(PLANE, searcher, objectives=SIZE, constraints={"cost": (None, 1.0)})

    def told(c):
        return Outcome(c["x"], metrics={"size": (1.0 - c["x"]) ** 2 + c["z"], "cost": 2.0 * c["z"]})

    for _ in range(3):
        for suggestion in s.ask(4):
            s.tell(suggestion, told(suggestion.configuration))
    proposed = s.history.X[8:]
    # The front is where z = 0, and there all over x.
    assert (proposed[:, 1] < 0.1).all()
    assert np.ptp(proposed[:, 0]) > 0.2


def test_several_objectives_have_no_one_optimum(several):
    with pytest.raises(bayeshpo.errors.SpecificationError, match="use pareto_set"):
        _ = several.optimum


def test_what_is_beyond_a_limit_is_seen_to_be():
    values = np.concatenate([np.linspace(0.0, 1.0, 20), [1e6]])
    scale = Scale.of(values, limits=[1000.0])
    assert scale(values)[-1] > scale(np.array([1000.0]))[0] + 0.1
    assert Scale.of(values)(values)[-1] < scale.highest


def nearest(s, count):
    """Distance of the closest pair of a batch."""
    points = np.array([[q.configuration[name] for name in ("x", "z")] for q in s.ask(count)])
    return min(np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i])


@pytest.mark.parametrize("acquisition", ["hypervolume", "parego"])
def test_a_batch_of_several_objectives_does_not_gain_the_same_twice(acquisition):
    searcher = bayeshpo.BayesianSearcher(acquisition=acquisition, inference=Sequential(draws=128))
    s = bayeshpo.Study(PLANE, searcher, objectives={"size": "maximize"}, noisy=False)
    s.optimize(two_bowls, 8, progress=False)
    assert nearest(s, 3) > 0.01


def test_the_front_is_looked_for_where_the_limits_are_kept():
    # Beyond the limit both are lower by far, so that what is within is beyond any reference point of all trials.
    def both_beyond(c):
        return Outcome(
            c["x"] ** 2 + 5.0 * c["z"], metrics={"size": (1.0 - c["x"]) ** 2 + 5.0 * c["z"], "memory": -c["z"]}
        )

    s = searched(both_beyond, 20, objectives=SIZE, constraints={"memory": (None, -0.5)})
    assert (s.history.X[8:, 1] >= 0.5).mean() > 0.5


def test_a_surrogate_without_covariances_has_no_joint_draws_of_the_front():
    searcher = bayeshpo.BayesianSearcher(Level(), inference=Sequential(draws=128))
    s = bayeshpo.Study({"x": (0.0, 1.0)}, searcher, objectives=SIZE)
    s.optimize(lambda c: Outcome(c["x"], metrics={"size": 1.0 - c["x"]}), 6, progress=False)
    assert "pareto" not in s.posterior.children


def test_there_is_no_regret_while_nothing_keeps_to_the_limits():
    s = bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(inference=Sequential(draws=128)), constraints=HALF)
    for _ in range(6):
        suggestion = s.ask()
        s.tell(suggestion, Outcome(suggestion.configuration["x"], metrics={"memory": 1.0}))
    with pytest.raises(bayeshpo.errors.SpecificationError, match="expected a trial that is probably within all limits"):
        _ = s.optimum_draws
    assert "optimum" not in s.posterior.children
    assert RegretBelow(1e3).reason(s.history, s.searcher, s.streams) is None


def test_remaining_regret_is_over_what_keeps_to_the_limits():
    # Beyond the limit losses are lower by a lot; within it the recommendation is next to the best.
    s = searched(lambda c: Outcome(10.0 * c["x"], metrics={"memory": 1.0 - c["x"]}), 14, constraints=HALF)
    assert s.recommendation.configuration["x"] > 0.49
    assert s.remaining_regret.mean() < 1.0


def test_a_thompson_batch_is_of_functions_from_one_posterior():
    s = bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(acquisition="thompson", inference=Sequential(draws=128)))
    s.optimize(lambda c: c["x"], 6, progress=False)
    s.ask()
    evidence = s.searcher.beliefs.evidence(s.history, s.streams)
    assert len(evidence.believed_X) == 0
