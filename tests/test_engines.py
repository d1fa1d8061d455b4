"""The contract of every registered inference engine, and what approximations get right and admit to get wrong."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.integrate import quad
from surrogate_cases import PLANE, density_on, wavy
from toy_surrogates import Funnel

from bayeshpo.inference.advi import ADVI
from bayeshpo.inference.compilation import COMPILATIONS, Stopwatch, compiling
from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.inference.importance import pareto_smoothed
from bayeshpo.inference.laplace import Laplace
from bayeshpo.inference.map import MAP
from bayeshpo.inference.pathfinder import Pathfinder, gaussians_on_path
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.prior import Prior
from bayeshpo.inference.smc import SMC
from bayeshpo.randomness import Streams
from bayeshpo.registry import ENGINES, load
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.testing.trials import history_of

N = 12
WEIGHED = [Laplace(), ADVI(), ADVI(full_rank=True), Pathfinder()]


class Bare(Surrogate):
    """A surrogate without a predictive."""

    def condition(self, columns, p, X, y):
        raise NotImplementedError

    def predict(self, columns, p, state, X, Z):
        raise NotImplementedError


@dataclass(frozen=True)
class LinearRegression(Bare):
    """beta ~ N(0, I), y ~ N(X beta, 0.5): a normal posterior."""

    name = "linear_regression"

    def model(self, columns, X, y):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            beta = pm.Normal("beta", 0.0, 1.0, shape=columns.dimension)
            pm.Normal("outcome", X @ beta, 0.5, observed=y)
        return model


@dataclass(frozen=True)
class Square(Bare):
    """root ~ N(0.3, 1), y ~ N(root^2, 0.3): two modes."""

    name = "square"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            y = pm.Data("y", y)
            root = pm.Normal("root", 0.3, 1.0)
            pm.Normal("outcome", root**2, 0.3, observed=y)
        return model


@dataclass(frozen=True)
class Impossible(Bare):
    """No parameter value has a density once there are data."""

    name = "impossible"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            y = pm.Data("y", y)
            level = pm.Normal("level", 0.0, 1.0)
            pm.Potential("outcome", pt.switch(y.shape[0] > 0, np.nan * level, 0.0))
        return model


def bare_data(X, y) -> TrainingData:
    X, y = np.atleast_2d(np.asarray(X, dtype=float)), np.asarray(y, dtype=float)
    return TrainingData(X, y, 0.0, 1.0, np.empty((0, X.shape[1])))


def bare_density(surrogate, D=1) -> LogDensity:
    return log_density(surrogate, Columns(tuple("abcde"[:D]), ()))


@cache
def fitted(name: str) -> Posterior:
    """The engine's posterior on a small Gaussian process problem."""
    return load("engine", name)().fit(density_on(PLANE), wavy(N), rng=np.random.default_rng(7))


def weighted(posterior: Posterior, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error of values (S, ...) under a posterior of independent draws."""
    logs = np.zeros(posterior.size) if posterior.log_weights is None else posterior.log_weights.ravel()
    w = np.exp(logs - logs.max())
    w = (w / w.sum()).reshape(-1, *[1] * (values.ndim - 1))
    mean = (w * values).sum(axis=0)
    return mean, np.sqrt((w**2 * (values - mean) ** 2).sum(axis=0))


@pytest.mark.parametrize("name", ENGINES)
def test_posterior_and_report_agree(name):
    posterior, report = fitted(name), fitted(name).report
    assert posterior.unconstrained.shape == (report.chains, report.draws, density_on(PLANE).dimension)
    assert np.isfinite(posterior.unconstrained).all()
    assert report.engine == name == load("engine", name).name
    assert report.n == N
    assert report.status in ("ok", "not_converged")
    assert (report.reason is None) == (report.status == "ok")
    assert report.seconds_sample > 0.0
    assert report.seconds_compile >= 0.0
    assert all(np.shape(v) == (report.chains, report.draws) for v in posterior.sample_stats.values())
    json.dumps(report.to_row(), allow_nan=False)
    if posterior.log_weights is not None:
        assert posterior.log_weights.shape == (report.chains, report.draws)
        assert np.exp(posterior.log_weights).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", ENGINES)
def test_diagnostics_are_the_ones_that_exist(name):
    report = fitted(name).report
    chains_mix = name in ("sequential", "nuts", "smc")
    audited = name in ("laplace", "advi", "pathfinder")
    assert (report.rhat_max is not None) == chains_mix
    assert (report.ess_bulk_min is not None) == (chains_mix or audited)
    if audited:
        assert report.khat is not None
        assert report.status == ("ok" if report.khat <= 0.7 and report.ess_bulk_min > 400 else "not_converged")


@pytest.mark.parametrize("name", ENGINES)
def test_posterior_serves_its_users(name):
    posterior = fitted(name)
    assert posterior.thinned(64).shape == (min(64, posterior.size), density_on(PLANE).dimension)
    mean, variance = predictive(posterior.density).at(posterior, np.full((3, 2), 0.4), 64)
    assert mean.shape == variance.shape == (min(64, posterior.size), 3)
    assert np.isfinite(mean).all()
    assert (variance > 0.0).all()
    tree = posterior.to_datatree()
    assert tree["posterior"]["lengthscale"].dims == ("chain", "draw", "hyperparameter")
    assert (tree["posterior"]["noise"].to_numpy() > 0.0).all()


@pytest.mark.parametrize("name", ENGINES)
def test_same_generator_same_posterior(name):
    again = load("engine", name)().fit(density_on(PLANE), wavy(N), rng=np.random.default_rng(7))
    np.testing.assert_array_equal(again.unconstrained, fitted(name).unconstrained)
    np.testing.assert_equal(again.log_weights, fitted(name).log_weights)


@pytest.mark.parametrize("name", ENGINES)
def test_searcher_suggests_with_any_engine(name):
    rng = np.random.default_rng(0)
    configurations = PLANE.decode(rng.random((6, 2)))
    history = history_of(PLANE, configurations, [np.sin(5.0 * c["x"]) + c["z"] for c in configurations])
    searcher = BayesianSearcher(inference=name, n_initial=4)
    [suggestion] = searcher.ask(history, 1, Streams("engines", 0))
    assert suggestion.origin == "acquisition"
    [row] = searcher.reports()
    assert row["engine"] == name
    assert np.isfinite(row["acquisition"])


@pytest.mark.parametrize("engine", [Prior(draws=1000), Laplace(), ADVI(), Pathfinder(), SMC()], ids=lambda e: e.name)
def test_without_data_the_posterior_is_the_prior(engine):
    data = bare_data(np.empty((0, 3)), np.empty(0))
    posterior = engine.fit(bare_density(LinearRegression(), 3), data, rng=np.random.default_rng(0))
    draws = posterior.draws
    assert posterior.report.status == "ok"
    assert np.abs(draws.mean(axis=0)).max() < 5.0 / np.sqrt(posterior.report.ess_bulk_min or len(draws))


@pytest.mark.parametrize("engine", [MAP(), SMC(), *WEIGHED], ids=lambda e: e.name)
def test_density_that_is_nowhere_finite_is_a_failed_status(engine):
    data = bare_data([[0.0]], [0.0])
    posterior = engine.fit(bare_density(Impossible()), data, rng=np.random.default_rng(0))
    assert posterior.report.status == "failed"
    assert "finite" in posterior.report.reason
    assert np.isfinite(posterior.unconstrained).all()


def regression() -> tuple[LogDensity, TrainingData, np.ndarray, np.ndarray]:
    """A density and data with the exact mean (3,) and precision (3, 3) of the posterior: correlated, unequal scales."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((15, 3)) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.3, 0.1], [0.0, 0.0, 3.0]])
    y = X @ np.array([0.5, -1.0, 0.2]) + 0.5 * rng.standard_normal(15)
    H = np.eye(3) + X.T @ X / 0.25
    return bare_density(LinearRegression(), 3), bare_data(X, y), np.linalg.solve(H, X.T @ y / 0.25), H


@pytest.mark.parametrize("engine", [Laplace(weigh=False), ADVI(full_rank=True, weigh=False)], ids=lambda e: e.name)
def test_gaussian_target_is_met_exactly(engine):
    density, data, mean, H = regression()
    posterior = engine.fit(density, data, rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    # The draws are independent N(mean, H^-1): whitened, each moment has its textbook standard error.
    z = (posterior.draws - mean) @ np.linalg.cholesky(H)
    S = len(z)
    assert np.abs(z.mean(axis=0)).max() < 4.5 / np.sqrt(S)
    assert np.abs(z.T @ z / S - np.eye(3)).max() < 4.5 * np.sqrt(2.0 / S)
    # Equal weights, up to the optimiser's tolerance: every draw counts.
    assert posterior.report.ess_bulk_min > 0.999 * S


def test_mean_field_on_a_gaussian_has_the_conditional_scales():
    density, data, mean, H = regression()
    draws = ADVI(weigh=False).fit(density, data, rng=np.random.default_rng(0)).draws
    z = (draws - mean) * np.sqrt(np.diag(H))
    assert np.abs(z.mean(axis=0)).max() < 4.5 / np.sqrt(len(z))
    assert np.abs(z.std(axis=0) - 1.0).max() < 4.5 / np.sqrt(2.0 * len(z))


def test_pathfinder_on_a_gaussian():
    density, data, mean, H = regression()
    posterior = Pathfinder().fit(density, data, rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    z = (posterior.draws - mean) @ np.linalg.cholesky(H)
    for values, truth in ((z, np.zeros(3)), (z[:, :, None] * z[:, None, :], np.eye(3))):
        estimate, error = weighted(posterior, values)
        assert (np.abs(estimate - truth) < 4.5 * error).all()


def test_map_of_a_gaussian_is_its_mean():
    density, data, mean, _ = regression()
    posterior = MAP().fit(density, data, rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    np.testing.assert_allclose(posterior.draws[0], mean, atol=1e-4)


def test_compact_gaussian_is_a_gaussian_that_solves_the_secant_equation():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((8, 8))
    H = A @ A.T + np.eye(8)
    points = np.cumsum(rng.standard_normal((12, 8)), axis=0)
    gaussian = gaussians_on_path(points, points @ H)[-1]
    root = gaussian.scale[:, None] * (
        np.eye(8) + gaussian.basis @ (gaussian.inner - np.eye(gaussian.inner.shape[0])) @ gaussian.basis.T
    )
    covariance = root @ root.T
    s, y = points[-1] - points[-2], (points[-1] - points[-2]) @ H
    np.testing.assert_allclose(covariance @ y, s, rtol=1e-7)
    np.testing.assert_allclose(gaussian.mean, points[-1] - covariance @ (H @ points[-1]), rtol=1e-7)
    Q = gaussian.draws(5, rng)
    exact = stats.multivariate_normal(gaussian.mean, covariance).logpdf(Q)
    np.testing.assert_allclose(gaussian.log_density(Q), exact, rtol=1e-8)


@pytest.mark.parametrize("engine", [SMC(), Pathfinder()], ids=lambda e: e.name)
def test_two_modes_have_their_weights(engine):
    def unnormalised(root, y=1.0):
        return stats.norm(0.3, 1.0).pdf(root) * stats.norm(root**2, 0.3).pdf(y)

    right = quad(unnormalised, 0.0, 4.0)[0]
    whole = right + quad(unnormalised, -4.0, 0.0)[0]
    posterior = engine.fit(bare_density(Square()), bare_data([[0.0]], [1.0]), rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    share, _ = weighted(posterior, (posterior.draws[:, 0] > 0.0).astype(float))
    p = right / whole
    assert abs(share - p) < 4.5 * np.sqrt(p * (1.0 - p) / posterior.report.ess_bulk_min)
    if posterior.report.evidence_increment is not None:
        # Each tempering step adds the relative variance of its weights over the population, below 1 a draw.
        assert posterior.report.evidence_increment == pytest.approx(
            np.log(whole), abs=4.5 * np.sqrt(5 / posterior.size)
        )


@pytest.mark.parametrize("engine", WEIGHED, ids=["laplace", "mean_field", "full_rank", "pathfinder"])
def test_khat_flags_an_approximation_that_does_not_fit(engine):
    report = engine.fit(bare_density(Funnel(width=9)), bare_data([[0.0]], [0.0]), rng=np.random.default_rng(0)).report
    assert report.status == "not_converged"
    # The estimate of a k-hat beyond 0.7 errs by some 1.7 / sqrt(3 sqrt(S)), 0.17 with 1,000 draws.
    assert report.khat > 0.7 - 2.0 * 0.17
    assert "k-hat" in report.reason


@pytest.mark.parametrize("shape", [0.2, 0.5, 1.0])
def test_khat_is_the_shape_of_pareto_weights(shape):
    # exp(shape E) with E ~ Exp(1) has a Pareto tail of this shape; the fit uses 3 sqrt(S) of the draws.
    S = 20_000
    importance = pareto_smoothed(shape * np.random.default_rng(0).exponential(size=S))
    assert abs(importance.khat - shape) < 4.0 * (1.0 + shape) / np.sqrt(3.0 * np.sqrt(S))
    assert importance.reliable == (shape < 0.7)


def test_weights_at_the_edges():
    equal = pareto_smoothed(np.full(100, -3.0))
    assert equal.khat == 0.0
    assert equal.effective == pytest.approx(100.0)
    assert pareto_smoothed(np.full(100, -np.inf)) is None
    one = pareto_smoothed(np.where(np.arange(100) == 7, 0.0, np.nan))
    assert one.khat == np.inf
    assert not one.reliable
    assert one.effective == pytest.approx(1.0)


def test_what_another_thread_compiles_takes_no_time_of_this_one():
    begun, over = threading.Event(), threading.Event()

    def compile_elsewhere():
        with compiling("something else"):
            begun.set()
            over.wait()

    thread = threading.Thread(target=compile_elsewhere)
    thread.start()
    begun.wait()
    watch = Stopwatch()
    with compiling("something"):
        pass
    over.set()
    thread.join()
    seconds = watch.seconds()
    assert [what for what, _, _ in COMPILATIONS.entries[-2:]] == ["something", "something else"]
    assert seconds["seconds_compile"] == pytest.approx(COMPILATIONS.entries[-2][1])
    assert seconds["seconds_sample"] > 0.0


def test_first_call_on_two_cores_compiles_once(monkeypatch):
    monkeypatch.setenv("BAYESHPO_CORES", "2")
    density = LogDensity(Square(), Columns(("x",), ()))
    before = len(COMPILATIONS.entries)
    density.batch(np.zeros((20_000, 1)), bare_data(np.zeros((2, 1)), np.ones(2)))
    assert len(COMPILATIONS.entries) == before + 1


@pytest.mark.parametrize(
    "arguments", [{"prior_share": 1.0}, {"prior_share": -0.1}, {"prior_share": 0.5, "weigh": False}], ids=str
)
def test_laplace_refuses_shares_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="expected 0 <= prior_share < 1, above 0 with weigh alone"):
        Laplace(**arguments)
