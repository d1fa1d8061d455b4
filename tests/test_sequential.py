"""The sequential engine against NUTS on a Gaussian process; repetition; arguments that it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from posterior_checks import REPLICATES, carried, weighted_moments
from surrogate_cases import PLANE, density_on, training_data, wavy

from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.sequential import Sequential


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
    clocks = {"ess_per_second", "seconds_sample", "seconds_compile", "seconds_diagnose"}
    rows = [{k: v for k, v in p.report.to_row().items() if k not in clocks} for p in (first, second)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    "arguments", [{"islands": 3}, {"draws": 50}, {"draws": 101}], ids=["few islands", "few draws", "odd"]
)
def test_sequential_refuses(arguments):
    with pytest.raises(ValueError, match="expected islands >= 4"):
        Sequential(**arguments)
