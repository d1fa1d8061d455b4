"""Every engine against posteriordb's reference draws, within Monte Carlo error; point estimates against the mode."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from reference_posteriors import Reference, needs_references, reference
from scipy import stats
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayeshpo.inference.advi import ADVI
from bayeshpo.inference.laplace import Laplace
from bayeshpo.inference.map import MAP
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.pathfinder import Pathfinder
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.prior import Prior
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.smc import SMC

pytestmark = needs_references

WEIGHED = {"laplace": Laplace(), "mean_field": ADVI(), "full_rank": ADVI(full_rank=True), "pathfinder": Pathfinder()}
# The references themselves took small steps: adapt_delta 0.95 to 0.99.
MCMC = {
    "sequential": Sequential(),
    "nuts": NUTS(),
    "careful_nuts": NUTS(tune=500, target_accept=0.95),
    "smc": SMC(),
}
PROBABILITIES = (0.05, 0.5, 0.95)
# Some 15 to 65 comparisons a posterior: the largest of so many standard normal numbers stays below this.
LIMIT = 4.5


def expectations(draws: np.ndarray, centre: float, quantiles: np.ndarray) -> np.ndarray:
    """What is compared, (5, ...): draws, squared distances from the centre, and whether they are below quantiles."""
    return np.stack([draws, (draws - centre) ** 2, *[(draws <= q).astype(float) for q in quantiles]])


def largest_z(truth: Reference, posterior: Posterior) -> float:
    """Largest difference between a posterior and the reference in units of their joint Monte Carlo error.

    Compared are mean, second moment about the reference's mean, and the reference's quantiles, of all quantities.
    """
    chains, draws, _ = posterior.unconstrained.shape
    found = truth.of(posterior.draws)
    assert set(found) == set(truth.draws)
    z = []
    for name, exact in truth.draws.items():
        centre, quantiles = exact.mean(), np.quantile(exact, PROBABILITIES)
        theirs = expectations(exact, centre, quantiles)
        ours = expectations(found[name].reshape(chains, draws), centre, quantiles)
        their_error = theirs.std(axis=1) / np.sqrt(len(exact))
        if posterior.log_weights is None:
            mean, error = ours.mean(axis=(1, 2)), array_stats.mcse(ours, chain_axis=1, draw_axis=2)
        else:
            w = np.exp(posterior.log_weights - logsumexp(posterior.log_weights))
            mean = (w * ours).sum(axis=(1, 2))
            error = np.sqrt((w**2 * (ours - mean[:, None, None]) ** 2).sum(axis=(1, 2)))
        z.append(np.abs(mean - theirs.mean(axis=1)) / np.hypot(error, their_error))
    return float(np.max(z))


def fit(engine, truth: Reference, seed: int = 1) -> Posterior:
    return engine.fit(truth.density, truth.data, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("posterior", "name"),
    [
        ("gp_regr", "sequential"),
        ("gp_regr", "nuts"),
        ("gp_regr", "smc"),
        ("eight_schools", "sequential"),
        ("eight_schools", "smc"),
        pytest.param("eight_schools", "nuts", marks=pytest.mark.slow),
        pytest.param("gp_pois_regr", "sequential", marks=pytest.mark.slow),
        pytest.param("gp_pois_regr", "smc", marks=pytest.mark.slow),
        pytest.param("gp_pois_regr", "careful_nuts", marks=pytest.mark.slow),
    ],
)
def test_samplers_agree_with_the_reference(posterior, name):
    truth = reference(posterior)
    fitted = fit(MCMC[name], truth)
    assert fitted.report.status == "ok"
    assert largest_z(truth, fitted) < LIMIT


@pytest.mark.parametrize("name", WEIGHED)
@pytest.mark.parametrize(
    "posterior", ["gp_regr", "eight_schools", pytest.param("gp_pois_regr", marks=pytest.mark.slow)]
)
def test_approximations_agree_with_the_reference_or_say_that_they_do_not(posterior, name):
    truth = reference(posterior)
    fitted = fit(WEIGHED[name], truth)
    assert fitted.report.khat is not None
    assert (fitted.report.khat <= 0.7 and fitted.report.ess_bulk_min > 400) == (fitted.report.status == "ok")
    if fitted.report.status == "ok":
        assert largest_z(truth, fitted) < LIMIT


def test_some_approximation_is_good_enough_on_each_easy_posterior():
    for posterior in ("gp_regr", "eight_schools"):
        truth = reference(posterior)
        assert any(fit(engine, truth).report.status == "ok" for engine in WEIGHED.values())


def test_prior_agrees_with_the_prior_and_not_with_the_posterior():
    truth = reference("gp_regr")
    fitted = fit(Prior(), truth)
    rho = truth.of(fitted.draws)["rho"]
    assert stats.kstest(rho, stats.gamma(25.0, scale=0.25).cdf).pvalue > 1e-4
    assert largest_z(truth, fitted) > 2.0 * LIMIT


def log_joint(truth: Reference, rho, alpha, sigma) -> float:
    """Log density of the Gaussian process regression on the constrained scale, in plain numpy."""
    x, y = truth.data.X[:, 0], truth.data.y
    K = alpha**2 * np.exp(-0.5 * ((x[:, None] - x[None, :]) / rho) ** 2) + sigma * np.eye(len(x))
    prior = stats.gamma(25.0, scale=0.25).logpdf(rho) + stats.halfnorm(0, 2).logpdf(alpha)
    return float(prior + stats.halfnorm(0, 1).logpdf(sigma) + stats.multivariate_normal(np.zeros(len(x)), K).logpdf(y))


def mode(loss) -> np.ndarray:
    """Minimiser (3,) over log rho, log alpha, log sigma."""
    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
    return minimize(loss, np.log([6.8, 2.4, 1.8]), method="Nelder-Mead", options=options).x


def test_map_is_the_mode_on_the_constrained_scale():
    truth = reference("gp_regr")
    fitted = fit(MAP(), truth)
    assert fitted.report.status == "ok"
    exact = np.exp(mode(lambda q: -log_joint(truth, *np.exp(q))))
    found = truth.of(fitted.draws)
    np.testing.assert_allclose([found[k][0] for k in ("rho", "alpha", "sigma")], exact, rtol=1e-3)


def test_laplace_is_centred_on_the_mode_of_the_unconstrained_scale():
    truth = reference("gp_regr")
    fitted = fit(Laplace(weigh=False, draws=4000), truth)
    exact = mode(lambda q: -log_joint(truth, *np.exp(q)) - q.sum())
    logs = np.log(np.stack([truth.of(fitted.draws)[k] for k in ("rho", "alpha", "sigma")]))
    error = logs.std(axis=1) / np.sqrt(logs.shape[1])
    assert (np.abs(logs.mean(axis=1) - exact) < LIMIT * error).all()


def test_smc_evidence_agrees_with_prior_monte_carlo():
    truth = reference("gp_regr")
    fitted = fit(SMC(), truth)
    rng = np.random.default_rng(0)
    S, x, y = 50_000, truth.data.X[:, 0], truth.data.y
    rho, alpha = rng.gamma(25.0, 0.25, S), 2.0 * np.abs(rng.standard_normal(S))
    sigma = np.abs(rng.standard_normal(S))
    square = (x[:, None] - x[None, :]) ** 2
    K = alpha[:, None, None] ** 2 * np.exp(-0.5 * square / rho[:, None, None] ** 2) + sigma[:, None, None] * np.eye(11)
    values, vectors = np.linalg.eigh(K)
    along = np.einsum("sij,i->sj", vectors, y)
    logs = -0.5 * (along**2 / values + np.log(2.0 * np.pi * values)).sum(axis=1)
    w = np.exp(logs - logs.max())
    exact, error = logs.max() + np.log(w.mean()), w.std() / w.mean() / np.sqrt(S)
    # A tempering step keeps half of the population, so it adds at most 1 / S to the relative variance; five steps.
    assert abs(fitted.report.evidence_increment - exact) < LIMIT * np.hypot(error, np.sqrt(5.0 / fitted.size))
