"""Improvement per second: costs are learnt, and divide what they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from surrogate_cases import PLANE, density_on, wavy

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.cost import Cost
from bayeshpo.acquisitions.cost_ei import ExpectedImprovementPerSecond
from bayeshpo.acquisitions.ei import ExpectedImprovement
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.history import History
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.study import Study
from bayeshpo.trial import Outcome, Suggestion, Trial

NOTHING = np.empty((0, 2)), np.empty(0)


def seconds(x):
    """From 1 on one side to 20 on the other."""
    return np.exp(3.0 * x)


def history(n=14, cost=seconds):
    found = History(PLANE, "minimize", ())
    for i, x in enumerate(PLANE.sample(n, np.random.default_rng(0))):
        outcome = Outcome.of(float(i), seconds=float(cost(x[0])))
        # Failed trials cost too.
        outcome = Outcome.of(float("nan"), seconds=float(cost(x[0]))) if i % 5 == 0 else outcome
        found = found.add(Trial(Suggestion(PLANE.decode(x[None])[0], i, "initial"), outcome))
    return found


@pytest.fixture(scope="module")
def cost():
    return Cost.of(history(), np.random.default_rng(1))


def test_log_seconds_are_learnt_from_all_trials(cost):
    Z = np.random.default_rng(2).random((40, 2))
    assert cost.posterior.report.n == 14
    np.testing.assert_allclose(cost.log_cost(Z), 3.0 * Z[:, 0], atol=0.15)
    value, gradient = cost.with_gradient(Z)
    np.testing.assert_allclose(value, cost.log_cost(Z))
    for j in range(2):
        step = 1e-5 * np.eye(2)[j]
        differences = (cost.log_cost(Z + step) - cost.log_cost(Z - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, j], differences, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("known", [history(1), history(6, lambda x: 2.0)], ids=["one trial", "all alike"])
def test_without_differences_there_is_nothing_to_learn(known):
    found = Cost.of(known, np.random.default_rng(0))
    assert found.posterior is None
    assert found.to_row() == {}
    np.testing.assert_array_equal(found.log_cost(np.ones((3, 2))), 0.0)
    np.testing.assert_array_equal(found.with_gradient(np.ones((3, 2)))[1], 0.0)


def test_value_is_divided_by_the_cost(cost):
    posterior = Sequential().fit(density_on(PLANE), wavy(12), rng=np.random.default_rng(0))
    free = Evidence(posterior.data, *NOTHING)
    dear, Z = replace(free, cost=cost), np.random.default_rng(3).random((9, 2))
    for acquisition, divided in (
        (LogExpectedImprovement(), lambda v: v - cost.log_cost(Z)),
        (ExpectedImprovement(), lambda v: v * np.exp(-cost.log_cost(Z))),
    ):
        compiled = compiled_acquisition(acquisition, predictive(density_on(PLANE)))
        plain, per_second = (compiled.state(posterior.thinned(64), e) for e in (free, dear))
        np.testing.assert_allclose(compiled.value(per_second, Z), divided(compiled.value(plain, Z)), rtol=1e-10)
        value, gradient = compiled.value_and_gradient(per_second, Z)
        np.testing.assert_allclose(value, compiled.value(per_second, Z))
        step = np.array([1e-5, 0.0])
        differences = (compiled.value(per_second, Z + step) - compiled.value(per_second, Z - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, 0], differences, rtol=1e-3, atol=1e-4)


def test_a_study_goes_where_trials_are_cheap():
    def told(acquisition):
        study = Study(PLANE, BayesianSearcher(acquisition=acquisition, n_initial=5), seed=1)
        for _ in range(9):
            suggestion = study.ask()
            x, z = suggestion.configuration["x"], suggestion.configuration["z"]
            # The same everywhere along x but for what it costs.
            study.tell(suggestion, Outcome.of((z - 0.4) ** 2, seconds=float(seconds(x))))
        return study

    dear, cheap = told("log_ei"), told(ExpectedImprovementPerSecond())
    spent = [sum(t.outcome.seconds for t in s.history.trials[5:]) for s in (dear, cheap)]
    assert spent[1] < 0.7 * spent[0]
    assert cheap.reports[-1]["cost_status"] in ("ok", "not_converged")
    assert "cost_status" not in dear.reports[-1]
