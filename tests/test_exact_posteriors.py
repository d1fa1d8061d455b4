"""The sequential engine and NUTS against posteriors and evidence in closed form, by quadrature and by SMC."""

from __future__ import annotations

import numpy as np
import pytest
from posterior_checks import REPLICATES, Y, assert_unbiased, carried, weighted_moments
from surrogate_cases import PLANE, density_on, training_data, wavy
from toy_surrogates import Level, LevelAndSpread, outcomes, toy_density

from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.smc import SMC


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


def test_evidence_of_one_trial_after_the_other_in_one_dimension():
    # The product of one-step-ahead densities, in units of the loss, is the density of all losses.
    surrogate, stages, location, scale = Level(0.7), range(1, 13), 2.0, 0.3
    density = toy_density(surrogate)
    totals = []
    for seed in range(REPLICATES):
        run = carried(Sequential(), density, [outcomes(Y[:n], location, scale) for n in stages], seed)
        totals.append(sum(p.report.evidence_increment for p in run))
    _, _, standardised = surrogate.exact((Y[:12] - location) / scale)
    assert_unbiased(totals, standardised - 12 * np.log(scale), 1.0)
    # Each step's weights have a relative variance below 1 over at least 400 effective draws.
    assert np.std(totals) < 2.0 * np.sqrt(12 / 400.0)


def test_sequential_posteriors_and_evidence_by_quadrature():
    # One trial at a time, then a few, then many at once.
    surrogate, stages = LevelAndSpread(), (2, 3, 4, 5, 6, 8, 12, 13, 24)
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


@pytest.mark.parametrize("many", [20, 1000], ids=["near the mode", "over the bridge"])
def test_a_posterior_far_from_the_one_before_by_quadrature(many):
    # Weights leave one draw in a thousand: 24 outcomes about 1, then 40 more about 9.
    surrogate, engine = LevelAndSpread(), Sequential(many=many)
    after = np.concatenate([Y[:24], 8.0 + np.resize(Y[:24], 40)])
    means, sds, evidence = surrogate.exact(after)
    runs = [
        carried(engine, toy_density(surrogate), [outcomes(Y[:24]), outcomes(after)], seed) for seed in range(REPLICATES)
    ]
    found = [weighted_moments(far) for _, far in runs]
    assert_unbiased([m for m, _ in found], means, sds)
    assert_unbiased([s for _, s in found], sds, sds)
    assert_unbiased([sum(p.report.evidence_increment for p in run) for run in runs], evidence, 1.0)
    assert all(far.report.status == "ok" and far.report.action == "moved" for _, far in runs)


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


def test_evidence_of_a_gaussian_process_carried_and_at_once():
    density, data = density_on(PLANE), wavy(12)
    losses = data.location + data.scale * data.y
    # Standardised anew at every step, as studies do.
    steps = [training_data(data.X[:n], losses[:n]) for n in range(4, 13)]
    carried_on = [
        sum(p.report.evidence_increment for p in carried(Sequential(), density, steps, seed)) for seed in range(4)
    ]
    at_once = [
        SMC().fit(density, data, rng=np.random.default_rng(seed)).report.evidence_increment for seed in range(100, 104)
    ]
    # Nine and some five steps, each with a relative variance below 1 over at least 400 effective draws.
    error = np.sqrt((9 + 5) / 400.0 / 4)
    assert abs(np.mean(carried_on) - np.mean(at_once)) < 4.5 * error
