"""Engines against exact posteriors, moves against what they must leave unchanged, reports against their thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import AMPLITUDE, LENGTHSCALE, MIXED, NOISE, PLANE, density_on, training_data, wavy
from toy_surrogates import Broken, Funnel, Level, LevelAndSpread, outcomes, toy_density

from bayeshpo.inference import differential_evolution, mixture
from bayeshpo.inference.density import log_density
from bayeshpo.inference.moves import move
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.report import InferenceReport, with_convergence
from bayeshpo.inference.sequential import Sequential
from bayeshpo.surrogates.base import Columns
from bayeshpo.surrogates.gp import GaussianProcess

REPLICATES = 8
Y = np.random.default_rng(12).normal(1.3, 0.7, 24)


def weighted_moments(posterior: Posterior):
    """Means and standard deviations (Q,) of the unconstrained draws under their weights."""
    weights = np.full(posterior.size, 1.0 / posterior.size)
    if posterior.log_weights is not None:
        weights = np.exp(posterior.log_weights.ravel())
    mean = weights @ posterior.draws
    return mean, np.sqrt(weights @ (posterior.draws - mean) ** 2)


def carried(engine, density, steps, seed):
    """Posteriors along a list of data, each carried on from the one before."""
    rng, posterior, all_of_them = np.random.default_rng(seed), None, []
    for data in steps:
        posterior = engine.fit(density, data, rng=rng, previous=posterior)
        all_of_them.append(posterior)
    return all_of_them


def assert_unbiased(estimates, exact, spread, k=5.0):
    """Replicates (R, ...) agree with the exact value within k of their standard errors (or 0.02 of the spread)."""
    estimates = np.asarray(estimates)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    deviation = np.abs(estimates.mean(axis=0) - exact)
    assert (deviation < k * error + 0.02 * np.asarray(spread)).all(), (deviation, error, spread)


# Densities and draws of the prior


def test_prior_draws_are_exact_and_independent():
    density, n = density_on(PLANE), 4000
    Q = density.prior_draws(n, np.random.default_rng(0))
    values = density.constrain(Q)
    laws = {"mean": stats.norm(), "amplitude": AMPLITUDE, "noise": NOISE, "lengthscale": LENGTHSCALE}
    for name, law in laws.items():
        for column in values[name].reshape(n, -1).T:
            assert stats.kstest(column, law.cdf).pvalue > 1e-4
    # Neither coordinates nor successive draws are correlated: 5 / sqrt(n).
    correlation = np.corrcoef(np.column_stack([Q[:-1], Q[1:]]).T)
    assert np.abs(correlation - np.eye(10)).max() < 5.0 / math.sqrt(n)


@pytest.mark.parametrize("space", [PLANE, MIXED], ids=["plane", "mixed"])
def test_unconstrain_is_the_inverse_of_constrain(space):
    density = log_density(GaussianProcess(), Columns.of(space))
    Q = density.prior_draws(50, np.random.default_rng(1))
    values = density.constrain(Q)
    assert {k: v.shape for k, v in values.items()} == {
        "mean": (50,), "amplitude": (50,), "lengthscale": (50, space.dimension), "noise": (50,)
    }  # fmt: skip
    np.testing.assert_allclose(density.unconstrain(values), Q, rtol=1e-12, atol=1e-12)
    assert (values["noise"] > 0.0).all()


def test_threads_do_not_change_a_digit(monkeypatch):
    density, data = density_on(PLANE), wavy(20)
    Q = density.prior_draws(1001, np.random.default_rng(0))
    values = []
    for cores in ("1", "2"):
        monkeypatch.setenv("BAYESHPO_CORES", cores)
        values.append(density.batch(Q, data.X, data.y))
    np.testing.assert_array_equal(*values)


# Reports


def test_report_of_independent_draws_is_ok():
    Q = np.random.default_rng(0).standard_normal((4, 500, 3))
    report = with_convergence(InferenceReport("x", "sampled", 5, seconds_sample=2.0), Q, {})
    assert report.status == "ok"
    assert report.reason is None
    assert (report.chains, report.draws) == (4, 500)
    assert report.rhat_max is not None
    assert report.ess_bulk_min is not None
    assert report.rhat_max < 1.01
    # Independent draws are worth their number, within its standard error of a few per cent.
    assert 1500 < report.ess_bulk_min < 2600
    assert report.ess_per_second == report.ess_bulk_min / 2.0
    assert all(v is None or isinstance(v, (str, int, float)) for v in report.to_row().values())


def disagreeing(Q):
    Q[0, :, 1] += 0.5


def few(Q):
    Q[:] = np.repeat(Q[:, ::10], 10, axis=1)


@pytest.mark.parametrize(("spoil", "words"), [(disagreeing, "R-hat 1.0"), (few, "bulk ESS")])
def test_report_of_bad_draws_is_not_ok(spoil, words):
    Q = np.random.default_rng(1).standard_normal((4, 500, 3))
    spoil(Q)
    report = with_convergence(InferenceReport("x", "sampled", 5), Q, {})
    assert report.status == "not_converged"
    assert report.reason is not None
    assert words in report.reason


# Moves


def gaussian(Q):
    return -0.5 * np.einsum("ij,jk,ik->i", Q, PRECISION, Q)


COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 25.0]])
PRECISION = np.linalg.inv(COVARIANCE)


def two_modes(Q):
    return np.logaddexp(
        np.log(0.3) + stats.norm(-3.0, 0.3).logpdf(Q).sum(axis=1), np.log(0.7) + stats.norm(3.0, 1.0).logpdf(Q).sum(1)
    )


def exact_gaussian(shape, rng):
    return rng.standard_normal((*shape, 3)) @ np.linalg.cholesky(COVARIANCE).T


def exact_two_modes(shape, rng):
    low = rng.random((*shape, 1)) < 0.3
    return np.where(low, -3.0 + 0.3 * rng.standard_normal((*shape, 2)), 3.0 + rng.standard_normal((*shape, 2)))


TARGETS = pytest.mark.parametrize(
    ("target", "exact"), [(gaussian, exact_gaussian), (two_modes, exact_two_modes)], ids=["gaussian", "two modes"]
)


KERNELS = pytest.mark.parametrize("kernel", [differential_evolution, mixture], ids=["differences", "mixture"])


def features(Q):
    """First and second moments, and the share below zero (..., F)."""
    return np.concatenate([Q, Q**2, Q[..., :1] * Q[..., 1:2], Q[..., :1] < 0.0], axis=-1)


@KERNELS
@TARGETS
def test_sweeps_leave_the_target_unchanged(target, exact, kernel):
    # Many small populations, because what one half learns from the other is what could bias it.
    rng = np.random.default_rng(3)
    populations, truth = [], features(exact((400_000,), np.random.default_rng(4)))
    rates = []
    for _ in range(60):
        Q = exact((4, 20), rng)
        logp = target(Q.reshape(-1, Q.shape[2])).reshape(4, 20)
        for _ in range(8):
            Q, logp, rate = kernel.sweep(Q, logp, target, rng)
            rates.append(rate)
        np.testing.assert_allclose(logp, target(Q.reshape(-1, Q.shape[2])).reshape(4, 20))
        populations.append(features(Q).mean(axis=(0, 1)))
    error = np.std(populations, axis=0, ddof=1) / np.sqrt(60)
    deviation = np.abs(np.mean(populations, axis=0) - truth.mean(axis=0))
    assert (deviation < 4.5 * np.hypot(error, truth.std(axis=0) / np.sqrt(len(truth)))).all()
    assert 0.1 < np.mean(rates) < 0.95


@KERNELS
@TARGETS
def test_a_sweep_is_reversible(target, exact, kernel):
    # In equilibrium a draw and what it becomes can change places: E[a(q) b(q')] = E[b(q) a(q')].
    rng = np.random.default_rng(5)
    flows = []
    for _ in range(150):
        before = exact((10, 20), rng)
        logp = target(before.reshape(-1, before.shape[2])).reshape(10, 20)
        a, b = features(before), features(kernel.sweep(before, logp, target, rng)[0])
        flows.append(np.einsum("idf,idg->fg", a, b) - np.einsum("idf,idg->gf", a, b))
    error = np.std(flows, axis=0, ddof=1) / np.sqrt(150)
    off = ~np.eye(len(error), dtype=bool)
    assert (np.abs(np.mean(flows, axis=0))[off] < 4.5 * error[off]).all()


def test_moves_go_on_until_the_start_is_forgotten():
    rng = np.random.default_rng(6)
    Q = exact_gaussian((4, 100), rng)
    logp = gaussian(Q.reshape(-1, 3)).reshape(4, 100)
    moved = move(Q, logp, gaussian, rng, least=5, most=200, memory=0.3)
    assert moved.memory <= 0.3
    assert 5 <= moved.sweeps < 200
    ranks = [stats.spearmanr(Q[..., j].ravel(), moved.Q[..., j].ravel()).statistic for j in range(3)]
    np.testing.assert_allclose(moved.memory, np.abs(ranks).max(), atol=1e-10)
    assert move(Q, logp, gaussian, rng, least=7, most=7, memory=0.0).sweeps == 7


def test_resampling_gives_each_draw_its_share():
    rng = np.random.default_rng(7)
    Q = np.arange(4 * 200, dtype=float).reshape(4, 200, 1)
    np.testing.assert_array_equal(resample(Q, np.full((4, 200), -3.0)), Q)
    weights = rng.exponential(size=(4, 200))
    weights /= weights.sum(axis=1, keepdims=True)
    chosen = resample(Q, np.log(weights))
    for g in range(4):
        copies = np.bincount(chosen[g].astype(int).ravel(), minlength=800)[200 * g : 200 * (g + 1)]
        assert copies.sum() == 200
        # Systematic resampling never is a whole copy away from the expected number.
        assert np.abs(copies - 200 * weights[g]).max() < 1.0


def test_resampling_is_unbiased():
    rng = np.random.default_rng(8)
    errors = []
    for _ in range(400):
        Q = rng.standard_normal((4, 100, 1))
        log_weights = 0.8 * Q[..., 0]
        weights = np.exp(log_weights)
        expected = (weights * Q[..., 0]).sum(axis=1) / weights.sum(axis=1)
        alike = resample(Q, log_weights - np.log(weights.sum(axis=1, keepdims=True)))
        errors.append(alike[..., 0].mean(axis=1) - expected)
    errors = np.ravel(errors)
    assert abs(errors.mean()) < 4.5 * errors.std() / np.sqrt(len(errors))
    # One in a hundred of the draws' own spread: the error of one resampling is second order.
    assert errors.std() < 0.05


def test_a_chain_that_alone_saw_the_posterior_gets_its_weight():
    Q = np.random.default_rng(9).standard_normal((4, 100, 2))
    log_weights = np.full((4, 100), -np.inf)
    log_weights[2, 40:] = 0.0
    resampled = resample(Q, log_weights)
    assert np.isin(resampled[..., 0], Q[2, 40:, 0]).all()


# The sequential engine and NUTS on posteriors that are known


@pytest.mark.parametrize("engine", [Sequential(), NUTS(draws=500)], ids=["sequential", "nuts"])
@pytest.mark.parametrize("n", [1, 5, 24])
def test_conjugate_posterior(engine, n):
    surrogate = Level(0.7)
    posterior = engine.fit(toy_density(surrogate), outcomes(Y[:n]), rng=np.random.default_rng(n))
    assert posterior.report.status == "ok"
    mean, sd, _ = surrogate.exact(Y[:n])
    estimated, spread = weighted_moments(posterior)
    ess = 400.0
    assert abs(estimated[0] - mean) < 4.5 * sd / np.sqrt(ess)
    assert abs(spread[0] - sd) < 4.5 * sd / np.sqrt(2.0 * ess)


def test_no_data_at_all_is_the_prior():
    posterior = Sequential().fit(toy_density(Level()), outcomes([]), rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    assert abs(posterior.report.evidence_increment or 0.0) < 1e-12
    mean, sd = weighted_moments(posterior)
    assert abs(mean[0]) < 4.5 * 2.0 / np.sqrt(400.0)
    assert abs(sd[0] - 2.0) < 4.5 * 2.0 / np.sqrt(800.0)


def test_sequential_posteriors_and_evidence_by_quadrature():
    # One trial at a time, then a few, then many at once.
    surrogate, stages = LevelAndSpread(), (2, 3, 4, 5, 6, 8, 11, 24)
    density = toy_density(surrogate)
    runs = [carried(Sequential(), density, [outcomes(Y[:n]) for n in stages], seed) for seed in range(REPLICATES)]
    total = np.zeros(REPLICATES)
    for i, n in enumerate(stages):
        means, sds, evidence = surrogate.exact(Y[:n])
        found = [weighted_moments(run[i]) for run in runs]
        assert_unbiased([m for m, _ in found], means, sds)
        assert_unbiased([s for _, s in found], sds, sds)
        total += [run[i].report.evidence_increment for run in runs]
        assert_unbiased(total, evidence, 1.0)
        assert total.std() < 0.3
    actions = {p.report.action for run in runs for p in run}
    assert {"moved", "reweighted"} <= actions
    assert all(p.report.status == "ok" for run in runs for p in run)
    assert all((p.log_weights is not None) == (p.report.action == "reweighted") for run in runs for p in run)


def test_nuts_by_quadrature():
    surrogate = LevelAndSpread()
    means, sds, _ = surrogate.exact(Y)
    found = []
    for seed in range(4):
        posterior = NUTS(draws=500).fit(toy_density(surrogate), outcomes(Y), rng=np.random.default_rng(seed))
        assert posterior.report.status == "ok"
        found.append(weighted_moments(posterior))
    for mean, sd in found:
        assert (np.abs(mean - means) < 4.5 * sds / 20.0).all()
        assert (np.abs(sd - sds) < 4.5 * sds / np.sqrt(800.0)).all()


def shocked(kind):
    """Data before and after something that a population must not sleep through."""
    calm = outcomes(Y[:8])
    if kind == "outlier":
        return calm, outcomes([*Y[:8], 9.0])
    if kind == "many at once":
        return calm, outcomes(Y)
    return calm, outcomes([*Y[:8], -4.0], location=float(Y[:8].mean()) - 2.0, scale=3.0)


@pytest.mark.parametrize("kind", ["outlier", "many at once", "changed standardisation"])
def test_a_shock_moves_the_population_to_the_right_posterior(kind):
    surrogate = LevelAndSpread()
    before, after = shocked(kind)
    runs = [carried(Sequential(), toy_density(surrogate), (before, after), seed) for seed in range(REPLICATES)]
    means, sds, _ = surrogate.exact(after.y)
    found = [weighted_moments(run[-1]) for run in runs]
    assert {run[-1].report.action for run in runs} <= {"moved", "retried"}
    assert all(run[-1].report.status == "ok" for run in runs)
    assert_unbiased([m for m, _ in found], means, sds)
    assert_unbiased([s for _, s in found], sds, sds)
    # The evidence is counted in units of the loss, so it does not care how outcomes were standardised.
    evidence = [run[-1].report.evidence_increment for run in runs]
    expected = surrogate.exact(after.y)[2] - surrogate.exact(before.y)[2] - len(after.y) * np.log(after.scale)
    assert_unbiased(evidence, expected, 1.0)


def test_a_trial_that_changes_nothing_is_reweighted():
    density, data = toy_density(LevelAndSpread()), outcomes(Y[:8])
    rng = np.random.default_rng(0)
    first = Sequential().fit(density, data, rng=rng)
    second = Sequential().fit(density, data, rng=rng, previous=first)
    assert second.report.action == "reweighted"
    assert abs(second.report.evidence_increment or 0.0) < 1e-12
    np.testing.assert_array_equal(second.draws, first.draws)


@pytest.fixture(scope="module")
def reference():
    """A long run of NUTS on twenty trials, with the standard errors of its moments."""
    from arviz_stats.base.array import array_stats

    posterior = NUTS(draws=5000, rounds=1).fit(density_on(PLANE), wavy(20), rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    mean, sd = weighted_moments(posterior)
    ess = np.asarray(array_stats.ess(posterior.unconstrained, chain_axis=0, draw_axis=1, method="mean"))
    return mean, sd, ess


@pytest.mark.parametrize("stages", [(20,), (4, 8, 12, 16, 18, 19, 20)], ids=["at once", "carried"])
def test_sequential_agrees_with_nuts_on_a_gaussian_process(stages, reference):
    data = wavy(20)
    steps = [training_data(data.X[:n], data.y[:n]) for n in stages[:-1]] + [data]
    density, (mean, sd, ess) = density_on(PLANE), reference
    runs = [carried(Sequential(), density, steps, seed)[-1] for seed in range(REPLICATES)]
    assert all(p.report.status == "ok" for p in runs)
    found = np.array([weighted_moments(p) for p in runs])
    error = found.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
    assert (np.abs(found[:, 0].mean(axis=0) - mean) < 4.5 * np.hypot(error[0], sd / np.sqrt(ess))).all()
    # Log-lengthscales have heavy shoulders: the kurtosis of 6 is above what they show.
    assert (np.abs(found[:, 1].mean(axis=0) - sd) < 4.5 * np.hypot(error[1], sd * np.sqrt(5.0 / 4.0 / ess))).all()
    # What the report says is worth about what replicates say: within a factor of four for the worst of them.
    claimed = np.mean([p.report.ess_bulk_min for p in runs])
    replicated = (sd**2 / found[:, 0].var(axis=0, ddof=1)).min()
    assert replicated > claimed / 8.0


@pytest.mark.parametrize("engine", [Sequential(), NUTS(rounds=1, draws=200)], ids=["sequential", "nuts"])
def test_equal_generators_give_equal_posteriors(engine):
    data = wavy(12)
    first, second, other = (engine.fit(density_on(PLANE), data, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.unconstrained, second.unconstrained)
    assert not np.array_equal(first.unconstrained, other.unconstrained)
    clocks = {"ess_per_second", "seconds_sample", "seconds_compile"}
    rows = [{k: v for k, v in p.report.to_row().items() if k not in clocks} for p in (first, second)]
    assert rows[0] == rows[1]


# What cannot work


ENGINES = pytest.mark.parametrize("engine", [Sequential(), NUTS(draws=200, rounds=1)], ids=["sequential", "nuts"])


@ENGINES
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


@ENGINES
def test_a_funnel_is_seen(engine):
    posterior = engine.fit(toy_density(Funnel()), outcomes(Y[:3]), rng=np.random.default_rng(0))
    v = posterior.draws[:, 0]
    right = abs(v.mean()) < 4.5 * 3.0 / 20.0 and abs(v.std() - 3.0) < 4.5 * 3.0 / np.sqrt(800.0)
    # Either the draws are right, or the report says that they are not.
    assert right or posterior.report.status != "ok" or (posterior.report.divergences or 0) > 0


@pytest.mark.parametrize(
    "arguments", [{"islands": 3}, {"draws": 50}, {"draws": 101}], ids=["few islands", "few draws", "odd"]
)
def test_sequential_refuses(arguments):
    with pytest.raises(ValueError, match="expected islands >= 4"):
        Sequential(**arguments)


def test_weighted_draws_in_the_tree_are_resampled():
    density, data = density_on(PLANE), wavy(6)
    Q = density.prior_draws(400, np.random.default_rng(0)).reshape(4, 100, -1)
    log_weights = np.where(np.arange(100) < 50, -np.inf, -math.log(200.0)) * np.ones((4, 1))
    posterior = Posterior(density, data, Q, InferenceReport("x", "reweighted", 6), log_weights)
    tree = posterior.to_datatree()
    noise = tree["posterior"]["noise"].to_numpy()
    assert noise.shape == (4, 100)
    assert np.isin(noise, density.constrain(Q[:, 50:].reshape(200, -1))["noise"]).all()
    assert len(np.unique(posterior.thinned(200)[:, 0])) == 200
