"""Surrogates that cannot work, or hardly: the right status, never an exception, and studies that go on."""

from __future__ import annotations

import numpy as np
import pytest
from posterior_checks import REPLICATES, Y, assert_unbiased, weighted_moments
from scipy import stats
from toy_surrogates import Broken, Funnel, Level, NoGradient, outcomes, toy_density

import bayeshpo
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.sequential import Sequential
from bayeshpo.registry import ENGINES, load

SAMPLERS = pytest.mark.parametrize("engine", [Sequential(), NUTS(draws=200, rounds=1)], ids=["sequential", "nuts"])


@SAMPLERS
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_density_that_is_finite_nowhere_fails_without_raising(engine, value):
    density = toy_density(Broken(value))
    posterior = engine.fit(density, outcomes(Y[:4]), rng=np.random.default_rng(0))
    assert posterior.report.status == "failed"
    assert posterior.report.reason
    # The next fit, with a previous one that failed, does not raise either.
    again = engine.fit(density, outcomes(Y[:5]), rng=np.random.default_rng(1), previous=posterior)
    assert again.report.status == "failed"


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_density_that_breaks_under_way_fails_without_raising(value):
    density, rng = toy_density(Broken(value)), np.random.default_rng(0)
    before = Sequential().fit(density, outcomes([]), rng=rng)
    assert before.report.status == "ok"
    after = Sequential().fit(density, outcomes(Y[:1]), rng=rng, previous=before)
    assert (after.report.status, after.report.action) == ("failed", "fell_back")


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("limit", [0.0, 2.0])
def test_half_a_density_or_a_fortieth_of_it_is_enough(value, limit):
    # N(0, 1) cut off below the limit.
    density = toy_density(Broken(value, limit))
    found = []
    for seed in range(REPLICATES):
        posterior = Sequential().fit(density, outcomes(Y[:1]), rng=np.random.default_rng(seed))
        assert posterior.report.status == "ok"
        assert (posterior.draws >= limit).all()
        found.append(weighted_moments(posterior)[0])
    exact = stats.truncnorm(limit, np.inf)
    assert_unbiased(found, exact.mean(), exact.std())


def test_a_single_draw_that_is_possible_is_not_an_error():
    posterior = Sequential().fit(toy_density(Broken(-np.inf, 3.1)), outcomes(Y[:1]), rng=np.random.default_rng(0))
    assert posterior.report.status in ("ok", "not_converged", "failed")
    assert (posterior.draws >= 3.1).all() == (posterior.report.status != "failed")


@SAMPLERS
def test_a_funnel_is_seen(engine):
    posterior = engine.fit(toy_density(Funnel()), outcomes(Y[:3]), rng=np.random.default_rng(0))
    v = posterior.draws[:, 0]
    right = abs(v.mean()) < 4.5 * 3.0 / 20.0 and abs(v.std() - 3.0) < 4.5 * 3.0 / np.sqrt(800.0)
    # Either the draws are right, or the report says that they are not.
    assert right or posterior.report.status != "ok" or (posterior.report.divergences or 0) > 0


# Every engine by its name, alone and in a study.

NEEDS_NO_GRADIENT = ("sequential", "smc", "prior")
BROKEN = {"funnel": Funnel(), "impossible start": Broken(-np.inf, 2.0), "no gradient": NoGradient()}


def engine(name):
    """A registered engine; NUTS without its longer rounds, which a funnel would make very long."""
    return NUTS(draws=200, rounds=1) if name == "nuts" else load("engine", name)()


def fitted(name, surrogate, n=4):
    return engine(name).fit(toy_density(surrogate), outcomes(Y[:n]), rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ENGINES)
def test_without_a_gradient_only_engines_that_need_none_go_on(name):
    posterior = fitted(name, NoGradient())
    report = posterior.report
    assert report.status == ("ok" if name in NEEDS_NO_GRADIENT else "failed")
    assert (report.reason is None) == (report.status == "ok")
    if report.status == "ok" and name != "prior":
        mean, sd, _ = Level().exact(Y[:4])
        estimated, spread = weighted_moments(posterior)
        assert abs(estimated[0] - mean) < 4.5 * sd / np.sqrt(report.ess_bulk_min)
        assert abs(spread[0] - sd) < 4.5 * sd / np.sqrt(2.0 * report.ess_bulk_min)


@pytest.mark.parametrize("name", ENGINES)
def test_an_impossible_starting_point_ends_in_the_right_posterior_or_status(name):
    # N(0, 1) above 2: PyMC's initial point, 0, and 98 of a hundred draws of the prior are impossible.
    posterior = fitted(name, Broken(-np.inf, 2.0))
    report, exact = posterior.report, stats.truncnorm(2.0, np.inf)
    if name in ("sequential", "smc"):
        assert report.status == "ok"
    if name in ("map", "laplace", "advi", "pathfinder"):
        # The density jumps at its mode: nothing there that a gradient could end at.
        assert report.status != "ok"
    if report.status == "ok" and name != "prior":
        assert (posterior.draws >= 2.0).all()
        error = exact.std() / np.sqrt(report.ess_bulk_min)
        assert abs(weighted_moments(posterior)[0][0] - exact.mean()) < 4.5 * error


@pytest.mark.parametrize("name", ENGINES)
def test_a_funnel_ends_in_the_right_posterior_or_status(name):
    posterior = fitted(name, Funnel())
    report = posterior.report
    if name in ("laplace", "advi", "pathfinder"):
        assert report.status == "not_converged"
        assert "k-hat" in report.reason
    elif name == "map":
        # The mode at v = -18, x = 0 is a point as good as any for an engine that claims no more.
        np.testing.assert_allclose(posterior.draws[0], [-18.0, 0.0, 0.0, 0.0, 0.0], atol=1e-3)
    elif report.status == "ok" and not report.divergences:
        v, ess = posterior.draws[:, 0], report.ess_bulk_min or posterior.size
        assert abs(v.mean()) < 4.5 * 3.0 / np.sqrt(ess)
        assert abs(v.std() - 3.0) < 4.5 * 3.0 / np.sqrt(2.0 * ess)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "kind",
    [pytest.param("funnel", marks=pytest.mark.slow), pytest.param("impossible start", marks=pytest.mark.slow),
     "no gradient"],
)  # fmt: skip
def test_a_study_goes_on_to_its_budget(kind, name):
    searcher = bayeshpo.BayesianSearcher(surrogate=BROKEN[kind], inference=engine(name), n_initial=2)
    study = bayeshpo.Study({"x": (0.0, 1.0)}, searcher)
    study.optimize(lambda c: (c["x"] - 0.6) ** 2, budget=4, progress=False)
    assert len(np.unique(study.history.X)) == 4
    assert [t.suggestion.origin for t in study.history.trials[:2]] == ["initial", "initial"]
    assert list(study.inference["n"]) == [2, 3]
    statuses = set(study.inference["status"])
    assert statuses <= {"ok", "not_converged", "failed"}
    if kind == "no gradient":
        assert statuses == {"ok" if name in NEEDS_NO_GRADIENT else "failed"}
    if statuses == {"failed"}:
        assert [t.suggestion.origin for t in study.history.trials[2:]] == ["exploration", "exploration"]
    assert study.recommendation in study.history.trials
    assert set(study.posterior.children) >= {"posterior", "prior", "observed_data"}
