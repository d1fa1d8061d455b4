"""The optimum of the posterior mean over the whole space: better than anything else there, in the objective's units."""

from __future__ import annotations

import numpy as np
import pytest

import bayeshpo
from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.beliefs import predictive_under
from bayeshpo.searchers.objectives import CHOICE_DRAWS

# What the tests of the searcher compile serves here too.
PLANE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}
FINITE = {"n": (1, 4), "kernel": ["rbf", "linear", "poly"]}


def bowl(c):
    return (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2


def means(s, Z):
    """Posterior mean and standard deviation (m,) at points (m, D), in the objective's units."""
    posterior = s.searcher.beliefs.posterior(s.history, s.streams)
    mean, variance = predictive_under(posterior).at(posterior, Z, CHOICE_DRAWS)
    data, total = posterior.data, variance.mean(axis=0) + mean.var(axis=0)
    return s.history.sign * (data.location + data.scale * mean.mean(axis=0)), data.scale * np.sqrt(total)


def searched(space, objective, n, direction="minimize"):
    s = bayeshpo.Study(space, bayeshpo.BayesianSearcher(n_initial=n), direction)
    s.optimize(objective, n, progress=False)
    return s


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_no_point_of_a_fine_grid_has_a_better_mean(direction):
    turn = 1.0 if direction == "minimize" else -1.0
    # Few trials, so that the best place is none of them.
    s = searched(PLANE, lambda c: 5.0 + turn * bowl(c), 9, direction)
    found = s.optimum
    points = [found.configuration, *(t.configuration for t in s.history.trials)]
    at_points, sd = means(s, s.history.space.encode(points))
    np.testing.assert_allclose([found.value, found.sd], [at_points[0], sd[0]], rtol=1e-9)
    axis = np.linspace(0.0, 1.0, 101)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    everywhere, _ = means(s, grid)
    # The search sees fewer draws than the mean is over, so that its place is a little off.
    slack = 0.01 * np.ptp(everywhere)
    assert turn * found.value <= (turn * everywhere).min() + slack
    assert turn * found.value <= (turn * at_points).min() + 1e-9
    assert found.configuration not in [t.configuration for t in s.history.trials]
    # It is the bowl's bottom, within its own standard deviations.
    assert abs(turn * (found.value - 5.0)) < 4.5 * found.sd + 1e-3
    assert s.optimum == found


def test_on_a_finite_space_it_is_the_best_of_all_configurations_tried_or_not():
    s = searched(FINITE, lambda c: (c["n"] - 3) ** 2 + {"rbf": 0.0, "linear": 1.0, "poly": 3.0}[c["kernel"]], 8)
    grid = s.history.space.grid()
    assert s.optimum.configuration in s.history.space.decode(grid)
    assert s.optimum.value == pytest.approx(means(s, grid)[0].min(), abs=0.05)


def test_what_would_probably_fail_is_no_optimum():
    # The loss falls towards the side that always fails.
    def objective(c):
        if c["x"] < 0.4:
            raise MemoryError("too large")
        return c["x"]

    s = searched(PLANE, objective, 24)
    assert 0.3 < s.optimum.configuration["x"] < 0.6


def test_draws_of_the_optimum_are_of_functions_and_in_the_problem_s_own_units():
    def hill(c):
        return 50.0 - 20.0 * (c["x"] - 0.3) ** 2 - (3.0 if c["kernel"] == "b" else 0.0)

    space = {"kernel": ["a", "b"], "x": (0.0, 1.0)}
    s = bayeshpo.Study(space, direction="maximize", seed=2)
    s.optimize(hill, 16, progress=False)
    drawn, tree = s.optimum_draws, s.posterior["optimum"]
    assert list(drawn) == ["kernel", "x", "value", "regret"]
    np.testing.assert_array_equal(drawn["regret"], s.remaining_regret)
    # What is left to be gained is between a function's own best value and its value where the best trial was.
    assert (drawn["regret"] >= 0.0).all()
    assert s.recommendation is not None
    np.testing.assert_allclose(drawn["value"] - drawn["regret"], s.recommendation.value, atol=0.3)
    assert (drawn["kernel"] == "a").mean() > 0.99
    assert abs(drawn["x"].median() - 0.3) < 0.05
    assert abs(drawn["value"].median() - 50.0) < 0.2
    for name in ("value", "regret"):
        np.testing.assert_array_equal(tree[name], drawn[name])
    assert tree["place"].dims == ("function", "hyperparameter")
    np.testing.assert_array_equal(s.history.space.decode(tree["place"].values), drawn[list(space)].to_dict("records"))


def test_draws_of_the_optimum_are_of_the_trials_alone():
    # With this acquisition what is pending is believed to come out at its mean, for the next proposal.
    def variance_study(trials=()):
        return bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(acquisition="variance"), seed=2, trials=trials)

    s = variance_study()
    s.optimize(lambda c: np.sin(9.0 * c["x"]) + np.cos(7.0 * c["z"]), 7, progress=False)
    waiting = variance_study(s.history.trials)
    waiting.ask(10)
    # The points that optima are looked for at are others: with what is pending believed in, it is 43 % less.
    np.testing.assert_allclose(waiting.remaining_regret.mean(), s.remaining_regret.mean(), rtol=0.1)


def test_without_a_surrogate_or_a_finished_trial_there_is_none():
    with pytest.raises(SpecificationError, match="expected a searcher with a surrogate, got 'random'"):
        _ = bayeshpo.Study(PLANE, bayeshpo.RandomSearcher()).optimum
    with pytest.raises(SpecificationError, match="no optimum yet: expected at least one finished trial"):
        _ = bayeshpo.Study(PLANE).optimum
