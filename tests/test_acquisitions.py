"""Acquisitions: closed forms against quadrature and Monte Carlo, gradients against differences, invariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats
from surrogate_cases import PLANE, density_on, wavy

from bayeshpo.acquisitions.base import Evidence, compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement, log_h
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

NONE_FAILED = np.empty((0, 2))
FAILED = np.array([[0.2, 0.8], [0.25, 0.7]])


@pytest.fixture(scope="module")
def h():
    """log_h and its derivative."""
    z = pt.dvector("z")
    value = log_h(z)
    return function([z], [value, grad(pt.sum(value), z)], mode=UNCOMPILED)


@pytest.fixture(scope="module")
def compiled():
    return compiled_acquisition(LogExpectedImprovement(), predictive(density_on(PLANE)))


@pytest.fixture(scope="module")
def posterior():
    return Sequential().fit(density_on(PLANE), wavy(12), rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def Z():
    """Candidates away from the trials, where nothing has a kink."""
    rng = np.random.default_rng(5)
    candidates = rng.random((200, 2))
    apart = np.abs(candidates[:, None] - wavy(12).X[None]).max(axis=2).min(axis=1) > 0.05
    return candidates[apart][:12]


def exact_log_h(z):
    """log of the integral of t phi(t - z) over t > 0: for z < 0 with t = s / |z|, so that nothing cancels."""
    if z > -0.5:
        return np.log(stats.norm.pdf(z) + z * stats.norm.cdf(z))
    u = -z
    integral = integrate.quad(lambda s: s * np.exp(-s - 0.5 * (s / u) ** 2), 0.0, 60.0, epsabs=0.0, epsrel=1e-12)[0]
    return -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) - 2.0 * np.log(u) + np.log(integral)


ARGUMENTS = np.concatenate(
    [-np.geomspace(1e6, 1e-3, 90), [0.0], np.linspace(0.001, 10.0, 40), [-1.0, -50.0], [-1.0 - 1e-9, -50.0 + 1e-7]]
)


def test_log_h_by_quadrature(h):
    exact = np.array([exact_log_h(z) for z in ARGUMENTS])
    value = h(ARGUMENTS)[0]
    # In units of log EI what counts is the error beyond the rounding of the value itself.
    np.testing.assert_allclose(value, exact, rtol=4e-16, atol=1e-10)


def test_log_h_has_its_exact_derivative(h):
    # h' = Phi, so (log h)' = exp(log Phi - log h).
    value, slope = h(ARGUMENTS)
    near = ARGUMENTS > -1e3
    expected = np.exp(special.log_ndtr(ARGUMENTS[near]) - np.array([exact_log_h(z) for z in ARGUMENTS[near]]))
    np.testing.assert_allclose(slope[near], expected, rtol=1e-8)
    # Beyond, |z| (1 + 2 / z^2) by the asymptotic series of Phi and h.
    far = ARGUMENTS[~near]
    np.testing.assert_allclose(slope[~near], -far * (1.0 + 2.0 / far**2), rtol=1e-10)
    assert np.isfinite(value).all()
    assert (slope > 0.0).all()


def test_log_h_rises_without_steps(h):
    for seam in (-1.0, -50.0):
        z = seam + np.linspace(-1e-4, 1e-4, 41)
        value, slope = h(z)
        np.testing.assert_allclose(np.diff(value), 0.5 * (slope[1:] + slope[:-1]) * np.diff(z), atol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("advantage", [-2.5, -1.0, 0.0, 1.0, 4.0])
def test_expected_improvement_by_monte_carlo(scale, advantage):
    # One draw with mean -advantage x scale below an incumbent of 0.7.
    mean, incumbent, n = 0.7 - advantage * scale, 0.7, 400_000
    f = mean + scale * np.random.default_rng(1).standard_normal(n)
    improvement = np.maximum(incumbent - f, 0.0)
    error = improvement.std() / np.sqrt(n) / improvement.mean()
    found = LogExpectedImprovement().log_utility(
        pt.as_tensor([[mean]]), pt.as_tensor([[scale**2]]), pt.as_tensor([incumbent])
    )
    found = function([], found, mode=UNCOMPILED)().item()
    assert abs(found - np.log(improvement.mean())) < 4.5 * error


def test_finite_where_expected_improvement_underflows():
    m, v, b = pt.dmatrix("m"), pt.dmatrix("v"), pt.dvector("b")
    utility = LogExpectedImprovement().log_utility(m, v, b)
    f = function([m, v, b], [utility, *grad(pt.sum(utility), [m, v])], mode=UNCOMPILED)
    means, variances = np.meshgrid(np.array([-1e3, -1.0, 0.0, 1.0, 40.0, 1e3, 1e5]), np.geomspace(1e-12, 1e6, 19))
    for values in f(means, variances, np.zeros(19)):
        assert np.isfinite(values).all()


def evidence(posterior, failed=NONE_FAILED):
    """The trials of a posterior and failed ones, which are believed to be as low as nothing else."""
    data = replace(posterior.data, failed=failed)
    feasibility = Feasibility.of(data, posterior.density.columns, np.random.default_rng(0))
    return Evidence(data, failed, np.full(len(failed), -3.0), feasibility)


def states(compiled, posterior, failed=NONE_FAILED, n=64):
    return compiled.state(posterior.thinned(n), evidence(posterior, failed))


def test_value_is_the_log_of_the_mean_utility(compiled, posterior, Z):
    state = states(compiled, posterior)
    utilities = compiled.log_utilities(state, Z)
    assert utilities.shape == (64, len(Z))
    np.testing.assert_allclose(compiled.value(state, Z), special.logsumexp(utilities, axis=0) - np.log(64), rtol=1e-12)


def test_utilities_are_expected_improvements_of_the_predictive(compiled, posterior, Z):
    data, p = posterior.data, predictive(density_on(PLANE))
    conditioned = p.condition(posterior.thinned(64), data)
    (mean, variance), incumbent = p(conditioned, Z), p(conditioned, data.X)[0].min(axis=1)
    s = np.sqrt(variance)
    exact = np.vectorize(exact_log_h)((incumbent[:, None] - mean) / s)
    utilities = compiled.log_utilities(states(compiled, posterior), Z)
    np.testing.assert_allclose(utilities, np.log(s) + exact, rtol=1e-8, atol=1e-8)


def test_fitted_values_are_the_predictive_at_the_training_points(posterior):
    p = predictive(density_on(PLANE))
    conditioned = p.condition(posterior.thinned(64), posterior.data)
    np.testing.assert_allclose(conditioned.fitted, p(conditioned, posterior.data.X)[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("failed", [NONE_FAILED, FAILED], ids=["none failed", "some failed"])
def test_both_ways_to_the_value_agree(failed, compiled, posterior, Z):
    state = states(compiled, posterior, failed)
    np.testing.assert_allclose(
        compiled.value(state, Z), compiled.value_and_gradient(state, Z)[0], rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("failed", [NONE_FAILED, FAILED], ids=["none failed", "some failed"])
def test_gradient_at_candidates(failed, compiled, posterior, Z):
    state = states(compiled, posterior, failed)
    gradient = compiled.value_and_gradient(state, Z)[1]
    step = 1e-5
    for j in range(2):
        shift = step * np.eye(2)[j]
        differences = (compiled.value(state, Z + shift) - compiled.value(state, Z - shift)) / (2.0 * step)
        np.testing.assert_allclose(gradient[:, j], differences, rtol=1e-4, atol=1e-4)


def test_draws_counted_twice_change_nothing(compiled, posterior, Z):
    known, Q = evidence(posterior, FAILED), posterior.thinned(64)
    once = compiled.value(compiled.state(Q, known), Z)
    twice = compiled.value(compiled.state(np.concatenate([Q, Q]), known), Z)
    np.testing.assert_allclose(once, twice, rtol=1e-12)


def test_order_of_trials_and_of_candidates_does_not_matter(compiled, posterior, Z):
    data, order = posterior.data, np.random.default_rng(0).permutation(12)
    first = states(compiled, posterior, FAILED)
    data = replace(data, X=data.X[order], y=data.y[order], failed=FAILED[::-1])
    known = Evidence(data, FAILED[::-1], np.full(2, -3.0), evidence(posterior, FAILED).feasibility)
    second = compiled.state(posterior.thinned(64), known)
    value = compiled.value(first, Z)
    np.testing.assert_allclose(value, compiled.value(second, Z), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(value[::-1], compiled.value(first, Z[::-1]), rtol=1e-12)


def test_a_trial_again_is_worth_less_than_a_new_place(compiled, posterior):
    data, state = posterior.data, states(compiled, posterior)
    grid = np.random.default_rng(0).random((500, 2))
    assert compiled.value(state, grid).max() > compiled.value(state, data.X).max()


def test_what_is_believed_is_known_but_no_incumbent(compiled, posterior):
    # Beside a failed or pending point little can be learnt; what it was believed to be is nothing to beat.
    Q = posterior.thinned(64)
    p = compiled.predictive
    plain = compiled.state(Q, evidence(posterior))
    pending = np.array([[0.21, 0.79], [0.6, 0.9]])
    known = Evidence.of(p, posterior, pending, 256, Feasibility())
    np.testing.assert_array_equal(known.believed_X, pending)
    np.testing.assert_allclose(known.believed_y, p.at(posterior, pending, 256)[0].mean(axis=0))
    state = compiled.state(Q, known)
    assert (p(state.draws, pending)[1] < p(plain.draws, pending)[1]).all()
    assert (compiled.value(state, pending) < compiled.value(plain, pending) - 1.0).all()
    low = Evidence(posterior.data, pending, np.full(2, -50.0))
    assert (p(compiled.state(Q, low).draws, pending)[0].min(axis=1) < compiled.state(Q, low).incumbent).all()


def test_all_draws_in_parts_are_all_draws_at_once(compiled, posterior, Z):
    known, Q = evidence(posterior, FAILED), posterior.thinned(300)
    value, error = compiled.over_all_draws(Q, known, Z)
    np.testing.assert_allclose(value, compiled.value(compiled.state(Q, known), Z), rtol=1e-10)
    assert (error > 0.0).all()


def test_standard_error_is_that_of_replicates(compiled, posterior):
    # A bootstrap world: the posterior's draws are the population, replicates are samples of 250 of them. At the best
    # candidates, where a choice is made; where one draw in a thousand is all of the utility, no sample can know it.
    known, rng, pool = evidence(posterior), np.random.default_rng(3), posterior.thinned(1024)
    grid = rng.random((300, 2))
    best = grid[np.argsort(-compiled.value(states(compiled, posterior), grid))[:6]]
    replicates = [compiled.over_all_draws(pool[rng.integers(len(pool), size=250)], known, best) for _ in range(80)]
    values, errors = (np.array(a) for a in zip(*replicates, strict=True))
    # A standard deviation of 80 replicates is known to 8 %; the delta method is good to the square of the error.
    ratio = np.sqrt((errors**2).mean(axis=0)) / values.std(axis=0, ddof=1)
    assert (ratio > 0.7).all()
    assert (ratio < 1.4).all()
