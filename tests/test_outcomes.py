"""Outcomes that are not normal under one draw: by quadrature, by the likelihood itself, by trying."""

from __future__ import annotations

import itertools

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, stats
from surrogate_cases import PLANE, first, posterior_of, wavy

from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.inference.density import log_density
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.predicted import predicted
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.surrogates.base import NUGGET, Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.parametric import ParametricSurrogate
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.student_t import StudentTProcess
from bayeshpo.surrogates.warped_outcome import WarpedOutcomeGaussianProcess

COLUMNS, X = Columns.of(PLANE), np.array([[0.3, 0.7], [0.9, 0.2]])
Y = np.array([-8.0, -2.0, -0.3, 0.0, 0.4, 1.0, 3.0, 12.0])


def line(X, y, columns):
    """Outcomes with Laplace's distribution about a line, whose scale is not called noise."""
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        f = pm.Deterministic("f", pm.Normal("slope") * X[:, 0])
        pm.Laplace("outcome", f, pm.HalfNormal("spread"), observed=y)
    return model


class Line(ParametricSurrogate):
    """The same with a class."""

    name = "line"

    def priors(self, columns):
        return {"slope": register("slope", pm.Normal.dist()), "spread": register("spread", pm.HalfNormal.dist())}

    def latent(self, columns, p, X):
        return p["slope"] * X[:, 0]

    def likelihood(self, p, f, y):
        pm.Laplace("outcome", f, p["spread"], observed=y)


def case(surrogate, draws=6, n=8, seed=0):
    """Density, draws of the prior, and data."""
    density = log_density(surrogate, COLUMNS)
    data = surrogate.prepared(COLUMNS, wavy(n))
    return density, density.prior_draws(max(draws, 2), np.random.default_rng(seed))[:draws], data


def at_every(y, x):
    """Each outcome at one point."""
    return np.tile(x, (len(y), 1)), y


def test_students_t_is_added_to_what_is_not_known_of_f():
    density, Q, data = case(
        StudentTProcess(nu_prior=pm.Uniform.dist(1.0, 4.0), noise_prior=pm.LogNormal.dist(-2.0, 0.5))
    )
    of, p = predictive(density), density.constrain(Q)
    draws = of.condition(Q, data)
    found, below = of.outcome(draws, *at_every(Y, X[0]))
    mean, variance = (values[:, 0] for values in of(draws, X))
    for s in range(len(Q)):
        t, sd = stats.t(p["nu"][s], 0.0, p["noise"][s]), np.sqrt(variance[s] + NUGGET)

        def convolved(of_t, y, m=mean[s], sd=sd, width=p["noise"][s]):
            def integrand(f):
                return stats.norm.pdf(f, m, sd) * of_t(y - f)

            places = {m + 9.0 * sd * k for k in (-1, 0, 1)} | {y + width * k for k in (-30, -5, -1, 0, 1, 5, 30)}
            within = sorted(np.clip(list(places), m - 9.0 * sd, m + 9.0 * sd))
            return sum(integrate.quad(integrand, a, b)[0] for a, b in itertools.pairwise(within))

        # The mixture is within 0.002 of Student's log density up to 30 noise.
        near = np.abs(Y - mean[s]) < 30.0 * p["noise"][s]
        np.testing.assert_allclose(below[s], [convolved(t.cdf, y) for y in Y], atol=1e-3)
        expected = np.log([convolved(t.pdf, y) for y in Y])
        np.testing.assert_allclose(found[s][near], expected[near], atol=2e-3)
        assert near.any()


@pytest.mark.parametrize("surrogate", [Surrogate.from_model(line), Line()])
def test_a_models_own_likelihood_says_how_outcomes_are_distributed(surrogate):
    density, Q, data = case(surrogate)
    of, p = predictive(density), density.constrain(Q)
    found, below = of.outcome(of.condition(Q, data), *at_every(Y, X[0]))
    law = stats.laplace(p["slope"][:, None] * X[0, 0], p["spread"][:, None])
    np.testing.assert_allclose(below, law.cdf(Y), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found, law.logpdf(Y), rtol=1e-6)


def test_a_loss_is_scored_by_the_average_over_draws_in_its_own_unit():
    density, Q, data = case(Line())
    data = TrainingData(data.X, data.y, 0.5, 2.0, data.failed)
    [found] = foresee(posterior_of(density, Q, data), X[:1], np.array([1.3])) or []
    p = density.constrain(Q)
    law = stats.laplace(p["slope"] * X[0, 0], p["spread"])
    assert found.pit == pytest.approx(law.cdf(0.4).mean(), rel=1e-9)
    assert found.log_score == pytest.approx(np.log(law.pdf(0.4).mean() / 2.0), rel=1e-9)


def without_distribution(X, y, columns):
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        f = pm.Deterministic("f", pm.Normal("slope") * X[:, 0])
        pm.Potential("outcome", -((f - y) ** 2).sum())
    return model


def with_several(X, y, columns):
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        f = pm.Deterministic("f", pm.Normal("slope") * X[:, 0])
        noise = pm.HalfNormal("noise")
        pm.Normal("outcome", f, noise, observed=y)
        pm.Normal("more", f, noise, observed=y**2)
    return model


@pytest.mark.parametrize("build", [without_distribution, with_several])
def test_a_model_that_does_not_say_is_not_scored(build):
    density, Q, data = case(Surrogate.from_model(build))
    assert not predictive(density).says_outcome
    assert foresee(posterior_of(density, Q, data), X[:1], np.array([1.3])) is None
    assert "posterior_predictive" not in predicted(posterior_of(density, Q, data), np.random.default_rng(0))


@pytest.mark.parametrize(
    "surrogate",
    [
        GaussianProcess(),
        StudentTProcess(nu_prior=pm.Uniform.dist(1.0, 2.0)),
        WarpedOutcomeGaussianProcess(bend_prior=pm.LogNormal.dist(1.0, 0.1)),
        Surrogate.from_model(line),
        Line(),
    ],
    ids=lambda s: s.name,
)
def test_drawn_outcomes_are_so_distributed(surrogate):
    # One draw of the hyperparameters many times over; the mixture for Student's t is off by less than the test sees.
    density, Q, data = case(surrogate, 1, 3, seed=4)
    many = posterior_of(density, np.repeat(Q, 2000, axis=0), data)
    replicated = predicted(many, np.random.default_rng(1))["posterior_predictive"]["outcome"].to_numpy()[0]
    of = predictive(density)
    draws = of.condition(Q, data)
    for x, y in zip(data.X, replicated.T.astype(float), strict=True):
        _, [below] = of.outcome(draws, *at_every(y, x))
        assert stats.kstest(below, "uniform").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "surrogate",
    [
        StudentTProcess(nu_prior=pm.Uniform.dist(1.0, 1.5), noise_prior=pm.LogNormal.dist(-1.0, 0.5)),
        WarpedOutcomeGaussianProcess(bend_prior=pm.LogNormal.dist(1.0, 0.5), noise_prior=pm.LogNormal.dist(-1.0, 0.5)),
    ],
    ids=lambda s: s.name,
)
def test_places_of_outcomes_are_uniform_where_the_model_is_right(surrogate):
    # 4 trials more than are fitted, of each of 60 functions, one after the other: all places are independent.
    density, rng, fitted = log_density(surrogate, COLUMNS), np.random.default_rng(0), 10
    points = PLANE.sample(fitted + 4, rng)
    _, outcomes = simulated(density, TrainingData(points, np.zeros(len(points)), 0.0, 1.0, points[:0], -1.5), 60, rng)
    places = []
    for data in outcomes:
        known = surrogate.prepared(COLUMNS, first(data, fitted))
        posterior = Sequential().fit(density, known, rng=rng)
        said = foresee(posterior, data.X[fitted:], data.y[fitted:])
        assert said is not None
        places += [one.pit for one in said]
    assert stats.kstest(places, "uniform").pvalue > 1e-3
