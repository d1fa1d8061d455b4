"""Which configurations finish: the process' likelihood, its posterior, and what the search makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.stats import multivariate_normal, norm
from surrogate_cases import MIXED, PLANE

import bayeshpo
from bayeshpo.acquisitions.feasibility import _ENGINE, Feasibility
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.problems.synthetic import Branin
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.bernoulli_likelihood import bernoulli_factors, bernoulli_log_density
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.feasibility import FeasibilityProcess, statuses
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

COLUMNS = Columns.of(PLANE)


def beyond(n=30, limit=0.6, rng=None):
    """Trials on the plane that fail beyond a limit of the first coordinate."""
    rng = rng or np.random.default_rng(0)
    X = rng.random((n, 2))
    ok = X[:, 0] < limit
    return TrainingData(X[ok], np.zeros(ok.sum()), 0.0, 1.0, X[~ok])


@pytest.fixture(scope="module")
def density():
    return log_density(FeasibilityProcess(), COLUMNS)


@pytest.fixture(scope="module")
def likelihood():
    K, m, z = pt.dmatrix("K"), pt.dvector("m"), pt.dvector("z")
    value = bernoulli_log_density(K, m, z)
    return function([K, m, z], [value, *grad(value, [K, m])], mode=UNCOMPILED)


def covariance(n, amplitude, rng):
    X = rng.random((n, 2))
    return amplitude**2 * np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / 0.3)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("amplitude", [0.3, 1.0, 2.0])
def test_likelihood_is_nearly_the_probability_of_an_orthant(likelihood, n, amplitude):
    # P(z) = P(z (f + e) > 0) with e ~ N(0, 1): of a normal vector with the covariance K + I. One factor's moments are
    # those of the posterior, so that one outcome's probability is exact.
    rng = np.random.default_rng(n)
    for _ in range(5):
        K, m, z = covariance(n, amplitude, rng), rng.standard_normal(n), rng.choice([-1.0, 1.0], n)
        signed = z[:, None] * (K + np.eye(n)) * z[None, :]
        exact = np.log(multivariate_normal(np.zeros(n), signed).cdf(z * m))
        assert abs(likelihood(K, m, z)[0] - exact) < (1e-7 if n == 1 else 2e-3 * amplitude**2)


def test_likelihood_of_nearly_known_values_is_the_plain_one(likelihood):
    m, z = np.array([-9.0, -7.0, 0.3, 40.0, -40.0]), np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    value, _, slope = likelihood(1e-12 * np.eye(5), m, z)
    assert value == pytest.approx(special.log_ndtr(z * m).sum(), rel=1e-9)
    mills = np.exp(norm.logpdf(z * m) - special.log_ndtr(z * m))
    np.testing.assert_allclose(slope, z * mills, rtol=1e-6)


def test_derivatives_of_the_likelihood(likelihood):
    rng, h = np.random.default_rng(4), 1e-5
    K, m, z = covariance(6, 2.0, rng), rng.standard_normal(6), rng.choice([-1.0, 1.0], 6)
    _, by_K, by_m = likelihood(K, m, z)
    for i, j in np.ndindex(6, 6):
        step = np.zeros((6, 6))
        # A covariance stays symmetric: two entries move together.
        step[i, j] += h
        step[j, i] += h
        difference = (likelihood(K + step, m, z)[0] - likelihood(K - step, m, z)[0]) / (2.0 * h)
        assert difference == pytest.approx(by_K[i, j] + by_K[j, i], rel=1e-5, abs=1e-7)
    for i in range(6):
        step = h * np.eye(6)[i]
        difference = (likelihood(K, m + step, z)[0] - likelihood(K, m - step, z)[0]) / (2.0 * h)
        assert difference == pytest.approx(by_m[i], rel=1e-5, abs=1e-7)


def test_each_outcome_put_back_leaves_the_moments_of_its_latent_value():
    # What expectation propagation is the fixed point of, by quadrature over each latent value.
    rng = np.random.default_rng(5)
    K, m, z = covariance(5, 1.5, rng), rng.standard_normal(5), rng.choice([-1.0, 1.0], 5)
    M, alpha = (v.eval() for v in bernoulli_factors(K, m, z))
    S = K - (M @ K).T @ (M @ K)
    tau = np.diag(np.linalg.inv(S) - np.linalg.inv(K))
    nu = np.linalg.solve(S, K @ alpha)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    for i in range(5):
        v = 1.0 / (1.0 / S[i, i] - tau[i])
        g = v * ((K @ alpha)[i] / S[i, i] - nu[i]) + np.sqrt(v) * nodes
        w = weights * norm.cdf(z[i] * (m[i] + g))
        mean = w @ g / w.sum()
        assert mean == pytest.approx((K @ alpha)[i], abs=1e-6)
        assert w @ (g - mean) ** 2 / w.sum() == pytest.approx(S[i, i], rel=1e-6)


def test_what_surely_fails_is_nearly_as_sure_as_by_draws_of_the_latent_values():
    # Probabilities of finishing at two points among failures and two among others, beside those by independence
    # sampling of the latent values at an edge: draws of a normal of their posterior's moments, weighed.
    rng = np.random.default_rng(6)
    data = statuses(beyond(24, rng=rng))
    Z = np.array([[0.9, 0.5], [0.8, 0.2], [0.3, 0.5], [0.1, 0.9]])
    distance = np.sqrt(5.0 * ((np.concatenate([data.X, Z])[:, None] - np.concatenate([data.X, Z])[None]) ** 2).sum(2))
    s = distance / 0.5
    K = 4.5**2 * (1.0 + s + s**2 / 3.0) * np.exp(-s)
    n, m = len(data.y), 3.0
    M, alpha = (v.eval() for v in bernoulli_factors(K[:n, :n], np.full(n, m), data.y))
    k = K[n:, :n]
    variance = np.diag(K[n:, n:]) - np.square(M @ k.T).sum(axis=0)
    found = norm.cdf((m + k @ alpha) / np.sqrt(1.0 + variance))
    S = K[:n, :n] - (M @ K[:n, :n]).T @ (M @ K[:n, :n]) + 1e-9 * np.eye(n)
    approximate = multivariate_normal(K[:n, :n] @ alpha, S)
    g = approximate.rvs(200_000, random_state=rng)
    prior = multivariate_normal(np.zeros(n), K[:n, :n] + 1e-9 * np.eye(n))
    log_w = special.log_ndtr(data.y * (m + g)).sum(axis=1) + prior.logpdf(g) - approximate.logpdf(g)
    w = np.exp(log_w - special.logsumexp(log_w))
    to_z = np.linalg.solve(K[:n, :n] + 1e-9 * np.eye(n), k.T)
    rest = np.diag(K[n:, n:]) - np.einsum("ij,ji->i", k, to_z)
    p = norm.cdf((m + g @ to_z) / np.sqrt(1.0 + rest))
    exact, error = w @ p, np.sqrt(np.square(w) @ (p - w @ p) ** 2)
    assert error.max() < 0.003
    np.testing.assert_allclose(found, exact, atol=0.012 + 4.0 * error.max())
    assert found[:2].max() < 0.05 < 0.9 < found[2:].min()


def test_weighted_draws_at_the_mode_are_the_posterior(density):
    data = statuses(beyond())
    quick, carried = (e.fit(density, data, rng=np.random.default_rng(1)) for e in (_ENGINE, Sequential()))
    assert carried.report.status == "ok"
    assert quick.report.khat < 0.7
    a, b = (p.thinned(1000) for p in (quick, carried))
    effective = min(quick.report.ess_bulk_min, 400.0)
    assert effective > 200.0
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4.5 * b.std(axis=0) * np.sqrt(2.0 / effective)).all()
    assert abs(quick.report.evidence_increment - carried.report.evidence_increment) < 0.3


def test_without_failures_all_are_sure_to_finish():
    data = beyond(limit=2.0)
    feasibility, Z = Feasibility.of(data, COLUMNS, np.random.default_rng(0)), data.X
    assert feasibility.posterior is None
    np.testing.assert_array_equal(feasibility.log_probability(Z), 0.0)
    assert feasibility.to_row() == {}


def test_where_trials_failed_they_will_fail_again():
    feasibility = Feasibility.of(beyond(), COLUMNS, np.random.default_rng(0))
    Z = np.random.default_rng(9).random((200, 2))
    p, ok = np.exp(feasibility.log_probability(Z)), Z[:, 0] < 0.6
    far = np.abs(Z[:, 0] - 0.6) > 0.2
    assert p[far & ok].min() > 0.8
    assert p[far & ~ok].max() < 0.35
    row, report = feasibility.to_row(), feasibility.posterior.report
    assert (row["feasibility_status"], row["feasibility_khat"]) == (report.status, report.khat)


def test_probability_is_the_mean_over_draws_and_its_gradient_agrees(density):
    feasibility, Z = (
        Feasibility.of(beyond(), COLUMNS, np.random.default_rng(0)),
        np.random.default_rng(2).random((9, 2)),
    )
    posterior, p = feasibility.posterior, predictive(density)
    mean, variance = p(p.condition(posterior.thinned(64), posterior.data), Z)
    value, gradient = feasibility.with_gradient(Z)
    np.testing.assert_allclose(value, np.log(norm.cdf(mean / np.sqrt(1.0 + variance)).mean(axis=0)), rtol=1e-10)
    np.testing.assert_array_equal(value, feasibility.log_probability(Z))
    for j in range(2):
        h = 1e-6 * np.eye(2)[j]
        difference = (feasibility.log_probability(Z + h) - feasibility.log_probability(Z - h)) / 2e-6
        np.testing.assert_allclose(gradient[:, j], difference, rtol=1e-4, atol=1e-6)


def test_sure_failure_stays_finite():
    rng = np.random.default_rng(3)
    data = TrainingData(np.empty((0, 2)), np.empty(0), 0.0, 1.0, rng.random((60, 2)))
    value, gradient = Feasibility.of(data, COLUMNS, rng).with_gradient(rng.random((50, 2)))
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert value.max() < np.log(0.2)


@pytest.mark.slow
def test_ranks_of_simulated_studies_are_uniform(density):
    # Ranks of the true hyperparameters among 99 draws: 200 studies of 25 trials each.
    rng, ranks, reliable = np.random.default_rng(0), [], []
    true = density.prior_draws(200, rng)
    for q in true:
        X = rng.random((25, 2))
        p = {name: v[0] for name, v in density.constrain(q[None]).items()}
        scaled = X / p["lengthscale"]
        s = np.sqrt(5.0) * np.sqrt(((scaled[:, None] - scaled[None]) ** 2).sum(axis=2))
        K = p["amplitude"] ** 2 * (1.0 + s + s**2 / 3.0) * np.exp(-s)
        g = rng.multivariate_normal(np.full(25, p["amplitude"] * p["level"]), K + np.eye(25), method="eigh")
        data = TrainingData(X, np.where(g >= 0.0, 1.0, -1.0), 0.0, 1.0, X[:0])
        posterior = _ENGINE.fit(density, data, rng=rng)
        reliable.append(posterior.report.khat < 0.7)
        ranks.append((posterior.thinned(99) < q).sum(axis=0))
    assert np.mean(reliable) > 0.8
    counts = np.stack([np.histogram(r, bins=10, range=(0, 100))[0] for r in np.array(ranks).T])
    # Chi-square with 9 degrees of freedom, four coordinates.
    assert (((counts - 20.0) ** 2 / 20.0).sum(axis=1) < 27.9).all()


def test_a_study_avoids_where_trials_fail():
    # Branin's function falls across the edge of what finishes.
    problem = Branin()

    def evaluate(configuration):
        x = np.array([configuration[name] for name in problem.space.names])
        if x.sum() < 11.0:
            raise MemoryError("too small")
        return problem.function(x)

    study = bayeshpo.Study(problem.space, seed=0, name="edge")
    study.optimize(evaluate, budget=24, progress=False)
    proposed = [t for t in study.history.trials if t.suggestion.origin == "acquisition"]
    assert study.inference["feasibility_status"].isin(["ok", "not_converged"]).any()
    # Where failures are only known by their distance, half of the proposals fail.
    assert sum(not t.finished for t in proposed) < 0.4 * len(proposed)
    assert study.best.value - problem.optimum < 0.1


def test_mixed_spaces_have_feasibility_too():
    rng = np.random.default_rng(1)
    X = MIXED.sample(12, rng)
    data = TrainingData(X[:8], np.zeros(8), 0.0, 1.0, X[8:])
    value, gradient = Feasibility.of(data, Columns.of(MIXED), rng).with_gradient(MIXED.sample(20, rng))
    assert ((value < 0.0) & np.isfinite(value)).all()
    assert np.isfinite(gradient).all()
