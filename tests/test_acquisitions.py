"""Compiled acquisitions over a posterior: values by their formulas, errors against replicates, what is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import PLANE, WHOLE, density_on, wavy

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.acquisitions.ucb import UpperConfidenceBound
from bayeshpo.inference.objectives import ObjectivesDensity, ObjectivesPosterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked_predictive import StackedData
from bayeshpo.registry import create

NONE_FAILED = np.empty((0, 2))
FAILED = np.array([[0.2, 0.8], [0.25, 0.7]])
POOL = np.random.default_rng(9).random((300, 2))

KINDS = {
    **{name: name for name in WHOLE},
    "ucb of the marginal": UpperConfidenceBound(1.0, marginal=True),
}


@pytest.fixture(scope="module", params=list(KINDS))
def compiled(request):
    """Every registered acquisition."""
    acquisition = KINDS[request.param]
    acquisition = create("acquisition", acquisition, {}) if isinstance(acquisition, str) else acquisition
    density = density_on(PLANE)
    density = ObjectivesDensity((density, density)) if acquisition.objectives else density
    return compiled_acquisition(acquisition, predictive(density))


@pytest.fixture(scope="module")
def log_ei():
    return compiled_acquisition(LogExpectedImprovement(), predictive(density_on(PLANE)))


@pytest.fixture(scope="module")
def alone():
    """Of one objective."""
    return Sequential().fit(density_on(PLANE), wavy(12), rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def two(alone):
    """Of two that go against each other in some places."""
    data = wavy(12)
    other = replace(data, y=np.roll(data.y, 1) - data.y)
    return ObjectivesPosterior((alone, Sequential().fit(density_on(PLANE), other, rng=np.random.default_rng(1))))


@pytest.fixture
def posterior(compiled, alone, two):
    """Of what the acquisition is about."""
    return two if compiled.acquisition.objectives else alone


@pytest.fixture(scope="module")
def Z():
    """Candidates away from the trials, where nothing has a kink."""
    rng = np.random.default_rng(5)
    candidates = rng.random((200, 2))
    apart = np.abs(candidates[:, None] - wavy(12).X[None]).max(axis=2).min(axis=1) > 0.05
    return candidates[apart][:12]


def evidence(posterior, failed=NONE_FAILED):
    """The trials of a posterior and failed ones, which are believed to be as low as nothing else."""
    data = changed(posterior.data, failed=failed)
    feasibility = Feasibility.of(data, posterior.density.columns, np.random.default_rng(0))
    believed = np.full((len(failed), *predictive(posterior.density).objectives), -3.0)
    return Evidence(data, failed, believed, feasibility, pool=POOL, seed=7)


def changed(data, **changes):
    """Of each objective."""
    if isinstance(data, StackedData):
        return StackedData.joined([changed(member, **changes) for member in data.members])
    return replace(data, **changes)


def states(compiled, posterior, failed=NONE_FAILED, n=64):
    return compiled.state(posterior.thinned(n), evidence(posterior, failed))


def test_log_ei_is_the_log_of_expected_improvements_of_the_predictive(log_ei, alone, Z):
    data, p = alone.data, predictive(density_on(PLANE))
    conditioned = p.condition(alone.thinned(64), data)
    (mean, variance), incumbent = p(conditioned, Z), p(conditioned, data.X)[0].min(axis=1)
    s = np.sqrt(variance)
    z = (incumbent[:, None] - mean) / s
    # Where z is not far below 0 nothing is lost in the plain form, and what is further below adds nothing.
    near = (z > -4.0).any(axis=0)
    assert near.sum() >= 3
    exact = np.log((s * np.maximum(stats.norm.pdf(z) + z * stats.norm.cdf(z), 0.0)).mean(axis=0))
    np.testing.assert_allclose(log_ei.value(states(log_ei, alone), Z)[near], exact[near], atol=1e-6)


def test_fitted_values_are_the_predictive_at_the_training_points(alone):
    p = predictive(density_on(PLANE))
    conditioned = p.condition(alone.thinned(64), alone.data)
    np.testing.assert_allclose(conditioned.fitted, p(conditioned, alone.data.X)[0], rtol=1e-7, atol=1e-9)


def test_a_trial_again_is_worth_less_than_a_new_place(compiled, posterior):
    data, state = posterior.data, states(compiled, posterior)
    grid = np.random.default_rng(0).random((500, 2))
    assert compiled.value(state, grid).max() > compiled.value(state, data.X).max()


def test_what_is_believed_is_known_but_no_incumbent(log_ei, alone):
    # Beside a failed or pending point little can be learnt; what it was believed to be is nothing to beat.
    Q = alone.thinned(64)
    p = log_ei.predictive
    plain = log_ei.state(Q, evidence(alone))
    pending = np.array([[0.21, 0.79], [0.6, 0.9]])
    known = Evidence.of(p, alone, pending, 256, Feasibility())
    np.testing.assert_array_equal(known.believed_X, pending)
    np.testing.assert_allclose(known.believed_y, p.at(alone, pending, 256)[0].mean(axis=0))
    state = log_ei.state(Q, known)
    assert (p(state.draws, pending)[1] < p(plain.draws, pending)[1]).all()
    assert (log_ei.value(state, pending) < log_ei.value(plain, pending) - 1.0).all()
    low = Evidence(alone.data, pending, np.full(2, -50.0))
    state = log_ei.state(Q, low)
    assert (p(state.draws, pending)[0].min(axis=1) < state.known.arrays["incumbent"]).all()


def test_all_draws_in_parts_are_all_draws_at_once(compiled, posterior, Z):
    known, Q = evidence(posterior, FAILED), posterior.thinned(min(300, compiled.acquisition.most_draws))
    value, error, fitted = compiled.over_all_draws(Q, known, Z)
    state = compiled.state(Q, known)
    at_once = compiled.value(state, Z)
    np.testing.assert_allclose(fitted, state.draws.fitted.mean(axis=0), rtol=1e-10, atol=1e-12)
    # What is drawn of functions is drawn anew for each part, so that both sides have an error; where it is large, few
    # draws have all of the value, and it is not known either.
    draws_functions = not set(compiled.acquisition.known) <= {"incumbent"}
    allowed = 5.0 * np.sqrt(2.0) * error + 1e-3 if draws_functions else 1e-10 * np.abs(at_once)
    known = error < 0.3
    assert known.sum() >= 2
    assert (np.abs(value - at_once) <= allowed)[known].all()
    assert (error > 0.0).all()


def test_standard_error_is_that_of_replicates(compiled, posterior):
    # A bootstrap world: the posterior's draws are the population, replicates are samples of 128 of them. At the best
    # candidates, where a choice is made; where one draw in a thousand is all of the utility, no sample can know it.
    known, rng, pool = evidence(posterior), np.random.default_rng(3), posterior.thinned(1024)
    grid = rng.random((300, 2))
    best = grid[np.argsort(-compiled.value(states(compiled, posterior), grid))[:6]]
    # What is drawn of functions is drawn anew; the weighing of objectives is a proposal's own.
    seeds = [known.seed] * 80 if compiled.acquisition.name == "parego" else range(80)
    replicates = [
        compiled.over_all_draws(pool[rng.integers(len(pool), size=128)], replace(known, seed=seed), best)[:2]
        for seed in seeds
    ]
    values, errors = (np.array(a) for a in zip(*replicates, strict=True))
    # A standard deviation of 80 replicates is known to 8 %; the delta method is good to the square of the error.
    ratio = np.sqrt((errors**2).mean(axis=0)) / values.std(axis=0, ddof=1)
    # The cells of `optimum_entropy` are drawn too, and their choice is no draw that could be weighed otherwise.
    assert (ratio > (0.5 if compiled.acquisition.name == "optimum_entropy" else 0.7)).all()
    assert (ratio < 1.4).all()
