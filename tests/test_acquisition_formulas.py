"""Formulas of acquisitions: against quadrature and Monte Carlo, and where floating-point numbers end."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate, special, stats
from scipy.optimize import brentq
from surrogate_cases import WHOLE

from bayeshpo.acquisitions.base import Candidates
from bayeshpo.acquisitions.ei import ExpectedImprovement
from bayeshpo.acquisitions.hypervolume import ExpectedHypervolumeImprovement, corners
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.normal import log_cdf, log_h
from bayeshpo.acquisitions.parego import ChebyshevImprovement
from bayeshpo.acquisitions.pi import ProbabilityOfImprovement
from bayeshpo.acquisitions.ucb import UpperConfidenceBound
from bayeshpo.acquisitions.variance import PredictiveVariance
from bayeshpo.errors import SpecificationError
from bayeshpo.pareto import hypervolume
from bayeshpo.registry import create
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt


def with_derivative(symbolic):
    z = pt.dvector("z")
    value = symbolic(z)
    return function([z], [value, grad(pt.sum(value), z)], mode=UNCOMPILED)


@pytest.fixture(scope="module")
def h():
    """log_h and its derivative."""
    return with_derivative(log_h)


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


def test_finite_where_expected_improvement_underflows():
    m, v, b = pt.dmatrix("m"), pt.dmatrix("v"), pt.dvector("b")
    utility = LogExpectedImprovement().log_utility(m, v, b)
    f = function([m, v, b], [utility, *grad(pt.sum(utility), [m, v])], mode=UNCOMPILED)
    means, variances = np.meshgrid(np.array([-1e3, -1.0, 0.0, 1.0, 40.0, 1e3, 1e5]), np.geomspace(1e-12, 1e6, 19))
    for values in f(means, variances, np.zeros(19)):
        assert np.isfinite(values).all()


def test_log_cdf_and_its_derivative():
    value, slope = with_derivative(log_cdf)(ARGUMENTS)
    np.testing.assert_allclose(value, special.log_ndtr(ARGUMENTS), rtol=1e-13, atol=1e-15)
    near = ARGUMENTS > -1e3
    expected = np.exp(stats.norm.logpdf(ARGUMENTS[near]) - special.log_ndtr(ARGUMENTS[near]))
    np.testing.assert_allclose(slope[near], expected, rtol=1e-8, atol=1e-300)
    # Beyond, phi / Phi is |z| (1 + 1 / z^2).
    far = ARGUMENTS[~near]
    np.testing.assert_allclose(slope[~near], -far * (1.0 + 1.0 / far**2), rtol=1e-10)


@cache
def formula(acquisition):
    """Value (m,) and derivatives by what draws say, from that, what is known (S, ...) and weight (S, m)."""
    moments = pt.dtensor3 if acquisition.objectives else pt.dmatrix
    at = [moments("mean"), moments("variance")]
    if acquisition.joint:
        at.append(pt.dtensor3("covariance"))
    if acquisition.noisy:
        at.append(pt.dmatrix("noise"))
    known = {name: pt.tensor(name, dtype="float64", shape=(None,) * ndim) for name, ndim in acquisition.known.items()}
    inputs = [*at, *known.values(), pt.dmatrix("weight")]
    value = acquisition.over_draws(Candidates(*at), SimpleNamespace(**known), inputs[-1])
    outputs = [value, *grad(pt.sum(value), at, disconnected_inputs="ignore")]
    return function(inputs, outputs, mode=UNCOMPILED, on_unused_input="ignore")


def of(acquisition, *inputs):
    return formula(acquisition)(*inputs)


def moments(seed, scale=1.0, S=5, m=4):
    """Means, variances, incumbents and weights of a few draws at a few candidates."""
    rng = np.random.default_rng(seed)
    weight = np.tile(rng.dirichlet(np.ones(S))[:, None], (1, m))
    mean, variance = scale * rng.standard_normal((S, m)), (scale * rng.uniform(0.2, 2.0, (S, m))) ** 2
    return mean, variance, scale * (rng.standard_normal(S) - 1.0), weight


def simulated(utility, mean, variance, incumbent, weight, n=200_000):
    """Mean (m,) of utility(f, incumbent) over draws and f, and its standard error."""
    rng = np.random.default_rng(0)
    f = mean + np.sqrt(variance) * rng.standard_normal((n, *mean.shape))
    # All draws have the same share of the n, and their own weight.
    values = (weight * utility(f, incumbent[:, None])).sum(axis=1)
    return values.mean(axis=0), values.std(axis=0) / np.sqrt(n)


SCALES = pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])


@SCALES
@pytest.mark.parametrize("seed", range(3))
def test_expectations_by_monte_carlo(seed, scale):
    inputs = moments(seed, scale)
    exact, error = simulated(lambda f, b: np.maximum(b - f, 0.0), *inputs)
    for found in (of(ExpectedImprovement(), *inputs)[0], np.exp(of(LogExpectedImprovement(), *inputs)[0])):
        assert (np.abs(found - exact) < 4.5 * error).all()
    margin = 0.3 * scale
    exact, error = simulated(lambda f, b: f < b - margin, *inputs)
    assert (np.abs(np.exp(of(ProbabilityOfImprovement(margin), *inputs)[0]) - exact) < 4.5 * error).all()


@SCALES
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.1, 2.0, 5.0])
def test_confidence_bounds(seed, beta, scale):
    mean, variance, incumbent, weight = moments(seed, scale)
    s, probability = np.sqrt(variance), stats.norm.cdf(-beta)
    found = of(UpperConfidenceBound(beta), mean, variance, incumbent, weight)[0]
    np.testing.assert_allclose(found, -(weight * stats.norm.ppf(probability, mean, s)).sum(axis=0), rtol=1e-10)

    def below(q, j):
        return weight[:, j] @ stats.norm.cdf(q, mean[:, j], s[:, j]) - probability

    quantiles = [brentq(below, -50.0 * scale, 50.0 * scale, args=(j,), xtol=1e-13 * scale) for j in range(4)]
    found = of(UpperConfidenceBound(beta, marginal=True), mean, variance, incumbent, weight)[0]
    np.testing.assert_allclose(-found, quantiles, rtol=1e-7, atol=1e-9 * scale)


def test_bounds_of_one_draw_are_the_same():
    mean, variance, incumbent, _ = moments(0, S=1)
    one = np.ones_like(mean)
    a, b = (of(UpperConfidenceBound(1.5, marginal), mean, variance, incumbent, one)[0] for marginal in (False, True))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_variance_is_that_of_the_mixture():
    mean, variance, incumbent, weight = moments(1)
    exact = (weight * (variance + mean**2)).sum(axis=0) - (weight * mean).sum(axis=0) ** 2
    np.testing.assert_allclose(of(PredictiveVariance(), mean, variance, incumbent, weight)[0], np.log(exact))


ALL = [
    *((name, create("acquisition", name, {})) for name in WHOLE),
    ("marginal", UpperConfidenceBound(1.0, True)),
]


def told(acquisition, seed, S=5, m=4, R=3):
    """What a formula takes of a few draws and candidates, in a possible order of size, by name."""
    rng = np.random.default_rng(seed)
    mean, variance, incumbent, weight = moments(seed, S=S, m=m)
    there = rng.uniform(0.5, 2.0, (S, R))
    correlation = rng.uniform(-0.5, 0.5, (S, m, R))
    known = {
        "incumbent": incumbent,
        "minimum": mean.min(axis=1)[:, None] - rng.uniform(0.1, 1.0, (S, R)),
        "mean_there": rng.standard_normal((S, R)),
        "variance_there": there,
        "best": incumbent[:, None] + rng.standard_normal((S, R)),
        "pull": rng.standard_normal((S, R, R) if acquisition.known.get("pull") == 3 else (S, R)),
        "whitening": np.linalg.inv(np.linalg.cholesky(np.eye(R) * 4.0 + rng.uniform(-1.0, 1.0))).T * np.ones((S, 1, 1)),
        "cell": np.eye(2)[rng.integers(2, size=(S, R))],
        "slope": rng.uniform(0.2, 1.0, (S, 2)),
        "offset": rng.standard_normal((S, 2)),
    }
    if acquisition.objectives:
        mean, variance = rng.standard_normal((S, m, 2)), rng.uniform(0.2, 2.0, (S, m, 2))
    if acquisition.name == "hypervolume":
        known["lower"], known["upper"] = corners(rng.standard_normal((S, R, 2)), np.full(2, 1.5))
    at = [mean, variance]
    if acquisition.joint:
        at.append(correlation * np.sqrt(variance[:, :, None] * there[:, None, :]))
    if acquisition.noisy:
        at.append(rng.uniform(0.1, 0.5, (S, m)))
    return at, [known[name] for name in acquisition.known], weight


EVERY = pytest.mark.parametrize("acquisition", [a for _, a in ALL], ids=[name for name, _ in ALL])


@EVERY
def test_slopes_of_the_formula(acquisition):
    at, known, weight = told(acquisition, 4)
    slopes = of(acquisition, *at, *known, weight)[1:]
    for which, slope in enumerate(slopes):
        for i in range(len(weight)):
            for index in np.ndindex(slope.shape[2:]):
                step = np.zeros_like(at[which])
                step[(i, slice(None), *index)] = 1e-5
                up, down = (
                    of(acquisition, *(x + sign * step if k == which else x for k, x in enumerate(at)), *known, weight)[
                        0
                    ]
                    for sign in (1.0, -1.0)
                )
                np.testing.assert_allclose(slope[(i, slice(None), *index)], (up - down) / 2e-5, rtol=1e-4, atol=1e-6)


@EVERY
def test_draws_counted_twice_with_half_the_weight_change_nothing(acquisition):
    at, known, weight = told(acquisition, 5)
    once = of(acquisition, *at, *known, weight)[0]
    twice = of(acquisition, *(np.concatenate([x, x]) for x in (*at, *known)), np.concatenate([weight, weight]) / 2.0)[0]
    np.testing.assert_allclose(once, twice, rtol=1e-10)


@EVERY
def test_order_of_draws_does_not_matter(acquisition):
    (at, known, weight), order = told(acquisition, 6), [3, 0, 4, 2, 1]
    shuffled = of(acquisition, *(x[order] for x in (*at, *known)), weight[order])[0]
    np.testing.assert_allclose(of(acquisition, *at, *known, weight)[0], shuffled, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 30.0])
@pytest.mark.parametrize("K", [2, 3])
def test_hypervolume_by_monte_carlo(K, scale):
    rng, S, m, n = np.random.default_rng(K), 3, 2, 20_000
    fronts, reference = scale * rng.standard_normal((S, 4, K)), scale * np.full(K, 1.5)
    mean, variance = scale * rng.standard_normal((S, m, K)), (scale * rng.uniform(0.3, 1.5, (S, m, K))) ** 2
    weight = np.tile(rng.dirichlet(np.ones(S))[:, None], (1, m))
    lower, upper = corners(fronts, reference)
    found = np.exp(of(ExpectedHypervolumeImprovement(), mean, variance, lower, upper, weight)[0])
    f = (mean + np.sqrt(variance) * rng.standard_normal((n, S, m, K)))[:, :, :, None]
    inside = np.prod(np.maximum(upper[:, None] - np.maximum(lower[:, None], f), 0.0), axis=4)
    gains = (weight * inside.sum(axis=3)).sum(axis=1)
    assert (np.abs(found - gains.mean(axis=0)) < 4.5 * gains.std(axis=0) / np.sqrt(n)).all()
    # The boxes' volume is what a point adds.
    y = mean[0, 0] - scale
    added = hypervolume(np.vstack([fronts[0], y]), reference) - hypervolume(fronts[0], reference)
    assert np.prod(np.maximum(upper[0] - np.maximum(lower[0], y), 0.0), axis=1).sum() == pytest.approx(added)


def test_hypervolume_is_finite_far_from_anything_that_could_be_gained():
    lower, upper = corners(np.array([[[0.0, 1.0], [1.0, 0.0]]]), np.full(2, 2.0))
    mean = np.full((1, 3, 2), np.array([10.0, 1e3, 1e5])[:, None])
    for values in of(ExpectedHypervolumeImprovement(), mean, np.ones_like(mean), lower, upper, np.ones((1, 3))):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("shift", [-30.0, -3.0, 0.0, 2.0, 50.0])
def test_weighed_objectives_by_quadrature(shift):
    rng, S, m, K = np.random.default_rng(1), 3, 2, 3
    mean, variance = rng.standard_normal((S, m, K)) - shift, rng.uniform(0.2, 2.0, (S, m, K))
    slope, offset, incumbent = rng.uniform(0.2, 1.0, (S, K)), rng.standard_normal((S, K)), rng.standard_normal(S)
    weight = np.tile(rng.dirichlet(np.ones(S))[:, None], (1, m))
    m_, s_ = slope[:, None] * mean - offset[:, None], slope[:, None] * np.sqrt(variance)

    def improvement(s, j):
        """In units of the integrand at 0, which may be tiny."""

        def log_integrand(u):
            return special.log_ndtr((incumbent[s] - u - m_[s, j]) / s_[s, j]).sum()

        kinks = np.clip(incumbent[s] - m_[s, j], 0.0, None)
        end = max(kinks.max() + 12.0 * s_.max(), 1.0)
        points = np.unique(np.concatenate([kinks[kinks > 0.0], np.geomspace(1e-3, end / 2.0, 20)]))
        value = integrate.quad(
            lambda u: np.exp(log_integrand(u) - log_integrand(0.0)), 0.0, end, points=points, limit=400, epsrel=1e-10
        )[0]
        return np.log(value) + log_integrand(0.0)

    exact = [special.logsumexp([improvement(s, j) + np.log(weight[s, j]) for s in range(S)]) for j in range(m)]
    found = of(ChebyshevImprovement(), mean, variance, slope, offset, incumbent, weight)[0]
    np.testing.assert_allclose(found, exact, atol=2e-4)


def test_expected_improvement_underflows_and_says_so_by_a_flat_zero():
    value, by_mean, _ = of(ExpectedImprovement(), np.full((1, 1), 60.0), np.ones((1, 1)), np.zeros(1), np.ones((1, 1)))
    assert (value.item(), by_mean.item()) == (0.0, 0.0)


@pytest.mark.parametrize("make", [
    lambda: ProbabilityOfImprovement(-0.1), lambda: ProbabilityOfImprovement(np.nan), lambda: UpperConfidenceBound(0.0),
    lambda: UpperConfidenceBound(np.inf),
    *(lambda name=name, argument=argument, value=value: create("acquisition", name, {argument: value})
      for name, argument, value in (
          ("max_value_entropy", "minima", 0), ("joint_entropy", "minima", -1), ("scorebo", "minima", 2.5),
          ("noisy_ei", "paths", 0), ("knowledge_gradient", "places", 0), ("optimum_entropy", "cells", 0),
          ("optimum_entropy", "minima", True),
      )),
])  # fmt: skip
def test_arguments_without_a_meaning_are_refused(make):
    with pytest.raises(SpecificationError, match="expected"):
        make()
